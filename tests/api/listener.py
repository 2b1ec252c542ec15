"""A listener of the stream of events, who reads it as the HTML standard says.

Counterpart: `gateway/api/streams.py` at the other end.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from tests.api.house import LIMIT_S, House
from tests.api.schema import check


class Listener:
    """Reads one stream. `place` is the last id that came, events or not; `beats` counts the comments."""

    def __init__(self, house: House, answer: aiohttp.ClientResponse) -> None:
        self._house = house
        self._answer = answer
        self.place = ""
        self.beats = 0

    async def next(self) -> Any:
        """The next event's data. Raises EOFError at the end of the stream."""
        kind, data = "", ""
        async with asyncio.timeout(LIMIT_S):
            while True:
                line = (await self._answer.content.readline()).decode()
                if not line:
                    raise EOFError
                name, _, value = line.rstrip("\n").partition(": ")
                match name:
                    case "id":
                        self.place = value
                    case "event":
                        kind = value
                    case "data":
                        data = value
                    case "":
                        self.beats += bool(value)
                if line == "\n" and data:
                    event = json.loads(data)
                    check(event, {"$ref": "#/components/schemas/EventModel"}, self._house.document)
                    assert (str(event["seq"]), event["type"]) == (self.place, kind)
                    return event

    async def until_beat(self) -> None:
        """Reads until a comment comes."""
        async with asyncio.timeout(LIMIT_S):
            while not (await self._answer.content.readline()).startswith(b":"):
                pass


@contextlib.asynccontextmanager
async def listening(
    house: House,
    place: str | None = None,
    query: str = "",
    token: str = "reader",  # noqa: S107
) -> AsyncIterator[Listener]:
    """An open stream whose first line has come: it begins after `place`."""
    headers = {"Authorization": f"Bearer {token}"} | ({} if place is None else {"Last-Event-ID": place})
    async with house.session.get(house.url(f"/v1/events/stream{query}"), headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"] == "text/event-stream"
        listener = Listener(house, answer)
        assert await answer.content.readline() == b"retry: 1000\n"
        yield listener
        answer.close()
