"""Asterisk's priority, where it may have it and where it may not."""

import os
import resource
import subprocess
import sys

import pytest

from gateway.asterisk import priority

NOBODY = 65534
CHILD = """
import os, sys
from gateway.asterisk import priority
os.setuid(int(sys.argv[1]))
priority.come_first(print)
print(priority.comes_first(os.getpid()))
"""


def said(user: int) -> list[str]:
    """What that user's process says of it."""
    command = [sys.executable, "-c", CHILD, str(user)]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may have it, and become who may not")
def test_who_may_has_it_and_whoever_may_not_is_told_what_to_do() -> None:
    assert resource.getrlimit(resource.RLIMIT_RTPRIO)[0] == 0  # where anybody may, nobody is to be told
    assert said(0) == ["True"]
    [words, has] = said(NOBODY)
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
