"""The pulse: whether this gateway is well inside, told to the service's manager from the loop that does the work.

Counterparts: `systemd.py` carries what is told; a manager that hears nothing for long enough ends this process and
starts another one. So what is missed here must be what a new start mends: a loop that is blocked, a journal that nobody
reads any more, a store that answers everybody but us. What is away outside (the database, Asterisk) no start brings
back: the pulse goes on, and the health page says what is wrong.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gateway.ports import StoreAway
from gateway.systemd import Manager

log = logging.getLogger(__name__)

STILL_S = 20.0
"""For so long the journal's reader may be at one reading; a transaction takes a few seconds at most."""
SHUT_OUT_S = 30.0
"""For so long our own way to the store may fail while a new one is open."""
BEAT_S = 10.0
"""Without a watchdog."""
START_TAKES_S = 60.0
LOOK_S = 0.05


class Pulse:
    """`is_told` says whether what the journal held at the start is stored, `turned_s` when its reader last came round,
    `newest` the number of the newest stored event; `ask` asks the store by our own way, and `ask_anew` by a new one;
    both raise StoreAway. `clock_s` is the loop's own clock, `words` a line for people."""

    def __init__(
        self,
        manager: Manager,
        *,
        is_told: Callable[[], bool],
        turned_s: Callable[[], float],
        newest: Callable[[], int],
        ask: Callable[[], Awaitable[None]],
        ask_anew: Callable[[], Awaitable[None]],
        words: Callable[[], str],
        clock_s: Callable[[], float],
    ) -> None:
        self._manager = manager
        self._is_told = is_told
        self._turned_s = turned_s
        self._newest = newest
        self._ask = ask
        self._ask_anew = ask_anew
        self._words = words
        self._clock_s = clock_s
        self._shut_out_since: float | None = None
        self._stored = 0
        self._problem = ""
        self._beat_s = BEAT_S if manager.watchdog_s is None else manager.watchdog_s / 3

    async def run(self) -> None:
        """Says when this is ready, and from then on that it is well, for ever."""
        due_s = self._clock_s()
        while not self._is_told():
            if self._clock_s() >= due_s:
                due_s = self._clock_s() + START_TAKES_S / 3
                if not await self.problem():
                    self._manager.takes(START_TAKES_S)
                    self._manager.status("reads what the journal holds")
            await asyncio.sleep(LOOK_S)
        self._manager.ready()
        log.info("gateway_ready")
        while True:
            began_s = self._clock_s()
            if not await self.problem():
                self._manager.well()
            self._manager.status(self._problem or self._words())
            # a store that does not answer takes up half of the time that the manager waits
            await asyncio.sleep(max(LOOK_S, self._beat_s - (self._clock_s() - began_s)))

    async def problem(self) -> str:
        """What is broken in here, so that only a new start mends it; empty where nothing is."""
        is_away, problem = await self._of_store()
        if not is_away:
            problem = problem or self._of_reader()
        if problem != self._problem:
            log.log(logging.ERROR if problem else logging.INFO, "pulse", extra={"problem": problem})
        self._problem = problem
        return problem

    def _of_reader(self) -> str:
        still_s = self._clock_s() - self._turned_s()
        return f"the journal's reader has not come round for {still_s:.0f} s" if still_s > STILL_S else ""

    async def _of_store(self) -> tuple[bool, str]:
        """Whether it is away for everybody, and what is wrong with our own way to it. Where it is away and many want to
        store something, the journal's reader waits in line behind each of them for as long as one may wait."""
        before, self._stored = self._stored, self._newest()
        try:
            await self._ask()
        except StoreAway as error:
            reason = str(error)
        else:
            self._shut_out_since = None
            return False, ""
        try:
            await self._ask_anew()
        except StoreAway:
            self._shut_out_since = None
            return True, ""
        if self._shut_out_since is None or self._stored != before:  # busy, and still storing
            self._shut_out_since = self._clock_s()
        is_long = self._clock_s() - self._shut_out_since >= SHUT_OUT_S
        return False, f"the store answers others, and not this gateway: {reason}" if is_long else ""
