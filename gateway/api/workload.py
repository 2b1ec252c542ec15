"""The workload that a report of the coverage asks for: read from the history once an hour, and then at hand.

Counterparts: `gateway/store/workload_reads.py` counts the calls, `gateway/domain/workload.py` makes a week of them,
`coverage.py` holds the roster against it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.domain.workload import HISTORY, Load, start_of_half_hour, weekly_loads
from gateway.store.workload_reads import WorkloadReads

GOOD_FOR = timedelta(hours=1)
"""An hour more or less of eight weeks makes no difference; reading a million calls does."""


@dataclass(frozen=True, slots=True)
class Loads:
    """The load of each queue that had a call in the weeks before `as_of`, one for each half hour of the week."""

    as_of: datetime
    by_queue: Mapping[str, Sequence[Load | None]]


class Workload:
    """`zone` is the centre's; `clock` returns the time now, in UTC."""

    def __init__(self, reads: WorkloadReads, *, zone: ZoneInfo, clock: Callable[[], datetime]) -> None:
        self._reads = reads
        self._zone = zone
        self._clock = clock
        self._known: Loads | None = None
        self._reading = asyncio.Lock()

    async def loads(self, begun: Mapping[str, datetime]) -> Loads:
        """The loads of the queues that `begun` names, each with the time since when there is such a queue; at most
        GOOD_FOR old. Whoever asks while they are read waits for that reading. Raises StoreAway."""
        async with self._reading:
            now = self._clock()
            if self._known is None or not timedelta(0) <= now - self._known.as_of < GOOD_FOR:
                self._known = await self._read(now, begun)
            return self._known

    async def _read(self, now: datetime, begun: Mapping[str, datetime]) -> Loads:
        until = start_of_half_hour(now)  # the one that goes on now has not brought all of its calls yet
        since = until - HISTORY
        arrivals = await self._reads.arrivals(since, until)
        loads = await asyncio.to_thread(weekly_loads, arrivals, since, until, self._zone, begun)
        return Loads(now, {queue: each for queue, each in loads.items() if queue in begun})
