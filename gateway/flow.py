"""The watch over the flow of calls: tells `flood.py` and `silence.py` of each call that came, and asks both what is
alarming. No call is treated otherwise for it.

Counterparts: the feed brings what was stored, so that nobody waits for this; `watch.py` asks once a second and keeps
the alarms.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from gateway.domain.alarms import Alarm
from gateway.domain.books import Books
from gateway.domain.call import PROBE_TRUNK
from gateway.domain.events import Event
from gateway.domain.flow import FLOOD_NUMBER, FLOOD_TRUNK, NUMBER_WINDOW, PROBE_FAILED, QUIET_TRUNK, Arrival
from gateway.domain.presence import LEAP
from gateway.feed import Feed
from gateway.flood import Flood
from gateway.line import Line
from gateway.past import Past
from gateway.silence import Silence

ARRIVALS_READ = 20_000
AWAITED = 1000
"""Of how many calls the number may still be to come."""

Value = TypeVar("Value")


class Flow:
    """`is_hearing` says whether Asterisk is seen and its journal is read to the end: then what is not heard has not
    happened."""

    def __init__(self, *, past: Past, feed: Feed, line: Line, is_hearing: Callable[[], bool]) -> None:
        self._past = past
        self._feed = feed
        self._is_hearing = is_hearing
        self._flood = Flood(past)
        self._silence = Silence(past, line)
        self._seq: int | None = None
        """The last event that was counted; None before the first, and where some were missed."""
        self._counted: frozenset[str] = frozenset()
        """The calls that were read from the store when the feed was joined."""
        self._awaited: OrderedDict[str, Arrival] = OrderedDict()
        """Calls of which the number is not told yet."""
        self._probes: OrderedDict[str, None] = OrderedDict()
        self._is_begun = False

    async def alarms(self, books: Books, standing: Iterable[Alarm], now: datetime) -> list[Alarm]:
        """What should be alarming now; `standing` are the alarms that stand. While the store is away it is judged by
        what was read last: raises nothing for it."""
        if not self._is_begun:
            self._adopt(standing, now)
            self._is_begun = True
        await self._hear(now)
        is_hearing = self._is_hearing()
        if is_hearing:
            await self._past.learn(books.trunks, now)
        floods = await self._flood.alarms(books.rules, now)
        return floods + await self._silence.alarms(books, now, is_hearing=is_hearing)

    def _adopt(self, standing: Iterable[Alarm], now: datetime) -> None:
        for alarm in standing:
            if alarm.kind in (FLOOD_TRUNK, FLOOD_NUMBER):
                self._flood.adopt(alarm, now)
            elif alarm.kind in (QUIET_TRUNK, PROBE_FAILED):
                self._silence.adopt(alarm)

    async def _hear(self, now: datetime) -> None:
        """Takes the calls that came since the last look, from the feed; where it does not reach back so far, those of
        the last minutes from the store."""
        events = None if self._seq is None else self._feed.after(self._seq)
        if events is None:
            newest = self._feed.newest
            arrivals = await self._past.ask(lambda history: history.arrivals(now - NUMBER_WINDOW, ARRIVALS_READ), now)
            if arrivals is None:
                return
            # one of a time to come was made by a clock that has been put back since
            self._begin_anew([each for each in arrivals if each.at <= now + LEAP])
            self._seq = newest
            return
        for stored in events:
            self._take(stored.event)
            self._seq = stored.seq
        if events:
            self._counted = frozenset()

    def _begin_anew(self, arrivals: Iterable[Arrival]) -> None:
        self._flood.begin_anew()
        self._silence.take_probe()
        self._awaited.clear()
        for arrival in arrivals:
            if arrival.trunk == PROBE_TRUNK:
                _keep(self._probes, arrival.call_id, None)
            else:
                self._flood.take(arrival)
                self._flood.take_number(arrival)
                self._silence.take(arrival)
        self._counted = frozenset(arrival.call_id for arrival in arrivals)

    def _take(self, event: Event) -> None:
        call_id, data = event.call_id or "", event.data
        if event.type == "call.arrived" and data["is_probe"]:
            _keep(self._probes, call_id, None)
            self._silence.take_probe()
        elif event.type == "call.arrived" and call_id not in self._counted:
            arrival = Arrival(call_id, str(data["trunk"]), str(data["caller"]), event.at)
            self._flood.take(arrival)
            self._silence.take(arrival)
            _keep(self._awaited, call_id, arrival)
        elif event.type == "call.described" and (described := self._awaited.pop(call_id, None)):
            # the number as the dialplan found it, if it did
            self._flood.take_number(replace(described, caller=str(data.get("caller", ""))))
        elif event.type == "call.ended":
            self._awaited.pop(call_id, None)
            if call_id in self._probes:
                del self._probes[call_id]
                self._silence.take_probe()


def _keep(where: OrderedDict[str, Value], key: str, value: Value) -> None:
    where[key] = value
    if len(where) > AWAITED:
        where.popitem(last=False)
