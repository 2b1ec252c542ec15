"""The door: a crowd that says nothing, or says it slowly, takes no place from whoever asks something."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.api import door as doors
from gateway.api.door import Door
from tests.api.house import House, open_house, until
from tests.api.listener import listening

ASK = b"GET /v1/health HTTP/1.1\r\nHost: centre\r\n\r\n"


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Stand = Callable[..., Awaitable[Connection]]


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    """Opens a connection that says so much and no more; all are closed after the test."""
    writers = []

    async def open_one(house: House, said: bytes = b"") -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port)
        writers.append(writer)
        writer.write(said)
        await writer.drain()
        return reader, writer

    yield open_one
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def is_cut(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(20):
            return await reader.read(1) == b""
    except ConnectionResetError:
        return True


async def test_a_crowd_that_sends_nothing_keeps_nobody_out(tmp_path: Path, stand: Stand) -> None:
    door = Door(limit=5)
    async with open_house(tmp_path, door=door) as house:
        crowd = [await stand(house) for _ in range(20)]
        assert (await house.get("/v1/health", token=None)).status == 200
        assert door.crowd_out >= 15
        assert all([await is_cut(reader) for reader, _ in crowd[:10]])


async def test_who_is_being_served_is_not_crowded_out(tmp_path: Path, stand: Stand) -> None:
    door = Door(limit=3)
    async with open_house(tmp_path, door=door) as house, listening(house) as listener:
        for _ in range(10):
            await stand(house)
        await house.answered_call()
        assert (await listener.next())["type"] == "call.arrived"


async def test_where_all_are_being_served_a_new_one_goes(tmp_path: Path, stand: Stand) -> None:
    door = Door(limit=2)
    async with open_house(tmp_path, door=door) as house, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(listening(house))
        await until(lambda: house.context.streams.open_count == 2)
        reader, _ = await stand(house)
        assert await is_cut(reader)


@pytest.mark.parametrize("said", [b"", b"GET /v1/hea", b"GET /v1/health HTTP/1.1\r\nX: "])
async def test_who_takes_too_long_over_a_request_is_cut_off(
    tmp_path: Path, stand: Stand, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "LOOK_EVERY_S", 0.02)
    door = Door(request_limit_s=0.1)
    async with open_house(tmp_path, door=door) as house:
        watch = asyncio.create_task(door.watch())
        reader, _ = await stand(house, said)
        assert await is_cut(reader)
        assert door.slow == 1
        # and one who was served once and then dawdles over the next
        reader, writer = await stand(house, ASK)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET /v1")
        async with asyncio.timeout(20):
            rest = await reader.read()
        assert rest.endswith(b"}")
        assert door.slow == 2
        watch.cancel()
