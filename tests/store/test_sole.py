"""One gateway at a time on a database."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.ports import StoreAway
from gateway.store import sole
from gateway.store.sole import SoleUse
from tests.databases import Postgres

END_HOLDERS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 112 AND objid = 1"
)


async def test_a_second_gateway_on_the_database_has_to_wait(database_url: str) -> None:
    first, second = SoleUse(database_url), SoleUse(database_url)
    assert await first.take()
    if database_url.startswith("postgresql"):  # SQLite's file lies in the folder of whoever has charge of that
        assert not await second.take()
        assert not await second.take()
    await first.give_up()
    assert await second.take()
    await second.give_up()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_hold_that_was_lost_with_its_connection_is_taken_anew_or_told_to_be_lost(
    database_url: str, engine: AsyncEngine
) -> None:
    first, second = SoleUse(database_url), SoleUse(database_url)
    assert await first.take()
    keeping = asyncio.create_task(first.keep(look_every_s=0.05))

    async def end_holders() -> None:
        async with engine.connect() as connection:
            await connection.execute(END_HOLDERS)

    await end_holders()
    await asyncio.sleep(0.6)
    assert not keeping.done()
    assert not await second.take(), "it was taken anew"
    await end_holders()
    while not await second.take():
        await end_holders()
    async with asyncio.timeout(5):
        await keeping
    await first.give_up()
    await second.give_up()


class Between:
    """Stands between a gateway and its server, and can have the server vanish from all who are connected: what they
    send is taken, and nothing ever comes back. Whoever connects anew finds another server."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._to_server: list[asyncio.StreamWriter] = []
        self._all: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        self._to_server.append(to_server)
        self._all += (to_server, writer)
        for source, target in ((reader, to_server), (from_server, writer)):
            task = asyncio.create_task(self._carry(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if not target.is_closing():
                    target.write(data)

    async def close(self) -> None:
        for each in self._all:
            each.transport.abort()
        await asyncio.gather(*self._tasks)

    def vanish(self) -> None:
        while self._to_server:
            self._to_server.pop().transport.abort()


@pytest.fixture
async def between(postgres: Postgres) -> AsyncIterator[tuple[Between, str]]:
    postgres.run("createdb", "vanishes")
    name = ".s.PGSQL.5432"
    with tempfile.TemporaryDirectory(prefix="gateway112-", dir="/tmp") as folder:
        there = Between(postgres.folder / name)
        server = await asyncio.start_unix_server(there.take, Path(folder) / name)
        yield there, f"postgresql+asyncpg://gateway112@/vanishes?host={folder}"
        server.close()
        await there.close()
    postgres.run("dropdb", "--force", "vanishes")


async def test_a_server_that_vanished_without_a_word_is_given_up_and_the_hold_taken_anew_on_the_next_one(
    between: tuple[Between, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else this gateway would go on for a quarter of an hour on a database that another one may take meanwhile."""
    monkeypatch.setattr(sole, "TRANSACTION_LIMIT_S", 0.5)
    there, url = between
    first, second = SoleUse(url), SoleUse(url)
    assert await first.take()
    assert not await second.take()
    keeping = asyncio.create_task(first.keep(look_every_s=0.05))
    there.vanish()
    async with asyncio.timeout(5):
        with pytest.raises(StoreAway, match="did not answer"):
            await second.take()
        await asyncio.sleep(1.0)
        assert not await second.take(), "it was taken anew"
    assert not keeping.done()
    keeping.cancel()
    await first.give_up()
    assert await second.take()
    await second.give_up()
