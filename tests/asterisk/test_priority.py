"""Asterisk's priority, where it may have it and where it may not."""

import os
import subprocess
import sys

import pytest

from gateway.asterisk import priority

NOBODY = 65534
CHILD = """
import os, resource, sys
from gateway.asterisk import priority
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_RTPRIO, (limit, limit))
os.setuid(int(sys.argv[2]))
priority.come_first(print)
print(priority.comes_first(os.getpid()))
"""


def said(limit: int) -> list[str]:
    """What an ordinary user's process says that may have so high a priority."""
    command = [sys.executable, "-c", CHILD, str(limit), str(NOBODY)]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user")
def test_an_ordinary_user_has_it_where_he_may_and_elsewhere_it_is_said_what_to_do() -> None:
    assert said(priority.LEAST) == ["True"]
    [words, has] = said(0)
    assert has == "False"
    assert priority.ORDINARY in words
    assert priority.REMEDY in words


def test_where_a_kernel_lets_it_take_all_of_the_machine_it_is_not_had(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path_factory.mktemp("kernel") / "sched_rt_runtime_us"
    runtime.write_text("-1\n")
    monkeypatch.setattr(priority, "RUNTIME", runtime)
    told: list[str] = []
    priority.come_first(told.append)
    assert "the whole machine" in told[0]
    assert not priority.comes_first(os.getpid())
