"""An open store for each test, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.database import open_database
from gateway.store.reads import Reads
from gateway.store.repository import Repository


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = await open_database(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def repository(engine: AsyncEngine) -> Repository:
    return Repository(engine)


@pytest.fixture
def reads(engine: AsyncEngine) -> Reads:
    return Reads(engine)
