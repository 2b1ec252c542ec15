"""How old what Asterisk wrote and is not stored yet may be: what the journal's reader knows of its own lag."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.asterisk.journal import CURRENT, Journal
from gateway.domain.change import Position
from gateway.ports import Reading, StoreAway
from tests.api.house import until
from tests.asterisk.test_journal import append, row
from tests.clock import clock

SLOW_S = 0.2


class SlowStore:
    """Takes a reading once it is let, or is away."""

    def __init__(self) -> None:
        self.lets = asyncio.Event()
        self.is_away = False

    async def positions(self) -> dict[str, Position]:
        return {}

    async def resume(self) -> None:
        if self.is_away:
            raise StoreAway("it does not answer")

    async def record(self, reading: Reading) -> None:
        await self.resume()
        await self.lets.wait()


@pytest.fixture
async def store() -> SlowStore:
    return SlowStore()


@pytest.fixture
async def journal(tmp_path: Path, store: SlowStore) -> AsyncIterator[Journal]:
    """One that is followed, and has something to read at its start."""
    append(tmp_path / CURRENT, row(1))
    journal = Journal(tmp_path, rotate_at_bytes=10**9, clock=clock)
    task = asyncio.create_task(journal.follow(store.positions, store.record, store.resume))
    yield journal
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_the_lag_grows_while_the_store_is_slow_and_is_gone_once_it_has_stored(
    tmp_path: Path, journal: Journal, store: SlowStore
) -> None:
    await asyncio.sleep(SLOW_S)
    assert journal.behind_s == 0  # what a start finds is no lack of speed
    store.lets.set()
    await until(lambda: journal.is_told)
    store.lets.clear()
    append(tmp_path / CURRENT, row(2))
    await until(lambda: journal.behind_s > 2 * SLOW_S)
    store.lets.set()
    await until(lambda: journal.behind_s < SLOW_S)


async def test_what_waits_for_a_store_that_is_away_is_no_lag(
    tmp_path: Path, journal: Journal, store: SlowStore
) -> None:
    store.lets.set()
    await until(lambda: journal.is_told)
    store.is_away = True
    append(tmp_path / CURRENT, row(2))
    await until(lambda: bool(journal.waits))
    assert journal.behind_s == 0


async def test_the_journal_is_read_while_everybody_elses_threads_are_taken(tmp_path: Path, store: SlowStore) -> None:
    """Six calendars of a hundred days, or six receivers of webhooks whose names nobody resolves, take all that there
    are on two processors."""
    append(tmp_path / CURRENT, row(1))
    store.lets.set()
    is_over = threading.Event()
    others = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(others)
    taken = asyncio.create_task(asyncio.to_thread(is_over.wait, 20))
    journal = Journal(tmp_path, rotate_at_bytes=10**9, clock=clock)
    task = asyncio.create_task(journal.follow(store.positions, store.record, store.resume))
    try:
        async with asyncio.timeout(2):
            await until(lambda: journal.is_told)
    finally:
        is_over.set()
        task.cancel()
        await asyncio.wait([task, taken])
