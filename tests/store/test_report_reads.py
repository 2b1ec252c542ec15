"""A report's counts: the database's are those that go through call by call comes to, on both databases."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.call import PROBE_TRUNK, Call, Outcome, Stage
from gateway.domain.callbacks import State
from gateway.domain.change import Change
from gateway.domain.dispositions import MINISTRY_KINDS, Disposition
from gateway.domain.report_groups import By, Stint, Wanted, pieces, spans
from gateway.domain.reports import CallbackCount, Figures, Key, Share, report
from gateway.store.database import writing
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from gateway.store.tables import callbacks, calls, dispositions
from tests.store.plans import asked, plan_of
from tests.store.values import a_call

BERLIN, JAKARTA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Jakarta")
FIRST, LAST = date(2026, 10, 24), date(2026, 10, 26)
"""In the night to the 25th Berlin's clocks go back."""
FROM = datetime(2026, 10, 23, 20, 0, tzinfo=UTC)
NOW = datetime(2026, 10, 27, 0, 0, tzinfo=UTC)
STINTS = (
    Stint(1, FROM, datetime(2026, 10, 25, 3, 30, tzinfo=UTC), 0),
    Stint(1, datetime(2026, 10, 25, 3, 30, tzinfo=UTC), NOW, 1),
    Stint(2, datetime(2026, 10, 25, 0, 0, 0, 1, tzinfo=UTC), NOW, 1),
)


@dataclass(frozen=True)
class Given:
    """A call, what somebody said it was, and a callback that was opened when it came."""

    call: Call
    disposition: Disposition | None = None
    callback: dict[str, Any] | None = None


@st.composite
def any_given(draw: st.DrawFn) -> Given:
    arrived_at = FROM + draw(
        st.timedeltas(timedelta(0), timedelta(days=4))
        | st.integers(0, 96 * 4).map(lambda quarters: timedelta(minutes=15 * quarters))
    )
    wait = draw(
        st.timedeltas(timedelta(0), timedelta(seconds=90))
        | st.sampled_from([5, 10, 15, 20, 60]).map(lambda limit_s: timedelta(seconds=limit_s))
        | st.sampled_from([5, 10, 15, 20, 60]).map(lambda limit_s: timedelta(seconds=limit_s, microseconds=1))
    )
    fields: dict[str, Any] = {
        "arrived_at": arrived_at,
        "trunk": draw(st.sampled_from(["telkomsel", "indosat", PROBE_TRUNK])),
        "queue": draw(st.sampled_from(["emergency", "fire", None])),
    }
    what = draw(st.sampled_from([*Outcome, "relieved", "talking", "relief", "waiting", "waiting again"]))
    if what in (Outcome.ANSWERED, "talking"):
        fields |= {"answered_at": arrived_at + wait, "operator": "1001", "stage": Stage.TALKING}
        fields["operator_id"] = draw(st.sampled_from([1, 2, None]))
        # the agency was first
        fields["relieved_by"] = draw(st.sampled_from([None, None, "08123"]))
    elif what in ("relieved", "relief"):
        fields |= {"answered_at": arrived_at + wait, "relieved_by": "08123", "stage": Stage.TALKING}
    if what == "waiting":
        fields["arrived_at"] = NOW - wait
    elif what == "waiting again":
        fields |= {"arrived_at": NOW - wait, "answered_at": NOW - wait / 2, "relieved_by": "08123"}
        fields["stage"] = draw(st.sampled_from([Stage.QUEUED, Stage.FALLBACK]))
    elif what not in ("talking", "relief"):
        outcome = Outcome.FELL_BACK if what == "relieved" else what
        fields |= {"outcome": outcome, "stage": Stage.ENDED, "ended_at": arrived_at + wait + timedelta(seconds=9)}
    disposition = draw(st.none() | st.sampled_from(Disposition)) if what != "waiting" else None
    callback = None
    if draw(st.booleans()):
        due_at = arrived_at + timedelta(minutes=10)
        dialled_at = draw(st.sampled_from([None, due_at, due_at + timedelta(microseconds=1), due_at - timedelta(1)]))
        state = draw(st.sampled_from(State))
        closed_at = None if state in (State.OPEN, State.CLAIMED) else due_at
        callback = {"opened_at": arrived_at, "first_due_at": due_at, "first_dialled_at": dialled_at, "state": state}
        callback |= {"closed_at": closed_at, "trunk": fields["trunk"]}
        if draw(st.booleans()):
            callback |= {"first_due_at": NOW + timedelta(days=1)}
    return Given(a_call(0, **fields), disposition, callback)


async def fill(engine: AsyncEngine, repository: Repository, there: Sequence[Given]) -> None:
    async with writing(engine) as connection:
        for table in (calls, dispositions, callbacks):
            await connection.execute(delete(table))
    await repository.commit(Change(calls=tuple(each.call for each in there)))
    async with writing(engine) as connection:
        for place, each in enumerate(there):
            if each.disposition is not None:
                await connection.execute(insert(dispositions).values(**disposed(each.call, each.disposition)))
            if each.callback is not None:
                await connection.execute(insert(callbacks).values(**task(place, each.callback)))


def disposed(call: Call, disposition: Disposition) -> dict[str, Any]:
    return {
        **{"call_id": call.id, "caller": call.caller, "disposition": disposition, "note": "", "set_by": "Siti"},
        "set_at": call.arrived_at + timedelta(minutes=2),
    }


def task(number: int, fields: dict[str, Any]) -> dict[str, Any]:
    return {
        **{"version": 1, "number": f"0812{number}", "tries": [], "try_count": 1, "dials": [], "is_calling": False},
        "due_at": NOW,  # the clock of today says nothing of the first one
        **{"closed_by": "", "reason": "", "last_try_at": fields["opened_at"], **fields},
    }


# ---------------------------------------------------------------- the same, call by call


def hour_of(at: datetime, zone: ZoneInfo) -> int:
    """The start of the hour by the zone's clock, of the two that there may be the one that `at` is in."""
    there = at.astimezone(zone)
    return int(there.replace(minute=0, second=0, microsecond=0, fold=there.fold).timestamp())


def key_of(by: By, at: datetime, zone: ZoneInfo, call: Call | None) -> Key:
    there = at.astimezone(zone)
    match by:
        case By.HOUR:
            return hour_of(at, zone)
        case By.DAY:
            return (there.date() - date(1970, 1, 1)).days
        case By.MONTH:
            return there.year * 12 + there.month - 1
        case By.HOUR_OF_DAY:
            return there.hour
    if by is By.NONE or call is None:
        return 0
    if by is By.SHIFT:
        return next(
            (
                s.place
                for s in STINTS
                if s.operator_id == call.operator_id and call.answered_at and s.since <= call.answered_at < s.until
            ),
            None,
        )
    own: dict[By, Key] = {By.QUEUE: call.queue, By.TRUNK: call.trunk, By.OPERATOR: call.operator_id}
    return own[by]


def naive(there: Sequence[Given], of_callbacks: Iterable[dict[str, Any]] | None) -> dict[str, Any]:
    """The figures of those calls, by the definitions."""
    came = [each.call for each in there]
    waiting = [call for call in came if waits_now(call)]
    decided = [call for call in came if not waits_now(call)]
    answered = [call for call in decided if call.operator]
    first = [call for call in answered if not call.relieved_by]
    waits = sorted((waited(call) for call in first), reverse=True)
    slowest = waits[: math.ceil(len(waits) / 10)]
    were = Counter(each.disposition for each in there if each.disposition and not waits_now(each.call))
    false = were[Disposition.PRANK] + were[Disposition.GHOST]
    within = []
    for limit_s in (5, 10, 15, 20, 60):
        limit = timedelta(seconds=limit_s)
        in_time = [call for call in first if call.answered_at and call.answered_at - call.arrived_at <= limit]
        late = [call for call in waiting if (NOW - call.arrived_at).total_seconds() > limit_s]
        within.append((limit_s, len(in_time), len(decided) + len(late)))
    tasks = None if of_callbacks is None else list(of_callbacks)
    return {
        "calls": len(came),
        "presented": len(decided),
        "answered": len(answered),
        "relieved": sum(call.answered_at is not None and not call.operator for call in decided),
        "going_on": sum(call.outcome is None for call in decided),
        "outcomes": {outcome: sum(call.outcome is outcome for call in came) for outcome in Outcome},
        "within": within,
        "mean_s": sum(waits) / len(waits) / 10 if waits else None,
        "slowest": (len(slowest), sum(slowest) / len(slowest) / 10 if slowest else None),
        "false": (false, sum(were.values()), len(decided)),
        "kinds": Counter(MINISTRY_KINDS[each] for each in were.elements()),
        "callbacks": None if tasks is None else naive_callbacks(tasks),
    }


def waits_now(call: Call) -> bool:
    """Whether it goes on and nobody has answered it, or the agency that did has left it."""
    is_left = not call.operator and call.stage in (Stage.QUEUED, Stage.FALLBACK)
    return not call.ended_at and (not call.answered_at or is_left)


def waited(call: Call) -> int:
    """Tenths of a second, rounded up."""
    assert call.answered_at
    return -((call.arrived_at - call.answered_at) // timedelta(milliseconds=100))


def naive_callbacks(tasks: Sequence[dict[str, Any]]) -> tuple[int, ...]:
    to_make = [
        each
        for each in tasks
        if each["first_dialled_at"]
        or not (each["state"] is State.GOT_THROUGH or (each["closed_at"] is None and each["first_due_at"] >= NOW))
    ]
    in_time = [each for each in tasks if each["first_dialled_at"] and each["first_dialled_at"] <= each["first_due_at"]]
    states = Counter(each["state"] for each in tasks)
    closed = (states[State.REACHED], states[State.GIVEN_UP], states[State.GOT_THROUGH])
    return len(tasks), len(to_make), len(in_time), *closed


def told(figures: Figures) -> dict[str, Any]:
    """The report's figures in the same form."""
    waits, callbacks = figures.waits, figures.callbacks
    assert figures.presented == figures.going_on + sum(figures.outcomes.values())
    return {
        "calls": figures.calls,
        "presented": figures.presented,
        "answered": figures.answered.count,
        "relieved": figures.relieved.count,
        "going_on": figures.going_on,
        "outcomes": dict(figures.outcomes),
        "within": [(each.limit_s, each.share.count, each.share.of) for each in figures.within],
        "mean_s": waits.mean_s,
        "slowest": (waits.slowest, waits.slowest_mean_s),
        "false": (figures.false_of_disposed.count, figures.false_of_disposed.of, figures.false_of_presented.of),
        "kinds": +Counter(figures.kinds),
        "callbacks": None if callbacks is None else numbers(callbacks),
    }


def numbers(count: CallbackCount) -> tuple[int, ...]:
    return count.opened, count.to_make, count.in_time, count.reached, count.given_up, count.got_through


@settings(
    max_examples=15,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    there=st.lists(any_given(), max_size=30),
    zone=st.sampled_from([BERLIN, JAKARTA]),
    queue=st.sampled_from([None, None, "fire"]),
    trunk=st.sampled_from([None, None, "indosat"]),
)
async def test_both_databases_count_what_going_through_the_calls_one_by_one_comes_to(
    engine: AsyncEngine,
    repository: Repository,
    reads: Reads,
    there: list[Given],
    zone: ZoneInfo,
    queue: str | None,
    trunk: str | None,
) -> None:
    there = [replace(each, call=replace(each.call, id=f"c{place}")) for place, each in enumerate(there)]
    await fill(engine, repository, there)
    counted = [
        each
        for each in there
        if each.call.trunk not in (PROBE_TRUNK, *({"telkomsel", "indosat"} - {trunk} if trunk else ()))
        and (queue is None or each.call.queue == queue)
        and FIRST <= each.call.arrived_at.astimezone(zone).date() <= LAST
    ]
    tasks = [
        each.callback
        for each in there
        if each.callback
        and each.callback["trunk"] not in (PROBE_TRUNK, *({"telkomsel", "indosat"} - {trunk} if trunk else ()))
        and FIRST <= each.callback["opened_at"].astimezone(zone).date() <= LAST
    ]
    for by in By:
        wanted = Wanted(by, pieces(by, FIRST, LAST, zone), queue, trunk, STINTS if by is By.SHIFT else ())
        found = report(await reads.reports.counts(wanted, NOW), [span.key for span in spans(by, FIRST, LAST, zone)])

        assert told(found.total) == naive(counted, None if queue else tasks), by
        of_group: dict[Key, list[Given]] = {key: [] for key, _ in found.groups}
        for each in counted:
            of_group[key_of(by, each.call.arrived_at, zone, each.call)].append(each)
        are_apart = not queue and by not in (By.QUEUE, By.OPERATOR, By.SHIFT)
        for key, figures in found.groups:
            own = [each for each in tasks if (each["trunk"] if by is By.TRUNK else _time_key(by, each, zone)) == key]
            assert told(figures) == naive(of_group[key], own if are_apart else None), (by, key)


def _time_key(by: By, task: dict[str, Any], zone: ZoneInfo) -> Key:
    return key_of(by, task["opened_at"], zone, None)


# ---------------------------------------------------------------- by hand


def answered(name: str, at: datetime, wait_s: float, **fields: Any) -> Call:
    known: dict[str, Any] = {
        **{"id": name, "arrived_at": at, "answered_at": at + timedelta(seconds=wait_s), "operator": "1001"},
        **{"outcome": Outcome.ANSWERED, "stage": Stage.ENDED, "ended_at": at + timedelta(hours=1)},
    }
    return a_call(0, **known | fields)


async def test_sqlite_counts_week_by_week_and_all_is_told_together(
    engine: AsyncEngine, repository: Repository, reads: Reads
) -> None:
    there = [answered(f"c{day}", FROM + timedelta(days=day, hours=12), 4.0) for day in range(1, 29)]
    await repository.commit(Change(calls=tuple(there)))
    wanted = Wanted(By.HOUR_OF_DAY, pieces(By.HOUR_OF_DAY, FIRST, FIRST + timedelta(days=29), JAKARTA))
    counts = await reads.reports.counts(wanted, NOW)
    found = report(counts)
    assert len(counts) == (1 if engine.dialect.name == "postgresql" else 5)
    assert [(key, figures.presented) for key, figures in found.groups] == [(15, 28)]
    assert found.total.waits.mean_s == 4.0


async def test_a_clock_that_was_set_back_makes_no_wait_shorter_than_none(repository: Repository, reads: Reads) -> None:
    await repository.commit(Change(calls=(answered("a", FROM + timedelta(hours=5), -3.0),)))
    found = report(await reads.reports.counts(Wanted(By.NONE, pieces(By.NONE, FIRST, LAST, JAKARTA)), NOW))
    assert (found.total.waits.mean_s, found.total.within[0].share) == (0.0, Share(1, 1))


async def test_a_call_that_waited_over_a_shift_change_is_of_the_shift_that_answered_it(
    repository: Repository, reads: Reads
) -> None:
    """And so is one that came in the last minute of the days that are asked for."""
    change, midnight = FROM + timedelta(hours=9), FROM + timedelta(days=2, hours=21)
    night, morning, next_night = (Stint(1, FROM, change, 0), Stint(2, change, NOW, 1), Stint(3, midnight, NOW, 2))
    there = [
        answered("a", change - timedelta(seconds=60), 120.0, operator_id=2),
        answered("b", change - timedelta(seconds=60), 30.0, operator_id=1),
        answered("c", midnight - timedelta(seconds=60), 120.0, operator_id=3),
    ]
    await repository.commit(Change(calls=tuple(there)))
    wanted = Wanted(By.SHIFT, pieces(By.SHIFT, FIRST, LAST, JAKARTA), stints=(night, morning, next_night))
    assert wanted.pieces[-1].until == midnight
    found = report(await reads.reports.counts(wanted, NOW))
    assert [(key, figures.presented) for key, figures in found.groups] == [(0, 1), (1, 1), (2, 1)]


async def test_whom_an_agency_answered_first_no_operator_answered_after_its_wait(
    repository: Repository, reads: Reads
) -> None:
    begins = FROM + timedelta(hours=5)
    both = answered("a", begins, 8.0, relieved_by="08123")
    running = answered("b", begins, 8.0, relieved_by="08123", outcome=None, ended_at=None, stage=Stage.TALKING)
    await repository.commit(Change(calls=(both, running, answered("c", begins, 4.0))))
    wanted = Wanted(By.NONE, pieces(By.NONE, FIRST, LAST, JAKARTA))
    total = report(await reads.reports.counts(wanted, NOW)).total
    assert (total.answered, total.relieved, total.going_on) == (Share(3, 3), Share(0, 3), 1)
    assert {each.limit_s: each.share for each in total.within}[10] == Share(1, 3)
    assert (total.waits.count, total.waits.mean_s) == (1, 4.0)


async def test_a_caller_whom_an_agency_left_waits_again(repository: Repository, reads: Reads) -> None:
    begins = NOW - timedelta(seconds=30)
    left = {"answered_at": begins + timedelta(seconds=8), "relieved_by": "08123", "arrived_at": begins}
    there = (a_call(1, **left, stage=Stage.TALKING), a_call(2, **left, stage=Stage.QUEUED))
    await repository.commit(Change(calls=there))
    wanted = Wanted(By.NONE, pieces(By.NONE, FIRST, LAST + timedelta(days=2), JAKARTA))
    total = report(await reads.reports.counts(wanted, NOW)).total
    assert (total.calls, total.waiting, total.relieved) == (2, 1, Share(1, 1))
    assert {each.limit_s: each.share.of for each in total.within} == {5: 2, 10: 2, 15: 2, 20: 2, 60: 1}


async def test_the_centres_first_call_is_not_its_own_test_call(repository: Repository, reads: Reads) -> None:
    assert await reads.reports.first_arrival() is None
    first, later = a_call(1), a_call(2)
    test_call = replace(a_call(3), trunk=PROBE_TRUNK, arrived_at=first.arrived_at - timedelta(days=1))
    await repository.commit(Change(calls=(later, test_call, first)))
    assert await reads.reports.first_arrival() == first.arrived_at


async def test_a_roster_of_thousands_of_stints_is_one_value(repository: Repository, reads: Reads) -> None:
    begins = FROM + timedelta(hours=5)
    many = tuple(Stint(number, begins, begins + timedelta(hours=8), number % 90) for number in range(1, 20_001))
    await repository.commit(Change(calls=(answered("a", begins, 1.0, operator_id=19_999),)))
    wanted = Wanted(By.SHIFT, pieces(By.SHIFT, FIRST, LAST, JAKARTA), stints=many)
    found = report(await reads.reports.counts(wanted, NOW))
    assert [(key, figures.presented) for key, figures in found.groups] == [(19_999 % 90, 1)]


async def test_no_report_goes_through_the_calls_themselves(
    engine: AsyncEngine, repository: Repository, reads: Reads
) -> None:
    """Those that are over are read from the report's index alone, those that go on are found in theirs."""
    await repository.commit(
        Change(calls=tuple(answered(f"c{number}", FROM + timedelta(hours=5), 3.0) for number in range(30)))
    )
    with asked(engine) as statements:
        await reads.reports.counts(Wanted(By.DAY, pieces(By.DAY, FIRST, LAST, BERLIN)), NOW)
    counting = [each for each in statements if " calls" in each[0] and each[0].lstrip().startswith(("SELECT", "WITH"))]
    assert len(counting) == 2
    is_sqlite = engine.dialect.name == "sqlite"
    over = (
        "calls USING COVERING INDEX ix_calls_report" if is_sqlite else "Index Only Scan using ix_calls_report on calls"
    )
    for statement, parameters in counting:
        words = await plan_of(engine, statement, parameters, without=("seqscan", "bitmapscan", "indexscan"))
        assert over in words, words
        if is_sqlite:
            assert "ix_calls_running" in words, words
            assert "ix_calls_arrived_at_id" not in words, words
