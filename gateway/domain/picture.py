"""The picture of the centre for its wall: who is free, who waits and for how long, what is wrong now.

Counterparts: `gateway/api/pictures.py` gathers what it is made of, `gateway/api/board.py` shows it; `places.py` is how
the phones stand, `call.py` the calls that go on.

A service level is that of NENA-STA-020 (calls answered within so many seconds, of all that came), with each queue's own
seconds. It counts from the call's arrival, greeting and all, as a caller does. Short calls that were abandoned are not
left out: in an emergency centre they are callers too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.domain.alarms import Alarm
from gateway.domain.books import Books
from gateway.domain.call import Attempt, Call, Stage
from gateway.domain.operators import Operator
from gateway.domain.places import Place
from gateway.domain.presence import Said
from gateway.domain.queues import Queue
from gateway.domain.trunks import Trunk


class Standing(StrEnum):
    """How an operator stands."""

    FREE = "free"
    RINGING = "ringing"
    TALKING = "talking"
    WRAPPING_UP = "wrapping_up"
    """Left alone for a while after a call."""
    PAUSED = "paused"
    UNAVAILABLE = "unavailable"
    """On duty, and the phone is lost."""
    OFF = "off"
    """Not on duty now."""
    UNKNOWN = "unknown"
    """On duty, and nobody sees how the phone stands."""


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """What became of a queue's calls: how many were answered within its time (`in_time`), how many at all, and how many
    were to be answered (`offered`): all that came, but those that wait and may still be answered in time."""

    offered: int = 0
    answered: int = 0
    in_time: int = 0

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where no call came."""
        return self.in_time / self.offered if self.offered else None


NO_CALLS = ServiceLevel()
PARTED = timedelta(seconds=1)
"""So long after a talk outside of the queue its call is over, or on its way back into the queue."""


@dataclass(frozen=True, slots=True)
class CallbacksOpen:
    """The callers who are to be called back: how many in all, and how many of them are past their time."""

    count: int = 0
    overdue: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """What the store says: service levels by queue, of the last hour and of the day, the last call's arrival by trunk,
    the alarms that stand, and the callbacks that are open."""

    hour: Mapping[str, ServiceLevel] = field(default_factory=dict)
    day: Mapping[str, ServiceLevel] = field(default_factory=dict)
    last_calls: Mapping[str, datetime] = field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()
    callbacks: CallbacksOpen = CallbacksOpen()


@dataclass(frozen=True, slots=True)
class Seen:
    """What the live board shows, while it is true, when each phone's last talk ended, where that is known, and the
    calls whose caller does not speak."""

    places: tuple[Place, ...] = ()
    trunks_up: Mapping[str, bool] = field(default_factory=dict)
    last_talks: Mapping[str, datetime] = field(default_factory=dict)
    silent_calls: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TrunkPicture:
    """`is_up` is None where nobody knows: the carrier is not asked, or Asterisk is away."""

    name: str
    carrier: str
    is_up: bool | None
    channels: int | None
    channels_used: int
    last_call_at: datetime | None


@dataclass(frozen=True, slots=True)
class QueuePicture:
    """`waiting` are the callers in the queue, and those out of it for a while: they hear the fallback's menu, leave a
    message, or an agency is being rung for them. `waiting_since` is when the one who waits longest arrived. `free` and
    `there` are None while nobody sees the phones."""

    name: str
    waiting: int
    waiting_since: datetime | None
    free: int | None
    there: int | None
    minimum: int
    service_level_s: int
    hour: ServiceLevel
    day: ServiceLevel


@dataclass(frozen=True, slots=True)
class OperatorPicture:
    """`since` is from when on the operator has stood so, as far as it was seen; `call_id` the call that the phone is
    rung or used for."""

    id: int
    name: str
    phone: str
    state: Standing
    since: datetime | None
    pause: str | None
    queues: tuple[str, ...]
    call_id: str | None
    is_caller_silent: bool = False
    """Whether that call's caller has said nothing since the phone answered."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole of it: trunks and queues by name, operators by name, alarms with the oldest first."""

    trunks: tuple[TrunkPicture, ...]
    queues: tuple[QueuePicture, ...]
    operators: tuple[OperatorPicture, ...]
    alarms: tuple[Alarm, ...]
    callbacks: CallbacksOpen


def picture(books: Books, seen: Seen | None, calls: Iterable[Call], history: History, at: datetime) -> Picture:
    """The picture at that time. `seen` is None while nobody sees the lines (Asterisk is away); `calls` are those that
    go on. The probe's calls are left out."""
    going_on = [call for call in calls if not call.is_probe]
    places: dict[str, list[Place]] = {}
    seen = seen and _with_last_talks(seen)
    for place in seen.places if seen else ():
        places.setdefault(place.phone, []).append(place)
    due: dict[str, list[str]] = {}
    for queue, phone in books.places(at):
        due.setdefault(phone, []).append(queue)
    attempts = dict(_live_attempts(going_on))
    operators = [
        _operator(books, each, places.get(each.phone, []), due.get(each.phone, []), attempts.get(each.phone), at)
        for each in books.operators.values()
    ]
    if seen and seen.silent_calls:
        operators = [replace(each, is_caller_silent=each.call_id in seen.silent_calls) for each in operators]
    waiting: dict[str, list[datetime]] = {}
    for call in going_on:
        if _waits(call, at):
            waiting.setdefault(_waits_for(call, books), []).append(call.arrived_at)
    return Picture(
        trunks=tuple(_trunk(each, seen, going_on, history) for _, each in sorted(books.trunks.items())),
        queues=tuple(
            _queue(each, seen, waiting.get(name, []), history, at) for name, each in sorted(books.queues.items())
        ),
        operators=tuple(sorted(operators, key=lambda each: (each.name.casefold(), each.phone))),
        alarms=tuple(sorted(history.alarms, key=lambda alarm: (alarm.raised_at, alarm.key))),
        callbacks=history.callbacks,
    )


def _with_last_talks(seen: Seen) -> Seen:
    """With the last talk in each place: Asterisk tells that a line is free before it tells that a call was its last."""
    return replace(
        seen,
        places=tuple(
            replace(place, last_call_ended_at=_latest(place.last_call_ended_at, seen.last_talks.get(place.phone)))
            for place in seen.places
        ),
    )


def _trunk(trunk: Trunk, seen: Seen | None, calls: Iterable[Call], history: History) -> TrunkPicture:
    arrivals = [call.arrived_at for call in calls if call.trunk == trunk.name]
    stored = history.last_calls.get(trunk.name)
    return TrunkPicture(
        name=trunk.name,
        carrier=trunk.carrier,
        is_up=seen.trunks_up.get(trunk.name) if seen and trunk.is_asked else None,
        channels=trunk.channels,
        channels_used=len(arrivals),
        last_call_at=_latest(stored, *arrivals),
    )


def _waits(call: Call, at: datetime) -> bool:
    """Whether the caller waits for a person: in a queue, or in the fallback, which leads back there. With whom an
    agency or a last-resort number talked a moment ago, that call is over, or will be in the queue."""
    if call.stage is not Stage.FALLBACK:
        return call.stage is Stage.QUEUED
    talks = (attempt.left_at for attempt in call.attempts if attempt.answered_at)
    return not any(left_at is not None and at - left_at < PARTED for left_at in talks)


def _waits_for(call: Call, books: Books) -> str:
    """The queue in which the caller waits, or to which the fallback leads back: that which the call was in, or the
    site's, where it was in none yet or that one is no more."""
    return call.queue if call.queue is not None and call.queue in books.queues else books.default_queue


def _queue(
    queue: Queue, seen: Seen | None, arrivals: Sequence[datetime], history: History, at: datetime
) -> QueuePicture:
    """`arrivals` are those of the callers who wait for it."""
    places = [place for place in seen.places if place.queue == queue.name] if seen else None
    return QueuePicture(
        name=queue.name,
        waiting=len(arrivals),
        waiting_since=min(arrivals, default=None),
        free=None if places is None else sum(_stands(place, queue, at)[0] is Standing.FREE for place in places),
        there=None if places is None else sum(place.is_there for place in places),
        minimum=queue.minimum,
        service_level_s=queue.service_level_s,
        hour=history.hour.get(queue.name, NO_CALLS),
        day=history.day.get(queue.name, NO_CALLS),
    )


def _operator(
    books: Books,
    operator: Operator,
    places: list[Place],
    due: list[str],
    attempt: tuple[str, Attempt] | None,
    at: datetime,
) -> OperatorPicture:
    """`places` are those that are seen, `due` the queues that the operator should be in by the books."""
    call_id = None
    if places:
        # in several queues an operator stands as in the one that could ring the phone soonest
        state, since, pause = min(
            (_stands(place, books.queues.get(place.queue), at) for place in places),
            key=lambda stands: _READINESS.index(stands[0]),
        )
        if attempt is not None and state in (Standing.RINGING, Standing.TALKING):
            # a line that is busy may be rung: the call knows
            call_id, ring = attempt
            state, since = (
                (Standing.TALKING, ring.answered_at) if ring.answered_at else (Standing.RINGING, ring.rung_at)
            )
    elif due:
        state, since, pause = Standing.UNKNOWN, None, None
    else:
        presence = books.presence(operator.id)
        state, pause = Standing.OFF, None
        since = presence.said_at if books.said(operator.id, at) is Said.OUT else None
    return OperatorPicture(
        id=operator.id,
        name=operator.name,
        phone=operator.phone,
        state=state,
        since=since,
        pause=pause,
        queues=tuple(sorted({place.queue for place in places} or due)),
        call_id=call_id,
    )


_READINESS = tuple(Standing)


def _stands(place: Place, queue: Queue | None, at: datetime) -> tuple[Standing, datetime | None, str | None]:
    """How the phone stands in that place, since when, and why it is paused."""
    if place.line != "free":
        return _LINES.get(place.line, Standing.UNKNOWN), place.line_since, None
    if place.pause is not None:
        return Standing.PAUSED, place.paused_since or place.line_since, place.pause
    rested_at = None
    if queue and queue.wrap_up_s and place.last_call_ended_at is not None:
        rested_at = place.last_call_ended_at + timedelta(seconds=queue.wrap_up_s)
        if at < rested_at:
            return Standing.WRAPPING_UP, place.last_call_ended_at, None
    return Standing.FREE, _latest(place.line_since, place.resumed_at, rested_at), None


_LINES: Mapping[str, Standing] = {
    "ringing": Standing.RINGING,
    "talking": Standing.TALKING,
    "unavailable": Standing.UNAVAILABLE,
}


def _live_attempts(calls: Iterable[Call]) -> Iterator[tuple[str, tuple[str, Attempt]]]:
    """Which call each phone is rung or used for, by the phone."""
    for call in calls:
        for attempt in call.attempts:
            if attempt.left_at is None:
                yield attempt.phone, (call.id, attempt)


def _latest(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time is not None), default=None)
