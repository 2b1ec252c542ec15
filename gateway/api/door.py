"""The door of the API: how many connections may stand in it, and who must make way when it is full.

Counterpart: `gateway/app.py` opens it in front of aiohttp's server, which knows no such bounds: a crowd that sends
nothing, or a header a byte at a time, would take every file descriptor that the journal and the database need too.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

LIMIT = 256
"""Connections at once; a stream is one too."""
REQUEST_LIMIT_S = 10.0
"""How long a connection may take over the head of a request, from its opening or from its first byte."""
LOOK_EVERY_S = 1.0


class Door:
    """All connections of one server. `crowd_out` counts those that had to make way, `slow` those that took too long."""

    def __init__(self, *, limit: int = LIMIT, request_limit_s: float = REQUEST_LIMIT_S) -> None:
        self._limit = limit
        self._request_limit_s = request_limit_s
        self._standing: dict[asyncio.BaseTransport, float] = {}
        """When each connection last began to wait for a request; in the order of their opening."""
        self._served: set[asyncio.BaseTransport] = set()
        self._idle: set[asyncio.BaseTransport] = set()
        """Connections that were served before and have sent nothing since: aiohttp's keep-alive looks after them."""
        self.crowd_out = 0
        self.slow = 0

    def before(self, protocol: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """The protocol factory of a server behind this door."""
        return lambda: _Gate(self, protocol())

    @contextmanager
    def serving(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """Keeps the connection from being cut while its request is served."""
        if transport is None:
            yield
            return
        self._served.add(transport)
        self._idle.discard(transport)
        try:
            yield
        finally:
            self._served.discard(transport)
            if transport in self._standing:
                self._idle.add(transport)

    async def watch(self) -> None:
        """Cuts off who takes too long over a request's head, for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            too_long = clock() - self._request_limit_s
            for transport, since in list(self._standing.items()):
                is_waited_for = transport not in self._served and transport not in self._idle
                if since < too_long and is_waited_for and not transport.is_closing():
                    self.slow += 1
                    _cut(transport)

    def opened(self, transport: asyncio.BaseTransport) -> bool:
        """Takes a new connection; when the door is full, the oldest that is not being served makes way. False where all
        are being served: then the new one goes."""
        if len(self._standing) >= self._limit:
            waiting = next((each for each in self._standing if each not in self._served), None)
            self.crowd_out += 1
            if waiting is None:
                return False
            self.closed(waiting)
            _cut(waiting)
        self._standing[transport] = asyncio.get_running_loop().time()
        return True

    def heard(self, transport: asyncio.BaseTransport) -> None:
        """Something came: where the connection was idle, a request begins."""
        if transport in self._idle:
            self._idle.discard(transport)
            self._standing[transport] = asyncio.get_running_loop().time()

    def closed(self, transport: asyncio.BaseTransport) -> None:
        self._standing.pop(transport, None)
        self._idle.discard(transport)
        self._served.discard(transport)


class _Gate(asyncio.Protocol):
    """Stands before one connection's own protocol, and hands everything on."""

    def __init__(self, door: Door, inner: asyncio.Protocol) -> None:
        self._door = door
        self._inner = inner
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if not self._door.opened(transport):
            _cut(transport)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._door.heard(self._transport)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._door.closed(self._transport)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


def _cut(transport: asyncio.BaseTransport) -> None:
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
