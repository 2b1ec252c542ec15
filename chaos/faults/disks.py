"""Disks that are full: under the journal, the recordings, the database. Each is a small one of the campaign's own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from chaos.disks import Disk
from chaos.faults.fault import Fault
from chaos.ground import Ground

AGAIN_S = 0.1
"""What makes room on a full disk finds it full again after so long."""


@asynccontextmanager
async def _full(disk: Disk) -> AsyncIterator[None]:
    async def fill() -> None:
        while True:
            await asyncio.to_thread(disk.fill)
            await asyncio.sleep(AGAIN_S)

    filling = asyncio.create_task(fill())
    try:
        yield
    finally:
        filling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await filling
        disk.empty()


@asynccontextmanager
async def under_journal(ground: Ground, luck: Random) -> AsyncIterator[None]:
    async with _full(ground.journal_disk):
        yield


@asynccontextmanager
async def under_recordings(ground: Ground, luck: Random) -> AsyncIterator[None]:
    async with ground.no_room_for_recordings(), _full(ground.recordings_disk):
        yield


@asynccontextmanager
async def under_database(ground: Ground, luck: Random) -> AsyncIterator[None]:
    async with _full(ground.database.disk):
        yield


FAULTS = (
    Fault("disks", "disk full: journal", under_journal, 1, 5, lambda ground: ground.journal_disk.why_not),
    Fault("disks", "disk full: recordings", under_recordings, 1, 8, lambda ground: ground.recordings_disk.why_not),
    Fault("disks", "disk full: database", under_database, 1, 8, lambda ground: ground.database.disk.why_not),
)
