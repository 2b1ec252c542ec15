"""Coverage: whether the roster has enough people in every queue at every moment, and what is wrong with it.

Counterpart: `roster.py` for who is rostered when, `workload.py` for how many the calls of the past would need.

A shift's overlap does not count for coverage: those who hand over are on their way out. Who has a standing place counts
at any time. A retired operator counts until then.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.domain.books import Books
from gateway.domain.roster import Duty, Plan
from gateway.domain.shifts import moment
from gateway.domain.workload import HALF_HOUR

NIGHT_BEGINS, NIGHT_ENDS = time(22), time(6)
"""By the clock of the centre's zone."""

People = frozenset[int]
"""The ids of operators."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch of time in which a queue has fewer people on the roster than its minimum."""

    queue: str
    starts_at: datetime
    ends_at: datetime
    rostered: int
    minimum: int


@dataclass(frozen=True, slots=True)
class Staffing:
    """Who is rostered in a queue for a whole half hour, by id, and how many are there when the fewest are."""

    operators: tuple[int, ...]
    rostered: int


@dataclass(frozen=True, slots=True, order=True)
class Stint:
    """One operator's time in one shift, in however many queues. A shift that an absence cuts in two is two stints."""

    starts_at: datetime
    ends_at: datetime
    leaves_at: datetime
    shift_id: int
    date: date

    def is_of(self, other: "Stint") -> bool:
        """Whether both are of the same shift on the same day."""
        return (self.shift_id, self.date) == (other.shift_id, other.date)


@dataclass(frozen=True, slots=True)
class DoubleBooking:
    """A time in which an operator is to work two shifts at once."""

    operator_id: int
    starts_at: datetime
    ends_at: datetime
    shifts: tuple[Stint, Stint]


@dataclass(frozen=True, slots=True)
class ShortRest:
    """An operator's time between two shifts, where it is shorter than the rules have it; it begins when he leaves."""

    operator_id: int
    starts_at: datetime
    ends_at: datetime
    before: Stint
    after: Stint

    @property
    def rest(self) -> timedelta:
        return max(self.ends_at - self.starts_at, timedelta(0))


@dataclass(frozen=True, slots=True)
class LoneNight:
    """A time of the night in which nobody but this operator is rostered in any queue."""

    operator_id: int
    starts_at: datetime
    ends_at: datetime


# ---------------------------------------------------------------- enough people


def holes(books: Books, plan: Plan, since: datetime, until: datetime) -> list[Hole]:
    """The holes of every queue with a minimum, from `since` to `until`, in order of their start."""
    found: list[Hole] = []
    by_queue = _by_queue(books, plan, since, until)
    for queue in books.queues.values():
        if queue.minimum:
            standing = _standing(books, queue.name)
            for starts_at, ends_at, there in stretches(by_queue.get(queue.name, ()), since, until):
                rostered = len(standing | there)
                if rostered < queue.minimum:
                    found.append(Hole(queue.name, starts_at, ends_at, rostered, queue.minimum))
    return sorted(found, key=lambda hole: (hole.starts_at, hole.queue))


def staffing(books: Books, plan: Plan, half_hours: Sequence[datetime]) -> dict[str, list[Staffing]]:
    """Who is rostered in each queue in each of the half hours, which follow on one another and are given by their
    starts. Where people change within a half hour, those who are there for all of it are named, and as many are counted
    as are there when the fewest are: fewer than the queue's minimum where the half hour touches a hole, and nowhere
    else."""
    if not half_hours:
        return {queue: [] for queue in books.queues}
    since, until = half_hours[0], half_hours[-1] + HALF_HOUR
    by_queue = _by_queue(books, plan, since, until)
    return {
        queue: list(_in_half_hours(by_queue.get(queue, ()), _standing(books, queue), since, until))
        for queue in books.queues
    }


def _in_half_hours(duties: Iterable[Duty], standing: People, since: datetime, until: datetime) -> Iterator[Staffing]:
    at, parts = since, list[People]()
    for _, ends_at, there in stretches(duties, since, until):
        people = standing | there
        if parts:
            parts.append(people)
            if ends_at < at + HALF_HOUR:
                continue
            yield _staffing(parts)
            at, parts = at + HALF_HOUR, []
        alone = _staffing([people])
        while at + HALF_HOUR <= ends_at:
            yield alone
            at += HALF_HOUR
        if at < ends_at:
            parts = [people]


def _staffing(parts: Sequence[People]) -> Staffing:
    return Staffing(tuple(sorted(frozenset.intersection(*parts))), min(map(len, parts)))


def stretches(
    duties: Iterable[Duty], since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime, frozenset[int]]]:
    """The time from `since` to `until` in stretches of the same people, with their ids."""
    comes: dict[datetime, list[int]] = {}
    goes: dict[datetime, list[int]] = {}
    for duty in duties:
        starts_at, ends_at = max(duty.starts_at, since), min(duty.ends_at, until)
        if starts_at < ends_at:
            comes.setdefault(starts_at, []).append(duty.operator_id)
            goes.setdefault(ends_at, []).append(duty.operator_id)
    there: Counter[int] = Counter()
    place, people = since, frozenset[int]()
    for at in sorted({*comes, *goes, until}):
        for operator_id in goes.get(at, ()):
            there[operator_id] -= 1
        for operator_id in comes.get(at, ()):
            there[operator_id] += 1
        now = frozenset(+there)
        if at < until and now == people:
            continue
        if at > place:
            yield place, at, people
        place, people = at, now


def worse(after: Iterable[Hole], before: Iterable[Hole]) -> list[Hole]:
    """What of the holes `after` a change was not a hole, or not so deep, `before` it."""
    known: dict[str, list[Hole]] = {}
    for hole in before:
        known.setdefault(hole.queue, []).append(hole)
    found: list[Hole] = []
    for hole in after:
        rest = [(hole.starts_at, hole.ends_at)]
        for old in known.get(hole.queue, ()):
            if old.rostered <= hole.rostered:
                rest = [part for start, end in rest for part in _minus(start, end, old)]
        found += [Hole(hole.queue, start, end, hole.rostered, hole.minimum) for start, end in rest]
    return found


def _minus(start: datetime, end: datetime, old: Hole) -> Iterator[tuple[datetime, datetime]]:
    if old.ends_at <= start or old.starts_at >= end:
        yield start, end
        return
    if start < old.starts_at:
        yield start, old.starts_at
    if old.ends_at < end:
        yield old.ends_at, end


# ---------------------------------------------------------------- fair to people


def double_bookings(books: Books, plan: Plan, since: datetime, until: datetime) -> list[DoubleBooking]:
    """The times in which an operator is to work two shifts at once, as far as they touch that time, in order of their
    start. The same shift in several queues is one."""
    found: list[DoubleBooking] = []
    for operator_id, stints in _stints(books, plan).items():
        going_on: list[Stint] = []
        for stint in stints:
            going_on = [each for each in going_on if each.ends_at > stint.starts_at]
            for other in going_on:
                ends_at = min(other.ends_at, stint.ends_at)
                if not other.is_of(stint) and stint.starts_at < min(ends_at, until) and ends_at > since:
                    found.append(DoubleBooking(operator_id, stint.starts_at, ends_at, (other, stint)))
            going_on.append(stint)
    return sorted(found, key=lambda each: (each.starts_at, each.operator_id))


def short_rests(books: Books, plan: Plan, since: datetime, until: datetime) -> list[ShortRest]:
    """The rests between an operator's shifts that are shorter than the rules have it and end in that time, in order of
    their end. Two shifts at once have no rest between them: they are a double booking."""
    least = timedelta(hours=books.rules.least_rest_h)
    found: list[ShortRest] = []
    for operator_id, stints in _stints(books, plan).items():
        last: Stint | None = None
        for stint in stints:
            if last and not last.is_of(stint) and last.ends_at <= stint.starts_at and since <= stint.starts_at < until:
                rest = ShortRest(operator_id, last.leaves_at, stint.starts_at, last, stint)
                if rest.rest < least:
                    found.append(rest)
            # of two shifts at once the one that lasts longer says when the rest begins
            last = max(last or stint, stint, key=lambda each: each.leaves_at)
    return sorted(found, key=lambda each: (each.ends_at, each.operator_id))


def lone_nights(books: Books, plan: Plan, since: datetime, until: datetime) -> list[LoneNight]:
    """The times between 22:00 and 06:00, by the clock of the plan's zone, in which exactly one operator is rostered
    over all queues, in order."""
    by_queue = _by_queue(books, plan, since, until)
    duties = [duty for queue in books.queues for duty in by_queue.get(queue, ())]
    standing = frozenset[int]().union(*(_standing(books, queue) for queue in books.queues))
    nights = list(_nights(plan.zone, since, until))
    found: list[LoneNight] = []
    for starts_at, ends_at, there in stretches(duties, since, until):
        people = standing | there
        if len(people) != 1:
            continue
        [operator_id] = people
        for begins, ends in nights:
            first, last = max(starts_at, begins), min(ends_at, ends)
            if first >= last:
                continue
            if found and (found[-1].operator_id, found[-1].ends_at) == (operator_id, first):
                first = found.pop().starts_at  # alone with a standing place, and then on duty too: still the same
            found.append(LoneNight(operator_id, first, last))
    return found


def _nights(zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    day, last = since.astimezone(zone).date() - timedelta(days=1), until.astimezone(zone).date()
    while day <= last:
        following = day + timedelta(days=1)
        yield moment(day, NIGHT_BEGINS, zone), moment(following, NIGHT_ENDS, zone)
        day = following


# ---------------------------------------------------------------- who counts


def serves(books: Books, duty: Duty) -> bool:
    """Whether the operator is known and, if retired, was not yet when the duty began."""
    operator = books.operators.get(duty.operator_id)
    return operator is not None and (operator.retired_at is None or duty.starts_at < operator.retired_at)


def _by_queue(books: Books, plan: Plan, since: datetime, until: datetime) -> Mapping[str, list[Duty]]:
    """The duties that touch that time, of those who serve."""
    found: dict[str, list[Duty]] = {}
    for duty in plan.duties:
        if duty.ends_at > since and duty.starts_at < until and serves(books, duty):
            found.setdefault(duty.queue, []).append(_until_retired(books, duty))
    return found


def _until_retired(books: Books, duty: Duty) -> Duty:
    retired_at = books.operators[duty.operator_id].retired_at
    return duty if retired_at is None or duty.ends_at <= retired_at else replace(duty, ends_at=retired_at)


def _stints(books: Books, plan: Plan) -> Mapping[int, list[Stint]]:
    """What each operator is to work, in order of its start."""
    found: defaultdict[int, set[Stint]] = defaultdict(set)
    for duty in plan.duties:
        if serves(books, duty):
            found[duty.operator_id].add(Stint(duty.starts_at, duty.ends_at, duty.leaves_at, duty.shift_id, duty.date))
    return {operator_id: sorted(stints) for operator_id, stints in found.items()}


def _standing(books: Books, queue: str) -> People:
    phones = {member.phone for member in books.standing if member.queue == queue}
    return frozenset(
        operator.id for operator in books.operators.values() if operator.is_active and operator.phone in phones
    )
