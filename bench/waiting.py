"""Two hundred callers wait at once for one operator who does not pick up: what that costs Asterisk and the gateway
while they do, how soon the board shows them, and that each of them is a call with an outcome.

Counterparts: `dialplan/queue.conf`, `gateway/api/board.py`.
"""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime

from bench.measure import cpu_s, memory_bytes, percentile
from bench.report import Block, Row
from bench.sides import Say
from tests import sip
from tests.centre import Api, Json, real_centre
from tests.sip import Sipp

CALLERS = 200
RATE = 20
HOLD_MS = 45_000
WATCHED_S = 20.0
SHOWN_LIMIT_S = 20.0
MOST_OF_ASTERISKS_CPU = 0.25
CENTRE = "centre"


async def measure(say: Say) -> Block:
    """A centre of its own with one phone that rings and is never picked up."""
    with real_centre({"call": {"queue_max_wait_s": 600}}) as centre:
        await asyncio.to_thread(centre.start_asterisk)
        centre.start_gateway()
        await centre.ready()
        async with centre.api() as api, Sipp(sip.phone_rings(), address="127.0.0.21") as phone:
            await _set_up(api, phone)
            say(f"waiting: {CALLERS} callers, {RATE} a second")
            began_at = datetime.now(UTC).isoformat()
            callers = Sipp.caller(sip.caller_talks(hold_ms=HOLD_MS), centre.sip_port, calls=CALLERS, rate=RATE)
            async with callers:
                await asyncio.sleep(CALLERS / RATE)
                shown_s = await _until_shown(api)
                say(f"waiting: all of them wait, {WATCHED_S:.0f} s")
                pids = {"asterisk": centre.asterisk_pid, "gateway": centre.gateway_pid}
                before_s = {name: cpu_s(pid) for name, pid in pids.items()}
                looks_ms = await _looks(api, WATCHED_S)
                share = {name: (cpu_s(pid) - before_s[name]) / WATCHED_S for name, pid in pids.items()}
                memory = memory_bytes(pids["gateway"])
                result = await callers.result(timeout_s=HOLD_MS / 1000 + 30)
            calls = await api.ended_calls(CALLERS, after=began_at)
    outcomes = Counter(call["outcome"] for call in calls)
    part = share["gateway"] / share["asterisk"]
    return Block(
        f"{CALLERS} callers wait",
        (CENTRE,),
        (
            Row("all shown on the board after the last INVITE", {CENTRE: shown_s}, "s"),
            Row("Asterisk, of one core, while they wait", {CENTRE: 100 * share["asterisk"]}, "%"),
            Row(
                "the gateway, of one core",
                {CENTRE: 100 * share["gateway"]},
                "%",
                part,
                f"<= {MOST_OF_ASTERISKS_CPU} of Asterisk's",
                part <= MOST_OF_ASTERISKS_CPU,
            ),
            Row("the gateway's memory", {CENTRE: memory / 1e6}, "MB"),
            Row("GET /v1/board, median", {CENTRE: percentile(looks_ms, 50)}, "ms"),
            Row("GET /v1/board, p99", {CENTRE: percentile(looks_ms, 99)}, "ms"),
            Row("failed at SIPp", {CENTRE: result.failed}, target="0", is_met=result.failed == 0),
            Row(
                "calls in the API",
                {CENTRE: len(calls)},
                ratio=len(calls) / CALLERS,
                target="as many as sent",
                is_met=len(calls) == CALLERS and None not in outcomes,
            ),
        ),
        (
            "outcomes: " + ", ".join(f"{count} {name}" for name, count in outcomes.most_common()),
            "ratio: CPU of the gateway / CPU of Asterisk; calls in the API / sent. One board a second is asked for",
        ),
    )


async def _set_up(api: Api, phone: Sipp) -> None:
    await api.operator("1001", phone)
    [queue] = (await api.get("/v1/queues"))["items"]
    await api.send("PATCH", f"/v1/queues/{queue['id']}", {"max_wait_s": 600})
    await api.send("PATCH", "/v1/rules", {"missed_rings_limit": 0})


async def _board(api: Api) -> Json:
    [queue] = (await api.get("/v1/board"))["queues"]
    return queue  # type: ignore[no-any-return]


async def _until_shown(api: Api) -> float:
    """Seconds until the board shows all callers; NaN where it does not."""
    began_s = time.monotonic()
    while (await _board(api))["waiting"] < CALLERS:
        if time.monotonic() - began_s > SHOWN_LIMIT_S:
            return float("nan")
        await asyncio.sleep(0.1)
    return time.monotonic() - began_s


async def _looks(api: Api, seconds: float) -> list[float]:
    """How long each of the board's answers took, in milliseconds, one a second."""
    found = []
    for _ in range(round(seconds)):
        began_s = time.monotonic()
        await _board(api)
        took_s = time.monotonic() - began_s
        found.append(1000 * took_s)
        await asyncio.sleep(max(0.0, 1 - took_s))
    return found
