"""What is stored of the gateway's sight: until when it saw, and the times in which it did not."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.call import PROBE_TRUNK, Outcome
from gateway.domain.change import Change
from gateway.domain.sight import BlindTime, Why
from gateway.ports import BlindTotal
from gateway.store.repository import Repository
from gateway.store.sight_reads import StoredSight
from tests.store.values import NOON, a_call, ended


def a_time(why: Why, seconds: float, calls: int, *untold: str) -> BlindTime:
    until = NOON + timedelta(seconds=seconds)
    return BlindTime(why, "a reason", NOON, until, seconds, calls, 1, untold)


async def test_until_when_it_saw_is_the_later_of_its_own_word_and_the_newest_event(
    engine: AsyncEngine, repository: Repository
) -> None:
    sight = StoredSight(engine)
    assert await sight.seen_at() is None
    await repository.commit(Change(seen_at=NOON))
    await repository.commit(Change(seen_at=NOON + timedelta(seconds=2)))
    assert await sight.seen_at() == await sight.stored_at() == NOON + timedelta(seconds=2)
    over = a_time(Why.DOWN, 90.5, 3)
    await repository.commit(Change(events=(over.event,)))
    assert await sight.seen_at() == over.until
    assert await sight.stored_at() == NOON + timedelta(seconds=2)


async def test_blind_times_come_back_as_they_were_and_add_up_by_reason(
    engine: AsyncEngine, repository: Repository
) -> None:
    sight = StoredSight(engine)
    assert (await sight.last(), await sight.totals()) == (None, [])
    times = (a_time(Why.DOWN, 90.5, 3), a_time(Why.JOURNAL, 8, 2, "112-9.1"), a_time(Why.DOWN, 4, 0))
    for each in times:
        await repository.commit(Change(blind_times=(each,)))
        assert await sight.last() == each
    totals = sorted(await sight.totals(), key=lambda total: total.why)
    assert totals == [BlindTotal(Why.DOWN, 2, 94.5, 3), BlindTotal(Why.JOURNAL, 1, 8.0, 2)]


async def test_the_calls_of_a_time_are_those_that_went_on_in_it(engine: AsyncEngine, repository: Repository) -> None:
    """One came each second; the second one was over after a minute."""
    calls = (a_call(1), ended(2, Outcome.ANSWERED), a_call(3), a_call(4, trunk=PROBE_TRUNK))
    await repository.commit(Change(calls=calls))
    sight = StoredSight(engine)

    async def between(since_s: float, until_s: float) -> tuple[int, int]:
        return await sight.calls_in(NOON + timedelta(seconds=since_s), NOON + timedelta(seconds=until_s))

    assert await between(0, 10) == (3, 3)
    assert await between(2.5, 10) == (3, 1)
    assert await between(62, 90) == (2, 0)
    assert await between(-90, 1) == (0, 0)
