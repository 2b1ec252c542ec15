"""Keeps out whoever hammers at the SIP door: counts what Asterisk refuses by address, bans for a while, and lifts what
is over.

Counterparts: `domain/knocks.py` counts, `domain/bans.py` says what a ban is; `office.py` stores bans and has Asterisk
take them over; `asterisk/knocking.py` hears.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.bookkeeper import Bookkeeper
from gateway.defects import Defects
from gateway.domain import bans
from gateway.domain.audit import CENTRE
from gateway.domain.bans import Ban
from gateway.domain.books import Books
from gateway.domain.kept import Invalid
from gateway.domain.knocks import Knock, Knocks
from gateway.office import Office
from gateway.ports import Stale, StoreAway, Taken, Unknown

log = logging.getLogger(__name__)

TICK_S = 1.0
AT_ONCE = 20
"""Bans that are made in one go. Who floods from forged addresses costs the database no more than this each second, and
what is not banned is refused all the same."""


class Banning:
    """`kept_open` returns the addresses and networks that are not banned now: trunks', phones', the site's own.
    `clock` returns the time now, in UTC, `clock_s` seconds of a clock that only goes forward."""

    def __init__(
        self,
        *,
        knocks: Knocks,
        ban_s: float,
        office: Office,
        bookkeeper: Bookkeeper,
        kept_open: Callable[[Books], Collection[str]],
        clock: Callable[[], datetime],
        clock_s: Callable[[], float],
    ) -> None:
        self._knocks = knocks
        self._ban_for = timedelta(seconds=ban_s)
        self._office = office
        self._bookkeeper = bookkeeper
        self._kept_open = kept_open
        self._clock = clock
        self._clock_s = clock_s
        self._defects = Defects("banning_broken")
        self.banned = 0
        """Addresses that were banned since the start."""
        self.spared = 0
        """Times that an address would have been banned that never is: a trunk's, a phone's, or the site's own."""
        self.in_force = 0
        """How many bans stand, as of the last look."""

    def hear(self, knock: Knock) -> None:
        """Counts it. Never waits."""
        self._knocks.take(knock, self._clock_s())

    async def run(self) -> None:
        """Bans and lifts, once a second, for ever."""
        while True:
            try:
                await self.tick()
            except StoreAway as error:
                log.warning("banning_waits", extra={"reason": str(error)})
            except Exception as error:  # noqa: BLE001  # a defect here must not end the history of calls
                self._defects.tell(error)
            await asyncio.sleep(TICK_S)

    async def tick(self) -> None:
        """Bans those whose time has come, and lifts the bans that are over. Raises StoreAway."""
        books, now = await self._bookkeeper.at_hand(), self._clock()
        over = [each for each in books.bans if not each.is_in_force(now)]
        await self._put([(each, replace(each, retired_at=now)) for each in over[:AT_ONCE]])
        standing = {each.address for each in books.bans if each.is_in_force(now)}
        self.in_force = len(standing)
        come: list[tuple[Ban | None, Ban]] = []
        for address in self._knocks.pop_due(AT_ONCE):
            if self._knocks.is_trusted(address, self._clock_s()) or bans.is_among(address, self._kept_open(books)):
                self.spared += 1
                log.warning("knocks_of_a_known_address", extra={"about": address})
            elif address not in standing and len(standing) + len(come) < bans.IN_FORCE_AT_MOST:
                come.append((None, self._ban(address, now)))
        if await self._put(come):
            self.banned += len(come)
            self.in_force += len(come)
            for _, ban in come:
                # it may be a carrier's whose address nobody wrote into a trunk: who looks for its calls must find it
                until = ban.until.isoformat(timespec="seconds")
                log.warning("address_banned", extra={"about": ban.address, "until": until, "reason": ban.reason})

    def _ban(self, address: str, now: datetime) -> Ban:
        limit, within_s = self._knocks.limit, self._knocks.within_s
        reason = f"{limit} requests within {within_s:g} s were refused"
        return Ban(address=address, reason=reason, until=now + self._ban_for, created_at=now)

    async def _put(self, changes: list[tuple[Ban | None, Ban]]) -> bool:
        """Stores all of them, or none: one that somebody changed meanwhile costs the others a second."""
        if not changes:
            return False
        try:
            await self._office.put(changes, CENTRE)
        except (Invalid, Taken, Stale, Unknown) as fault:
            log.warning("banning_put_off", extra={"reason": str(fault)})
            self._bookkeeper.forget()
            return False
        return True
