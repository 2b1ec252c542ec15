"""Listening: whether callers speak, what keys they press, and whether they are on hold. Of who does not speak the
operator is told, and he can be asked for a key; nobody is taken for a ghost because of it.

Counterparts: `gateway/asterisk/voices.py` brings what is heard, `domain/hearing.py` says what it means, `centre.py`
stores it; `notices.py` tells the operator.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.centre import Centre
from gateway.defects import Defects
from gateway.domain.call import Call
from gateway.domain.hearing import SILENT_AFTER, Heard, Hold, Key, Silence, Voice, silence, talk
from gateway.domain.operators import PHONE_PATTERN
from gateway.notices import SILENT, Notices
from gateway.ports import StoreAway, Switchboard

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
GATHER_S = 0.5
"""How long after the first voice or key others are let come, before all are stored."""
CALLS_HEARD = 2000
"""Calls of which something is remembered; one more, and the oldest is forgotten."""
KEYS_TOLD = 50
"""Keys of one call that are told."""
HOLDS_TOLD = 100
"""Of one call: begins and ends."""
LEAST_SEEN_S = SILENT_AFTER.total_seconds() - 2 * LOOK_EVERY_S
"""How long a talk must have been seen, by a clock that never leaps, before its caller is taken for silent."""
FORGET_AFTER = timedelta(seconds=60)
"""What was heard of a call that the journal did not tell of, or that is over."""


class NobodyTalks(Exception):
    """Nobody talks with this caller now."""


@dataclass(slots=True)
class _Ear:
    """What was heard of one call, and what of it is still to be stored."""

    since: datetime
    first: Voice | None = None
    last: Voice | None = None
    told: list[Key | Hold] = field(default_factory=list)
    """To be stored as they are."""
    key_count: int = 0
    is_held: bool = False
    hold_count: int = 0
    silence: Silence | None = None


class Listening:
    """`listens_since` says from when on nothing that Asterisk tells has been missed, and None while it tells nothing;
    `clock` returns the time now, in UTC, `clock_s` is a clock that never leaps, in seconds."""

    def __init__(
        self,
        *,
        centre: Centre,
        switchboard: Switchboard,
        notices: Notices,
        listens_since: Callable[[], datetime | None],
        clock: Callable[[], datetime],
        clock_s: Callable[[], float],
    ) -> None:
        self._centre = centre
        self._switchboard = switchboard
        self._notices = notices
        self._listens_since = listens_since
        self._clock = clock
        self._clock_s = clock_s
        self._ears: dict[str, _Ear] = {}
        self._talks: dict[str, float] = {}
        """When each talk that goes on was first seen, by its phone's leg and the clock that never leaps."""
        self._heard = asyncio.Event()
        self._defects = Defects("listening_broken")

    def hear(self, heard: Voice | Key | Hold) -> None:
        """Takes what was heard. Never waits."""
        ear = self._ear(heard.call_id, self._clock())
        match heard:
            case Voice():
                ear.last = heard
                if ear.first is None and heard.is_talking:
                    ear.first = heard
            case Key() if ear.key_count < KEYS_TOLD:
                ear.key_count += 1
                ear.told.append(heard)
            case Hold() if heard.is_held is not ear.is_held and ear.hold_count < HOLDS_TOLD:
                ear.is_held = heard.is_held
                ear.hold_count += 1
                ear.told.append(heard)
        self._heard.set()

    @property
    def silent_calls(self) -> frozenset[str]:
        """The running calls whose caller was silent once a person had answered, and has not spoken since."""
        return frozenset(
            call_id
            for call_id, ear in self._ears.items()
            if ear.silence and call_id in self._centre.running_calls and not (ear.last and ear.last.at > ear.silence.at)
        )

    async def ask_for_key(self, call: Call, by: str) -> None:
        """Has the caller hear: if you cannot speak, press any key. Raises NobodyTalks, Refused, SwitchboardAway."""
        running = self._centre.running_calls.get(call.id)
        if running is None or talk(running) is None:
            raise NobodyTalks(NobodyTalks.__doc__)
        await self._switchboard.ask_for_key(call.id, by)

    async def run(self) -> None:
        """Stores what is heard and looks for who is silent, for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._heard.wait()
                    await asyncio.sleep(GATHER_S)
            self._heard.clear()
            try:
                await self.look()
            except StoreAway as error:
                log.warning("heard_not_stored", extra={"reason": str(error)})
                await asyncio.sleep(LOOK_EVERY_S)
            except Exception as error:  # noqa: BLE001  # nor must a defect of this end the history of calls
                self._defects.tell(error)
                await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Stores what was heard of running calls. Raises StoreAway; it is kept then."""
        now, running = self._clock(), self._centre.running_calls
        for call_id, ear in list(self._ears.items()):
            if call_id not in running and now - ear.since > FORGET_AFTER:
                del self._ears[call_id]
        silent = self._newly_silent(now)
        found: list[Heard] = list(silent)
        told: dict[str, int] = {}
        for call_id, ear in self._ears.items():
            call = running.get(call_id)
            if call is None:
                continue  # the journal is on its way
            if ear.first is not None and call.spoke_at is None:
                found.append(ear.first)
            found += ear.told
            told[call_id] = len(ear.told)
        if not found:
            return
        await self._centre.hear(sorted(found, key=lambda heard: heard.at))
        for call_id, count in told.items():
            if (heard_of := self._ears.get(call_id)) is not None:
                del heard_of.told[:count]
        for each in silent:
            self._ear(each.call_id, each.at).silence = each
            if re.fullmatch(PHONE_PATTERN, each.phone):  # and not a number at the other end of a trunk
                self._notices.show(each.phone, SILENT)

    def _newly_silent(self, now: datetime) -> list[Silence]:
        since, now_s = self._listens_since(), self._clock_s()
        talks = {call.id: ring.leg for call in self._centre.running_calls.values() if (ring := talk(call)) is not None}
        self._talks = {leg: self._talks.get(leg, now_s) for leg in talks.values()}
        found = []
        for call_id, leg in talks.items():
            call, ear = self._centre.running_calls[call_id], self._ears.get(call_id)
            # a leap of the clock makes nobody silent
            if now_s - self._talks[leg] < LEAST_SEEN_S or (ear is not None and ear.silence is not None):
                continue
            voice = None if ear is None else ear.last
            if (silent := silence(call, voice, since, now)) is not None:
                found.append(silent)
        return found

    def _ear(self, call_id: str, at: datetime) -> _Ear:
        ear = self._ears.get(call_id)
        if ear is None:
            while len(self._ears) >= CALLS_HEARD:
                del self._ears[next(iter(self._ears))]
            ear = self._ears[call_id] = _Ear(at)
        return ear
