"""Log lines: for people and for machines, each with the id of the call that it concerns."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator

import pytest

from gateway import logs
from gateway.logs import about

log = logging.getLogger("gateway.test")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    return lambda: capsys.readouterr().err.splitlines()


def test_a_line_for_people_has_its_time_in_utc_its_name_and_what_identifies_it(lines: Callable[[], list[str]]) -> None:
    logs.set_up()
    log.warning("advice_missed", extra={"call": "112-1.1", "reason": "no answer in time"})
    [line] = lines()
    at, rest = line.split(" ", 1)
    assert at.endswith("Z")
    assert rest == "warning advice_missed call=112-1.1 reason='no answer in time'"


def test_a_line_for_people_holds_nothing_that_a_terminal_obeys_or_shows_as_another_line(
    lines: Callable[[], list[str]],
) -> None:
    logs.set_up()
    log.warning("file_set_aside", extra={"file": "a\x1b]0;x\x07\x9b31m", "folder": "b\u2028c", "about": "d\x85e\x0bf"})
    [line] = lines()
    assert line.isprintable()
    assert line.endswith(r"file='a\x1b]0;x\x07\x9b31m' folder='b\u2028c' about='d\x85e\x0bf'")


def test_a_line_for_machines_is_one_object_whatever_is_in_it(lines: Callable[[], list[str]]) -> None:
    logs.set_up("json")
    try:
        int("what\nelse")
    except ValueError:
        log.exception("fact_not_taken", extra={"call": "112-1.1", "count": 3, "event": 'a "b"\nc', "of": {1}})
    [line] = lines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["logger"]) == ("fact_not_taken", "error", "gateway.test")
    assert (told["call"], told["count"], told["event_"], told["of"]) == ("112-1.1", 3, 'a "b"\nc', "{1}")
    assert "ValueError: invalid literal" in told["exception"]


def test_lines_below_the_level_are_left_out(lines: Callable[[], list[str]]) -> None:
    logs.set_up("text", "warning")
    log.info("vault_worker_started")
    log.warning("vault_worker_ended")
    [line] = lines()
    assert "vault_worker_ended" in line


async def test_whatever_is_logged_about_a_call_has_its_id_and_what_runs_beside_it_has_not(
    lines: Callable[[], list[str]],
) -> None:
    logs.set_up()

    async def deep(name: str) -> None:
        await asyncio.sleep(0)
        log.info(name)
        await asyncio.to_thread(log.info, f"{name}_elsewhere")

    async def work(call_id: str) -> None:
        with about(call_id):
            await deep("asked")

    await asyncio.gather(work("112-1.1"), work("112-2.1"), deep("beside"))
    with about("112-3.1"):
        with about(None):
            log.info("around")
        log.info("own", extra={"call": "112-4.1"})
    log.info("after")
    told = sorted(line.split(" ", 2)[2] for line in lines())
    assert told == [
        "after",
        "around call=112-3.1",
        "asked call=112-1.1",
        "asked call=112-2.1",
        "asked_elsewhere call=112-1.1",
        "asked_elsewhere call=112-2.1",
        "beside",
        "beside_elsewhere",
        "own call=112-4.1",
    ]
