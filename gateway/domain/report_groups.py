"""Which calls a report counts together: those of an hour, a day or a month by the clock of the centre's zone, those of
a queue, a carrier's trunk, an operator or a shift.

Counterparts: `reports.py` makes figures of each group; `gateway/store/report_reads.py` counts by what stands here.

An hour that the zone's clocks go through twice is two, each with its own offset; one that they skip is none.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from gateway.domain.roster import LONGEST_SHIFT, Duty
from gateway.domain.shifts import moment

DAY = timedelta(days=1)
HOUR_S, DAY_S = 3600, 86_400
HOURS_OF_DAY = 24
MOST_DAYS = 400
MOST_DAYS_IN_PARTS = 62
"""By hour and by shift a report is long, and the roster of many days is, too."""
PIECE = timedelta(days=31)
"""So much is counted in one go."""
ANSWERED_WITHIN = timedelta(hours=6)
"""So long after the last of its calls arrived a report looks for who was on shift when they were answered."""
_EPOCH = date(1970, 1, 1)


class By(StrEnum):
    """What the calls are told apart by."""

    NONE = "none"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    HOUR_OF_DAY = "hour_of_day"
    QUEUE = "queue"
    TRUNK = "trunk"
    OPERATOR = "operator"
    SHIFT = "shift"

    @property
    def most_days(self) -> int:
        """How many days a report may have."""
        return MOST_DAYS_IN_PARTS if self in (By.HOUR, By.SHIFT) else MOST_DAYS


@dataclass(frozen=True, slots=True)
class Offset:
    """From that moment on the zone's clocks are so many seconds ahead of UTC."""

    since: datetime
    ahead_s: int


@dataclass(frozen=True, slots=True)
class Stint:
    """One operator works in the shift `place` (a number of this report's) from one moment to another."""

    operator_id: int
    since: datetime
    until: datetime
    place: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a report's time that is counted in one go. `month` is the group of all its calls, by month."""

    since: datetime
    until: datetime
    offsets: tuple[Offset, ...]
    month: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report is to count. Calls of one queue or trunk alone, where one is named."""

    by: By
    pieces: tuple[Piece, ...]
    queue: str | None = None
    trunk: str | None = None
    stints: tuple[Stint, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A group by the clock: its key, and when it begins and ends, in the zone's own time."""

    key: int
    starts_at: datetime
    ends_at: datetime


def pieces(by: By, first: date, last: date, zone: ZoneInfo) -> tuple[Piece, ...]:
    """The days from `first` to `last` in pieces; each begins at a midnight of the zone."""
    found: list[Piece] = []
    day = first
    while day <= last:
        after = min(day + PIECE, last + DAY)
        if by is By.MONTH:
            after = min(_next_month(day), after)
        since, until = midnight(day, zone), midnight(after, zone)
        found.append(Piece(since, until, offsets(zone, since, until), month_key(day)))
        day = after
    return tuple(found)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When the day begins, in UTC."""
    return moment(day, time(0), zone)


def offsets(zone: ZoneInfo, since: datetime, until: datetime) -> tuple[Offset, ...]:
    """How far the zone's clocks are ahead of UTC from `since` to `until`, with each change to the second."""
    found = [Offset(since, _ahead_s(since, zone))]
    at = since
    while at < until:
        after = min(at + DAY, until)
        if _ahead_s(after, zone) != found[-1].ahead_s:
            change = _change(at, after, zone)
            if change < until:
                found.append(Offset(change, _ahead_s(change, zone)))
        at = after
    return tuple(found)


def spans(by: By, first: date, last: date, zone: ZoneInfo) -> Iterator[Span]:
    """Every group by the clock that has a moment in those days, in order; none where the groups are no such."""
    if by is By.HOUR:
        yield from _hours(midnight(first, zone), midnight(last + DAY, zone), zone)
        return
    day = first
    while by in (By.DAY, By.MONTH) and day <= last:
        after = day + DAY if by is By.DAY else _next_month(day)
        key = day_key(day) if by is By.DAY else month_key(day)
        ends = min(after, last + DAY)
        yield Span(key, midnight(day, zone).astimezone(zone), midnight(ends, zone).astimezone(zone))
        day = ends


def day_key(day: date) -> int:
    """Days since 1970."""
    return (day - _EPOCH).days


def month_key(day: date) -> int:
    """Months since the year 0."""
    return day.year * 12 + day.month - 1


def stints(duties: Iterable[Duty]) -> tuple[tuple[Stint, ...], tuple[tuple[int, date], ...]]:
    """Who worked in which shift when, no operator in two at once, and the shifts (id and day) by their places, in order
    of start. Where two shifts of an operator overlap, he is in the one that began last: in the overlap after the other
    one he hands over."""
    shifts: dict[tuple[int, date], int] = {}
    of_operator: dict[int, list[Duty]] = {}
    for duty in sorted(duties, key=lambda each: (each.starts_at, each.shift_id, each.date)):
        shifts.setdefault((duty.shift_id, duty.date), len(shifts))
        of_operator.setdefault(duty.operator_id, []).append(duty)
    found: list[Stint] = []
    for operator_id, his in of_operator.items():
        edges = sorted({edge for duty in his for edge in (duty.starts_at, duty.leaves_at)})
        for since, until in pairwise(edges):
            there = [duty for duty in his if duty.covers(since)]
            if there:
                place = shifts[there[-1].shift_id, there[-1].date]
                if found and (found[-1].operator_id, found[-1].until, found[-1].place) == (operator_id, since, place):
                    found[-1] = Stint(operator_id, found[-1].since, until, place)
                else:
                    found.append(Stint(operator_id, since, until, place))
    return tuple(found), tuple(shifts)


def first_day_of_roster(first: date) -> date:
    """From which day on a shift can reach into the days of the report."""
    return first - timedelta(days=LONGEST_SHIFT.days)


def name_of_hour(starts_at: datetime) -> str:
    return starts_at.isoformat(timespec="minutes")


def _hours(since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[Span]:
    """Each hour of the clock, cut where the clocks change: its key is the start of the whole hour by its own offset."""
    changes = offsets(zone, since, until)
    for place, offset in enumerate(changes):
        ends = changes[place + 1].since if place + 1 < len(changes) else until
        at = offset.since
        while at < ends:
            key = hour_key(at, offset.ahead_s)
            after = min(datetime.fromtimestamp(key + HOUR_S, UTC), ends)
            yield Span(key, at.astimezone(zone), after.astimezone(zone))
            at = after


def hour_key(at: datetime, ahead_s: int) -> int:
    """When the hour of the clock began, in seconds since 1970, by the offset of `at`."""
    return (math.floor(at.timestamp()) + ahead_s) // HOUR_S * HOUR_S - ahead_s


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _ahead_s(at: datetime, zone: ZoneInfo) -> int:
    ahead = at.astimezone(zone).utcoffset()
    return int(ahead.total_seconds()) if ahead else 0


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The second from which on the zone's clocks go as at `after`."""
    low, high = int(before.timestamp()), int(after.timestamp())
    goal = _ahead_s(after, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if _ahead_s(datetime.fromtimestamp(middle, UTC), zone) == goal:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)
