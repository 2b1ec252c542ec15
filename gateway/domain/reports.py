"""Honest clocks: what became of the calls, and how long callers waited, counted from the carrier's INVITE.

Counterparts: `gateway/store/report_reads.py` counts the calls, `report_groups.py` says which of them together;
`gateway/api/reports.py` tells what is made of them here, and what each figure means, in words.

Every figure comes with its count. A wait is the time from the call's arrival to the first person's voice in tenths of
a second, rounded up: never flattered, and of every whole number of seconds it is still exact who was answered within
it. Calls that were abandoned early stay in: in an emergency centre they are callers too.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.call import Outcome
from gateway.domain.dispositions import MINISTRY_KINDS, Disposition, MinistryKind

LIMITS_S = (5, 10, 15, 20, 60)
"""Within how many seconds a call should be answered, by one standard or another."""
FALSE = (Disposition.PRANK, Disposition.GHOST)
SLOWEST = 10
"""The slowest tenth."""
TENTHS = 10
"""Of a second."""

Key = str | int | None
"""Which group a call is counted in; None where it is in none of those that have a name."""


class Became(StrEnum):
    """What became of a call: its outcome, or how it stands while it goes on."""

    ANSWERED = Outcome.ANSWERED.value
    ABANDONED = Outcome.ABANDONED.value
    CANCELLED = Outcome.CANCELLED.value
    FELL_BACK = Outcome.FELL_BACK.value
    FAILED = Outcome.FAILED.value
    TALKING = "talking"
    """It goes on, and an operator has answered it."""
    RELIEVED = "relieved"
    """It goes on, and an agency or a last-resort number has answered it."""
    WAITING = "waiting"
    """It goes on, and nobody has answered it; or it waits again after an agency or a last-resort number."""


BY_OPERATOR = frozenset({Became.ANSWERED, Became.TALKING})


@dataclass(frozen=True, slots=True)
class CallCount:
    """Calls of one group that became the same: how many after each wait, in tenths of a second, and how many without
    one: nobody answered them, or both an operator and an agency or a last-resort number did. Of calls that wait it is
    how long it has been so far."""

    key: Key
    became: Became
    waits: Mapping[int, int]
    without: int = 0


@dataclass(frozen=True, slots=True)
class DisposedCount:
    """So many calls of one group were that, as somebody said."""

    key: Key
    disposition: Disposition
    calls: int


@dataclass(frozen=True, slots=True)
class CallbackCount:
    """Callbacks of one group: those opened; of these, those that were to be made, and were made in time; and how those
    that are over ended. `to_make` leaves out what nobody needed to dial: the caller got through by himself first; and
    what is neither dialled nor due yet."""

    key: Key = None
    opened: int = 0
    to_make: int = 0
    in_time: int = 0
    reached: int = 0
    given_up: int = 0
    got_through: int = 0

    def __add__(self, other: "CallbackCount") -> "CallbackCount":
        return CallbackCount(
            self.key,
            self.opened + other.opened,
            self.to_make + other.to_make,
            self.in_time + other.in_time,
            self.reached + other.reached,
            self.given_up + other.given_up,
            self.got_through + other.got_through,
        )

    @property
    def closed(self) -> int:
        return self.reached + self.given_up + self.got_through


NO_CALLBACKS = CallbackCount()


@dataclass(frozen=True, slots=True)
class Counts:
    """What the store counted of one piece of time. `callbacks` is None where they cannot be told apart as the calls
    are, `all_callbacks` where they cannot be told from those of other calls at all."""

    calls: tuple[CallCount, ...] = ()
    disposed: tuple[DisposedCount, ...] = ()
    callbacks: tuple[CallbackCount, ...] | None = ()
    all_callbacks: CallbackCount | None = NO_CALLBACKS


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    @property
    def share(self) -> float | None:
        """From 0 to 1; None of none."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True, slots=True)
class Within:
    """How many calls an operator answered within so many seconds, of those that had had so long."""

    limit_s: int
    share: Share


@dataclass(frozen=True, slots=True)
class Waits:
    """How long the callers waited whom an operator answered and nobody else, and the slowest tenth of them."""

    count: int = 0
    mean_s: float | None = None
    slowest: int = 0
    slowest_mean_s: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that is told of one group of calls."""

    calls: int
    waiting: int
    outcomes: Mapping[Outcome, int]
    going_on: int
    answered: Share
    relieved: Share
    within: tuple[Within, ...]
    waits: Waits
    abandoned: Share
    cancelled: Share
    dispositions: Mapping[Disposition, int]
    kinds: Mapping[MinistryKind, int]
    disposed: Share
    false_of_disposed: Share
    false_of_presented: Share
    callbacks: CallbackCount | None

    @property
    def presented(self) -> int:
        """All that arrived but those that may still be answered."""
        return self.calls - self.waiting

    @property
    def undisposed(self) -> int:
        return self.disposed.of - self.disposed.count


@dataclass(slots=True)
class Tally:
    """What is counted of one group, piece by piece."""

    became: Counter[Became] = field(default_factory=Counter)
    waits: Counter[int] = field(default_factory=Counter)
    """Calls that an operator answered and nobody else, by their wait in tenths of a second."""
    ages: Counter[int] = field(default_factory=Counter)
    """Calls that wait, by how long they have waited."""
    relieved: int = 0
    disposed: Counter[Disposition] = field(default_factory=Counter)
    callbacks: CallbackCount | None = None

    def add_calls(self, count: CallCount) -> None:
        calls = sum(count.waits.values())
        self.became[count.became] += calls + count.without
        if count.became is Became.WAITING:
            self.ages.update(count.waits)
        elif count.became in BY_OPERATOR:
            self.waits.update(count.waits)
        else:
            self.relieved += calls

    def add_disposed(self, count: DisposedCount) -> None:
        self.disposed[count.disposition] += count.calls

    def add_callbacks(self, count: CallbackCount) -> None:
        self.callbacks = (self.callbacks or NO_CALLBACKS) + count

    def add(self, other: "Tally") -> None:
        """Counts the calls that another group has, too."""
        # Counter's own += looks through all of itself each time
        self.became.update(other.became)
        self.waits.update(other.waits)
        self.ages.update(other.ages)
        self.relieved += other.relieved
        self.disposed.update(other.disposed)

    def figures(self) -> Figures:
        calls, waiting = self.became.total(), self.became[Became.WAITING]
        presented = calls - waiting
        answered = sum(self.became[each] for each in BY_OPERATOR)
        disposed = self.disposed.total()
        kinds = Counter(dict.fromkeys(MinistryKind, 0))
        for disposition, count in self.disposed.items():
            kinds[MINISTRY_KINDS[disposition]] += count
        false = sum(self.disposed[each] for each in FALSE)
        return Figures(
            calls=calls,
            waiting=waiting,
            outcomes={outcome: self.became[Became(outcome.value)] for outcome in Outcome},
            going_on=self.became[Became.TALKING] + self.became[Became.RELIEVED],
            answered=Share(answered, presented),
            relieved=Share(self.relieved, presented),
            within=tuple(self._within(limit_s, presented) for limit_s in LIMITS_S),
            waits=_waits(self.waits),
            abandoned=Share(self.became[Became.ABANDONED], presented),
            cancelled=Share(self.became[Became.CANCELLED], presented),
            dispositions={each: self.disposed[each] for each in Disposition},
            kinds=dict(kinds),
            disposed=Share(disposed, presented),
            false_of_disposed=Share(false, disposed),
            false_of_presented=Share(false, presented),
            callbacks=self.callbacks,
        )

    def _within(self, limit_s: int, presented: int) -> Within:
        limit = limit_s * TENTHS
        in_time = sum(count for tenths, count in self.waits.items() if tenths <= limit)
        overdue = sum(count for tenths, count in self.ages.items() if tenths > limit)
        return Within(limit_s, Share(in_time, presented + overdue))


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of all calls together, and of each group in its order."""

    total: Figures
    groups: tuple[tuple[Key, Figures], ...]


def report(counts: Iterable[Counts], keys: Iterable[Key] = ()) -> Report:
    """What the pieces of one report come to. Groups of `keys` are told in their order, and where nothing came, too;
    others after them, by name or number, and the one without a name last."""
    total, groups = Tally(callbacks=NO_CALLBACKS), {key: Tally() for key in keys}
    are_told_apart = True
    for each in counts:
        for calls in each.calls:
            groups.setdefault(calls.key, Tally()).add_calls(calls)
        for disposed in each.disposed:
            groups.setdefault(disposed.key, Tally()).add_disposed(disposed)
        for callbacks in each.callbacks or ():
            groups.setdefault(callbacks.key, Tally()).add_callbacks(callbacks)
        are_told_apart &= each.callbacks is not None
        total.callbacks = _sum(total.callbacks, each.all_callbacks)
    for tally in groups.values():
        total.add(tally)
        if are_told_apart:
            tally.add_callbacks(NO_CALLBACKS)
    named = list(dict.fromkeys(keys))
    order = [*named, *in_order(groups.keys() - set(named))]
    return Report(total.figures(), tuple((key, groups[key].figures()) for key in order))


def in_order(keys: Iterable[Key]) -> list[Key]:
    """By name or number; the one without a name last."""
    return sorted(keys, key=lambda key: (key is None, key if isinstance(key, int) else 0, str(key)))


def _sum(one: CallbackCount | None, other: CallbackCount | None) -> CallbackCount | None:
    return None if one is None or other is None else one + other


def _waits(waits: Counter[int]) -> Waits:
    count = waits.total()
    if not count:
        return Waits()
    slowest = -(-count // SLOWEST)
    left, tail = slowest, 0
    for tenths in sorted(waits, reverse=True):
        taken = min(left, waits[tenths])
        tail += taken * tenths
        left -= taken
        if not left:
            break
    whole = sum(tenths * many for tenths, many in waits.items())
    return Waits(count, whole / count / TENTHS, slowest, tail / slowest / TENTHS)
