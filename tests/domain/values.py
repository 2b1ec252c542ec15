"""People, shifts and a roster for the domain's tests. Monday is 2026-08-17; the zone is Jakarta's (UTC+7) if not
said."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gateway import recurrence
from gateway.domain.books import Books, Rules
from gateway.domain.operators import Operator
from gateway.domain.queues import Queue
from gateway.domain.roster import Absence, Assignment, Plan, Swap, SwapState
from gateway.domain.shifts import Shift

JAKARTA = ZoneInfo("Asia/Jakarta")
MONDAY = datetime(2026, 8, 16, 17, 0, tzinfo=UTC)
"""Midnight in Jakarta."""
DAY = date(2026, 8, 17)


def local(hours: float, zone: ZoneInfo = JAKARTA) -> datetime:
    """That many hours by the wall after Monday's midnight in the zone, in UTC."""
    wall = datetime(2026, 8, 17, tzinfo=None) + timedelta(hours=hours)  # noqa: DTZ001  # a wall-clock time
    return wall.replace(tzinfo=zone).astimezone(UTC)


def shift(shift_id: int = 1, start: str = "06:00", end: str = "14:00", **fields: Any) -> Shift:
    known: dict[str, Any] = {"name": f"shift {shift_id}", "first_date": DAY, "created_at": MONDAY, "version": 1}
    return Shift(id=shift_id, start=time.fromisoformat(start), end=time.fromisoformat(end), **known | fields)


def assigned(operator_id: int, shift_id: int = 1, first: int = 0, last: int | None = None, **fields: Any) -> Assignment:
    """From `first` to `last` (the same day, if not said), in days after Monday."""
    known: dict[str, Any] = {"queue": "emergency", "created_at": MONDAY, "version": 1}
    return Assignment(
        id=fields.pop("id", 100 * operator_id + shift_id),
        operator_id=operator_id,
        shift_id=shift_id,
        first_date=DAY + timedelta(days=first),
        last_date=DAY + timedelta(days=first if last is None else last),
        **known | fields,
    )


def away(operator_id: int, from_h: float, until_h: float) -> Absence:
    return Absence(id=1, operator_id=operator_id, from_at=local(from_h), until_at=local(until_h), created_at=MONDAY)


def swapped(operator_id: int, taken_by: int, day: int = 0, state: SwapState = SwapState.APPROVED) -> Swap:
    return Swap(
        id=1,
        operator_id=operator_id,
        shift_id=1,
        date=DAY + timedelta(days=day),
        state=state,
        taken_by=taken_by,
        created_at=MONDAY,
    )


def plan(
    shifts: Iterable[Shift], *things: Assignment | Absence | Swap, zone: ZoneInfo = JAKARTA, days: int = 14
) -> Plan:
    """The roster of the days before and after Monday."""
    first, last = DAY - timedelta(days=2), DAY + timedelta(days=days)
    shifts = list(shifts)
    return Plan(
        zone=zone,
        first=first,
        last=last,
        shifts={each.id: each for each in shifts},
        days=recurrence.days_of_all(shifts, first, last),
        assignments=tuple(each for each in things if isinstance(each, Assignment)),
        absences=tuple(each for each in things if isinstance(each, Absence)),
        swaps=tuple(each for each in things if isinstance(each, Swap)),
    )


def operator(operator_id: int, **fields: Any) -> Operator:
    known: dict[str, Any] = {"name": f"Petugas {operator_id}", "digest": "d", "created_at": MONDAY, "version": 1}
    return Operator(id=operator_id, phone=str(1000 + operator_id), **known | fields)


def queue(name: str = "emergency", minimum: int = 1, **fields: Any) -> Queue:
    return Queue(name=name, minimum=minimum, created_at=MONDAY, version=1, **fields)


def books(the_plan: Plan, *operators: Operator, queues: Iterable[Queue] = (), **fields: Any) -> Books:
    return Books(
        plan=the_plan,
        default_queue="emergency",
        rules=fields.pop("rules", Rules(created_at=MONDAY)),
        operators={each.id: each for each in operators},
        queues={each.name: each for each in queues or (queue(),)},
        **fields,
    )
