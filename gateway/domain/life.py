"""A call's whole life: the one table of transitions, and what each fact does to it.

Counterparts: `domain/call.py` is what it happens to; `domain/facts.py` is what goes in, `domain/events.py` what comes
out; `gateway/centre.py` stands between.

    arrived ──> greeting ──> queued ──> talking ──> ended
                              │  ^        │
                              v  │        v
                             fallback <───┘          (ended can be reached from every stage)
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gateway.domain.call import Attempt, Call, Outcome, Result, Stage
from gateway.domain.events import Event
from gateway.domain.facts import (
    Advised,
    AgencyLeft,
    AskedForKey,
    CallerLeft,
    Described,
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
    Queued,
    QueueLeft,
    RecordingStarted,
    Side,
    TrunkAnswered,
    Vanished,
)

ATTEMPTS_KEPT = 100
"""A call keeps its latest attempts; the ledger has every one."""


TOGETHER = timedelta(milliseconds=100)
"""The ends of a caller's and of a phone's line that come so close are one event."""


class OutOfPlace(Exception):
    """The fact cannot follow what is known of the call."""


TRANSITIONS: Mapping[tuple[Stage, type[Fact]], Stage] = {
    (Stage.ARRIVED, Described): Stage.ARRIVED,
    (Stage.ARRIVED, RecordingStarted): Stage.ARRIVED,
    (Stage.ARRIVED, TrunkAnswered): Stage.GREETING,
    (Stage.ARRIVED, CallerLeft): Stage.ENDED,
    (Stage.ARRIVED, Vanished): Stage.ENDED,
    (Stage.GREETING, Greeted): Stage.GREETING,
    (Stage.GREETING, Advised): Stage.GREETING,
    (Stage.GREETING, Noticed): Stage.GREETING,
    (Stage.GREETING, Queued): Stage.QUEUED,
    # more calls than the trunk is to carry
    (Stage.GREETING, FellBack): Stage.FALLBACK,
    (Stage.GREETING, CallerLeft): Stage.ENDED,
    (Stage.GREETING, Vanished): Stage.ENDED,
    (Stage.QUEUED, LegRung): Stage.QUEUED,
    (Stage.QUEUED, LegLeft): Stage.QUEUED,
    (Stage.QUEUED, LegConnected): Stage.TALKING,
    (Stage.QUEUED, QueueLeft): Stage.FALLBACK,
    (Stage.QUEUED, CallerLeft): Stage.ENDED,
    (Stage.QUEUED, Vanished): Stage.ENDED,
    (Stage.TALKING, LegRung): Stage.TALKING,
    (Stage.TALKING, LegLeft): Stage.TALKING,
    (Stage.TALKING, LegConnected): Stage.TALKING,
    (Stage.TALKING, Joined): Stage.TALKING,
    (Stage.TALKING, AskedForKey): Stage.TALKING,
    (Stage.TALKING, QueueLeft): Stage.FALLBACK,
    (Stage.TALKING, LastResortLeft): Stage.FALLBACK,
    (Stage.TALKING, AgencyLeft): Stage.FALLBACK,
    (Stage.TALKING, CallerLeft): Stage.ENDED,
    (Stage.TALKING, Vanished): Stage.ENDED,
    (Stage.FALLBACK, FellBack): Stage.FALLBACK,
    (Stage.FALLBACK, LegRung): Stage.FALLBACK,
    (Stage.FALLBACK, LegLeft): Stage.FALLBACK,
    (Stage.FALLBACK, LegConnected): Stage.TALKING,
    (Stage.FALLBACK, LastResortLeft): Stage.FALLBACK,
    (Stage.FALLBACK, AgencyLeft): Stage.FALLBACK,
    (Stage.FALLBACK, MessageBegun): Stage.FALLBACK,
    (Stage.FALLBACK, Queued): Stage.QUEUED,
    (Stage.FALLBACK, CallerLeft): Stage.ENDED,
    (Stage.FALLBACK, Vanished): Stage.ENDED,
    # what was asked for in a talk may begin a moment after the phone has left
    (Stage.QUEUED, AskedForKey): Stage.QUEUED,
    (Stage.FALLBACK, AskedForKey): Stage.FALLBACK,
    # a phone's line may go a moment after the caller's
    (Stage.ENDED, LegLeft): Stage.ENDED,
}


def enter(fact: Entered) -> tuple[Call, Event]:
    """The new call that begins with `fact`, and its first event."""
    call = Call(id=fact.call_id, trunk=fact.trunk, caller=fact.caller, arrived_at=fact.at)
    return call, _event("call.arrived", fact, trunk=call.trunk, caller=call.caller, is_probe=call.is_probe)


def apply(call: Call, fact: Fact) -> tuple[Call, tuple[Event, ...]]:
    """The call after `fact`, and the events that tell of it.

    Raises OutOfPlace when the table knows no such step; the call is then as it was.
    """
    stage = TRANSITIONS.get((call.stage, type(fact)))
    if stage is None:
        raise OutOfPlace(f"{type(fact).__name__} cannot happen to a call that is {call.stage}")
    judged, missed = _judge_withdrawn(call, fact)
    changed, events = _EFFECTS[type(fact)](judged, fact)
    return changed if changed.stage is stage else replace(changed, stage=stage), (*missed, *events)


def has_unjudged_ring(call: Call) -> bool:
    """Whether a ring ended of which it is not yet known why."""
    return any(attempt.left_at and attempt.result is None and not attempt.answered_at for attempt in call.attempts)


def judge_rings(call: Call, at: datetime, after: timedelta) -> tuple[Call, tuple[Event, ...]]:
    """The call, and the events that tell of it, where nothing has followed for so long on a ring that the centre
    withdrew: the caller is still there, so the time was up."""
    return _judge_withdrawn(call, Fact(call.id, at), after)


Effect = Callable[[Call, Any], tuple[Call, tuple[Event, ...]]]


def answered_by(call: Call, operator_id: int, name: str) -> Call:
    """The call, with the person whose phone answered first."""
    return call if call.operator_id is not None else replace(call, operator_id=operator_id, operator_name=name)


def last_sign(call: Call, others: Iterable[datetime] = ()) -> datetime:
    """The last time at which something is known to have happened to the call. `others` are what the call itself does
    not tell: its last event, and until when its sound goes."""
    times = [*others, call.arrived_at, call.greeted_at, call.queued_at, call.answered_at]
    for attempt in call.attempts:
        times += [attempt.rung_at, attempt.answered_at, attempt.left_at]
    return max(time for time in times if time is not None)


def _described(call: Call, fact: Described) -> tuple[Call, tuple[Event, ...]]:
    said = {
        name: getattr(fact, name)
        for name in (
            "caller",
            "caller_name",
            "dialled",
            "sip_call_id",
            "diversion",
            "access_network",
            "geolocation",
            "location",
        )
        if getattr(fact, name)
    }
    return replace(call, **said), (_event("call.described", fact, **said),)


def _recording_started(call: Call, fact: RecordingStarted) -> tuple[Call, tuple[Event, ...]]:
    return replace(call, recording=fact.file), (_event("call.recording_started", fact),)


def _trunk_answered(call: Call, fact: TrunkAnswered) -> tuple[Call, tuple[Event, ...]]:
    return replace(call, greeted_at=fact.at), (_event("call.greeted", fact),)


def _greeted(call: Call, fact: Greeted) -> tuple[Call, tuple[Event, ...]]:
    return call, ()


def _advised(call: Call, fact: Advised) -> tuple[Call, tuple[Event, ...]]:
    advised = _event("call.advised", fact, rules=list(fact.rules), priority=fact.priority, queue=fact.queue or None)
    return call, (advised,)


def _noticed(call: Call, fact: Noticed) -> tuple[Call, tuple[Event, ...]]:
    return call, (_event("call.noticed", fact, notice=fact.notice, key=fact.key or None),)


def _queued(call: Call, fact: Queued) -> tuple[Call, tuple[Event, ...]]:
    waiting = replace(call, queue=fact.queue, priority=fact.priority, queued_at=call.queued_at or fact.at)
    return waiting, (_event("call.queued", fact, queue=fact.queue, priority=fact.priority, round=fact.round),)


def _leg_rung(call: Call, fact: LegRung) -> tuple[Call, tuple[Event, ...]]:
    attempt = Attempt(leg=fact.leg, phone=fact.phone, rung_at=fact.at)
    ringing = replace(call, attempts=(*call.attempts, attempt)[-ATTEMPTS_KEPT:])
    return ringing, (_event("call.operator_rung", fact, phone=fact.phone),)


def _leg_connected(call: Call, fact: LegConnected) -> tuple[Call, tuple[Event, ...]]:
    talking = replace(_with_answer(call, fact), answered_at=call.answered_at or fact.at)
    if call.stage is Stage.FALLBACK and call.operator is None:
        talking = replace(talking, relieved_by=call.relieved_by or fact.phone)
    else:
        talking = replace(talking, operator=call.operator or fact.phone)
    return talking, (_event("call.answered", fact, phone=fact.phone, wait_s=talking.wait_s),)


def _with_answer(call: Call, fact: LegConnected | Joined) -> Call:
    """The call whose attempt is on the line. One whose ring was not told has none yet."""
    if all(attempt.leg != fact.leg for attempt in call.attempts):
        attempt = Attempt(leg=fact.leg, phone=fact.phone, rung_at=fact.at)
        call = replace(call, attempts=(*call.attempts, attempt)[-ATTEMPTS_KEPT:])
    attempts = tuple(
        replace(attempt, answered_at=attempt.answered_at or fact.at) if attempt.leg == fact.leg else attempt
        for attempt in call.attempts
    )
    return replace(call, attempts=attempts)


def _joined(call: Call, fact: Joined) -> tuple[Call, tuple[Event, ...]]:
    told = {"agency": fact.agency} if fact.agency else {}
    event = _event("call.joined", fact, phone=fact.phone, by=fact.by, **told)
    return replace(_with_answer(call, fact), agency=fact.agency or call.agency), (event,)


def _leg_left(call: Call, fact: LegLeft) -> tuple[Call, tuple[Event, ...]]:
    attempt = next((each for each in call.attempts if each.leg == fact.leg and each.left_at is None), None)
    if attempt is None:
        return call, ()
    if attempt.answered_at:
        return _replace_attempt(call, attempt, replace(attempt, left_at=fact.at, result=Result.ANSWERED)), (
            _event("call.operator_left", fact, phone=attempt.phone),
        )
    if fact.was_withdrawn and fact.cause in _NO_REASON:
        return _replace_attempt(call, attempt, replace(attempt, left_at=fact.at)), ()
    missed = replace(attempt, left_at=fact.at, result=_RESULTS.get(fact.cause, Result.UNREACHABLE))
    return _replace_attempt(call, attempt, missed), (_missed(call, missed, fact.at),)


def _judge_withdrawn(call: Call, fact: Fact, after: timedelta = timedelta()) -> tuple[Call, tuple[Event, ...]]:
    """Settles why the centre stopped to ring: because the caller left, or else because the time was up. The two ends
    stand in the journal in either order, so the first one alone cannot tell. What ended less than `after` ago is left
    for later."""
    ends = isinstance(fact, CallerLeft | Vanished)
    events: list[Event] = []
    for attempt in call.attempts:
        if attempt.result is not None or attempt.answered_at or not (ends or attempt.left_at):
            continue
        left_at = attempt.left_at or fact.at
        if timedelta() <= fact.at - left_at < after:
            continue
        with_caller = ends and fact.at - left_at < TOGETHER
        settled = replace(attempt, left_at=left_at, result=Result.CALLER_LEFT if with_caller else Result.NO_ANSWER)
        call = _replace_attempt(call, attempt, settled)
        events.append(_missed(call, settled, left_at))
    return call, tuple(events)


def _missed(call: Call, attempt: Attempt, at: datetime) -> Event:
    data = {"phone": attempt.phone, "ring_s": attempt.ring_s, "result": attempt.result}
    return Event("call.operator_missed", at, call.id, data)


def _replace_attempt(call: Call, old: Attempt, new: Attempt) -> Call:
    return replace(call, attempts=tuple(new if each is old else each for each in call.attempts))


def _queue_left(call: Call, fact: QueueLeft) -> tuple[Call, tuple[Event, ...]]:
    return call, (_event("call.queue_left", fact, queue=fact.queue, status=fact.status),)


def _fell_back(call: Call, fact: FellBack) -> tuple[Call, tuple[Event, ...]]:
    told = {name: value for name in ("key", "agency", "phone") if (value := getattr(fact, name))}
    asked = replace(call, agency=call.agency or fact.agency or None)
    return asked, (_event("call.fell_back", fact, step=fact.step, round=fact.round, **told),)


def _agency_left(call: Call, fact: AgencyLeft) -> tuple[Call, tuple[Event, ...]]:
    left = call if call.relieved_by else replace(call, agency=None)
    return left, (_event("call.agency_left", fact, agency=fact.agency, status=fact.status),)


def _message_begun(call: Call, fact: MessageBegun) -> tuple[Call, tuple[Event, ...]]:
    return replace(call, message=fact.file), (_event("call.message_left", fact),)


def _last_resort_left(call: Call, fact: LastResortLeft) -> tuple[Call, tuple[Event, ...]]:
    return call, (_event("call.last_resort_left", fact, status=fact.status),)


def _asked_for_key(call: Call, fact: AskedForKey) -> tuple[Call, tuple[Event, ...]]:
    return call, (_event("call.asked_for_key", fact, by=fact.by),)


def _caller_left(call: Call, fact: CallerLeft) -> tuple[Call, tuple[Event, ...]]:
    return _end(call, fact, _outcome(call, fact.hung_up_by), fact.hung_up_by, fact.cause)


def _vanished(call: Call, fact: Vanished) -> tuple[Call, tuple[Event, ...]]:
    outcome = Outcome.ANSWERED if call.operator else Outcome.FAILED
    return _end(call, fact, outcome, Side.CENTRE, None, has_vanished=True)


_EFFECTS: Mapping[type[Fact], Effect] = {
    Described: _described,
    RecordingStarted: _recording_started,
    TrunkAnswered: _trunk_answered,
    Greeted: _greeted,
    Advised: _advised,
    Noticed: _noticed,
    Queued: _queued,
    LegRung: _leg_rung,
    LegConnected: _leg_connected,
    LegLeft: _leg_left,
    QueueLeft: _queue_left,
    FellBack: _fell_back,
    LastResortLeft: _last_resort_left,
    AgencyLeft: _agency_left,
    Joined: _joined,
    MessageBegun: _message_begun,
    AskedForKey: _asked_for_key,
    CallerLeft: _caller_left,
    Vanished: _vanished,
}


def _outcome(call: Call, hung_up_by: Side) -> Outcome:
    if call.operator:
        return Outcome.ANSWERED
    if call.relieved_by or call.message or call.stage is Stage.FALLBACK:
        return Outcome.FELL_BACK
    if hung_up_by is not Side.CALLER:
        return Outcome.FAILED
    return Outcome.ABANDONED if call.greeted_at else Outcome.CANCELLED


def _end(
    call: Call, fact: Fact, outcome: Outcome, hung_up_by: Side, cause: int | None, **more: Any
) -> tuple[Call, tuple[Event, ...]]:
    told: list[Event] = []
    for attempt in call.attempts:
        if attempt.left_at is None:  # it was talking: a ringing one is settled by now
            call = _replace_attempt(call, attempt, replace(attempt, left_at=fact.at, result=Result.ANSWERED))
            told.append(_event("call.operator_left", fact, phone=attempt.phone))
    ended = replace(call, ended_at=fact.at, outcome=outcome, hung_up_by=hung_up_by, cause=cause)
    told.append(
        _event(
            "call.ended",
            fact,
            outcome=outcome,
            hung_up_by=hung_up_by,
            cause=cause,
            wait_s=ended.wait_s,
            talk_s=ended.talk_s,
            **more,
        )
    )
    return ended, tuple(told)


_RESULTS: Mapping[int, Result] = {
    0: Result.NO_ANSWER,
    16: Result.NO_ANSWER,
    17: Result.BUSY,
    18: Result.UNREACHABLE,
    19: Result.NO_ANSWER,
    21: Result.REFUSED,
    26: Result.ELSEWHERE,
}
"""ITU-T Q.850 causes of a phone that did not answer; any other means that it could not be reached."""


_NO_REASON = (0, 16)


def _event(name: str, fact: Fact, **data: Any) -> Event:
    return Event(type=name, at=fact.at, call_id=fact.call_id, data=data)
