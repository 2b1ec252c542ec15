"""A thousand finished calls wait for the vault's worker while calls come in: does a phone ring later for it than at the
same centre while none of them waits?

Counterparts: `bench/ring.py`, whose rounds these are; `gateway/sealing.py` and `gateway/vault/worker.py`, which drain.
"""

import asyncio
import contextlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.listener import listening
from bench.load import SPOKEN_MS, Played
from bench.measure import children, cpu_s, tree_cpu_s
from bench.report import Block, Row
from bench.ring import RATE, Times, in_words, ring_rows
from bench.sealing import talk
from bench.sides import Say, Sides
from gateway.domain.change import Change
from gateway.domain.recordings import Kind, Recording, State
from gateway.store.database import open_database, reading, writing
from gateway.store.repository import Repository
from gateway.store.tables import recordings

IDLE, DRAINING = "nothing waits", "draining"
ORDER = (IDLE, DRAINING)
AN_HOUR = timedelta(hours=1)
SOUND_S = 10
"""Of each that waits: conversion and the programs' starts cost about the same."""
MOST_ROUNDS = 14
"""So many rounds, and what still waits then has not drained."""
STEP = 500
BEGUN_LIMIT_S = 30.0
ID = "drain-"
STILL_WAITS = recordings.c.state.in_((State.RUNNING, State.OVER))
"""RUNNING: of a call whose end the gateway had not read yet when it was stopped."""


async def measure(sides: Sides, say: Say, *, waiting: int, rounds: int, seconds: float) -> Block:
    """Plays rounds of both sides in turns until all that waited is sealed: `rounds` at least, `seconds` long each."""
    say(f"drain: {waiting} finished calls of {SOUND_S} s")
    laid = await asyncio.to_thread(_lay, sides.centre.settings.paths.recordings, waiting)
    engine = await open_database(sides.centre.settings.database_url)
    store = Repository(engine)
    try:
        for start in range(0, waiting, STEP):
            await store.commit(Change(recordings=tuple(laid[start : start + STEP])))
        return await _drained(sides, say, engine, waiting, rounds, seconds)
    finally:
        await store.close()


async def _drained(sides: Sides, say: Say, engine: AsyncEngine, waiting: int, rounds: int, seconds: float) -> Block:
    times = {side: Times() for side in ORDER}
    used_s = {"gateway": 0.0, "worker": 0.0}
    done = turn = by_rounds = 0
    while turn < rounds or (done < waiting and turn < MOST_ROUNDS):
        for side in ORDER if turn % 2 else reversed(ORDER):
            say(f"drain: {side}, round {turn + 1}, {done} of {waiting} sealed")
            await _wait_until(engine, datetime.now(UTC) + AN_HOUR if side == IDLE else None)
            if side == IDLE:
                async with sides.gateway(), listening(sides.centre, sides.folder / "stream.log", to_the_end=True):
                    played = await _played(sides, seconds)
            else:
                played = await _round(sides, engine, waiting, seconds, used_s)
                before, done = done, await _sealed(engine)
                by_rounds += done > before
            times[side].add(played, dict(sides.phones.rung()))
        turn += 1
    return _block(times, used_s, waiting, done, by_rounds)


async def _wait_until(engine: AsyncEngine, at: datetime | None) -> None:
    """Those that still wait are not tried before then: as if there were none. So are the calls of the rounds before,
    which came in behind them and wait as well: they are nobody's part of either side. The gateway does not run."""
    async with writing(engine) as connection:
        await connection.execute(update(recordings).where(STILL_WAITS).values(try_at=datetime.now(UTC) + AN_HOUR))
        theirs = recordings.c.id.startswith(ID) & STILL_WAITS
        await connection.execute(update(recordings).where(theirs).values(try_at=at))


async def _played(sides: Sides, seconds: float) -> Played:
    return await sides.carrier.place(sides.centre.sip_port, rate=RATE, seconds=seconds, spoken_ms=SPOKEN_MS)


async def _round(sides: Sides, engine: AsyncEngine, waiting: int, seconds: float, used_s: dict[str, float]) -> Played:
    """With a gateway of its own, from when its worker seals on."""
    centre, before = sides.centre, await _sealed(engine)
    async with sides.gateway(), listening(centre, sides.folder / "stream.log", to_the_end=True):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEGUN_LIMIT_S):
                while before < waiting and await _sealed(engine) == before:  # noqa: ASYNC110  # another process seals
                    await asyncio.sleep(0.5)
        gateway, workers = centre.gateway_pid, children(centre.gateway_pid)
        before_s = cpu_s(gateway), sum(map(tree_cpu_s, workers))
        played = await _played(sides, seconds)
        used_s["gateway"] += cpu_s(gateway) - before_s[0]
        used_s["worker"] += sum(map(tree_cpu_s, workers)) - before_s[1]
        return played


def _lay(root: Path, count: int) -> list[Recording]:
    """Their raw sound, the same for all, each a name of its own for it; and what the gateway is to know of them."""
    began = datetime.now(UTC) - timedelta(hours=1)
    day = f"{began:%Y/%m/%d}"
    (root / day).mkdir(parents=True, exist_ok=True)
    laid = []
    first = root / day / f"{ID}0.raw"
    first.write_bytes(talk(SOUND_S))
    for number in range(count):
        at = began + timedelta(seconds=number)
        file = f"{day}/{ID}{number}.raw"
        if number:
            os.link(first, root / file)
        laid.append(
            Recording(
                id=f"{ID}{number}",
                kind=Kind.CALL,
                file=file,
                started_at=at,
                state=State.OVER,
                ended_at=at + timedelta(seconds=SOUND_S),
                expected_s=float(SOUND_S),
                talk_s=float(SOUND_S),
            )
        )
    return laid


async def _sealed(engine: AsyncEngine) -> int:
    query = select(func.count()).where(recordings.c.id.startswith(ID), recordings.c.state == State.SEALED)
    async with reading(engine) as connection:
        return int((await connection.execute(query)).scalar_one())


def _block(times: dict[str, Times], used_s: dict[str, float], waiting: int, done: int, by_rounds: int) -> Block:
    sent, sealed = times[DRAINING].sent, max(1, done)
    rounds = len(times[DRAINING].medians)
    return Block(
        f"{waiting:,} finished calls drain while {RATE} calls/s run",
        ORDER,
        (
            *ring_rows(times, ORDER, DRAINING, beside=IDLE),
            Row("sealed of those that waited", {DRAINING: done}, target="all", is_met=done == waiting),
            Row("rounds in which some were sealed", {DRAINING: by_rounds}, ratio=by_rounds / rounds),
            Row("CPU of the worker, for each that was sealed", {DRAINING: 1000 * used_s["worker"] / sealed}, "ms"),
            Row("CPU of the gateway a call that came in", {DRAINING: 1000 * used_s["gateway"] / sent}, "ms"),
        ),
        (
            "ratio: while it drains / while nothing waits; rounds with sealing / all rounds",
            "CPU of the worker: with its ffmpeg, while calls came in; the gateway's holds the draining's share of it",
            in_words(times, ORDER),
        ),
    )
