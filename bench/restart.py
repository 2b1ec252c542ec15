"""Kill -9 of the gateway with two hundred calls running and a long journal behind: how soon it serves again, and how
soon all that happened meanwhile is history.

Counterparts: `gateway/app.py`, which starts every edge at once; `gateway/asterisk/journal.py`, which catches up.
"""

import asyncio
import contextlib
import math
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from bench.measure import cpu_s, percentile
from bench.report import Block, Row
from bench.sides import Say
from tests import sip
from tests.centre import Api, Json, RealCentre, real_centre
from tests.sip import Sipp

RUNNING = 200
RATE = 20
HOLD_MS = 300_000
SAMPLES, SAMPLE_HOLD_MS = 20, 6000
"""Calls whose records are written again and again, with other ids, numbers and times."""
MOST_READY_S = 3.0
LIMIT_S = 300.0
LOOK_S = 0.02
APART_S = 0.001
"""So far apart the replayed calls come."""
CENTRE, PAUSE = "centre", "prayer"
_LEAD = "08199"
"""What every sample's caller begins with."""
_ID, _NUMBER, _TIME = re.compile(rb"(112-\d+)\.(\d+)"), re.compile(rb"08199(\d+)"), re.compile(rb"^(CEL1,)([0-9.]+)")


async def measure(say: Say, *, records: int) -> Block:
    """A centre of its own with one phone that rings and is never picked up, and `records` records behind."""
    with real_centre({"call": {"queue_max_wait_s": 600}}) as centre:
        await asyncio.to_thread(centre.start_asterisk)
        centre.start_gateway()
        await centre.ready()
        async with centre.api() as api:
            await _samples(centre, api, say)
            await api.retire_everybody()
            async with Sipp(sip.phone_rings(), address="127.0.0.21") as phone:
                operator = await api.operator("1002", phone)
                await _let_wait(api)
                say(f"restart: {RUNNING} callers")
                waiting = Sipp.caller(sip.caller_talks(hold_ms=HOLD_MS), centre.sip_port, calls=RUNNING, rate=RATE)
                async with waiting:
                    await asyncio.sleep(RUNNING / RATE + 1)
                    return await _measured(centre, api, say, records, operator["id"])


async def _samples(centre: RealCentre, api: Api, say: Say) -> None:
    say(f"restart: {SAMPLES} calls to be written again")
    async with Sipp(sip.phone_answers(), address="127.0.0.21") as phone:
        for number in range(SAMPLES):
            await api.operator(str(1100 + number), phone)
        caller = f"<sip:{_LEAD}[call_number]@[local_ip]>"
        talk = sip.caller_talks(hold_ms=SAMPLE_HOLD_MS, caller=caller)
        async with Sipp.caller(talk, centre.sip_port, calls=SAMPLES, rate=RATE) as sipp:
            await sipp.result(timeout_s=60)
        await api.ended_calls(SAMPLES)


async def _let_wait(api: Api) -> None:
    [queue] = (await api.get("/v1/queues"))["items"]
    await api.send("PATCH", f"/v1/queues/{queue['id']}", {"max_wait_s": 600})
    await api.send("PATCH", "/v1/rules", {"missed_rings_limit": 0})
    await api.send("POST", "/v1/pause-reasons", {"digit": "9", "name": PAUSE})


async def _measured(centre: RealCentre, api: Api, say: Say, records: int, operator_id: int) -> Block:
    journal = centre.settings.journal_dir / "journal.csv"
    if math.isnan(await _until(api, time.monotonic(), "/v1/board", _all_wait)):
        raise RuntimeError("not all callers wait")
    known = await _calls(api)
    await asyncio.to_thread(centre.stop_gateway, signal.SIGKILL)
    say(f"restart: {records:,} records are written")
    calls = await asyncio.to_thread(_write_again, journal, records)
    members = _members(centre)
    if not members:
        raise RuntimeError("Asterisk's console tells of no member that could stay")
    say("restart: the gateway starts")
    began_s = time.monotonic()
    centre.start_gateway()
    up_s = await _until(api, began_s, "/v1/health", lambda told: told["asterisk"]["up"])
    seen_s = await _until(api, began_s, "/v1/board", _all_wait)
    used_s = cpu_s(centre.gateway_pid)
    are_right = _members(centre) == members
    asked_s = time.monotonic()
    await api.send("POST", f"/v1/operators/{operator_id}/pause", {"reason": PAUSE})
    paused_ms = 1000 * (time.monotonic() - asked_s)
    lag_bytes = (await api.get("/v1/health"))["journal"]["lag_bytes"]
    looks_ms: list[float] = []
    told_s = await _until(api, began_s, "/v1/health", lambda told: told["journal"]["lag_bytes"] == 0, looks_ms)
    all_s = cpu_s(centre.gateway_pid)
    there = await _calls(api) - known
    running = (await api.get("/v1/board"))["queues"][0]["waiting"]
    return Block(
        f"kill -9 with {RUNNING} calls running and {records:,} records behind",
        (CENTRE,),
        (
            Row("in touch with Asterisk, and health answers", {CENTRE: up_s}, "s"),
            Row(
                "the board shows all calls that run",
                {CENTRE: seen_s},
                "s",
                target=f"< {MOST_READY_S:.0f} s",
                is_met=seen_s < MOST_READY_S,
            ),
            Row("the gateway's CPU until then", {CENTRE: used_s}, "s"),
            Row("members as before", {CENTRE: int(are_right)}, target="1", is_met=are_right),
            Row("a pause over the API meanwhile", {CENTRE: paused_ms}, "ms"),
            Row("still behind then", {CENTRE: lag_bytes / 1e6}, "MB"),
            Row("health meanwhile, p99", {CENTRE: percentile(looks_ms, 99)}, "ms"),
            Row("all of the journal is history", {CENTRE: told_s}, "s"),
            Row("the gateway's CPU until then, in all", {CENTRE: all_s}, "s"),
            Row("records a second", {CENTRE: records / told_s}),
            Row("calls that came of it", {CENTRE: there}, target=f"{calls}", is_met=there == calls),
            Row("calls that run at the end", {CENTRE: running}, target=f"{RUNNING}", is_met=running == RUNNING),
        ),
        (
            "from the start of the gateway's process, which the interpreter's own is a part of",
            f"the records are those of {SAMPLES} answered calls, again and again, with other ids and numbers",
        ),
    )


async def _until(
    api: Api, began_s: float, path: str, is_so: Callable[[Json], bool], looks_ms: list[float] | None = None
) -> float:
    """Seconds since the start until the API tells it; NaN after LIMIT_S."""
    while time.monotonic() - began_s < LIMIT_S:
        asked_s = time.monotonic()
        with contextlib.suppress(aiohttp.ClientError, AssertionError, KeyError, TimeoutError):
            async with api.session.get(path) as response:
                told = await response.json()
            if looks_ms is not None:
                looks_ms.append(1000 * (time.monotonic() - asked_s))
            if is_so(told):
                return time.monotonic() - began_s
        await asyncio.sleep(LOOK_S)
    return float("nan")


def _all_wait(board: Json) -> bool:
    return bool(board["queues"][0]["waiting"] == RUNNING)


async def _calls(api: Api) -> int:
    return sum(trunk["calls"] for trunk in (await api.get("/v1/trunks"))["items"])


def _members(centre: RealCentre) -> set[str]:
    """The phones in Asterisk's queues, and whether they are paused, as its console tells them."""
    shown = centre.cli("queue show")
    return {line.strip().partition(" has taken")[0] for line in shown.splitlines() if "(dynamic)" in line}


# ---------------------------------------------------------------- the journal


def _write_again(journal: Path, records: int) -> int:
    """Appends the samples' records with other ids, numbers and times until there are `records` of them; returns how
    many calls they are. Asterisk writes to the same file: each write is of whole lines."""
    samples = _by_call(journal)
    times = min(float(_TIME.match(line)[2]) for lines in samples for line in lines)  # type: ignore[index]
    shift_s, written, calls = time.time() - times, 0, 0
    with open(journal, "ab", buffering=0) as file:
        while written < records:
            part = []
            for lines in samples:
                calls += 1
                part += [_again(line, calls, shift_s + APART_S * calls) for line in lines]
                written += len(lines)
                if written >= records:
                    break
            file.write(b"".join(part))
    return calls


def _by_call(journal: Path) -> list[list[bytes]]:
    """The records of the samples, by call."""
    found: dict[bytes, list[bytes]] = {}
    for line in journal.read_bytes().splitlines(keepends=True):
        found.setdefault(line.split(b",")[4], []).append(line)
    return [lines for lines in found.values() if _LEAD.encode() in b"".join(lines)]


def _again(line: bytes, number: int, shift_s: float) -> bytes:
    line = _ID.sub(lambda match: b"%s.%d" % (match[1], int(match[2]) + 1_000_000 + 1000 * number), line)
    line = _NUMBER.sub(lambda match: b"0812%07d" % number, line)
    return _TIME.sub(lambda match: b"%s%.6f" % (match[1], float(match[2]) + shift_s), line)
