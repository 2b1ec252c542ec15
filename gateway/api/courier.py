"""The courier of one webhook: carries the ledger's events to one receiver, in order, each until it is taken.

Counterpart: `deliveries.py` sends a courier for each webhook and stores how far each has come. Couriers share nothing,
so a receiver that hangs holds up its own courier alone.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import aiohttp
from yarl import URL

from gateway.api import cloudevents
from gateway.api.following import following
from gateway.domain.events import StoredEvent
from gateway.domain.overload import Luxuries
from gateway.domain.webhooks import Webhook
from gateway.feed import Feed
from gateway.store.reads import Reads

log = logging.getLogger(__name__)

BATCH = 200
LONGEST_ERROR = 200
"""Characters that are told of what went wrong."""
LEAST_SECRET = 4
"""Characters of a value in a URL's query from which on it may be a secret."""
IDLE_S = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a courier is: the limit of one post, and the pause after a failed one, doubled up to a limit."""

    post_timeout_s: float = 10.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a receiver does. `failing_since` is None while its last post was taken; `last_error` is for people, and None
    too from a start until the next try."""

    after_seq: int
    failing_since: datetime | None = None
    last_error: str | None = None


class Gone(Exception):
    """The receiver answered 410 Gone: it wants nothing more."""


class Courier:
    """Carries to one receiver. `standing` tells how far it has come, `luxuries` says how long each post waits."""

    def __init__(
        self,
        webhook: Webhook,
        *,
        centre: str,
        feed: Feed,
        reads: Reads,
        clock: Callable[[], datetime],
        pace: Pace,
        luxuries: Callable[[], Luxuries] = Luxuries,
    ) -> None:
        self.webhook = webhook
        self.standing = Standing(webhook.after_seq, webhook.failing_since)
        self._centre = centre
        self._feed = feed
        self._reads = reads
        self._clock = clock
        self._pace = pace
        self._luxuries = luxuries

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Runs until it is cancelled. Raises Gone."""
        while True:
            await asyncio.sleep(self._luxuries().webhooks)
            rewritten = self._feed.rewritten
            for stored in await self._next():
                if self._feed.rewritten != rewritten:
                    break  # as it stands in the ledger now
                is_wanted = not self.webhook.types or stored.event.type in self.webhook.types
                if is_wanted and not await self._deliver(session, stored, rewritten):
                    break
                self.standing = replace(self.standing, after_seq=stored.seq)

    async def _next(self) -> list[StoredEvent]:
        """Some events after the last one that was taken; waits while there is none."""
        place = self.standing.after_seq
        await self._feed.wait(place, IDLE_S)
        return await following(self._feed, self._reads, place, BATCH)

    async def _deliver(self, session: aiohttp.ClientSession, stored: StoredEvent, rewritten: int) -> bool:
        """Posts one event until it is taken; False where the ledger was rewritten before it was. Raises Gone, and
        whatever a defect here raises: then, too, the receiver takes nothing."""
        try:
            return await self._post_until_taken(session, stored, rewritten)
        except Gone:
            raise
        except Exception as defect:
            self._fails(f"a defect, which is in the gateway's log: {type(defect).__name__}")
            raise

    def _fails(self, error: str) -> None:
        now = self._clock()
        since = min(self.standing.failing_since or now, now)  # the clock was put back
        self.standing = replace(self.standing, failing_since=since, last_error=error)

    async def _post_until_taken(self, session: aiohttp.ClientSession, stored: StoredEvent, rewritten: int) -> bool:
        body = cloudevents.envelope(self._centre, stored)
        pause_s = self._pace.first_pause_s
        while (error := await self._post(session, stored, body)) is not None:
            self._fails(error)
            told = {"call": stored.event.call_id, "webhook": self.webhook.id, "seq": stored.seq, "reason": error}
            log.warning("webhook_failed", extra=told)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, self._pace.longest_pause_s)
            if self._feed.rewritten != rewritten:
                return False
        self.standing = replace(self.standing, failing_since=None, last_error=None)
        return True

    async def _post(self, session: aiohttp.ClientSession, stored: StoredEvent, body: bytes) -> str | None:
        """One try: None when the receiver took it, else why not. What the receiver says in its body is not read."""
        headers = cloudevents.signed(
            self.webhook.secret, cloudevents.event_id(self._centre, stored), self._clock(), body
        )
        headers["Content-Type"] = cloudevents.CONTENT_TYPE
        try:
            async with (
                asyncio.timeout(self._pace.post_timeout_s),
                session.post(self.webhook.url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                status = answer.status
        except TimeoutError:
            return f"no answer within {self._pace.post_timeout_s:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _told(f"{type(error).__name__}: {error}", self.webhook.url)
        if status == 410:
            raise Gone(Gone.__doc__)
        return None if 200 <= status < 300 else f"HTTP {status}"


def _told(error: str, url: str) -> str:
    """An error as people may read it: one line of bounded length, without what in the URL may be a secret (user,
    password, query). What the receiver itself sent may stand in it."""
    try:
        asked = URL(url)
    except ValueError:  # it was one to the version that took it
        return "the webhook's URL is none any more: remove the webhook, and make another one"
    secrets = {asked.query_string, asked.raw_query_string, asked.raw_user, asked.raw_password, url.partition("?")[2]}
    secrets |= {value for value in asked.query.values() if len(value) >= LEAST_SECRET}
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        error = error.replace(secret, "…")
    printable = "".join(sign if sign.isprintable() else " " for sign in error)
    return " ".join(printable.split())[:LONGEST_ERROR]
