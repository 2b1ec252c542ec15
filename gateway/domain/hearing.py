"""Hearing: whether a caller speaks, what keys he presses, and whether he is on hold: what is heard at the moment, and
what becomes of it in the call's history.

Counterparts: `gateway/asterisk/voices.py` brings voices, keys and holds, `gateway/listening.py` waits for them. None of
it is in the journal: where nobody listened nothing is known, and nobody was silent.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.domain.call import Attempt, Call, Stage
from gateway.domain.events import Event

SILENT_AFTER = timedelta(seconds=10)
"""Who has said nothing for so long after a person answered is told to that person as silent."""
PAUSE = timedelta(seconds=2.5)
"""Asterisk says that somebody stopped to speak once he has said nothing for so long (TALK_DETECT's own measure)."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A caller began to speak, or stopped. Who began speaks until he stops: amid rain or fire that may be long."""

    call_id: str
    at: datetime
    is_talking: bool

    @property
    def heard_until(self) -> datetime:
        """How long he is taken to have spoken, as far as this one tells."""
        return self.at if self.is_talking else self.at - PAUSE


@dataclass(frozen=True, slots=True)
class Key:
    """A caller pressed a key."""

    call_id: str
    at: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Hold:
    """An operator put the caller on hold, or is back."""

    call_id: str
    at: datetime
    phone: str
    is_held: bool


@dataclass(frozen=True, slots=True)
class Silence:
    """A caller has said nothing since that phone answered, for SILENT_AFTER."""

    call_id: str
    at: datetime
    phone: str


Heard = Voice | Key | Hold | Silence


def hear(call: Call, heard: Heard) -> tuple[Call, tuple[Event, ...]]:
    """The call with what was heard, and the events that tell of it: of voices the first one only."""
    match heard:
        case Voice(is_talking=True) if call.spoke_at is None:
            return replace(call, spoke_at=heard.at), (Event("call.spoke", heard.at, call.id),)
        case Key():
            return call, (Event("call.key_pressed", heard.at, call.id, {"key": heard.key}),)
        case Hold(is_held=True):
            return call, (Event("call.held", heard.at, call.id, {"phone": heard.phone}),)
        case Hold():
            return call, (Event("call.resumed", heard.at, call.id, {"phone": heard.phone}),)
        case Silence():
            return call, (Event("call.silent", heard.at, call.id, {"phone": heard.phone}),)
    return call, ()


def talk(call: Call) -> Attempt | None:
    """The phone that the caller talks with now."""
    if call.stage is not Stage.TALKING:
        return None
    return next((each for each in reversed(call.attempts) if each.answered_at and each.left_at is None), None)


def silence(call: Call, voice: Voice | None, listens_since: datetime | None, at: datetime) -> Silence | None:
    """That the caller has said nothing since a person answered, where it is long enough ago and somebody listened all
    the while. `voice` is the last that was heard of him."""
    ring = talk(call)
    if ring is None or ring.answered_at is None or call.is_probe:
        return None
    if listens_since is None or listens_since > ring.answered_at or at < ring.answered_at + SILENT_AFTER:
        return None
    if voice is not None and (voice.is_talking or voice.heard_until >= ring.answered_at):
        return None
    return Silence(call.id, at, ring.phone)
