"""Statements that are made once, and quick reads that keep their connection."""

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.ports import StoreAway
from gateway.store import tables
from gateway.store.database import QuickReads
from gateway.store.prepared import Prepared


async def test_only_whole_rows_can_be_prepared(engine: AsyncEngine) -> None:
    with pytest.raises(ValueError, match="into members is not of its whole rows"):
        Prepared(insert(tables.members).values(penalty=text("1")), tables.members, engine.dialect)


async def test_a_read_that_fails_leaves_the_next_one_a_connection_that_works(engine: AsyncEngine) -> None:
    quick = QuickReads(engine, 1)
    with pytest.raises((StoreAway, DBAPIError)):
        await quick.read(lambda connection: connection.execute(text("SELECT * FROM nowhere")).all())
    for _ in range(2):
        assert await quick.read(lambda connection: connection.execute(select(tables.members)).all()) == []
    await engine.dispose()
    assert await quick.read(lambda connection: connection.execute(select(tables.members)).all()) == []
