"""The ground of a campaign: all that a fault can break, and what the conservation check must know of it.

Counterparts: `faults/`, which break it; `campaign.py`, which builds it.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chaos.conservation import Span, Troubles
from chaos.disks import Disk
from chaos.proxy import Proxy
from chaos.stores import Database
from chaos.traffic import Traffic
from tests.centre import RealCentre


@dataclass(slots=True)
class Ground:
    """`wants_gateway` and `wants_asterisk` say whether each is started anew when it ends, as a service manager does."""

    folder: Path
    centre: RealCentre
    ami: Proxy
    database: Database
    traffic: Traffic
    journal_disk: Disk
    recordings_disk: Disk
    troubles: Troubles = field(default_factory=Troubles)
    wants_gateway: bool = True
    wants_asterisk: bool = True
    may_end: bool = False
    """Whether the gateway may end by itself now: it cannot start without its database."""

    async def kill_asterisk(self, down_s: float) -> None:
        """Kill -9; it is started anew after so long, and has booted when this returns."""
        self.wants_asterisk = False
        span = self._begin(self.troubles.dead)
        try:
            await asyncio.to_thread(self.centre.stop_asterisk, signal.SIGKILL)
            await asyncio.sleep(down_s)
            await asyncio.to_thread(self.centre.start_asterisk)
        finally:
            self._end(self.troubles.dead, span)
            self.wants_asterisk = True

    async def revive_asterisk(self, seen_s: float) -> None:
        """Starts it anew after it ended by itself, since it was seen alive so many seconds ago."""
        span = self._begin(self.troubles.dead, time.time() - seen_s)
        await asyncio.to_thread(self.centre.start_asterisk)
        self._end(self.troubles.dead, span)

    async def restart_gateway(self) -> None:
        """Ends it as an admin does, and starts it; it has taken up its work when this returns."""
        self.wants_gateway = False
        try:
            await asyncio.to_thread(self.centre.stop_gateway)
        finally:
            self.centre.start_gateway()
            self.wants_gateway = True
        await self.centre.ready()

    @asynccontextmanager
    async def frozen_asterisk(self) -> AsyncIterator[None]:
        """Asterisk stands still while the block runs."""
        span = self._begin(self.troubles.frozen)
        os.kill(self.centre.asterisk_pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.centre.asterisk_pid, signal.SIGCONT)
            self._end(self.troubles.frozen, span)

    @asynccontextmanager
    async def no_room_for_recordings(self) -> AsyncIterator[None]:
        span = self._begin(self.troubles.no_room)
        try:
            yield
        finally:
            self._end(self.troubles.no_room, span)

    @staticmethod
    def _begin(spans: list[Span], since: float | None = None) -> int:
        spans.append(Span(time.time() if since is None else since, float("inf")))
        return len(spans) - 1

    @staticmethod
    def _end(spans: list[Span], place: int) -> None:
        spans[place] = Span(spans[place].since, time.time())
