"""The database locked, read-only, slow and gone. Full is a matter of its disk: `disks.py`."""

import asyncio
import contextlib
import resource
import signal
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from random import Random

from chaos.faults.fault import Fault
from chaos.ground import Ground
from chaos.stores import Postgresql, Sqlite

SLOW_BYTES_A_SECOND = 20_000
BUSY_S, FREE_S = 0.6, 0.05
"""A slow SQLite: somebody else writes for so long, and leaves it free for so long, in turns."""


@asynccontextmanager
async def locked(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """Somebody else writes, and does not come to an end."""
    match ground.database:
        case Sqlite() as sqlite:
            with closing(sqlite3.connect(sqlite.file, timeout=10, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                yield
                other.execute("ROLLBACK")
        case Postgresql() as server:
            lock = "LOCK TABLE calls, events IN ACCESS EXCLUSIVE MODE"
            holding = asyncio.create_task(
                server.run(f"DO $$ BEGIN {lock}; PERFORM pg_sleep(25); END $$")  # ended below
            )
            try:
                yield
            finally:
                await server.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE query LIKE 'DO $$ BEGIN LOCK%' AND pid <> pg_backend_pid()"
                )
                with contextlib.suppress(RuntimeError):  # it was ended
                    await holding


@asynccontextmanager
async def read_only(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """Whatever the gateway writes is refused: by PostgreSQL, or, where the file is its own, by the kernel (no process
    may be told to write to a file system that is read-only while files are open on it)."""
    match ground.database:
        case Sqlite():
            pid = ground.centre.gateway_pid
            soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
            try:
                yield
            finally:
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
        case Postgresql() as server:
            await server.run("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
            try:
                yield
            finally:
                await server.run("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")


@asynccontextmanager
async def slow(ground: Ground, luck: Random) -> AsyncIterator[None]:
    match ground.database:
        case Sqlite() as sqlite:
            stop = threading.Event()
            writing = asyncio.create_task(asyncio.to_thread(_write_in_turns, sqlite, stop))
            try:
                yield
            finally:
                stop.set()
                await writing
        case Postgresql() as server:
            server.proxy.bytes_a_second = SLOW_BYTES_A_SECOND
            try:
                yield
            finally:
                server.proxy.bytes_a_second = 0


def _write_in_turns(sqlite: Sqlite, stop: threading.Event) -> None:
    with closing(sqlite3.connect(sqlite.file, timeout=10, isolation_level=None)) as other:
        while not stop.is_set():
            other.execute("BEGIN IMMEDIATE")
            time.sleep(BUSY_S)
            other.execute("ROLLBACK")
            time.sleep(FREE_S)


@asynccontextmanager
async def gone(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """PostgreSQL sends everybody away. SQLite's file cannot be found any more, and the gateway, killed at that moment,
    cannot start until it can."""
    match ground.database:
        case Sqlite() as sqlite:
            link = ground.centre.settings.paths.var / sqlite.file.name
            ground.may_end = True
            try:
                link.unlink()
                link.symlink_to(sqlite.disk.path / "not-mounted" / link.name)
                ground.centre.stop_gateway(signal.SIGKILL)
                ground.centre.start_gateway()
                yield
            finally:
                sqlite.lay(link)
                ground.may_end = False
        case Postgresql() as server:
            server.proxy.is_shut = True
            server.proxy.cut()
            try:
                yield
            finally:
                server.proxy.is_shut = False


@asynccontextmanager
async def sessions_ended(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """PostgreSQL ends the gateway's sessions, whatever they are doing, several times a second."""
    assert isinstance(ground.database, Postgresql)
    server = ground.database

    async def end() -> None:
        while True:
            await server.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await asyncio.sleep(luck.uniform(0.1, 0.5))

    ending = asyncio.create_task(end())
    try:
        yield
    finally:
        ending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ending


def _is_postgresql(ground: Ground) -> str:
    return "" if isinstance(ground.database, Postgresql) else "SQLite has no sessions"


FAULTS = (
    Fault("database", "database locked", locked, 1, 8),
    Fault("database", "database read-only", read_only, 1, 8),
    Fault("database", "database slow", slow, 2, 8),
    Fault("database", "database gone", gone, 1, 8),
    Fault("database", "database sessions ended", sessions_ended, 1, 4, _is_postgresql),
)
