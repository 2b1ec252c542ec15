"""The workload: what the calls of the past weeks come to in each half hour of a week, and how many operators that
needs.

Counterparts: `gateway/store/workload_reads.py` counts the calls, `erlang.py` knows the formula, `coverage.py` says who
is rostered.

Half hours begin at :00 and :30 of UTC. Which half hour of the week one is, is read from the clock of the centre's zone
at its start.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.domain.erlang import operators_needed
from gateway.domain.queues import Queue

HALF_HOUR = timedelta(minutes=30)
A_WEEK = 7 * 48
"""Half hours of a week."""
HISTORY = timedelta(weeks=8)
"""How far back is looked: every half hour of the week eight times, and not into another season."""
ENOUGH_TALKS = 30
"""A half hour of the week with fewer talks than that says nothing about their length."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The calls that came for a queue in the half hour from `at`, and the seconds of those talks of which the length is
    known."""

    queue: str
    at: datetime
    calls: int
    talks: int
    talk_s: float


@dataclass(frozen=True, slots=True)
class Load:
    """What a half hour of the week brings to a queue, on average: calls, and seconds of talk for each."""

    calls: float
    talk_s: float


def start_of_half_hour(at: datetime) -> datetime:
    """The start of the half hour that `at` is in, in UTC."""
    at = at.astimezone(UTC)
    return at.replace(minute=at.minute // 30 * 30, second=0, microsecond=0)


def half_hours(since: datetime, until: datetime) -> Iterator[datetime]:
    """The starts of all half hours that have a moment between `since` and `until`, in order."""
    at = start_of_half_hour(since)
    while at < until:
        yield at
        at += HALF_HOUR


def half_hour_of_week(at: datetime, zone: ZoneInfo) -> int:
    """Which of the week's half hours it is in that zone: 0 is Monday's first."""
    local = at.astimezone(zone)
    return local.weekday() * 48 + local.hour * 2 + local.minute // 30


def weekly_loads(
    arrivals: Iterable[Arrivals], since: datetime, until: datetime, zone: ZoneInfo, begun: Mapping[str, datetime]
) -> dict[str, tuple[Load | None, ...]]:
    """The load of each queue that had a call, one for each half hour of the week, from Monday's first on.

    `arrivals` are those of the half hours from `since` to `until`. A queue that is younger than that (`begun` says when
    each was made) has a history from then on, or from its first call where that is older: a young queue's calls are not
    spread over weeks in which there was none. A half hour of the week that has not come since is None: not known.

    A call's length is the mean of that half hour's talks where these are enough to tell, else of the queue's, and of
    all queues where nobody ever talked in that one.
    """
    places = {at: half_hour_of_week(at, zone) for at in half_hours(since, until)}
    known: defaultdict[str, _Totals] = defaultdict(_Totals)
    for each in arrivals:
        known[each.queue].add(each, places[each.at])
    talks = sum(sum(queue.talks) for queue in known.values())
    every_talk_s = sum(sum(queue.talk_s) for queue in known.values()) / talks if talks else 0.0
    times: dict[datetime, list[int]] = {}
    loads: dict[str, tuple[Load | None, ...]] = {}
    for name, queue in known.items():
        first = start_of_half_hour(max(since, min(queue.first, begun.get(name, queue.first))))
        if first not in times:
            times[first] = _times(place for at, place in places.items() if at >= first)
        loads[name] = tuple(queue.loads(times[first], every_talk_s))
    return loads


def needs(loads: Sequence[Load | None], queue: Queue) -> tuple[int | None, ...]:
    """How many operators the queue needs in each half hour of the week; None where its load is not known. After a talk
    an operator is left alone for the queue's wrap-up, so that is time of his too."""
    return tuple(
        None if load is None else operators_needed(load.calls, load.talk_s + queue.wrap_up_s, queue.service_level_s)
        for load in loads
    )


class _Totals:
    """What came for one queue in all weeks together, by half hour of the week."""

    def __init__(self) -> None:
        self.first = datetime.max.replace(tzinfo=UTC)
        self.calls = [0] * A_WEEK
        self.talks = [0] * A_WEEK
        self.talk_s = [0.0] * A_WEEK

    def add(self, arrivals: Arrivals, place: int) -> None:
        self.first = min(self.first, arrivals.at)
        self.calls[place] += arrivals.calls
        self.talks[place] += arrivals.talks
        self.talk_s[place] += arrivals.talk_s

    def loads(self, times: Sequence[int], every_talk_s: float) -> Iterator[Load | None]:
        talks = sum(self.talks)
        mean_s = sum(self.talk_s) / talks if talks else every_talk_s
        for count, calls, own, own_s in zip(times, self.calls, self.talks, self.talk_s, strict=True):
            yield Load(calls / count, own_s / own if own >= ENOUGH_TALKS else mean_s) if count else None


def _times(places: Iterable[int]) -> list[int]:
    """How often each half hour of the week came. A change of the zone's clocks leaves one out, or brings one twice."""
    found = [0] * A_WEEK
    for place in places:
        found[place] += 1
    return found
