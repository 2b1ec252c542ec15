"""The one translator: a record of Asterisk's journal in, a fact of the domain out. Asterisk's words stop here.

Counterparts: the events that `dialplan/*.conf` writes by CELGenUserEvent, and `gateway/domain/facts.py`.
"""

from collections.abc import Callable, Mapping

from gateway.asterisk.record import Record, Unreadable
from gateway.domain.dispositions import Category, Disposition, Verdict, check
from gateway.domain.facts import (
    Advised,
    AgencyLeft,
    AnyFact,
    AskedForKey,
    CallerLeft,
    Described,
    DialFact,
    DialResult,
    DialStep,
    DispositionFact,
    Entered,
    Fact,
    FellBack,
    Greeted,
    Joined,
    LastResortLeft,
    LegConnected,
    LegLeft,
    LegRung,
    MessageBegun,
    Noticed,
    PhoneFact,
    Queued,
    QueueLeft,
    RecordingStarted,
    RingFact,
    Side,
    TrunkAnswered,
)
from gateway.domain.kept import Invalid

TECHNOLOGY = "PJSIP/"
NORMAL_END = 16
"""Normal call clearing, ITU-T Q.850."""
UNREACHABLE = 20
"""Subscriber absent, ITU-T Q.850."""
WHISPER = "Local/words@whisper"
"""The channel that speaks to a caller in his talk (dialplan/centre.conf): it is no part of the call."""
UNREACHED = "Local/unreached@whisper"
"""The same of one that tells his operator that nobody comes."""
ASKED_FOR_KEY = "ASKED_FOR_KEY"
"""What is written on it."""
THIRD = "Local/ring@third"
"""The two ends of a channel by which somebody joins a talk (dialplan/third.conf): they are no part of the call; the
phone behind them is."""
OWN_LINE = "Local/ring@own-line"
"""The channel by which the centre rings one of its own people; its first end has the id that the gateway gave it, and
the phone is behind it."""
RULES_JOINED_BY = ", "
"""Between the names of advice rules; none has a comma in it."""
RING_ID_LEAD = "centre-"
"""Leads the channel's id of a call that the centre itself places."""
DIAL_ID_LEAD = f"{RING_ID_LEAD}callback-"
"""The same of one to somebody whom nobody heard."""


def translate(record: Record) -> AnyFact | None:
    """The fact that `record` tells; None when it tells nothing that is kept.

    Raises Unreadable when a value that it must have is not there.
    """
    if record.linked_id.startswith(DIAL_ID_LEAD):
        return _dial(record)
    if record.channel.startswith(WHISPER):
        return _asked_for_key(record) if record.kind == ASKED_FOR_KEY and record.is_user_defined else None
    if record.is_user_defined and record.kind in _OF_A_THIRD:
        return _of_a_third(record)
    if record.channel.startswith((THIRD, UNREACHED)):
        return None
    if record.linked_id.startswith(RING_ID_LEAD):
        return _ring(record) if record.kind == "RING" and record.is_user_defined else None
    if record.is_callers and not record.channel.startswith(TECHNOLOGY):
        return None  # no carrier's line: a call to one of the centre's people that his phone sent elsewhere
    if record.is_callers and is_phone(endpoint(record.channel)):
        # a phone's own call: a code that was dialled, or an echo test
        said = _DIALLED.get(record.kind) if record.is_user_defined else None
        return said(record) if said else None
    kinds = _STEPS if record.is_user_defined else _CHANNEL
    rule = kinds.get(record.kind)
    if rule is None:
        if record.is_user_defined:
            raise Unreadable(f"the dialplan's event {record.kind} is not known")
        return None
    try:
        return rule(record)
    except (KeyError, ValueError) as error:
        raise Unreadable(f"{record.kind}: {error!r}") from error


def endpoint(channel: str) -> str:
    """The trunk or phone of a channel: telkomsel in PJSIP/telkomsel-0000002a. Empty for another technology."""
    if not channel.startswith(TECHNOLOGY):
        return ""
    return channel.removeprefix(TECHNOLOGY).rpartition("-")[0]


def is_phone(name: str) -> bool:
    """Phones are digits; a trunk's name holds a letter (domain.operators.PHONE_PATTERN)."""
    return name.isdigit()


def _number(value: object) -> int:
    """A count or a cause. Raises ValueError for one that no store could hold."""
    number = int(str(value))
    if not 0 <= number < 2**31:
        raise ValueError(f"{number} is out of range")
    return number


def _channel_started(record: Record) -> Fact:
    name = endpoint(record.channel)
    if record.is_callers:
        return Entered(record.linked_id, record.at, trunk=name, caller=record.caller)
    return LegRung(record.linked_id, record.at, leg=record.channel, phone=name)


def _answered(record: Record) -> Fact | None:
    # a phone's own answer counts only once caller and phone share a bridge: the two can race
    return TrunkAnswered(record.linked_id, record.at) if record.is_callers else None


def _bridged(record: Record) -> Fact | None:
    if not record.peer:
        return None  # the first of the two: alone in the bridge
    others = [name for name in record.peer.split(",") if endpoint(name)]
    if not others:
        return None
    leg = others[0] if record.is_callers else record.channel
    return LegConnected(record.linked_id, record.at, leg=leg, phone=endpoint(leg))


def _hung_up(record: Record) -> Fact:
    cause = _number(record.extra.get("hangupcause", 0))
    source = str(record.extra.get("hangupsource", ""))
    if not record.is_callers:
        return LegLeft(
            record.linked_id,
            record.at,
            leg=record.channel,
            phone=endpoint(record.channel),
            cause=cause,
            was_withdrawn=source != record.channel,
        )
    other = Side.OPERATOR if endpoint(source) else Side.CENTRE
    side = Side.CALLER if source == record.channel else other
    # a BYE says no cause, and 0 is none of Q.850's: it is a normal end
    return CallerLeft(record.linked_id, record.at, cause=cause or NORMAL_END, hung_up_by=side)


def _described(record: Record) -> Fact:
    values = record.values
    return Described(
        record.linked_id,
        record.at,
        caller=values["caller"],
        caller_name=values["name"],
        dialled=values["dialled"],
        sip_call_id=values["sip_call_id"],
        diversion=values["diversion"],
        access_network=values["access_network"],
        geolocation=values["geolocation"],
        location=values.get("location", ""),
    )


def _advised(record: Record) -> Fact:
    values = record.values
    rules = tuple(name for name in values["rules"].split(RULES_JOINED_BY) if name)
    return Advised(record.linked_id, record.at, rules, _number(values["priority"]), values["queue"])


def _queued(record: Record) -> Fact:
    values = record.values
    return Queued(
        record.linked_id,
        record.at,
        queue=values["queue"],
        priority=_number(values["priority"]),
        round=_number(values["round"]),
    )


def _queue_left(record: Record) -> Fact:
    values = record.values
    return QueueLeft(record.linked_id, record.at, queue=values["queue"], status=values["status"].lower())


def _fell_back(record: Record) -> Fact:
    values = record.values
    return FellBack(
        record.linked_id,
        record.at,
        step=values["step"],
        round=_number(values["round"]),
        key=values.get("key", ""),
        agency=values.get("agency", ""),
        phone=values.get("phone", ""),
    )


def _agency_left(record: Record) -> Fact:
    values = record.values
    return AgencyLeft(record.linked_id, record.at, agency=values["agency"], status=values["status"].lower())


def _duty(record: Record) -> AnyFact:
    values = record.values
    if "action" not in values:
        raise Unreadable("a DUTY without an action")
    return PhoneFact(endpoint(record.channel), record.at, values["action"], values.get("reason", ""))


def _disposition(record: Record) -> AnyFact:
    values = record.values
    disposition, digit = DISPOSITIONS.get(values.get("digit", "")), values.get("category", "")
    if disposition is None or digit not in ("", *CATEGORIES):
        raise Unreadable("a DISPOSITION whose digit means nothing")
    category = CATEGORIES.get(digit)
    try:
        check(Verdict(disposition, category))
    except Invalid as error:
        raise Unreadable(f"a DISPOSITION whose {error.field} {error}") from error
    return DispositionFact(endpoint(record.channel), record.at, disposition, category)


def _asked_for_key(record: Record) -> AnyFact | None:
    values = record.values
    if not values.get("call"):
        raise Unreadable("an ASKED_FOR_KEY without its call")
    if values["call"].startswith((RING_ID_LEAD, DIAL_ID_LEAD)):
        return None  # in a call of the centre's own
    return AskedForKey(values["call"], record.at, by=values.get("by", ""))


def _of_a_third(record: Record) -> AnyFact | None:
    """What happens to a phone that is to join a talk. It stands in the journal under a call of its own until then."""
    values = record.values
    call_id = values.get("call", "")
    if not call_id:
        raise Unreadable(f"a {record.kind} without its call")
    if call_id.startswith(RING_ID_LEAD):
        return None  # in a call of the centre's own
    if record.kind == "THIRD_LEFT":
        leg, status = values.get("leg", ""), values.get("status", "")
        cause, was_withdrawn = _CAUSES.get(status, UNREACHABLE), status == "CANCEL"
        return LegLeft(call_id, record.at, leg, endpoint(leg), cause, was_withdrawn)
    phone = endpoint(record.channel)
    if record.kind == "THIRD_RUNG":
        return LegRung(call_id, record.at, leg=record.channel, phone=phone)
    return Joined(call_id, record.at, record.channel, phone, by=values.get("by", ""), agency=values.get("agency", ""))


def _ring(record: Record) -> AnyFact:
    values = record.values
    if not {"id", "step", "about", "key"} <= values.keys():
        raise Unreadable("a RING without id, step, about or key")
    agreed = values["key"] == "1" if values["step"] == "on-call" else values["key"] != ""
    return RingFact(values["id"], record.at, values["step"], values["about"], agreed)


def _dial(record: Record) -> AnyFact | None:
    """Asterisk's own records tell how far it came, the trunk's line being the caller's; the dialplan's, what came of
    it."""
    dial_id = record.linked_id.removeprefix(DIAL_ID_LEAD)
    if record.is_user_defined:
        if record.kind != "CALLBACK":
            return None
        status = record.values.get("status", "")
        return DialFact(dial_id, record.at, DialStep.ENDED, _DIAL_RESULTS.get(status, DialResult.FAILED))
    if record.is_callers:
        return DialFact(dial_id, record.at, DialStep.ENDED) if record.kind == "HANGUP" else None
    line = endpoint(record.channel)
    step = None if not line or is_phone(line) else _DIAL_STEPS.get(record.kind)
    return None if step is None else DialFact(dial_id, record.at, step)


_DIAL_STEPS: Mapping[str, DialStep] = {"CHAN_START": DialStep.RUNG, "ANSWER": DialStep.ANSWERED}

_DIAL_RESULTS: Mapping[str, DialResult] = {
    "ANSWER": DialResult.ANSWERED,
    "BUSY": DialResult.BUSY,
    "NOANSWER": DialResult.NO_ANSWER,
    "CANCEL": DialResult.WITHDRAWN,
}
"""DIALSTATUS, as Dial() leaves it; any other means that the carrier did not take the call."""

DISPOSITIONS: Mapping[str, Disposition] = {
    "1": Disposition.EMERGENCY,
    "2": Disposition.INFORMATION,
    "3": Disposition.PRANK,
    "4": Disposition.GHOST,
    "5": Disposition.TEST,
    "6": Disposition.WRONG_REGION,
    "7": Disposition.TRANSFERRED,
}
"""What the digit after *48 means."""

CATEGORIES: Mapping[str, Category] = {
    "1": Category.FIRE,
    "2": Category.MEDICAL,
    "3": Category.ORDER,
    "4": Category.ACCIDENT,
    "5": Category.DISASTER,
}
"""What the digit after an emergency's means."""

_DIALLED: Mapping[str, Callable[[Record], AnyFact]] = {"DUTY": _duty, "DISPOSITION": _disposition}
"""What a phone's own call can tell."""

_OF_A_THIRD = frozenset({"THIRD_RUNG", "JOINED", "THIRD_LEFT"})
"""What is written of a phone that is to join a talk."""

_CAUSES: Mapping[str, int] = {"BUSY": 17, "NOANSWER": 19, "ANSWER": NORMAL_END, "CANCEL": 0}
"""Q.850's cause for a DIALSTATUS; any other is a phone that could not be reached."""

_CHANNEL: Mapping[str, Callable[[Record], Fact | None]] = {
    "CHAN_START": _channel_started,
    "ANSWER": _answered,
    "BRIDGE_ENTER": _bridged,
    "HANGUP": _hung_up,
}

_STEPS: Mapping[str, Callable[[Record], Fact]] = {
    "ARRIVED": _described,
    "RECORDING": lambda record: RecordingStarted(record.linked_id, record.at, file=record.values["file"]),
    "GREETED": lambda record: Greeted(record.linked_id, record.at),
    "ADVISED": _advised,
    "NOTICED": lambda record: Noticed(
        record.linked_id, record.at, notice=record.values["notice"], key=record.values["key"]
    ),
    "QUEUED": _queued,
    "QUEUE_LEFT": _queue_left,
    "FALLBACK": _fell_back,
    "AGENCY_LEFT": _agency_left,
    "MESSAGE": lambda record: MessageBegun(record.linked_id, record.at, file=record.values["file"]),
    "LAST_RESORT_LEFT": lambda record: LastResortLeft(
        record.linked_id, record.at, status=record.values["status"].lower()
    ),
}
