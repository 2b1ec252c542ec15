"""Saving: the one way from a change to the store, and from there to whoever listens. Save, then announce.

Counterparts: `centre.py`, `office.py` and every other service make changes; `feed.py` tells what was committed,
`meter.py` counts it.
"""

import asyncio
import time

from gateway.domain.change import Change
from gateway.feed import Feed
from gateway.meter import Meter
from gateway.ports import Committed, Store, StoreAway


class Saving:
    """One store and one feed. `turn` is held over every save, and by whoever must read, decide and save as one."""

    def __init__(self, store: Store, feed: Feed) -> None:
        self._store = store
        self._feed = feed
        self.meter = Meter()
        self.turn = asyncio.Lock()
        self._is_unsure = False
        """Whether something may have been stored whose answer was lost."""

    async def save(self, change: Change) -> Committed:
        """Stores all of `change` or nothing, then announces its events. Raises what `Store.commit` does."""
        async with self.turn:
            return await self.save_in_turn(change)

    async def save_in_turn(self, change: Change) -> Committed:
        """The same, for whoever holds `turn`."""
        began_s = time.monotonic()
        try:
            committed = await self._store.commit(change)
        except BaseException as error:
            self._is_unsure = True
            if isinstance(error, StoreAway):
                self.meter.failed()
            raise
        self.meter.stored(change, committed.events, time.monotonic() - began_s)
        self._feed.publish(committed.events)
        if self._is_unsure:
            await self._catch_up()
        return committed

    async def _catch_up(self) -> None:
        """Has those events told, too, that were stored although their answer was lost: nobody else knows of them."""
        try:
            self._feed.start_at(await self._store.newest_seq())
        except StoreAway:
            return  # with the next one that is stored
        self._is_unsure = False

    def forget(self) -> None:
        """Has nothing be told any more as it stood before the ledger was rewritten."""
        self._feed.forget()
