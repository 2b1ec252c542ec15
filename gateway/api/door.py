"""The door of the API: how many connections may stand in it, and who must make way when it is full.

Counterpart: `gateway/app.py` opens it in front of aiohttp's server, which knows no such bounds: a crowd that sends
nothing, or a header a byte at a time, or reads no answer, would take every file descriptor that the journal and the
database need too. With TLS it stands before the handshake: who never ends that is cut off as well.
"""

import asyncio
import fcntl
import logging
import socket
import ssl
import struct
import termios
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.api.limits import by_network

log = logging.getLogger(__name__)

LIMIT = 256
"""Connections at once; a stream is one too."""
BACKLOG = 1024
"""Connections that the kernel holds until they are taken: where there is no room, it lets who comes then wait a second
and more, and a crowd comes faster than it is sent away."""
REQUEST_LIMIT_S = 10.0
"""How long a connection may take over the head of a request, from its opening or from its first byte."""
UNREAD_LIMIT_S = 30.0
"""How long an answer may wait to be read by a client that reads less than `LEAST_READ_BYTES_S`."""
LEAST_READ_BYTES_S = 1000
LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Stuck:
    """From when on an answer waits to be read, and how much of it there was then."""

    since_s: float
    waiting_bytes: int


class Door:
    """All connections of one server, `limit` of them at most and `per_address` of one address; 0: as many as there are
    places. `is_proxy` tells the addresses through which many come. `crowd_out` counts those that had to make way,
    `slow` those that took too long over a request, `unread` those that did not read the answer."""

    def __init__(
        self,
        *,
        limit: int = LIMIT,
        per_address: int = 0,
        is_proxy: Callable[[str], bool] = lambda _: False,
        request_limit_s: float = REQUEST_LIMIT_S,
        unread_limit_s: float = UNREAD_LIMIT_S,
    ) -> None:
        self._limit = limit
        self._per_address = per_address or limit
        self._is_proxy = is_proxy
        self._request_limit_s = request_limit_s
        self._unread_limit_s = unread_limit_s
        self._standing: dict[asyncio.BaseTransport, float] = {}
        """When each connection last began to wait for a request; in the order of their opening."""
        self._of: dict[asyncio.BaseTransport, str] = {}
        """The address of each, as it is counted."""
        self._at: Counter[str] = Counter()
        self._served: set[asyncio.BaseTransport] = set()
        self._idle: set[asyncio.BaseTransport] = set()
        """Connections that were served before and have sent nothing since: aiohttp's keep-alive looks after them."""
        self._stuck: dict[asyncio.BaseTransport, _Stuck] = {}
        self.crowd_out = 0
        self.slow = 0
        self.unread = 0

    def before(
        self, protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None = None
    ) -> Callable[[], asyncio.Protocol]:
        """The protocol factory of a server behind this door."""
        if tls is None:
            return lambda: _Gate(self, protocol())
        return lambda: _Handshake(self, tls, protocol(), self._request_limit_s)

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
        """Cuts off who takes too long over a request's head, or over an answer, for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            too_long = clock() - self._request_limit_s
            for transport, since in list(self._standing.items()):
                is_waited_for = transport not in self._served and transport not in self._idle
                if since < too_long and is_waited_for and not transport.is_closing():
                    self.slow += 1
                    self._cut(transport)
            for transport, stuck in list(self._stuck.items()):
                stuck_s = clock() - stuck.since_s
                read_bytes = stuck.waiting_bytes - _waiting_bytes(transport)
                if stuck_s > self._unread_limit_s and read_bytes < LEAST_READ_BYTES_S * stuck_s:
                    self.unread += 1
                    _forget_unsent(transport)
                    self._cut(transport)

    def opened(self, transport: asyncio.BaseTransport) -> bool:
        """Takes a new connection; when all places of its address are taken, or the door is full, the oldest of that
        address, or of the one of which most wait, makes way. False where all are being served: then the new one
        goes."""
        address = self._address(transport)
        if address and self._at[address] >= self._per_address:
            makes_way = self._make_way(address)
        else:
            makes_way = len(self._standing) < self._limit or self._make_way()
        if makes_way:
            self._standing[transport] = asyncio.get_running_loop().time()
            self._of[transport] = address
            self._at[address] += 1
        return makes_way

    def heard(self, transport: asyncio.BaseTransport) -> None:
        """Something came: where the connection was idle, a request begins."""
        if transport in self._idle:
            self._idle.discard(transport)
            self._standing[transport] = asyncio.get_running_loop().time()

    def paused(self, transport: asyncio.BaseTransport) -> None:
        """An answer is not read as fast as it is written."""
        self._stuck[transport] = _Stuck(asyncio.get_running_loop().time(), _waiting_bytes(transport))

    def resumed(self, transport: asyncio.BaseTransport) -> None:
        """It was read."""
        self._stuck.pop(transport, None)

    def closed(self, transport: asyncio.BaseTransport) -> None:
        self._standing.pop(transport, None)
        self._idle.discard(transport)
        self._served.discard(transport)
        self._stuck.pop(transport, None)
        address = self._of.pop(transport, None)
        if address is not None:
            self._at[address] -= 1
            if not self._at[address]:
                del self._at[address]

    def _make_way(self, of_address: str | None = None) -> bool:
        waiting = [
            each
            for each in self._standing
            if each not in self._served and (of_address is None or self._of[each] == of_address)
        ]
        self.crowd_out += 1
        if not waiting:
            return False
        # a crowd makes way before somebody who has just come and whose request is not read yet
        crowds = Counter(map(self._of.__getitem__, waiting))
        self._cut(max(waiting, key=lambda each: crowds[self._of[each]]))
        return True

    def _cut(self, transport: asyncio.BaseTransport) -> None:
        self.closed(transport)
        _cut(transport)

    def _address(self, transport: asyncio.BaseTransport) -> str:
        """As what the connection is counted; empty for those that come through a proxy."""
        peer = transport.get_extra_info("peername")
        return "" if not isinstance(peer, tuple) or self._is_proxy(peer[0]) else by_network(peer[0])


class _Gate(asyncio.Protocol):
    """Stands before one connection's own protocol, and hands everything on."""

    def __init__(self, door: Door, inner: asyncio.Protocol) -> None:
        self._door = door
        self._inner = inner
        self._transport: asyncio.BaseTransport | None = None
        self._early = b""
        """What came right behind a handshake, before the connection was told of."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if not self._door.opened(transport):
            _cut(transport)
        self._inner.connection_made(transport)
        if self._early:
            self.data_received(self._early)
            self._early = b""

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            self._early += data
            return
        self._door.heard(self._transport)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._transport is None else self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._door.closed(self._transport)
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._transport is not None:
            self._door.paused(self._transport)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._door.resumed(self._transport)
        self._inner.resume_writing()


class _Handshake(asyncio.Protocol):
    """Takes a connection's place in the door while TLS is agreed on, and gives it to the gate then."""

    def __init__(self, door: Door, tls: ssl.SSLContext, inner: asyncio.Protocol, limit_s: float) -> None:
        self._door = door
        self._tls = tls
        self._gate = _Gate(door, inner)
        self._limit_s = limit_s
        self._task: asyncio.Task[None] | None = None
        """Held here, as the loop holds tasks weakly."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport) or not self._door.opened(transport):
            _cut(transport)
            return
        transport.pause_reading()  # until TLS reads
        self._task = asyncio.get_running_loop().create_task(self._agree(transport))

    async def _agree(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            secure = await loop.start_tls(
                transport, self._gate, self._tls, server_side=True, ssl_handshake_timeout=self._limit_s
            )
        except OSError as error:  # ssl.SSLError is one
            log.debug("tls_not_agreed", extra={"reason": str(error)})
            secure = None
        finally:
            self._door.closed(transport)
        if secure is None or transport.is_closing():
            transport.abort()
        else:
            self._gate.connection_made(secure)


def _forget_unsent(transport: asyncio.BaseTransport) -> None:
    """Has the kernel forget at once what it could not send, where it would keep on trying for minutes."""
    end = transport.get_extra_info("socket")
    if end is not None and end.fileno() >= 0:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _waiting_bytes(transport: asyncio.BaseTransport) -> int:
    """What was written and the other side has not got: here, and in the kernel (tcp(7), SIOCOUTQ), which holds
    megabytes."""
    ours = transport.get_write_buffer_size() if isinstance(transport, asyncio.WriteTransport) else 0
    end = transport.get_extra_info("socket")
    if end is None or end.fileno() < 0:
        return ours
    (kernels,) = struct.unpack("i", fcntl.ioctl(end.fileno(), termios.TIOCOUTQ, bytes(4)))
    return ours + int(kernels)


def _cut(transport: asyncio.BaseTransport) -> None:
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
