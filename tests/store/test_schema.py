"""The schema is made from nothing, is what the code expects, and is left alone where it is newer than the code."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.ports import StoreAway
from gateway.store import migrations
from gateway.store.database import ask_anew, open_database, refuse_newer_schema, writing
from gateway.store.migrations import SchemaTooNew, upgrade
from gateway.store.repository import Repository
from gateway.store.tables import metadata
from tests.store.values import told

BEFORE_THE_RULE = "0002:"
"""It was made when no centre ran yet."""


def _differences(connection: Connection) -> object:
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)


def _index_names(connection: Connection) -> set[object]:
    found = inspect(connection)
    return {index["name"] for table in found.get_table_names() for index in found.get_indexes(table)}


async def test_the_migrations_make_exactly_the_tables_that_the_code_knows(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
        expected = {index.name for table in metadata.sorted_tables for index in table.indexes}
        assert expected <= await connection.run_sync(_index_names)


async def test_a_database_that_is_opened_again_keeps_what_it_holds(database_url: str) -> None:
    for newest in (2, 4):
        repository = Repository(await open_database(database_url))
        await repository.commit(told(2))
        assert await repository.newest_seq() == newest
        await repository.close()


async def test_gateways_that_open_an_empty_database_at_once_all_find_it_ready(database_url: str) -> None:
    engines = await asyncio.gather(*(open_database(database_url) for _ in range(4)))
    try:
        assert [await Repository(engine).newest_seq() for engine in engines] == [0] * 4
    finally:
        for engine in engines:
            await engine.dispose()


async def test_a_newer_schema_is_refused_and_left_alone(database_url: str, engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match=r"is 9999, which this gateway does not know .* install the newer gateway"):
        await open_database(database_url)
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all() == ["9999"]


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_the_sqlite_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    repository = Repository(await open_database(f"sqlite+aiosqlite:///{tmp_path / 'gateway112.db'}"))
    await repository.commit(told(1))
    modes = _modes(tmp_path)
    await repository.close()
    assert modes == {"gateway112.db": 0o600, "gateway112.db-wal": 0o600, "gateway112.db-shm": 0o600}


async def test_what_is_committed_survives_a_power_cut(engine: AsyncEngine) -> None:
    """As far as the database promises it: it is told to wait for the disk."""
    async with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            assert (await connection.execute(text("PRAGMA synchronous"))).scalar_one() == 2  # FULL
            assert (await connection.execute(text("PRAGMA journal_mode"))).scalar_one() == "wal"
            assert (await connection.execute(text("PRAGMA foreign_keys"))).scalar_one() == 1
        else:
            assert (await connection.execute(text("SHOW synchronous_commit"))).scalar_one() == "on"


@pytest.mark.parametrize("url", ["mysql://root@localhost/x", "nonsense", "sqlite:///plain.db"])
async def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"database's URL|knows SQLite and PostgreSQL"):
        await open_database(url)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+aiosqlite:////nonexistent/folder/gateway112.db",
        "sqlite+aiosqlite:////etc",
        "postgresql+asyncpg://gateway112@/name?host=/nonexistent",
        "postgresql+asyncpg://gateway112@127.0.0.1:1/name",
    ],
)
async def test_a_database_that_cannot_be_reached_is_away(url: str) -> None:
    with pytest.raises(StoreAway):
        await open_database(url)


def _shape(connection: Connection) -> dict[str, dict[str, ReflectedColumn]]:
    found = inspect(connection)
    return {
        name: {column["name"]: column for column in found.get_columns(name)}
        for name in found.get_table_names()
        if name != "alembic_version"
    }


def _unique(connection: Connection, tables: Iterable[str]) -> set[object]:
    found = inspect(connection)
    return {index["name"] for name in tables for index in found.get_indexes(name) if index["unique"]}


def _steps(connection: Connection) -> list[str]:
    """What the migrations take away, or ask of whoever wrote before, step by step."""
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    faults, known = [], {}
    unique: set[object] = set()
    for revision in reversed([step.revision for step in script.walk_revisions()]):
        upgrade(connection, revision)
        shape = _shape(connection)
        for table, columns in known.items():
            there = shape.get(table, {})
            for name, column in columns.items():
                if name not in there:
                    faults.append(f"{revision}: {table}.{name} is gone")
                elif str(there[name]["type"]) != str(column["type"]):
                    faults.append(f"{revision}: {table}.{name} is of another type")
                elif column["nullable"] and not there[name]["nullable"]:
                    faults.append(f"{revision}: {table}.{name} may not be left out any more")
            for name in there.keys() - columns.keys():
                if not there[name]["nullable"] and there[name]["default"] is None:
                    faults.append(f"{revision}: the new {table}.{name} may not be left out")
        if more := _unique(connection, known) - unique:
            faults.append(f"{revision}: {more} forbid what the version before may write")
        known, unique = shape, _unique(connection, shape)
    return faults


async def test_each_migration_only_adds_so_that_the_version_before_can_go_on(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'steps.db'}")
    async with engine.begin() as connection:
        faults = await connection.run_sync(_steps)
    await engine.dispose()
    assert [fault for fault in faults if not fault.startswith(BEFORE_THE_RULE)] == []


async def test_a_newer_schema_is_seen_without_opening_the_database(database_url: str, engine: AsyncEngine) -> None:
    await refuse_newer_schema(database_url)
    async with writing(engine) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match="is 9999"):
        await refuse_newer_schema(database_url)


def test_where_there_is_no_database_yet_nothing_is_too_new_and_nothing_is_made(tmp_path: Path) -> None:
    asyncio.run(refuse_newer_schema(f"sqlite+aiosqlite:///{tmp_path / 'none.db'}"))
    assert not list(tmp_path.iterdir())


async def test_a_new_way_to_the_store_is_open_while_nobody_holds_the_ledger(
    database_url: str, engine: AsyncEngine
) -> None:
    await ask_anew(database_url)
    async with writing(engine):
        with pytest.raises(StoreAway):
            await ask_anew(database_url)
