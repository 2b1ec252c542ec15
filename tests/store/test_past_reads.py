"""What is known of a number when it calls, and of the calls of some days: the same on both databases."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.advice_rules import Arrival, Condition, Effect, Past, PastCall, in_order
from gateway.domain.blocks import Block
from gateway.domain.call import PROBE_TRUNK, Outcome
from gateway.domain.callbacks import State
from gateway.domain.change import Change
from gateway.domain.dispositions import Category, Disposition
from gateway.domain.dry_run import dry_run, look_back
from gateway.domain.facts import Side
from gateway.domain.numbers import one_spelling, spellings
from gateway.domain.reputation import REMEMBERED, SAID_AT_MOST, reputation
from gateway.store import history_reads
from gateway.store.database import writing
from gateway.store.past_reads import StoredPast
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from gateway.store.tables import callbacks, dispositions
from tests.domain.test_advice_rules import first_rules, rule
from tests.store.values import NOON, a_call, disposed, ended

CALLER = "08123456789"
WINDOWS = frozenset({(1, True), (1, False), (60, False)})


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


async def put(engine: AsyncEngine, table: Any, *rows: dict[str, Any]) -> None:
    def store(connection: Connection) -> None:
        connection.execute(insert(table), list(rows))

    async with writing(engine) as connection:
        await connection.run_sync(store)


def said(call_id: str, at: datetime, disposition: Disposition = Disposition.PRANK, caller: str = CALLER) -> Any:
    return {
        **{"call_id": call_id, "caller": caller, "disposition": disposition, "category": None, "note": ""},
        **{"operator_id": 1, "set_by": "Siti", "set_at": at},
    }


def waiting(number: str, opened_at: datetime, closed_at: datetime | None = None) -> Any:
    return {
        **{"version": 1, "number": number, "trunk": "telkom", "state": State.OPEN, "opened_at": opened_at},
        **{"first_due_at": opened_at, "is_calling": False},
        **{"due_at": opened_at, "tries": [], "try_count": 1, "last_try_at": opened_at, "dials": []},
        **{"closed_at": closed_at, "closed_by": "", "reason": ""},
    }


@pytest.fixture
def past(engine: AsyncEngine) -> StoredPast:
    return StoredPast(engine)


async def test_of_a_number_that_never_called_nothing_is_known(past: StoredPast) -> None:
    found = await past.past(Arrival("112-1", "telkom", CALLER, NOON), NOON, WINDOWS)
    assert found == Past(calls=[], sayings=[], numbers=dict.fromkeys(WINDOWS, 1))


async def test_a_number_is_known_by_its_last_calls_its_callback_and_what_was_said_of_it(
    engine: AsyncEngine, repository: Repository, past: StoredPast
) -> None:
    its_own = [
        ended(number, caller=CALLER, answered_at=after(number + 30), hung_up_by=Side.CALLER) for number in range(5)
    ]
    arriving = a_call(100, caller=CALLER)
    await repository.commit(Change(calls=(*its_own, arriving, ended(50, outcome=Outcome.CANCELLED, caller="0811"))))
    await put(engine, callbacks, waiting(CALLER, NOON))
    await put(
        engine,
        dispositions,
        said("112-1", after(10)),
        said("112-2", after(20), Disposition.EMERGENCY),
        said("112-x", after(30), caller="0811"),
        said("112-0", after(100) - REMEMBERED - timedelta(seconds=1)),
    )
    found = await past.past(Arrival(arriving.id, "telkomsel", CALLER, after(100)), after(2), WINDOWS)
    assert found.calls == [
        PastCall(f"112-{number}", after(number), after(number + 30), after(number + 60), Outcome.ANSWERED, Side.CALLER)
        for number in (4, 3, 2)
    ]
    assert found.has_open_callback
    assert sorted(
        (each.call_id, each.disposition, each.said_by, each.arrived_at, each.said_at) for each in found.sayings
    ) == [("112-1", "prank", "Siti", after(10), after(10)), ("112-2", "emergency", "Siti", after(20), after(20))]
    assert found.numbers == {(1, True): 2, (1, False): 2, (60, False): 2}


async def test_a_closed_callback_is_none_and_only_the_newest_sayings_are_looked_at(
    engine: AsyncEngine, past: StoredPast
) -> None:
    await put(engine, callbacks, waiting(CALLER, NOON, after(1)), waiting("0811", NOON))
    await put(engine, dispositions, *(said(f"112-{number}", after(number)) for number in range(SAID_AT_MOST + 3)))
    found = await past.past(Arrival("112-1", "telkom", CALLER, after(100)), NOON, WINDOWS)
    assert not found.has_open_callback
    assert min(each.said_at for each in found.sayings) == after(3)


async def test_what_was_said_stands_at_the_time_of_its_call(
    repository: Repository, past: StoredPast, reads: Reads
) -> None:
    """A prank of ten days ago is said to be one only now, after an emergency that came yesterday."""
    old, real = ended(-864_000, caller=CALLER), ended(-86_400, caller=CALLER)
    said_now = disposed(old, Disposition.PRANK, set_at=after(60))
    said_then = disposed(real, Disposition.EMERGENCY, category=Category.FIRE)
    await repository.commit(Change(calls=(old, real, ended(0, caller=CALLER)), dispositions=(said_now, said_then)))
    wanted = [(old.id, old.arrived_at, after(60)), (real.id, real.arrived_at, said_then.set_at)]

    found = await past.past(Arrival("112-1", "telkomsel", CALLER, after(100)), NOON, WINDOWS)
    of_number = await reads.histories.sayings(CALLER, NOON - REMEMBERED)
    history = await reads.histories.history(old.arrived_at, after(100), 10, look_back=timedelta())

    assert reputation(found.sayings, after(100)).score == 0
    for sayings in (found.sayings, of_number):
        assert [(each.call_id, each.arrived_at, each.said_at) for each in sayings] == wanted
    # a dry run knows of each what was said by then
    assert [each.said_at for each in history.sayings.get(CALLER, ())] == [said_then.set_at]


async def test_a_number_with_separators_has_its_callback_and_phones_without_a_sim_have_none(
    engine: AsyncEngine, repository: Repository, past: StoredPast, reads: Reads
) -> None:
    written = "0812-345.6789"
    calls = (ended(1, caller=written), ended(2, caller="112"), ended(3, caller="0000000000"))
    await repository.commit(Change(calls=calls))
    await put(engine, callbacks, *(waiting(number, NOON) for number in (CALLER, "112", "0000000000")))
    await put(engine, dispositions, said("112-8", NOON, caller="112"), said("112-9", NOON, caller="0000000000"))
    of_caller = await past.past(Arrival("112-4", "telkomsel", written, after(60)), NOON, WINDOWS)
    assert (of_caller.has_open_callback, [each.call_id for each in of_caller.calls]) == (True, ["112-1"])
    for caller in ("112", "0000000000"):
        found = await past.past(Arrival("112-4", "telkomsel", caller, after(60)), NOON, WINDOWS)
        assert (found.calls, found.sayings, found.has_open_callback) == ([], [], False)
    history = await reads.histories.history(NOON, after(60), 10, look_back=timedelta())
    rules = [rule(Condition.OPEN_CALLBACK, Effect.EARLIER, id=1)]
    assert dry_run(rules, history, NOON).rules[1].matched == 1


async def test_a_number_is_known_by_what_came_of_it_in_another_spelling_and_by_where_that_came_in(
    engine: AsyncEngine, repository: Repository, past: StoredPast, reads: Reads
) -> None:
    other = "+628123456789"
    prank = ended(1, caller=other, trunk="xlsmart")
    change = Change(calls=(prank, ended(100, caller=CALLER)), dispositions=(disposed(prank, Disposition.PRANK),))
    await repository.commit(change)
    await put(engine, callbacks, waiting(other, NOON))
    for caller in (CALLER, other, "628123456789", "+62812.345-6789"):
        found = await past.past(Arrival("112-9", "telkomsel", caller, after(200)), NOON, WINDOWS)
        assert ([each.call_id for each in found.calls], found.has_open_callback) == (["112-100", "112-1"], True)
        assert [(each.call_id, each.trunk) for each in found.sayings] == [("112-1", "xlsmart")]
        assert await reads.histories.sayings(caller, NOON - REMEMBERED) == found.sayings
        assert await reads.histories.open_callback(caller) is not None
    history = await reads.histories.history(NOON, after(200), 10, look_back=timedelta())
    assert [each.trunk for each in history.sayings[CALLER]] == ["xlsmart"]
    rules = [rule(Condition.TRIED_AGAIN, Effect.EARLIER, within_min=5, id=1)]
    assert dry_run(rules, history, NOON).rules[1].matched == 1


@pytest.mark.parametrize("caller", [CALLER, "+62812-345.6789", "628123456789", "+1415555.2671"])
@pytest.mark.parametrize("place", range(3))
async def test_a_dry_run_knows_what_came_of_a_number_in_a_spelling_that_did_not_call_on_its_days(
    engine: AsyncEngine, repository: Repository, past: StoredPast, reads: Reads, caller: str, place: int
) -> None:
    other = spellings(caller)[place % len(spellings(caller))]
    await repository.commit(Change(calls=(ended(100, caller=caller),)))
    await put(engine, callbacks, waiting(other, NOON))
    await put(engine, dispositions, said("112-1", NOON, caller=other))
    found = await past.past(Arrival("112-100", "telkomsel", caller, after(100)), NOON, WINDOWS)
    history = await reads.histories.history(after(50), after(200), 10, look_back=timedelta())
    assert (found.has_open_callback, [each.call_id for each in found.sayings]) == (True, ["112-1"])
    assert [each.call_id for each in history.sayings[one_spelling(caller)]] == ["112-1"]
    assert history.callbacks[one_spelling(caller)] == [(NOON, None)]


async def test_different_numbers_are_counted_by_trunk_and_over_all_but_the_probes(
    repository: Repository, past: StoredPast
) -> None:
    await repository.commit(
        Change(
            calls=(
                a_call(0, caller="1110"),
                *(a_call(number, caller=f"111{number % 2}") for number in range(60, 64)),
                a_call(65, caller="1112", trunk="telkom"),
                a_call(66, caller="1113", trunk=PROBE_TRUNK),
                a_call(67, caller=CALLER),
            )
        )
    )
    found = await past.past(Arrival("112-67", "telkomsel", CALLER, after(90)), NOON, WINDOWS)
    assert found.numbers == {(1, True): 3, (1, False): 4, (60, False): 4}


async def test_of_a_withheld_number_nothing_but_the_crowd_is_known(
    engine: AsyncEngine, repository: Repository, past: StoredPast
) -> None:
    await repository.commit(Change(calls=(ended(1, outcome=Outcome.CANCELLED, caller="anonymous"),)))
    await put(engine, dispositions, said("112-1", after(10), caller="anonymous"))
    found = await past.past(Arrival("112-2", "telkomsel", "anonymous", after(60)), NOON, WINDOWS)
    assert (found.calls, found.sayings, found.has_open_callback) == ([], [], False)


async def test_a_dry_run_says_of_past_calls_what_the_advice_would_have_said(
    engine: AsyncEngine, repository: Repository, reads: Reads
) -> None:
    """One caller is cut and calls twice again; one has played pranks; one waits for a callback."""
    rules = in_order(
        [rule(each.condition, each.effect, **_parameters(each), id=n) for n, each in enumerate(first_rules(NOON), 1)]
    )
    await repository.commit(
        Change(
            calls=(
                ended(0, outcome=Outcome.CANCELLED, caller=CALLER),
                ended(120, caller=CALLER, answered_at=after(150), operator="1001"),
                ended(300, caller=CALLER, answered_at=after(310)),
                ended(400, caller="0899", answered_at=after(410)),
                ended(500, caller="0877", answered_at=after(510), geolocation="<cid:x>"),
                ended(550, caller="0878", answered_at=after(560), geolocation="nowhere"),
                ended(600, caller="0866", answered_at=after(610)),
                ended(700, caller="anonymous", outcome=Outcome.ABANDONED),
                ended(760, caller="anonymous", trunk=PROBE_TRUNK),
                ended(800, caller="anonymous"),
            )
        )
    )
    await put(engine, callbacks, waiting("0866", after(100)), waiting("0899", after(100), after(200)))
    await put(
        engine,
        dispositions,
        *(said(f"p{number}", after(-3600 * (1 + number)), caller="0899") for number in range(3)),
        *(said(f"q{number}", after(650 + number), caller="0866") for number in range(3)),
    )
    history = await reads.histories.history(after(60), after(900), 1000, look_back=look_back(rules))
    found = dry_run(rules, history, after(60))
    assert found.calls == 8
    assert {effect and effect.value: count for effect, count in found.effects.items()} == {
        "first": 1,
        "earlier": 2,
        "later": 1,
        None: 4,
    }
    assert [(count.matched, count.decided) for count in found.rules.values()] == [
        (1, 1),
        (1, 1),
        (1, 1),
        (1, 0),
        (0, 0),
        (1, 1),
    ]
    assert [example.caller for example in found.rules[1].examples] == [CALLER]
    assert [example.caller for example in found.rules[6].examples] == ["0899"]
    # each of them alone, as the advice would have seen it then
    assert len((await reads.histories.history(NOON, after(900), 4, look_back=timedelta())).calls) == 4


async def test_the_calls_before_a_dry_run_have_a_limit_of_their_own(
    repository: Repository, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_reads, "EARLIER_AT_MOST", 3)
    await repository.commit(Change(calls=tuple(ended(number) for number in range(8))))
    history = await reads.histories.history(after(5), after(60), 2, look_back=timedelta(minutes=1))
    assert [call.arrival.call_id for call in history.calls] == ["112-2", "112-3", "112-4", "112-5", "112-6"]


def _parameters(given: Any) -> dict[str, Any]:
    names = ("within_min", "least_numbers", "is_by_trunk", "least_score")
    return {"place": given.place, **{name: getattr(given, name) for name in names}}


async def test_only_blocks_that_are_in_force_are_read(repository: Repository) -> None:
    [stays, *_] = (
        await repository.commit(
            Change(
                kept=(
                    Block(number="0811", reason="x", until=after(60), created_at=NOON),
                    Block(number="0812", reason="x", until=after(10), created_at=NOON),
                    Block(number="0813", reason="x", until=after(90_000), created_at=NOON),  # a clock that was ahead
                )
            )
        )
    ).kept
    assert await repository.blocks(after(10)) == [stays]
    assert await repository.blocks(after(60)) == []
