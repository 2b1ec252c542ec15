"""Streams of events over HTTP (server-sent events, WHATWG HTML 9.2): each listener keeps its own place in the ledger.

Counterparts: `gateway/feed.py` rings the bell and holds the newest events; older ones are read from the ledger.
`board.py` has streams of its own, which take their places among these.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiohttp import web

from gateway.api.auth import CAME_WITH
from gateway.api.following import following
from gateway.api.models import EventModel
from gateway.api.telling import told_json
from gateway.domain.events import StoredEvent
from gateway.domain.overload import Luxuries
from gateway.domain.tokens import May, Token
from gateway.feed import Feed
from gateway.ports import StoreAway
from gateway.store.reads import Reads

log = logging.getLogger(__name__)

BATCH = 200
FRAMES_KEPT = 2000
LOOK_S = 1.0
"""How often an idle stream looks whether its listener has gone, so that its place is free again."""


class TooManyStreams(Exception):
    """Every place for a listener is taken."""


class Streams:
    """All open streams. `limit` is how many there may be, half of them for one token at most; a listener that takes
    nothing for `write_timeout_s` seconds is dropped, and comes back with the Last-Event-ID that it has. `watch` ends
    streams with their tokens, and tells `note_use` of the tokens of those that go on. `luxuries` says how long events
    gather before they are told."""

    def __init__(
        self,
        feed: Feed,
        reads: Reads,
        *,
        limit: int = 100,
        heartbeat_s: float = 15.0,
        write_timeout_s: float = 10.0,
        note_use: Callable[[int], None] = lambda _: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        luxuries: Callable[[], Luxuries] = Luxuries,
    ) -> None:
        self._feed = feed
        self._reads = reads
        self._limit = limit
        self.heartbeat_s = heartbeat_s
        self._write_timeout_s = write_timeout_s
        self._note_use = note_use
        self._clock = clock
        self._luxuries = luxuries
        self._scopes: dict[asyncio.Timeout, tuple[int, str]] = {}
        """Each with its token's id, and the hash of the secret that it was opened with."""
        self._ended: set[asyncio.Timeout] = set()
        """Those whose token is not known any more."""
        self._frames: dict[tuple[int, bool], tuple[StoredEvent, bytes]] = {}
        self._closing = False
        self.dropped_count = 0

    @property
    def open_count(self) -> int:
        return len(self._scopes)

    def close(self) -> None:
        """Ends every stream, and lets none begin."""
        self._closing = True
        for scope in self._scopes:
            scope.reschedule(0)

    async def follow(self, request: web.Request, response: web.StreamResponse, token: Token, seq: int) -> None:
        """Prepares `response` and writes every event after `seq` to it, until the listener goes, is dropped, or
        `close` is called. Raises TooManyStreams before anything is written."""
        hides = not token.may(May.SEE_NUMBERS)
        await self.serve(request, response, token, lambda: self._tell(request, response, seq, hides))

    async def serve(
        self, request: web.Request, response: web.StreamResponse, token: Token, tell: Callable[[], Awaitable[None]]
    ) -> None:
        """Prepares `response` and has `tell` write to it (by `write`), in a place among all streams. Ends and raises as
        `follow` does."""
        own = sum(token_id == token.id for token_id, _ in self._scopes.values())
        if self._closing or len(self._scopes) >= self._limit or own >= (self._limit + 1) // 2:
            raise TooManyStreams(TooManyStreams.__doc__)
        scope = asyncio.timeout(None)
        self._scopes[scope] = token.id, request.get(CAME_WITH, token.token_hash)
        try:
            async with scope:
                await response.prepare(request)
                await tell()
        except ConnectionResetError:
            log.debug("stream_left")
        except TimeoutError:
            if self._closing or scope in self._ended:
                return
            self.dropped_count += 1
            log.warning("stream_dropped", extra={"reason": "the listener does not read"})
            if request.transport is not None:
                request.transport.abort()
        finally:
            del self._scopes[scope]
            self._ended.discard(scope)

    async def watch(self) -> None:
        """Ends the streams whose token is not known any more, or has expired, once in a heartbeat; for ever."""
        while True:
            await asyncio.sleep(self.heartbeat_s)
            with contextlib.suppress(StoreAway):  # nobody is sent away because the database is
                for token_id, token_hash in set(self._scopes.values()):
                    token = await self._reads.token(token_hash)
                    if token is not None and token.is_open_to(token_hash, self._clock()):
                        self._note_use(token_id)
                    else:
                        self._end(token_hash)

    def _end(self, token_hash: str) -> None:
        for scope, (_, opened_with) in self._scopes.items():
            if opened_with == token_hash and scope not in self._ended:
                self._ended.add(scope)
                scope.reschedule(asyncio.get_running_loop().time())

    async def _tell(self, request: web.Request, response: web.StreamResponse, seq: int, hides: bool) -> None:
        # a place before the first event, so that a listener cut off until then resumes from here
        await self.write(response, b"retry: 1000\nid: %d\n\n" % seq)
        told_at = time.monotonic()
        while request.transport is not None:
            events = await following(self._feed, self._reads, seq, BATCH)
            if events:
                await self.write(response, b"".join(self._frame(event, hides) for event in events))
                seq, told_at = events[-1].seq, time.monotonic()
                if len(events) < BATCH:  # that was all: let more of it come
                    await asyncio.sleep(self._luxuries().streams)
            elif not await self._feed.wait(seq, LOOK_S) and time.monotonic() - told_at >= self.heartbeat_s:
                await self.write(response, b": still here\n\n")
                told_at = time.monotonic()

    async def write(self, response: web.StreamResponse, data: bytes) -> None:
        """Writes to the listener. Raises TimeoutError where that one does not read."""
        async with asyncio.timeout(self._write_timeout_s):
            await response.write(data)

    def _frame(self, stored: StoredEvent, hides: bool) -> bytes:
        """The event as it goes over the wire, made once for all listeners who see callers' numbers whole, and once for
        those for whom they are masked; anew where the ledger was redacted since."""
        made, frame = self._frames.get((stored.seq, hides), (None, b""))
        if made != stored:
            data = told_json(EventModel.of(stored), hides_numbers=hides)
            frame = b"id: %d\nevent: %b\ndata: %b\n\n" % (stored.seq, stored.event.type.encode(), data)
            self._frames[stored.seq, hides] = stored, frame
            if len(self._frames) > FRAMES_KEPT:
                del self._frames[next(iter(self._frames))]
        return frame
