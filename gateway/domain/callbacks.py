"""Callbacks: each caller whom nobody heard becomes somebody's task, one task a number.

Counterparts: `gateway/callbacks.py` opens and closes them with the calls; `gateway/api/callbacks.py` is where people
take them.

    open ──> claimed ──> reached | given_up
      │         │
      └─────────┴──────> got_through        (the caller called again, and a person spoke with him)

Its clock runs until the number is called, and begins anew with each dial in vain and each further try: nobody who waits
is forgotten because somebody called once.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gateway.domain.audit import CENTRE
from gateway.domain.call import Attempt, Call, Outcome
from gateway.domain.events import Event
from gateway.domain.facts import DialFact, DialResult, DialStep, Side
from gateway.domain.numbers import is_nobodys, may_be_dialled, plain

HEARD_S = 5.0
"""A talk of fewer seconds is a line that was cut, but where the operator ended it."""
LEFT_ALONE = timedelta(seconds=2)
"""A person's phone that went so long before its caller did vanished, and nobody took over."""
TRIES_KEPT, DIALS_KEPT = 50, 20
"""The latest of each that a task keeps."""
GIVEN_UP_AT_MOST = 1000
"""Tasks that are given up in one act: one transaction, which the ends of calls wait for."""


class OutOfTurn(Exception):
    """The task stands otherwise than what is asked of it needs."""


class State(StrEnum):
    """Where a task stands."""

    OPEN = "open"
    CLAIMED = "claimed"
    REACHED = "reached"
    GIVEN_UP = "given_up"
    GOT_THROUGH = "got_through"


class Why(StrEnum):
    """Why a call is a try of its caller."""

    CANCELLED = "cancelled"
    """Gone before 112 answered."""
    ABANDONED = "abandoned"
    """Gone before a person spoke."""
    MESSAGE = "message"
    """A message was left, and no person spoke after it."""
    CUT = "cut"
    """Cut in the first seconds of talk."""
    LOST = "lost"
    """The centre lost the call."""
    HEARD = "heard"
    """A person spoke with the caller: the last try."""
    HEARD_ELSEWHERE = "heard_elsewhere"
    """A person spoke with whoever called with that number, and it may be another one: over another carrier's line, as
    with a forged number, or since before the last try, as where it is many people's."""


@dataclass(frozen=True, slots=True)
class Try:
    """One call of the number."""

    call_id: str
    at: datetime
    why: Why
    trunk: str


@dataclass(frozen=True, slots=True)
class Dial:
    """One call of the centre's own to the number. `result` is None while it goes on."""

    id: str
    operator_id: int
    at: datetime
    """When the operator's phone began to ring."""
    rung_at: datetime | None = None
    """From when the caller's phone was called."""
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    result: DialResult | None = None
    recording: str | None = None
    """The sound's file, relative to the recordings' folder; it is there once there was any sound."""

    @property
    def talk_s(self) -> float | None:
        """Seconds with the caller on the line; None before that, or while it lasts."""
        if self.answered_at is None or self.ended_at is None:
            return None
        return round((self.ended_at - self.answered_at).total_seconds(), 6)


def callback_id_of(dial_id: str) -> int:
    """The task that a dial is of; 0, which is none's, where it does not say."""
    number = dial_id.partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One task. `id` and `version` are 0 until it is stored; it is over once `closed_at` is set."""

    id: int = 0
    version: int = 0
    number: str
    trunk: str
    """The carrier's line of the first try: the number is called over it, whatever lines others come on."""
    state: State = State.OPEN
    opened_at: datetime
    due_at: datetime
    """Until when somebody should call the number: its clock of now."""
    first_due_at: datetime
    """Until when somebody should have called it for the first time."""
    tries: tuple[Try, ...]
    """The latest ones, and the last of each trunk; `try_count` counts all."""
    try_count: int
    last_try_at: datetime
    claimed_by: int | None = None
    """The operator's id."""
    claimed_at: datetime | None = None
    first_dialled_at: datetime | None = None
    dials: tuple[Dial, ...] = ()
    closed_at: datetime | None = None
    closed_by: str = ""
    reason: str = ""

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    def has_tried(self, call_id: str, ended_at: datetime | None) -> bool:
        """Whether that call of the number is one of its tries: also one that is not kept any more."""
        if any(each.call_id == call_id for each in self.tries):
            return True
        are_all = self.try_count <= len(self.tries)
        return not are_all and ended_at is not None and self.opened_at <= ended_at <= (self.closed_at or ended_at)

    def was_tried_unheard(self, after: datetime, until: datetime) -> bool:
        """Whether a call that nobody heard came in that time. One that is known already, and came later by its own
        time, came by a clock that has been put back since."""
        unheard = [each.at for each in self.tries if each.why is not Why.HEARD_ELSEWHERE]
        return any(after < at <= until for at in unheard or [self.last_try_at])

    @property
    def trunks(self) -> frozenset[str]:
        """The lines that the tries which nobody heard came on."""
        return frozenset({self.trunk, *(each.trunk for each in self.tries if each.why is not Why.HEARD_ELSEWHERE)})

    @property
    def only_trunk(self) -> str | None:
        """The line of all tries which nobody heard; None where they came on more than one."""
        return self.trunk if len(self.trunks) == 1 else None

    @property
    def only_why(self) -> Why | None:
        """What all tries were; None where they differ."""
        whys = {each.why for each in self.tries}
        return whys.pop() if len(whys) == 1 else None

    @property
    def dialling(self) -> str | None:
        """The id of the dial that goes on; there is at most one."""
        return next((dial.id for dial in self.dials if dial.result is None), None)

    @property
    def dialled_by(self) -> int | None:
        """The operator of the dial that goes on."""
        return next((dial.operator_id for dial in self.dials if dial.result is None), None)

    @property
    def is_calling(self) -> bool:
        """Whether the number itself is being called, or talked with: its clock stands meanwhile."""
        return any(dial.result is None and dial.rung_at is not None for dial in self.dials)

    def is_overdue(self, at: datetime) -> bool:
        """Whether somebody should have called the number by then, whoever has the task, and it is not being called."""
        return self.is_open and not self.is_calling and at > self.due_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Flock:
    """Tasks in nobody's hands that came alike, as forged calls do: opened from a time until another, all tries of each
    on that trunk and for that reason where they are said, and not more of them than that."""

    opened_since: datetime
    opened_until: datetime
    trunk: str | None = None
    why: Why | None = None
    most_tries: int = 1


@dataclass(frozen=True, slots=True)
class Update:
    """A task as it is to be stored, and the events that tell how it came so. The store adds the task's id to each
    (`callback_id`), which a new one does not know yet."""

    task: Callback
    events: tuple[Event, ...] = ()


# ---------------------------------------------------------------- what calls mean

_NUMBER = re.compile(r"\+?[0-9]{3,18}")


def number_of(caller: str) -> str | None:
    """The number that can be called, of what the carrier said; None where that is none: withheld (anonymous, unknown,
    restricted …), empty, or with a sign that does something else when it is dialled (`*`, `#`)."""
    number = plain(caller)
    return number if _NUMBER.fullmatch(number) and not is_nobodys(number) else None


def why(call: Call) -> Why | None:
    """What an ended call was to its caller's task; None where it neither opens nor closes one."""
    if call.is_probe or call.outcome is None:
        return None
    left = None if call.message is None else Why.MESSAGE  # whoever left one went on waiting, and may have been heard
    if call.has_vanished:
        return left or Why.LOST  # nobody knows how long they talked
    talks = [attempt for attempt in call.attempts if attempt.answered_at is not None]
    if call.answered_at is None or not talks:
        return left or _UNHEARD.get(call.outcome, Why.ABANDONED)
    if _was_left_alone(call, talks):
        return left or Why.CUT
    if sum(_talk_s(talk, call) for talk in talks) >= HEARD_S:
        return Why.HEARD
    return left or (None if call.hung_up_by is Side.OPERATOR else Why.CUT)


_UNHEARD: Mapping[Outcome, Why] = {Outcome.CANCELLED: Why.CANCELLED, Outcome.FAILED: Why.LOST}


def _was_left_alone(call: Call, talks: Iterable[Attempt]) -> bool:
    """Whether the last who spoke with the caller vanished, and the caller gave up before another came: a person who
    hangs up ends the call. An agency that was brought in may leave before the operator does."""
    if call.ended_at is None or call.hung_up_by is not Side.CALLER:
        return False
    return call.ended_at - max(talk.left_at or call.ended_at for talk in talks) > LEFT_ALONE


def _talk_s(talk: Attempt, call: Call) -> float:
    end = talk.left_at or call.ended_at
    return (end - talk.answered_at).total_seconds() if end and talk.answered_at else 0.0


def impossible(call: Call, reason: Why) -> Event:
    """Tells of a caller whom nobody heard and nobody can call: `call` ended so, and has no number."""
    at = call.ended_at or call.arrived_at
    return Event("callback.impossible", at, call.id, {"caller": call.caller, "trunk": call.trunk, "why": reason})


def follow_call(task: Callback | None, call: Call, number: str, reason: Why, target_min: int) -> Update | None:
    """What an ended call makes of its number's open task: opened, tried again, or closed because the caller got
    through. None where there is nothing to do.

    A number can be forged, and most easily over another carrier's line, and one number may be many people's, as a
    factory's. So a call that was heard closes the task only where all its tries came on the line of that call, and none
    of them after it had begun; else it is one more try, and a person decides.
    """
    at = call.ended_at or call.arrived_at
    if reason is Why.HEARD and task is not None:
        is_another = task.only_trunk != call.trunk or task.was_tried_unheard(call.arrived_at, at)
        reason = Why.HEARD_ELSEWHERE if is_another else reason
    attempt = Try(call.id, call.arrived_at, reason, call.trunk)
    due_at = at + timedelta(minutes=target_min)
    if task is None:
        if reason is Why.HEARD:
            return None
        opened = Callback(
            number=number,
            trunk=call.trunk,
            opened_at=at,
            due_at=due_at,
            first_due_at=due_at,
            tries=(attempt,),
            try_count=1,
            last_try_at=attempt.at,
        )
        return Update(opened, (_event("callback.opened", at, opened, call.id, why=reason),))
    tried = replace(
        task,
        tries=_kept((*task.tries, attempt)),
        try_count=task.try_count + 1,
        last_try_at=max(task.last_try_at, attempt.at),
    )
    if reason is Why.HEARD_ELSEWHERE:
        return Update(tried, (_event("callback.heard_elsewhere", at, tried, call.id, call_trunk=call.trunk),))
    if reason is not Why.HEARD:
        return _try_again(tried, at, due_at, call, reason)
    closed = replace(tried, state=State.GOT_THROUGH, closed_at=at, closed_by=call.operator_name or "")
    return Update(closed, (_event("callback.got_through", at, closed, call.id),))


def _kept(tries: tuple[Try, ...]) -> tuple[Try, ...]:
    """The latest ones, and the last of each trunk: who calls often with a forged number pushes nobody else's out."""
    latest = tries[-TRIES_KEPT:]
    last = {each.trunk: each for each in tries if each.why is not Why.HEARD_ELSEWHERE}
    return (*(each for each in tries[:-TRIES_KEPT] if last.get(each.trunk) is each), *latest)


def _try_again(task: Callback, at: datetime, due_at: datetime, call: Call, reason: Why) -> Update:
    """The task after one more try that nobody heard, due for it at `due_at`, or before that where it was so already.
    Whoever has it and does not call knows nothing of this try and may be gone: it is anybody's again."""
    told: dict[str, Any] = {"why": reason, "call_trunk": call.trunk}
    tried = replace(task, due_at=due_at if task.is_calling else min(task.due_at, due_at))
    is_claimed_since = task.claimed_at is not None and task.claimed_at > at  # the journal may be read late
    if task.claimed_by is None or task.dialling is not None or is_claimed_since:
        return Update(tried, (_event("callback.tried_again", at, tried, call.id, **told),))
    free = release(tried)
    more = {"claimed_by": None, "operator_id": task.claimed_by, "by": CENTRE.name}
    return Update(
        free,
        (
            _event("callback.tried_again", at, free, call.id, **told),
            _event("callback.released", at, free, call.id, **more),
        ),
    )


# ---------------------------------------------------------------- what people do


def claim(task: Callback, operator_id: int, at: datetime) -> Callback:
    """The task in that operator's hands. Raises OutOfTurn where it is over, or somebody else has it."""
    _refuse_closed(task)
    if task.claimed_by == operator_id:
        return task
    if task.claimed_by is not None:
        raise OutOfTurn(f"operator {task.claimed_by} has it already")
    return replace(task, state=State.CLAIMED, claimed_by=operator_id, claimed_at=at)


def release(task: Callback) -> Callback:
    """The task in nobody's hands. Raises OutOfTurn where it is over, in nobody's, or being dialled."""
    _refuse_closed(task)
    if task.claimed_by is None:
        raise OutOfTurn("nobody has it")
    if task.dialling is not None:
        raise OutOfTurn("its number is being called")
    return replace(task, state=State.OPEN, claimed_by=None, claimed_at=None)


def close(task: Callback, state: State, at: datetime, by: str, reason: str = "") -> Callback:
    """The task, over. Raises OutOfTurn where it is that already, or where it would be given up while the number is
    being called."""
    _refuse_closed(task)
    if state is State.GIVEN_UP and task.dialling is not None:
        raise OutOfTurn("its number is being called")
    return replace(task, state=state, closed_at=at, closed_by=by, reason=reason)


def differs_much(found: int, expected: int) -> bool:
    """Whether so many tasks are not those that somebody looked at: a few may have come or been taken meanwhile."""
    return abs(found - expected) > max(3, expected // 50)


def give_up_all(tasks: Iterable[Callback], at: datetime, by: str, reason: str) -> tuple[Update, ...]:
    """The tasks, over, each with its event. Raises what `close` does."""
    closed = [close(task, State.GIVEN_UP, at, by, reason) for task in tasks]
    more = {"claimed_by": None, "reason": reason, "by": by}
    return tuple(Update(task, (_event("callback.given_up", at, task, **more),)) for task in closed)


def dial_problem(number: str, *, abroad: bool) -> str | None:
    """Why the centre does not dial that number, as a sentence that says what to do, and not the number, which not
    everybody sees; None where it does."""
    reason = may_be_dialled(number, abroad=abroad)
    return None if reason is None else f"the number {reason}: whoever is there is called from another phone"


def begin_dial(task: Callback, dial: Dial) -> Callback:
    """The task with a dial that goes on, in the hands of whoever dials. Raises OutOfTurn where it is over, somebody
    else's, or being dialled already."""
    if task.dialling is not None:
        raise OutOfTurn("its number is being called already")
    claimed = claim(task, dial.operator_id, dial.at)
    return replace(claimed, dials=(*task.dials, dial)[-DIALS_KEPT:])


def follow_dial(task: Callback, fact: DialFact, by: str, target_min: int) -> Update | None:
    """What a step of a dial makes of its task; `by` is the name of whoever dialled. None where it is known already."""
    dial = next((each for each in task.dials if each.id == fact.dial_id), None)
    if dial is None or dial.result is not None:
        return None
    match fact.step:
        case DialStep.RUNG if dial.rung_at is None:
            rung = _with_dial(task, replace(dial, rung_at=fact.at))
            rung = replace(rung, first_dialled_at=task.first_dialled_at or fact.at)
            return Update(rung, (_event("callback.rung", fact.at, rung, dial_id=dial.id),))
        case DialStep.ANSWERED if dial.answered_at is None:
            answered = _with_dial(task, replace(dial, answered_at=fact.at))
            return Update(answered, (_event("callback.answered", fact.at, answered, dial_id=dial.id),))
        case DialStep.ENDED:
            # where Asterisk died under it, it ends with its sound, and that may be less than is known of it
            ended_at = max(fact.at, dial.answered_at or dial.rung_at or dial.at)
            ended = replace(dial, ended_at=ended_at, result=fact.result or _unsaid(dial))
            return _dial_ended(task, ended, by, target_min)
    return None


def _dial_ended(task: Callback, dial: Dial, by: str, target_min: int) -> Update:
    at, ended = dial.ended_at or dial.at, _with_dial(task, dial)
    has_spoken = dial.result is DialResult.ANSWERED and (dial.talk_s or 0.0) >= HEARD_S
    # who tried while somebody at this number was spoken with is another one there
    is_reached = has_spoken and not task.was_tried_unheard(dial.answered_at or at, at)
    if ended.is_open and not has_spoken and dial.rung_at is not None:
        ended = replace(ended, due_at=at + timedelta(minutes=target_min))
    events = [_event("callback.dial_ended", at, ended, dial_id=dial.id, result=dial.result, talk_s=dial.talk_s)]
    if ended.is_open and is_reached:
        ended = close(ended, State.REACHED, at, by)
        events.append(_event("callback.reached", at, ended, by=by))
    return Update(ended, tuple(events))


def _unsaid(dial: Dial) -> DialResult:
    """What a dial came to of which the dialplan did not say it."""
    return DialResult.OPERATOR_MISSED if dial.rung_at is None else DialResult.FAILED


def _with_dial(task: Callback, dial: Dial) -> Callback:
    return replace(task, dials=tuple(dial if each.id == dial.id else each for each in task.dials))


def _refuse_closed(task: Callback) -> None:
    if not task.is_open:
        raise OutOfTurn(f"it is over: {task.state}")


def told_of(task: Callback) -> dict[str, Any]:
    """What each event of a task tells."""
    return {
        "number": task.number,
        "trunk": task.trunk,
        "state": task.state,
        "try_count": task.try_count,
        "due_at": task.due_at.isoformat(),
    }


def _event(name: str, at: datetime, task: Callback, call_id: str | None = None, **more: Any) -> Event:
    return Event(name, at, call_id, {**told_of(task), **more})
