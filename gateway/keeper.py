"""The keeper of the hours: says when to look at Asterisk. At a login, when somebody touched its members, when the
roster wants something else, when the clock leaps, and every LOOK_EVERY_S in any case.

Counterparts: `level.py` does the looking; `watch.py` is asked once a second whether somebody must be called.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from gateway.defects import Defects
from gateway.level import Level
from gateway.ports import StoreAway, SwitchboardAway

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0
SECOND_LOOK_S = 3.0
"""After a reconnect the second look comes soon: calls that died with Asterisk are settled by it."""
TICK_S = 1.0
GATHER_S = 0.1
"""How long after a first touch of the members others are let come, before all are looked at."""
RETRY_S = 2.0


class Keeper:
    """`settle` ends calls that Asterisk lost, to be called after a look where the journal is read to its end; `resume`
    takes up the stored state after the store was away; `watch` is called once a second with the time now."""

    def __init__(
        self,
        *,
        level: Level,
        settle: Callable[[], Awaitable[None]],
        resume: Callable[[], Awaitable[None]],
        is_drained: Callable[[], bool],
        watch: Callable[[datetime], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._level = level
        self._settle = settle
        self._resume = resume
        self._is_drained = is_drained
        self._watch = watch
        self._clock = clock
        self._touched = asyncio.Event()
        self._came_up = False
        self._is_away = False
        self._looked_at: datetime | None = None
        self._due_s = 0.0
        self._defects = Defects("watch_broken")
        self._defects_of_looks = Defects("look_broken")

    def touch(self) -> None:
        """Somebody changed what Asterisk holds, or may have. Never waits."""
        self._touched.set()

    def come_up(self) -> None:
        """Asterisk was reached, again or for the first time."""
        self._came_up = True
        self._touched.set()

    async def run(self) -> None:
        """Looks and watches, for ever."""
        while True:
            if self._is_due():
                await self._look()
            await self._tick()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._touched.wait()
                await asyncio.sleep(GATHER_S)

    def _is_due(self) -> bool:
        now = self._clock()
        if self._touched.is_set() or time.monotonic() >= self._due_s:
            return True
        return not self._is_away and (  # the next login rings
            self._looked_at is None
            or now < self._looked_at  # the clock was put back
            or (self._level.holds_until is not None and now >= self._level.holds_until)
        )

    async def _look(self) -> None:
        first_since_up, self._came_up = self._came_up, False
        self._touched.clear()
        wait_s = SECOND_LOOK_S if first_since_up else LOOK_EVERY_S
        try:
            await self._level.look()
            self._is_away = False
            self._looked_at = self._clock()
            if self._level.is_behind:
                wait_s = RETRY_S
            elif self._is_drained():
                await self._settle()
        except SwitchboardAway as error:
            if not self._is_away:
                log.warning("look_failed", extra={"reason": str(error)})
            self._is_away = True
            wait_s = RETRY_S
        except StoreAway as error:
            log.warning("look_failed", extra={"reason": str(error)})
            wait_s = RETRY_S
            with contextlib.suppress(StoreAway):  # the journal's follower resumes too, once it has a record
                await self._resume()
        except Exception as error:  # noqa: BLE001  # as one of the watch: what is told of calls and the API go on
            self._defects_of_looks.tell(error)
            self._looked_at = self._clock()  # the next one comes in its time
        self._due_s = time.monotonic() + wait_s

    async def _tick(self) -> None:
        try:
            await self._watch(self._clock())
        except (SwitchboardAway, StoreAway) as error:
            log.warning("watch_failed", extra={"reason": str(error)})
        except Exception as error:  # noqa: BLE001  # a defect of an alarm must not end the history of calls
            self._defects.tell(error)
