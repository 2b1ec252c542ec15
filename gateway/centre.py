"""The centre's ear: facts from the journal in, through the domain into the store, then announced.

Counterparts: `gateway/asterisk/journal.py` brings the facts; `saving.py` stores and announces. What people change is
`office.py`'s, what Asterisk should hold is `level.py`'s.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.bookkeeper import Bookkeeper
from gateway.callbacks import Callbacks
from gateway.domain import disposing, duty, evidence, hearing, life
from gateway.domain.audit import Actor, Deed
from gateway.domain.books import Books
from gateway.domain.call import Call
from gateway.domain.change import Change, Position, SetAside
from gateway.domain.dispositions import Disposed, Verdict
from gateway.domain.duty import Step, Told
from gateway.domain.events import Event
from gateway.domain.facts import (
    AnyFact,
    DialFact,
    DispositionFact,
    Entered,
    Fact,
    Joined,
    LegConnected,
    LegLeft,
    LegRung,
    PhoneFact,
    RingFact,
    Vanished,
)
from gateway.domain.life import OutOfPlace
from gateway.domain.presence import Presence
from gateway.domain.recordings import Recording
from gateway.domain.recordings import State as SoundState
from gateway.domain.tokens import Role
from gateway.feed import Feed
from gateway.logs import about
from gateway.ports import RawSounds, Reading, Stale, Store, StoreAway, Switchboard, Taken
from gateway.saving import Saving
from gateway.signs import heard_until, last_signs

log = logging.getLogger(__name__)

JUDGE_AFTER_S = 0.3
"""How long after a withdrawn ring it is clear that the caller did not leave with it."""

ON_ITS_WAY_S = 20.0
"""So long the journal may be late with the end of a call whose line is gone, where Asterisk was never away meanwhile: a
disk that stalls, a machine with too much to do."""

LONGEST_CALL = timedelta(hours=4)
"""A call that arrived so long before its talk ended is not looked for by a code on a phone."""

AMONG_PHONES = (LegRung, LegConnected, LegLeft, Joined)
"""Facts that are told of what operators' phones do among themselves, too, which is no call to 112."""

JUST_NOW = timedelta(seconds=30)
"""Whoever dialled a code longer ago is not told any more that it was in vain."""

LOGGED: Mapping[str, tuple[str, ...]] = {
    "call.arrived": ("trunk",),
    "call.answered": ("phone", "wait_s"),
    "call.fell_back": (),
    "call.ended": ("outcome", "hung_up_by", "wait_s", "talk_s"),
}
"""The events that the log has a line of, with what it tells: never a caller's number."""

STEPS: Mapping[str, Step] = {"login": Step.LOG_IN, "logout": Step.LOG_OUT, "pause": Step.PAUSE, "resume": Step.RESUME}
"""What a phone's code means, by the word that the dialplan writes."""


class Centre:
    """The calls' one writer. `clock` returns the time now, in UTC; `on_duty_changed` is told that somebody's presence
    was changed by what the journal said, `on_ring_told` what came of a ring of the centre's own, and `on_code_in_vain`
    which phone has just said of a call what it was, and there is none. `linked_since` says since when Asterisk has been
    at hand without a break; None where it is not, or nobody knows."""

    def __init__(
        self,
        *,
        store: Store,
        switchboard: Switchboard,
        feed: Feed,
        saving: Saving,
        bookkeeper: Bookkeeper,
        callbacks: Callbacks,
        raw_sounds: RawSounds,
        clock: Callable[[], datetime],
        on_duty_changed: Callable[[list[Told]], None],
        on_ring_told: Callable[[RingFact], None],
        on_code_in_vain: Callable[[str], None] = lambda phone: None,
        linked_since: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        self._store = store
        self._switchboard = switchboard
        self._feed = feed
        self._saving = saving
        self._bookkeeper = bookkeeper
        self._callbacks = callbacks
        self._raw_sounds = raw_sounds
        self._clock = clock
        self._on_duty_changed = on_duty_changed
        self._on_ring_told = on_ring_told
        self._on_code_in_vain = on_code_in_vain
        self._linked_since = linked_since
        self._calls: dict[str, Call] = {}
        self._sounds: dict[str, dict[str, Recording]] = {}
        """The recordings that run, by call and by their own id."""
        self._seen = _Seen()
        self._missing: dict[str, float] = {}
        """The calls that Asterisk did not have at the last look, and since when, by the clock that never leaps."""
        self._last_talks: dict[str, datetime] = {}
        self._newest_arrival: datetime | None = None
        self._ring_ended = asyncio.Event()
        self.set_aside_count = 0

    @property
    def running_calls(self) -> Mapping[str, Call]:
        """The calls that have not ended, by id."""
        return self._calls

    @property
    def last_talks(self) -> Mapping[str, datetime]:
        """When the last talk that was told since the start ended, by the operator's phone."""
        return self._last_talks

    async def resume(self) -> None:
        """Takes up from what is stored: at start, and after the store was away. Raises StoreAway."""
        async with self._saving.turn:
            await self._store.try_to_write()  # what was to be stored when it went away may be stored only now
            self._bookkeeper.forget()
            self._calls = {call.id: call for call in await self._store.open_calls()}
            self._sounds = {}
            self._remember_sounds(await self._store.running_recordings())
            self._newest_arrival = await self._store.newest_arrival()
            await self._callbacks.resume()
            self._feed.start_at(await self._store.newest_seq())
        if any(life.has_unjudged_ring(call) for call in self._calls.values()):
            self._ring_ended.set()

    async def record(self, reading: Reading) -> None:
        """Stores what the journal told, with how far it was read, and announces it.

        Raises StoreAway; nothing is changed then, and the same part of the journal must be read again.
        """
        async with self._saving.turn:
            tally = _Tally(list(reading.set_aside))
            for fact in reading.facts:
                try:
                    with about(fact.call_id if isinstance(fact, Fact) else None):
                        await self._take(fact, tally)
                except StoreAway:
                    raise
                except OutOfPlace as error:
                    tally.set_aside.append(SetAside(self._clock(), "journal", str(error), repr(fact)))
                except Exception as error:  # whatever it is, one fact must not stop the rest
                    call_id = fact.call_id if isinstance(fact, Fact) else None
                    log.exception("fact_not_taken", extra={"call": call_id, "fact": type(fact).__name__})
                    tally.set_aside.append(SetAside(self._clock(), "journal", repr(error), repr(fact)))
            await self._store_tally(tally, reading.positions)
        self._hand_on(tally)

    async def hear(self, heard: Sequence[hearing.Heard]) -> None:
        """Stores what was heard of running calls, and announces it; what is about another call is left out. Raises
        StoreAway; nothing is stored then."""
        async with self._saving.turn:
            tally = _Tally([])
            for each in heard:
                call = tally.calls.get(each.call_id) or self._calls.get(each.call_id)
                if call is not None:
                    tally.calls[call.id], events = hearing.hear(call, each)
                    tally.events += events
            if tally.events:
                await self._store_tally(tally, {})

    async def judge_rings(self, is_drained: Callable[[], bool]) -> None:
        """Says of each ring that the centre withdrew that nobody picked it up, once it is clear that the caller is
        still there; for ever. Without this the next ring would have to tell of it, and a phone would ring once too
        often."""
        is_told = False
        while True:
            await self._ring_ended.wait()
            self._ring_ended.clear()
            await asyncio.sleep(JUDGE_AFTER_S)
            if not is_drained():
                self._ring_ended.set()  # what follows is on its way: a look later
                continue
            try:
                await self._judge_rings()
            except StoreAway as error:
                self._ring_ended.set()  # it is for now: a look later
                if not is_told:
                    log.warning("rings_not_judged", extra={"reason": str(error)})
                is_told = True
            else:
                is_told = False

    async def _judge_rings(self) -> None:
        async with self._saving.turn:
            tally = _Tally([])
            for call in self._calls.values():
                judged, events = life.judge_rings(call, self._clock(), timedelta(seconds=JUDGE_AFTER_S))
                if events:
                    tally.calls[call.id] = judged
                    await self._tell(events, tally)
            if tally.calls:
                await self._store_tally(tally, {})
            if any(life.has_unjudged_ring(call) for call in self._calls.values()):
                self._ring_ended.set()
        self._hand_on(tally)

    async def settle(self) -> None:
        """Ends, as failed, the calls and dials that Asterisk does not have any more and whose end the journal never
        told: Asterisk died under them. A call must be missing at two looks, so that an end on its way is not overtaken,
        and for ON_ITS_WAY_S where Asterisk cannot have died under it. Each ends at the last moment that is known of it.

        To be called only while the journal is read to its end. Raises SwitchboardAway or StoreAway.
        """
        linked_since = self._linked_since()
        live = await self._switchboard.live_calls()
        going_on = self._calls.keys() | set(self._callbacks.dialling)
        self._seen = _Seen(linked_since, frozenset(live | (self._seen.under(linked_since) & going_on)))
        lost = {
            call_id: self._sounds.get(call_id, {}).values()
            for call_id in self._missing.keys() & self._calls.keys() - live
        }
        signs = await last_signs(self._store, self._raw_sounds, lost)
        dials_heard = await heard_until(self._store, self._raw_sounds, self._callbacks.missing_again(live))
        async with self._saving.turn:
            missing, now_s = self._calls.keys() - live, asyncio.get_running_loop().time()
            gone = [
                call
                for call in (self._calls[call_id] for call_id in sorted(missing & self._missing.keys()))
                if self._is_over(call.id, call.arrived_at, now_s - self._missing[call.id])
            ]
            self._missing = {call_id: self._missing.get(call_id, now_s) for call_id in missing}
            tally = _Tally([], dials=self._callbacks.lost(live, dials_heard, self._is_over))
            for call in gone:
                vanished = Vanished(call.id, min(self._clock(), life.last_sign(call, signs.get(call.id, ()))))
                tally.calls[call.id], events = life.apply(call, vanished)
                tally.events += events
                self._follow(vanished, tally)
            if tally.calls or tally.dials:
                await self._store_tally(tally, {})

    def _is_over(self, call_id: str, began_at: datetime, missing_s: float) -> bool:
        """Whether a call or dial that Asterisk has not had for so long is over, or its end may be on its way. Asterisk
        may have died under one that began before our link to it, and was not seen since."""
        since = self._linked_since()
        was_linked = since is not None and (began_at > since or call_id in self._seen.under(since))
        return not was_linked or missing_s >= ON_ITS_WAY_S

    async def _store_tally(self, tally: "_Tally", positions: Mapping[str, Position]) -> None:
        followed = await self._callbacks.follow(tally.calls.values(), tally.dials)
        tally.set_aside += followed.set_aside
        change = Change(
            events=(*tally.events, *followed.events),
            calls=tuple(tally.calls.values()),
            callbacks=followed.updates,
            recordings=(*tally.recordings, *followed.recordings),
            positions=positions,
            set_aside=tuple(tally.set_aside),
            presences=tuple(tally.presences.values()),
            dispositions=tuple(tally.dispositions.values()),
            deeds=(*(each.deed for each in tally.told), *tally.deeds),
        )
        try:
            committed = await self._saving.save_in_turn(change)
        except (Stale, Taken) as error:  # what is kept in mind here must be taken up anew
            raise StoreAway(f"what is stored is not what was known of it: {error}") from error
        self._log(tally.events)
        self.set_aside_count += len(tally.set_aside)
        self._remember(tally.calls.values())
        self._remember_sounds(tally.recordings)
        self._callbacks.remember(committed.callbacks)
        if tally.presences:
            self._bookkeeper.forget()

    def _log(self, events: Iterable[Event]) -> None:
        """A call's milestones, of which each is a line of the log. What is read long after it happened is not: the
        ledger has it, and after a crash there is much of it."""
        now = self._clock()
        for event in events:
            if event.type in LOGGED and now - event.at < JUST_NOW:
                told = {name: event.data[name] for name in LOGGED[event.type]}
                log.info(event.type.replace(".", "_"), extra={"call": event.call_id, **told})

    def _hand_on(self, tally: "_Tally") -> None:
        """What others must know of, once it is stored."""
        if any(life.has_unjudged_ring(call) for call in tally.calls.values()):
            self._ring_ended.set()
        if tally.told:
            self._on_duty_changed(tally.told)
        for ring in tally.rings:
            self._on_ring_told(ring)
        for phone in tally.in_vain:
            self._on_code_in_vain(phone)

    async def _tell(self, events: Iterable[Event], tally: "_Tally") -> None:
        for event in events:
            tally.events.append(event)
            if event.type in duty.TELLS_OF_A_RING:
                await self._rung(event, tally)

    async def _take(self, fact: AnyFact, tally: "_Tally") -> None:
        """Adds what the fact means. Raises OutOfPlace."""
        match fact:
            case PhoneFact():
                tally.tell(await self._dialled(fact, tally))
            case DispositionFact():
                await self._dispose(fact, tally)
            case RingFact():
                tally.rings.append(fact)
                if (told := duty.after_key(await self._books(tally), fact)) is not None:
                    tally.tell(told)
            case DialFact():
                tally.dials.append(fact)
            case Fact():
                known = tally.calls.get(fact.call_id) or self._calls.get(fact.call_id)
                if known is None and isinstance(fact, AMONG_PHONES):
                    return  # one phone called another; or its line goes a moment after its call has ended
                if known is None and isinstance(fact, Entered):
                    await self._refuse_told(fact)
                tally.calls[fact.call_id], events = _step(known, fact)
                await self._tell(events, tally)
                self._follow(fact, tally)

    def _follow(self, fact: Fact, tally: "_Tally") -> None:
        """Has the call's recordings follow the fact."""
        if isinstance(fact, evidence.TELL_OF_SOUND):
            told = tally.sounds.setdefault(fact.call_id, {})
            known = self._sounds.get(fact.call_id, {}) | told
            running = [each for each in known.values() if each.state is SoundState.RUNNING]
            told |= {each.id: each for each in evidence.follow(running, fact, tally.calls[fact.call_id])}

    async def _refuse_told(self, fact: Entered) -> None:
        """Raises OutOfPlace for a call that was told before and has ended since: a part of the journal that was read
        already came back under another first record (a copy, somebody's hand)."""
        newest = self._newest_arrival
        if newest is not None and fact.at <= newest and await self._store.has_call(fact.call_id):
            raise OutOfPlace(f"call {fact.call_id} was told before")
        self._newest_arrival = max(newest or fact.at, fact.at)

    async def _dialled(self, fact: PhoneFact, tally: "_Tally") -> Told:
        """What a code that was dialled on a phone means. Raises OutOfPlace for a phone of nobody's."""
        books = await self._books(tally)
        operator = books.operator_at(fact.phone)
        step = STEPS.get(fact.action)
        if operator is None or step is None:
            raise OutOfPlace(f"nobody has phone {fact.phone}, or {fact.action} means nothing")
        if books.presence(operator.id).is_newer_than(fact.at, self._clock()):
            raise OutOfPlace(f"operator {operator.id} has said something else since")
        actor = Actor(operator.name, Role.OPERATOR, f"phone {fact.phone}")
        return duty.step(books, operator, step, fact.at, actor, reason=fact.reason)

    async def _dispose(self, fact: DispositionFact, tally: "_Tally") -> None:
        """Takes what was said on a phone of its last call. Raises OutOfPlace where there is none, or where somebody has
        said something of it since."""
        arrived_after = fact.at - disposing.WRAP_UP - LONGEST_CALL
        stored = await self._store.calls_rung_at(fact.phone, arrived_after, fact.at)
        known = {**{call.id: call for call in stored}, **self._calls, **tally.calls}
        call = disposing.last_taken(known.values(), fact.phone, fact.at)
        if call is None:
            if self._clock() - fact.at < JUST_NOW:
                tally.in_vain.append(fact.phone)
            raise OutOfPlace(f"phone {fact.phone} has taken no call that could be {fact.disposition}")
        before = tally.dispositions.get(call.id) or await self._store.disposition(call.id)
        if before is not None and before.set_at >= fact.at:
            raise OutOfPlace(f"somebody has said since what call {call.id} was")
        person = (await self._books(tally)).operator_at(fact.phone)
        name = f"phone {fact.phone}" if person is None else person.name
        actor = Actor(name, Role.OPERATOR, f"phone {fact.phone}")
        verdict = Verdict(fact.disposition, fact.category)
        tally.dispositions[call.id], deed = disposing.dispose(call, before, verdict, fact.at, actor)
        tally.deeds.append(deed)

    async def _rung(self, event: Event, tally: "_Tally") -> None:
        books = await self._books(tally)
        call = tally.calls[event.call_id or ""]
        phone = str(event.data["phone"])
        person = books.operator_at(phone)
        if event.type == "call.answered" and call.operator == phone and person is not None:
            tally.calls[call.id] = life.answered_by(call, person.id, person.name)
        match duty.after_ring(books, event):
            case Told() as told:
                tally.tell(told)
            case Presence() as counted:
                tally.presences[counted.operator_id] = counted

    async def _books(self, tally: "_Tally") -> Books:
        books = await self._bookkeeper.at_hand()
        for presence in tally.presences.values():
            books = books.with_presence(presence)
        return books

    def _remember_sounds(self, touched: Iterable[Recording]) -> None:
        for each in touched:
            if each.call_id is None:
                continue
            of_call = self._sounds.setdefault(each.call_id, {})
            of_call.pop(each.id, None)
            if each.state is SoundState.RUNNING:
                of_call[each.id] = each
            if not of_call:
                del self._sounds[each.call_id]

    def _remember(self, touched: Iterable[Call]) -> None:
        for call in touched:
            if call.ended_at is None:
                self._calls[call.id] = call
            else:
                self._calls.pop(call.id, None)
            for attempt in call.attempts:
                if attempt.answered_at and attempt.left_at and attempt.phone != call.relieved_by:
                    self._last_talks[attempt.phone] = max(
                        attempt.left_at, self._last_talks.get(attempt.phone, attempt.left_at)
                    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """The calls and dials that were seen in Asterisk over the link that has been there since then."""

    linked_since: datetime | None = None
    ids: frozenset[str] = frozenset()

    def under(self, linked_since: datetime | None) -> frozenset[str]:
        return self.ids if linked_since == self.linked_since else frozenset()


@dataclass(slots=True)
class _Tally:
    """What a reading comes to, fact by fact."""

    set_aside: list[SetAside]
    calls: dict[str, Call] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    presences: dict[int, Presence] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    rings: list[RingFact] = field(default_factory=list)
    dials: list[DialFact] = field(default_factory=list)
    dispositions: dict[str, Disposed] = field(default_factory=dict)
    deeds: list[Deed] = field(default_factory=list)
    in_vain: list[str] = field(default_factory=list)
    sounds: dict[str, dict[str, Recording]] = field(default_factory=dict)
    """What becomes of recordings, by call and by their own id."""

    @property
    def recordings(self) -> list[Recording]:
        return [each for of_call in self.sounds.values() for each in of_call.values()]

    def tell(self, told: Told) -> None:
        self.told.append(told)
        self.presences[told.presence.operator_id] = told.presence


def _step(known: Call | None, fact: Fact) -> tuple[Call, tuple[Event, ...]]:
    """What `fact` makes of the call, or the call that begins with it. Raises OutOfPlace."""
    if isinstance(fact, Entered):
        if known is not None:
            raise OutOfPlace(f"call {fact.call_id} entered twice")
        entered, event = life.enter(fact)
        return entered, (event,)
    if known is None:
        raise OutOfPlace(f"call {fact.call_id} is not known, or ended before")
    return life.apply(known, fact)
