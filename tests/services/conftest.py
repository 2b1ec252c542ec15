"""The services on a store of their own, with a clock that the test sets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.audit import Actor
from gateway.store.database import open_database
from gateway.store.repository import Repository
from tests.domain.values import MONDAY
from tests.told import Clock, Services

ANI = Actor("Ani", "admin", "10.0.0.7")


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    """A centre after its first start, on Monday at midnight in Jakarta."""
    engine = await open_database(f"sqlite+aiosqlite:///{tmp_path / 'gateway112.db'}")
    services = Services(Repository(engine), clock=Clock(MONDAY))
    await services.set_up()
    yield services
    await services.store.close()


@pytest.fixture
async def engine_of_both(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An open store, on SQLite and on PostgreSQL."""
    engine = await open_database(database_url)
    yield engine
    await engine.dispose()
