"""Habits: how many calls a trunk usually brings at an hour of the day, how long a silence may be, how often the
centre's test call comes.

Counterparts: `gateway/past.py` reads the past, `flood.py` and `silence.py` ask; `domain/flow.py` holds what comes now
against it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from gateway.domain.call import Outcome

LOOKS_BACK = timedelta(days=28)
LEAST_DAYS = 7
"""With fewer days of a trunk nothing is known of its habit."""
HOUR = timedelta(hours=1)

QUIET_CHANCE = 1 / 10_000
"""A silence that comes by chance as seldom as this is no chance."""
QUIET_EXPECTED = -math.log(QUIET_CHANCE)
"""How many calls should have come in such a silence: where n are expected, none comes with a chance of e^-n
(Poisson)."""

LEAST_PROBES = 6
"""From so many on test calls can be a habit."""
RARE_PROBES = timedelta(hours=26)
"""A test call that comes more seldom than about once a day is no habit."""
GIVEN_UP = timedelta(days=7)
"""Test calls that have not come for so long are not made any more, and nobody is called for it. Nor is it a habit of
theirs what they did so long before the last one."""
PROBE_SLACK = timedelta(minutes=2)
HEARD_ENOUGH = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class HourOfTrunk:
    """How many calls came on a trunk in the hour that begins at `at`."""

    at: datetime
    calls: int


@dataclass(frozen=True, slots=True)
class ProbeCall:
    """One of the centre's own test calls. `outcome` is None while it runs."""

    at: datetime
    outcome: Outcome | None


class Habit:
    """What one trunk usually brings. Only whole hours count, from LOOKS_BACK before `until` on; `zone` says which hour
    of the day each is. The busiest days of each hour do not count, so that a flood does not become a habit."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._hours: dict[int, int] = {}
        self._usual: tuple[float, ...] = ()
        self.until: datetime | None = None
        """Up to where the past is known; None before anything is."""

    def take(self, hours: Sequence[HourOfTrunk], until: datetime) -> None:
        """Takes what came from `self.until` to `until`, a whole hour; hours without a call may be left out."""
        for hour in hours:
            self._hours[_number(hour.at)] = hour.calls
        self.until = until
        first = _number(until - LOOKS_BACK)
        self._hours = {hour: calls for hour, calls in self._hours.items() if hour >= first}
        self._usual = self._worked_out(_number(until))

    @property
    def is_known(self) -> bool:
        return bool(self._usual)

    def per_hour(self, at: datetime) -> float | None:
        """The usual calls of the hour in which `at` lies; None where no habit is known."""
        return self._usual[at.astimezone(self._zone).hour] if self._usual else None

    def expected(self, since: datetime, until: datetime) -> float:
        """How many calls usually come from one moment to the other; 0 where no habit is known. What lies further back
        than LOOKS_BACK does not count."""
        if not any(self._usual):
            return 0.0
        since = max(since, until - LOOKS_BACK)
        calls = 0.0
        while since < until:
            end = min(_start(_number(since) + 1), until)
            calls += self._usual[since.astimezone(self._zone).hour] * ((end - since) / HOUR)
            since = end
        return calls

    def _worked_out(self, end: int) -> tuple[float, ...]:
        """The usual calls of each hour of the day, from midnight on; empty where there are too few days."""
        days = min(LOOKS_BACK.days, (end - min(self._hours, default=end)) // 24)
        if days < LEAST_DAYS:
            return ()
        of_hour: list[list[int]] = [[] for _ in range(24)]
        for hour in range(end - 24 * days, end):
            of_hour[_start(hour).astimezone(self._zone).hour].append(self._hours.get(hour, 0))
        return tuple(_without_busiest(sorted(calls)) for calls in of_hour)


def _without_busiest(calls: Sequence[int]) -> float:
    """The mean without the greatest tenth and one more."""
    kept = calls[: len(calls) - len(calls) // 10 - 1]
    return sum(kept) / len(kept) if kept else 0.0


def is_too_quiet(habit: Habit, since: datetime, now: datetime, least: timedelta) -> bool:
    """Whether no call from `since` to `now` cannot be chance. Never for less than `least`, nor without a habit."""
    return now - since >= least and habit.expected(since, now) >= QUIET_EXPECTED


def probe_interval(probes: Sequence[ProbeCall]) -> timedelta | None:
    """How often the test call comes, where it comes regularly: three of four of the gaps between the last ones are
    about as long as the middle one. None where it does not."""
    gaps = sorted(later.at - one.at for one, later in pairwise(probes))
    if len(probes) < LEAST_PROBES:
        return None
    usual = gaps[len(gaps) // 2]
    alike = sum(abs(gap - usual) <= usual / 4 for gap in gaps)
    return usual if alike * 4 >= len(gaps) * 3 and timedelta(0) < usual <= RARE_PROBES else None


def probe_fault(probes: Sequence[ProbeCall], heard_since: datetime, now: datetime, zone: ZoneInfo) -> str | None:
    """What is wrong with the test calls (oldest first), in words; None where nothing is, where they are no habit, or
    where they have been given up. `heard_since` is from when on the centre heard of calls: one that could not be heard
    is not missing."""
    if not probes or now - probes[-1].at > GIVEN_UP:
        return None
    last = probes[-1]
    interval = probe_interval([each for each in probes if last.at - each.at <= GIVEN_UP])
    if interval is None:
        return None
    late = interval * 1.5 + PROBE_SLACK
    if now - last.at > late and now - heard_since > min(late, HEARD_ENOUGH):
        return f"no test call since {clock(last.at, zone)}; they came every {_span(interval)}"
    if last.outcome not in (None, Outcome.ANSWERED) and now - heard_since > PROBE_SLACK:
        return f"the test call of {clock(last.at, zone)} was not answered: it ended as {last.outcome}"
    return None


def clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def _span(interval: timedelta) -> str:
    minutes = round(interval / timedelta(minutes=1))
    if minutes < 100:
        return f"{max(1, minutes)} min"
    return f"{round(minutes / 60)} h"


def _number(at: datetime) -> int:
    """The hour's number, counted from 1970."""
    return int(at.timestamp() // 3600)


def _start(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)
