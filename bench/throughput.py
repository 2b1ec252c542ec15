"""Many calls for a while: does one fail, is each in the API, what does a call cost Asterisk and the gateway, and does
the gateway's memory stay flat.

Counterparts: law 7, conservation: calls that entered a trunk = calls in the API, each with one outcome;
`chaos/conservation.py`, which holds each INVITE that SIPp sent against the history.
"""

import asyncio
import math
from collections import Counter
from datetime import UTC, datetime

from bench.listener import listening
from bench.load import Phones, Played
from bench.measure import children, cpu_s, memory_bytes, tree_cpu_s, watching_memory
from bench.report import Block, Row
from bench.sides import Say, Sides
from chaos.conservation import Span, Told, Troubles, Verdict, check
from chaos.sightings import CarrierLog, PhoneLog
from tests.centre import Api, Json

RATE, TRUNK = 40, "telkomsel"
PLAIN, CENTRE = "plain Asterisk", "centre"
WARM_UP_S, PLAIN_S = 6.0, 60.0
SETTLE_S = 1.5
"""What the last calls left behind comes to its end: it belongs to their cost."""
MOST_OF_ASTERISKS_CPU = 0.25
MOST_GROWTH = 0.02
"""Memory is called flat when it grows by no more than this part of itself over the second half."""
API_LIMIT_S = 20.0
SPOKEN_MS = 2000
"""Of callers who speak: more than the check asks of each recording."""
TOLD = 10
"""Findings that are told in words."""


async def measure(sides: Sides, say: Say, *, seconds: float, with_sound: bool) -> Block:
    """Loads plain Asterisk for half of `seconds`, or PLAIN_S, then the centre for all of them."""
    spoken_ms, plain_s = SPOKEN_MS if with_sound else 0, min(seconds / 2, PLAIN_S)
    say(f"throughput: plain Asterisk, {plain_s:.0f} s at {RATE} calls/s")
    before_s = cpu_s(sides.plain.asterisk_pid)
    plain = await sides.carrier.place(sides.plain.sip_port, rate=RATE, seconds=plain_s, spoken_ms=spoken_ms)
    await asyncio.sleep(SETTLE_S)
    plain_cpu_ms = 1000 * (cpu_s(sides.plain.asterisk_pid) - before_s) / plain.sent

    centre = sides.centre
    async with sides.gateway() as api, listening(centre, sides.folder / "stream.log", to_the_end=True):
        say("throughput: the centre warms up")
        await sides.carrier.place(centre.sip_port, rate=RATE, seconds=WARM_UP_S, spoken_ms=spoken_ms)
        await asyncio.sleep(SETTLE_S)
        since = datetime.now(UTC).isoformat()
        pids = {"asterisk": centre.asterisk_pid, "gateway": centre.gateway_pid}
        used_s = {name: cpu_s(pid) for name, pid in pids.items()}
        workers = children(pids["gateway"])
        worker_s = sum(map(tree_cpu_s, workers))
        memory_before = memory_bytes(pids["gateway"])
        say(f"throughput: the centre, {seconds:.0f} s at {RATE} calls/s")
        async with watching_memory(pids["gateway"]) as memory:
            played = await sides.carrier.place(
                centre.sip_port, rate=RATE, seconds=seconds, spoken_ms=spoken_ms, is_logged=True
            )
            await asyncio.sleep(SETTLE_S)
        cpu_ms = {name: 1000 * (cpu_s(pid) - used_s[name]) / played.sent for name, pid in pids.items()}
        worker_ms = 1000 * (sum(map(tree_cpu_s, workers)) - worker_s) / played.sent
        memory_after = memory_bytes(pids["gateway"])
        say("throughput: counting the calls in the API")
        calls = await _ended(api, since, played.sent)
    outcomes = Counter(call["outcome"] for call in calls)
    verdict = _held_against_sipp(calls, played, sides.phones, with_sound=with_sound)
    found = verdict.findings

    part = cpu_ms["gateway"] / cpu_ms["asterisk"]
    there = sum(outcomes.values())
    half_s = memory.second_half[-1][0] - memory.second_half[0][0]
    return Block(
        f"{RATE} calls/s",
        (PLAIN, CENTRE),
        (
            Row("length of the load", {PLAIN: plain_s, CENTRE: seconds}, "s"),
            Row("calls sent", {PLAIN: plain.sent, CENTRE: played.sent}),
            Row("failed at SIPp", {PLAIN: plain.failed, CENTRE: played.failed}, target="0", is_met=played.failed == 0),
            Row(
                "calls in the API",
                {CENTRE: there},
                ratio=there / played.sent,
                target="as many as sent",
                is_met=there == played.sent and None not in outcomes,
            ),
            Row(
                "INVITEs lost, wrong or repeated",
                {CENTRE: len(found)},
                target="0",
                is_met=not found and verdict.counts["invited"] == played.sent,
            ),
            Row("CPU of Asterisk a call", {PLAIN: plain_cpu_ms, CENTRE: cpu_ms["asterisk"]}, "ms"),
            Row(
                "CPU of the gateway a call",
                {CENTRE: cpu_ms["gateway"]},
                "ms",
                part,
                f"<= {MOST_OF_ASTERISKS_CPU} of Asterisk's",
                part <= MOST_OF_ASTERISKS_CPU,
            ),
            Row("CPU of the vault's worker a call", {CENTRE: worker_ms}, "ms"),
            Row("gateway's memory before", {CENTRE: memory_before / 1e6}, "MB"),
            Row("gateway's memory after", {CENTRE: memory_after / 1e6}, "MB"),
            Row(
                "its slope in the second half",
                {CENTRE: memory.slope_bytes_s / 1e3},
                "kB/s",
                target=f"flat: <= {MOST_GROWTH:.0%} in {half_s:.0f} s",
                is_met=memory.growth <= MOST_GROWTH,
            ),
        ),
        (
            "outcomes: " + ", ".join(f"{count} {name}" for name, count in outcomes.most_common()),
            "ratio: calls in the API / sent; CPU of the gateway / CPU of the same centre's Asterisk",
            "INVITEs: each that SIPp sent against the history, by chaos/conservation.py"
            + (", with its recording" if with_sound else "; callers were mute"),
            *(f"{each.kind}: {each.about}: {each.words}" for each in found[:TOLD]),
        ),
    )


def _held_against_sipp(calls: list[Json], played: Played, phones: Phones, *, with_sound: bool) -> Verdict:
    """What is lost, wrong or repeated, by SIPp's own logs."""
    carrier, talks = CarrierLog(played.messages, played.lead, TRUNK), PhoneLog(phones.log)
    carrier.read()
    talks.read()
    # of callers who are mute there is no sound to be missed
    troubles = Troubles(no_room=[] if with_sound else [Span(0, math.inf)])
    return check(carrier.seen.values(), talks.talks, Told(calls), troubles, is_final=True)


async def _ended(api: Api, since: str, count: int) -> list[Json]:
    """The calls since then, once there are `count` and all have ended; what there is at API_LIMIT_S otherwise."""
    limit = asyncio.get_running_loop().time() + API_LIMIT_S
    while True:
        calls = await api.calls(since=since)
        is_whole = len(calls) >= count and all(call["outcome"] for call in calls)
        if is_whole or asyncio.get_running_loop().time() > limit:
            return calls
        await asyncio.sleep(1)
