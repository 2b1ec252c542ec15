"""The roster: who is to be there when, and in which queues. Assignments, less absences, with approved swaps.

Counterpart: `shifts.py` for the times, `presence.py` for what operators themselves do, `books.py` for what of it goes
to Asterisk.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import ClassVar, TypeVar
from zoneinfo import ZoneInfo

from gateway.domain.kept import Kept
from gateway.domain.shifts import Occurrence, Shift, occurrence

_Thing = TypeVar("_Thing", bound=Kept)

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
"""No roster reaches further."""
LONGEST_RANGE = timedelta(days=3 * 366)
"""An assignment, an absence or a file of them is not for longer."""
LONGEST_SHIFT = timedelta(days=2)
"""A shift with its overlap is over after that: whoever looks for what is going on need not look further back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment(Kept):
    """An operator works a shift, on each of its days from the first to the last date, and answers one queue in it."""

    KIND: ClassVar[str] = "assignment"

    operator_id: int
    shift_id: int
    queue: str
    penalty: int = 0
    first_date: date
    last_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence(Kept):
    """An operator is away from one moment to another, whatever the assignments say."""

    KIND: ClassVar[str] = "absence"

    operator_id: int
    from_at: datetime
    until_at: datetime
    reason: str = ""


class SwapState(StrEnum):
    """How far a swap has come."""

    ASKED = "asked"
    TAKEN = "taken"
    """A colleague has said yes; a supervisor has not yet."""
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


SWAP_STEPS: Mapping[SwapState, frozenset[SwapState]] = {
    SwapState.ASKED: frozenset({SwapState.TAKEN, SwapState.REFUSED, SwapState.WITHDRAWN}),
    SwapState.TAKEN: frozenset({SwapState.ASKED, SwapState.APPROVED, SwapState.REFUSED, SwapState.WITHDRAWN}),
    SwapState.APPROVED: frozenset(),
    SwapState.REFUSED: frozenset(),
    SwapState.WITHDRAWN: frozenset(),
}
"""What may follow on what. A colleague who changes his mind gives the shift back to be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap(Kept):
    """An operator asks to be relieved of one shift on one day; a colleague takes it; a supervisor approves."""

    KIND: ClassVar[str] = "swap"

    operator_id: int
    shift_id: int
    date: date
    state: SwapState = SwapState.ASKED
    taken_by: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCall(Kept):
    """Who is rung when a shift is short: in order of `place`, at the phone, or at a number over a trunk."""

    KIND: ClassVar[str] = "on_call"

    operator_id: int
    place: int
    queues: tuple[str, ...] = ()
    """Which queues' shortness is this person's business; empty: every one's."""
    number: str | None = None
    trunk: str | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None

    def is_ready(self, at: datetime) -> bool:
        """Whether this person may be rung at that time."""
        return (self.from_at is None or self.from_at <= at) and (self.until_at is None or at < self.until_at)


@dataclass(frozen=True, slots=True)
class Duty:
    """One operator in one queue for one stretch of one shift. Times are UTC; it is over at `leaves_at`."""

    operator_id: int
    queue: str
    penalty: int
    shift_id: int
    date: date
    starts_at: datetime
    ends_at: datetime
    leaves_at: datetime

    def covers(self, at: datetime) -> bool:
        return self.starts_at <= at < self.leaves_at


@dataclass(frozen=True)
class Plan:
    """All of the roster that touches the days from `first` to `last`. `days` tells on which of them each shift takes
    place."""

    zone: ZoneInfo
    first: date
    last: date
    shifts: Mapping[int, Shift] = field(default_factory=dict)
    days: Mapping[int, frozenset[date]] = field(default_factory=dict)
    assignments: tuple[Assignment, ...] = ()
    absences: tuple[Absence, ...] = ()
    swaps: tuple[Swap, ...] = ()

    @cached_property
    def duties(self) -> tuple[Duty, ...]:
        """Every duty that begins on one of the plan's days, in order of its start."""
        return tuple(sorted(self._duties(), key=lambda duty: (duty.starts_at, duty.queue, duty.operator_id)))

    def on_duty(self, at: datetime) -> list[Duty]:
        """The duties that are going on at that time."""
        return [duty for duty in self.duties if duty.covers(at)]

    def next_change(self, after: datetime) -> datetime | None:
        """When somebody comes or goes next; None when nobody does any more in this plan."""
        moments = (moment for duty in self.duties for moment in (duty.starts_at, duty.leaves_at))
        return min((moment for moment in moments if moment > after), default=None)

    def own_next_change(self, operator_id: int, after: datetime) -> datetime | None:
        """When this operator comes or goes next by the roster."""
        moments = (moment for duty in self.of_operator(operator_id) for moment in (duty.starts_at, duty.leaves_at))
        return min((moment for moment in moments if moment > after), default=None)

    def of_operator(self, operator_id: int) -> Iterable[Duty]:
        """The duties of one operator, in order of their start."""
        return self._by_operator.get(operator_id, ())

    def holds(self, assignment: Assignment) -> bool:
        """Whether the assignment's shift takes place on any of its days, as far as they are the plan's."""
        return assignment.shift_id in self.shifts and next(self._days_of(assignment), None) is not None

    def holders(self, shift_id: int, day: date) -> frozenset[int]:
        """Whose that shift is on that day, by assignments and approved swaps; an absence takes it from nobody."""
        return frozenset(
            self._holder(each, day)
            for each in self.assignments
            if each.shift_id == shift_id
            and each.first_date <= day <= each.last_date
            and day in self.days.get(shift_id, frozenset())
        )

    def is_handed_on(self, assignment: Assignment, days: Iterable[date]) -> bool:
        """Whether approved swaps leave the operator none of these days of the assignment."""
        return all(self._holder(assignment, day) != assignment.operator_id for day in days)

    def with_changes(self, *added: Kept) -> "Plan":
        """This plan with things put, new, or instead of those of the same kind and id: what the roster would be."""
        gone = {(thing.KIND, thing.id) for thing in added if thing.id}

        def changed(there: Iterable[_Thing], kind: type[_Thing]) -> tuple[_Thing, ...]:
            stay = [thing for thing in there if (thing.KIND, thing.id) not in gone]
            return (*stay, *(thing for thing in added if isinstance(thing, kind) and thing.is_active))

        return replace(
            self,
            assignments=changed(self.assignments, Assignment),
            absences=changed(self.absences, Absence),
            swaps=changed(self.swaps, Swap),
        )

    @cached_property
    def _by_operator(self) -> Mapping[int, list[Duty]]:
        found: dict[int, list[Duty]] = {}
        for duty in self.duties:
            found.setdefault(duty.operator_id, []).append(duty)
        return found

    @cached_property
    def _handed_on(self) -> Mapping[tuple[int, date], list[tuple[int, int]]]:
        """From whom to whom each shift went on each day, in the order in which the swaps were asked for."""
        found: dict[tuple[int, date], list[tuple[int, int]]] = {}
        for swap in sorted(self.swaps, key=lambda swap: swap.id):
            if swap.state is SwapState.APPROVED and swap.taken_by is not None:
                found.setdefault((swap.shift_id, swap.date), []).append((swap.operator_id, swap.taken_by))
        return found

    def _holder(self, assignment: Assignment, day: date) -> int:
        """Whose the assignment is on that day, after every swap: a colleague may have handed it on, or back."""
        operator_id = assignment.operator_id
        for giver, taker in self._handed_on.get((assignment.shift_id, day), ()):
            if giver == operator_id:
                operator_id = taker
        return operator_id

    def _duties(self) -> Iterator[Duty]:
        away: dict[int, list[Absence]] = {}
        for absence in self.absences:
            away.setdefault(absence.operator_id, []).append(absence)
        known: dict[tuple[int, date], Occurrence] = {}
        for assignment in self.assignments:
            shift = self.shifts.get(assignment.shift_id)
            if shift is None:
                continue
            for day in self._days_of(assignment):
                there = known.get((shift.id, day))
                if there is None:
                    there = known[shift.id, day] = occurrence(shift, day, self.zone)
                operator_id = self._holder(assignment, day)
                yield from _present(_duty(assignment, operator_id, there), away.get(operator_id, ()))

    def _days_of(self, assignment: Assignment) -> Iterator[date]:
        days = self.days.get(assignment.shift_id, frozenset())
        first, last = max(assignment.first_date, self.first), min(assignment.last_date, self.last)
        if first == last:
            if first in days:
                yield first
            return
        for ordinal in range(first.toordinal(), last.toordinal() + 1):
            if (day := date.fromordinal(ordinal)) in days:
                yield day


def _duty(assignment: Assignment, operator_id: int, there: Occurrence) -> Duty:
    return Duty(
        operator_id,
        assignment.queue,
        assignment.penalty,
        assignment.shift_id,
        there.date,
        there.starts_at,
        there.ends_at,
        there.leaves_at,
    )


def _present(duty: Duty, absences: Iterable[Absence]) -> Iterator[Duty]:
    """The duty without the absences: whole, shorter, in two parts, or not at all."""
    parts = [duty]
    for absence in absences:
        parts = [rest for part in parts for rest in _without(part, absence)]
    yield from parts


def _without(duty: Duty, absence: Absence) -> Iterator[Duty]:
    if absence.until_at <= duty.starts_at or absence.from_at >= duty.leaves_at:
        yield duty
        return
    if absence.from_at > duty.starts_at:
        yield replace(duty, ends_at=min(duty.ends_at, absence.from_at), leaves_at=absence.from_at)
    if absence.until_at < duty.leaves_at:
        yield replace(duty, starts_at=absence.until_at, ends_at=max(duty.ends_at, absence.until_at))
