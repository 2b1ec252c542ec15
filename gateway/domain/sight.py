"""Sight: whether the gateway sees what happens in Asterisk, and the times in which it did not.

Counterpart: `gateway/blindness.py`, which looks once a second and tells of each such time when it is over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from gateway.domain.events import Event

BLIND = "blind"
"""The alarm's kind."""
LEAST_S = 3.0
"""What lasted less is not told: a planned start takes as long, and it is not known to less after a crash."""
ALARM_AFTER_S = 10.0
STANDS_FOR = timedelta(minutes=15)
"""So long the alarm stands once it is over, for somebody to see what was missed."""
UNTOLD_SHOWN = 50


class Why(StrEnum):
    """Why the gateway was blind."""

    DOWN = "down"
    """It did not run."""
    ASTERISK = "asterisk"
    """It was not in touch with Asterisk: the journal told what happened, and nobody saw it live."""
    STORE = "store"
    """What the journal told could not be stored, or the journal not be read."""
    JOURNAL = "journal"
    """Asterisk had calls that its journal did not tell of."""


WORDS: Mapping[Why, str] = {
    Why.DOWN: "the gateway did not run",
    Why.ASTERISK: "the gateway was not in touch with Asterisk",
    Why.STORE: "what happened could not be stored",
    Why.JOURNAL: "Asterisk had calls that its journal did not tell of",
}
REMEDIES: Mapping[Why, str] = {
    Why.DOWN: "Wait until the journal is read to its end; then find out why the gateway ended: its log says so.",
    Why.ASTERISK: "Look whether Asterisk runs; `gateway112 doctor` says what is in the way.",
    Why.STORE: "Look at the database and at the space on its disk; what waits in the journal is read once it is back.",
    Why.JOURNAL: "Look at the space and the rights of var/asterisk/log/cel-custom: Asterisk cannot write its journal.",
}


@dataclass(frozen=True, slots=True)
class BlindTime:
    """One such time. `calls` went on in it, `arrived` of them came in it: where the gateway did not run or could not
    store, these were read from the journal afterwards. `untold` are calls that Asterisk announced and its journal never
    told of, by their ids."""

    why: Why
    reason: str
    """In words; the same as `WORDS` where nothing more is known."""
    since: datetime
    until: datetime
    seconds: float
    calls: int = 0
    arrived: int = 0
    untold: tuple[str, ...] = ()

    @property
    def event(self) -> Event:
        return Event(
            "gateway.was_blind",
            self.until,
            data={
                "why": self.why,
                "reason": self.reason,
                "since": self.since.isoformat().replace("+00:00", "Z"),
                "seconds": self.seconds,
                "calls": self.calls,
                "calls_arrived": self.arrived,
                "calls_untold": list(self.untold[:UNTOLD_SHOWN]),
            },
        )

    def told(self, zone: ZoneInfo) -> str:
        """What an alarm says of it: the same words each time."""
        begun, ended = (f"{at.astimezone(zone):%H:%M:%S}" for at in (self.since, self.until))
        told = f"blind from {begun} to {ended} ({duration(self.seconds)}): {WORDS[self.why]}. "
        if self.why in (Why.DOWN, Why.STORE):
            told += f"{_calls(self.calls)} read from the journal afterwards, {self.arrived} of them arrived then"
        else:
            told += f"{_calls(self.calls)} under way, {self.arrived} of them arrived then"
        if self.untold:
            told += f"; the journal never told of {len(self.untold)}: {', '.join(self.untold[:3])}"
        return told


def _calls(count: int) -> str:
    return "1 call was" if count == 1 else f"{count} calls were"


def duration(seconds: float) -> str:
    """For people: 8 s, 4 min 7 s, 3 h 20 min."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
