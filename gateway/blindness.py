"""Blindness: the times in which the gateway did not see what happens in Asterisk. Each is told when it is over, with
how long it was and how many calls it hid; it is an alarm while it lasts and for a while after.

Counterparts: `domain/sight.py` says what such a time is; `store/sight_reads.py` knows until when this gateway, or
another, saw; `watch.py` keeps the alarm; the API shows it in health and metrics. No call is treated otherwise for it:
Asterisk answers as ever.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.defects import Defects
from gateway.domain.alarms import Alarm
from gateway.domain.change import Change
from gateway.domain.sight import ALARM_AFTER_S, BLIND, LEAST_S, STANDS_FOR, WORDS, BlindTime, Why
from gateway.ports import SightReads, Store, StoreAway
from gateway.saving import Saving

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
SAVE_EVERY_S = 2.0
"""How often it is stored that the gateway sees: after a crash it is known to so much."""
LAST_SAVE_LIMIT_S = 2.0
LATE_S = 5.0
"""A call that Asterisk announced so long ago stands in its journal."""
READ_AFTERWARDS = (Why.DOWN, Why.STORE)
"""What happened in these times is in the journal: it is over, and its calls are counted, once that is read."""
ANNOUNCED_KEPT = 1000
ASKED_AT_ONCE = 20


@dataclass(slots=True)
class _Dark:
    """A blind time that goes on. `begun_s` is its beginning by the clock that never leaps."""

    why: Why
    reason: str
    since: datetime
    begun_s: float


class Blindness:
    """`why_blind` says why nothing is seen now, with the reason in words; None while all is seen. `lost_s` says until
    when Asterisk was heard, where it fell silent and that was noticed later; `is_drained` whether the journal is read
    to its end; `running_calls` are the calls that go on; `clock_s` is a clock that never leaps, in seconds."""

    def __init__(
        self,
        *,
        store: Store,
        reads: SightReads,
        saving: Saving,
        zone: ZoneInfo,
        why_blind: Callable[[], tuple[Why, str] | None],
        lost_s: Callable[[], float | None],
        is_drained: Callable[[], bool],
        running_calls: Callable[[], Container[str]],
        clock: Callable[[], datetime],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._reads = reads
        self._saving = saving
        self._zone = zone
        self._why_blind = why_blind
        self._lost_s = lost_s
        self._is_drained = is_drained
        self._running_calls = running_calls
        self._clock = clock
        self._clock_s = clock_s
        self._dark: _Dark | None = None
        self._seen: tuple[datetime, float] | None = None
        """When all was seen last; None before the first time, which a first start waits for."""
        self._begun_s = clock_s()
        self._saved_s = float("-inf")
        self._announced: OrderedDict[str, float] = OrderedDict()
        self._untold: dict[str, float] = {}
        self._told_s = float("-inf")
        """When the newest call was announced that the journal told of."""
        self._seconds: dict[Why, float] = dict.fromkeys(Why, 0.0)
        self.last: BlindTime | None = None
        """The last such time, before this start too; None before the first."""
        self.times: Counter[Why] = Counter()
        self.calls: Counter[Why] = Counter()
        """By reason, ever: how many times the gateway was blind, and how many calls went on in them."""

    async def begin(self) -> None:
        """Takes up what is stored; to be called before anything is read from the journal. Raises StoreAway."""
        self.last = await self._reads.last()
        for total in await self._reads.totals():
            self.times[total.why], self.calls[total.why] = total.times, total.calls
            self._seconds[total.why] = total.seconds
        seen_at, now = await self._reads.seen_at(), self._clock()
        if seen_at is not None:
            away_s = max(0.0, (now - seen_at).total_seconds())
            since, self._begun_s = min(seen_at, now), self._clock_s()
            self._dark = _Dark(Why.DOWN, WORDS[Why.DOWN], since, self._clock_s() - away_s)

    def announce(self, call_id: str) -> None:
        """Asterisk says that this call has arrived, and that its journal says so. Never waits."""
        self._announced[call_id] = self._clock_s()
        if len(self._announced) > ANNOUNCED_KEPT:
            self._announced.popitem(last=False)

    async def run(self) -> None:
        """Looks once a second, for ever; when it is cancelled it stores until when it saw."""
        defects = Defects("blindness_broken")
        try:
            while True:
                try:
                    await self.look()
                except StoreAway as error:
                    log.warning("sight_not_stored", extra={"reason": str(error)})
                except Exception as error:  # noqa: BLE001  # a defect here must not end the history of calls
                    defects.tell(error)
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            if self._dark is None:
                with contextlib.suppress(StoreAway, TimeoutError):
                    async with asyncio.timeout(LAST_SAVE_LIMIT_S):
                        await self._saving.save(Change(seen_at=self._clock()))

    async def look(self) -> None:
        """One look. Raises StoreAway: then it is looked again."""
        why = self._why_blind()
        if why is None:
            await self._find_untold()
            # one call that is missing is told as well as many: it ends once a later one is in the journal
            goes_on = any(at_s > self._told_s for at_s in self._untold.values())
            if goes_on or (self._untold and self._dark is None):
                why = Why.JOURNAL, WORDS[Why.JOURNAL]
        now, now_s = self._clock(), self._clock_s()
        if why is not None:
            if self._dark and self._has_come_up(self._dark, why[0], now_s):
                await self._end_dark(self._dark, now, now_s)
            if self._dark is None and self._seen is not None:
                self._begin_dark(self._seen, *why)
        elif self._dark is None:
            self._seen = now, now_s
            if now_s - self._saved_s >= SAVE_EVERY_S:
                await self._saving.save(Change(seen_at=now))
                self._saved_s = now_s
        elif self._dark.why not in READ_AFTERWARDS or self._is_drained():
            await self._end_dark(self._dark, now, now_s)

    def _has_come_up(self, dark: _Dark, why: Why, now_s: float) -> bool:
        """Whether the gateway runs again, and has read all that it missed, and it is Asterisk that does not: that is
        another time, and whoever is woken by it looks elsewhere."""
        is_up = dark.why is Why.DOWN and why is Why.ASTERISK and self._is_drained()
        return is_up and now_s - self._begun_s >= ALARM_AFTER_S

    def _begin_dark(self, seen: tuple[datetime, float], why: Why, reason: str) -> None:
        since, begun_s = seen
        if why is Why.JOURNAL and self._untold:
            first_s = min(self._untold.values())
            since, begun_s = self._clock() - timedelta(seconds=self._clock_s() - first_s), first_s
        lost_s = self._lost_s()
        if why is Why.ASTERISK and lost_s is not None and lost_s < begun_s:
            since, begun_s = since - timedelta(seconds=begun_s - lost_s), lost_s
        self._dark = _Dark(why, reason, since, begun_s)
        log.warning("gateway_is_blind", extra={"why": why, "reason": reason})

    async def _end_dark(self, dark: _Dark, now: datetime, now_s: float) -> None:
        seconds = round(max(0.0, now_s - dark.begun_s), 1)
        if dark.why is Why.DOWN:
            seconds = await self._less_what_another_saw(dark, seconds)
        if seconds >= LEAST_S:
            until = max(now, dark.since)
            calls, arrived = await self._reads.calls_in(dark.since, until)
            untold = tuple([each for each in self._untold if not await self._store.has_call(each)])
            over = BlindTime(dark.why, dark.reason, dark.since, until, seconds, calls, arrived, untold)
            await self._saving.save(Change(events=(over.event,), blind_times=(over,), seen_at=now))
            self._saved_s = now_s
            self.last = over
            self.times[over.why] += 1
            self.calls[over.why] += over.calls
            self._seconds[over.why] += seconds
            told = {"why": over.why, "seconds": seconds, "calls": calls, "arrived": arrived, "untold": len(untold)}
            log.warning("gateway_was_blind", extra=told)
        self._dark, self._seen = None, (now, now_s)
        self._untold.clear()

    async def _less_what_another_saw(self, dark: _Dark, seconds: float) -> float:
        """How long nobody saw: where a gateway is replaced, the one before goes on for a while."""
        seen_at = await self._reads.stored_at()
        if seen_at is None or seen_at <= dark.since:
            return seconds
        dark.begun_s += (seen_at - dark.since).total_seconds()
        dark.since = seen_at
        return round(max(0.0, self._clock_s() - dark.begun_s), 1)

    async def _find_untold(self) -> None:
        """Has each announced call that is told of forgotten; one that is not, though all that the journal holds is
        read, is kept in mind."""
        running, now_s = self._running_calls(), self._clock_s()
        for call_id in [each for each in self._announced if each in running]:
            self._told_s = max(self._told_s, self._announced.pop(call_id))
        if not self._is_drained():
            return
        late = [each for each, at_s in self._announced.items() if now_s - at_s >= LATE_S]
        for call_id in late[:ASKED_AT_ONCE]:
            is_told = await self._store.has_call(call_id)
            at_s = self._announced.pop(call_id)
            if is_told:
                self._told_s = max(self._told_s, at_s)
            elif len(self._untold) < ANNOUNCED_KEPT:
                self._untold[call_id] = at_s

    # ---------------------------------------------------------------- how it stands

    @property
    def why(self) -> Why | None:
        """Why nothing is seen now; None while all is."""
        return self._dark.why if self._dark else None

    @property
    def reason(self) -> str:
        return self._dark.reason if self._dark else ""

    @property
    def since(self) -> datetime | None:
        """From when on nothing is seen; None while all is."""
        return self._dark.since if self._dark else None

    @property
    def lasts_s(self) -> float:
        """How long nothing has been seen; 0 while all is."""
        return self._clock_s() - self._dark.begun_s if self._dark else 0.0

    @property
    def seconds(self) -> dict[Why, float]:
        """How long in all, by reason, the time that goes on too."""
        found = dict(self._seconds)
        if self._dark and self.lasts_s >= LEAST_S:
            found[self._dark.why] += self.lasts_s
        return found

    def alarms(self, now: datetime) -> list[Alarm]:
        """The alarm that should stand now."""
        if self._dark and self.lasts_s >= ALARM_AFTER_S:
            began = f"{self._dark.since.astimezone(self._zone):%H:%M:%S}"
            return [Alarm(BLIND, self._dark.why, f"blind since {began}: {WORDS[self._dark.why]}", now)]
        last = self.last
        if last and last.seconds >= ALARM_AFTER_S and timedelta(0) <= now - last.until < STANDS_FOR:
            return [Alarm(BLIND, last.why, last.told(self._zone), now)]
        return []
