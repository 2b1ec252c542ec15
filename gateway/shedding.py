"""Shedding: where there is more to do than the machine can carry, the gateway's own luxuries wait first: the board's
pictures, the streams, waveforms and sealing, webhooks. Nothing of them is lost, and no call waits for any of it.

Counterparts: `domain/overload.py` says when, and how long each waits; `house.py` hands `luxuries` to whoever has one;
`gateway/api/health.py` and the metrics tell how it stands.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime

from gateway.defects import Defects
from gateway.domain import overload
from gateway.domain.change import Change
from gateway.domain.overload import Lag, Luxuries, Overload
from gateway.ports import StoreAway
from gateway.saving import Saving

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5


class Shedding:
    """`journal_s` says how old what is written and not yet stored may be, `answer_s` how long whom Asterisk has taken
    waits for its answer, `clock_s` is a clock that never leaps: all in seconds."""

    def __init__(
        self,
        *,
        saving: Saving,
        journal_s: Callable[[], float],
        answer_s: Callable[[], float],
        clock: Callable[[], datetime],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._saving = saving
        self._journal_s = journal_s
        self._answer_s = answer_s
        self._clock = clock
        self._clock_s = clock_s
        self._stands = Overload()
        self._most = Luxuries()
        """What was left out at the worst moment of this overload."""
        self._since_s = 0.0
        self._is_told = False
        self.since: datetime | None = None
        """From when on there has been too much; None while there is not."""

    def luxuries(self) -> Luxuries:
        """How long each waits now."""
        return self._stands.luxuries

    @property
    def strain(self) -> float:
        """How much there is to do: 1 is too much."""
        return self._stands.strain

    async def run(self) -> None:
        """Looks twice a second, for ever: how late it comes to that is the loop's own lag."""
        defects = Defects("shedding_broken")
        while True:
            due_s = self._clock_s() + LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look(max(0.0, self._clock_s() - due_s))
            except StoreAway as error:
                log.warning("overload_not_stored", extra={"reason": str(error)})
            except Exception as error:  # noqa: BLE001  # a defect here must not end the history of calls
                defects.tell(error)

    async def look(self, loop_s: float) -> None:
        """One look, to which the loop came so late. Raises StoreAway: it is told at the next one."""
        before, now_s = self._stands, self._clock_s()
        lag = Lag(self._journal_s(), loop_s, self._answer_s())
        self._stands = before.after(lag, now_s)
        if self._stands.level != before.level:
            shed = ",".join(self.luxuries().shed)
            log.warning("overload", extra={"shed": shed, "strain": round(self.strain, 2), **lag.told})
        if self._stands.level and self.since is None:
            self.since, self._since_s, self._most = self._clock(), now_s, Luxuries()
        self._most = max(self._most, self.luxuries(), key=lambda each: len(each.shed))
        await self._tell(lag, now_s)

    async def _tell(self, lag: Lag, now_s: float) -> None:
        """Has the ledger say what is: that it began, that it ended."""
        if self._stands.level:
            if not self._is_told:
                await self._saving.save(Change(events=(overload.began(self._clock(), lag, self.luxuries()),)))
                self._is_told = True
            return
        if self._is_told and self.since is not None:
            over = overload.ended(self._clock(), self.since, now_s - self._since_s, self._most)
            await self._saving.save(Change(events=(over,)))
        self._is_told, self.since = False, None
