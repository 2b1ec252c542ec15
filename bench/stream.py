"""From a record in Asterisk's journal to the bytes of its event at a listener of the stream.

The record's time is Asterisk's own (CEL, microseconds), the arrival is stamped by `bench/listener.py`: one clock.
"""

from bench.listener import heard, listening
from bench.measure import percentile
from bench.report import Block, Row
from bench.sides import Say, Sides

RATE = 20
CENTRE = "centre"
MOST_P99_MS = 50.0


async def measure(sides: Sides, say: Say, *, seconds: float) -> Block:
    """Listens while RATE calls a second come in for `seconds`."""
    async with sides.gateway(), listening(sides.centre, sides.folder / "stream.log") as file:
        say(f"stream: {seconds:.0f} s at {RATE} calls/s")
        played = await sides.carrier.place(sides.centre.sip_port, rate=RATE, seconds=seconds)
        events = heard(file)
    late_ms = [1000 * (event.arrived - event.at) for event in events]
    p99 = percentile(late_ms, 99)
    return Block(
        f"Journal record to the listener's bytes, {RATE} calls/s",
        (CENTRE,),
        (
            Row("p50", {CENTRE: percentile(late_ms, 50)}, "ms"),
            Row("p99", {CENTRE: p99}, "ms", target=f"<= {MOST_P99_MS:.0f} ms", is_met=p99 <= MOST_P99_MS),
            Row("longest", {CENTRE: max(late_ms, default=float("nan"))}, "ms"),
            Row("events", {CENTRE: len(events)}),
            Row("calls", {CENTRE: played.sent}),
        ),
    )
