"""What came of an overload, as it is looked at: its course, whether callers had persons in their order, a picture and
a table.

Counterpart: `overload.py`, which brings it about.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from math import inf, nan
from operator import attrgetter

from bench import plot
from bench.plot import Line, Marked, Panel
from bench.report import Block, Row
from chaos.conservation import Json, Kind
from chaos.sightings import Seen, Talk

SETTLING_S = 5.0
"""After a change of the load so long is left out of what is had a second."""
WHOLE_WITHIN_S = 30.0
MOST_MEMORY = 100e6
"""More than before the load the gateway must not hold."""
OUT_OF_ORDER_S = 2.0
"""Whoever came so much later than another and was served first was out of order: app_queue looks once a second."""
LEAST_SENT = 0.95
"""Of the calls of an overload: of fewer it is none of that load."""
CARRIED, OVER = "carried", "overload"


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the whole, `at` seconds since the epoch. What grows is counted from the start; NaN: not known."""

    at: float
    status: str
    problems: tuple[str, ...]
    lag_bytes: float
    strain: float
    shed: tuple[str, ...]
    memory: float
    sent: int
    in_flight: int
    spoken: int
    """With how many callers a person spoke."""
    pictures: int
    posts: int
    sealed: float

    @property
    def is_well(self) -> bool:
        return self.status == "ok" and not self.shed


@dataclass(slots=True)
class Course:
    """What came of it. Times are seconds since the epoch; `rate` is what is carried, `comes_first` whether Asterisk had
    its real-time priority."""

    rate: int
    comes_first: bool
    began_at: float = 0.0
    loaded_at: float = 0.0
    whole_at: float = nan
    looks: list[Look] = field(default_factory=list)
    seen: Sequence[Seen] = ()
    talks: Mapping[str, Sequence[Talk]] = field(default_factory=dict)
    found: Mapping[Kind, list[str]] = field(default_factory=dict)
    calls: Sequence[Json] = ()
    """As the API tells them."""
    told: Sequence[str] = ()
    """What the ledger told of it, by a webhook."""

    @property
    def sent_at(self) -> float:
        """When the last call was sent."""
        return max((seen.invited_at for seen in self.seen), default=nan)

    @property
    def over_at(self) -> float:
        """When the last call was over that Asterisk had answered: then the load had ended."""
        return max((seen.ended_at for seen in self.seen if seen.answered_at and seen.ended_at), default=nan)

    def between(self, since: float, until: float) -> list[Look]:
        return [look for look in self.looks if since <= look.at <= until]


@dataclass(frozen=True, slots=True)
class Waiter:
    """Who waits for something: when he came, since when he waits, when he had it and when he left; None where that did
    not happen."""

    came: float
    since: float
    served: float | None
    left: float | None


def at_sipp(course: Course) -> list[Waiter]:
    """Who waits for a person, by SIPp's own logs: from 112's answer to the caller until a phone's talk with him."""
    found = []
    for each in course.seen:
        if each.answered_at is not None:
            talks = course.talks.get(each.number)
            served = talks[0].began_at if talks else None
            found.append(Waiter(each.answered_at, each.answered_at, served, each.ended_at))
    return found


def in_the_queue(course: Course) -> list[Waiter]:
    """Who waits for a phone to be rung, by Asterisk's own journal: in the order of their arrival at 112, each from his
    place in the queue on."""

    def at(text: str | None) -> float | None:
        return datetime.fromisoformat(text).timestamp() if text else None

    found = []
    for call in course.calls:
        came, since, attempts = at(call["arrived_at"]), at(call["queued_at"]), call["attempts"]
        if came is not None and since is not None:
            found.append(Waiter(came, since, at(attempts[0]["rung_at"]) if attempts else None, at(call["ended_at"])))
    return found


def overtaken(waiters: Iterable[Waiter]) -> list[float]:
    """Of each who was served, in the order of that: by how many seconds he had come after whoever had waited longest
    then, and still did. 0 is the order of arrival."""
    arriving = sorted(waiters, key=attrgetter("since"))
    waiting: list[tuple[float, float]] = []
    """When each came, and when he ceased to wait."""
    found, place = [], 0
    for at, came in sorted((each.served, each.came) for each in arriving if each.served is not None):
        while place < len(arriving) and arriving[place].since <= at:
            one = arriving[place]
            heapq.heappush(waiting, (one.came, min(end for end in (one.served, one.left, inf) if end is not None)))
            place += 1
        while waiting and waiting[0][1] <= at:
            heapq.heappop(waiting)
        found.append(max(0.0, came - waiting[0][0]) if waiting else 0.0)
    return found


def _a_second(looks: Sequence[Look], what: str) -> list[tuple[float, float]]:
    """How much of a count came in a second, from look to look."""
    return [
        (later.at, (getattr(later, what) - getattr(look, what)) / (later.at - look.at))
        for look, later in pairwise(looks)
    ]


# -------------------------------------------------------------------- what is shown


def picture(course: Course) -> str:
    began, looks = course.began_at, course.looks

    def line(name: str, points: Iterable[tuple[float, float]]) -> Line:
        return Line(name, [(at - began, value) for at, value in points if not math.isnan(value)])

    def rate(name: str, what: str) -> Line:
        return line(name, _a_second(looks, what))

    waits = line("", ((look.at, nan if math.isnan(look.strain) else len(look.shed)) for look in looks))
    return plot.picture(
        f"{course.rate} calls/s are carried: twice that for a while",
        (
            Panel("calls a second", (rate("sent", "sent"), rate("had a person", "spoken"))),
            Panel("calls in flight", (line("", ((look.at, look.in_flight) for look in looks)),)),
            Panel("strain: 1 is too much", (line("", ((look.at, look.strain) for look in looks)),)),
            Panel("luxuries that wait: board and streams, waveforms, webhooks", (waits,)),
            Panel("the board's pictures, a second", (rate("", "pictures"),)),
            Panel("posts of webhooks, a second", (rate("", "posts"),)),
            Panel("journal not stored yet, kB", (line("", ((look.at, look.lag_bytes / 1e3) for look in looks)),)),
            Panel("the gateway's memory, MB", (line("", ((look.at, look.memory / 1e6) for look in looks)),)),
        ),
        (
            Marked(course.loaded_at - began, "twice the load"),
            Marked(course.sent_at - began, "no more calls"),
            Marked(course.over_at - began, "last one over"),
            *([] if math.isnan(course.whole_at) else [Marked(course.whole_at - began, "whole")]),
        ),
        [(look.at - began, look.status) for look in looks],
    )


def block(course: Course, patience_s: float) -> Block:
    loaded = [each for each in course.seen if each.invited_at >= course.loaded_at]
    refused = Counter(each.status for each in loaded if each.refused_at is not None and each.answered_at is None)
    unheard = sum(each.tried_at is None for each in loaded)
    accepted = sum(each.answered_at is not None for each in loaded)
    spoken = sum(each.number in course.talks for each in loaded)
    late, later = (
        [by for by in overtaken(who) if by > OUT_OF_ORDER_S] for who in (in_the_queue(course), at_sipp(course))
    )
    calm = course.between(course.began_at + SETTLING_S, course.loaded_at)
    over = course.between(course.loaded_at + SETTLING_S, course.sent_at)
    after = course.between(course.loaded_at, float("inf"))
    first = next((look for look in after if look.shed), None)
    most = max(map(attrgetter("shed"), after), key=len, default=())
    memory = max(look.memory for look in after) - max(look.memory for look in calm)
    whole_s = max(course.whole_at - course.over_at, 0.0)
    lost, wrong, twice = (len(course.found[kind]) for kind in (Kind.LOST, Kind.WRONG, Kind.REPEATED))

    def had(what: str) -> dict[str, float]:
        return {CARRIED: _mean(calm, what), OVER: _mean(over, what)}

    sent = had("sent")
    return Block(
        f"Twice the load: {2 * course.rate} calls/s",
        (CARRIED, OVER),
        (
            Row(
                "calls sent a second",
                sent,
                target=f"{2 * course.rate}, or {1 - LEAST_SENT:.0%} fewer",
                is_met=sent[OVER] >= LEAST_SENT * 2 * course.rate,
            ),
            Row("callers a second who had a person", had("spoken")),
            Row("calls sent", {OVER: len(loaded)}),
            Row("never answered by Asterisk, not even with 100", {OVER: unheard}),
            Row("refused by Asterisk", {OVER: refused.total()}),
            Row("answered by 112", {OVER: accepted}, ratio=accepted / len(loaded)),
            Row("of these, had a person", {OVER: spoken}, ratio=spoken / max(1, accepted)),
            Row(
                f"rung out of order, by more than {OUT_OF_ORDER_S:.0f} s",
                {OVER: len(late)},
                target="0",
                is_met=not late,
            ),
            Row("had a person out of order, by more", {OVER: len(later)}),
            Row("lost, of those that Asterisk took", {OVER: lost}, target="0", is_met=not lost),
            Row("told otherwise than SIPp saw", {OVER: wrong}),
            Row("told twice", {OVER: twice}, target="0", is_met=not twice),
            Row("strain, the most", {CARRIED: _most(calm, "strain"), OVER: _most(after, "strain")}),
            Row(
                "luxuries that wait, the most",
                {CARRIED: len(max((look.shed for look in calm), key=len)), OVER: len(most)},
            ),
            Row("the first of them after", {OVER: first.at - course.loaded_at if first else nan}, "s"),
            Row("pictures of the board a second", had("pictures")),
            Row("posts of webhooks a second", had("posts")),
            Row("recordings sealed a second", had("sealed")),
            Row(
                "journal not stored, the most",
                {CARRIED: _most(calm, "lag_bytes") / 1e3, OVER: _most(after, "lag_bytes") / 1e3},
                "kB",
            ),
            Row("the last call over, after the last INVITE", {OVER: course.over_at - course.sent_at}, "s"),
            Row(
                "whole again after that",
                {OVER: whole_s},
                "s",
                target=f"<= {WHOLE_WITHIN_S:.0f} s",
                is_met=whole_s <= WHOLE_WITHIN_S,
            ),
            Row(
                "the gateway's memory, the most",
                {CARRIED: _most(calm, "memory") / 1e6, OVER: _most(after, "memory") / 1e6},
                "MB",
                None,
                f"<= {MOST_MEMORY / 1e6:.0f} MB more",
                memory <= MOST_MEMORY,
            ),
        ),
        (
            f"Asterisk's priority: {'real-time, as its service has it' if course.comes_first else 'ordinary'}",
            f"refused: {_counts(refused)}. Callers leave after {patience_s:.0f} s without a person",
            f"waiting: {_words(most)}; told: {_words(course.told)}",
            f"health: {_words(sorted({words for look in after for words in look.problems}))}",
            f"out of order, at worst: {max(late, default=0):.1f} s by the queue, {max(later, default=0):.1f} s by SIPp",
            *(words for kind in Kind for words in course.found[kind][:3]),
        ),
    )


def _counts(counted: Counter[int]) -> str:
    return ", ".join(f"{count} with {status}" for status, count in counted.most_common()) or "none"


def _words(told: Iterable[str]) -> str:
    return ", ".join(told) or "nothing"


def _mean(looks: Sequence[Look], what: str) -> float:
    """How much of a count came in a second, on the whole."""
    if len(looks) < 2:
        return nan
    return float(getattr(looks[-1], what) - getattr(looks[0], what)) / (looks[-1].at - looks[0].at)


def _most(looks: Sequence[Look], what: str) -> float:
    return max((value for look in looks if not math.isnan(value := getattr(look, what))), default=nan)
