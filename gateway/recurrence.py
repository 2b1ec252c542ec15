"""On which days something takes place: iCalendar's RRULE and EXDATE (RFC 5545), worked out by dateutil.

Counterpart: `domain/shifts.py`, which knows times of day and no rules. What dateutil would take and never come back
from (an interval of nothing, a rule by the second) is refused here.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import cast

from dateutil.rrule import rrule, rrulestr

from gateway.domain.kept import Invalid
from gateway.domain.shifts import Shift

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
PARTS = frozenset({"FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST", "COUNT", "UNTIL"})
LONGEST_RULE = 200
LARGEST_INTERVAL = 366
LOOK_AHEAD = timedelta(days=5 * 366)
"""How far a new shift is looked through: every kind of year lies in it."""


def checked(rule: str) -> str:
    """The rule in capitals, without the word RRULE. Raises Invalid, with the reason in words."""
    text = rule.strip().upper().removeprefix("RRULE:")
    if len(text) > LONGEST_RULE:
        raise Invalid("rule", f"is longer than {LONGEST_RULE} characters")
    parts = dict(part.partition("=")[::2] for part in text.split(";"))
    if unknown := sorted(parts.keys() - PARTS):
        raise Invalid("rule", f"{unknown[0] or 'an empty part'} is not among {', '.join(sorted(PARTS))}")
    if parts.get("FREQ") not in FREQUENCIES:
        raise Invalid("rule", f"FREQ must be one of {', '.join(FREQUENCIES)}")
    for name in ("INTERVAL", "COUNT"):
        if name in parts and not (parts[name].isascii() and parts[name].isdigit() and 0 < int(parts[name]) < 100_000):
            raise Invalid("rule", f"{name} must be a positive number")
    if int(parts.get("INTERVAL", "1")) > LARGEST_INTERVAL:
        raise Invalid("rule", f"INTERVAL must be {LARGEST_INTERVAL} at most")
    if "UNTIL" in parts and not (len(parts["UNTIL"]) == 8 and parts["UNTIL"].isdigit()):
        raise Invalid("rule", "UNTIL must be a date, such as 20271231")
    try:
        rrulestr(text, dtstart=datetime(2026, 1, 1))  # noqa: DTZ001  # days of a calendar have no zone
    except (ValueError, TypeError, KeyError) as error:
        raise Invalid("rule", f"cannot be read: {error}") from None
    return text


def days(shift: Shift, first: date, last: date) -> frozenset[date]:
    """The days from `first` to `last` on which the shift takes place."""
    last = min(last, shift.last_date or last)
    if last < max(first, shift.first_date):
        return frozenset()
    return _days(shift.rule, shift.first_date, first, last) - frozenset(shift.exceptions)


def look_ahead(shift: Shift) -> list[date]:
    """Its days in the first years, in order: for `shifts.check`."""
    return sorted(days(shift, shift.first_date, shift.first_date + LOOK_AHEAD))


def days_of_all(shifts: Iterable[Shift], first: date, last: date) -> dict[int, frozenset[date]]:
    """The days of each shift, by its id."""
    return {shift.id: days(shift, first, last) for shift in shifts}


@lru_cache(maxsize=512)
def _days(rule: str, start: date, first: date, last: date) -> frozenset[date]:
    until = _midnight(last)
    parsed = cast("rrule", rrulestr(rule, dtstart=_midnight(start)))
    named = dict(part.partition("=")[::2] for part in rule.split(";"))
    if "COUNT" not in named:
        # a rule that never comes true again would be sought until the year 9999
        own = datetime.strptime(named["UNTIL"], "%Y%m%d") if "UNTIL" in named else until  # noqa: DTZ007
        parsed = parsed.replace(until=min(until, own))
    return frozenset(moment.date() for moment in parsed.between(_midnight(first), until, inc=True))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001  # days of a calendar have no zone
