"""Receivers of webhooks that hang: they take the post and never answer, or do not even take it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from chaos.faults.fault import Fault
from chaos.ground import Ground

RECEIVERS = 5


@asynccontextmanager
async def hang(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """They read what comes and say nothing."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(65_536):
                pass
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        async with _told(ground, server.sockets[0].getsockname()[1]):
            yield
    finally:
        server.close()


@asynccontextmanager
async def do_not_accept(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """Their port is open, and nobody takes what comes."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        async with _told(ground, listener.getsockname()[1]):
            yield


@asynccontextmanager
async def _told(ground: Ground, port: int) -> AsyncIterator[None]:
    """Webhooks post there while the block runs."""
    async with ground.centre.api() as api:
        made = [
            await api.send("POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{port}/{number}"})
            for number in range(RECEIVERS)
        ]
        try:
            yield
        finally:
            for each in made:
                await api.send("DELETE", f"/v1/webhooks/{each['id']}")


FAULTS = (
    Fault("webhooks", "webhooks hang", hang, 2, 8),
    Fault("webhooks", "webhooks are not accepted", do_not_accept, 2, 8),
)
