"""When Asterisk is looked at: at a login, a touch, a boundary of the roster, a leap of the clock, and now and then."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from gateway import keeper as keepers
from gateway.keeper import Keeper
from gateway.ports import StoreAway, SwitchboardAway
from tests.domain.values import MONDAY, local
from tests.told import Clock


@dataclass
class ToldLevel:
    """Counts the looks; `failure` is what a look raises."""

    looks: int = 0
    holds_until: object = None
    is_behind: bool = False
    failure: Exception | None = None

    async def look(self) -> None:
        self.looks += 1
        if self.failure:
            raise self.failure


@dataclass
class Kept:
    """A keeper that runs, and what it calls."""

    keeper: Keeper
    level: ToldLevel
    clock: Clock
    settled: list[int] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)
    ticks: int = 0
    defect: Exception | None = None
    """What the watch raises."""


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.001)


@pytest.fixture
async def kept(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kept]:
    monkeypatch.setattr(keepers, "TICK_S", 0.005)
    monkeypatch.setattr(keepers, "GATHER_S", 0.0)
    level, clock = ToldLevel(), Clock(MONDAY)
    there: Kept

    async def settle() -> None:
        there.settled.append(level.looks)

    async def resume() -> None:
        there.resumed.append(level.looks)

    async def watch(now: object) -> None:
        there.ticks += 1
        if there.defect:
            raise there.defect

    keeper = Keeper(
        level=level,  # type: ignore[arg-type]
        settle=settle,
        resume=resume,
        is_drained=lambda: True,
        watch=watch,
        clock=clock,
    )
    there = Kept(keeper, level, clock)
    running = asyncio.create_task(keeper.run())
    yield there
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def quiet(kept: Kept) -> int:
    """How many looks there were, once some ticks brought no more."""
    looks = -1
    while looks != kept.level.looks:
        looks, ticks = kept.level.looks, kept.ticks
        await until(lambda before=ticks: kept.ticks > before + 5)  # type: ignore[misc]
    return looks


async def test_after_the_first_look_nothing_happens_until_there_is_a_reason(kept: Kept) -> None:
    assert await quiet(kept) == 1
    assert kept.settled == [1]


async def test_calls_are_ended_only_where_the_journal_was_read_to_its_end(kept: Kept) -> None:
    """What is not read yet may say how a call ended."""
    await quiet(kept)
    kept.level.is_behind = True
    settled = list(kept.settled)
    kept.keeper.touch()
    await quiet(kept)
    assert kept.settled == settled


async def test_a_touch_and_a_login_are_looked_at(kept: Kept) -> None:
    looks = await quiet(kept)
    kept.keeper.touch()
    await until(lambda: kept.level.looks == looks + 1)
    kept.keeper.come_up()
    await until(lambda: kept.level.looks == looks + 2)


async def test_a_boundary_of_the_roster_is_looked_at_when_the_wall_clock_reaches_it(kept: Kept) -> None:
    kept.level.holds_until = local(6)
    looks = await quiet(kept)
    kept.clock.at = local(5.99)
    assert await quiet(kept) == looks
    kept.clock.at = local(6)
    kept.level.holds_until = local(14)
    kept.clock.at = local(14)
    await until(lambda: kept.level.looks > looks)


async def test_a_clock_that_leaps_either_way_is_looked_at(kept: Kept) -> None:
    kept.level.holds_until = local(6)
    looks = await quiet(kept)
    kept.clock.at = local(-3)
    await until(lambda: kept.level.looks == looks + 1)
    assert await quiet(kept) == looks + 1
    kept.clock.at = local(30)
    await until(lambda: kept.level.looks > looks + 1)


async def test_while_asterisk_is_away_it_is_not_asked_over_and_over(kept: Kept) -> None:
    await quiet(kept)
    kept.level.failure = SwitchboardAway("nobody listens")
    kept.keeper.touch()
    looks = await quiet(kept)
    kept.level.holds_until = kept.clock.at - timedelta(hours=1) if kept.clock.at else None
    assert await quiet(kept) == looks
    kept.level.failure, kept.level.holds_until = None, None
    kept.keeper.come_up()
    await until(lambda: kept.level.looks == looks + 1)


async def test_after_the_store_was_away_the_stored_state_is_taken_up_again(kept: Kept) -> None:
    await quiet(kept)
    kept.level.failure = StoreAway("locked")
    kept.keeper.touch()
    await until(lambda: len(kept.resumed) == 1)
    assert kept.ticks > 0


async def test_a_defect_of_the_watch_is_logged_once_and_ends_nothing(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    looks = await quiet(kept)
    kept.defect = ZeroDivisionError("an alarm divides by nothing")
    await until(lambda: kept.ticks > 10)
    ticks = kept.ticks
    kept.keeper.touch()
    await until(lambda: kept.level.looks == looks + 1 and kept.ticks > ticks + 5)
    [told] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert told.message == "watch_broken"
    assert "an alarm divides by nothing" in caplog.text
    kept.defect = None
    assert await quiet(kept) == looks + 1


async def test_a_defect_of_a_look_is_logged_once_and_ends_nothing(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    await quiet(kept)
    kept.level.failure = ZeroDivisionError("a trunk without an address")
    for _ in range(2):
        looks, ticks = kept.level.looks, kept.ticks
        kept.keeper.touch()
        await until(lambda before=looks: kept.level.looks == before + 1)  # type: ignore[misc]
        await until(lambda before=ticks: kept.ticks > before + 5)  # type: ignore[misc]
    [told] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert told.message == "look_broken"
    assert "a trunk without an address" in caplog.text
    kept.level.failure = None
    kept.keeper.touch()
    looks = kept.level.looks
    await until(lambda: kept.level.looks == looks + 1)


async def test_a_look_that_left_the_members_alone_is_followed_soon_by_another(kept: Kept) -> None:
    await until(lambda: kept.level.looks >= 1)
    kept.level.is_behind = True
    kept.keeper.touch()
    looks = kept.level.looks
    await until(lambda: kept.level.looks > looks)
    looks = kept.level.looks
    await until(lambda: kept.level.looks > looks)
