"""Tasks open and close with the ends of calls, in one transaction; operators take them and dial."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.call import Outcome
from gateway.domain.callbacks import Callback, Flock, OutOfTurn, State, Try, Update, Why
from gateway.domain.change import Change
from gateway.domain.facts import (
    CallerLeft,
    DialFact,
    DialResult,
    DialStep,
    Entered,
    Fact,
    LegConnected,
    LegRung,
    Queued,
    Side,
    TrunkAnswered,
)
from gateway.domain.kept import Unfitting
from gateway.domain.operators import Operator
from gateway.ports import Refused, Stale, StoreAway, SwitchboardAway, Unknown
from gateway.store.callback_reads import CallbackFilter
from gateway.store.reads import Reads
from tests.domain.values import local
from tests.services.conftest import ANI
from tests.services.test_centre import told
from tests.services.test_office import hired
from tests.services.test_watch import after, alarms, away, events, rules
from tests.told import Services

NUMBER = "0811222333"


def allow(_: Callback) -> None:
    """Everybody may."""


def unheard(call_id: str, hour: float = 7, caller: str = NUMBER, trunk: str = "telkomsel") -> list[Fact]:
    """A caller who hung up in the queue, a minute after the hour."""
    at = local(hour)
    return [
        Entered(call_id, at, trunk, caller),
        TrunkAnswered(call_id, at + timedelta(seconds=1)),
        CallerLeft(call_id, at + timedelta(minutes=1), 16, Side.CALLER),
    ]


def heard(call_id: str, hour: float = 7, caller: str = NUMBER, trunk: str = "telkomsel") -> list[Fact]:
    at = local(hour)
    return [
        Entered(call_id, at, trunk, caller),
        TrunkAnswered(call_id, at + timedelta(seconds=1)),
        Queued(call_id, at + timedelta(seconds=2), "emergency", 0, 1),
        LegRung(call_id, at + timedelta(seconds=3), "leg", "1001"),
        LegConnected(call_id, at + timedelta(seconds=5), "leg", "1001"),
        CallerLeft(call_id, at + timedelta(minutes=1), 16, Side.CALLER),
    ]


async def newest(services: Services) -> Callback:
    reads = Reads(services.store._engine)
    found, _ = await reads.callbacks.page(CallbackFilter(), after=None, limit=1)
    return found[0]


async def dialled(services: Services, hour: float = 7) -> tuple[Operator, str]:
    """A task whose number, which tried at that hour, Siti dials, and that dial's id."""
    siti = await hired(services)
    await told(services, *unheard("112-1", hour))
    task = await services.callbacks.dial((await newest(services)).id, siti.id, ANI, None)
    assert task.dialling is not None
    return siti, task.dialling


def step(services: Services, dial_id: str, step: DialStep, second: int = 0, **result: DialResult) -> DialFact:
    return DialFact(dial_id, services.clock() + timedelta(seconds=second), step, **result)


async def test_three_tries_in_one_reading_are_one_task_and_the_next_unheard_call_another(services: Services) -> None:
    await hired(services)
    await told(services, *unheard("112-1", 7), *unheard("112-2", 7.1), *heard("112-3", 7.2), *unheard("112-4", 7.3))
    fresh = await newest(services)
    first = await services.store.callback(fresh.id - 1)
    assert first is not None
    assert (first.state, first.try_count, first.closed_by) == (State.GOT_THROUGH, 3, "Petugas 1001")
    assert (fresh.state, fresh.try_count, fresh.tries[0].call_id) == (State.OPEN, 1, "112-4")
    assert await events(services, "callback") == [
        *("callback.opened", "callback.tried_again", "callback.got_through", "callback.opened"),
    ]
    assert fresh.due_at == local(7.3) + timedelta(minutes=11)


async def test_a_caller_whose_number_is_written_otherwise_has_one_task_and_is_heard(services: Services) -> None:
    await hired(services)
    await told(services, *unheard("112-1"), *unheard("112-2", 7.1, caller="+62811222333"))
    joined = await newest(services)
    assert (joined.number, joined.try_count) == (NUMBER, 2)
    await told(services, *unheard("112-3", 7.2, caller="62811222333"), *heard("112-4", 7.3, caller="+62811222333"))
    over = await newest(services)
    assert (over.id, over.state, over.try_count) == (joined.id, State.GOT_THROUGH, 4)
    reads = Reads(services.store._engine)
    assert await reads.callbacks.count(CallbackFilter(number="62811222333")) == 1


async def test_of_two_old_tasks_for_spellings_of_one_number_the_callers_own_is_followed_first(
    services: Services,
) -> None:
    for number in (NUMBER, "+62811222333"):
        old = Callback(
            number=number,
            trunk="telkomsel",
            opened_at=local(6),
            due_at=local(6.2),
            first_due_at=local(6.2),
            tries=(Try("112-0", local(6), Why.ABANDONED, "telkomsel"),),
            try_count=1,
            last_try_at=local(6),
        )
        await services.store.commit(Change(callbacks=(Update(old),)))
    await services.centre.resume()
    await told(services, *heard("112-1", caller="+62811222333"))
    [left] = await services.store.open_callbacks([NUMBER, "+62811222333"])
    assert (left.number, left.try_count) == (NUMBER, 1)
    await told(services, *unheard("112-2", 7.1, caller="+62811222333"))
    [left] = await services.store.open_callbacks([NUMBER, "+62811222333"])
    assert (left.number, left.try_count) == (NUMBER, 2)


async def test_a_task_is_joined_over_readings_and_a_target_that_changed_holds_for_what_comes_then(
    services: Services,
) -> None:
    await told(services, *unheard("112-1"))
    await rules(services, callback_target_min=3)
    await told(services, *unheard("112-2", 7.1), *unheard("112-3", 7.1, caller="0822222333"))
    [joined] = await services.store.open_callbacks([NUMBER])
    [fresh] = await services.store.open_callbacks(["0822222333"])
    assert (joined.try_count, joined.due_at) == (2, local(7.1) + timedelta(minutes=4))
    assert joined.first_due_at == local(7) + timedelta(minutes=11)
    assert fresh.due_at == local(7.1) + timedelta(minutes=4)


async def test_the_end_of_a_call_and_its_task_are_stored_together_or_not_at_all(services: Services) -> None:
    await told(services, *unheard("112-1"))
    with away(services.store, "open_callbacks"), pytest.raises(StoreAway):
        await told(services, *unheard("112-2", 7.1))
    assert not await services.store.has_call("112-2")
    await told(services, *unheard("112-2", 7.1))
    assert [each.call_id for each in (await newest(services)).tries] == ["112-1", "112-2"]


async def test_only_of_numbers_that_have_a_task_the_store_is_asked(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.centre.resume()
    with away(services.store, "open_callbacks"):
        await told(services, *heard("112-1"), *unheard("112-2", 7.1, caller="0822222333"))
    await told(services, *heard("112-3", 7.2, caller="0822222333"))
    with away(services.store, "open_callbacks"):
        await told(services, *heard("112-4", 7.3, caller="0822222333"))
    assert await services.store.open_callbacks(["0822222333"]) == []
    monkeypatch.setattr("gateway.callbacks.NUMBERS_KEPT", 0)
    await told(services, *unheard("112-5", 7.4, caller="0823"), *unheard("112-6", 7.5, caller="0824"))
    await services.centre.resume()
    await told(services, *heard("112-7", 7.6, caller="0823"), *heard("112-8", 7.6, caller="0824"))
    assert await services.store.open_callbacks(["0823", "0824"]) == []


async def test_a_dial_that_ends_after_its_task_leaves_the_number_with_the_next_one(services: Services) -> None:
    """The caller got through meanwhile, and was cut off once more."""
    _, dial_id = await dialled(services)
    await told(services, *heard("112-2", 7.1))
    await told(services, *unheard("112-3", 7.2))
    await told(services, step(services, dial_id, DialStep.ENDED, 20, result=DialResult.NO_ANSWER))
    await told(services, *unheard("112-4", 7.3))
    [task] = await services.store.open_callbacks([NUMBER])
    assert [each.call_id for each in task.tries] == ["112-3", "112-4"]


async def test_what_is_stored_otherwise_than_it_is_known_is_taken_up_anew(services: Services) -> None:
    """A mistake of ours must not end the history of all calls."""
    await services.centre.resume()
    await told(services, *unheard("112-1"))
    services.callbacks._called_for = {}
    with pytest.raises(StoreAway, match="not what was known"):
        await told(services, *unheard("112-2", 7.1))
    await services.centre.resume()  # as the journal does then
    await told(services, *unheard("112-2", 7.1))
    assert [each.call_id for each in (await newest(services)).tries] == ["112-1", "112-2"]


async def test_the_end_of_a_dial_that_the_journal_is_late_with_is_waited_for(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two looks may follow each other at once, and a disk may stall in between."""
    services.linked_since = services.clock() - timedelta(hours=1)
    _, dial_id = await dialled(services)
    for _ in range(4):
        await services.centre.settle()
    assert (await newest(services)).dialling == dial_id
    # a link that is newer than the dial, which was seen over it
    services.linked_since = services.clock() + timedelta(seconds=1)
    services.switchboard.live = {dial_id}
    await services.centre.settle()
    services.switchboard.live = set()
    for _ in range(3):
        await services.centre.settle()
    assert (await newest(services)).dialling == dial_id
    monkeypatch.setattr("gateway.centre.ON_ITS_WAY_S", 0.0)
    await services.centre.settle()
    assert (await newest(services)).dials[0].result is DialResult.FAILED


async def test_a_withheld_number_is_told_and_is_no_task_and_the_probe_is_neither(services: Services) -> None:
    await told(services, *unheard("112-1", caller="anonymous"), *heard("112-2", caller="anonymous"))
    probe = [replace(fact, trunk="probe") if isinstance(fact, Entered) else fact for fact in unheard("112-3")]
    await told(services, *probe)
    assert await events(services, "callback") == ["callback.impossible"]
    assert await services.store.open_callbacks([NUMBER]) == []


async def test_calls_that_asterisk_died_under_are_called_back(services: Services) -> None:
    await told(services, *unheard("112-1")[:-1])
    await services.centre.settle()
    await services.centre.settle()
    task = await newest(services)
    assert (task.tries[0].why, task.state) == (Why.LOST, State.OPEN)
    call = await Reads(services.store._engine).call("112-1")
    assert call is not None
    assert call.outcome is Outcome.FAILED


async def test_what_cannot_be_followed_is_set_aside_and_the_call_is_stored_all_the_same(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("gateway.domain.callbacks.follow_call", fail)
    await told(services, *unheard("112-1"))
    assert await services.store.has_call("112-1")
    assert services.centre.set_aside_count == 1


async def test_a_task_is_claimed_released_and_given_up_and_each_is_in_the_audit_log(services: Services) -> None:
    siti = await hired(services)
    await told(services, *unheard("112-1"))
    opened = await newest(services)
    claimed = await services.callbacks.claim(opened.id, siti.id, ANI, opened.version)
    assert await services.callbacks.claim(opened.id, siti.id, ANI, None) == claimed
    with pytest.raises(Stale):
        await services.callbacks.release(opened.id, ANI, opened.version, allow)
    await services.callbacks.release(opened.id, ANI, claimed.version, allow)
    over = await services.callbacks.give_up(opened.id, ANI, None, allow, "no such number")
    assert (over.state, over.closed_by, over.reason) == (State.GIVEN_UP, "Ani", "no such number")
    with pytest.raises(OutOfTurn):
        await services.callbacks.reach(opened.id, ANI, None, allow, "")
    with pytest.raises(Unknown, match="there is no callback 4711"):
        await services.callbacks.claim(4711, siti.id, ANI, None)
    entries = await Reads(services.store._engine).kept.audit(0, 100, subject=f"callback/{opened.id}")
    assert [entry.action for entry in entries] == ["callback.claimed", "callback.released", "callback.given_up"]
    assert entries[-1].note == "no such number"
    free, taken = '{"state":"open","claimed_by":null}', f'{{"state":"claimed","claimed_by":{siti.id}}}'
    assert [(entry.before, entry.after) for entry in entries] == [
        *((free, taken), (taken, free), (free, '{"state":"given_up","claimed_by":null}')),
    ]
    await told(services, *unheard("112-2", 8))
    fresh = await newest(services)
    with pytest.raises(Unfitting, match="there is no operator 4711"):
        await services.callbacks.claim(fresh.id, 4711, ANI, None)


async def test_a_dial_is_stored_before_it_is_placed_and_the_journal_says_how_it_went(services: Services) -> None:
    siti, dial_id = await dialled(services, hour=-0.1)
    [dialling] = services.switchboard.diallings
    assert (dialling.phone, dialling.number, dialling.trunk) == (siti.phone, NUMBER, "telkomsel")
    assert dialling.recording == f"2026/08/16/callback-{dial_id}.raw"
    await told(services, step(services, dial_id, DialStep.RUNG, 3), step(services, dial_id, DialStep.ANSWERED, 9))
    await told(services, step(services, dial_id, DialStep.ENDED, 20, result=DialResult.ANSWERED))
    await told(services, step(services, dial_id, DialStep.ENDED, 20))
    task = await newest(services)
    assert (task.state, task.closed_by, task.dials[0].talk_s) == (State.REACHED, siti.name, 11.0)
    assert await events(services, "callback") == [
        f"callback.{each}" for each in ("opened", "dialled", "rung", "answered", "dial_ended", "reached")
    ]


async def test_a_phone_that_is_not_picked_up_ends_the_dial_whoever_tells_it_first(services: Services) -> None:
    _, dial_id = await dialled(services)
    services.callbacks.ring_failed("of-another")
    services.callbacks.ring_failed(dial_id)
    with away(services.store, "callback"):
        await services.watch.tick(services.clock())
    assert (await newest(services)).dialling == dial_id
    await after(services, 6)
    await told(services, step(services, dial_id, DialStep.ENDED))
    task = await newest(services)
    assert (task.dials[0].result, task.first_dialled_at) == (DialResult.OPERATOR_MISSED, None)
    assert (await events(services, "callback"))[2:] == ["callback.dial_ended"]


async def test_a_dial_that_asterisk_refuses_is_over_and_one_of_which_nothing_is_known_goes_on(
    services: Services,
) -> None:
    siti = await hired(services)
    await told(services, *unheard("112-1"))
    task = await newest(services)
    services.switchboard.refuses[siti.phone] = "no such phone"
    with pytest.raises(Refused):
        await services.callbacks.dial(task.id, siti.id, ANI, None)
    assert (await newest(services)).dials[0].result is DialResult.OPERATOR_MISSED
    services.switchboard.refuses.clear()
    services.switchboard.is_away = True
    with pytest.raises(SwitchboardAway):
        await services.callbacks.dial(task.id, siti.id, ANI, None)
    with pytest.raises(OutOfTurn, match="being called already"):
        await services.callbacks.dial(task.id, siti.id, ANI, None)
    services.switchboard.is_away = False
    await services.centre.resume()  # as after a start
    await services.centre.settle()
    await services.centre.settle()
    assert [dial.result for dial in (await newest(services)).dials] == [DialResult.OPERATOR_MISSED, DialResult.FAILED]


async def test_whose_phone_rings_or_talks_dials_nobody(services: Services) -> None:
    siti = await hired(services)
    await told(services, *unheard("112-1"))
    task = await newest(services)
    services.line.stand(siti.phone, "talking")
    with pytest.raises(OutOfTurn, match="rings or talks now"):
        await services.callbacks.dial(task.id, siti.id, ANI, None)
    assert (await newest(services)).dials == ()


@pytest.mark.parametrize("number", ["08091234567", "+88213123456", "14022", "1001", "+62112", "031112", "+6561234567"])
async def test_who_is_no_subscriber_has_a_task_and_is_not_dialled(services: Services, number: str) -> None:
    siti = await hired(services)
    await told(services, *unheard("112-1", caller=number))
    task = await newest(services)
    with pytest.raises(OutOfTurn, match="called from another phone"):
        await services.callbacks.dial(task.id, siti.id, ANI, None)
    assert (task.number, (await newest(services)).claimed_by, services.switchboard.diallings) == (number, None, [])


async def test_abroad_is_dialled_once_the_rules_let_it(services: Services) -> None:
    siti = await hired(services)
    await told(services, *unheard("112-1", caller="+6561234567"))
    await rules(services, callback_abroad=True)
    await services.callbacks.dial((await newest(services)).id, siti.id, ANI, None)
    assert [each.number for each in services.switchboard.diallings] == ["+6561234567"]


async def test_one_operator_dials_one_number_at_a_time(services: Services) -> None:
    siti, dial_id = await dialled(services)
    budi = await hired(services, "1002")
    await told(services, *unheard("112-2", 7.1, caller="0822222333"))
    second = await newest(services)
    with pytest.raises(OutOfTurn, match=f"operator {siti.id} dials callback {second.id - 1} now"):
        await services.callbacks.dial(second.id, siti.id, ANI, None)
    await services.callbacks.dial(second.id, budi.id, ANI, None)
    await told(services, step(services, dial_id, DialStep.ENDED, 20))
    await told(services, *unheard("112-3", 7.2, caller="0833222333"))
    await services.callbacks.dial((await newest(services)).id, siti.id, ANI, None)
    assert [each.phone for each in services.switchboard.diallings] == ["1001", "1002", "1001"]


async def test_a_forged_call_over_another_trunk_neither_closes_a_callback_nor_draws_it_there(
    services: Services,
) -> None:
    siti = await hired(services)
    await told(services, *unheard("112-1"), *unheard("112-2", 7.1, trunk="xlsmart"))
    await told(services, *heard("112-3", 7.2, trunk="xlsmart"))
    task = await newest(services)
    assert (task.state, task.trunk, [each.trunk for each in task.tries]) == (
        *(State.OPEN, "telkomsel", ["telkomsel", "xlsmart", "xlsmart"]),
    )
    assert (await events(services, "callback"))[1:] == ["callback.tried_again", "callback.heard_elsewhere"]
    with pytest.raises(Unfitting, match="has not tried on trunk indosat"):
        await services.callbacks.dial(task.id, siti.id, ANI, None, "indosat")
    await services.callbacks.dial(task.id, siti.id, ANI, None)
    assert [each.trunk for each in services.switchboard.diallings] == ["telkomsel"]


def a_flock(**fields: Any) -> Flock:
    return Flock(opened_since=local(7), opened_until=local(8), **fields)


async def test_many_callbacks_that_came_alike_are_given_up_in_one_act_and_those_of_persons_stay(
    services: Services,
) -> None:
    siti = await hired(services)
    for number in range(6):
        await told(services, *unheard(f"112-{number}", 7.1, caller=f"08120000000{number}", trunk="xlsmart"))
    claimed = await services.callbacks.claim((await newest(services)).id, siti.id, ANI, None)
    # who tried again, came over another trunk besides, came later, or came over another trunk is perhaps a person
    await told(services, *unheard("112-7", 7.3, caller="081200000000", trunk="xlsmart"))
    await told(services, *unheard("112-8", 7.3, caller="081200000001"))
    await told(services, *unheard("112-9", 7.3), *unheard("112-10", 9, caller="0822222333", trunk="xlsmart"))
    flock = a_flock(trunk="xlsmart", why=Why.ABANDONED)

    with pytest.raises(OutOfTurn, match="3 callbacks are so, and not 7: look at them again"):
        await services.callbacks.give_up_many(flock, 7, ANI, "forged")
    assert await services.callbacks.give_up_many(flock, 3, ANI, "forged") == (3, 0)

    reads = Reads(services.store._engine)
    over, _ = await reads.callbacks.page(CallbackFilter(state=State.GIVEN_UP), after=None, limit=9)
    assert [(task.number[-1], task.closed_by, task.reason) for task in over] == [
        *(("4", "Ani", "forged"), ("3", "Ani", "forged"), ("2", "Ani", "forged")),
    ]
    assert (await services.store.callback(claimed.id)) == claimed
    assert await reads.callbacks.count(CallbackFilter(is_open=True)) == 5
    [entry] = await reads.kept.audit(0, 100, subject="callbacks")
    assert (entry.action, entry.note, json.loads(entry.after)["count"]) == ("callback.many_given_up", "forged", 3)
    assert (await events(services, "callback"))[-4:] == [*["callback.given_up"] * 3, "callback.many_given_up"]
    assert await services.callbacks.give_up_many(flock, 3, ANI, "forged") == (0, 0)


async def test_one_act_gives_up_so_many_and_says_how_many_are_left(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.callbacks.GIVEN_UP_AT_MOST", 2)
    for number in range(3):
        await told(services, *unheard(f"112-{number}", 7.1, caller=f"08120000000{number}"))
    assert await services.callbacks.give_up_many(a_flock(), 3, ANI, "forged") == (2, 1)
    assert await services.callbacks.give_up_many(a_flock(), 1, ANI, "forged") == (1, 0)
    await told(services, *unheard("112-9", 7.2, caller="081200000000"))
    assert (await newest(services)).number == "081200000000"


async def test_who_is_being_called_is_not_given_up(services: Services) -> None:
    await dialled(services)
    with pytest.raises(OutOfTurn, match="being called"):
        await services.callbacks.give_up((await newest(services)).id, ANI, None, allow, "never there")
    assert (await newest(services)).is_open


async def test_a_task_is_not_dialled_over_a_trunk_that_is_no_more(services: Services) -> None:
    siti = await hired(services)
    facts = [replace(fact, trunk="gone") if isinstance(fact, Entered) else fact for fact in unheard("112-1")]
    await told(services, *facts)
    with pytest.raises(OutOfTurn, match="trunk gone"):
        await services.callbacks.dial((await newest(services)).id, siti.id, ANI, None)
    assert services.switchboard.diallings == []


async def test_the_audit_log_says_for_whom_a_callback_was_dialled(services: Services) -> None:
    siti, _ = await dialled(services)
    [entry] = await Reads(services.store._engine).kept.audit(0, 100, subject=f"callback/{(await newest(services)).id}")
    assert (entry.action, entry.actor) == ("callback.dialled", "Ani")
    assert entry.after == f'{{"state":"claimed","claimed_by":{siti.id}}}'


async def test_who_is_dialled_in_vain_and_calls_again_is_an_alarm_and_anybodys_task(services: Services) -> None:
    siti, dial_id = await dialled(services)
    budi = await hired(services, "1002")
    at = local(7) + timedelta(minutes=5)
    await told(services, DialFact(dial_id, at, DialStep.RUNG))
    await told(services, DialFact(dial_id, at + timedelta(minutes=1), DialStep.ENDED, DialResult.NO_ANSWER))
    services.clock.at = local(7) + timedelta(minutes=15)
    await after(services, 6)
    assert "callbacks_overdue" not in await alarms(services)
    services.clock.at = local(7) + timedelta(minutes=17)
    await after(services, 6)
    assert "callbacks_overdue" in await alarms(services)
    task = await newest(services)
    with pytest.raises(OutOfTurn, match=f"operator {siti.id} has it"):
        await services.callbacks.claim(task.id, budi.id, ANI, None)

    await told(services, *unheard("112-2", 11))
    claimed = await services.callbacks.claim(task.id, budi.id, ANI, None)
    await after(services, 6)
    assert "callbacks_overdue" in await alarms(services)
    assert (claimed.claimed_by, claimed.first_dialled_at, claimed.try_count) == (budi.id, at, 2)
    assert claimed.first_due_at == local(7) + timedelta(minutes=11)
    assert (await events(services, "callback"))[-3:] == [
        *("callback.tried_again", "callback.released", "callback.claimed"),
    ]


async def test_callers_who_wait_past_their_time_are_one_alarm_until_somebody_calls(services: Services) -> None:
    siti = await hired(services)
    await told(services, *unheard("112-1"), *unheard("112-2", 7.1, caller="0822222333"))
    services.clock.at = local(7) + timedelta(minutes=10)
    await after(services, 0)
    assert "callbacks_overdue" not in await alarms(services)
    services.clock.at = local(8)
    await services.callbacks.claim(
        (await newest(services)).id, siti.id, ANI, None
    )  # he who has it is late all the same
    await after(services, 6)
    assert (await alarms(services))["callbacks_overdue"] == "callbacks"
    [alarm] = [each for each in await services.store.standing_alarms() if each.kind == "callbacks_overdue"]
    assert alarm.detail == "2 callers wait to be called back, the first one since 2026-08-17 07:11"
    # it stands though the store and Asterisk are away
    services.switchboard.is_away = True
    with away(services.store, "overdue_callbacks"):
        await after(services, 6)
    services.switchboard.is_away = False
    assert "callbacks_overdue" in await alarms(services)

    [first] = await services.store.open_callbacks([NUMBER])
    [second] = await services.store.open_callbacks(["0822222333"])
    task = await services.callbacks.dial(first.id, siti.id, ANI, None)
    await told(services, DialFact(task.dialling or "", local(8), DialStep.RUNG))
    await services.callbacks.reach(second.id, ANI, None, allow, "met in person")
    await after(services, 6)
    assert "callbacks_overdue" not in await alarms(services)
