"""Service levels and last calls, counted by the database: each in one statement, on an index."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.call import PROBE_TRUNK, Call, Outcome, Stage
from gateway.domain.change import Change
from gateway.domain.picture import ServiceLevel
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from gateway.store.tables import calls
from tests.store.plans import asked, plan_of
from tests.store.values import NOON, a_call

NOW = NOON + timedelta(hours=1)
WITHIN_S = {"emergency": 15, "fire": 5}


def came(number: int, wait_s: float | None = None, **fields: Any) -> Call:
    """A call to the queue `emergency`, `number` seconds after noon. With `wait_s` an operator answered it after so
    long."""
    arrived_at = NOON + timedelta(seconds=number)
    if wait_s is not None:
        fields |= {"answered_at": arrived_at + timedelta(seconds=wait_s), "operator": "1001", "stage": Stage.TALKING}
    return a_call(number, **{"queue": "emergency"} | fields)


def left(number: int, after_s: float, outcome: Outcome = Outcome.ABANDONED, **fields: Any) -> Call:
    """A call that ended so long after it came, without an operator."""
    ended_at = NOON + timedelta(seconds=number + after_s)
    return came(number, stage=Stage.ENDED, outcome=outcome, ended_at=ended_at, **fields)


async def store(repository: Repository, *there: Call) -> None:
    await repository.commit(Change(calls=there))


async def test_a_call_counts_as_answered_in_time_late_or_not_at_all(repository: Repository, reads: Reads) -> None:
    await store(
        repository,
        came(1, 3.0),
        came(2, 15.0),
        came(3, 15.001),
        came(4, 200.0, stage=Stage.ENDED, ended_at=NOW, outcome=Outcome.ANSWERED),
        left(5, 2),
        left(6, 90, Outcome.FAILED),
        left(7, 90, Outcome.FELL_BACK, relieved_by="08123", answered_at=NOON + timedelta(seconds=8)),
        came(8, queue="fire", wait_s=6.0),
        came(9, queue="fire", wait_s=4.5),
        came(10, 8.0, relieved_by="08123"),  # an agency was first, and an operator came later
    )
    assert await reads.levels.service_levels(NOON, NOW, WITHIN_S) == {
        "emergency": ServiceLevel(offered=8, answered=5, in_time=2),
        "fire": ServiceLevel(offered=2, answered=2, in_time=1),
    }


async def test_a_caller_who_waits_counts_once_the_time_is_over(repository: Repository, reads: Reads) -> None:
    await store(repository, came(0), came(0, id="other", queue="fire"))

    async def offered(seconds: float) -> dict[str, int]:
        found = await reads.levels.service_levels(NOON, NOON + timedelta(seconds=seconds), WITHIN_S)
        return {queue: level.offered for queue, level in found.items()}

    assert await offered(5) == {}
    assert await offered(5.001) == {"fire": 1}
    assert await offered(15.001) == {"emergency": 1, "fire": 1}


async def test_what_does_not_count_does_not_count(repository: Repository, reads: Reads) -> None:
    await store(
        repository,
        left(1, 90, trunk=PROBE_TRUNK),
        left(2, 90, queue=None),
        left(3, 90, queue="of the past"),
        left(4, 90),
        left(5, 90),
    )
    since = NOON + timedelta(seconds=5)
    assert await reads.levels.service_levels(since, NOW, WITHIN_S) == {"emergency": ServiceLevel(1, 0, 0)}
    assert await reads.levels.service_levels(NOON, NOW, {"fire": 5}) == {}
    assert await reads.levels.service_levels(NOON, NOW, {}) == {}


outcomes = st.one_of(
    st.integers(0, 40_000).map(lambda ms: ("answered", ms)),
    st.integers(0, 40_000).map(lambda ms: ("left", ms)),
    st.just(("waits", 0)),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["emergency", "fire"]), outcomes), max_size=12))
async def test_both_databases_count_as_the_rule_says(
    engine: AsyncEngine, repository: Repository, reads: Reads, given: list[tuple[int, str, tuple[str, int]]]
) -> None:
    async with engine.begin() as connection:
        await connection.execute(delete(calls))
    there = []
    for place, (second, queue, (what, ms)) in enumerate(given):
        fields: dict[str, Any] = {"id": f"c{place}", "queue": queue}
        if what == "answered":
            there.append(came(second, ms / 1000, **fields))
        elif what == "left":
            there.append(left(second, ms / 1000, **fields))
        else:
            there.append(came(second, **fields))
    await store(repository, *there)
    now = NOON + timedelta(seconds=60)
    expected: dict[str, ServiceLevel] = {}
    for queue, limit_s in WITHIN_S.items():
        of_queue = [call for call in there if call.queue == queue]
        answered = [call.wait_s for call in of_queue if call.operator]
        offered = [
            call
            for call in of_queue
            if call.operator or call.ended_at or (now - call.arrived_at).total_seconds() > limit_s
        ]
        if offered:
            in_time = sum(wait_s is not None and wait_s <= limit_s for wait_s in answered)
            expected[queue] = ServiceLevel(len(offered), len(answered), in_time)
    assert await reads.levels.service_levels(NOON, now, WITHIN_S) == expected


async def test_each_trunks_last_call_is_told(repository: Repository, reads: Reads) -> None:
    await store(repository, a_call(1), a_call(9), a_call(5), a_call(3, trunk="indosat"), a_call(4, trunk="telkom"))
    assert await reads.levels.last_calls(["telkomsel", "indosat", "xlsmart"]) == {
        "telkomsel": NOON + timedelta(seconds=9),
        "indosat": NOON + timedelta(seconds=3),
    }
    assert await reads.levels.last_calls([]) == {}


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda reads: reads.levels.service_levels(NOON, NOW, WITHIN_S), "ix_calls_arrived_at_id"),
        (lambda reads: reads.levels.last_calls(["telkomsel", "indosat"]), "ix_calls_trunk_arrived_at_id_caller"),
    ],
    ids=["service_levels", "last_calls"],
)
async def test_each_is_one_statement_on_an_index(
    engine: AsyncEngine,
    repository: Repository,
    reads: Reads,
    ask: Callable[[Reads], Awaitable[object]],
    index: str,
) -> None:
    await store(repository, *(came(number, 3.0) for number in range(30)))
    with asked(engine) as statements:
        await ask(reads)
    [(statement, parameters)] = [each for each in statements if not each[0].startswith(("BEGIN", "PRAGMA"))]
    words = await plan_of(engine, statement, parameters)
    assert index in words, words
