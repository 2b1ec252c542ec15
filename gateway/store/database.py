"""Opens the database: its engine with every time limit, its schema up to date, and the ways in, to read and to write.

Counterparts: `repository.py` and `reads.py` go through `reading` and `Ledger`; `migrations/` holds the schema's steps.

What is committed survives a power cut: an event may be announced once its transaction has ended. So SQLite runs with
synchronous=FULL (in WAL mode NORMAL may lose the last commits, https://www.sqlite.org/pragma.html#pragma_synchronous)
and PostgreSQL with synchronous_commit=on, whatever the server's own default is.
"""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any, TypeVar

import aiosqlite
import asyncpg  # type: ignore[import-untyped]  # it has no types of its own
from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.ports import StoreAway
from gateway.store.columns import to_json
from gateway.store.migrations import refuse_newer, upgrade

LOCK_LIMIT_S = 2.0
"""How long a statement waits for another writer."""
STATEMENT_LIMIT_S = 4.0
"""How long PostgreSQL may take over one statement."""
TRANSACTION_LIMIT_S = 5.0
"""How long a transaction may take in all, from waiting for a connection to the commit."""
MIGRATION_LIMIT_S = 600.0
"""How long bringing the schema up to date may take: a migration may have to rewrite every call."""
CONNECT_LIMIT_S = 3.0

POOL_SIZE = 10
"""Connections; `Reads` leaves some of them to the repository."""

_STEPS_BETWEEN_LOOKS = 100_000
"""Of SQLite's virtual machine, between two looks whether somebody still waits for the answer."""
_LEDGER_LOCK = 112
"""PostgreSQL's advisory lock, of this database, that writers take in turn. SQLite has its own: BEGIN IMMEDIATE."""
_WRITES = "gateway112_writes"
_ALONE = "gateway112_alone"
"""Of a connection on which each statement stands alone, with no transaction around it."""

T = TypeVar("T")


async def open_database(url: str) -> AsyncEngine:
    """The engine for `sqlite+aiosqlite:///path` or `postgresql+asyncpg://user@host/name` (over a Unix socket:
    `postgresql+asyncpg://user@/name?host=/folder`), with its schema up to date. Close it with `dispose()`.

    Raises StoreAway; SchemaTooNew when a newer gateway has been here; ValueError for another kind of URL.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        await asyncio.to_thread(_make_ready, parsed.database)
    # of its own: it waits for another gateway that does the same just now
    engine = _engine(parsed, lock_limit_s=MIGRATION_LIMIT_S, statement_limit_s=MIGRATION_LIMIT_S)
    try:
        async with writing(engine, limit_s=MIGRATION_LIMIT_S) as connection:
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()
    return engine_for(url)


def engine_for(url: str) -> AsyncEngine:
    """The engine, with every time limit; nothing is opened yet. Raises ValueError for another kind of URL."""
    return _engine(_parse(url), lock_limit_s=LOCK_LIMIT_S, statement_limit_s=STATEMENT_LIMIT_S)


def _engine(url: URL, *, lock_limit_s: float, statement_limit_s: float) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, lock_limit_s)
    return _postgresql(url, lock_limit_s, statement_limit_s)


@contextmanager
def answering() -> Iterator[None]:
    """Turns what a database raises that is away into StoreAway."""
    with _away(TRANSACTION_LIMIT_S):
        yield


async def refuse_newer_schema(url: str) -> None:
    """Raises SchemaTooNew where a newer gateway has been at that database, and StoreAway. Nothing is changed: whoever
    works on it is not disturbed."""
    async with _for_a_moment(url) as engine:
        if engine is not None:
            async with reading(engine) as connection:
                await connection.run_sync(refuse_newer)


async def ask_anew(url: str) -> None:
    """Returns when a connection of its own finds the database, and that nobody holds the ledger. Raises StoreAway."""
    async with _for_a_moment(url) as engine:
        if engine is not None:
            async with writing(engine):
                pass


@asynccontextmanager
async def _for_a_moment(url: str) -> AsyncIterator[AsyncEngine | None]:
    """An engine of its own; None where the database is a file that is not there."""
    parsed = _parse(url)
    is_file = parsed.get_backend_name() == "sqlite"
    if is_file and not await asyncio.to_thread(os.path.exists, parsed.database or ""):
        yield None
        return
    engine = engine_for(url)
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection to read with. Raises StoreAway."""
    with _away(TRANSACTION_LIMIT_S):
        async with asyncio.timeout(TRANSACTION_LIMIT_S) as limit, engine.connect() as connection:
            with _interrupted_at(limit.when(), connection):
                yield connection


@contextmanager
def _interrupted_at(when_s: float | None, connection: AsyncConnection) -> Iterator[None]:
    """Has SQLite give up what it works on at that time of the loop: it would go on to its end, and whoever asked wait
    for that, however long. PostgreSQL is told its limit (`STATEMENT_LIMIT_S`)."""
    raw = connection.sync_connection.connection if connection.sync_connection is not None else None
    driver = None if raw is None else raw.driver_connection
    if when_s is None or not isinstance(driver, aiosqlite.Connection):
        yield
        return
    # any thread may interrupt; later than the time limit of who asks it would be too late: he closes what is busy then
    limit = asyncio.get_running_loop().call_at(when_s, driver._conn.interrupt)
    try:
        yield
    finally:
        limit.cancel()


@asynccontextmanager
async def writing(engine: AsyncEngine, *, limit_s: float = TRANSACTION_LIMIT_S) -> AsyncIterator[AsyncConnection]:
    """A transaction that has the ledger to itself: committed at the end, undone when anything is raised inside.

    Raises StoreAway. Where it is raised at the very end the commit may have happened all the same: look again.
    """
    with _away(limit_s):
        async with asyncio.timeout(limit_s), engine.connect() as connection:
            await connection.execution_options(**{_WRITES: True})
            async with connection.begin():
                if connection.dialect.name == "postgresql":
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LEDGER_LOCK})
                yield connection


class Ledger:
    """The one way in to store: each transaction in one go, and alone.

    On SQLite a transaction is one visit to a thread that does nothing else: a visit for each statement, which is what
    an asynchronous SQLite connection makes of it, costs the gateway more than the statements do.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turn = asyncio.Lock()
        if engine.dialect.name == "sqlite":
            # a thread that a broken disk never lets go keeps nobody else waiting: who comes next is told in time
            self._thread = ThreadPoolExecutor(1, "ledger")
            self._own = _as_a_ledger(
                create_engine(engine.url.set(drivername="sqlite"), **_options(_SQLITE, pool_size=1))
            )

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once all that it did is committed. Undone when it raises anything.

        Raises StoreAway. The commit may have happened all the same, where the answer was lost: look again.
        """
        async with in_turn(self._turn):
            if self._engine.dialect.name == "sqlite":
                with _away(TRANSACTION_LIMIT_S):
                    async with asyncio.timeout(TRANSACTION_LIMIT_S):
                        return await asyncio.get_running_loop().run_in_executor(self._thread, self._in_one_go, work)
            async with writing(self._engine) as connection:
                return await connection.run_sync(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, which only reads: for whoever holds the services' turn and is about to write. On SQLite
        it is one visit to the same thread. Raises StoreAway."""
        if self._engine.dialect.name == "sqlite":
            async with in_turn(self._turn):
                with _away(TRANSACTION_LIMIT_S):
                    async with asyncio.timeout(TRANSACTION_LIMIT_S):
                        return await asyncio.get_running_loop().run_in_executor(self._thread, self._look, work)
        async with reading(self._engine) as connection:
            return await connection.run_sync(work)

    def _look(self, work: Callable[[Connection], T]) -> T:
        with self._own.connect() as connection:
            return work(connection)

    def _in_one_go(self, work: Callable[[Connection], T]) -> T:
        with self._own.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            return work(connection)

    def close(self) -> None:
        """Closes the connection; it opens again when it is needed."""
        if self._engine.dialect.name == "sqlite":
            self._own.dispose()


class QuickReads:
    """A way to read for what must be quick: `at_once` at the same time, few statements each, each for itself.

    On SQLite a read is one visit to a thread of its own, as a write of the `Ledger` is, and for the same reason; the
    thread keeps its connection. On PostgreSQL a statement is one question and one answer: it needs no transaction
    around it.
    """

    def __init__(self, engine: AsyncEngine, at_once: int, turn: asyncio.Semaphore | None = None) -> None:
        """`turn` is what all who read pass that share these connections; without one they are nobody else's."""
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._turn = turn or asyncio.Semaphore(at_once)
        if engine.dialect.name == "sqlite":
            self._threads = ThreadPoolExecutor(at_once, "quick-reads")
            self._held: dict[int, Connection] = {}
            self._own = _as_a_ledger(
                create_engine(engine.url.set(drivername="sqlite"), **_options(_SQLITE, pool_size=at_once))
            )
            event.listen(engine.sync_engine, "engine_disposed", lambda _: self._close())

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns. Raises StoreAway."""
        async with in_turn(self._turn):
            if self._engine.dialect.name == "sqlite":
                with _away(TRANSACTION_LIMIT_S):
                    return await self._visit(work)
            async with reading(self._engine) as connection:
                return await connection.run_sync(work)

    async def _visit(self, work: Callable[[Connection], T]) -> T:
        """The work, in a thread. Raises TimeoutError; SQLite gives up then what it works on."""
        given_up = threading.Event()

        def unless_given_up(connection: Connection) -> T:
            # SQLite asks it each so many steps of its own, some milliseconds: whatever the statement, it ends soon
            driver: Any = connection.connection.driver_connection
            driver.set_progress_handler(given_up.is_set, _STEPS_BETWEEN_LOOKS)
            return work(connection)

        try:
            async with asyncio.timeout(TRANSACTION_LIMIT_S):
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._in_one_go, unless_given_up)
        finally:
            given_up.set()

    def _in_one_go(self, work: Callable[[Connection], T]) -> T:
        thread = threading.get_ident()
        connection = self._held.get(thread)
        if connection is None:
            connection = self._held[thread] = self._own.connect().execution_options(**{_ALONE: True})
        try:
            return work(connection)
        except BaseException:
            self._held.pop(thread, None)
            connection.close()
            raise

    def _close(self) -> None:
        """Closes the connections, as the engine's are just now; they open again when they are needed."""
        while self._held:
            self._held.popitem()[1].close()
        self._own.dispose()


@asynccontextmanager
async def in_turn(gate: asyncio.Lock | asyncio.Semaphore) -> AsyncIterator[None]:
    """Passes `gate`, or raises StoreAway when the others before it take too long."""
    if not gate.locked():
        await gate.acquire()  # at once
    else:
        try:
            async with asyncio.timeout(TRANSACTION_LIMIT_S):
                await gate.acquire()
        except TimeoutError as error:
            raise StoreAway("too many others wait for the database") from error
    try:
        yield
    finally:
        gate.release()


@contextmanager
def _away(limit_s: float) -> Iterator[None]:
    """Turns what a database that is away, locked or full raises into StoreAway. What is our own mistake (a wrong
    statement, a value that fits no column) stays what it is: trying again would not help."""
    try:
        yield
    except (exc.DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, sqlite3.Error) as error:
        if _is_our_mistake(error):
            raise
        raise StoreAway(_words(error)) from error
    except exc.TimeoutError as error:
        raise StoreAway("all connections to the database are in use") from error
    except TimeoutError as error:
        raise StoreAway(f"the database did not answer within {limit_s:g} s") from error
    except OSError as error:
        raise StoreAway(f"the database cannot be reached: {error}") from error


def _is_our_mistake(error: BaseException) -> bool:
    cause = error.orig.__cause__ if isinstance(error, exc.DBAPIError) and error.orig else error
    return isinstance(error, exc.ProgrammingError | exc.DataError) or isinstance(cause, asyncpg.DataError | ValueError)


def _words(error: BaseException) -> str:
    """The driver's own words, without SQL."""
    words = error.orig if isinstance(error, exc.DBAPIError) and error.orig else error
    return f"the database refused: {words}"


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except exc.ArgumentError as error:
        raise ValueError("the database's URL cannot be read") from error
    if parsed.drivername not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
        raise ValueError(f"the store knows SQLite and PostgreSQL, not {parsed.drivername}")
    return parsed


def _options(connect_args: dict[str, Any], *, pool_size: int) -> dict[str, Any]:
    return {
        "connect_args": connect_args,
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": CONNECT_LIMIT_S,
        "hide_parameters": True,  # errors reach logs; callers' numbers and phones' secrets must not
        "json_serializer": to_json,
    }


_SQLITE: dict[str, Any] = {"timeout": LOCK_LIMIT_S, "isolation_level": None}
"""The driver waits that long for a lock, and begins no transaction of its own: we do."""


def _sqlite(url: URL, lock_limit_s: float) -> AsyncEngine:
    engine = create_async_engine(url, **_options(_SQLITE | {"timeout": lock_limit_s}, pool_size=POOL_SIZE))
    _as_a_ledger(engine.sync_engine)
    return engine


def _as_a_ledger(engine: Engine) -> Engine:
    """Makes SQLite's connections keep what is committed, and writing transactions wait for one another."""

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in (
            "synchronous = FULL",
            "foreign_keys = ON",
            # kB, of each connection. What a ledger of millions is asked for lies in the kernel's cache anyway; its own
            # would fill for hours, in each connection's thread apart
            "cache_size = -500",
            "journal_size_limit = 67108864",
            "secure_delete = ON",  # what is erased is not left between the rows; Debian's own default
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_ALONE, False):
            return
        # a transaction that reads first and writes later fails at once where another has written in between
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make_ready(path: str) -> None:
    """Makes the file readable for its owner alone (it holds phones' and webhooks' secrets; SQLite gives the same mode
    to the files beside it), and puts it into WAL mode, where it stays.

    SQLite does not wait for others when two change the mode at once: it says at once that the file is locked. So the
    wait is here. Blocking: disk. Raises StoreAway.
    """
    limit = time.monotonic() + LOCK_LIMIT_S
    with _away(LOCK_LIMIT_S):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        while True:
            try:
                with closing(sqlite3.connect(path, timeout=LOCK_LIMIT_S)) as connection:
                    connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.02)


VANISHED = {
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""After some 20 s without an answer the server takes a client for gone: in seconds, but for the last, in ms."""


def _postgresql(url: URL, lock_limit_s: float, statement_limit_s: float) -> AsyncEngine:
    milliseconds = {
        "lock_timeout": lock_limit_s,
        "statement_timeout": statement_limit_s,
        # a gateway that froze in the middle must not hold the ledger's lock for ever
        "idle_in_transaction_session_timeout": 2 * TRANSACTION_LIMIT_S,
    }
    settings = {name: str(int(seconds * 1000)) for name, seconds in milliseconds.items()}
    # a gateway whose machine died says no word: without these the server keeps its session, and with that its sole use
    # of the database, for two hours and more. Over a socket of the same machine they mean nothing
    settings |= {name: str(value) for name, value in VANISHED.items()}
    connect_args = {
        "timeout": CONNECT_LIMIT_S,
        "server_settings": {
            **settings,
            "application_name": "gateway112",
            "synchronous_commit": "on",
            "jit": "off",  # it costs short statements more than it saves
        },
    }
    return create_async_engine(url, **_options(connect_args, pool_size=POOL_SIZE))
