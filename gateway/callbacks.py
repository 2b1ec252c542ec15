"""Callbacks: opens and closes the tasks with the calls that the journal tells of, and has operators take them and dial.

Counterparts: `domain/callbacks.py` holds the rules; `centre.py` stores what `follow` says in the same transaction as
the end of the call; `dialplan/callback.conf` places the calls; `gateway/api/callbacks.py` brings what people ask for.
"""

import logging
import secrets
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.bookkeeper import Bookkeeper
from gateway.domain import callbacks, evidence
from gateway.domain.audit import Actor, Deed
from gateway.domain.books import Books
from gateway.domain.call import Call
from gateway.domain.callbacks import GIVEN_UP_AT_MOST, Callback, Dial, Flock, OutOfTurn, State, Update, Why
from gateway.domain.change import Change, SetAside
from gateway.domain.events import Event
from gateway.domain.facts import DialFact, DialResult, DialStep
from gateway.domain.kept import Unfitting
from gateway.domain.numbers import spellings
from gateway.domain.operators import Operator
from gateway.domain.recordings import Recording
from gateway.ports import Dialling, Refused, Stale, Store, StoreAway, Switchboard, Taken, Unknown
from gateway.saving import Saving

log = logging.getLogger(__name__)

NUMBERS_KEPT = 100_000
"""Numbers with an open task that are kept in mind, about 10 MB of them."""
FAILED_KEPT = 100
"""Rings that failed and are not written down yet, while the store is away; the oldest is found out by `lost` then."""
OVERDUE_EVERY_S = 5.0
"""How often it is looked whether callers wait past their time."""

Allow = Callable[[Callback], None]
"""Raises where whoever asks may not do it to a task that stands so."""

IsOver = Callable[[str, datetime, float], bool]
"""Whether a call or dial that Asterisk does not have is over, or its end may be on its way: by its id, when it began,
and for how many seconds it has been missing."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What calls and dials come to."""

    updates: tuple[Update, ...] = ()
    events: tuple[Event, ...] = ()
    """Those that are about no task."""
    set_aside: tuple[SetAside, ...] = ()
    recordings: tuple[Recording, ...] = ()


@dataclass(frozen=True, slots=True)
class Overdue:
    """How many callers wait past their time, and when the first of them should have been called."""

    count: int
    first: datetime


class Callbacks:
    """`clock` returns the time now, in UTC; `clock_s` is a clock that never leaps, in seconds; `is_busy` says whether a
    phone rings or talks."""

    def __init__(
        self,
        *,
        store: Store,
        saving: Saving,
        bookkeeper: Bookkeeper,
        switchboard: Switchboard,
        clock: Callable[[], datetime],
        clock_s: Callable[[], float],
        is_busy: Callable[[str], bool] = lambda phone: False,
    ) -> None:
        self._store = store
        self._saving = saving
        self._bookkeeper = bookkeeper
        self._switchboard = switchboard
        self._clock = clock
        self._clock_s = clock_s
        self._is_busy = is_busy
        self._called_for: dict[str, int] | None = None
        """The numbers that have an open task, and which, so that the store is not asked for each call that ends; None
        where there are too many of them to be kept in mind."""
        self._dialling: dict[str, datetime] = {}
        """The dials that go on, by id: when each was begun."""
        self._calling: dict[str, int] = {}
        """Those of them whose operator has picked up, with him."""
        self._last_calls: dict[int, datetime] = {}
        """When the last of each operator's was over that was told since the start."""
        self._missing: dict[str, float] = {}
        """Those that Asterisk did not have at the last look: since when, by the clock that never leaps."""
        self._failed: deque[str] = deque(maxlen=FAILED_KEPT)
        self._overdue: Overdue | None = None
        """As it was looked at last; the next look is at `_look_at_s`."""
        self._look_at_s = 0.0
        self._is_away = False
        """Whether the store was, at the last look."""

    # ---------------------------------------------------------------- what the journal tells: in the saving turn

    async def resume(self) -> None:
        """Takes up what is open and the dials that go on: at start, and after the store was away. Raises StoreAway."""
        numbers = await self._store.called_for(NUMBERS_KEPT)
        self._called_for = None if numbers is None else dict(numbers)
        going_on = await self._store.dialling_callbacks()
        self._dialling = {dial.id: dial.at for task in going_on for dial in _going_on(task)}
        self._calling = {}
        for task in going_on:
            self._remember_operators(task)

    async def follow(self, calls: Iterable[Call], dials: Sequence[DialFact] = ()) -> Followed:
        """What the calls, those of them that have ended, and the steps of dials make of the tasks, to be stored with
        them. For whoever holds the saving turn. Raises StoreAway."""
        ended = [(call, reason) for call in calls if call.ended_at and (reason := callbacks.why(call)) is not None]
        if not ended and not dials:
            return Followed()
        books = await self._bookkeeper.at_hand()
        numbers = {each for call, _ in ended for each in _written(callbacks.number_of(call.caller))}
        if self._called_for is not None:
            numbers &= self._called_for.keys()
        desk = _Desk(books, await self._store.open_callbacks(numbers) if numbers else [])
        for callback_id in {callbacks.callback_id_of(fact.dial_id) for fact in dials} - desk.ids:
            if (task := await self._store.callback(callback_id)) is not None:
                desk.put(task)
        steps: list[tuple[datetime, _Step]] = [(call.ended_at or call.arrived_at, (call, why)) for call, why in ended]
        steps += [(fact.at, fact) for fact in dials]
        for _, step in sorted(steps, key=lambda each: each[0]):
            try:
                desk.take(step)
            except Exception as error:  # whatever it is, a call's end must be stored
                told = {"dial": step.dial_id} if isinstance(step, DialFact) else {"call": step[0].id}
                log.exception("callback_not_followed", extra=told)
                desk.set_aside.append(SetAside(self._clock(), "callbacks", repr(error), repr(step)))
        return desk.followed()

    def remember(self, stored: Iterable[Callback]) -> None:
        """Takes the tasks as they were stored."""
        for task in stored:
            self._remember_number(task)
            for dial in task.dials:
                self._dialling.pop(dial.id, None)
            self._dialling |= {dial.id: dial.at for dial in _going_on(task)}
            self._remember_operators(task)

    def _remember_operators(self, task: Callback) -> None:
        for dial in task.dials:
            if dial.rung_at is not None and dial.ended_at is None:
                self._calling[dial.id] = dial.operator_id
            elif self._calling.pop(dial.id, None) is not None and dial.ended_at is not None:
                self._last_calls[dial.operator_id] = dial.ended_at

    def _remember_number(self, task: Callback) -> None:
        if self._called_for is None:
            return
        if not task.is_open:
            # a dial may end after its task did, and the number have a new one by then
            if self._called_for.get(task.number) == task.id:
                del self._called_for[task.number]
        elif len(self._called_for) < NUMBERS_KEPT:
            self._called_for[task.number] = task.id
        else:
            self._called_for = None

    @property
    def dialling(self) -> Collection[str]:
        """The dials that go on, by id."""
        return self._dialling.keys()

    def missing_again(self, live: Collection[str]) -> frozenset[str]:
        """The dials that go on and are not among the calls that Asterisk has, now and at the last look."""
        return frozenset(self._dialling.keys() & self._missing.keys() - set(live))

    def lost(self, live: Collection[str], heard_until: Mapping[str, datetime], is_over: IsOver) -> list[DialFact]:
        """The ends of the dials that go on and are not among the calls that Asterisk has, at two looks: it died under
        them. They end with their sound (`heard_until`), or now where there is none. To be called only while the journal
        is read to its end."""
        now, now_s = self._clock(), self._clock_s()
        again = sorted(self.missing_again(live))
        gone = [each for each in again if is_over(each, self._dialling[each], now_s - self._missing[each])]
        self._missing = {each: self._missing.get(each, now_s) for each in self._dialling.keys() - set(live)}
        return [
            DialFact(dial_id, min(now, heard_until.get(dial_id, now)), DialStep.ENDED, DialResult.FAILED)
            for dial_id in gone
        ]

    def ring_failed(self, ring_id: str) -> None:
        """Takes that an operator did not pick up. Never waits."""
        if ring_id in self._dialling:
            self._failed.append(ring_id)

    # ---------------------------------------------------------------- the watch

    def is_calling(self, operator_id: int) -> bool:
        """Whether this operator is on the line of a dial now: he has picked up his phone."""
        return operator_id in self._calling.values()

    def last_call(self, operator_id: int) -> datetime | None:
        """When the last such line was over; None where none is known of since the start."""
        return self._last_calls.get(operator_id)

    async def overdue(self, now: datetime) -> Overdue | None:
        """The callers who wait past their time; None where nobody does. Once a second, for the watch: it also writes
        down which rings failed. Whatever the store does, it says what it knew last, and asks again later."""
        is_due = self._clock_s() >= self._look_at_s
        try:
            while self._failed and (is_due or not self._is_away):
                await self._end_missed(self._failed.popleft())
            if is_due:
                self._look_at_s = self._clock_s() + OVERDUE_EVERY_S
                count, first = await self._store.overdue_callbacks(now)
                self._overdue, self._is_away = Overdue(count, first) if first else None, False
        except StoreAway as error:
            log.warning("overdue_not_looked_at", extra={"reason": str(error)})
            self._look_at_s, self._is_away = self._clock_s() + OVERDUE_EVERY_S, True
        return self._overdue

    async def _end_missed(self, dial_id: str) -> None:
        try:
            await self._end(dial_id, DialResult.OPERATOR_MISSED)
        except StoreAway:
            self._failed.appendleft(dial_id)
            raise
        except (Stale, Taken):
            log.debug("dial_ended_meanwhile", extra={"dial": dial_id})  # the journal has told it

    # ---------------------------------------------------------------- what people do

    async def claim(self, callback_id: int, operator_id: int, actor: Actor, version: int | None) -> Callback:
        """The task, in that operator's hands. Like the others below: `version` is the one that whoever asks saw, None
        for any. Raises Unknown, Stale, OutOfTurn, StoreAway; Unfitting for an operator who is not there."""
        async with self._saving.turn:
            task, now = await self._find(callback_id, version), self._clock()
            _operator(await self._bookkeeper.books(), operator_id)
            claimed = callbacks.claim(task, operator_id, now)
            if claimed is task:
                return task
            return await self._save(claimed, _deed_about("callback.claimed", task, claimed, actor, now))

    async def release(self, callback_id: int, actor: Actor, version: int | None, allow: Allow) -> Callback:
        """The task, in nobody's hands. Raises what `claim` does, and what `allow` does."""
        async with self._saving.turn:
            task = await self._find(callback_id, version)
            allow(task)
            released = callbacks.release(task)
            more = {"operator_id": task.claimed_by}
            deed = _deed_about("callback.released", task, released, actor, self._clock(), more)
            return await self._save(released, deed)

    async def reach(self, callback_id: int, actor: Actor, version: int | None, allow: Allow, note: str) -> Callback:
        """The task, over: somebody spoke with the caller. Raises what `release` does."""
        async with self._saving.turn:
            task, now = await self._find(callback_id, version), self._clock()
            allow(task)
            closed = callbacks.close(task, State.REACHED, now, actor.name, note)
            deed = _deed_about("callback.reached", task, closed, actor, now, {"reason": note})
            return await self._save(closed, deed)

    async def give_up(self, callback_id: int, actor: Actor, version: int | None, allow: Allow, reason: str) -> Callback:
        """The task, over: the caller is not to be reached. Raises what `release` does."""
        async with self._saving.turn:
            task, now = await self._find(callback_id, version), self._clock()
            allow(task)
            closed = callbacks.close(task, State.GIVEN_UP, now, actor.name, reason)
            deed = _deed_about("callback.given_up", task, closed, actor, now, {"reason": reason})
            return await self._save(closed, deed)

    async def give_up_many(self, flock: Flock, expected: int, actor: Actor, reason: str) -> tuple[int, int]:
        """Gives up the tasks of a flock, the oldest first and GIVEN_UP_AT_MOST at most, all or none of them. Returns
        how many, and how many are left. Raises OutOfTurn where there are not about as many as `expected`; StoreAway."""
        async with self._saving.turn:
            now = self._clock()
            count, tasks = await self._store.flock(flock, GIVEN_UP_AT_MOST)
            if callbacks.differs_much(count, expected):
                raise OutOfTurn(f"{count} callbacks are so, and not {expected}: look at them again")
            if not tasks:
                return 0, 0
            updates = callbacks.give_up_all(tasks, now, actor.name, reason)
            told = {
                "count": len(tasks),
                "left": count - len(tasks),
                "trunk": flock.trunk,
                "why": flock.why,
                "opened_since": flock.opened_since.isoformat(),
                "opened_until": flock.opened_until.isoformat(),
                "most_tries": flock.most_tries,
                "reason": reason,
            }
            deed = Deed(now, actor, "callback.many_given_up", subject="callbacks", data=told, note=reason, became=told)
            committed = await self._saving.save_in_turn(Change(callbacks=updates, deeds=(deed,)))
            self._look_at_s = 0.0
            self.remember(committed.callbacks)
        return len(tasks), count - len(tasks)

    async def dial(
        self, callback_id: int, operator_id: int, actor: Actor, version: int | None, trunk: str | None = None
    ) -> Callback:
        """The task, in that operator's hands, whose phone begins to ring; what comes of it is told by the journal.
        `trunk` is one that the number tried on; None for that of the first try. A number that the centre does not dial,
        and a second dial of one operator, are out of turn.

        Raises what `claim` does; Refused where the phone cannot be rung. After SwitchboardAway nobody knows whether it
        rings: the dial goes on until Asterisk is there again, and says so or has no such call.
        """
        async with self._saving.turn:
            task, now = await self._find(callback_id, version), self._clock()
            books = await self._bookkeeper.books()
            operator = _operator(books, operator_id)
            trunk = task.trunk if trunk is None else trunk
            if trunk not in task.trunks:
                raise Unfitting("trunk", f"the number has not tried on trunk {trunk}")
            if trunk not in books.trunks:
                raise OutOfTurn(f"trunk {trunk}, which the caller came on, is no more")
            if (problem := callbacks.dial_problem(task.number, abroad=books.rules.callback_abroad)) is not None:
                raise OutOfTurn(problem)
            for other in await self._store.dialling_callbacks():
                if other.id != task.id and other.dialled_by == operator_id:
                    raise OutOfTurn(f"operator {operator_id} dials callback {other.id} now")
            if self._is_busy(operator.phone):
                raise OutOfTurn(f"phone {operator.phone} rings or talks now")
            dial_id = f"{task.id}-{secrets.token_hex(6)}"
            recording = f"{now:%Y/%m/%d}/callback-{dial_id}.raw"
            begun = callbacks.begin_dial(task, Dial(dial_id, operator_id, now, recording=recording))
            more = {"dial_id": dial_id, "operator_id": operator_id, "dial_trunk": trunk}
            stored = await self._save(begun, _deed_about("callback.dialled", task, begun, actor, now, more))
        try:
            await self._switchboard.dial(Dialling(dial_id, operator.phone, task.number, trunk, recording))
        except Refused:
            await self._end(dial_id, DialResult.OPERATOR_MISSED)
            raise
        return stored

    async def _find(self, callback_id: int, version: int | None) -> Callback:
        task = await self._store.callback(callback_id)
        if task is None:
            raise Unknown(f"there is no callback {callback_id}")
        if version is not None and task.version != version:
            raise Stale(f"callback {callback_id} was changed by somebody else")
        return task

    async def _save(self, task: Callback, deed: Deed) -> Callback:
        committed = await self._saving.save_in_turn(Change(callbacks=(Update(task),), deeds=(deed,)))
        self._look_at_s = 0.0
        self.remember(committed.callbacks)
        return committed.callbacks[0]

    async def _end(self, dial_id: str, result: DialResult) -> None:
        """Ends a dial of which the journal may tell nothing. Raises StoreAway."""
        async with self._saving.turn:
            followed = await self.follow((), (DialFact(dial_id, self._clock(), DialStep.ENDED, result),))
            if followed.updates:
                change = Change(callbacks=followed.updates, recordings=followed.recordings)
                committed = await self._saving.save_in_turn(change)
                self.remember(committed.callbacks)


def _going_on(task: Callback) -> Iterator[Dial]:
    return (dial for dial in task.dials if dial.result is None)


_Step = DialFact | tuple[Call, Why]


class _Desk:
    """The tasks as they stand while calls and dials are gone through, and what is to be stored of it."""

    def __init__(self, books: Books, tasks: Iterable[Callback]) -> None:
        self._books = books
        self._tasks: dict[int, Callback] = {}
        """By id; a new one by a number below 0."""
        self._open: dict[str, int] = {}
        """By the number as it is written in the task."""
        self._told: dict[int, list[Event]] = {}
        self._events: list[Event] = []
        self._recordings: dict[str, Recording] = {}
        self.set_aside: list[SetAside] = []
        for task in tasks:
            self.put(task)

    @property
    def ids(self) -> set[int]:
        return set(self._tasks)

    def put(self, task: Callback, key: int | None = None) -> None:
        key = task.id if key is None else key
        self._tasks[key] = task
        if task.is_open:
            self._open[task.number] = key
        elif self._open.get(task.number) == key:
            del self._open[task.number]

    def take(self, step: _Step) -> None:
        if isinstance(step, DialFact):
            self._dial(step)
        else:
            self._call(*step)

    def _call(self, call: Call, reason: Why) -> None:
        number = callbacks.number_of(call.caller)
        if number is None:
            if reason is not Why.HEARD:
                self._events.append(callbacks.impossible(call, reason))
            return
        key = next((self._open[each] for each in _written(number) if each in self._open), None)
        task = None if key is None else self._tasks[key]
        target_min = self._books.rules.callback_target_min
        self._update(key, callbacks.follow_call(task, call, number, reason, target_min))

    def _dial(self, fact: DialFact) -> None:
        callback_id = callbacks.callback_id_of(fact.dial_id)
        task = self._tasks.get(callback_id)
        dial = next((each for each in task.dials if each.id == fact.dial_id), None) if task else None
        if task is None or dial is None:
            log.warning("dial_of_no_task", extra={"dial": fact.dial_id})
            return
        operator = self._books.operators.get(dial.operator_id)
        name, target_min = operator.name if operator else "", self._books.rules.callback_target_min
        update = callbacks.follow_dial(task, fact, name, target_min)
        self._update(callback_id, update)
        for each in update.task.dials if update else ():
            if each.id == dial.id and (recording := evidence.of_dial(each)):
                self._recordings[recording.id] = recording

    def _update(self, key: int | None, update: Update | None) -> None:
        if update is None:
            return
        if key is None:
            key = min(self._tasks, default=0)
            key = min(key, 0) - 1
        self.put(update.task, key)
        self._told.setdefault(key, []).extend(update.events)

    def followed(self) -> Followed:
        """Those that are over come first: a number has one open task, and another may have been opened since."""
        updates = [Update(self._tasks[key], tuple(events)) for key, events in self._told.items()]
        updates.sort(key=lambda update: update.task.is_open)
        return Followed(tuple(updates), tuple(self._events), tuple(self.set_aside), tuple(self._recordings.values()))


def _written(number: str | None) -> tuple[str, ...]:
    """The number as it came, and as carriers write it otherwise: with and without its country, by line and by network.
    None is no number."""
    return () if number is None else (number, *spellings(number))


def _operator(books: Books, operator_id: int) -> Operator:
    found = books.operators.get(operator_id)
    if found is None:
        raise Unfitting("operator_id", f"there is no operator {operator_id}")
    return found


def _deed_about(
    action: str, was: Callback, task: Callback, actor: Actor, at: datetime, more: Mapping[str, Any] | None = None
) -> Deed:
    more = more or {}
    return Deed(
        at,
        actor,
        action,
        subject=f"callback/{task.id}",
        data={"callback_id": task.id, **callbacks.told_of(task), "claimed_by": task.claimed_by, **more},
        note=str(more.get("reason", "")),
        was=_logged(was),
        became=_logged(task),
    )


def _logged(task: Callback) -> Mapping[str, Any]:
    """What the audit log keeps of it: where it stands, and in whose hands."""
    return {"state": task.state, "claimed_by": task.claimed_by}
