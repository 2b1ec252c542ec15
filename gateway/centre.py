"""The centre: facts in, through the domain into the store, then announced; commands out to Asterisk.

It names, as Protocols, what it needs of its two edges: the `Store` (`gateway/store/`) and the `Switchboard`
(`gateway/asterisk/`).
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from gateway.domain import call as calls
from gateway.domain.call import Call, OutOfPlace
from gateway.domain.change import Change, SetAside, Webhook
from gateway.domain.events import Event, StoredEvent
from gateway.domain.facts import Entered, Fact, LegLeft, Vanished
from gateway.domain.operators import Command, Holding, Member, Operator, difference, wanted
from gateway.feed import Feed

log = logging.getLogger(__name__)

SIP_REALM = "asterisk"
"""The realm that Asterisk challenges phones with (its default_realm)."""

APPLY_TIMEOUT_S = 5.0
"""How long a change that an admin makes may wait for Asterisk before the answer says: not yet applied."""


class StoreAway(Exception):
    """The database does not answer; nothing is known to be stored."""


class SwitchboardAway(Exception):
    """Asterisk cannot be reached; nothing is known to be done."""


class Taken(Exception):
    """Something of that name exists already."""


class Unknown(Exception):
    """There is nothing of that name."""


class Store(Protocol):
    """What the centre needs of the store. Each call has a time limit and may raise StoreAway."""

    async def commit(self, change: Change) -> list[StoredEvent]:
        """Stores all of `change` or nothing; returns its events with their sequence numbers. May raise Taken."""

    async def newest_seq(self) -> int: ...
    async def open_calls(self) -> list[Call]: ...
    async def operators(self, *, include_retired: bool = False) -> list[Operator]: ...
    async def members(self) -> list[Member]: ...


class Switchboard(Protocol):
    """What the centre needs of Asterisk. Each call has a time limit and may raise SwitchboardAway."""

    async def holding(self) -> Holding:
        """The phones and members that Asterisk has now."""

    async def carry_out(self, commands: Sequence[Command]) -> Mapping[str, str]:
        """Carries the commands out in their order. Returns what Asterisk refused, in its own words, by the command's
        subject; empty when Asterisk said of each that it is done."""

    async def live_calls(self) -> set[str]:
        """The ids of the calls that are in Asterisk now."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one read of the journal brought: facts in their order, what could not be used, and the new positions."""

    facts: tuple[Fact, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    positions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Applied:
    """Whether Asterisk holds what it should. `at` is the last full look; `problems` are Asterisk's own words, by a
    phone's number or by `queue/phone`."""

    at: datetime | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


class Centre:
    """The one service. `clock` returns the time now, in UTC; `standing` is what Asterisk always holds, whatever the
    admins do (the probe's phone); `queues` are the queues that admins may put phones into."""

    def __init__(
        self,
        *,
        store: Store,
        switchboard: Switchboard,
        feed: Feed,
        clock: Callable[[], datetime],
        standing: Holding,
        queues: frozenset[str],
    ) -> None:
        self._store = store
        self._switchboard = switchboard
        self._feed = feed
        self._clock = clock
        self._standing = standing
        self.queues = queues
        self._calls: dict[str, Call] = {}
        self._missing: frozenset[str] = frozenset()
        self._saving = asyncio.Lock()
        self._reconciling = asyncio.Lock()
        self.applied = Applied()
        self.set_aside_count = 0

    @property
    def running_calls(self) -> Mapping[str, Call]:
        """The calls that have not ended, by id."""
        return self._calls

    # ---------------------------------------------------------------- facts in

    async def resume(self) -> None:
        """Takes up from what is stored: at start, and after the store was away."""
        async with self._saving:
            self._calls = {call.id: call for call in await self._store.open_calls()}
            self._feed.start_at(await self._store.newest_seq())

    async def record(self, reading: Reading) -> None:
        """Stores what the journal told, with how far it was read, and announces it.

        Raises StoreAway; nothing is changed then, and the same part of the journal must be read again.
        """
        async with self._saving:
            touched: dict[str, Call] = {}
            events: list[Event] = []
            set_aside = list(reading.set_aside)
            for fact in reading.facts:
                known = touched.get(fact.call_id) or self._calls.get(fact.call_id)
                if known is None and isinstance(fact, LegLeft):
                    continue  # a phone's line may go a moment after its call has ended
                try:
                    touched[fact.call_id], told = _step(known, fact)
                    events.extend(told)
                except OutOfPlace as error:
                    set_aside.append(SetAside(self._clock(), "journal", str(error), repr(fact)))
            await self._save(
                Change(
                    events=tuple(events),
                    calls=tuple(touched.values()),
                    positions=reading.positions,
                    set_aside=tuple(set_aside),
                )
            )
            self.set_aside_count += len(set_aside)
            self._remember(touched.values())

    async def settle(self) -> None:
        """Ends, as failed, the calls that Asterisk does not have any more and whose end the journal never told:
        Asterisk died under them. A call must be missing at two looks, so that an end on its way is not overtaken.

        To be called only while the journal is read to its end. Raises SwitchboardAway or StoreAway.
        """
        live = await self._switchboard.live_calls()
        async with self._saving:
            missing = frozenset(self._calls.keys() - live)
            gone = [self._calls[call_id] for call_id in sorted(missing & self._missing)]
            self._missing = missing
            if not gone:
                return
            settled = [calls.apply(call, Vanished(call.id, calls.last_sign(call))) for call in gone]
            await self._save(
                Change(
                    events=tuple(event for _, told in settled for event in told),
                    calls=tuple(call for call, _ in settled),
                )
            )
            self._remember(call for call, _ in settled)

    # ---------------------------------------------------------------- commands in

    async def create_operator(self, name: str, phone: str, contact: str | None) -> tuple[Operator, str]:
        """A new operator with a phone, and the phone's secret, which is told this once.

        Raises Taken when the number belongs to somebody, StoreAway.
        """
        if phone in self._standing.phones:
            raise Taken(f"phone {phone} is the centre's own")
        secret = secrets.token_urlsafe(15)
        now = self._clock()
        operator = Operator(0, name, phone, sip_digest(phone, secret), contact, now)
        event = Event("operator.created", now, data={"name": name, "phone": phone})
        async with self._saving:
            await self._save(Change(events=(event,), operators=(operator,)))
        await self._apply_now()
        return await self.operator_by_phone(phone), secret

    async def change_operator(
        self, operator_id: int, *, name: str | None, contact: str | None, keeps_contact: bool, renews_secret: bool
    ) -> tuple[Operator, str | None]:
        """The operator as changed, and the new secret where one was asked for. Raises Unknown, StoreAway."""
        secret = secrets.token_urlsafe(15) if renews_secret else None
        async with self._saving:
            operator = await self._operator(operator_id)
            changed = replace(
                operator,
                name=operator.name if name is None else name,
                contact=operator.contact if keeps_contact else contact,
                digest=operator.digest if secret is None else sip_digest(operator.phone, secret),
            )
            event = Event("operator.changed", self._clock(), data={"name": changed.name, "phone": changed.phone})
            await self._save(Change(events=(event,), operators=(changed,)))
        await self._apply_now()
        return changed, secret

    async def retire_operator(self, operator_id: int) -> None:
        """Takes the operator's phone and places away; the history keeps the name. Raises Unknown, StoreAway."""
        async with self._saving:
            operator = await self._operator(operator_id)
            now = self._clock()
            places = tuple(member.key for member in await self._store.members() if member.phone == operator.phone)
            event = Event("operator.retired", now, data={"name": operator.name, "phone": operator.phone})
            retired = replace(operator, retired_at=now)
            await self._save(Change(events=(event,), operators=(retired,), members_removed=places))
        await self._apply_now()

    async def put_member(self, queue: str, phone: str, penalty: int) -> Member:
        """The phone's place in the queue, new or changed. Raises Unknown (queue or phone), StoreAway."""
        if queue not in self.queues:
            raise Unknown(f"there is no queue {queue}")
        await self.operator_by_phone(phone)
        member = Member(queue, phone, penalty)
        event = Event("queue.member_put", self._clock(), data={"queue": queue, "phone": phone, "penalty": penalty})
        async with self._saving:
            await self._save(Change(events=(event,), members_put=(member,)))
        await self._apply_now()
        return member

    async def remove_member(self, queue: str, phone: str) -> None:
        """Takes the phone out of the queue. Raises Unknown when it is not in it, StoreAway."""
        async with self._saving:
            if (queue, phone) not in {member.key for member in await self._store.members()}:
                raise Unknown(f"phone {phone} is not in queue {queue}")
            event = Event("queue.member_removed", self._clock(), data={"queue": queue, "phone": phone})
            await self._save(Change(events=(event,), members_removed=((queue, phone),)))
        await self._apply_now()

    async def put_webhook(self, webhook: Webhook) -> None:
        """Stores a webhook, new or with its new place in the ledger. Raises StoreAway."""
        async with self._saving:
            await self._save(Change(webhooks_put=(webhook,)))

    async def remove_webhook(self, webhook_id: str) -> None:
        """Forgets a webhook. Raises StoreAway."""
        async with self._saving:
            await self._save(Change(webhooks_removed=(webhook_id,)))

    async def operator_by_phone(self, phone: str) -> Operator:
        """The active operator with that phone. Raises Unknown, StoreAway."""
        for operator in await self._store.operators():
            if operator.phone == phone:
                return operator
        raise Unknown(f"no operator has phone {phone}")

    async def _operator(self, operator_id: int) -> Operator:
        for operator in await self._store.operators():
            if operator.id == operator_id:
                return operator
        raise Unknown(f"there is no operator {operator_id}")

    # ---------------------------------------------------------------- commands out

    async def reconcile(self) -> None:
        """Compares what Asterisk should hold with what it holds, and carries out the difference.

        A command that Asterisk refuses is kept in `applied.problems`, and tried again at the next look.
        Raises SwitchboardAway or StoreAway.
        """
        async with self._reconciling:
            want = wanted(await self._store.operators(), await self._store.members(), self._standing)
            commands = difference(want, await self._switchboard.holding())
            problems = await self._switchboard.carry_out(commands) if commands else {}
            for about, reason in problems.items():
                log.warning("command_refused", extra={"about": about, "reason": reason})
            self.applied = Applied(self._clock(), problems)

    async def _apply_now(self) -> None:
        """Applies a change that is already stored. Where Asterisk is away, the next look applies it."""
        try:
            async with asyncio.timeout(APPLY_TIMEOUT_S):
                await self.reconcile()
        except (SwitchboardAway, StoreAway, TimeoutError) as error:
            self.applied = replace(self.applied, at=None)
            log.warning("change_not_yet_applied", extra={"reason": str(error) or "no answer in time"})

    # ---------------------------------------------------------------- save, then announce

    async def _save(self, change: Change) -> None:
        self._feed.publish(await self._store.commit(change))

    def _remember(self, touched: Iterable[Call]) -> None:
        for call in touched:
            if call.ended_at is None:
                self._calls[call.id] = call
            else:
                self._calls.pop(call.id, None)


def _step(known: Call | None, fact: Fact) -> tuple[Call, tuple[Event, ...]]:
    """What `fact` makes of the call, or the call that begins with it. Raises OutOfPlace."""
    if isinstance(fact, Entered):
        if known is not None:
            raise OutOfPlace(f"call {fact.call_id} entered twice")
        entered, event = calls.enter(fact)
        return entered, (event,)
    if known is None:
        raise OutOfPlace(f"call {fact.call_id} is not known, or ended before")
    return calls.apply(known, fact)


def sip_digest(phone: str, secret: str) -> str:
    """What Asterisk needs in order to check a phone's password: HA1 of RFC 2617, 3.2.2.2, in hexadecimal."""
    return hashlib.md5(f"{phone}:{SIP_REALM}:{secret}".encode(), usedforsecurity=False).hexdigest()
