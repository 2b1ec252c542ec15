"""From a carrier's INVITE to the INVITE at an operator's phone: plain Asterisk, the dialplan alone, the whole centre.

The three take turns in short rounds, each round in another order. Callers speak at once, as people do: Answer() waits
for their first sound, half a second where there is none, and would hide in it what is measured.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bench.listener import listening
from bench.load import SPOKEN_MS, Played
from bench.measure import percentile
from bench.report import Block, Row
from bench.sides import Say, Sides

RATE = 19
"""Calls a second. At 20 each call would come at the same moment of the callers' sound, which is sent every 20 ms and
for which Answer() waits: a millisecond more or less would cost none at all, or a whole step."""
PLAIN, DIALPLAN, CENTRE = "plain Asterisk", "without gateway", "with gateway"
ORDER = (PLAIN, DIALPLAN, CENTRE)
MOST_RATIO = 1.05


@dataclass(slots=True)
class Times:
    """Milliseconds of each call of one side."""

    to_answer: list[float] = field(default_factory=list)
    """From the INVITE to 112's 200 OK at the trunk."""
    to_ring: list[float] = field(default_factory=list)
    """From there to the phone's INVITE."""
    whole: list[float] = field(default_factory=list)
    medians: list[float] = field(default_factory=list)
    """Of the whole way, round by round."""
    sent: int = 0
    failed: int = 0

    def add(self, played: Played, rung: dict[str, float]) -> None:
        """Takes the calls of one round. A call that rang no phone is in `sent` alone."""
        there = [number for number in played.invited if number in rung and number in played.answered]
        whole = [1000 * (rung[number] - played.invited[number]) for number in there]
        self.whole += whole
        self.to_answer += [1000 * (played.answered[number] - played.invited[number]) for number in there]
        self.to_ring += [1000 * (rung[number] - played.answered[number]) for number in there]
        self.medians.append(percentile(whole, 50))
        self.sent += played.sent
        self.failed += played.failed


async def measure(sides: Sides, say: Say, *, rounds: int, seconds: float) -> Block:
    """Plays `rounds` rounds of each side, `seconds` long."""
    times = {side: Times() for side in ORDER}
    for turn in range(rounds):
        first = turn % len(ORDER)
        for side in ORDER[first:] + ORDER[:first]:
            say(f"ring: {side}, round {turn + 1} of {rounds}")
            played = await _round(sides, side, seconds)
            times[side].add(played, dict(sides.phones.rung()))
    return _block(times)


async def _round(sides: Sides, side: str, seconds: float) -> Played:
    if side == PLAIN:
        return await sides.carrier.place(sides.plain.sip_port, rate=RATE, seconds=seconds, spoken_ms=SPOKEN_MS)
    async with AsyncExitStack() as stack:
        if side == CENTRE:
            await stack.enter_async_context(sides.gateway())
            await stack.enter_async_context(listening(sides.centre, sides.folder / "stream.log", to_the_end=True))
        return await sides.carrier.place(sides.centre.sip_port, rate=RATE, seconds=seconds, spoken_ms=SPOKEN_MS)


def _block(times: dict[str, Times]) -> Block:
    return Block(
        f"A carrier's INVITE to the phone's INVITE, {RATE} calls/s",
        ORDER,
        ring_rows(times, ORDER, CENTRE, beside=PLAIN),
        ("ratio: with gateway / plain Asterisk", in_words(times, ORDER)),
    )


def ring_rows(times: Mapping[str, Times], sides: Sequence[str], judged: str, *, beside: str) -> tuple[Row, ...]:
    """The rows of `sides`; the `judged` one is held against the one `beside` it."""

    def row(what: str, part: str, percent: float, *, has_target: bool = False) -> Row:
        figures = {side: percentile(getattr(times[side], part), percent) for side in sides}
        ratio = figures[judged] / figures[beside]
        target = f"<= {MOST_RATIO}" if has_target else ""
        return Row(what, figures, "ms", ratio, target, ratio <= MOST_RATIO if has_target else None)

    silent = {side: times[side].sent - len(times[side].whole) for side in sides}
    return (
        row("INVITE to the phone's INVITE, median", "whole", 50, has_target=True),
        row("INVITE to the phone's INVITE, p99", "whole", 99, has_target=True),
        row("of it: INVITE to 112's 200 OK, median", "to_answer", 50),
        row("of it: 200 OK to the phone's INVITE, median", "to_ring", 50),
        Row("calls", {side: times[side].sent for side in sides}),
        # of these there is no time: they would be missing among the slowest
        Row("calls that rang no phone", silent, target="0", is_met=not silent[judged]),
        Row("failed at SIPp", {side: times[side].failed for side in sides}),
    )


def in_words(times: Mapping[str, Times], sides: Sequence[str]) -> str:
    """Each round's median, for the notes."""
    return "median of each round, ms: " + "; ".join(f"{side} {_list(times[side].medians)}" for side in sides)


def _list(values: Sequence[float]) -> str:
    return " ".join(f"{value:.1f}" for value in values)
