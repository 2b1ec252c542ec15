"""On which days something takes place: iCalendar's RRULE and EXDATE (RFC 5545), worked out by dateutil.

Counterpart: `domain/shifts.py`, which knows times of day and no rules. What dateutil would take and never come back
from (an interval of nothing, a rule by the second) is refused here.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import cast

from dateutil.rrule import rrule, rrulestr

from gateway.domain.kept import Invalid
from gateway.domain.roster import LAST_DAY
from gateway.domain.shifts import Shift

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_WEEKDAY = "(MO|TU|WE|TH|FR|SA|SU)"
PARTS: Mapping[str, str] = {
    "FREQ": "|".join(FREQUENCIES),
    "INTERVAL": "[1-9][0-9]?|[12][0-9]{2}|3[0-5][0-9]|36[0-6]",
    "BYDAY": f"([+-]?[1-5])?{_WEEKDAY}(,([+-]?[1-5])?{_WEEKDAY})*",
    "BYMONTHDAY": "-?([1-9]|[12][0-9]|3[01])(,-?([1-9]|[12][0-9]|3[01]))*",
    "BYMONTH": "([1-9]|1[0-2])(,([1-9]|1[0-2]))*",
    "BYSETPOS": "-?[1-9][0-9]?(,-?[1-9][0-9]?)*",
    "WKST": _WEEKDAY,
    "COUNT": "[1-9][0-9]{0,3}",
    "UNTIL": "[0-9]{8}",
}
"""What a rule may be made of, and how each part is written (RFC 5545, 3.3.10), without what a shift has no use for."""
_OF_LONG_FREQUENCIES = frozenset({"BYMONTHDAY", "BYSETPOS"})
"""A rule of days or weeks has no use for them, and where it never comes true dateutil would try each day until 9999."""
LONGEST_RULE = 200
LOOK_AHEAD = timedelta(days=5 * 366)
"""How far a new shift is looked through: every kind of year lies in it."""


def checked(rule: str) -> str:
    """The rule in capitals, without the word RRULE. Raises Invalid, with the reason in words."""
    text = rule.strip().upper().removeprefix("RRULE:")
    if len(text) > LONGEST_RULE:
        raise Invalid("rule", f"is longer than {LONGEST_RULE} characters")
    written = [part.partition("=")[::2] for part in text.split(";")]
    parts = dict(written)
    if unknown := sorted(parts.keys() - PARTS.keys()):
        raise Invalid("rule", f"{unknown[0] or 'an empty part'} is not among {', '.join(sorted(PARTS))}")
    if len(parts) < len(written):
        raise Invalid("rule", "names a part twice")
    if parts.get("FREQ") not in FREQUENCIES:
        raise Invalid("rule", f"FREQ must be one of {', '.join(FREQUENCIES)}")
    for name, value in written:
        if not re.fullmatch(PARTS[name], value):
            raise Invalid("rule", f"{name} cannot be {value[:40] or 'empty'} (RFC 5545, 3.3.10)")
    if misplaced := sorted(parts.keys() & _OF_LONG_FREQUENCIES if parts["FREQ"] in ("DAILY", "WEEKLY") else ()):
        raise Invalid("rule", f"{misplaced[0]} goes with MONTHLY and YEARLY")
    if parts["FREQ"] == "DAILY" and "BYDAY" in parts and parts.get("INTERVAL", "1") != "1":
        raise Invalid("rule", "BYDAY and INTERVAL together go with WEEKLY")
    if "COUNT" in parts and "UNTIL" in parts:
        raise Invalid("rule", "ends by COUNT or by UNTIL, and not by both")
    if "BYSETPOS" in parts and not any(name in parts for name in ("BYDAY", "BYMONTHDAY", "BYMONTH")):
        raise Invalid("rule", "BYSETPOS chooses among the days of another BY part, and there is none")
    try:
        rrulestr(text, dtstart=datetime(2026, 1, 1))  # noqa: DTZ001  # days of a calendar have no zone
    except (ValueError, TypeError, KeyError) as error:
        raise Invalid("rule", f"cannot be read: {error}") from None
    return text


def days(shift: Shift, first: date, last: date) -> frozenset[date]:
    """The days from `first` to `last` on which the shift takes place; none after the last one of all rosters."""
    last = min(last, shift.last_date or last, LAST_DAY)
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
    named = dict(part.partition("=")[::2] for part in rule.removeprefix("RRULE:").split(";"))
    parsed = cast("rrule", rrulestr(rule, dtstart=_midnight(_start_near(first, start, named))))
    until = _midnight(last)
    if "UNTIL" in named:
        until = min(until, datetime.strptime(named["UNTIL"], "%Y%m%d"))  # noqa: DTZ007
    # a rule that never comes true again would be sought until the year 9999: the end is set here, and counted here
    count = int(named["COUNT"]) if "COUNT" in named else None
    found = islice(parsed.replace(until=until, count=None), count)
    return frozenset(day for day in (moment.date() for moment in found) if day >= first)


def _start_near(first: date, start: date, named: Mapping[str, str]) -> date:
    """From when on the rule is the same from `first` on, as late as can be told: dateutil goes through each day from
    the start on, in 0.15 s for a day in 170 years. What is counted, and what goes by months, begins where it does."""
    steps = {"DAILY": 1, "WEEKLY": 7}.get(named["FREQ"])
    if steps is None or "COUNT" in named:
        return start
    steps *= int(named.get("INTERVAL", "1"))
    # one step less: the days of a week before its start's own belong to it, too
    return start + timedelta(days=max(0, (first - start).days // steps - 1) * steps)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001  # days of a calendar have no zone
