"""What a call was: what may be said, of which call, and of which nobody said it."""

from datetime import datetime, timedelta

import pytest

from gateway.domain.audit import Actor
from gateway.domain.call import Attempt, Call, Stage
from gateway.domain.disposing import WRAP_UP, Undisposed, dispose, last_taken, missing, took
from gateway.domain.dispositions import MINISTRY_KINDS, Category, Disposition, Verdict, check
from gateway.domain.kept import Invalid
from tests.domain.values import DAY, MONDAY, assigned, local, plan, shift

SITI = Actor("Siti", "operator", "10.0.0.7")


def talked(number: int, phone: str, from_h: float, until_h: float | None, **fields: object) -> Call:
    """A call that phone answered and left at those hours."""
    left_at = None if until_h is None else local(until_h)
    attempt = Attempt(f"leg{number}", phone, local(from_h - 0.01), local(from_h), left_at)
    known = {"stage": Stage.ENDED, "ended_at": left_at, "attempts": (attempt,), "operator_id": 1}
    return Call(f"112-{number}", "telkomsel", "0811", local(from_h - 0.02), **known | fields)  # type: ignore[arg-type]


def test_an_emergency_has_a_category_and_nothing_else_has_one() -> None:
    check(Verdict(Disposition.EMERGENCY, Category.FIRE))
    for verdict in (Verdict(Disposition.EMERGENCY), Verdict(Disposition.PRANK, Category.FIRE)):
        with pytest.raises(Invalid) as error:
            check(verdict)
        assert error.value.field == "category"


def test_every_disposition_is_one_of_the_ministrys_kinds() -> None:
    assert MINISTRY_KINDS.keys() == set(Disposition)


def test_a_correction_tells_what_stood_before() -> None:
    call = talked(1, "1001", 7, 7.1)
    first, deed = dispose(call, None, Verdict(Disposition.GHOST), local(7.2), SITI)
    assert (deed.was, deed.became) == (None, {"disposition": "ghost", "category": None, "note": ""})
    verdict = Verdict(Disposition.EMERGENCY, Category.MEDICAL, "called back")
    second, deed = dispose(call, first, verdict, local(7.3), SITI)
    assert deed.was == {"disposition": "ghost", "category": None, "note": ""}
    event = deed.event
    assert (event.type, event.call_id) == ("call.disposed", "112-1")
    assert event.data == {
        "disposition": "emergency",
        "category": "medical",
        "note": "called back",
        "operator_id": 1,
        "ministry_kind": "normal",
        "by": "Siti",
    }
    assert (second.caller, second.operator_id, second.set_by, second.set_at) == ("0811", 1, "Siti", local(7.3))


def test_a_code_is_about_the_last_call_that_this_phone_answered() -> None:
    early, late, others = talked(1, "1001", 7, 7.1), talked(2, "1001", 7.2, 7.3), talked(3, "1002", 7.3, 7.4)
    calls = [late, early, others]
    assert last_taken(calls, "1001", local(7.5)) is late
    assert last_taken(calls, "1001", local(7.15)) is early  # as things stood when it was dialled
    assert last_taken(calls, "1001", local(6.95)) is None
    assert last_taken(calls, "1001", local(7.3) + WRAP_UP) is late
    assert last_taken(calls, "1001", local(7.3) + WRAP_UP + timedelta(microseconds=1)) is None


def test_a_code_that_is_dialled_while_the_caller_is_on_hold_is_about_that_caller() -> None:
    before, on_hold = talked(1, "1001", 7, 7.1), talked(2, "1001", 7.2, None, stage=Stage.TALKING)
    assert last_taken([before, on_hold], "1001", local(7.25)) is on_hold
    assert last_taken([before, talked(2, "1001", 7.2, 7.3)], "1001", local(7.25)) is not before


def test_a_ring_that_was_not_answered_is_no_call_of_that_phones() -> None:
    missed = talked(1, "1001", 7, 7.1, attempts=(Attempt("leg", "1001", local(7), None, local(7.1)),))
    assert last_taken([missed], "1001", local(7.2)) is None
    assert not took(missed, "1001", MONDAY)


def test_a_call_that_goes_on_with_somebody_else_is_still_that_phones_last() -> None:
    vanished = Attempt("leg1", "1001", local(7), local(7.01), local(7.02))
    again = Attempt("leg2", "1002", local(7.03), local(7.04), None)
    call = talked(1, "1001", 7, None, attempts=(vanished, again), stage=Stage.TALKING)
    assert last_taken([call], "1001", local(7.1)) is call
    assert last_taken([call], "1003", local(7.1)) is None


def test_who_has_a_phone_now_did_not_take_what_somebody_else_answered_with_it() -> None:
    call = talked(1, "1001", 7, 7.1)
    assert took(call, "1001", local(6))
    assert not took(call, "1001", local(8))
    assert not took(call, "1002", local(6))


def undisposed(number: int, at: datetime, operator_id: int | None = 1) -> Undisposed:
    return Undisposed(f"112-{number}", f"100{operator_id}", operator_id, f"Petugas {operator_id}", at)


def test_what_is_missing_is_told_by_operator_and_shift() -> None:
    roster = plan([shift(), shift(2, "22:00", "06:00")], assigned(1, last=3), assigned(2, shift_id=2))
    calls = [
        undisposed(6, local(40), None),
        undisposed(5, local(31)),  # the next morning
        undisposed(4, local(29), 2),  # after midnight, in the night that began the day before
        undisposed(3, local(20)),  # outside of every shift
        undisposed(2, local(13)),
        undisposed(1, local(7)),
    ]
    groups = missing(calls, roster.duties, ids_shown=1)
    told = [(each.operator_id, each.shift_id, each.date, each.count, each.call_ids) for each in groups]
    tuesday = DAY + timedelta(days=1)
    assert told == [
        (1, 1, tuesday, 1, ("112-5",)),
        (1, None, None, 1, ("112-3",)),
        (1, 1, DAY, 2, ("112-2",)),
        (2, 2, DAY, 1, ("112-4",)),
        (None, None, None, 1, ("112-6",)),
    ]


def test_in_the_overlap_after_his_shift_who_works_the_next_one_too_is_in_that_as_in_reports() -> None:
    roster = plan([shift(overlap_min=30), shift(2, "14:00", "22:00")], assigned(1), assigned(1, shift_id=2))
    [group] = missing([undisposed(1, local(14.2))], roster.duties, ids_shown=1)
    assert group.shift_id == 2
