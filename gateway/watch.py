"""The watch: what must not wait for somebody to look. A queue that is short of people in fact, and the on-call list
that is rung for it; a lone operator, who is asked whether all is well; holes in the roster to come; callers whom
nobody called back in time; floods and silent trunks; sound that is not being kept, or not destroyed on time; a person
who is not erased as promised; a receiver that takes no events; a phone that would have calls leave the centre. Each is
an alarm while it lasts.

Counterparts: `keeper.py` asks once a second; `on_call.py` rings through the list; `flow.py` watches the calls that
come, `evidence.py` their recordings and `blindness.py` the gateway itself; the live board says who is there.
"""

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.blindness import Blindness
from gateway.bookkeeper import Bookkeeper
from gateway.callbacks import Callbacks
from gateway.destroying import KINDS as DESTROYING_KINDS
from gateway.destroying import Destroying
from gateway.domain.alarms import Alarm, changes
from gateway.domain.books import Books
from gateway.domain.call import Call
from gateway.domain.change import Change
from gateway.domain.coverage import Hole, holes
from gateway.domain.duty import LONE
from gateway.domain.events import Event
from gateway.domain.evidence import KINDS as SOUND_KINDS
from gateway.domain.facts import RingFact
from gateway.domain.flow import FLOOD_NUMBER
from gateway.domain.flow import KINDS as FLOW_KINDS
from gateway.domain.places import Place
from gateway.domain.presence import NO_ANSWER
from gateway.domain.shifts import moment
from gateway.domain.sight import BLIND
from gateway.domain.strays import KIND as STRAY
from gateway.domain.strays import Strays
from gateway.domain.webhooks import FAILING
from gateway.erasing import NOT_ERASED, Erasing
from gateway.evidence import Evidence
from gateway.flow import Flow
from gateway.line import Line
from gateway.on_call import ASKING_S, OnCallList
from gateway.ports import Refused, Ring, Store, StoreAway, Switchboard, SwitchboardAway
from gateway.saving import Saving

log = logging.getLogger(__name__)

HOLES_EVERY_S = 60.0
OVERDUE = "callbacks_overdue"
OF_THE_STORE = frozenset({"hole", OVERDUE, BLIND, NOT_ERASED, FAILING, *FLOW_KINDS, *DESTROYING_KINDS, *SOUND_KINDS})
"""Alarms that are known whether or not Asterisk is seen."""
KINDS = OF_THE_STORE | {"short", "lone_silent", STRAY}
"""All alarms that there are."""


@dataclass(slots=True)
class _Lone:
    """Who is alone, when that one is asked next, and what became of the last question."""

    phone: str
    ask_at_s: float
    since: datetime
    """From when on a sign of life counts: that of the last question, or of the last sign."""
    talk_ended_at: datetime | None = None
    """Of the last talk that was looked at: each is one sign of life, whatever the clock does."""
    ring_id: str = ""
    answer_by_s: float = 0.0
    is_silent: bool = False


class Watch:
    """`is_seeing` says whether the board is true now; `running_calls` and `last_talks` are what the journal told of
    calls that go on, and of when each phone's last talk ended; `clock_s` is a clock that never leaps, in seconds;
    `receivers` gives webhooks' alarms, by those that stand and the time; `own_phones` are those of the centre itself
    (the probe's)."""

    def __init__(
        self,
        *,
        store: Store,
        saving: Saving,
        bookkeeper: Bookkeeper,
        callbacks: Callbacks,
        switchboard: Switchboard,
        line: Line,
        on_call: OnCallList,
        flow: Flow,
        destroying: Destroying,
        erasing: Erasing,
        evidence: Evidence,
        blindness: Blindness,
        strays: Strays,
        receivers: Callable[[Iterable[Alarm], datetime], list[Alarm]],
        is_seeing: Callable[[], bool],
        running_calls: Callable[[], Iterable[Call]],
        last_talks: Callable[[], Mapping[str, datetime]],
        clock_s: Callable[[], float],
        own_phones: frozenset[str],
    ) -> None:
        self._store = store
        self._saving = saving
        self._bookkeeper = bookkeeper
        self._callbacks = callbacks
        self._switchboard = switchboard
        self._line = line
        self._on_call = on_call
        self._flow = flow
        self._destroying = destroying
        self._erasing = erasing
        self._evidence = evidence
        self._blindness = blindness
        self._strays = strays
        self._receivers = receivers
        self._is_seeing = is_seeing
        self._running_calls = running_calls
        self._last_talks = last_talks
        self._clock_s = clock_s
        self._own_phones = own_phones
        self._books: Books | None = None
        self._short_since_s: dict[str, float] = {}
        self._lone: _Lone | None = None
        self._late_key: RingFact | None = None
        self._holes: tuple[Books, float, dict[str, str]] | None = None
        self._standing: dict[tuple[str, str], Alarm] = {}
        """The alarms that stand, as they were read last."""
        self._is_read = False

    async def tick(self, now: datetime) -> None:
        """One look around. While the store is away people are rung by what was read last. Raises StoreAway,
        SwitchboardAway."""
        away: StoreAway | SwitchboardAway | None = None
        try:
            books = await self._bookkeeper.at_hand()
            await self._read_standing()
            self._books = books
        except StoreAway as error:
            if self._books is None:
                raise
            away = error
        should, unanswered = await self._look(self._books, now)
        if away:
            raise away
        await self._announce(should, now)
        if unanswered:
            raise unanswered

    async def _look(self, books: Books, now: datetime) -> tuple[list[Alarm], SwitchboardAway | None]:
        """What should be alarming, and what kept people from being rung."""
        unanswered: SwitchboardAway | None = None
        should = list(self._hole_alarms(books, now))
        should += await self._flow.alarms(books, self._standing.values(), now)
        should += self._destroying.alarms(self._standing.values())
        should += self._erasing.alarms(self._standing.values())
        should += self._of_sound(now)
        should += self._blindness.alarms(now)
        should += self._receivers(self._standing.values(), now)
        if not self._is_seeing():
            # nobody knows who is there: what stood stands
            should += [alarm for alarm in self._standing.values() if alarm.kind not in OF_THE_STORE]
        else:
            should += (short := self._short(books, now))
            try:
                await self._ring_for(short, books, now)
            except SwitchboardAway as error:
                unanswered = error
            try:
                await self._alone(books, now)
            except SwitchboardAway as error:
                unanswered = unanswered or error
            should += self._lone_alarm(now)
            should += [Alarm(STRAY, phone, detail, now) for phone, detail in self._strays.told(self._clock_s()).items()]
        return should + await self._overdue(now), unanswered

    def hear(self, fact: RingFact) -> None:
        """Takes what came of a ring. Never waits."""
        if fact.step != LONE:
            self._on_call.hear(fact)
        elif self._lone and self._lone.ring_id == fact.ring_id:
            self._answered(fact.has_agreed)
        elif fact.has_agreed:
            self._late_key = fact

    def ring_failed(self, ring_id: str) -> None:
        """Takes that nobody picked up. Never waits."""
        if self._lone and self._lone.ring_id == ring_id:
            self._answered(False)
        self._on_call.failed(ring_id)

    # ---------------------------------------------------------------- short of people

    def _short(self, books: Books, now: datetime) -> list[Alarm]:
        found = []
        for queue in books.queues.values():
            there = len(self._line.phones_there(queue.name))
            if there >= queue.minimum:
                self._short_since_s.pop(queue.name, None)
                continue
            since_s = self._short_since_s.setdefault(queue.name, self._clock_s())
            # one that stood when the gateway was started anew stands on
            stands = ("short", queue.name) in self._standing
            if stands or self._clock_s() - since_s >= books.rules.short_after_s:
                detail = f"{there} of at least {queue.minimum} operators are there"
                found.append(Alarm("short", queue.name, detail, now))
        return found

    async def _ring_for(self, short: Iterable[Alarm], books: Books, now: datetime) -> None:
        """Has the on-call list rung for them. Raises SwitchboardAway."""
        queues = (books.queues[alarm.subject] for alarm in short)
        missing = {queue.name: queue.minimum - len(self._line.phones_there(queue.name)) for queue in queues}
        await self._on_call.ring_for(missing, books, self._line, now)

    # ---------------------------------------------------------------- a lone operator

    async def _alone(self, books: Books, now: datetime) -> None:
        """Asks whoever is alone, when it is time. Raises SwitchboardAway."""
        phone, interval_min = self._who_is_alone(), books.rules.lone_check_min
        if interval_min is None or phone is None:
            self._lone = None
            return
        now_s = self._clock_s()
        lone = self._lone
        if lone is None or lone.phone != phone:
            lone = self._lone = self._found_alone(phone, now_s + 60 * interval_min, books, now)
        lone.since = min(lone.since, now)  # the clock was put back
        if self._late_key and self._late_key.about == phone and self._late_key.at >= lone.since:
            lone.is_silent = False
        self._late_key = None
        if self._has_talked(lone, books):
            lone.ask_at_s, lone.since, lone.ring_id, lone.is_silent = now_s + 60 * interval_min, now, "", False
        elif lone.ring_id:
            if now_s > lone.answer_by_s:
                self._answered(False)
        elif now_s >= lone.ask_at_s and self._may_be_asked(lone, books, now_s):
            await self._ask(lone, books, now, now_s)

    def _lone_alarm(self, now: datetime) -> list[Alarm]:
        lone = self._lone
        if lone is None or not lone.is_silent:
            return []
        return [Alarm("lone_silent", lone.phone, "the lone operator did not answer when asked for a key", now)]

    def _who_is_alone(self) -> str | None:
        """The phone of the only one there. Who is silent, or was paused because the phone was not picked up, or whose
        line is lost for a while, is still the one until somebody else is there."""
        there = self._line.phones_there() - self._own_phones
        if there:
            return min(there) if len(there) == 1 else None
        lone = self._lone
        if lone is None:
            return next((subject for kind, subject in self._standing if kind == "lone_silent"), None)
        pauses = (None, NO_ANSWER)
        stays = lone.is_silent or lone.ring_id or any(place.pause in pauses for place in self._places(lone.phone))
        return lone.phone if stays else None

    def _found_alone(self, phone: str, ask_at_s: float, books: Books, now: datetime) -> _Lone:
        alarm = self._standing.get(("lone_silent", phone))
        if alarm is None:
            return _Lone(phone, ask_at_s, now)
        # it stood when the gateway was started anew: it was raised once a question was not answered
        asked = alarm.raised_at - timedelta(seconds=books.rules.lone_answer_s + ASKING_S)
        return _Lone(phone, ask_at_s, asked, is_silent=True)

    def _has_talked(self, lone: _Lone, books: Books) -> bool:
        """Whether somebody talks at that phone, or has talked since, or calls somebody back. A line that is merely busy
        may only ring."""
        operator = books.operator_at(lone.phone)
        if operator is not None and self._callbacks.is_calling(operator.id):
            return True
        for call in self._running_calls():
            for ring in call.attempts:
                if ring.phone == lone.phone and ring.answered_at is not None and ring.left_at is None:
                    return True
        called_back = None if operator is None else self._callbacks.last_call(operator.id)
        ended_ats = (self._last_talks().get(lone.phone), called_back)
        ended_at = max((each for each in ended_ats if each is not None), default=None)
        if ended_at is None or ended_at == lone.talk_ended_at:
            return False
        lone.talk_ended_at = ended_at
        return ended_at > lone.since

    def _may_be_asked(self, lone: _Lone, books: Books, now_s: float) -> bool:
        """Whether the phone has a place, and a line that is there, and is free or has been busy for too long."""
        places = self._places(lone.phone)
        is_lost = any(place.pause is None for place in places) and lone.phone not in self._line.phones_there()
        if not places or is_lost:
            return False
        return lone.phone not in self._line.busy_phones or now_s > lone.ask_at_s + books.rules.lone_answer_s + ASKING_S

    def _places(self, phone: str) -> list[Place]:
        return [place for place in self._line.places if place.phone == phone]

    async def _ask(self, lone: _Lone, books: Books, now: datetime, now_s: float) -> None:
        rules = books.rules
        lone.since = now
        lone.ring_id = secrets.token_hex(8)
        lone.ask_at_s = now_s + 60 * (rules.lone_check_min or 0)
        lone.answer_by_s = now_s + rules.lone_answer_s + ASKING_S
        try:
            await self._switchboard.ring(Ring(lone.ring_id, LONE, lone.phone, lone.phone, None, rules.lone_answer_s))
        except Refused as refusal:
            log.warning("lone_not_rung", extra={"phone": lone.phone, "reason": str(refusal)})
            self._answered(False)
        except SwitchboardAway:
            lone.ring_id, lone.ask_at_s = "", now_s
            raise

    def _answered(self, is_well: bool) -> None:
        if self._lone:
            self._lone.ring_id = ""
            self._lone.is_silent = not is_well

    # ---------------------------------------------------------------- holes to come

    def _hole_alarms(self, books: Books, now: datetime) -> Iterator[Alarm]:
        """One for each queue that has holes within the horizon."""
        known = self._holes
        if known is None or known[0] is not books or self._clock_s() - known[1] > HOLES_EVERY_S:
            known = self._holes = (books, self._clock_s(), _holes_told(books, now, self._bookkeeper.zone))
        for queue, detail in known[2].items():
            yield Alarm("hole", queue, detail, now)

    # ---------------------------------------------------------------- callers whom nobody called back

    async def _overdue(self, now: datetime) -> list[Alarm]:
        overdue = await self._callbacks.overdue(now)
        if overdue is None:
            return []
        callers = "1 caller waits" if overdue.count == 1 else f"{overdue.count} callers wait"
        due = f"{overdue.first.astimezone(self._bookkeeper.zone):%Y-%m-%d %H:%M}"
        return [Alarm(OVERDUE, "callbacks", f"{callers} to be called back, the first one since {due}", now)]

    # ---------------------------------------------------------------- sound that is not being kept

    def _of_sound(self, now: datetime) -> list[Alarm]:
        found = self._evidence.alarms(now)
        if found is None:
            # not looked at yet: what stood when the gateway was started anew stands
            found = [alarm for alarm in self._standing.values() if alarm.kind in SOUND_KINDS]
        return found

    # ---------------------------------------------------------------- alarms

    async def _read_standing(self) -> None:
        if not self._is_read:
            self._standing = {alarm.key: alarm for alarm in await self._store.standing_alarms()}
            self._is_read = True

    async def _announce(self, should: list[Alarm], now: datetime) -> None:
        changed = changes(should, self._standing, now)
        if not changed:
            return
        self._is_read = False  # whatever becomes of the commit, it is read again
        events = [_event(alarm, now) for alarm in changed if alarm.cleared_at or alarm.key not in self._standing]
        await self._saving.save(Change(alarms=tuple(changed), events=tuple(events)))
        for event in events:
            about = {"kind": event.data["kind"], "subject": event.data["subject"]}
            if about["kind"] == FLOOD_NUMBER:
                del about["subject"]  # a caller's number
            log.warning(event.type.replace(".", "_"), extra=about)


def _event(alarm: Alarm, now: datetime) -> Event:
    what = "cleared" if alarm.cleared_at else "raised"
    return Event(f"alarm.{what}", now, data={"kind": alarm.kind, "subject": alarm.subject, "detail": alarm.detail})


def _holes_told(books: Books, now: datetime, zone: ZoneInfo) -> dict[str, str]:
    """The holes that go on or are to come, in words, by queue. The words stay as they are while the roster does: a hole
    that goes on is looked at from its beginning, as far back as all that was rostered is at hand."""
    since = min(now, moment(books.plan.first + timedelta(days=1), time(), zone))
    until = now + timedelta(days=books.rules.gap_horizon_days)
    found: dict[str, list[Hole]] = {}
    for hole in holes(books, books.plan, since, until):
        if hole.ends_at > now:
            found.setdefault(hole.queue, []).append(hole)
    told = {}
    for queue, (first, *more) in found.items():
        begins = f"{first.starts_at.astimezone(zone):%Y-%m-%d %H:%M}" if first.starts_at > since else ""
        ends = f"{first.ends_at.astimezone(zone):%Y-%m-%d %H:%M}" if first.ends_at < until else ""
        told[queue] = f"{_span(begins, ends)}: {first.rostered} of at least {first.minimum} people"
        if more:
            told[queue] += f", and {len(more)} more"
    return told


def _span(begins: str, ends: str) -> str:
    """Either is empty where it is further away than is looked."""
    if begins and ends:
        return f"{begins} to {ends}"
    if begins:
        return f"from {begins} on"
    return f"until {ends}" if ends else "at any time"
