"""Disposing: what comes of it when somebody says what a call was, which call a code on a phone is about, and of which
calls nobody has said anything.

Counterparts: `gateway/api/dispositions.py` asks for it by `gateway/office.py`; `*48` on a phone
(`dialplan/operators.conf`) by `gateway/centre.py`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from gateway.domain.audit import Actor, Deed
from gateway.domain.call import Call
from gateway.domain.dispositions import MINISTRY_KINDS, Disposed, Verdict, check
from gateway.domain.roster import Duty

WRAP_UP = timedelta(minutes=60)
"""What is dialled on a phone is about its last call until so long after its talk, and about none after that."""


def dispose(call: Call, before: Disposed | None, verdict: Verdict, at: datetime, actor: Actor) -> tuple[Disposed, Deed]:
    """What the call was from now on, and the deed that tells of it. Raises Invalid."""
    check(verdict)
    disposed = Disposed(
        call_id=call.id,
        caller=call.caller,
        disposition=verdict.disposition,
        category=verdict.category,
        note=verdict.note,
        operator_id=call.operator_id,
        set_by=actor.name,
        set_at=at,
    )
    data = {**_told(disposed), "operator_id": call.operator_id, "ministry_kind": MINISTRY_KINDS[verdict.disposition]}
    deed = Deed(
        at,
        actor,
        "call.disposed",
        subject=f"call/{call.id}",
        data=data,
        note=verdict.note,
        call_id=call.id,
        was=None if before is None else _told(before),
        became=_told(disposed),
    )
    return disposed, deed


def _told(disposed: Disposed) -> Mapping[str, Any]:
    return {"disposition": disposed.disposition, "category": disposed.category, "note": disposed.note}


def last_taken(calls: Iterable[Call], phone: str, at: datetime) -> Call | None:
    """The call that this phone talks on at that time, its caller being on hold, or talked on last before it, if that is
    not longer ago than WRAP_UP. One that goes on with somebody else counts too: it is about the caller."""
    talks = [
        ((min(left_at or at, at), attempt.answered_at), call)
        for call in calls
        for attempt in call.attempts
        if attempt.phone == phone
        and attempt.answered_at is not None
        and attempt.answered_at <= at
        and ((left_at := attempt.left_at or call.ended_at) is None or at - WRAP_UP <= left_at)
    ]
    return max(talks, key=lambda talk: talk[0])[1] if talks else None


def took(call: Call, phone: str, since: datetime) -> bool:
    """Whether that phone talked on the call; a ring before `since`, when somebody else had the phone, does not
    count."""
    return any(each.phone == phone and each.answered_at and each.rung_at >= since for each in call.attempts)


def talks(call: Call, phone: str, since: datetime) -> bool:
    """Whether that phone talks on the call now; a ring before `since` does not count."""
    return call.ended_at is None and any(
        each.phone == phone and each.answered_at and each.left_at is None and each.rung_at >= since
        for each in call.attempts
    )


@dataclass(frozen=True, slots=True)
class Undisposed:
    """A call that a person took and of which nobody has said what it was."""

    call_id: str
    phone: str
    operator_id: int | None
    operator_name: str | None
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Missing:
    """The calls of one operator in one shift that nobody has said anything of; `shift_id` and `date` are None where the
    roster had no shift for him then. `call_ids` are the newest of them."""

    phone: str
    operator_id: int | None
    operator_name: str | None
    shift_id: int | None
    date: date | None
    count: int
    call_ids: tuple[str, ...]


def missing(found: Iterable[Undisposed], duties: Collection[Duty], ids_shown: int) -> list[Missing]:
    """The calls (newest first) by operator and shift, in the order of operators' names, then the newest shift first."""
    by_operator: dict[int, list[Duty]] = {}
    for duty in duties:
        by_operator.setdefault(duty.operator_id, []).append(duty)
    groups: dict[tuple[int | None, str, int | None, date | None], list[Undisposed]] = {}
    for each in found:
        own = by_operator.get(each.operator_id, ()) if each.operator_id is not None else ()
        # as in a report: in the overlap after a shift an operator who works the next one, too, is in that
        there = (duty for duty in own if duty.covers(each.answered_at))
        duty_then = max(there, key=lambda duty: (duty.starts_at, duty.shift_id, duty.date), default=None)
        shift = (duty_then.shift_id, duty_then.date) if duty_then else (None, None)
        groups.setdefault((each.operator_id, each.phone, *shift), []).append(each)
    told = [
        Missing(
            phone,
            operator_id,
            calls[0].operator_name,
            shift_id,
            day,
            len(calls),
            tuple(call.call_id for call in calls[:ids_shown]),
        )
        for (operator_id, phone, shift_id, day), calls in groups.items()
    ]
    # groups stand in the order of their newest calls, and a sort keeps it
    return sorted(told, key=lambda group: (group.operator_name or "", group.phone))
