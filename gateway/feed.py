"""The feed of committed events: the newest ones in memory, and a bell that rings when there are more.

Counterpart: `gateway/saving.py` publishes after each commit; streams and webhooks in `gateway/api/` listen. A listener
keeps its own place and asks for what comes after it, so nobody is ever waited for and nothing queues up: one who has
fallen too far behind is sent to the ledger.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from gateway.domain.events import StoredEvent


class Feed:
    """The last `capacity` events, in order of their sequence."""

    def __init__(self, capacity: int = 2000) -> None:
        self._recent: deque[StoredEvent] = deque(maxlen=capacity)
        self._newest = 0
        self._bell = asyncio.Event()

    @property
    def newest(self) -> int:
        """The sequence number of the newest event; 0 before the first."""
        return self._newest

    def start_at(self, seq: int) -> None:
        """Tells the feed how far the ledger has come. Events in between, if any, must be read from the ledger."""
        if seq > self._newest:
            self._recent.clear()
            self._newest = seq
            self._ring()

    def publish(self, events: Sequence[StoredEvent]) -> None:
        """Takes committed events in order. Never waits, never fails."""
        if events:
            if events[0].seq != self._newest + 1:
                self._recent.clear()  # others were stored in between: they must be read from the ledger
            self._recent.extend(events)
            self._newest = events[-1].seq
            self._ring()

    def forget(self) -> None:
        """What was announced is another in the ledger by now: whoever comes later reads it there."""
        self._recent.clear()

    def after(self, seq: int) -> list[StoredEvent] | None:
        """The events after `seq`, oldest first; None when the feed does not reach back so far: read the ledger."""
        if seq >= self._newest:
            return []
        if not self._recent or self._recent[0].seq > seq + 1:
            return None
        first = self._recent[0].seq
        return [self._recent[index] for index in range(max(0, seq + 1 - first), len(self._recent))]

    async def wait(self, seq: int, timeout_s: float) -> bool:
        """True as soon as there is an event after `seq`; False when there was none for `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._newest <= seq:
                    await self._bell.wait()
        except TimeoutError:
            return False
        return True

    def _ring(self) -> None:
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()
