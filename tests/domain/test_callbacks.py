"""Which calls open a task, which close one, and what a dial makes of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.domain import callbacks
from gateway.domain.call import Attempt, Call, Outcome, Stage
from gateway.domain.callbacks import Callback, Dial, OutOfTurn, State, Update, Why
from gateway.domain.facts import DialFact, DialResult, DialStep, Side

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_call(outcome: Outcome, **fields: Any) -> Call:
    """A call that arrived at noon and that its caller ended a minute later."""
    known: dict[str, Any] = {
        "id": "112-1.1",
        "trunk": "telkomsel",
        "caller": "0811",
        "arrived_at": NOON,
        "ended_at": after(60),
        "stage": Stage.ENDED,
        "outcome": outcome,
        "hung_up_by": Side.CALLER,
        "cause": 16,
    }
    return Call(**known | fields)


def talked(start: float, stop: float | None, phone: str = "1001", **fields: Any) -> Call:
    """An answered call with one talk from `start` to `stop`, in seconds after noon."""
    talk = Attempt("leg", phone, after(start - 1), after(start), None if stop is None else after(stop))
    return a_call(Outcome.ANSWERED, **{"operator": phone, "answered_at": after(start), "attempts": (talk,)} | fields)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (a_call(Outcome.CANCELLED), Why.CANCELLED),
        (a_call(Outcome.ABANDONED), Why.ABANDONED),
        (a_call(Outcome.FELL_BACK), Why.ABANDONED),
        (a_call(Outcome.FAILED, hung_up_by=Side.CENTRE, cause=None), Why.LOST),
        (a_call(Outcome.FAILED, hung_up_by=Side.CENTRE), Why.LOST),
        (a_call(Outcome.FELL_BACK, message="m.raw"), Why.MESSAGE),
        (talked(10, 14.9, ended_at=after(14.9)), Why.CUT),
        (talked(10, 15, ended_at=after(15)), Why.HEARD),
        (talked(10, 12, ended_at=after(12), hung_up_by=Side.CENTRE, cause=16), Why.CUT),
        (talked(10, 60, message="m.raw"), Why.HEARD),
        (talked(10, 12, ended_at=after(12), hung_up_by=Side.OPERATOR, message="m.raw"), Why.MESSAGE),
        (talked(10, 40, message="m.raw"), Why.MESSAGE),
        (a_call(Outcome.FAILED, hung_up_by=Side.CENTRE, cause=None, message="m.raw"), Why.MESSAGE),
        (talked(10, 60), Why.HEARD),
    ],
)
def test_a_call_that_no_person_heard_is_a_try(call: Call, why: Why) -> None:
    assert callbacks.why(call) is why


def test_who_is_hung_up_on_by_the_operator_is_neither_a_task_nor_the_end_of_one() -> None:
    assert callbacks.why(talked(10, 12, ended_at=after(12), hung_up_by=Side.OPERATOR)) is None


def test_a_caller_whose_operator_vanished_and_who_gave_up_waiting_is_called_back() -> None:
    assert callbacks.why(talked(10, 40)) is Why.CUT
    assert callbacks.why(talked(10, 40, operator=None, relieved_by="1001")) is Why.CUT


def test_a_caller_whose_operator_stayed_when_an_agency_had_left_the_talk_was_heard() -> None:
    operator = Attempt("leg", "1001", after(9), after(10), after(59.9))
    agency = Attempt("third", "1099", after(19), after(20), after(40))
    assert callbacks.why(talked(10, 59.9, attempts=(operator, agency))) is Why.HEARD
    assert callbacks.why(talked(10, 59.9, attempts=(operator, agency), ended_at=after(70))) is Why.CUT
    stayed = replace(agency, left_at=after(59.9))
    assert callbacks.why(talked(10, 40, attempts=(replace(operator, left_at=after(40)), stayed))) is Why.HEARD


def test_a_call_that_asterisk_died_under_is_called_back_however_long_they_had_talked() -> None:
    assert callbacks.why(talked(10, None, hung_up_by=Side.CENTRE, cause=None)) is Why.LOST


def test_the_probes_calls_and_those_that_go_on_are_no_tries() -> None:
    assert callbacks.why(a_call(Outcome.ABANDONED, trunk="probe")) is None
    assert callbacks.why(replace(a_call(Outcome.ABANDONED), outcome=None, ended_at=None)) is None


@pytest.mark.parametrize(
    ("caller", "number"),
    [("0811-222.333", "0811222333"), ("+62 811 (22)", "+6281122"), ("110", "110"), ("+628119999", "+628119999")],
)
def test_a_number_is_what_can_be_dialled_of_what_the_carrier_said(caller: str, number: str) -> None:
    assert callbacks.number_of(caller) == number


@pytest.mark.parametrize(
    "caller",
    [
        *("", "anonymous", "Anonymous", "unknown", "restricted", "unavailable", "11", "+", "+12"),
        *("*21*0811#", "0811#", "0811;phone-context=x", "siti.rahayu", "112", "+112", "0000000000", "1" * 19),
        *("0811+1", "++62811", "\u0660\u0661\u0661\u0662"),
    ],
)
def test_a_withheld_number_and_one_that_does_something_else_cannot_be_dialled(caller: str) -> None:
    assert callbacks.number_of(caller) is None


# ---------------------------------------------------------------- one task a number


def opened(**fields: Any) -> Callback:
    """A stored task that a cancelled call opened."""
    update = callbacks.follow_call(None, a_call(Outcome.CANCELLED), "0811", Why.CANCELLED, 10)
    assert update is not None
    return replace(update.task, id=7, version=1, **fields)


def test_the_first_unheard_call_opens_a_task_whose_clock_runs_from_its_end() -> None:
    update = callbacks.follow_call(None, a_call(Outcome.CANCELLED), "0811", Why.CANCELLED, 10)
    assert update is not None
    task = update.task
    assert (task.state, task.opened_at, task.due_at) == (State.OPEN, after(60), after(660))
    assert task.first_due_at == after(660)
    assert (task.try_count, task.tries[0].at, task.tries[0].why) == (1, NOON, Why.CANCELLED)
    [event] = update.events
    assert (event.type, event.call_id, event.data["why"]) == ("callback.opened", "112-1.1", Why.CANCELLED)
    assert not task.is_overdue(after(660))
    assert task.is_overdue(after(661))


def test_another_try_joins_it_and_the_clock_runs_on() -> None:
    again = a_call(Outcome.ABANDONED, id="112-1.2", trunk="indosat", arrived_at=after(90), ended_at=after(120))
    update = callbacks.follow_call(opened(), again, "0811", Why.ABANDONED, 10)
    assert update is not None
    task = update.task
    assert (task.try_count, task.trunk, task.due_at, task.last_try_at) == (2, "telkomsel", after(660), after(90))
    assert [each.why for each in task.tries] == [Why.CANCELLED, Why.ABANDONED]
    assert [event.type for event in update.events] == ["callback.tried_again"]
    assert (update.events[0].data["trunk"], update.events[0].data["call_trunk"]) == ("telkomsel", "indosat")
    assert again_at(3600, opened()).task.due_at == after(660)
    # the rules may have changed meanwhile
    assert again_at(90, opened(), target_min=1).task.due_at == after(150)


def again_at(end_s: float, task: Callback, target_min: int = 10) -> Update:
    """What one more try, that ends so many seconds after noon, makes of the task."""
    again = a_call(Outcome.ABANDONED, id="112-1.2", arrived_at=after(end_s - 30), ended_at=after(end_s))
    update = callbacks.follow_call(task, again, "0811", Why.ABANDONED, target_min)
    assert update is not None
    return update


def test_who_claimed_a_task_and_does_not_call_loses_it_with_the_next_try() -> None:
    claimed = callbacks.claim(opened(), 3, after(70))
    assert claimed.is_overdue(after(661))
    update = again_at(14_400, claimed)
    task = update.task
    assert (task.state, task.claimed_by, task.claimed_at) == (State.OPEN, None, None)
    assert callbacks.claim(task, 4, after(14_401)).claimed_by == 4
    assert [event.type for event in update.events] == ["callback.tried_again", "callback.released"]
    told = update.events[1].data
    assert (told["state"], told["claimed_by"], told["operator_id"], told["by"]) == ("open", None, 3, "centre")


def test_who_claimed_a_task_after_the_try_that_is_told_late_keeps_it() -> None:
    update = again_at(80, callbacks.claim(opened(), 3, after(90)))
    assert (update.task.claimed_by, len(update.events)) == (3, 1)


def test_a_number_that_gets_through_closes_its_own_task_and_that_is_its_last_try() -> None:
    claimed = callbacks.claim(opened(), 3, after(70))
    update = callbacks.follow_call(claimed, talked(10, 60, operator_name="Siti"), "0811", Why.HEARD, 10)
    assert update is not None
    task = update.task
    assert (task.state, task.closed_at, task.closed_by) == (State.GOT_THROUGH, after(60), "Siti")
    assert (task.try_count, task.tries[-1].why) == (2, Why.HEARD)
    assert [event.type for event in update.events] == ["callback.got_through"]
    assert callbacks.follow_call(None, talked(10, 60), "0811", Why.HEARD, 10) is None


def test_who_was_heard_before_the_last_try_was_another_one_at_that_number_and_a_person_decides() -> None:
    """A factory's line: one of its people talks with 112, another one tries meanwhile and gives up."""
    tried = again_at(50, opened()).task
    update = callbacks.follow_call(tried, talked(10, 60), "0811", Why.HEARD, 10)
    assert update is not None
    assert (update.task.state, update.task.tries[-1].why) == (State.OPEN, Why.HEARD_ELSEWHERE)
    assert [event.type for event in update.events] == ["callback.heard_elsewhere"]
    later = callbacks.follow_call(update.task, talked(130, 190, arrived_at=after(120)), "0811", Why.HEARD, 10)
    assert later is not None
    assert later.task.state is State.GOT_THROUGH


def of_trunk(task: Callback, trunk: str, reason: Why) -> Update:
    """What one more call of the number over that trunk makes of the task."""
    call = talked(10, 60, trunk=trunk) if reason is Why.HEARD else a_call(Outcome.ABANDONED, trunk=trunk)
    update = callbacks.follow_call(task, call, "0811", reason, 10)
    assert update is not None
    return update


def test_a_number_that_is_heard_over_another_carriers_line_may_be_forged_and_a_person_decides() -> None:
    claimed = callbacks.claim(opened(), 3, after(30))
    update = of_trunk(claimed, "xlsmart", Why.HEARD)
    task = update.task
    assert (task.state, task.trunk, task.claimed_by, task.due_at) == (State.CLAIMED, "telkomsel", 3, after(660))
    assert (task.try_count, task.tries[-1].why, task.tries[-1].trunk) == (2, Why.HEARD_ELSEWHERE, "xlsmart")
    [event] = update.events
    assert (event.type, event.data["call_trunk"]) == ("callback.heard_elsewhere", "xlsmart")
    # on his own line he is heard all the same, and who was heard elsewhere before is in nobody's way
    assert of_trunk(task, "telkomsel", Why.HEARD).task.state is State.GOT_THROUGH


@pytest.mark.parametrize("trunks", [("telkomsel", "xlsmart"), ("xlsmart", "telkomsel")])
def test_a_forged_try_on_another_line_makes_no_call_there_the_end_of_the_task(trunks: tuple[str, str]) -> None:
    first, second = trunks
    opening = callbacks.follow_call(None, a_call(Outcome.CANCELLED, trunk=first), "0811", Why.CANCELLED, 10)
    assert opening is not None
    task = of_trunk(opening.task, second, Why.ABANDONED).task
    assert (task.trunk, task.only_trunk) == (first, None)
    for trunk in trunks:
        assert of_trunk(task, trunk, Why.HEARD).task.is_open
    for _ in range(60):
        task = of_trunk(task, first, Why.ABANDONED).task
    assert ({each.trunk for each in task.tries}, len(task.tries)) == ({first, second}, 51)
    assert of_trunk(task, first, Why.HEARD).task.is_open


def test_a_task_tells_what_all_its_tries_were() -> None:
    task = opened()
    assert (task.only_trunk, task.only_why) == ("telkomsel", Why.CANCELLED)
    assert of_trunk(task, "telkomsel", Why.ABANDONED).task.only_why is None


def test_a_task_keeps_its_latest_tries_and_counts_all() -> None:
    task = opened()
    for number in range(60):
        update = callbacks.follow_call(task, a_call(Outcome.CANCELLED, id=f"112-{number}"), "0811", Why.CANCELLED, 10)
        assert update is not None
        task = update.task
    assert (task.try_count, len(task.tries), task.tries[-1].call_id) == (61, 50, "112-59")


# ---------------------------------------------------------------- what people do


def test_a_task_is_in_one_persons_hands() -> None:
    claimed = callbacks.claim(opened(), 3, after(70))
    assert (claimed.state, claimed.claimed_by, claimed.claimed_at) == (State.CLAIMED, 3, after(70))
    assert callbacks.claim(claimed, 3, after(80)) is claimed
    with pytest.raises(OutOfTurn, match="operator 3 has it"):
        callbacks.claim(claimed, 4, after(80))
    assert callbacks.release(claimed) == opened()
    with pytest.raises(OutOfTurn, match="nobody has it"):
        callbacks.release(opened())


def test_what_is_over_stays_over() -> None:
    over = callbacks.close(opened(), State.GIVEN_UP, after(70), "Siti", "wrong number")
    assert (over.state, over.closed_by, over.reason, over.is_open) == (State.GIVEN_UP, "Siti", "wrong number", False)
    for again in (
        lambda: callbacks.claim(over, 3, after(80)),
        lambda: callbacks.release(over),
        lambda: callbacks.close(over, State.REACHED, after(80), "Ani"),
        lambda: callbacks.begin_dial(over, Dial("7-a", 3, after(80))),
    ):
        with pytest.raises(OutOfTurn, match="it is over: given_up"):
            again()


def dialled(*steps: tuple[DialStep, float], result: DialResult | None = None) -> Callback:
    """The task after a dial that went so, its steps at so many seconds."""
    task = callbacks.begin_dial(opened(), Dial("7-a", 3, after(100)))
    for step, seconds in steps:
        fact = DialFact("7-a", after(seconds), step, result if step is DialStep.ENDED else None)
        update = callbacks.follow_dial(task, fact, "Siti", 10)
        assert update is not None
        task = update.task
    return task


RUNG, ANSWERED, ENDED = DialStep.RUNG, DialStep.ANSWERED, DialStep.ENDED


def test_a_dial_claims_the_task_and_is_the_only_one() -> None:
    task = dialled()
    assert (task.claimed_by, task.dialling, task.first_dialled_at) == (3, "7-a", None)
    with pytest.raises(OutOfTurn, match="being called already"):
        callbacks.begin_dial(task, Dial("7-b", 3, after(101)))
    with pytest.raises(OutOfTurn, match="being called"):
        callbacks.release(task)


def test_the_clock_stands_while_the_number_itself_is_called() -> None:
    task = dialled((RUNG, 104))
    assert task.first_dialled_at == after(104)
    assert not task.is_overdue(after(10_000))
    assert not dialled((RUNG, 104), (ANSWERED, 110)).is_overdue(after(10_000))
    for missed in (dialled(), dialled((ENDED, 125))):
        assert missed.due_at == after(660)
        assert missed.is_overdue(after(661))


@pytest.mark.parametrize("result", [each for each in DialResult if each is not DialResult.OPERATOR_MISSED])
def test_a_dial_in_vain_makes_it_due_again(result: DialResult) -> None:
    task = dialled((RUNG, 104), (ANSWERED, 110), (ENDED, 114), result=result)
    assert (task.due_at, task.first_due_at, task.first_dialled_at) == (after(714), after(660), after(104))
    assert not task.is_overdue(after(714))
    assert task.is_overdue(after(715))


def test_a_try_after_a_dial_in_vain_is_due_too_and_in_nobodys_hands() -> None:
    """Abandoned, dialled in vain, and the operator goes home: the next try is somebody's task."""
    in_vain = dialled((RUNG, 104), (ENDED, 114), result=DialResult.NO_ANSWER)
    task = again_at(14_400, in_vain).task
    assert (task.state, task.claimed_by, task.is_overdue(after(14_400))) == (State.OPEN, None, True)
    assert (task.due_at, task.first_due_at, task.first_dialled_at) == (after(714), after(660), after(104))


def test_a_try_while_a_dial_goes_on_leaves_the_task_to_whoever_dials() -> None:
    update = again_at(700, dialled())
    assert (update.task.claimed_by, update.task.due_at, len(update.events)) == (3, after(660), 1)
    calling = again_at(700, dialled((RUNG, 104))).task
    assert (calling.claimed_by, calling.due_at, calling.is_overdue(after(10_000))) == (3, after(1300), False)
    assert calling.first_due_at == after(660)


def test_a_caller_who_talks_for_a_while_is_reached() -> None:
    task = dialled((RUNG, 104), (ANSWERED, 110), (ENDED, 115), result=DialResult.ANSWERED)
    assert (task.state, task.closed_at, task.closed_by) == (State.REACHED, after(115), "Siti")
    assert (task.dials[0].result, task.dials[0].talk_s) == (DialResult.ANSWERED, 5.0)


def test_who_tries_while_somebody_at_his_number_is_called_back_waits_on() -> None:
    talking = dialled((RUNG, 104), (ANSWERED, 110))
    tried = again_at(145, talking).task  # it came at 115
    ended = callbacks.follow_dial(tried, DialFact("7-a", after(400), ENDED, DialResult.ANSWERED), "Siti", 10)
    assert ended is not None
    assert (ended.task.state, ended.task.dialling, ended.task.due_at) == (State.CLAIMED, None, after(745))
    assert [event.type for event in ended.events] == ["callback.dial_ended"]
    # who tried while his own phone rang is the one who was reached
    ringing = again_at(138, dialled((RUNG, 104))).task
    answered = callbacks.follow_dial(ringing, DialFact("7-a", after(110), ANSWERED), "Siti", 10)
    assert answered is not None
    over = callbacks.follow_dial(answered.task, DialFact("7-a", after(400), ENDED, DialResult.ANSWERED), "Siti", 10)
    assert over is not None
    assert over.task.state is State.REACHED


def test_who_tried_by_a_clock_that_was_put_back_since_is_reached_by_the_clock_of_now() -> None:
    """Both would have stayed a task until that clock had come round: somebody is called who was heard."""
    tried = again_at(3700, dialled((RUNG, 104), (ANSWERED, 110))).task
    ended = callbacks.follow_dial(tried, DialFact("7-a", after(400), ENDED, DialResult.ANSWERED), "Siti", 10)
    assert ended is not None
    assert ended.task.state is State.REACHED
    later = talked(130, 190, arrived_at=after(120), ended_at=after(190))
    got_through = callbacks.follow_call(again_at(3700, opened()).task, later, "0811", Why.HEARD, 10)
    assert got_through is not None
    assert got_through.task.state is State.GOT_THROUGH


@pytest.mark.parametrize(
    ("steps", "said", "result"),
    [
        (((RUNG, 104), (ANSWERED, 110), (ENDED, 114)), DialResult.ANSWERED, DialResult.ANSWERED),
        (((RUNG, 104), (ENDED, 110)), DialResult.BUSY, DialResult.BUSY),
        (((RUNG, 104), (ANSWERED, 110), (ENDED, 140)), DialResult.FAILED, DialResult.FAILED),
        (((ENDED, 125),), None, DialResult.OPERATOR_MISSED),
        (((RUNG, 104), (ENDED, 110)), None, DialResult.FAILED),
    ],
)
def test_who_did_not_talk_long_enough_stays_a_task(
    steps: tuple[tuple[DialStep, float], ...], said: DialResult | None, result: DialResult
) -> None:
    task = dialled(*steps, result=said)
    assert (task.state, task.dials[0].result, task.dialling) == (State.CLAIMED, result, None)


def test_what_is_told_twice_of_a_dial_changes_nothing() -> None:
    task = dialled((RUNG, 104), (ENDED, 110), result=DialResult.BUSY)
    assert callbacks.follow_dial(task, DialFact("7-a", after(111), ENDED), "Siti", 10) is None
    assert callbacks.follow_dial(dialled((RUNG, 104)), DialFact("7-a", after(105), RUNG), "Siti", 10) is None
    assert callbacks.follow_dial(task, DialFact("7-z", after(111), ENDED), "Siti", 10) is None


def test_the_end_of_a_dial_is_kept_although_its_task_is_over() -> None:
    over = callbacks.close(dialled((RUNG, 104), (ANSWERED, 105)), State.REACHED, after(106), "Ani")
    update = callbacks.follow_dial(over, DialFact("7-a", after(200), ENDED, DialResult.ANSWERED), "Siti", 10)
    assert update is not None
    assert (update.task.closed_by, update.task.dials[0].result) == ("Ani", DialResult.ANSWERED)
    assert [event.type for event in update.events] == ["callback.dial_ended"]
