"""What the API takes and tells, as pydantic models: the same that validate make the OpenAPI document.

Counterpart: `gateway/domain/`, whose values are turned into these by the `of` of each model.
"""

import re
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from gateway.domain.call import Attempt, Call, Outcome, Result, Stage
from gateway.domain.dispositions import MINISTRY_KINDS, Category, Disposed, Disposition, MinistryKind
from gateway.domain.events import StoredEvent
from gateway.domain.facts import Side
from gateway.domain.operators import PHONE_PATTERN
from gateway.domain.queues import NAME_PATTERN

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
"""No control character: neither a database nor Asterisk ever sees one that came from here."""


def _in_words(text: str) -> str:
    """Refuses text in which there is nothing to read, such as spaces without a width."""
    if not any(sign.isalnum() and sign not in _BLANK for sign in text):
        raise ValueError("must be said in words: letters or digits")
    return text


_BLANK = "\u115f\u1160\u3164\uffa0"
"""Letters that are not seen: the fillers of Hangul."""
IN_WORDS = AfterValidator(_in_words)
"""For whatever stays in the audit log as somebody's reason."""


def _in_range(value: datetime) -> datetime:
    """Refuses what is outside of every calendar here, in any zone."""
    if not 1900 <= value.year <= 9000:
        raise ValueError("must lie between the years 1900 and 9000")
    return value


def _written_out(value: object) -> object:
    """Refuses a bare number, which would pass for seconds since 1970."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and "T" in value.upper()):
        raise ValueError("must be a date and time with an offset, such as 2026-08-17T10:00:00Z (write + as %2B)")
    return value


def _iso_day(value: object) -> object:
    """Refuses a bare number, which would pass for seconds since 1970, and what no roster reaches."""
    if not isinstance(value, date) and not (isinstance(value, str) and _DAY.fullmatch(value)):
        raise ValueError("must be a date between the years 2000 and 2199, such as 2026-08-17")
    return value


_DAY = re.compile(r"2[01][0-9]{2}-[0-9]{2}-[0-9]{2}")


def of_format(name: str) -> WithJsonSchema:
    """For text whose rules JSON Schema cannot say; `tests/api/fuzz_hooks.py` knows how each looks."""
    return WithJsonSchema({"type": "string", "format": name})


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_written_out),
    AfterValidator(_in_range),
]
Day = Annotated[
    date,
    Field(strict=False),  # text is what a date is made of
    BeforeValidator(_iso_day),
]
Seq = Annotated[int, Field(ge=0, le=2**63 - 1)]
PhoneNumber = Annotated[str, Field(pattern=PHONE_PATTERN, description="A phone's number: 3 to 6 digits.")]
PersonName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=PRINTABLE)]
Word = Annotated[str, StringConstraints(max_length=255, pattern=PRINTABLE)]
Cursor = Annotated[str, StringConstraints(max_length=1000, pattern=PRINTABLE), of_format("cursor")]
KnownTrunk = Annotated[Word, of_format("trunk-name")]
KnownQueue = Annotated[Word, of_format("queue-name")]
"""Names in a query, of which `known.py` refuses those that there never were."""
QueueName = Annotated[str, Field(pattern=NAME_PATTERN)]
OutsideNumber = Annotated[str, StringConstraints(pattern=r"^[+0-9]{3,20}$")]
"""A number that is called over a trunk."""


class Parameters(BaseModel):
    """Parameters of a path, a query or a header: text that is read as what it should be."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Body(BaseModel):
    """A JSON body: nothing is guessed, so "1" is no number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TextBody:
    """A body that is text and no JSON. A kind of its own says of which media type, and how much of it may come."""

    MEDIA_TYPE: ClassVar[str]
    LIMIT_BYTES: ClassVar[int]
    HOW_TO_SAVE: ClassVar[str]
    """What to do where it is not text in UTF-8."""

    def __init__(self, raw: bytes) -> None:
        """Raises UnicodeDecodeError where it is not UTF-8; a byte order mark is no part of the text."""
        self.raw = raw
        self.text = raw.decode("utf-8-sig")


class Told(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PageQuery(Parameters):
    cursor: Annotated[Cursor | None, Field(description="The `next` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=200, description="How many items at most.")] = 50


class AfterQuery(Parameters):
    after: Annotated[Seq, Field(description="Only events after this sequence number.")] = 0
    limit: Annotated[int, Field(ge=1, le=1000, description="How many items at most.")] = 100


class AttemptModel(Told):
    """One phone that was rung for a call."""

    phone: str
    rung_at: datetime
    answered_at: datetime | None
    left_at: datetime | None
    ring_s: Annotated[float | None, Field(description="Seconds that it rang; null while it rings.")]
    result: Annotated[Result | None, Field(description="Null while it rings or talks.")]

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        return cls(
            phone=attempt.phone,
            rung_at=attempt.rung_at,
            answered_at=attempt.answered_at,
            left_at=attempt.left_at,
            ring_s=attempt.ring_s,
            result=attempt.result,
        )


class RecordingModel(Told):
    """A sound as WAV; a call's own has two channels, the caller on the left. It grows while the call runs."""

    id: Annotated[str, Field(description="The recording's: /v1/recordings/{id} tells more, once it is listed there.")]
    url: str
    duration_s: Annotated[float, Field(description="Of an ended call: from the trunk's answer to the end.")]
    silence_s: Annotated[
        float, Field(description="Of it, at the end: for so long neither side sent any sound, so none was written.")
    ]
    size_bytes: int


class DispositionModel(Told):
    """What a call was, as a person said last."""

    disposition: Disposition
    category: Annotated[Category | None, Field(description="What an emergency is about; null for anything else.")]
    note: str
    set_by: Annotated[str, Field(description="Who said it: a token's name, or of an operator who dialled it.")]
    set_at: datetime

    @classmethod
    def of(cls, disposed: Disposed) -> Self:
        return cls(
            disposition=disposed.disposition,
            category=disposed.category,
            note=disposed.note,
            set_by=disposed.set_by,
            set_at=disposed.set_at,
        )


class CallModel(Told):
    """Everything known of one call. A time is null until it happened."""

    id: str
    trunk: str
    is_probe: Annotated[bool, Field(description="The centre's own test call; left out of counts.")]
    stage: Stage
    caller: str
    caller_name: str
    dialled: Annotated[str, Field(description="What the carrier sent as the number called.")]
    sip_call_id: str
    diversion: str
    access_network: Annotated[str, Field(description="P-Access-Network-Info, as the carrier sent it.")]
    geolocation: str
    location: Annotated[str, Field(description="The location that came with the call (PIDF-LO).")]
    arrived_at: datetime
    greeted_at: datetime | None
    queued_at: datetime | None
    answered_at: datetime | None
    ended_at: Annotated[datetime | None, Field(description="Null while it runs. See has_vanished.")]
    has_vanished: Annotated[
        bool,
        Field(
            description="Whether Asterisk died under it: then nobody told its end, and ended_at is the last moment "
            "that is known of it, by the journal or by its recording."
        ),
    ]
    queue: str | None
    priority: Annotated[
        int, Field(description="0 later than others, 1 as they come, 2 earlier, 3 first, 4 cut off from an operator.")
    ]
    operator: Annotated[str | None, Field(description="The phone of the operator who spoke with the caller first.")]
    operator_id: Annotated[int | None, Field(description="Who had that phone then.")]
    operator_name: str | None
    relieved_by: Annotated[str | None, Field(description="The agency's or last-resort number that answered instead.")]
    agency: Annotated[str | None, Field(description="The agency that this number is of.")]
    spoke_at: Annotated[datetime | None, Field(description="When the caller first spoke; null: that was not heard.")]
    attempts: list[AttemptModel]
    outcome: Annotated[Outcome | None, Field(description="Null only while the call runs.")]
    hung_up_by: Side | None
    cause: Annotated[int | None, Field(description="The cause of the end, as in ITU-T Q.850.")]
    wait_s: Annotated[float | None, Field(description="Seconds from arrival to the first person's voice, or the end.")]
    ring_s: Annotated[float | None, Field(description="Seconds that the phone which answered had rung.")]
    talk_s: Annotated[
        float | None,
        Field(
            description="Seconds from the first person's voice to the end, with what the caller waited once more in "
            "between; null while it lasts."
        ),
    ]
    disposition: Annotated[DispositionModel | None, Field(description="Null where nobody has said what it was.")]
    ministry_kind: Annotated[
        MinistryKind | None, Field(description="How the ministry counts that disposition: one of its four kinds.")
    ]
    recording: Annotated[
        RecordingModel | None,
        Field(description="Null where there is nothing to hear, or its disk does not answer: /v1/recordings knows it."),
    ]
    message: Annotated[RecordingModel | None, Field(description="What the caller left in the fallback: one channel.")]

    @classmethod
    def of(
        cls,
        call: Call,
        recording: RecordingModel | None,
        message: RecordingModel | None,
        disposed: Disposed | None = None,
    ) -> Self:
        return cls(
            id=call.id,
            trunk=call.trunk,
            is_probe=call.is_probe,
            stage=call.stage,
            caller=call.caller,
            caller_name=call.caller_name,
            dialled=call.dialled,
            sip_call_id=call.sip_call_id,
            diversion=call.diversion,
            access_network=call.access_network,
            geolocation=call.geolocation,
            location=call.location,
            arrived_at=call.arrived_at,
            greeted_at=call.greeted_at,
            queued_at=call.queued_at,
            answered_at=call.answered_at,
            ended_at=call.ended_at,
            has_vanished=call.has_vanished,
            queue=call.queue,
            priority=call.priority,
            operator=call.operator,
            operator_id=call.operator_id,
            operator_name=call.operator_name,
            relieved_by=call.relieved_by,
            agency=call.agency,
            spoke_at=call.spoke_at,
            attempts=[AttemptModel.of(attempt) for attempt in call.attempts],
            outcome=call.outcome,
            hung_up_by=call.hung_up_by,
            cause=call.cause,
            wait_s=call.wait_s,
            ring_s=call.ring_s,
            talk_s=call.talk_s,
            disposition=None if disposed is None else DispositionModel.of(disposed),
            ministry_kind=None if disposed is None else MINISTRY_KINDS[disposed.disposition],
            recording=recording,
            message=message,
        )


class CallPage(Told):
    items: list[CallModel]
    next: Annotated[str | None, Field(description="The cursor of the next page; null on the last one.")]


class EventModel(Told):
    """Something that happened, told once."""

    seq: Annotated[int, Field(description="Counts from 1 without a hole.")]
    type: str
    at: datetime
    call_id: Annotated[str | None, Field(description="Null where it is not about a call.")]
    data: dict[str, Any]

    @classmethod
    def of(cls, stored: StoredEvent) -> Self:
        event = stored.event
        return cls(seq=stored.seq, type=event.type, at=event.at, call_id=event.call_id, data=dict(event.data))


class EventPage(Told):
    items: list[EventModel]
    next: Annotated[int | None, Field(description="What to pass as `after`; null at the end of the ledger.")]


class FieldFault(Told):
    """What is wrong with one field."""

    field: Annotated[
        str,
        Field(
            description="A JSON pointer into the body (/phone), ?name of the query, {name} of the path, a header, or a "
            "line and column of a file."
        ),
    ]
    reason: str


class ProblemModel(Told):
    """A problem document (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldFault] = Field(default_factory=list)
