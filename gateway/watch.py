"""The watch: what must not wait for somebody to look. A queue that is short of people in fact, and the on-call list
that is rung for it; a lone operator, who is asked whether all is well; holes in the roster to come. Each is an alarm
while it lasts.

Counterparts: `keeper.py` asks once a second; `on_call.py` rings through the list; the live board says who is there.
"""

import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.bookkeeper import Bookkeeper
from gateway.domain.alarms import Alarm, changes
from gateway.domain.books import Books
from gateway.domain.change import Change
from gateway.domain.coverage import Hole, holes
from gateway.domain.events import Event
from gateway.domain.facts import RingFact
from gateway.line import Line
from gateway.on_call import OnCallList
from gateway.ports import Refused, Ring, Store, Switchboard
from gateway.saving import Saving

log = logging.getLogger(__name__)

HOLES_EVERY_S = 60.0
RING_LONGEST_S = 30.0
"""How long a ring may take besides the ringing: the question, twice, and the key."""
LONE = "lone"


@dataclass(slots=True)
class _Lone:
    """Who is alone, when that one is asked next, and what became of the last question."""

    phone: str
    ask_at_s: float
    ring_id: str = ""
    answer_by_s: float = 0.0
    is_silent: bool = False


class Watch:
    """`is_seeing` says whether the board is true now; `clock_s` is a clock that never leaps, in seconds; `own_phones`
    are those of the centre itself (the probe's)."""

    def __init__(
        self,
        *,
        store: Store,
        saving: Saving,
        bookkeeper: Bookkeeper,
        switchboard: Switchboard,
        line: Line,
        on_call: OnCallList,
        is_seeing: Callable[[], bool],
        clock_s: Callable[[], float],
        own_phones: frozenset[str],
    ) -> None:
        self._store = store
        self._saving = saving
        self._bookkeeper = bookkeeper
        self._switchboard = switchboard
        self._line = line
        self._on_call = on_call
        self._is_seeing = is_seeing
        self._clock_s = clock_s
        self._own_phones = own_phones
        self._short_since_s: dict[str, float] = {}
        self._lone: _Lone | None = None
        self._holes: tuple[Books, float, list[Hole]] | None = None
        self._standing: dict[tuple[str, str], Alarm] | None = None

    async def tick(self, now: datetime) -> None:
        """One look around. Raises StoreAway, SwitchboardAway."""
        books = await self._bookkeeper.at_hand()
        await self._alarms()
        should = list(self._hole_alarms(books, now))
        if self._is_seeing():
            should += await self._short(books, now)
            should += await self._alone(books, now)
        else:
            # nobody knows who is there: what stood stands
            should += [alarm for alarm in await self._alarms() if alarm.kind != "hole"]
        await self._announce(should, now)

    def hear(self, fact: RingFact) -> None:
        """Takes what came of a ring. Never waits."""
        if fact.step != LONE:
            self._on_call.hear(fact)
        elif self._lone and self._lone.ring_id == fact.ring_id:
            self._answered(fact.has_agreed)

    def ring_failed(self, ring_id: str) -> None:
        """Takes that nobody picked up. Never waits."""
        if self._lone and self._lone.ring_id == ring_id:
            self._answered(False)
        self._on_call.failed(ring_id)

    # ---------------------------------------------------------------- short of people

    async def _short(self, books: Books, now: datetime) -> list[Alarm]:
        found = []
        missing: dict[str, int] = {}
        for queue in books.queues.values():
            there = len(self._line.phones_there(queue.name))
            if there >= queue.minimum:
                self._short_since_s.pop(queue.name, None)
                continue
            since_s = self._short_since_s.setdefault(queue.name, self._clock_s())
            # one that stood when the gateway was started anew stands on
            stands = ("short", queue.name) in (self._standing or {})
            if stands or self._clock_s() - since_s >= books.rules.short_after_s:
                missing[queue.name] = queue.minimum - there
                detail = f"{there} of at least {queue.minimum} operators are there"
                found.append(Alarm("short", queue.name, detail, now))
        await self._on_call.ring_for(missing, books, self._line.phones_there(), now)
        return found

    # ---------------------------------------------------------------- a lone operator

    async def _alone(self, books: Books, now: datetime) -> list[Alarm]:
        there = self._line.phones_there() - self._own_phones
        interval_min = books.rules.lone_check_min
        if interval_min is None or len(there) != 1:
            self._lone = None
            return []
        [phone] = there
        now_s = self._clock_s()
        if self._lone is None or self._lone.phone != phone:
            stands = ("lone_silent", phone) in (self._standing or {})
            self._lone = _Lone(phone, now_s + 60 * interval_min, is_silent=stands)
        lone = self._lone
        if lone.ring_id:
            if now_s > lone.answer_by_s:
                self._answered(False)
        elif phone in self._line.busy_phones:
            # on a call: somebody is there, and awake
            lone.ask_at_s, lone.is_silent = now_s + 60 * interval_min, False
        elif now_s >= lone.ask_at_s:
            await self._ask(lone, books, now_s)
        if not lone.is_silent:
            return []
        return [Alarm("lone_silent", phone, "the lone operator did not answer when asked for a key", now)]

    async def _ask(self, lone: _Lone, books: Books, now_s: float) -> None:
        rules = books.rules
        lone.ring_id = secrets.token_hex(8)
        lone.ask_at_s = now_s + 60 * (rules.lone_check_min or 0)
        lone.answer_by_s = now_s + rules.lone_answer_s + RING_LONGEST_S
        try:
            await self._switchboard.ring(Ring(lone.ring_id, LONE, lone.phone, lone.phone, None, rules.lone_answer_s))
        except Refused as refusal:
            log.warning("lone_not_rung", extra={"phone": lone.phone, "reason": str(refusal)})
            self._answered(False)

    def _answered(self, is_well: bool) -> None:
        if self._lone:
            self._lone.ring_id = ""
            self._lone.is_silent = not is_well

    # ---------------------------------------------------------------- holes to come

    def _hole_alarms(self, books: Books, now: datetime) -> Iterator[Alarm]:
        """One for each queue that has holes within the horizon."""
        known = self._holes
        if known is None or known[0] is not books or self._clock_s() - known[1] > HOLES_EVERY_S:
            until = now + timedelta(days=books.rules.gap_horizon_days)
            known = self._holes = (books, self._clock_s(), holes(books, books.plan, now, until))
        first: dict[str, Hole] = {}
        for hole in known[2]:
            first.setdefault(hole.queue, hole)
        for queue, hole in first.items():
            count = sum(each.queue == queue for each in known[2])
            yield Alarm("hole", queue, _told(hole, count, self._bookkeeper.zone), now)

    # ---------------------------------------------------------------- alarms

    async def _alarms(self) -> list[Alarm]:
        if self._standing is None:
            self._standing = {alarm.key: alarm for alarm in await self._store.standing_alarms()}
        return list(self._standing.values())

    async def _announce(self, should: list[Alarm], now: datetime) -> None:
        await self._alarms()
        standing = self._standing or {}
        changed = changes(should, standing, now)
        if not changed:
            return
        self._standing = None  # whatever becomes of the commit, it is read again
        events = [_event(alarm, now) for alarm in changed if alarm.cleared_at or alarm.key not in standing]
        await self._saving.save(Change(alarms=tuple(changed), events=tuple(events)))


def _event(alarm: Alarm, now: datetime) -> Event:
    what = "cleared" if alarm.cleared_at else "raised"
    return Event(f"alarm.{what}", now, data={"kind": alarm.kind, "subject": alarm.subject, "detail": alarm.detail})


def _told(hole: Hole, count: int, zone: ZoneInfo) -> str:
    starts_at, ends_at = hole.starts_at.astimezone(zone), hole.ends_at.astimezone(zone)
    first = f"{starts_at:%Y-%m-%d %H:%M} to {ends_at:%Y-%m-%d %H:%M}: {hole.rostered} of at least {hole.minimum} people"
    return first if count == 1 else f"{first}, and {count - 1} more"
