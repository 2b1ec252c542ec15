"""Long work is done apart, one piece at a time, and not any number of it waits."""

import asyncio
import threading
from datetime import timedelta

import pytest

from gateway.api.apart import WAITING_AT_MOST, apart
from gateway.api.problems import Problem
from tests.api.house import START, House, until


async def test_long_work_is_done_one_piece_at_a_time_and_too_much_of_it_is_refused() -> None:
    at_once, most, ends = 0, 0, threading.Event()

    def work() -> int:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        ends.wait(20)
        at_once -= 1
        return 1

    works = [asyncio.create_task(apart(work)) for _ in range(WAITING_AT_MOST)]
    await until(lambda: at_once == 1)
    with pytest.raises(Problem) as refused:
        await apart(work)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "5")
    ends.set()
    assert await asyncio.gather(*works) == [1] * WAITING_AT_MOST
    assert most == 1
    assert await apart(lambda: "and again") == "and again"


async def test_whoever_asks_for_many_calendars_at_once_keeps_nobody_elses_lists_waiting(house: House) -> None:
    ends = threading.Event()
    held = asyncio.create_task(apart(ends.wait, 20))
    try:
        days = f"from={START:%Y-%m-%d}&to={START + timedelta(days=90):%Y-%m-%d}"
        asked = [asyncio.create_task(house.get(f"/v1/roster.ics?{days}")) for _ in range(WAITING_AT_MOST + 4)]
        async with asyncio.timeout(10):
            assert (await house.get("/v1/calls")).status == 200
            refused, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result().status for task in refused} == {503}
    finally:
        ends.set()
    assert sorted({(await task).status for task in asked}) == [200, 503]
    await held
