"""One gateway at a time on a database."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.sole import SoleUse

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
