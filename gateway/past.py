"""The past, as the watch over the flow of calls asks for it: with patience where the store is away, and never much at
once.

Counterparts: `store/flow_reads.py` answers; `flood.py` and `silence.py` ask; `domain/habits.py` says what is usual.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from gateway.domain.flow import Arrival
from gateway.domain.habits import LOOKS_BACK, Habit, HourOfTrunk, ProbeCall
from gateway.ports import StoreAway

log = logging.getLogger(__name__)

ASKED_AGAIN = timedelta(seconds=30)
"""How long after the store was away it is asked again: what is known has to do meanwhile."""
SETTLED = timedelta(minutes=1)
"""How long after its end an hour is read: by then all of it is stored."""

Answer = TypeVar("Answer")


class History(Protocol):
    """What is asked of the store. Each call has a time limit and may raise StoreAway."""

    async def arrivals(self, since: datetime, limit: int) -> list[Arrival]: ...
    async def hours(self, trunk: str, since: datetime, until: datetime) -> list[HourOfTrunk]: ...
    async def counts(self, numbers: Collection[str], since: datetime, until: datetime) -> dict[str, int]: ...
    async def last_calls(self, trunks: Collection[str]) -> dict[str, datetime]: ...
    async def probes(self, since: datetime, limit: int) -> list[ProbeCall]: ...


class Past:
    """`zone` says which hour of the day it was."""

    def __init__(self, history: History, zone: ZoneInfo) -> None:
        self._history = history
        self.zone = zone
        self._habits: dict[str, Habit] = {}
        self._away_at: datetime | None = None

    async def ask(self, question: Callable[[History], Awaitable[Answer]], now: datetime) -> Answer | None:
        """The answer; None where the store is away, or was a moment ago."""
        if self._away_at is not None and timedelta(0) <= now - self._away_at < ASKED_AGAIN:
            return None
        try:
            answer = await question(self._history)
        except StoreAway as error:
            log.warning("past_not_read", extra={"reason": str(error)})
            self._away_at = now
            return None
        self._away_at = None
        return answer

    async def learn(self, trunks: Iterable[str], now: datetime) -> None:
        """Reads what the hours that are over brought on one of these trunks of which that is not known yet. Called
        again and again it comes to all of them, and then reads each hour once."""
        hour = (now - SETTLED).replace(minute=0, second=0, microsecond=0)
        self._habits = {name: self._habits.get(name) or Habit(self.zone) for name in trunks}
        for name, habit in self._habits.items():
            if habit.until is not None and habit.until > hour:
                self._habits[name] = habit = Habit(self.zone)  # the clock was put back: it is learnt anew
            if habit.until is None or habit.until < hour:
                since = max(habit.until or hour - LOOKS_BACK, hour - LOOKS_BACK)
                hours = await self.ask(_hours(name, since, hour), now)
                if hours is not None:
                    habit.take(hours, hour)
                return

    def is_read(self, trunk: str) -> bool:
        """Whether it is known what the trunk brought, were it nothing."""
        habit = self._habits.get(trunk)
        return habit is not None and habit.until is not None

    def habit(self, trunk: str) -> Habit | None:
        """What the trunk usually brings; None where that is not known."""
        habit = self._habits.get(trunk)
        return habit if habit is not None and habit.is_known else None


def _hours(trunk: str, since: datetime, until: datetime) -> Callable[[History], Awaitable[list[HourOfTrunk]]]:
    return lambda history: history.hours(trunk, since, until)
