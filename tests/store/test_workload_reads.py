"""Calls are counted by queue and half hour, the same on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.domain.call import PROBE_TRUNK, Call
from gateway.domain.change import Change
from gateway.domain.workload import Arrivals
from gateway.store import workload_reads
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.store.values import a_call

TEN = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
FIRST, LAST = TEN - timedelta(days=2), TEN + timedelta(days=2)


def came(number: int, at: datetime, talk_s: float | None = None, **fields: Any) -> Call:
    """A call for `emergency`; answered after 10 s and talked on for so long, or never answered."""
    known: dict[str, Any] = {"arrived_at": at, "queue": "emergency", "ended_at": at + timedelta(seconds=40)}
    if talk_s is not None:
        answered_at = at + timedelta(seconds=10)
        known |= {"answered_at": answered_at, "ended_at": answered_at + timedelta(seconds=talk_s), "cause": 16}
    return a_call(number, **known | fields)


async def arrivals(
    repository: Repository, reads: Reads, *calls: Call, since: datetime = FIRST, until: datetime = LAST
) -> list[Arrivals]:
    await repository.open_calls()
    await repository.commit(Change(calls=calls))
    found = await reads.workload.arrivals(since, until)
    return sorted(found, key=lambda each: (each.at, each.queue))


async def test_calls_are_counted_by_queue_and_half_hour_and_talks_are_added_up(
    repository: Repository, reads: Reads
) -> None:
    found = await arrivals(
        repository,
        reads,
        came(1, TEN, talk_s=60.5),
        came(2, TEN + timedelta(minutes=12), talk_s=120.25),
        came(3, TEN + timedelta(minutes=20)),
        came(4, TEN + HALF_HOUR, talk_s=30),
        came(5, TEN, queue="fire"),
    )
    assert found == [
        Arrivals("emergency", TEN, 3, 2, pytest.approx(180.75, abs=0.01)),
        Arrivals("fire", TEN, 1, 0, 0.0),
        Arrivals("emergency", TEN + HALF_HOUR, 1, 1, pytest.approx(30, abs=0.01)),
    ]


@pytest.mark.parametrize(
    ("offset", "half_hour"),
    [
        (timedelta(0), TEN),
        (timedelta(minutes=29, seconds=59, microseconds=999_999), TEN),
        (timedelta(minutes=30), TEN + HALF_HOUR),
        (timedelta(microseconds=-1), TEN - HALF_HOUR),
    ],
    ids=["at its start", "at its very end", "at the next one's start", "just before"],
)
async def test_a_call_belongs_to_its_half_hour_to_the_microsecond(
    repository: Repository, reads: Reads, offset: timedelta, half_hour: datetime
) -> None:
    [found] = await arrivals(repository, reads, came(1, TEN + offset))
    assert (found.at, found.calls) == (half_hour, 1)


async def test_probes_and_calls_that_came_to_no_queue_are_nobodys_work(repository: Repository, reads: Reads) -> None:
    found = await arrivals(
        repository, reads, came(1, TEN, trunk=PROBE_TRUNK), came(2, TEN, queue=None), came(3, TEN, trunk="indosat")
    )
    assert [(each.queue, each.calls) for each in found] == [("emergency", 1)]


async def test_a_talk_of_which_nobody_saw_the_end_has_no_length_and_is_an_arrival(
    repository: Repository, reads: Reads
) -> None:
    found = await arrivals(
        repository,
        reads,
        came(1, TEN, talk_s=60),
        came(2, TEN, talk_s=9000, cause=None),
        came(3, TEN, answered_at=TEN + timedelta(seconds=5), ended_at=None),
        came(4, TEN, answered_at=TEN + timedelta(seconds=5), ended_at=TEN + timedelta(seconds=5), cause=16),
    )
    assert found == [Arrivals("emergency", TEN, 4, 1, pytest.approx(60, abs=0.01))]


async def test_only_the_time_that_is_asked_for_counts_its_first_moment_too(
    repository: Repository, reads: Reads
) -> None:
    calls = [came(number, TEN + number * HALF_HOUR) for number in range(-2, 4)]
    found = await arrivals(repository, reads, *calls, since=TEN, until=TEN + 2 * HALF_HOUR)
    assert [each.at for each in found] == [TEN, TEN + HALF_HOUR]
    assert await reads.workload.arrivals(TEN, TEN) == []


async def test_many_weeks_are_read_piece_by_piece_and_no_call_is_counted_twice_or_left_out(
    repository: Repository, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workload_reads, "AT_ONCE", timedelta(hours=5))
    times = [TEN + timedelta(hours=number) for number in range(24)]
    found = await arrivals(repository, reads, *(came(number, at) for number, at in enumerate(times)), since=TEN)
    assert [(each.at, each.calls) for each in found] == [(at, 1) for at in times]


async def test_an_empty_history_is_empty(reads: Reads) -> None:
    assert await reads.workload.arrivals(FIRST, LAST) == []
