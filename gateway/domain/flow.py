"""Flow: how many calls each trunk and each number sends now, and when that is a flood.

Counterparts: `domain/habits.py` says what is usual; `gateway/flow.py` brings the calls and the time. A flood is an
alarm and nothing else: every call of it goes the way of all calls.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.alarms import Alarm
from gateway.domain.books import Rules

FLOOD_TRUNK = "flood_trunk"
FLOOD_NUMBER = "flood_number"
QUIET_TRUNK = "quiet_trunk"
PROBE_FAILED = "probe_failed"
KINDS = frozenset({FLOOD_TRUNK, FLOOD_NUMBER, QUIET_TRUNK, PROBE_FAILED})
"""The alarms that the flow of calls raises."""

TRUNK_WINDOW = timedelta(minutes=1)
NUMBER_WINDOW = timedelta(minutes=10)

LEAST_FLOOD_PER_MIN = 20
"""Fewer calls a minute on one trunk are no flood, however quiet it usually is: one accident on a toll road brings as
many."""
CALM = timedelta(minutes=1)
"""A flood is over when for so long at most half of what makes one has come."""
TOLD_EVERY = timedelta(seconds=10)
"""How often the words of an alarm grow with the flood: each time is a commit."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that came in."""

    call_id: str
    trunk: str
    caller: str
    at: datetime


class Window:
    """Counts of what came within the last `length`, by key, in steps of `step_s` seconds. Keeps the `capacity` keys
    that were counted last, and for each of them one number a step, however many calls come."""

    def __init__(self, length: timedelta, *, step_s: int, capacity: int) -> None:
        self._steps = round(length.total_seconds() / step_s)
        self._step_s = step_s
        self._capacity = capacity
        self._counts: OrderedDict[str, dict[int, int]] = OrderedDict()

    def add(self, key: str, at: datetime) -> None:
        counts = self._counts.setdefault(key, {})
        self._counts.move_to_end(key)
        step = self._step(at)
        counts[step] = counts.get(step, 0) + 1
        if len(counts) > 2 * self._steps:
            del counts[min(counts)]
        if len(self._counts) > self._capacity:
            self._counts.popitem(last=False)

    def count(self, key: str, now: datetime) -> int:
        """How many came. What is later than now, because the clock was put back, does not count and is forgotten."""
        counts = self._counts.get(key)
        if counts is None:
            return 0
        last = self._step(now)
        for step in [each for each in counts if not last - self._steps < each <= last + 1]:
            del counts[step]
        if not counts:
            del self._counts[key]
        return sum(counts.values())

    def clear(self) -> None:
        self._counts.clear()

    def __len__(self) -> int:
        return len(self._counts)

    def _step(self, at: datetime) -> int:
        return int(at.timestamp() // self._step_s)


def trunk_limit(rules: Rules, usual_per_hour: float | None) -> int:
    """How many calls a minute a trunk may send; more are a flood. By its habit, and never more than the ceiling."""
    limit = max(LEAST_FLOOD_PER_MIN, math.ceil(rules.flood_factor * (usual_per_hour or 0.0) / 60))
    return limit if rules.flood_trunk_per_min is None else min(limit, rules.flood_trunk_per_min)


def number_limit(rules: Rules, calls_before: int, days: int) -> int:
    """How many calls one number may send in NUMBER_WINDOW; more are a flood. `calls_before` came from it in the `days`
    before: a number behind which there are many callers (an exchange's, a hospital's) may send more than the rule."""
    windows = timedelta(days=days) / NUMBER_WINDOW
    return max(rules.flood_number_per_10min, math.ceil(rules.flood_factor * calls_before / windows))


@dataclass(slots=True)
class _Flood:
    raised_at: datetime
    most: int
    high_at: datetime
    detail: str
    told_at: datetime


class Floods:
    """The floods of one kind that go on, by trunk or by number; `most` of them at once. Where there are more, the
    alarms that stand say enough."""

    def __init__(self, kind: str, *, most: int) -> None:
        self._kind = kind
        self._most = most
        self._on: dict[str, _Flood] = {}

    def __contains__(self, subject: str) -> bool:
        return subject in self._on

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._on))

    def adopt(self, alarm: Alarm, now: datetime) -> None:
        """Takes up an alarm that stood when the gateway was started anew."""
        self._on[alarm.subject] = _Flood(alarm.raised_at, 0, now, alarm.detail, now)

    def look(self, subject: str, count: int, limit: int, now: datetime, words: Callable[[int], str]) -> None:
        """Takes how many there are now. `words` says it."""
        flood = self._on.get(subject)
        if flood is None:
            if count > limit and len(self._on) < self._most:
                self._on[subject] = _Flood(now, count, now, words(count), now)
            return
        flood.high_at, flood.told_at = min(flood.high_at, now), min(flood.told_at, now)  # the clock was put back
        if count * 2 > limit:
            flood.high_at = now
        elif now - flood.high_at >= CALM:
            del self._on[subject]
            return
        if count > max(flood.most, limit) and now - flood.told_at >= TOLD_EVERY:
            flood.most, flood.told_at, flood.detail = count, now, words(count)

    def alarms(self) -> list[Alarm]:
        return [Alarm(self._kind, subject, flood.detail, flood.raised_at) for subject, flood in self._on.items()]


def trunk_words(count: int, *, usual_per_hour: float | None, limit: int) -> str:
    if usual_per_hour is None:
        usual = "what is usual is not known yet"
    else:
        usual = f"usual at this hour: {_few(usual_per_hour / 60)}"
    return f"{count} calls in one minute; {usual}; alarm above {limit}"


def number_words(count: int, *, trunk: str | None, before: int | None, days: int, limit: int) -> str:
    """`before` is how often the number called in the days before, None where that is not known."""
    over = f", the last over {trunk}" if trunk else ""
    usual = f"; {before} in the {days} days before" if before is not None else ""
    return f"{count} calls in ten minutes{over}{usual}; alarm above {limit}"


def _few(count: float) -> str:
    return f"{count:.0f}" if count >= 10 else f"{count:.1f}"
