"""A database that is locked, full, frozen or gone: StoreAway within the time limits, nothing changed, and well again
as soon as the database is."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.change import Change
from gateway.domain.operators import Operator
from gateway.ports import StoreAway
from gateway.store import database
from gateway.store.call_list import CallFilter
from gateway.store.database import open_database, writing
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.databases import Postgres
from tests.store.values import NOON, a_call, at, ended, numbers, told

DAY = NOON.date()
PATIENCE_S = 30.0
"""Far more than any limit of the store: what is still waiting by then would wait for ever."""

HOLDS_THE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


@pytest.fixture(autouse=True)
def patience() -> None:
    """None: a centre's own limits are tried here."""


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "gateway112.db"


@pytest.fixture
async def on_sqlite(sqlite_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = await open_database(f"sqlite+aiosqlite:///{sqlite_path}")
    yield engine
    await engine.dispose()
    # aiosqlite does not wait for the thread of a connection that could not be opened, which still tells the loop
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, PATIENCE_S)


@pytest.fixture
async def on_postgres(postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    postgres.run("createdb", "away")
    engine = await open_database(postgres.url("away"))
    yield engine
    await engine.dispose()
    postgres.run("dropdb", "--force", "away")


@asynccontextmanager
async def _another_process_holds(path: Path) -> AsyncIterator[None]:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDS_THE_LOCK, path, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    try:
        assert await holder.stdout.readline() == b"locked\n"
        yield
    finally:
        await holder.communicate(b"\n")


async def test_a_sqlite_file_locked_by_another_process_is_away_and_then_well_again(
    on_sqlite: AsyncEngine, sqlite_path: Path
) -> None:
    repository, reads = Repository(on_sqlite), Reads(on_sqlite)
    stored = list((await repository.commit(told(1, calls=(a_call(1),)))).events)
    async with _another_process_holds(sqlite_path), asyncio.timeout(PATIENCE_S):
        with pytest.raises(StoreAway, match="locked"):
            await repository.commit(told(3, calls=(ended(1),), positions=at(a=1)))
        # in WAL mode reading goes on
        assert await reads.events(0, 10) == stored
    assert await repository.open_calls() == [a_call(1)]
    assert await repository.journal_positions() == {}
    assert numbers(await repository.commit(told(1))) == [2]


async def test_many_that_wait_for_a_locked_file_all_end(on_sqlite: AsyncEngine, sqlite_path: Path) -> None:
    repository = Repository(on_sqlite)
    async with _another_process_holds(sqlite_path), asyncio.timeout(PATIENCE_S):
        answers = await asyncio.gather(*(repository.commit(told(1)) for _ in range(30)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {StoreAway}
    assert await repository.newest_seq() == 0


async def test_a_read_that_takes_too_long_is_given_up_in_time_and_the_next_one_is_well(
    on_sqlite: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself has no limit: whoever asked waited for the end, and one of the few places to read was taken."""
    monkeypatch.setattr(database, "TRANSACTION_LIMIT_S", 0.3)

    count = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :to) SELECT max(i) FROM n")

    async def counted(to: int) -> int:
        async with database.reading(on_sqlite) as connection:
            await asyncio.sleep(0.05)
            found: int = (await connection.execute(count, {"to": to})).scalar_one()
            return found

    quick = database.QuickReads(on_sqlite, 1)

    async def quickly_counted(to: int) -> int:
        found: int = await quick.read(lambda connection: connection.execute(count, {"to": to}).scalar_one())
        return found

    for way in (counted, quickly_counted):
        began_s = time.monotonic()
        with pytest.raises(StoreAway, match=r"did not answer within 0\.3 s"):
            await way(10**9)
        assert time.monotonic() - began_s < PATIENCE_S / 3
        assert await way(9) == 9


async def test_a_full_disk_is_away_and_changes_nothing(on_sqlite: AsyncEngine) -> None:
    repository, reads = Repository(on_sqlite), Reads(on_sqlite)
    stored = list((await repository.commit(told(2, calls=(a_call(1),), positions=at(a=1)))).events)

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # as small as it can be

    event.listen(Engine, "begin", fill)
    try:
        with pytest.raises(StoreAway, match="full"):
            await repository.commit(told(5000, calls=(ended(1),), positions=at(a=2)))
    finally:
        event.remove(Engine, "begin", fill)
    assert await reads.events(0, 10) == stored
    assert await repository.open_calls() == [a_call(1)]
    assert await repository.journal_positions() == at(a=1)


async def test_connections_cut_in_the_middle_of_a_commit_change_nothing(
    on_postgres: AsyncEngine, postgres: Postgres
) -> None:
    repository, reads = Repository(on_postgres), Reads(on_postgres)
    stored = list((await repository.commit(told(2, calls=(a_call(1),), positions=at(a=1)))).events)
    other = await open_database(postgres.url("away"))
    try:
        async with asyncio.timeout(PATIENCE_S), other.connect() as admin:
            # the events and calls go in, then the commit waits for the positions
            await admin.execute(text("LOCK TABLE journal_positions IN ACCESS EXCLUSIVE MODE"))
            commit = asyncio.create_task(repository.commit(told(3, calls=(ended(1),), positions=at(a=2))))
            waiting = text("SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'journal_positions'::regclass")
            while not (pids := (await admin.execute(waiting)).scalars().all()):
                await asyncio.sleep(0.01)
            await admin.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pids[0]})
            with pytest.raises(StoreAway):
                await commit
    finally:
        await other.dispose()
    assert await reads.events(0, 10) == stored
    assert await repository.open_calls() == [a_call(1)]
    assert numbers(await repository.commit(told(1, positions=at(a=2)))) == [3]


async def test_a_restarted_server_is_found_again(on_postgres: AsyncEngine, postgres: Postgres) -> None:
    """Every pooled connection is dead then; the first use of one may fail, and nothing is left to clean up."""
    repository, reads = Repository(on_postgres), Reads(on_postgres)
    await asyncio.gather(repository.commit(told(1)), *(reads.events(0, 10) for _ in range(10)))
    other = await open_database(postgres.url("away"))
    try:
        async with other.connect() as admin:
            others = text("pid <> pg_backend_pid() AND datname = 'away'")
            cut = select(text("pg_terminate_backend(pid)")).select_from(text("pg_stat_activity"))
            await admin.execute(cut.where(others))
    finally:
        await other.dispose()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                assert numbers(await repository.commit(told(1))) == [2]
            except StoreAway:
                continue
            break


async def test_a_table_locked_by_an_admin_is_away_in_bounded_time(on_postgres: AsyncEngine, postgres: Postgres) -> None:
    repository, reads = Repository(on_postgres), Reads(on_postgres)
    other = await open_database(postgres.url("away"))
    try:
        async with asyncio.timeout(PATIENCE_S), other.connect() as admin:
            await admin.execute(text("LOCK TABLE calls IN ACCESS EXCLUSIVE MODE"))
            answers = await asyncio.gather(
                repository.commit(told(1, calls=(a_call(1),))),
                *(reads.calls(CallFilter(), None, 5) for _ in range(20)),
                return_exceptions=True,
            )
    finally:
        await other.dispose()
    assert {type(answer) for answer in answers} == {StoreAway}
    assert numbers(await repository.commit(told(1, calls=(a_call(1),)))) == [1]


async def test_a_server_that_freezes_is_away_in_bounded_time(on_postgres: AsyncEngine) -> None:
    repository, reads = Repository(on_postgres), Reads(on_postgres)
    await repository.commit(told(1))
    async with on_postgres.connect() as connection:
        pids = text("SELECT pid FROM pg_stat_activity WHERE datname = 'away'")
        frozen = list((await connection.execute(pids)).scalars())
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(StoreAway):
                await repository.commit(told(1))
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                stored = await repository.commit(told(1))
            except StoreAway:
                continue
            break
    newest = stored.events[-1].seq
    assert numbers(await reads.events(0, 10)) == list(range(1, newest + 1))


async def test_a_busy_api_leaves_a_connection_for_storing(engine: AsyncEngine) -> None:
    repository, reads = Repository(engine), Reads(engine)
    asked = [asyncio.create_task(reads.calls(CallFilter(), None, 50)) for _ in range(200)]
    async with asyncio.timeout(PATIENCE_S):
        assert numbers(await repository.commit(told(1, calls=(a_call(1),)))) == [1]
        await asyncio.gather(*asked)


async def test_a_mistake_of_ours_is_not_taken_for_a_database_that_is_away(engine: AsyncEngine) -> None:
    with pytest.raises(Exception, match="no_such_table") as raised:
        async with writing(engine) as connection:
            await connection.execute(text("SELECT * FROM no_such_table"))
    if engine.dialect.name == "postgresql":  # SQLite calls it an operational error
        assert not isinstance(raised.value, StoreAway)


def _put_a_folder_in_place_of(database: Path) -> None:
    for path in database.parent.glob(database.name + "*"):
        path.unlink()
    database.mkdir()


async def test_reads_say_that_the_store_is_away(on_sqlite: AsyncEngine, sqlite_path: Path) -> None:
    repository, reads = Repository(on_sqlite), Reads(on_sqlite)
    await repository.close()
    _put_a_folder_in_place_of(sqlite_path)
    questions = (
        reads.calls(CallFilter(), None, 1),
        reads.call("x"),
        reads.events(0, 1),
        reads.token("x"),
        reads.trunk_summaries(0),
        reads.outcome_counts(),
        reads.set_aside_count(),
        repository.newest_seq(),
        repository.open_calls(),
        repository.journal_positions(),
        repository.kept(Operator),
        repository.one(Operator, 1),
        repository.assignments(DAY, DAY),
        repository.absences(NOON, NOON),
        repository.swaps(DAY, DAY),
        repository.presences(),
        repository.standing_alarms(),
        repository.audit_head(),
        reads.kept.page(Operator, {}, include_retired=False, after=None, limit=1),
        reads.kept.alarms(only_standing=True, before=None, limit=1),
        reads.kept.audit(0, 1),
        reads.kept.verify_audit(),
        repository.members(),
        repository.webhooks(),
        repository.commit(Change()),
    )
    for question in questions:
        with pytest.raises(StoreAway):
            await question
