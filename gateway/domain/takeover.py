"""What a file's lines come to in the roster: which assignments they add, which they end, and what is there already.

Counterparts: `exchange.py` reads the lines; `gateway/importing.py` brings the roster of their days and stores what
comes of it.

A line and an assignment are compared by the days that they hold, and not by how these are cut up: a line for each day
of a week and one assignment over the whole of it are the same. Where an operator has the same shift and queue twice on
one day, the lower penalty holds, as it does in the queue.
"""

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from gateway.domain.books import Books
from gateway.domain.exchange import Fault, Line, Sheet, shown
from gateway.domain.operators import Operator
from gateway.domain.roster import Assignment, Plan
from gateway.domain.shifts import Shift

DAY = timedelta(days=1)
Key = tuple[int, int, str]
"""Operator, shift and queue."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days without a gap, from the first to the last, with one penalty."""

    first: date
    last: date
    penalty: int


@dataclass(slots=True)
class Resolved:
    """The lines whose names are known, each with the assignment that it asks for; and what is wrong with others."""

    wanted: list[tuple[Line, Assignment]] = field(default_factory=list)
    repeated: int = 0
    """Lines that say the same as one before them."""
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)


@dataclass(slots=True)
class Takeover:
    """What is to be stored. `outside` are the parts of what is `ended` that lie before or after the file's days: they
    go on, as assignments of their own."""

    added: list[Assignment] = field(default_factory=list)
    ended: list[Assignment] = field(default_factory=list)
    outside: list[Assignment] = field(default_factory=list)
    cut: int = 0
    """How many of what is ended go on outside."""
    unchanged: int = 0
    """Lines that hold already."""
    faults: list[Fault] = field(default_factory=list)


def key_of(assignment: Assignment) -> Key:
    return assignment.operator_id, assignment.shift_id, assignment.queue


# ---------------------------------------------------------------- names


def resolve(sheet: Sheet, books: Books, now: datetime) -> Resolved:
    """Finds whom and what the lines name, and lines that contradict one another."""
    found = Resolved()
    people = {operator.phone: operator for operator in books.operators.values()}
    shifts = _by_name(books.plan.shifts.values())
    for line in sheet.damaged:
        found.faults += _name_faults(line, books, people.get(line.phone), _shift(shifts, line))
    for line in sheet.lines:
        operator, shift = people.get(line.phone), _shift(shifts, line)
        faults = list(_name_faults(line, books, operator, shift))
        found.faults += faults
        if faults or operator is None or not isinstance(shift, Shift):
            continue
        if line.name and _plain(line.name) != _plain(operator.name):
            found.warnings.append(Fault(line.number, "name", f"phone {line.phone} is {operator.name}'s"))
        assignment = Assignment(
            operator_id=operator.id,
            shift_id=shift.id,
            queue=line.queue.lower(),
            penalty=line.penalty,
            first_date=line.first,
            last_date=line.last,
            created_at=now,
        )
        found.wanted.append((line, assignment))
    _leave_out_repeated(found)
    return found


def _name_faults(line: Line, books: Books, operator: Operator | None, shift: Shift | str) -> Iterator[Fault]:
    if line.shift and isinstance(shift, str):
        yield Fault(line.number, "shift", shift)
    if line.phone and operator is None:
        yield Fault(line.number, "phone", f"no operator has phone {shown(line.phone)}")
    if line.queue and line.queue.lower() not in books.queues:
        yield Fault(line.number, "queue", f"there is no queue {shown(line.queue)}")


def _by_name(shifts: Iterable[Shift]) -> Mapping[str, list[Shift]]:
    found: dict[str, list[Shift]] = {}
    for shift in shifts:
        found.setdefault(shift.name.casefold(), []).append(shift)
    return found


def _shift(shifts: Mapping[str, list[Shift]], line: Line) -> Shift | str:
    """The shift of that name, in whatever case where there is but one; else the reason why there is none."""
    alike = shifts.get(line.shift.casefold(), [])
    if exact := [shift for shift in alike if shift.name == line.shift]:
        return exact[0]
    if not alike:
        return f"there is no shift {shown(line.shift)}"
    return alike[0] if len(alike) == 1 else f"{shown(line.shift)} may be {' or '.join(each.name for each in alike)}"


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _leave_out_repeated(found: Resolved) -> None:
    """Counts lines that say the same as an earlier one, and finds those that say something else of the same days."""
    by_key: dict[Key, list[tuple[Line, Assignment]]] = {}
    for line, assignment in found.wanted:
        by_key.setdefault(key_of(assignment), []).append((line, assignment))
    gone: set[int] = set()
    for same in by_key.values():
        same.sort(key=lambda each: (each[0].first, each[0].number))
        latest: Line | None = None
        for line, _ in same:
            if latest is not None and line.first <= latest.last:
                gone.add(max(line.number, latest.number))
                if (line.first, line.last, line.penalty) == (latest.first, latest.last, latest.penalty):
                    found.repeated += 1
                    continue
                earlier, later = sorted((line.number, latest.number))
                found.faults.append(
                    Fault(later, "date", f"{line.phone} has the same shift and queue on the same day in line {earlier}")
                )
            if latest is None or line.last > latest.last:
                latest = line
    found.wanted = [each for each in found.wanted if each[0].number not in gone]


# ---------------------------------------------------------------- the other way


def lines_of(books: Books, plan: Plan, first: date, last: date) -> list[Line]:
    """The assignments of those days as lines, each as it is kept, but for what of it lies outside of them. Where
    somebody has the same shift and queue twice on one day, what holds is told instead."""
    by_key: dict[Key, list[Stretch]] = {}
    for there in effective(plan.assignments, books, plan):
        if there.first_date <= last and there.last_date >= first:
            by_key.setdefault(key_of(there), []).append(_clipped(there, (first, last)))
    found: list[tuple[tuple[object, ...], Line]] = []
    for (operator_id, shift_id, queue), kept in by_key.items():
        operator, shift = books.operators[operator_id], plan.shifts[shift_id]
        kept.sort(key=lambda each: each.first)
        is_twice = any(after.first <= before.last for before, after in pairwise(kept))
        for each in profile(kept) if is_twice else kept:
            line = Line(0, each.first, each.last, shift.name, operator.phone, queue, each.penalty, operator.name)
            found.append(((each.first, shift.start, shift.name, queue, each.penalty, operator.phone, each.last), line))
    return [line for _, line in sorted(found, key=lambda each: each[0])]


# ---------------------------------------------------------------- days


def take_over(
    resolved: Resolved, books: Books, plan: Plan, span: tuple[date, date], *, replaces: bool, now: datetime
) -> Takeover:
    """What the lines come to in the roster of their days, which `plan` holds. Where they replace what is there, it is
    all that is there in that span for the queues that the file names; else they only add.

    What holds nobody (an assignment of somebody, of a shift or for a queue that is retired) is left as it is.
    """
    made = Takeover(unchanged=resolved.repeated)
    wanted: dict[Key, list[tuple[Line, Assignment]]] = {}
    for line, assignment in resolved.wanted:
        wanted.setdefault(key_of(assignment), []).append((line, assignment))
    queues = {queue for _, _, queue in wanted}
    held: dict[Key, list[Assignment]] = {}
    for each in effective(plan.assignments, books, plan):
        if each.first_date <= span[1] and each.last_date >= span[0] and each.queue in queues:
            held.setdefault(key_of(each), []).append(each)
    added: list[tuple[int, Assignment]] = []
    for key in dict.fromkeys((*wanted, *(held if replaces else ()))):
        lines, there = wanted.get(key, []), held.get(key, [])
        inside = profile(_clipped(each, span) for each in there)
        if replaces:
            asked = profile(_clipped(each, span) for _, each in lines)
            if asked != inside:
                stays = {each.id: _has(asked, _clipped(each, span)) for each in there}
                _end(made, (each for each in there if not stays[each.id]), span, now)
                inside = profile(_clipped(each, span) for each in there if stays[each.id])
        for line, assignment in lines:
            added += ((line.number, each) for each in _pieces(made, line, assignment, inside, plan))
    made.added = [each for _, each in sorted(added, key=lambda each: (each[0], each[1].first_date))]
    return made


def effective(assignments: Iterable[Assignment], books: Books, plan: Plan) -> Iterator[Assignment]:
    """Those of the assignments that hold somebody: of people, shifts and queues that are in use."""
    for each in assignments:
        if each.operator_id in books.operators and each.shift_id in plan.shifts and each.queue in books.queues:
            yield each


def profile(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """The same days in order: nowhere twice, with the lowest penalty of each, and as few stretches as that takes."""
    waiting = sorted(stretches, key=lambda each: each.first)
    edges = sorted({edge for each in waiting for edge in (each.first, each.last + DAY)})
    found: list[Stretch] = []
    open_now: list[tuple[int, date]] = []
    place = 0
    for edge, following in pairwise(edges):
        while place < len(waiting) and waiting[place].first == edge:
            heapq.heappush(open_now, (waiting[place].penalty, waiting[place].last))
            place += 1
        while open_now and open_now[0][1] < edge:
            heapq.heappop(open_now)
        if not open_now:
            continue
        made = Stretch(edge, following - DAY, open_now[0][0])
        if found and found[-1].last + DAY == made.first and found[-1].penalty == made.penalty:
            made = replace(found.pop(), last=made.last)
        found.append(made)
    return tuple(found)


def _clipped(assignment: Assignment, span: tuple[date, date]) -> Stretch:
    return Stretch(max(assignment.first_date, span[0]), min(assignment.last_date, span[1]), assignment.penalty)


def _touching(there: Sequence[Stretch], first: date, last: date) -> Iterator[Stretch]:
    """Those of a profile that touch these days."""
    for place in range(max(0, bisect_right(there, first, key=lambda each: each.first) - 1), len(there)):
        if there[place].first > last:
            return
        if there[place].last >= first:
            yield there[place]


def _has(there: Sequence[Stretch], stretch: Stretch) -> bool:
    """Whether the profile has all of these days with this penalty."""
    return any(
        each.first <= stretch.first and each.last >= stretch.last and each.penalty == stretch.penalty
        for each in _touching(there, stretch.first, stretch.last)
    )


def _end(made: Takeover, gone: Iterable[Assignment], span: tuple[date, date], now: datetime) -> None:
    for each in gone:
        made.ended.append(replace(each, retired_at=now))
        new = replace(each, id=0, version=0, created_at=now)
        made.cut += each.first_date < span[0] or each.last_date > span[1]
        if each.first_date < span[0]:
            made.outside.append(replace(new, last_date=span[0] - DAY))
        if each.last_date > span[1]:
            made.outside.append(replace(new, first_date=span[1] + DAY))


def _pieces(
    made: Takeover, line: Line, assignment: Assignment, inside: Sequence[Stretch], plan: Plan
) -> Iterator[Assignment]:
    """What of the line is not there yet, as assignments."""
    rest, at = [], line.first
    for there in _touching(inside, line.first, line.last):
        if there.penalty != line.penalty:
            made.faults.append(
                Fault(
                    line.number,
                    "penalty",
                    f"{line.phone} has that shift already on {max(there.first, line.first)}, with penalty "
                    f"{there.penalty}: only an import that replaces can change it",
                )
            )
            return
        if there.first > at:
            rest.append(replace(assignment, first_date=at, last_date=there.first - DAY))
        at = there.last + DAY
    if at <= line.last:
        rest.append(replace(assignment, first_date=at))
    pieces = [each for each in rest if plan.holds(each)]
    if rest and not pieces and not plan.holds(assignment):
        name = plan.shifts[assignment.shift_id].name
        made.faults.append(Fault(line.number, "date", f"shift {name} does not take place on any day of this line"))
        return
    if not pieces:
        made.unchanged += 1
    yield from pieces
