"""A proxy of ours between the gateway and what it talks to over a socket (AMI, PostgreSQL): it can do what networks do.

Counterparts: `faults/ami.py` and `faults/databases.py`, which break it for a while.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
CHUNK_BYTES = 65_536
SLICES_A_SECOND = 10


@dataclass(eq=False, slots=True)
class _Line:
    """One connection. `is_lost`: it stays open, and nothing that is sent arrives any more, either way."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    is_lost: bool = False
    bytes_down: int = 0


@dataclass(slots=True)
class Proxy:
    """`dial` opens a connection to the true server."""

    dial: Callable[[], Awaitable[Streams]]
    bytes_a_second: int = 0
    """The most that goes each way; 0 for no bound."""
    is_shut: bool = False
    """Whoever connects is sent away."""
    rewrite: Callable[[bytes], bytes] | None = None
    """What becomes of what the gateway sends."""
    _lines: set[_Line] = field(default_factory=set)

    @asynccontextmanager
    async def on_port(self, host: str, port: int) -> AsyncIterator["Proxy"]:
        """Listens there for as long as the block runs."""
        async with self._serving(await asyncio.start_server(self._serve, host, port)):
            yield self

    @asynccontextmanager
    async def on_socket(self, path: Path) -> AsyncIterator["Proxy"]:
        """The same on a Unix socket."""
        async with self._serving(await asyncio.start_unix_server(self._serve, str(path))):
            yield self

    @property
    def is_carrying(self) -> bool:
        """Whether a connection is open on which the server has said something, and not in vain."""
        return any(not line.is_lost and line.bytes_down for line in self._lines)

    def cut(self) -> None:
        """Ends every connection at once."""
        for line in self._lines:
            for end in (line.near, line.far):
                end.transport.abort()

    def lose(self) -> None:
        """Every connection that is open now becomes a black hole for ever: half-open, as when a router forgot it."""
        for line in self._lines:
            line.is_lost = True

    def say(self, data: bytes) -> None:
        """Puts `data` into the stream to the gateway, wherever it is."""
        for line in self._lines:
            if not line.is_lost:
                line.near.write(data)

    @asynccontextmanager
    async def _serving(self, server: asyncio.Server) -> AsyncIterator[None]:
        try:
            yield
        finally:
            server.close()
            self.cut()
            await server.wait_closed()

    async def _serve(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        try:
            if self.is_shut:
                raise ConnectionRefusedError
            far_reader, far = await self.dial()
        except OSError:
            near.transport.abort()
            return
        line = _Line(near, far)
        self._lines.add(line)
        pumps = [
            asyncio.create_task(self._pump(near_reader, far, line, is_down=False)),
            asyncio.create_task(self._pump(far_reader, near, line, is_down=True)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._lines.discard(line)
            for pump in pumps:
                pump.cancel()
            for end in (near, far):
                end.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line, *, is_down: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(self._slice_bytes()):
                if line.is_lost:
                    continue
                if is_down:
                    line.bytes_down += len(data)
                elif self.rewrite is not None:
                    data = self.rewrite(data)
                writer.write(data)
                await writer.drain()
                if self.bytes_a_second:
                    await asyncio.sleep(len(data) / self.bytes_a_second)

    def _slice_bytes(self) -> int:
        return max(1, self.bytes_a_second // SLICES_A_SECOND) if self.bytes_a_second else CHUNK_BYTES
