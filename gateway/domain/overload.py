"""Overload: when there is more to do than the machine can carry, and which luxuries are then left out.

Counterpart: `gateway/shedding.py` measures the lag and tells; whoever has a luxury asks there how long it waits. What
decides a call's fate is none of them: advice, history, callbacks and alarms go on as ever.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from gateway.domain.call import Call
from gateway.domain.events import Event
from gateway.domain.life import last_sign

MOST_JOURNAL_S = 1.5
"""What Asterisk wrote so long ago should be stored: at 40 calls/s it was within 0.5 s."""
MOST_LOOP_S = 0.15
"""So late the gateway may come to what is due: at 40 calls/s it did within 0.05 s."""
MOST_ANSWER_S = 1.5
"""So soon Asterisk answers whom it has taken: at 40 calls/s it did within 0.5 s."""
GIVEN_UP_S = 32.0
"""A carrier gives up an INVITE after so long (RFC 3261, timer B): one that is still not answered then tells nothing."""
MOST_STRAIN = 2.0
"""More is not believed of one look: it may be a single long breath, of the disk or of the machine."""
WEIGHT = 0.25
"""Of the newest look in the strain, against all looks before."""
EASY = 0.5
"""A strain of 1 is too much; one below this is easy. Between the two nothing changes."""
RISE_S = 2.0
"""So long is waited, after a luxury was left out, whether that was enough."""
FALL_S = 6.0
"""It must have been easy for so long before a luxury comes back: all of them are back within 20 s."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the centre is behind, in seconds: the gateway with what Asterisk wrote and is not stored and with what is
    due in its loop; Asterisk with the answer to whom it has taken."""

    journal_s: float = 0.0
    loop_s: float = 0.0
    answer_s: float = 0.0

    @property
    def strain(self) -> float:
        """1 is too much."""
        return max(self.journal_s / MOST_JOURNAL_S, self.loop_s / MOST_LOOP_S, self.answer_s / MOST_ANSWER_S)

    @property
    def told(self) -> dict[str, float]:
        """As events and the log have it."""
        return {name: round(seconds, 3) for name, seconds in asdict(self).items()}


def answer_s(calls: Iterable[Call], rings_s: float) -> float:
    """How long the running call has waited longest that Asterisk has taken and not answered: until the newest sign of
    any of them, all by Asterisk's own clock. The `rings_s` that 112 rings before it answers are no waiting. 0 where
    there is none."""
    running = list(calls)
    came = [call.arrived_at for call in running if call.greeted_at is None]
    if not came:
        return 0.0
    newest = max(map(last_sign, running))
    ages = ((newest - at).total_seconds() - rings_s for at in came)
    return max((age for age in ages if 0 < age < GIVEN_UP_S), default=0.0)


@dataclass(frozen=True, slots=True)
class Luxuries:
    """What each luxury does without, in seconds; 0 is to have all of it."""

    board: float = 0.0
    """A picture of the board stays so long, whatever happens."""
    streams: float = 0.0
    """So long events gather before they are streamed."""
    waveforms: float = 0.0
    """A recording that is over waits so long before it is converted, drawn and sealed."""
    webhooks: float = 0.0
    """So long a receiver waits before the next events are posted to it: what waits is kept, and comes in order."""

    @property
    def shed(self) -> tuple[str, ...]:
        """The names of those that are left out."""
        return tuple(name for name, seconds in asdict(self).items() if seconds)


LEVELS = (
    Luxuries(),
    Luxuries(board=2.0, streams=0.5),
    Luxuries(board=2.0, streams=0.5, waveforms=600.0),
    Luxuries(board=5.0, streams=0.5, waveforms=600.0, webhooks=5.0),
)
"""Least first. No wait is for ever: where the overload stays, even the last level goes on with all, slowly."""


@dataclass(frozen=True, slots=True)
class Overload:
    """How it stands. `changed_s` is when the level changed last, `hard_s` when it was not easy last, by a clock that
    never leaps."""

    level: int = 0
    strain: float = 0.0
    changed_s: float = 0.0
    hard_s: float = 0.0

    @property
    def luxuries(self) -> Luxuries:
        return LEVELS[self.level]

    def after(self, lag: Lag, now_s: float) -> "Overload":
        """How it stands after one more look. While the strain is too much one level more is shed every RISE_S; once it
        has been easy for FALL_S one level less."""
        strain = self.strain + WEIGHT * (min(lag.strain, MOST_STRAIN) - self.strain)
        hard_s = now_s if strain >= EASY else self.hard_s
        level, changed_s = self.level, self.changed_s
        if strain >= 1 and level + 1 < len(LEVELS) and now_s - changed_s >= RISE_S:
            level, changed_s = level + 1, now_s
        elif level and now_s - max(hard_s, changed_s) >= FALL_S:
            level, changed_s = level - 1, now_s
        return Overload(level, strain, changed_s, hard_s)


def began(at: datetime, lag: Lag, luxuries: Luxuries) -> Event:
    """That there is too much to do from now on."""
    return Event("gateway.overload_began", at, data={**lag.told, "shed": list(luxuries.shed)})


def ended(at: datetime, since: datetime, seconds: float, most: Luxuries) -> Event:
    """That it is over: since when it was, how long, and what was left out at its worst."""
    told_since = since.isoformat().replace("+00:00", "Z")
    data = {"since": told_since, "seconds": round(seconds, 1), "shed": list(most.shed)}
    return Event("gateway.overload_ended", at, data=data)
