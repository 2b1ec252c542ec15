"""The two services under a real systemd, shut as their units say: they start, carry a call, and come back, each alone.

Counterparts: `setup/systemd.sh` and `setup/systemd/`; `tests/test_units.py` only reads them.
"""

import time
from collections.abc import Iterator

import pytest

from gateway.settings import PROJECT
from tests.container.machine import Machine, machine, open_home, show, why_not

ASTERISK, GATEWAY = SERVICES = ("gateway112-asterisk", "gateway112")
USER = "gateway112"
BACK_WITHIN_S = 20.0

pytestmark = [
    pytest.mark.container,
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]


@pytest.fixture(scope="module")
def on() -> Iterator[Machine]:
    """A machine where both were set up and started as docs/operations.md says."""
    with machine() as own:
        open_home(own)
        show(own, SERVICES)
        own(PROJECT / "setup/systemd.sh", timeout_s=150)
        own("systemctl", "start", *SERVICES, timeout_s=180)
        yield own


def command(on: Machine, *words: str) -> str:
    """What `gateway112 WORDS` says, called by root as cron does, with next to nothing in its environment, and in a
    folder that is root's alone."""
    return on("env", "-i", "-C", "/root", "PATH=/usr/bin:/bin", "/usr/local/bin/gateway112", *words, timeout_s=90)


def pid(on: Machine, service: str) -> int:
    """Its first process; 0 where it does not run."""
    return int(on("systemctl", "show", "--property=MainPID", "--value", service))


def of_process(on: Machine, service: str) -> list[str]:
    """Its user and how it is scheduled."""
    return on("ps", "-o", "user:20=,class=", "-p", str(pid(on, service))).split()


def back(on: Machine, service: str, *, after: int) -> int:
    """Its first process, once there is another one and it has said that it is ready."""
    until_s = time.monotonic() + BACK_WITHIN_S
    while time.monotonic() < until_s:
        found = pid(on, service)
        is_active = on("systemctl", "is-active", service, is_checked=False) == "active"
        if found not in (0, after) and is_active:
            return found
        time.sleep(0.2)
    raise AssertionError(on("journalctl", "--no-pager", "--lines=40", f"--unit={service}"))


def test_shut_as_they_are_they_carry_a_call_from_the_invite_to_its_sealed_recording(on: Machine) -> None:
    assert "112 works" in command(on, "probe")
    until_s = time.monotonic() + BACK_WITHIN_S
    while "sealed" not in (told := command(on, "recording", "list")):
        assert time.monotonic() < until_s, told
        time.sleep(0.5)
    assert of_process(on, GATEWAY) == [USER, "TS"]
    # calls come first, and each in its turn: an ordinary user, and a real-time priority where a machine may give that
    [may_have] = on("sh", "-c", "chrt --rr 1 true && echo RR || echo TS").split()
    assert of_process(on, ASTERISK) == [USER, may_have]


def test_each_one_that_is_killed_is_started_again_and_the_other_is_not_touched(on: Machine) -> None:
    asterisk, gateway = pid(on, ASTERISK), pid(on, GATEWAY)
    on("kill", "-9", str(gateway))
    gateway = back(on, GATEWAY, after=gateway)
    assert pid(on, ASTERISK) == asterisk
    on("kill", "-9", str(asterisk))
    back(on, ASTERISK, after=asterisk)
    assert pid(on, GATEWAY) == gateway


def test_a_reload_keeps_the_gateway_and_a_restart_replaces_it_alone(on: Machine) -> None:
    asterisk, gateway = pid(on, ASTERISK), pid(on, GATEWAY)
    on("systemctl", "reload", GATEWAY)
    assert pid(on, GATEWAY) == gateway
    on("systemctl", "restart", GATEWAY)
    assert pid(on, GATEWAY) not in (0, gateway)
    assert pid(on, ASTERISK) == asterisk


def test_stopped_they_end_by_themselves_and_leave_nothing(on: Machine) -> None:
    on("systemctl", "stop", *SERVICES)
    for service in SERVICES:
        assert on("systemctl", "show", "--property=Result,ActiveState", service).split() == [
            "Result=success",
            "ActiveState=inactive",
        ]
    assert on("pgrep", "-u", USER, is_checked=False) == ""
