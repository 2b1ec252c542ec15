"""Those who enjoy the gateway's luxuries under load: a viewer of the board, a receiver of webhooks.

Counterparts: `gateway/api/board.py` and `gateway/api/courier.py`; `listener.py` listens to the stream of events.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from tests.centre import Api

OF_AN_OVERLOAD = ("gateway.overload_began", "gateway.overload_ended")
TYPES = ("call.arrived", "call.answered", "call.ended", *OF_AN_OVERLOAD)


@dataclass(slots=True)
class Enjoyed:
    """How much of it came until now."""

    pictures: int = 0
    posts: int = 0
    told: list[str] = field(default_factory=list)
    """What of an overload was told, in its order."""


@asynccontextmanager
async def enjoying(api: Api) -> AsyncIterator[Enjoyed]:
    """One of each, for as long as the block runs."""
    enjoyed = Enjoyed()
    viewer = asyncio.create_task(_view(api, enjoyed))
    try:
        async with _receiving(enjoyed) as url:
            made = await api.send("POST", "/v1/webhooks", {"url": url, "types": list(TYPES)})
            yield enjoyed
            await api.send("DELETE", f"/v1/webhooks/{made['id']}")
    finally:
        viewer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await viewer


async def _view(api: Api, enjoyed: Enjoyed) -> None:
    timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
    while True:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with api.session.get("/v1/board/stream", timeout=timeout) as response:
                async for chunk in response.content.iter_any():
                    enjoyed.pictures += chunk.count(b"event: board")
        await asyncio.sleep(1)


@asynccontextmanager
async def _receiving(enjoyed: Enjoyed) -> AsyncIterator[str]:
    async def take(request: web.Request) -> web.Response:
        enjoyed.posts += 1
        body = await request.read()
        enjoyed.told += [each for each in OF_AN_OVERLOAD if each.encode() in body]
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
