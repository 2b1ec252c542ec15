"""Shifts: when somebody is to be there, by the wall clock of the centre's zone.

Counterpart: `gateway/recurrence.py` says on which days a shift takes place (iCalendar's RRULE); `roster.py` who works
it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from gateway.domain.kept import Invalid, Kept

EVERY_DAY = "FREQ=DAILY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift(Kept):
    """A pattern such as morning, 06:00 to 14:00 every day. One that ends before its start ends on the next day."""

    KIND: ClassVar[str] = "shift"

    name: str
    start: time
    end: time
    rule: str = EVERY_DAY
    """The days, as an RRULE of RFC 5545 (DAILY, WEEKLY, MONTHLY or YEARLY)."""
    first_date: date
    last_date: date | None = None
    exceptions: tuple[date, ...] = ()
    """Days that the rule names and on which it does not take place (EXDATE)."""
    overlap_min: int = 0
    """How long those of this shift stay after its end, to hand over."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One shift on one day: `date` is the day it begins on, in the centre's zone; times are UTC."""

    shift_id: int
    date: date
    starts_at: datetime
    ends_at: datetime
    leaves_at: datetime
    """The end and the overlap after it."""


def occurrence(shift: Shift, day: date, zone: ZoneInfo) -> Occurrence:
    """The shift on that day. A wall-clock time that the zone skips is read with the offset before the gap, one that it
    has twice means the first (RFC 5545, 3.3.5)."""
    starts_at = moment(day, shift.start, zone)
    ends_at = moment(day if shift.end > shift.start else day + timedelta(days=1), shift.end, zone)
    return Occurrence(shift.id, day, starts_at, ends_at, ends_at + timedelta(minutes=shift.overlap_min))


def moment(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """That wall-clock time of the zone in UTC."""
    return datetime.combine(day, wall, zone).astimezone(UTC)


def is_in_a_gap(day: date, wall: time, zone: ZoneInfo) -> bool:
    """Whether the zone's clocks skip that time on that day."""
    local = datetime.combine(day, wall, zone)
    return local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None)


def check(shift: Shift, days: list[date], zone: ZoneInfo) -> None:
    """Raises Invalid when no day comes of it (`days` are those of its first years), when it has no length or more than
    a day, or when one of its times does not exist on one of its days."""
    if shift.start == shift.end:
        raise Invalid("end", "is the same as the start: a shift of no length")
    if shift.last_date is not None and shift.last_date < shift.first_date:
        raise Invalid("last_date", "is before the first date")
    if not days:
        raise Invalid("rule", "names no day at all from the first date on")
    for day, field, wall in _edges(shift, days):
        if is_in_a_gap(day, wall, zone):
            raise Invalid(
                field,
                f"{wall:%H:%M} does not exist on {day} in {zone.key}: clocks go forward. Choose another time, or make "
                f"that day an exception",
            )


def _edges(shift: Shift, days: list[date]) -> Iterator[tuple[date, str, time]]:
    over_midnight = timedelta(days=shift.end <= shift.start)
    for day in days:
        yield day, "start", shift.start
        yield day + over_midnight, "end", shift.end
