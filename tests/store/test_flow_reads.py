"""What the watch over floods and silences asks of the history: the same of both databases, each on an index."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.call import PROBE_TRUNK, Outcome
from gateway.domain.change import Change
from gateway.domain.flow import Arrival
from gateway.domain.habits import HourOfTrunk, ProbeCall
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.store.plans import asked, plan_of
from tests.store.values import NOON, a_call, ended

HOUR = timedelta(hours=1)
TEN = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


async def test_the_latest_calls_are_told_oldest_first_the_probes_too(repository: Repository, reads: Reads) -> None:
    there = [a_call(3, caller="0811"), a_call(1), a_call(2, trunk=PROBE_TRUNK), a_call(4, trunk="indosat")]
    await repository.commit(Change(calls=tuple(there)))
    assert await reads.flow.arrivals(NOON + timedelta(seconds=2), 9) == [
        Arrival("112-2", PROBE_TRUNK, "08122", NOON + timedelta(seconds=2)),
        Arrival("112-3", "telkomsel", "0811", NOON + timedelta(seconds=3)),
        Arrival("112-4", "indosat", "08124", NOON + timedelta(seconds=4)),
    ]
    assert [each.call_id for each in await reads.flow.arrivals(NOON, 2)] == ["112-3", "112-4"]
    assert await reads.flow.arrivals(NOON + HOUR, 2) == []


@pytest.mark.parametrize(
    ("offset", "hour"),
    [
        (timedelta(0), TEN),
        (HOUR - timedelta(microseconds=1), TEN),
        (HOUR, TEN + HOUR),
        (-timedelta(microseconds=1), TEN - HOUR),
    ],
    ids=["at its start", "at its very end", "at the next one's start", "just before"],
)
async def test_a_call_belongs_to_its_hour_to_the_microsecond(
    repository: Repository, reads: Reads, offset: timedelta, hour: datetime
) -> None:
    await repository.commit(Change(calls=(a_call(1, arrived_at=TEN + offset),)))
    assert await reads.flow.hours("telkomsel", TEN - HOUR, TEN + 2 * HOUR) == [HourOfTrunk(hour, 1)]


async def test_the_hours_of_one_trunk_are_counted_within_their_bounds(repository: Repository, reads: Reads) -> None:
    times = [TEN - timedelta(seconds=1), TEN, TEN + timedelta(minutes=59), TEN + 3 * HOUR, TEN + 4 * HOUR]
    there = [a_call(number, arrived_at=at) for number, at in enumerate(times)]
    await repository.commit(Change(calls=(*there, a_call(9, arrived_at=TEN, trunk="indosat"))))
    found = sorted(await reads.flow.hours("telkomsel", TEN, TEN + 4 * HOUR), key=lambda each: each.at)
    assert found == [HourOfTrunk(TEN, 2), HourOfTrunk(TEN + 3 * HOUR, 1)]
    assert await reads.flow.hours("xlsmart", TEN, TEN + 4 * HOUR) == []


async def test_it_is_told_how_often_numbers_called(repository: Repository, reads: Reads) -> None:
    there = [a_call(number, caller=f"081{number % 3}") for number in range(10)]
    await repository.commit(Change(calls=tuple(there)))
    until = NOON + timedelta(seconds=9)
    assert await reads.flow.counts(["0810", "0812", "0819"], NOON, until) == {"0810": 3, "0812": 3}
    assert await reads.flow.counts([], NOON, until) == {}


async def test_the_latest_test_calls_are_told_with_what_became_of_them(repository: Repository, reads: Reads) -> None:
    there = [
        ended(1, trunk=PROBE_TRUNK),
        ended(2, Outcome.ABANDONED, trunk=PROBE_TRUNK),
        ended(3),
        a_call(4, trunk=PROBE_TRUNK),
    ]
    await repository.commit(Change(calls=tuple(there)))
    found = [
        ProbeCall(NOON + timedelta(seconds=2), Outcome.ABANDONED),
        ProbeCall(NOON + timedelta(seconds=4), None),
    ]
    assert await reads.flow.probes(NOON, 2) == found
    assert await reads.flow.probes(NOON + timedelta(seconds=2), 9) == found


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda flow: flow.arrivals(NOON, 9), "ix_calls_arrived_at_id"),
        (lambda flow: flow.hours("t1", NOON, NOON + HOUR), "ix_calls_trunk_arrived_at_id_caller"),
        (lambda flow: flow.counts(["08121", "08122"], NOON - 672 * HOUR, NOON + HOUR), "ix_calls_caller_arrived_at_id"),
        (lambda flow: flow.probes(NOON, 9), "ix_calls_trunk_arrived_at_id_caller"),
    ],
    ids=["arrivals", "hours", "counts", "probes"],
)
async def test_each_is_one_statement_on_an_index(
    engine: AsyncEngine,
    repository: Repository,
    reads: Reads,
    ask: Callable[[Any], Awaitable[object]],
    index: str,
) -> None:
    there = [a_call(number, trunk=f"t{number % 30}") for number in range(300)]
    await repository.commit(Change(calls=tuple(there)))
    with asked(engine) as statements:
        await ask(reads.flow)
    [(statement, parameters)] = [each for each in statements if not each[0].startswith(("BEGIN", "PRAGMA"))]
    words = await plan_of(engine, statement, parameters, first="ANALYZE calls")  # by what is known of the values
    assert index in words, words
