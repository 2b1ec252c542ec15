"""The bookkeeper: has the books at hand as they stand in the store, and reads them again when something has changed.

Counterparts: `domain/books.py` says what is in them; every service that decides something by them asks here.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway import recurrence
from gateway.domain.advice_rules import AdviceRule
from gateway.domain.agencies import Agency
from gateway.domain.bans import Ban
from gateway.domain.books import Books, PauseReason, Rules
from gateway.domain.operators import Operator
from gateway.domain.queues import Queue
from gateway.domain.retention import RetentionRule
from gateway.domain.roster import LONGEST_SHIFT, OnCall, Plan
from gateway.domain.shifts import Shift
from gateway.domain.trunks import Trunk
from gateway.ports import Store

DAYS_BACK = LONGEST_SHIFT.days
DAYS_AHEAD = 8
"""What the plan at hand holds around today: what goes on now, and what comes next; more where holes are looked for
further ahead."""


class Bookkeeper:
    """`clock` returns the time now, in UTC; `default_queues` names the centre's own queue, and behind it those that are
    it where there is no such queue."""

    def __init__(
        self, store: Store, *, zone: ZoneInfo, default_queues: Sequence[str], clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self.zone = zone
        self._default_queues = default_queues
        self._clock = clock
        self._books: Books | None = None
        self._read_as: tuple[int, str, date, int] | None = None
        self._changes = 0
        self._reading = asyncio.Lock()

    def forget(self) -> None:
        """Something was changed here: the books must be read again."""
        self._changes += 1

    @property
    def read_last(self) -> Books | None:
        """The books as they were read last; None before the first time."""
        return self._books

    async def books(self) -> Books:
        """The books of today. Whoever else writes to the store is noticed by the audit log's head. Raises StoreAway."""
        async with self._reading:
            today = self._clock().astimezone(self.zone).date()
            # taken before the reading: what is stored meanwhile makes the next look read again
            state = (*await self._store.audit_head(), today, self._changes)
            if self._books is None or state != self._read_as:
                self._books, self._read_as = await self._read(today), state
            return self._books

    async def at_hand(self) -> Books:
        """The books as they were read last, unless something was changed here since. Raises StoreAway."""
        if self._books is not None and self._read_as is not None and self._read_as[3] == self._changes:
            return self._books
        return await self.books()

    async def _read(self, today: date) -> Books:
        store = self._store
        rules = next(iter(await store.kept(Rules)), None) or Rules(created_at=self._clock())
        ahead = timedelta(days=max(DAYS_AHEAD, rules.gap_horizon_days + 1))
        queues = {each.name: each for each in await store.kept(Queue)}
        return Books(
            plan=await self.plan(today - timedelta(days=DAYS_BACK), today + ahead),
            default_queue=self._default_queue(queues),
            rules=rules,
            operators={each.id: each for each in await store.kept(Operator)},
            queues=queues,
            trunks={each.name: each for each in await store.kept(Trunk)},
            standing=tuple(await store.members()),
            presences=await store.presences(),
            on_call=tuple(sorted(await store.kept(OnCall), key=lambda each: (each.place, each.id))),
            pause_reasons=tuple(await store.kept(PauseReason)),
            agencies=tuple(await store.kept(Agency)),
            advice_rules=tuple(await store.kept(AdviceRule)),
            retention_rules=tuple(await store.kept(RetentionRule)),
            blocks=tuple(await store.blocks(self._clock())),
            bans=tuple(await store.kept(Ban)),
        )

    def _default_queue(self, queues: Mapping[str, Queue]) -> str:
        """The first of those named that is there; where none is, the one that was made first, so that calls and logins
        meet somewhere."""
        named = self._default_queues
        oldest = min(queues, key=lambda name: queues[name].id, default=named[0])
        return next(filter(queues.__contains__, named), oldest)

    async def plan(self, first: date, last: date) -> Plan:
        """The roster of those days. Raises StoreAway."""
        store = self._store
        shifts = await store.kept(Shift)
        return Plan(
            zone=self.zone,
            first=first,
            last=last,
            shifts={shift.id: shift for shift in shifts},
            days=recurrence.days_of_all(shifts, first, last),
            assignments=tuple(await store.assignments(first, last)),
            absences=tuple(await store.absences(*self._span(first, last))),
            swaps=tuple(await store.swaps(first, last)),
        )

    def _span(self, first: date, last: date) -> tuple[datetime, datetime]:
        """Every moment that a shift beginning on those days can touch."""
        start = datetime(first.year, first.month, first.day, tzinfo=self.zone)
        end = datetime(last.year, last.month, last.day, tzinfo=self.zone)
        return start - timedelta(days=1), end + timedelta(days=1) + LONGEST_SHIFT
