"""A receiver of webhooks, who takes down what was posted and checks each signature.

Counterpart: `gateway/api/courier.py`.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.api.house import House, Json, Reply


class Receiver:
    """Answers with `answers` one after the other, then with 204. While `is_hung`, it does not answer at all."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.tries: list[Json] = []
        self.taken: list[Json] = []
        self.secret = ""
        self.begun = 0
        """The number of the last event before what the receiver is told of."""
        self.is_hung = False
        self.released = asyncio.Event()
        application = web.Application()
        application.router.add_post("/hook", self._take)
        application.router.add_post("/elsewhere", self._elsewhere)
        self.server = TestServer(application, host="127.0.0.1", port=0)
        self.was_led_elsewhere = False

    @property
    def url(self) -> str:
        return str(self.server.make_url("/hook"))

    @property
    def seqs(self) -> list[int]:
        """The numbers of the events that were taken, counted from the first one after the webhook was made."""
        return [int(event["sequence"]) - self.begun for event in self.taken]

    async def _take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        event = json.loads(raw)
        assert request.headers["Content-Type"] == "application/cloudevents+json"
        self._check_signature(request, raw)
        self.tries.append(event)
        if self.is_hung:
            await self.released.wait()
        status = self.answers.pop(0) if self.answers else 204
        if 200 <= status < 300:
            self.taken.append(event)
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 307 else {})

    async def _elsewhere(self, request: web.Request) -> web.Response:
        self.was_led_elsewhere = True
        return web.Response(status=204)

    def _check_signature(self, request: web.Request, raw: bytes) -> None:
        """By the words of the Standard Webhooks specification, not by our own function."""
        if not self.secret:
            return
        said = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.{raw.decode()}"
        key = base64.b64decode(self.secret.split("_", 1)[1])
        expected = base64.b64encode(hmac.new(key, said.encode(), hashlib.sha256).digest()).decode()
        assert request.headers["webhook-signature"] == f"v1,{expected}"
        assert request.headers["webhook-id"] == json.loads(raw)["id"]


@contextlib.asynccontextmanager
async def receiving(*answers: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(*answers)
    await receiver.server.start_server()
    try:
        yield receiver
    finally:
        receiver.released.set()
        await receiver.server.close()


async def subscribe(house: House, receiver: Receiver, **body: Any) -> Reply:
    """Makes a webhook to the receiver, who then knows its secret."""
    reply = await house.post("/v1/webhooks", {"url": receiver.url, **body})
    assert reply.status == 201, reply.text
    receiver.secret = reply.json["secret"]
    receiver.begun = house.context.feed.newest
    return reply
