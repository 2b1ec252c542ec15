"""What the journal can tell: one frozen value for each kind of fact. Most are about a call to 112; some about what was
dialled on an operator's phone, or what came of a call of the centre's own to one of its people or to a caller.

Counterpart: `gateway/asterisk/translator.py` makes them; `domain/life.py` applies those about a call.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.domain.dispositions import Category, Disposition


class Side(StrEnum):
    """Who ended a call."""

    CALLER = "caller"
    OPERATOR = "operator"
    CENTRE = "centre"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to a call. `at` is UTC, with microseconds."""

    call_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Entered(Fact):
    """A carrier's call came in on a trunk."""

    trunk: str
    caller: str


@dataclass(frozen=True, slots=True)
class Described(Fact):
    """What the carrier said about the call. An empty string is a header that was not there."""

    caller: str
    caller_name: str
    dialled: str
    sip_call_id: str
    diversion: str
    access_network: str
    geolocation: str
    location: str


@dataclass(frozen=True, slots=True)
class RecordingStarted(Fact):
    """Sound is being written to `file`, relative to the recordings' folder."""

    file: str


@dataclass(frozen=True, slots=True)
class TrunkAnswered(Fact):
    """112 answered the carrier; the greeting starts."""


@dataclass(frozen=True, slots=True)
class Greeted(Fact):
    """The greeting was heard to its end."""


@dataclass(frozen=True, slots=True)
class Advised(Fact):
    """The gateway's advice had reached the call when it went on to the queue. `rules` are the names of those that
    match, the one that decides first; `queue` is empty where that is left as it is."""

    rules: tuple[str, ...]
    priority: int
    queue: str


@dataclass(frozen=True, slots=True)
class Noticed(Fact):
    """The caller heard a notice before the queue: `nuisance` or `blocked`. `key` is what was pressed, or empty."""

    notice: str
    key: str


@dataclass(frozen=True, slots=True)
class Queued(Fact):
    """The caller waits for an operator. `round` counts from 1 and grows with each return from the fallback."""

    queue: str
    priority: int
    round: int


@dataclass(frozen=True, slots=True)
class LegRung(Fact):
    """A phone is being rung for this call. `leg` names this one ring; `phone` is whose it is."""

    leg: str
    phone: str


@dataclass(frozen=True, slots=True)
class LegConnected(Fact):
    """The caller and a phone hear each other."""

    leg: str
    phone: str


@dataclass(frozen=True, slots=True)
class LegLeft(Fact):
    """A phone is out of the call, answered or not. `cause` is ITU-T Q.850's. `was_withdrawn` is True where the centre
    ended it, False where the phone itself did."""

    leg: str
    phone: str
    cause: int
    was_withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class QueueLeft(Fact):
    """The caller left the queue without an operator. `status` says why, in lower case (timeout, joinempty, …)."""

    queue: str
    status: str


@dataclass(frozen=True, slots=True)
class FellBack(Fact):
    """The fallback took over. `step` is what it does now; `key` what the caller chose, empty where nothing; `agency`
    and `phone` who is rung."""

    step: str
    round: int
    key: str = ""
    agency: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class AgencyLeft(Fact):
    """A duty phone of the agency was rung, and is not on the line any more."""

    agency: str
    status: str


@dataclass(frozen=True, slots=True)
class Joined(Fact):
    """A phone that the operator at the phone `by` had brought in answered, and hears caller and operator. `agency` is
    whose it is, empty for a colleague's."""

    leg: str
    phone: str
    by: str
    agency: str = ""


@dataclass(frozen=True, slots=True)
class MessageBegun(Fact):
    """The caller leaves a message: it is written to `file`, relative to the recordings' folder."""

    file: str


@dataclass(frozen=True, slots=True)
class LastResortLeft(Fact):
    """The last-resort numbers rang, and nobody of them is on the line any more."""

    status: str


@dataclass(frozen=True, slots=True)
class AskedForKey(Fact):
    """The caller hears: if you cannot speak, press any key. `by` is the phone or the person who had it played."""

    by: str


@dataclass(frozen=True, slots=True)
class CallerLeft(Fact):
    """The caller's line is gone: the call is over. `cause` is ITU-T Q.850's."""

    cause: int
    hung_up_by: Side


@dataclass(frozen=True, slots=True)
class Vanished(Fact):
    """The call is not in Asterisk any more and its journal says nothing of an end: Asterisk died under it. `at` is the
    last moment that is known of it."""


@dataclass(frozen=True, slots=True)
class PhoneFact:
    """A code was dialled on an operator's phone, and Asterisk has done already what it means. `action` is login,
    logout, pause or resume."""

    phone: str
    at: datetime
    action: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RingFact:
    """What came of a call of the centre's own to one of its people. `step` says what was asked, `about` of whom;
    `has_agreed` is True where the key was pressed."""

    ring_id: str
    at: datetime
    step: str
    about: str
    has_agreed: bool


class DialStep(StrEnum):
    """How far a call back has come."""

    RUNG = "rung"
    """The operator is on the line, and the caller's phone is called."""
    ANSWERED = "answered"
    """The caller is on the line."""
    ENDED = "ended"


class DialResult(StrEnum):
    """What came of calling somebody back."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"
    """The carrier did not take the call, or the centre lost it."""
    WITHDRAWN = "withdrawn"
    """The operator hung up while it rang."""
    OPERATOR_MISSED = "operator_missed"
    """The operator did not pick up: nobody else was rung."""


@dataclass(frozen=True, slots=True)
class DialFact:
    """A step of the centre's own call to somebody whom nobody heard. `result` stands at the end, where the dialplan saw
    it; a phone that was never picked up ends without one."""

    dial_id: str
    at: datetime
    step: DialStep
    result: DialResult | None = None


@dataclass(frozen=True, slots=True)
class DispositionFact:
    """Somebody said on an operator's phone what that phone's last call was."""

    phone: str
    at: datetime
    disposition: Disposition
    category: Category | None = None


AnyFact = Fact | PhoneFact | RingFact | DialFact | DispositionFact
