"""Advice rules: who is answered sooner and who later, by rules that admins order and switch.

Counterparts: `gateway/advising.py` asks for each arriving call; `gateway/domain/dry_run.py` for calls of the past;
`dialplan/queue.conf` reads the priority that comes of it.

Of the rules that match a call, the first that raises it counts; else the first that says normal; else the first that
lowers it. So whatever speaks for a caller goes before whatever speaks against him. And nobody is lowered who sent a
location or calls in a burst of other numbers, whatever the rules say.

What a caller brings about by himself, by hanging up and calling again, must not starve those who wait. So it raises a
number's first calls alone (`OFTEN`), and nobody in a burst: then the call goes as calls come. Nor does it raise a
nuisance number that sent no location: that goes as calls come too, neither first nor later.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from gateway.domain.call import Outcome
from gateway.domain.callbacks import HEARD_S
from gateway.domain.facts import Side
from gateway.domain.kept import Invalid, Kept
from gateway.domain.numbers import is_nobodys, is_number, one_spelling, spellings
from gateway.domain.reputation import NUISANCE_SCORE, Reputation, Saying, reputation

T = TypeVar("T")

LAST_CALLS = 3
"""Of a number's earlier calls no more are looked at."""
CUT_TALK = timedelta(seconds=HEARD_S)
"""Talk that was cut before this is as good as none."""
BURST = (3, 10)
"""What a burst is where no rule says otherwise: within so many minutes, on one trunk, so many numbers."""
OFTEN = (LAST_CALLS, 10)
"""So many earlier calls of a number within so many minutes are often. It is not asked which of them were raised:
whoever calls on and on stays where the others are."""
MOST_RULES = 50
"""Rules that a centre may have: each window of theirs is one more part of the read that each call waits for."""
LEAST_PREFIX, LEAST_LOWERING_PREFIX = 3, 5
"""Digits of a prefix, after the 0 or the country's +62 that all numbers share."""
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9 -]{0,39}$"


class Condition(StrEnum):
    """What can be true of an arriving call."""

    CUT_RECENTLY = "cut_recently"
    """The number's last call ended without a person, or was cut in the first seconds of talk."""
    TRIED_AGAIN = "tried_again"
    """The number has tried before, and no person has spoken with it since."""
    OPEN_CALLBACK = "open_callback"
    """Somebody should be calling this number back."""
    LOCATION_ATTACHED = "location_attached"
    MANY_NUMBERS = "many_numbers"
    """Many different numbers call at once: something has happened."""
    NUISANCE = "nuisance"
    """The number's reputation is bad."""
    NUMBER = "number"
    TRUNK = "trunk"


class Effect(StrEnum):
    """What is advised."""

    FIRST = "first"
    EARLIER = "earlier"
    NORMAL = "normal"
    LATER = "later"


PRIORITIES: Mapping[Effect, int] = {Effect.FIRST: 3, Effect.EARLIER: 2, Effect.NORMAL: 1, Effect.LATER: 0}
"""Priorities as `dialplan/queue.conf` counts them."""
RAISING = frozenset({Effect.FIRST, Effect.EARLIER})


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceRule(Kept):
    """One rule. Of its parameters it has those that its condition takes (`PARAMETERS`); the others are None."""

    KIND: ClassVar[str] = "advice_rule"

    name: str
    place: int
    """Rules are gone through from the lowest place on; of two at one place the older goes first."""
    is_on: bool = True
    condition: Condition
    within_min: int | None = None
    """How far back it looks."""
    least_numbers: int | None = None
    """How many different numbers are many."""
    is_by_trunk: bool | None = None
    """Whether only the numbers on the call's own trunk count."""
    least_score: float | None = None
    number: str | None = None
    is_prefix: bool | None = None
    """Whether `number` is only how numbers begin."""
    trunk: str | None = None
    effect: Effect
    queue: str | None = None
    """Where the caller is to wait; None leaves that as it is."""


def first_rules(created_at: datetime) -> list[AdviceRule]:
    """The rules that a centre has from the start."""
    within_min, many = BURST

    def rule(place: int, name: str, condition: Condition, effect: Effect, **parameters: Any) -> AdviceRule:
        return AdviceRule(
            name=name, place=place, condition=condition, effect=effect, created_at=created_at, **parameters
        )

    return [
        rule(10, "Cut a moment ago", Condition.CUT_RECENTLY, Effect.FIRST, within_min=5),
        rule(20, "Location attached", Condition.LOCATION_ATTACHED, Effect.EARLIER),
        rule(30, "Callback open", Condition.OPEN_CALLBACK, Effect.EARLIER),
        rule(40, "Second try", Condition.TRIED_AGAIN, Effect.EARLIER, within_min=10),
        rule(
            *(50, "Many numbers at once", Condition.MANY_NUMBERS, Effect.NORMAL),
            within_min=within_min,
            least_numbers=many,
            is_by_trunk=True,
        ),
        rule(60, "Nuisance number", Condition.NUISANCE, Effect.LATER, least_score=NUISANCE_SCORE),
    ]


PARAMETERS: Mapping[Condition, tuple[str, ...]] = {
    Condition.CUT_RECENTLY: ("within_min",),
    Condition.TRIED_AGAIN: ("within_min",),
    Condition.OPEN_CALLBACK: (),
    Condition.LOCATION_ATTACHED: (),
    Condition.MANY_NUMBERS: ("within_min", "least_numbers", "is_by_trunk"),
    Condition.NUISANCE: ("least_score",),
    Condition.NUMBER: ("number", "is_prefix"),
    Condition.TRUNK: ("trunk",),
}
"""What each condition takes, all of it needed."""

_EVERY_PARAMETER = tuple(dict.fromkeys(name for names in PARAMETERS.values() for name in names))
_OF_ONES_OWN_MAKING = frozenset({Condition.CUT_RECENTLY, Condition.TRIED_AGAIN, Condition.OPEN_CALLBACK})
_MAY_LOWER = frozenset({Condition.NUISANCE, Condition.NUMBER, Condition.TRUNK})


def check(rule: AdviceRule) -> None:
    """Raises Invalid where the rule contradicts itself, or would put too many callers behind the others."""
    takes = PARAMETERS[rule.condition]
    for name in _EVERY_PARAMETER:
        given = getattr(rule, name)
        if name in takes and given is None:
            raise Invalid(name, f"is needed by the condition {rule.condition}")
        if name not in takes and given is not None:
            raise Invalid(name, f"means nothing to the condition {rule.condition}")
    if rule.effect is Effect.LATER and rule.condition not in _MAY_LOWER:
        raise Invalid("effect", f"cannot be later: {rule.condition} speaks for a caller, never against one")
    if rule.effect in RAISING and rule.condition is Condition.NUISANCE:
        raise Invalid("effect", "cannot be first or earlier: a nuisance number would overtake the others")
    if rule.effect is Effect.LATER and rule.number is not None and is_nobodys(rule.number):
        raise Invalid("number", "is that of every phone without a SIM: all of their callers would be later")
    if rule.is_prefix and rule.number is not None:
        _check_prefix(rule.number, rule.effect)


def _check_prefix(number: str, effect: Effect) -> None:
    digits = number.removeprefix("+")
    digits = digits.removeprefix("62") if digits.startswith("62") else digits.removeprefix("0")
    least = LEAST_LOWERING_PREFIX if effect is Effect.LATER else LEAST_PREFIX
    if len(digits) < least:
        raise Invalid(
            "number", f"is the beginning of too many numbers: {least} digits at least after the 0 or +62 that all share"
        )


# ---------------------------------------------------------------- what is known of a call and of its number


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that comes in. `has_location` is about what the carrier sent with it."""

    call_id: str
    trunk: str
    caller: str
    at: datetime
    has_location: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the number is somebody's own: a withheld one, or a SIM-less phone's, is many people's."""
        return is_number(self.caller)


@dataclass(frozen=True, slots=True)
class PastCall:
    """An earlier call of the number. `talked_at` is when a person first heard the caller."""

    call_id: str
    arrived_at: datetime
    talked_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    hung_up_by: Side | None = None

    def was_heard(self, at: datetime) -> bool:
        """Whether a person spoke with the caller, as far as it was known at that time. Talk that broke off in its first
        seconds counts only where it was the operator who ended it."""
        if self.talked_at is None or self.talked_at > at:
            return False
        ended_at = self.ended_at if self.ended_at is not None and self.ended_at <= at else None
        was_cut = ended_at is not None and ended_at - self.talked_at < CUT_TALK
        return not was_cut or self.hung_up_by is Side.OPERATOR

    def has_ended(self, at: datetime) -> bool:
        return self.ended_at is not None and self.ended_at <= at


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a number, and of all calls of the last minutes, at the time of an arrival."""

    calls: Sequence[PastCall] = ()
    """The number's earlier calls, newest first, without the one that arrives."""
    has_open_callback: bool = False
    sayings: Sequence[Saying] = ()
    numbers: Mapping[tuple[int, bool], int] = field(default_factory=dict)
    """How many different numbers have called, with the one that arrives, by minutes back and whether only on its own
    trunk: those that `windows` names."""


def windows(rules: Iterable[AdviceRule]) -> frozenset[tuple[int, bool]]:
    """Which counts of different numbers these rules need: minutes back, and whether only on the call's own trunk."""
    needed = {
        (rule.within_min, bool(rule.is_by_trunk))
        for rule in rules
        if rule.condition is Condition.MANY_NUMBERS and rule.within_min is not None
    }
    return frozenset({*needed, (BURST[0], True)})


def longest_min(rules: Iterable[AdviceRule]) -> int:
    """How many minutes back these rules look at the number's own calls."""
    looking = [rule.within_min or 0 for rule in rules if rule.condition in _OF_ONES_OWN_MAKING]
    return max(OFTEN[1], *looking) if looking else 0


@dataclass(frozen=True, slots=True)
class Counsel:
    """What the rules come to for one call. `effect` is None where none counts, `rules` are the names of those that
    match, first the one that decides; `faults` are rules that could not be asked: id, name, why."""

    effect: Effect | None = None
    queue: str | None = None
    rules: tuple[str, ...] = ()
    is_nuisance: bool = False
    """Whether it is a number's bad reputation that puts the call behind."""
    faults: tuple[tuple[int, str, str], ...] = ()
    matched: tuple[int, ...] = ()
    """The ids of the rules that match."""
    decided_by: int | None = None
    is_idle: bool = False
    """Whether a call that comes as calls come would go so without any rule, too."""

    @property
    def priority(self) -> int | None:
        return None if self.effect is None else PRIORITIES[self.effect]


def in_order(rules: Iterable[AdviceRule]) -> list[AdviceRule]:
    """The rules that are on, as they are gone through."""
    return sorted((rule for rule in rules if rule.is_on), key=lambda rule: (rule.place, rule.id))


def counsel(rules: Sequence[AdviceRule], arrival: Arrival, past: Past | None) -> Counsel:
    """What these rules (`in_order`) come to. Without a `past` (it was not known in time) only rules that need none are
    asked, and nobody is lowered. A rule that fails is left out, and told in `faults`."""
    matching: list[AdviceRule] = []
    faults: list[tuple[int, str, str]] = []
    for rule in rules:
        try:
            if _MATCHES[rule.condition](rule, arrival, past):
                matching.append(rule)
        except Exception as error:  # noqa: BLE001  # whatever it is, it stops neither the call nor the other rules
            faults.append((rule.id, rule.name, repr(error)))
    ids = tuple(rule.id for rule in matching)
    if past is not None:
        matching = _weighed(matching, arrival, past)
    may_lower = past is not None and not (arrival.has_location or _is_in_burst(past))
    chosen = _choose(matching, may_lower=may_lower)
    others = tuple(rule.name for rule in matching if rule is not chosen)
    if chosen is None:
        return Counsel(faults=tuple(faults), matched=ids)
    return Counsel(
        effect=chosen.effect,
        queue=chosen.queue,
        rules=(chosen.name, *others),
        is_nuisance=chosen.effect is Effect.LATER and chosen.condition is Condition.NUISANCE,
        faults=tuple(faults),
        matched=ids,
        decided_by=chosen.id,
        is_idle=chosen.queue is None and all(rule.effect is Effect.NORMAL for rule in matching),
    )


def _weighed(matching: list[AdviceRule], arrival: Arrival, past: Past) -> list[AdviceRule]:
    """The rules with what each counts for in this company, without those that count for nothing in it."""
    is_worn = _is_in_burst(past) or _calls_often(arrival, past)
    is_nuisance = any(rule.condition is Condition.NUISANCE for rule in matching)
    if not is_worn and (not is_nuisance or arrival.has_location):
        return matching
    weighed: list[AdviceRule] = []
    for rule in matching:
        if rule.condition not in _OF_ONES_OWN_MAKING or rule.effect not in RAISING:
            weighed.append(rule)
        elif is_nuisance:
            weighed.append(replace(rule, effect=Effect.NORMAL))
    return weighed


def _choose(matching: Sequence[AdviceRule], *, may_lower: bool) -> AdviceRule | None:
    for effects in (RAISING, {Effect.NORMAL}, {Effect.LATER} if may_lower else ()):
        found = next((rule for rule in matching if rule.effect in effects), None)
        if found is not None:
            return found
    return None


def _is_in_burst(past: Past) -> bool:
    within_min, many = BURST
    return past.numbers.get((within_min, True), 0) >= many


def _calls_often(arrival: Arrival, past: Past) -> bool:
    count, within_min = OFTEN
    since = arrival.at - timedelta(minutes=within_min)
    return sum(call.arrived_at >= since for call in past.calls) >= count


def standing(arrival: Arrival, past: Past) -> Reputation:
    """The number's reputation when the call arrives; none of a withheld number."""
    return reputation(past.sayings, arrival.at) if arrival.is_known else Reputation()


# ---------------------------------------------------------------- the conditions


def _cut_recently(rule: AdviceRule, arrival: Arrival, past: Past | None) -> bool:
    if past is None or not past.calls:
        return False
    last = past.calls[0]
    since = arrival.at - _minutes(rule)
    return last.has_ended(arrival.at) and (last.ended_at or since) >= since and not last.was_heard(arrival.at)


def _tried_again(rule: AdviceRule, arrival: Arrival, past: Past | None) -> bool:
    if past is None or not past.calls:
        return False
    last = past.calls[0]
    return last.arrived_at >= arrival.at - _minutes(rule) and not last.was_heard(arrival.at)


def _many_numbers(rule: AdviceRule, arrival: Arrival, past: Past | None) -> bool:
    if past is None:
        return False
    return past.numbers[_given(rule.within_min), bool(rule.is_by_trunk)] >= _given(rule.least_numbers)


def _nuisance(rule: AdviceRule, arrival: Arrival, past: Past | None) -> bool:
    return past is not None and standing(arrival, past).score_on(arrival.trunk) >= _given(rule.least_score)


def _number(rule: AdviceRule, arrival: Arrival, past: Past | None) -> bool:
    number = _given(rule.number)
    if rule.is_prefix:
        return any(written.startswith(number) for written in (arrival.caller, *spellings(arrival.caller)))
    return one_spelling(arrival.caller) == one_spelling(number)


_MATCHES: Mapping[Condition, Callable[[AdviceRule, Arrival, Past | None], bool]] = {
    Condition.CUT_RECENTLY: _cut_recently,
    Condition.TRIED_AGAIN: _tried_again,
    Condition.OPEN_CALLBACK: lambda rule, arrival, past: past is not None and past.has_open_callback,
    Condition.LOCATION_ATTACHED: lambda rule, arrival, past: arrival.has_location,
    Condition.MANY_NUMBERS: _many_numbers,
    Condition.NUISANCE: _nuisance,
    Condition.NUMBER: _number,
    Condition.TRUNK: lambda rule, arrival, past: arrival.trunk == _given(rule.trunk),
}


def _minutes(rule: AdviceRule) -> timedelta:
    return timedelta(minutes=_given(rule.within_min))


def _given(value: T | None) -> T:
    """A parameter that the rule must have. Raises ValueError: somebody wrote it past `check`."""
    if value is None:
        raise ValueError("a parameter is missing")
    return value
