"""The pulse: what keeps a gateway alive, and what has its manager start another one."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.ports import StoreAway
from gateway.pulse import LOOK_S, SHUT_OUT_S, STILL_S, Pulse
from gateway.systemd import Manager


class Inside:
    """A gateway's inside, as the pulse sees it."""

    def __init__(self, manager: Manager | None = None) -> None:
        self.now_s = 1000.0
        self.turned_s = 1000.0
        self.newest = 0
        self.is_told = True
        self.is_answered = self.is_answered_anew = True
        self.pulse = Pulse(
            manager or Manager(),
            is_told=lambda: self.is_told,
            turned_s=lambda: self.turned_s,
            newest=lambda: self.newest,
            ask=lambda: self._ask(self.is_answered),
            ask_anew=lambda: self._ask(self.is_answered_anew),
            words=lambda: "Asterisk is up; 3 calls",
            clock_s=lambda: self.now_s,
        )

    async def _ask(self, is_answered: bool) -> None:
        if not is_answered:
            raise StoreAway("all connections to the database are in use")


async def test_a_gateway_that_reads_and_stores_is_well() -> None:
    assert await Inside().pulse.problem() == ""


async def test_a_reader_that_does_not_come_round_is_broken_until_it_does() -> None:
    inside = Inside()
    inside.now_s += STILL_S + 1
    assert await inside.pulse.problem() == "the journal's reader has not come round for 21 s"
    inside.turned_s = inside.now_s
    assert await inside.pulse.problem() == ""


async def test_a_database_that_is_away_for_everybody_is_no_reason_to_start_anew() -> None:
    inside = Inside()
    inside.is_answered = inside.is_answered_anew = False
    for _ in range(100):
        inside.now_s = inside.turned_s = inside.now_s + 10
        assert await inside.pulse.problem() == ""


async def test_a_reader_that_stands_in_line_for_a_database_that_is_away_is_no_reason_to_start_anew() -> None:
    """What waits for the store takes turns, each for seconds: a new start would find no store either, and no board."""
    inside = Inside()
    inside.is_answered = inside.is_answered_anew = False
    for _ in range(20):
        inside.now_s += 10
        assert await inside.pulse.problem() == ""
    inside.is_answered = inside.is_answered_anew = True
    assert await inside.pulse.problem() == "the journal's reader has not come round for 200 s"


async def test_a_gateway_that_alone_is_shut_out_of_the_store_is_broken_after_a_while() -> None:
    inside = Inside()
    inside.is_answered = False
    assert await inside.pulse.problem() == ""
    inside.now_s = inside.turned_s = inside.now_s + SHUT_OUT_S
    said = "the store answers others, and not this gateway: all connections to the database are in use"
    assert await inside.pulse.problem() == said
    inside.is_answered = True
    assert await inside.pulse.problem() == ""


async def test_a_gateway_that_goes_on_storing_is_busy_and_not_shut_out() -> None:
    inside = Inside()
    inside.is_answered = False
    for _ in range(20):
        inside.now_s = inside.turned_s = inside.now_s + 10
        inside.newest += 1
        assert await inside.pulse.problem() == ""


async def test_a_store_that_is_long_in_not_answering_makes_no_beat_late(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, slept = Inside(Manager(watchdog_s=30.0)), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        inside.now_s += seconds
        if len(slept) == 3:
            raise asyncio.CancelledError

    async def ask(is_answered: bool) -> None:
        inside.now_s += 7  # both ways: half of what the manager waits
        raise StoreAway("the database did not answer within 5 s")

    monkeypatch.setattr(inside, "_ask", ask)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await inside.pulse.run()
    assert slept == [LOOK_S] * 3, "14 s after the last beat, and not 24 of 30"


@contextmanager
def listening(folder: Path) -> Iterator[socket.socket]:
    """A manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(5)
        yield manager


async def test_it_is_ready_only_once_all_that_was_written_before_is_told(tmp_path: Path) -> None:
    with listening(tmp_path) as heard:
        inside = Inside(Manager(str(tmp_path / "notify"), watchdog_s=0.03))
        inside.is_told = False
        beating = asyncio.create_task(inside.pulse.run())
        try:
            await asyncio.sleep(0.1)
            assert heard.recv(200) == b"EXTEND_TIMEOUT_USEC=60000000"
            assert heard.recv(200) == b"STATUS=reads what the journal holds"
            inside.is_told = True
            await asyncio.sleep(0.1)
            told = [heard.recv(200) for _ in range(5)]
            well = [b"WATCHDOG=1", b"STATUS=Asterisk is up; 3 calls"]
            assert told == [b"READY=1", *well, *well]
        finally:
            beating.cancel()


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_manager_is_the_one_that_the_environment_names_and_no_other_program_hears_of_it(
    environ: dict[str, str], watchdog_s: float | None
) -> None:
    environ = {**environ, "NOTIFY_SOCKET": "@name", "PATH": "/bin"}
    assert Manager.of(environ).watchdog_s == watchdog_s
    assert environ == {"PATH": "/bin"}


def test_a_manager_that_is_not_there_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manager = Manager(str(tmp_path / "nobody"))
    manager.ready()
    manager.well()
    assert [record.message for record in caplog.records] == ["manager_not_told"]
