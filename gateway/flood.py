"""Floods: trunks and numbers that send far more calls now than they usually do, or than the rules' ceiling.

Counterparts: `flow.py` tells of each call that comes; `domain/flow.py` says what a flood is.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from functools import partial

from gateway.domain.alarms import Alarm
from gateway.domain.books import Rules
from gateway.domain.flow import (
    FLOOD_NUMBER,
    FLOOD_TRUNK,
    NUMBER_WINDOW,
    TRUNK_WINDOW,
    Arrival,
    Floods,
    Window,
    number_limit,
    number_words,
    trunk_limit,
    trunk_words,
)
from gateway.domain.habits import LOOKS_BACK
from gateway.domain.numbers import is_number
from gateway.past import Past

KNOWN_FOR = timedelta(minutes=5)
"""How long it is remembered how often a number called before."""

TRUNKS_COUNTED = 200
NUMBERS_COUNTED = 5000
NUMBERS_ASKED = 50
"""Of how many numbers the past is asked for at once."""
NUMBERS_KNOWN = 500
NUMBERS_ALARMED = 30


class Flood:
    """Counts what comes. What it remembers has a bound, whatever comes."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._by_trunk = Window(TRUNK_WINDOW, step_s=1, capacity=TRUNKS_COUNTED)
        self._by_number = Window(NUMBER_WINDOW, step_s=10, capacity=NUMBERS_COUNTED)
        self._trunks = Floods(FLOOD_TRUNK, most=TRUNKS_COUNTED)
        self._numbers = Floods(FLOOD_NUMBER, most=NUMBERS_ALARMED)
        self._touched: set[str] = set()
        self._called: OrderedDict[str, str] = OrderedDict()
        """Numbers that called since they were looked at, with the trunk of the last call."""
        self._known: OrderedDict[str, tuple[int, datetime]] = OrderedDict()
        """How often numbers called before, and when that was read."""

    def begin_anew(self) -> None:
        """Forgets what was counted: all of it is told again."""
        self._by_trunk.clear()
        self._by_number.clear()

    def adopt(self, alarm: Alarm, now: datetime) -> None:
        """Takes up an alarm that stood when the gateway was started anew."""
        (self._trunks if alarm.kind == FLOOD_TRUNK else self._numbers).adopt(alarm, now)

    def take(self, arrival: Arrival) -> None:
        """Counts a call on its trunk. Never waits."""
        self._by_trunk.add(arrival.trunk, arrival.at)
        self._touched.add(arrival.trunk)

    def take_number(self, arrival: Arrival) -> None:
        """Counts a call of its number, once that is known. Never waits."""
        if is_number(arrival.caller):
            self._by_number.add(arrival.caller, arrival.at)
            self._called[arrival.caller] = arrival.trunk
            if len(self._called) > NUMBERS_COUNTED:
                self._called.popitem(last=False)

    async def alarms(self, rules: Rules, now: datetime) -> list[Alarm]:
        """The floods that go on."""
        touched, self._touched = self._touched, set()
        for trunk in {*touched, *self._trunks}:
            self._look_at_trunk(trunk, rules, now)
        await self._look_at_numbers(rules, now)
        return self._trunks.alarms() + self._numbers.alarms()

    def _look_at_trunk(self, trunk: str, rules: Rules, now: datetime) -> None:
        habit = self._past.habit(trunk)
        usual = habit.per_hour(now) if habit else None
        limit = trunk_limit(rules, usual)
        count = self._by_trunk.count(trunk, now)
        self._trunks.look(trunk, count, limit, now, partial(trunk_words, usual_per_hour=usual, limit=limit))

    async def _look_at_numbers(self, rules: Rules, now: datetime) -> None:
        called, self._called = self._called, OrderedDict()
        many: dict[str, int] = {}
        for number in {*called, *self._numbers}:
            count = self._by_number.count(number, now)
            if number in self._numbers or count > rules.flood_number_per_10min:
                many[number] = count
        await self._ask_for([number for number in many if number in called], now)
        for number, count in many.items():
            before, _ = self._known.get(number, (None, now))
            limit = number_limit(rules, before or 0, LOOKS_BACK.days)
            words = partial(number_words, trunk=called.get(number), before=before, days=LOOKS_BACK.days, limit=limit)
            self._numbers.look(number, count, limit, now, words)

    async def _ask_for(self, numbers: list[str], now: datetime) -> None:
        """Reads how often these numbers called before, where that is not known or was read long ago."""
        unknown = [
            number
            for number in numbers
            if number not in self._known or not timedelta(0) <= now - self._known[number][1] < KNOWN_FOR
        ][:NUMBERS_ASKED]
        if not unknown:
            return
        until = now - NUMBER_WINDOW
        found = await self._past.ask(lambda history: history.counts(unknown, now - LOOKS_BACK, until), now)
        if found is None:
            return
        for number in unknown:
            self._known[number] = found.get(number, 0), now
            self._known.move_to_end(number)
        while len(self._known) > NUMBERS_KNOWN:
            self._known.popitem(last=False)
