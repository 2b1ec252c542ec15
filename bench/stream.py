"""From a record in Asterisk's journal to the bytes of its event at a listener of the stream.

The record's time is Asterisk's own (CEL, microseconds), the arrival is stamped by `bench/listener.py`: one clock.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from bench.listener import Heard, heard, listening
from bench.measure import percentile
from bench.report import Block, Row
from bench.sides import Say, Sides

RATE = 20
CENTRE = "centre"
MOST_P99_MS = 50.0
TOLD_LIMIT_S = 5.0
"""So long after the last call an event may still come: one that does not is no quick one, it is missing."""


async def measure(sides: Sides, say: Say, *, seconds: float) -> Block:
    """Listens while RATE calls a second come in for `seconds`."""
    async with sides.gateway(), listening(sides.centre, sides.folder / "stream.log", to_the_end=True) as file:
        say(f"stream: {seconds:.0f} s at {RATE} calls/s")
        played = await sides.carrier.place(sides.centre.sip_port, rate=RATE, seconds=seconds)
        events = await _all_heard(file, played.sent)
    return _block(events, played.sent)


async def _all_heard(file: Path, calls: int) -> list[Heard]:
    """The events, once so many calls are told to be over; what there is at TOLD_LIMIT_S otherwise."""
    until = asyncio.get_running_loop().time() + TOLD_LIMIT_S
    while _ended(events := heard(file)) < calls and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    return events


def _ended(events: Sequence[Heard]) -> int:
    return sum(event.kind == "call.ended" for event in events)


def _block(events: Sequence[Heard], calls: int) -> Block:
    late_ms = [1000 * (event.arrived - event.at) for event in events]
    p99, told = percentile(late_ms, 99), _ended(events)
    return Block(
        f"Journal record to the listener's bytes, {RATE} calls/s",
        (CENTRE,),
        (
            Row("p50", {CENTRE: percentile(late_ms, 50)}, "ms"),
            Row("p99", {CENTRE: p99}, "ms", target=f"<= {MOST_P99_MS:.0f} ms", is_met=p99 <= MOST_P99_MS),
            Row("longest", {CENTRE: max(late_ms, default=float("nan"))}, "ms"),
            Row("events", {CENTRE: len(events)}),
            Row("calls", {CENTRE: calls}),
            Row("of these, told to be over", {CENTRE: told}, target="all", is_met=told == calls),
        ),
    )
