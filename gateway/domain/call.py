"""A call: what is known of it, as far as it has come.

Counterparts: `domain/life.py` says what can happen to it; the store keeps it, the API tells it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.domain.facts import Side

PROBE_TRUNK = "probe"
"""Calls on this trunk are the centre's own test calls: marked, and left out of counts."""


class Stage(StrEnum):
    """Where a call is."""

    ARRIVED = "arrived"
    GREETING = "greeting"
    QUEUED = "queued"
    TALKING = "talking"
    FALLBACK = "fallback"
    ENDED = "ended"


class Outcome(StrEnum):
    """How a call ended: each call has exactly one."""

    ANSWERED = "answered"
    """An operator and the caller heard each other."""
    ABANDONED = "abandoned"
    """The caller left after 112 had answered the trunk, before a person spoke."""
    CANCELLED = "cancelled"
    """The caller left before 112 answered the trunk."""
    FELL_BACK = "fell_back"
    """No operator: an agency or a last-resort number took the call, or a message was left, or it ended in the
    fallback."""
    FAILED = "failed"
    """The centre lost the call."""


class Result(StrEnum):
    """What came of ringing one phone."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    ELSEWHERE = "answered_elsewhere"
    CALLER_LEFT = "caller_left"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One phone that was rung for a call. `result` is None while it rings or talks, and for the moment between the
    end of a ring that the centre withdrew and the next fact, which tells why."""

    leg: str
    phone: str
    rung_at: datetime
    answered_at: datetime | None = None
    left_at: datetime | None = None
    result: Result | None = None

    @property
    def ring_s(self) -> float | None:
        """How long it rang, in seconds; None while it still rings."""
        return _seconds(self.rung_at, self.answered_at or self.left_at)


@dataclass(frozen=True, slots=True)
class Call:
    """Everything known of one call. Times are UTC; a time is None until it happened."""

    id: str
    trunk: str
    caller: str
    arrived_at: datetime
    stage: Stage = Stage.ARRIVED
    caller_name: str = ""
    dialled: str = ""
    sip_call_id: str = ""
    diversion: str = ""
    access_network: str = ""
    geolocation: str = ""
    location: str = ""
    greeted_at: datetime | None = None
    queued_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    queue: str | None = None
    priority: int = 0
    operator: str | None = None
    """The phone of the operator who spoke with the caller first."""
    operator_id: int | None = None
    operator_name: str | None = None
    """Who had that phone then: phones change hands."""
    relieved_by: str | None = None
    """The agency's or last-resort phone or trunk that answered where no operator did."""
    agency: str | None = None
    """The agency that the caller is or was handed on to; None again where none of its phones answered."""
    message: str | None = None
    """The sound of the message that the caller left, a file relative to the recordings' folder."""
    spoke_at: datetime | None = None
    """When the caller was first heard to speak; None where that was not heard, or nobody listened."""
    attempts: tuple[Attempt, ...] = ()
    outcome: Outcome | None = None
    hung_up_by: Side | None = None
    cause: int | None = None
    recording: str | None = None
    """The sound's file, relative to the recordings' folder."""

    @property
    def is_probe(self) -> bool:
        return self.trunk == PROBE_TRUNK

    @property
    def has_vanished(self) -> bool:
        """Whether Asterisk died under it: nobody told its end, and `ended_at` is the last moment that is known of it,
        by the journal or by its recording."""
        return self.hung_up_by is Side.CENTRE and self.cause is None

    @property
    def wait_s(self) -> float | None:
        """Seconds from the call's arrival to the first person's voice, or to its end without one."""
        return _seconds(self.arrived_at, self.answered_at or self.ended_at)

    @property
    def line_s(self) -> float | None:
        """Seconds from the trunk's answer to the end; None while the call runs, or where 112 never answered."""
        return _seconds(self.greeted_at, self.ended_at)

    @property
    def ring_s(self) -> float | None:
        """Seconds that the phone which answered had rung."""
        return next((attempt.ring_s for attempt in self.attempts if attempt.answered_at), None)

    @property
    def talk_s(self) -> float | None:
        """Seconds from the first person's voice to the end, also where the caller waited once more in between; None
        before that, or while it lasts."""
        return _seconds(self.answered_at, self.ended_at)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else round((end - start).total_seconds(), 6)
