"""Kill -9 of the gateway, the vault's worker and Asterisk while calls run, and what became of each call's sound.

Counterparts: `test_evidence.py` does it a few times, `bench/deaths.py` many.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from tests import sip
from tests.centre import Api, Json, RealCentre
from tests.sip import Sipp

TALK_MS = 3000
RATE = 1.5
SETTLE_S = 90.0
SOON_GIVES_UP = ("-max_invite_retrans", "5", "-max_non_invite_retrans", "3", "-recv_timeout", "20000")
"""What nobody answers any more is not asked for half a minute; and nobody waits for ever for the answer of an Asterisk
that has said 100 and was killed then."""


class Victim(StrEnum):
    GATEWAY = "gateway"
    WORKER = "worker"
    ASTERISK = "asterisk"


@dataclass(frozen=True)
class Found:
    """What was found after a round."""

    calls: int
    open: int
    """Recordings that ran or waited when something was killed."""
    sealed: int
    empty: int
    lost: int
    repaired: int
    """Of these, how many are sealed."""
    lost_s: float
    """Sound that the calls miss that ran when Asterisk was killed."""
    worst_s: float
    """The most that one of them misses."""
    faults: tuple[str, ...]
    """What must not be; empty where all is well."""


async def a_round(
    centre: RealCentre,
    api: Api,
    victims: Sequence[Victim],
    tone: Path,
    luck: random.Random,
    *,
    span_s: float,
    kill_by_s: float,
) -> Found:
    """Calls with sound come for `span_s` seconds; at random moments before `kill_by_s` the victims are killed, and
    started anew. Returns what was found once everything is settled."""
    after = await newest_arrival(api)
    moments = sorted(luck.uniform(0.3, kill_by_s) for _ in victims)
    scenario = sip.caller_talks(hold_ms=TALK_MS, sound=tone)
    began = time.monotonic()
    open_then: set[str] = set()
    died: list[datetime] = []
    count = max(2, round(span_s * RATE))
    async with Sipp.caller(scenario, centre.sip_port, calls=count, rate=RATE, options=SOON_GIVES_UP) as carrier:
        for moment, victim in zip(moments, victims, strict=True):
            await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
            open_then |= waiting(centre)
            if victim is Victim.ASTERISK:
                died.append(datetime.now(UTC))
            await kill(centre, victim)
        await carrier.result()
    await centre.ready()
    records = await settled(centre)
    calls = [call for call in await api.calls() if call["arrived_at"] > after]
    return judge(centre, count, calls, records, open_then, died)


async def newest_arrival(api: Api) -> str:
    calls = await api.calls()
    return str(calls[-1]["arrived_at"]) if calls else ""


async def kill(centre: RealCentre, victim: Victim) -> None:
    """Kills it, and starts what nobody else does; the worker is the gateway's to start."""
    match victim:
        case Victim.GATEWAY:
            centre.stop_gateway(signal.SIGKILL)
            centre.start_gateway()
        case Victim.WORKER:
            for pid in workers(centre.gateway_pid):
                os.kill(pid, signal.SIGKILL)
        case Victim.ASTERISK:
            await asyncio.to_thread(centre.stop_asterisk, signal.SIGKILL)
            await asyncio.to_thread(centre.start_asterisk)


def workers(gateway_pid: int) -> list[int]:
    """The gateway's children."""
    found = Path(f"/proc/{gateway_pid}/task/{gateway_pid}/children").read_text().split()
    return [int(pid) for pid in found]


def rows(centre: RealCentre) -> list[Json]:
    """The recordings as they are stored."""
    with sqlite3.connect(f"file:{centre.settings.paths.var / 'gateway112.db'}?mode=ro", uri=True) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM recordings")]


def waiting(centre: RealCentre) -> set[str]:
    return {row["id"] for row in rows(centre) if row["state"] in ("running", "over")}


async def settled(centre: RealCentre) -> list[Json]:
    """The recordings, once none of them runs or waits, and no raw sound of a sealed one is left."""
    found: list[Json] = []
    try:
        async with asyncio.timeout(SETTLE_S):
            while True:
                found = rows(centre)
                is_open = any(row["state"] in ("running", "over") for row in found)
                if found and not is_open and not left_over(centre, found):
                    return found
                await asyncio.sleep(0.3)
    except TimeoutError:
        waits = [row for row in found if row["state"] in ("running", "over")]
        raise AssertionError(f"not settled: {waits}, {left_over(centre, found)}\n{centre.log()[-3000:]}") from None


def left_over(centre: RealCentre, records: list[Json]) -> list[str]:
    """The files that should not lie there any more: parts of files, and raw sound of sealed recordings."""
    sealed = {row["file"] for row in records if row["state"] == "sealed"}
    root = centre.settings.paths.recordings
    files = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.parent != root]
    return [file for file in files if file in sealed or file.endswith((".part", ".tmp"))]


def judge(
    centre: RealCentre, sent: int, calls: list[Json], records: list[Json], open_then: set[str], died: list[datetime]
) -> Found:
    """Holds each call against its recording. Where Asterisk lived, each of the `sent` ones is a call."""
    by_call = {row["call_id"]: row for row in records if row["kind"] == "call"}
    faults: list[str] = []
    if not died and len(calls) != sent:
        faults.append(f"{sent} calls were sent, and {len(calls)} are in the history")
    lost: list[float] = [0.0]
    mine = [by_call[call["id"]] for call in calls if call["id"] in by_call]
    for call in calls:
        row = by_call.get(call["id"])
        if row is None:
            faults.append(f"{call['id']} has no record")
            continue
        cut_at = next((at for at in died if _at(call["arrived_at"]) < at and call["outcome"] == "failed"), None)
        until = cut_at or _at(call["ended_at"])
        if call["greeted_at"] is None:
            continue
        missing = (until - _at(call["greeted_at"])).total_seconds() - (row["sound_s"] or 0.0)
        if cut_at is not None:
            lost.append(max(0.0, missing))
        elif missing > 0.5:
            faults.append(f"{call['id']} misses {missing:.1f} s")
    faults += entries_twice(centre)
    return Found(
        calls=len(calls),
        open=sum(row["id"] in open_then for row in mine),
        sealed=sum(row["state"] == "sealed" for row in mine),
        empty=sum(row["state"] == "empty" for row in mine),
        lost=sum(row["state"] == "lost" for row in mine),
        repaired=sum(row["state"] == "sealed" and row["id"] in open_then for row in mine),
        lost_s=sum(lost),
        worst_s=max(lost),
        faults=tuple(faults),
    )


def entries_twice(centre: RealCentre) -> list[str]:
    """The recordings that stand in their day's chain more than once."""
    seen: dict[str, int] = {}
    for chain in centre.settings.paths.recordings.rglob("chain.jsonl"):
        for line in chain.read_text().splitlines():
            name = json.dumps(json.loads(line).get("file"))
            seen[name] = seen.get(name, 0) + 1
    return [f"{name} stands in the chain {count} times" for name, count in seen.items() if count > 1]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
