"""A dry run: what advice rules would have done to the calls of a past time, worked out call by call as if each came in
now.

Counterparts: `advice_rules.py` holds the rules; `gateway/store/history_reads.py` brings the past in one pass;
`gateway/api/advice_rules.py` tells what comes of it.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.domain.advice_rules import (
    LAST_CALLS,
    AdviceRule,
    Arrival,
    Effect,
    Past,
    PastCall,
    counsel,
    in_order,
    longest_min,
    windows,
)
from gateway.domain.call import PROBE_TRUNK
from gateway.domain.numbers import one_spelling
from gateway.domain.reputation import SAID_AT_MOST, Saying

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class OldCall:
    """A call of then, with all that became of it."""

    arrival: Arrival
    past: PastCall
    """The same as it looks to the number's later calls."""


@dataclass(frozen=True, slots=True)
class History:
    """What there was. `calls` are in the order of their arrival, from as far back as the rules look; `sayings` and
    `callbacks` (from when to when each was open) by number in its one spelling, in the order of their times."""

    calls: Sequence[OldCall] = ()
    sayings: Mapping[str, Sequence[Saying]] = field(default_factory=dict)
    callbacks: Mapping[str, Sequence[tuple[datetime, datetime | None]]] = field(default_factory=dict)


@dataclass(slots=True)
class RuleCount:
    """What one rule would have done: how many calls it matches, and of how many it decides. `examples` are the first of
    those."""

    matched: int = 0
    decided: int = 0
    faults: int = 0
    examples: list[Arrival] = field(default_factory=list)


@dataclass(slots=True)
class DryRun:
    """What the rules would have done to `calls` calls. `effects` counts them by what would have been advised, None is
    no advice."""

    calls: int = 0
    rules: dict[int, RuleCount] = field(default_factory=dict)
    effects: dict[Effect | None, int] = field(default_factory=dict)


def look_back(rules: Iterable[AdviceRule]) -> timedelta:
    """How far before the first call the history must begin."""
    rules = list(rules)
    return timedelta(minutes=max(longest_min(rules), *(minutes for minutes, _ in windows(rules))))


def dry_run(rules: Sequence[AdviceRule], history: History, since: datetime) -> DryRun:
    """Goes through the history; the calls from `since` on count, the earlier ones are their past. Each rule has an id
    of its own."""
    ordered = in_order(rules)
    found = DryRun(rules={rule.id: RuleCount() for rule in ordered})
    own: dict[str, deque[PastCall]] = {}
    reach = timedelta(minutes=longest_min(ordered))
    crowds = {window: _Crowd(*window) for window in windows(ordered)}
    for call in history.calls:
        arrival = call.arrival
        for crowd in crowds.values():
            crowd.add(arrival)
        number = one_spelling(arrival.caller)
        earlier = own.setdefault(number, deque(maxlen=LAST_CALLS)) if arrival.is_known else deque()
        if arrival.at >= since and arrival.trunk != PROBE_TRUNK:
            counts = {window: crowd.count(arrival.trunk) for window, crowd in crowds.items()}
            past = Past(numbers=counts)
            if arrival.is_known:
                past = Past(
                    calls=[each for each in earlier if each.arrived_at >= arrival.at - reach],
                    has_open_callback=_is_open(history.callbacks.get(number, ()), arrival.at),
                    sayings=_said_by(history.sayings.get(number, ()), arrival.at),
                    numbers=counts,
                )
            _count(found, ordered, arrival, past)
        earlier.appendleft(call.past)
    return found


def _count(found: DryRun, rules: Sequence[AdviceRule], arrival: Arrival, past: Past) -> None:
    told = counsel(rules, arrival, past)
    found.calls += 1
    found.effects[told.effect] = found.effects.get(told.effect, 0) + 1
    for rule_id in told.matched:
        found.rules[rule_id].matched += 1
    for rule_id, _, _ in told.faults:
        found.rules[rule_id].faults += 1
    if told.decided_by is not None:
        count = found.rules[told.decided_by]
        count.decided += 1
        if len(count.examples) < EXAMPLES:
            count.examples.append(arrival)


def _is_open(spans: Sequence[tuple[datetime, datetime | None]], at: datetime) -> bool:
    return any(opened < at and (closed is None or closed > at) for opened, closed in spans)


def _said_by(sayings: Sequence[Saying], at: datetime) -> Sequence[Saying]:
    """Those that were said last by then."""
    end = bisect_right(sayings, at, key=lambda saying: saying.said_at)
    return sayings[max(0, end - SAID_AT_MOST) : end]


class _Crowd:
    """How many different numbers called within the last minutes, over all trunks or on each."""

    def __init__(self, minutes: int, by_trunk: bool) -> None:
        self._within = timedelta(minutes=minutes)
        self._by_trunk = by_trunk
        self._calls: deque[Arrival] = deque()
        self._numbers: dict[str, dict[str, int]] = {}

    def add(self, arrival: Arrival) -> None:
        if arrival.trunk == PROBE_TRUNK:
            return
        while self._calls and self._calls[0].at < arrival.at - self._within:
            gone = self._calls.popleft()
            numbers = self._numbers[self._key(gone.trunk)]
            numbers[gone.caller] -= 1
            if not numbers[gone.caller]:
                del numbers[gone.caller]
        self._calls.append(arrival)
        numbers = self._numbers.setdefault(self._key(arrival.trunk), {})
        numbers[arrival.caller] = numbers.get(arrival.caller, 0) + 1

    def count(self, trunk: str) -> int:
        return len(self._numbers.get(self._key(trunk), ()))

    def _key(self, trunk: str) -> str:
        return trunk if self._by_trunk else ""
