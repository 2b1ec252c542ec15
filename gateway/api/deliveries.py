"""The sender of webhooks: one courier a receiver, and one book of how far each has come.

Counterparts: `webhooks.py` opens and closes webhooks here; `courier.py` does the carrying.

An event is delivered at least once: a place in the ledger is stored at most once a second, so after a crash the last
second's events come again, under the same webhook-id.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

import aiohttp
from yarl import URL

from gateway.api.courier import Courier, Gone, Pace, Standing
from gateway.api.names import Names
from gateway.defects import Defects
from gateway.domain.alarms import Alarm
from gateway.domain.audit import CENTRE, Actor, Deed
from gateway.domain.change import Change
from gateway.domain.overload import Luxuries
from gateway.domain.webhooks import FAILING, FAILING_FOR, Webhook
from gateway.feed import Feed
from gateway.ports import Committed, StoreAway, Taken
from gateway.saving import Saving
from gateway.store.reads import Reads
from gateway.store.repository import Repository

log = logging.getLogger(__name__)

LIMIT = 50
"""Webhooks at most; with one post at a time each, this bounds the open connections too."""
SAVE_EVERY_S = 1.0
LAST_SAVE_TIMEOUT_S = 2.0


class Deliveries:
    """All webhooks of the centre called `centre_name`. `luxuries` says how long each post waits; `clock` returns the
    time now, in UTC."""

    def __init__(
        self,
        *,
        saving: Saving,
        store: Repository,
        reads: Reads,
        feed: Feed,
        centre_name: str,
        clock: Callable[[], datetime],
        pace: Pace | None = None,
        luxuries: Callable[[], Luxuries] = Luxuries,
    ) -> None:
        self._saving = saving
        self._store = store
        self._reads = reads
        self._feed = feed
        self._centre_name = centre_name
        self._clock = clock
        self._pace = pace or Pace()
        self._luxuries = luxuries
        self._couriers: dict[str, Courier] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stored: dict[str, tuple[int, datetime | None]] = {}
        """How far each webhook has come, and since when it fails, as the store has it."""
        self._book = asyncio.Lock()
        """Held over each look at or change of the stored webhooks, so that a place is never stored for one that is
        being removed: that would bring it back."""
        self._is_sure = True
        """Whether all that was to be stored of them is known to be stored, or not."""
        self._changed = asyncio.Event()
        self._defects = Defects("webhook_broken")
        self.is_loaded = False
        """Whether the stored webhooks are taken up: only then are `standings` whole."""

    @property
    def standings(self) -> Mapping[str, Standing]:
        """How each receiver does, by the webhook's id."""
        return {webhook_id: courier.standing for webhook_id, courier in self._couriers.items()}

    def alarms(self, standing: Iterable[Alarm], now: datetime) -> list[Alarm]:
        """What should be alarming: receivers that take nothing. Before it is known what stood stands. An alarm is read
        by all roles: of the error it tells what kind it was, and of the URL the receiver."""
        stood = {alarm.subject: alarm for alarm in standing if alarm.kind == FAILING}
        if not self.is_loaded:
            return list(stood.values())
        found = []
        for webhook_id, courier in self._couriers.items():
            subject, its = subject_of(webhook_id), courier.standing
            if its.failing_since is None:
                continue
            # one that stands goes on, also where the clock was put back meanwhile
            stands = subject in stood and its.failing_since <= stood[subject].raised_at
            if not stands and now < its.failing_since + FAILING_FOR:
                continue
            if its.last_error is not None:
                why = its.last_error.partition(":")[0]
                detail = f"{_receiver(courier.webhook)} takes nothing of what happens: {why}"
                found.append(Alarm(FAILING, subject, detail, now))
            elif subject in stood:  # a gateway that was just started has not asked it yet
                found.append(stood[subject])
        return found

    async def add(self, webhook: Webhook, deed: Deed) -> None:
        """Stores a new webhook; its courier sets out at once. Raises Taken at the limit; StoreAway, after which it may
        be stored all the same."""
        async with self._book:
            if len(await self._store.webhooks()) >= LIMIT:
                raise Taken(f"there are {LIMIT} webhooks already")
            committed = await self._save_surely(Change(webhooks_put=(webhook,), deeds=(deed,)))
            # what it is told of comes after its own beginning
            self._take_up(replace(webhook, after_seq=committed.events[-1].seq))

    async def remove(self, webhook_id: str, deed: Deed) -> None:
        """Forgets a webhook and stops its courier; nothing happens where there is none. Raises StoreAway, after which
        it may be gone all the same."""
        async with self._book:
            await self._save_surely(Change(webhooks_removed=(webhook_id,), deeds=(deed,)))
            self._stop(webhook_id)

    async def _save_surely(self, change: Change) -> Committed:
        """Stores it; where the answer is lost, it is looked up later what became of it. Raises StoreAway."""
        try:
            return await self._saving.save(change)
        except BaseException:
            self._is_sure = False
            raise

    def _stop(self, webhook_id: str) -> None:
        self._couriers.pop(webhook_id, None)
        self._stored.pop(webhook_id, None)
        task = self._tasks.pop(webhook_id, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def run(self) -> None:
        """Delivers until it is cancelled; then stores how far it came."""
        # no cookies, no proxy from the environment, nothing remembered from one post to the next
        async with (
            contextlib.aclosing(Names(LIMIT)) as names,
            aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=LIMIT, resolver=names)
            ) as session,
        ):
            try:
                await self._load()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._keep_book())
                    while True:
                        self._changed.clear()
                        for webhook_id, courier in self._couriers.items():
                            if webhook_id not in self._tasks:
                                self._tasks[webhook_id] = group.create_task(self._send(courier, session))
                        await self._changed.wait()
            finally:
                self._tasks.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LAST_SAVE_TIMEOUT_S):
                        await self._save()

    async def _load(self) -> None:
        """Takes up what is stored, as soon as the store tells."""
        while True:
            try:
                async with self._book:
                    for webhook in await self._store.webhooks():
                        if webhook.id not in self._couriers:
                            self._take_up(webhook)
                self.is_loaded = True
                return
            except StoreAway as error:
                log.warning("webhooks_not_loaded", extra={"reason": str(error)})
                await asyncio.sleep(SAVE_EVERY_S)

    def _take_up(self, webhook: Webhook) -> None:
        self._couriers[webhook.id] = Courier(
            webhook,
            centre=self._centre_name,
            feed=self._feed,
            reads=self._reads,
            clock=self._clock,
            pace=self._pace,
            luxuries=self._luxuries,
        )
        self._stored[webhook.id] = (webhook.after_seq, webhook.failing_since)
        self._changed.set()

    async def _send(self, courier: Courier, session: aiohttp.ClientSession) -> None:
        """A courier's whole way; a receiver that is gone is forgotten."""
        while True:
            try:
                await courier.run(session)
            except Gone:
                log.info("webhook_gone", extra={"webhook": courier.webhook.id})
            except Exception as error:  # noqa: BLE001  # a defect here must not end the history of calls
                self._defects.tell(error)
                await asyncio.sleep(self._pace.longest_pause_s)
                continue
            try:
                await self.remove(courier.webhook.id, _gone(courier.webhook, self._clock()))
                return
            except StoreAway:
                await asyncio.sleep(SAVE_EVERY_S)

    async def _keep_book(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            if not self._is_sure:
                await self._make_sure()
            await self._save()

    async def _make_sure(self) -> None:
        """Takes up what is stored where the answer to a change was lost; in the next round where the store is away."""
        async with self._book:
            try:
                await self._store.try_to_write()  # once what was on its way is stored, or never will be
                stored = {webhook.id: webhook for webhook in await self._store.webhooks()}
            except StoreAway:
                return
            for webhook_id in self._couriers.keys() - stored.keys():
                self._stop(webhook_id)
            for webhook_id in stored.keys() - self._couriers.keys():
                self._take_up(stored[webhook_id])
            self._is_sure = True

    async def _save(self) -> None:
        """Stores how each receiver does where that has changed. Where the store is away, the next round does it."""
        async with self._book:
            for webhook_id, courier in self._couriers.items():
                standing = courier.standing
                state = (standing.after_seq, standing.failing_since)
                if state == self._stored.get(webhook_id):
                    continue
                webhook = replace(courier.webhook, after_seq=state[0], failing_since=state[1])
                try:
                    await self._saving.save(Change(webhooks_moved=(webhook,)))
                except StoreAway as error:
                    log.warning("webhook_place_not_stored", extra={"reason": str(error)})
                    return
                self._stored[webhook_id] = state


def deed_about(webhook: Webhook, action: str, actor: Actor, at: datetime, note: str = "") -> Deed:
    """What the audit log and the ledger tell of a webhook: never its secret, and of its URL the receiver alone. Whoever
    knows the rest of a URL may often post there, and events are read by all roles and by all other receivers."""
    receiver = _receiver(webhook)
    data = {"id": webhook.id, "url": receiver, "types": list(webhook.types)}
    return Deed(at, actor, action, subject=subject_of(webhook.id), data=data, note=note or receiver)


def subject_of(webhook_id: str) -> str:
    """How alarms and the audit log name it."""
    return f"webhook/{webhook_id}"


def _receiver(webhook: Webhook) -> str:
    try:
        return str(URL(webhook.url).origin())
    except ValueError:  # it was a URL to the version that took it
        return ""


def _gone(webhook: Webhook, at: datetime) -> Deed:
    return deed_about(webhook, "webhook.removed", CENTRE, at, "the receiver said 410 Gone")
