"""A clock that is set back: whoever waits in Asterisk then would wait as much longer, and is woken.

Counterpart: `gateway/asterisk/waking.py`, which tells why, and wakes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from gateway.defects import Defects
from gateway.ports import SwitchboardAway

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
LEAST_S = 3.0
"""Set back by less nobody waits much longer."""


class SetBack:
    """`wake` wakes them, and returns how many commands that took; it raises SwitchboardAway. `clock` returns the time
    now, in UTC, `clock_s` seconds of a clock that nobody sets."""

    def __init__(
        self, *, wake: Callable[[], Awaitable[int]], clock: Callable[[], datetime], clock_s: Callable[[], float]
    ) -> None:
        self._wake = wake
        self._clock = clock
        self._clock_s = clock_s
        self._ahead_s = self._now_ahead_s()
        self._is_owed = False
        self._defects = Defects("setback_broken")

    async def run(self) -> None:
        """Looks at the clock once a second, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001  # a defect here must not end the history of calls
                self._defects.tell(error)

    async def look(self) -> None:
        """Wakes whoever waits, where the clock was set back since the last look, or could not be told of it then."""
        before_s, self._ahead_s = self._ahead_s, self._now_ahead_s()
        if (by_s := before_s - self._ahead_s) >= LEAST_S:
            log.warning("clock_set_back", extra={"seconds": round(by_s, 1)})
            self._is_owed = True
        if not self._is_owed:
            return
        try:
            count = await self._wake()
        except SwitchboardAway as error:
            log.warning("callers_not_woken", extra={"reason": str(error)})
            return
        self._is_owed = False
        log.info("callers_woken", extra={"count": count})

    def _now_ahead_s(self) -> float:
        """How far the clock is ahead of the one that nobody sets."""
        return self._clock().timestamp() - self._clock_s()
