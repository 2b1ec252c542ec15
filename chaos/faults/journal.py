"""The journal's file is rotated, cut short, deleted by somebody's hand.

What is destroyed has been read by then: Asterisk stands still for a moment, until the gateway has all, and then the
file goes. What nobody has read and somebody destroys is gone, and no history can have it.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import aiohttp

from chaos.faults.fault import Fault
from chaos.ground import Ground

READ_LIMIT_S = 10.0


def _current(ground: Ground) -> Path:
    return ground.centre.settings.journal_dir / "journal.csv"


@asynccontextmanager
async def rotated(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """Renamed under Asterisk's hand, as logrotate does; several times."""
    file = _current(ground)
    for _ in range(luck.randint(1, 3)):
        if file.exists():
            file.rename(file.with_name(f"journal-{time.time_ns()}.csv"))
        await asyncio.sleep(luck.uniform(0, 0.5))
    yield


@asynccontextmanager
async def cut_to_nothing(ground: Ground, luck: Random) -> AsyncIterator[None]:
    async with _read_to_the_end(ground):
        os.truncate(_current(ground), 0)
    yield


@asynccontextmanager
async def end_lost(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """Its last records are not there any more, the very last one half: as after a power cut."""
    async with _read_to_the_end(ground):
        size = _current(ground).stat().st_size
        os.truncate(_current(ground), max(0, size - luck.randint(100, 5000)))
    yield


@asynccontextmanager
async def deleted(ground: Ground, luck: Random) -> AsyncIterator[None]:
    async with _read_to_the_end(ground):
        _current(ground).unlink()
    yield


@asynccontextmanager
async def _read_to_the_end(ground: Ground) -> AsyncIterator[None]:
    """In the block Asterisk stands still, its file is there, and the gateway has read all of it."""
    while not _current(ground).exists():  # it was rotated, and nobody has called since
        await asyncio.sleep(0.1)
    async with ground.frozen_asterisk(), asyncio.timeout(READ_LIMIT_S), aiohttp.ClientSession() as session:
        # what is read is as of the last look: two in a row, with a pause that is longer than that between looks
        for _ in range(2):
            await asyncio.sleep(0.4)
            while await _lag_bytes(session, f"{ground.centre.settings.api_url}/v1/health"):
                await asyncio.sleep(0.1)
        yield


async def _lag_bytes(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as response:
        return int((await response.json())["journal"]["lag_bytes"])


FAULTS = (
    Fault("journal", "journal rotated", rotated, 0, 1),
    Fault("journal", "journal truncated", cut_to_nothing, 0, 1),
    Fault("journal", "journal's end lost", end_lost, 0, 1),
    Fault("journal", "journal deleted", deleted, 0, 1),
)
