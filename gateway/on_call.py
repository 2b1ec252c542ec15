"""The on-call list: rung one after the other while a queue is short of people, until enough have said that they come.

Counterparts: `watch.py` says which queues are short; `dialplan/centre.conf` asks for the 1; `office.py` lets in whoever
was rung at his own phone. People are rung and let in first and told of after: a store that is away silences nobody.
"""

import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.domain.audit import CENTRE, Actor, Deed
from gateway.domain.books import Books
from gateway.domain.change import Change
from gateway.domain.duty import Step
from gateway.domain.facts import RingFact
from gateway.domain.roster import OnCall
from gateway.domain.tokens import Role
from gateway.line import Line
from gateway.office import Office
from gateway.ports import Refused, Ring, StoreAway, Switchboard, SwitchboardAway
from gateway.saving import Saving

log = logging.getLogger(__name__)

STEP = "on-call"
ASKING_S = 45.0
"""How long any ring of the centre's own may take besides the ringing. The longer question lasts 7.2 s and is asked
twice, with 8 s for a key after each, one second before the first: 31.4 s; the rest is for the call to be set up, and
for the journal to be read and stored."""
LATE = timedelta(minutes=15)
"""After that, an old yes is none any more."""
HEARD_KEPT, UNTOLD_KEPT = 100, 200
"""What was said, and what is to be told, while the store is away; then the oldest is lost."""


@dataclass(slots=True)
class _Round:
    """One way through the list for one queue."""

    asked: set[int] = field(default_factory=set)
    coming: set[int] = field(default_factory=set)
    """The operators who said yes, by id."""
    ringing: OnCall | None = None
    ring_id: str = ""
    until_s: float = 0.0
    """When the ring that goes on is given up, or when the list is begun anew."""


class OnCallList:
    """`clock_s` is a clock that never leaps, in seconds; `clock` returns the time now, in UTC."""

    def __init__(
        self,
        *,
        saving: Saving,
        switchboard: Switchboard,
        office: Office,
        clock: Callable[[], datetime],
        clock_s: Callable[[], float],
    ) -> None:
        self._saving = saving
        self._switchboard = switchboard
        self._office = office
        self._clock = clock
        self._clock_s = clock_s
        self._rounds: dict[str, _Round] = {}
        self._heard: dict[str, RingFact] = {}
        """What was said and is not handled yet, by the ring's id."""
        self._failed: deque[str] = deque(maxlen=HEARD_KEPT)
        self._untold: deque[Deed] = deque(maxlen=UNTOLD_KEPT)

    def hear(self, fact: RingFact) -> None:
        """Takes what somebody said. Never waits."""
        self._keep(fact)

    def failed(self, ring_id: str) -> None:
        """Takes that nobody picked up. Never waits."""
        self._failed.append(ring_id)

    async def ring_for(self, missing: Mapping[str, int], books: Books, line: Line, now: datetime) -> None:
        """Goes on ringing for the queues that are short, by how many people; stops for those that are not any more.
        What it does is told as soon as the store takes it.

        Raises SwitchboardAway.
        """
        try:
            await self._take_heard(books, now)
            while self._failed:
                self._end(self._failed.popleft(), "not_reached", books)
            self._give_up(books)
            for queue in self._rounds.keys() - missing.keys():
                if self._rounds[queue].ringing is None:
                    del self._rounds[queue]
            for queue, count in missing.items():
                await self._go_on(queue, count, books, line, now)
        finally:
            await self._tell_all()

    async def _take_heard(self, books: Books, now: datetime) -> None:
        for fact in list(self._heard.values()):
            self._heard.pop(fact.ring_id, None)
            try:
                await self._said(fact, books, now)
            except (StoreAway, SwitchboardAway) as error:
                log.warning("on_call_not_let_in_yet", extra={"about": fact.about, "reason": str(error)})
                self._keep(fact)

    def _keep(self, fact: RingFact) -> None:
        while len(self._heard) >= HEARD_KEPT:
            lost = self._heard.pop(next(iter(self._heard)))
            log.error("on_call_answer_lost", extra={"about": lost.about})
        self._heard[fact.ring_id] = fact

    def _give_up(self, books: Books) -> None:
        """Ends the rings of which nothing was heard in time, whether or not their queues are still short."""
        for going in list(self._rounds.values()):
            if going.ringing is not None and self._clock_s() > going.until_s:
                self._end(going.ring_id, "not_reached", books)

    async def _go_on(self, queue: str, count: int, books: Books, line: Line, now: datetime) -> None:
        now_s = self._clock_s()
        going = self._rounds.setdefault(queue, _Round())
        if going.ringing is not None:
            return
        if going.until_s and now_s > going.until_s:
            going = self._rounds[queue] = _Round()
        coming = {books.operators[each].phone for each in going.coming if each in books.operators}
        person = None
        if len(coming - line.phones_there(queue)) < count:
            person = next(iter(self._ready(queue, going, books, line.phones_there(), now)), None)
        if person is None:
            going.until_s = going.until_s or now_s + 60 * books.rules.on_call_again_min
            return
        await self._ring(queue, going, person, books)

    def _ready(self, queue: str, going: _Round, books: Books, there: frozenset[str], now: datetime) -> Iterable[OnCall]:
        """Whom the list has left: ready now, not asked in this round, not coming or there already, and not being
        rung."""
        ringing = {each.ringing.operator_id for each in self._rounds.values() if each.ringing}
        for person in books.on_call:
            operator = books.operators.get(person.operator_id)
            if (
                operator is not None
                and person.is_ready(now)
                and (not person.queues or queue in person.queues)
                and person.id not in going.asked
                and operator.phone not in there
                and person.operator_id not in ringing | going.coming
            ):
                yield person

    async def _ring(self, queue: str, going: _Round, person: OnCall, books: Books) -> None:
        """Raises SwitchboardAway; the person counts as not asked then."""
        ring_id = secrets.token_hex(8)
        phone = person.number or books.operators[person.operator_id].phone
        ring = Ring(ring_id, STEP, f"{person.id}/{queue}", phone, person.trunk, books.rules.on_call_ring_s)
        try:
            await self._switchboard.ring(ring)
        except Refused as refusal:
            log.warning("on_call_not_rung", extra={"on_call": person.id, "reason": str(refusal)})
            going.asked.add(person.id)
            going.until_s = 0.0
            self._tell("not_reached", person, queue, books)
            return
        going.asked.add(person.id)
        going.ringing, going.ring_id = person, ring_id
        going.until_s = self._clock_s() + books.rules.on_call_ring_s + ASKING_S
        self._tell("rung", person, queue, books)

    async def _said(self, fact: RingFact, books: Books, now: datetime) -> None:
        """Raises StoreAway, SwitchboardAway: a yes is to be taken once more then."""
        if not fact.has_agreed:
            self._end(fact.ring_id, "declined", books)
            return
        rung = self._close(fact.ring_id)
        if rung is None:
            # it came late, or the gateway was started anew while the phone rang: the journal says who was asked, and
            # for which queue
            on_call_id, _, queue = fact.about.partition("/")
            person = next((each for each in books.on_call if str(each.id) == on_call_id), None)
            if person is None or now - fact.at >= LATE:
                log.warning("on_call_answer_too_late", extra={"about": fact.about})
                return
            rung = queue, person
        queue, person = rung
        if queue in self._rounds:
            self._rounds[queue].asked.add(person.id)
            self._rounds[queue].coming.add(person.operator_id)
        await self._let_in(person, queue, books)
        self._tell("accepted", person, queue, books)

    def _end(self, ring_id: str, how: str, books: Books) -> None:
        """A ring is over, and nobody comes by it."""
        if (rung := self._close(ring_id)) is not None:
            queue, person = rung
            self._tell(how, person, queue, books)

    def _close(self, ring_id: str) -> tuple[str, OnCall] | None:
        """Lets the round go on; returns its queue and who was rung, where the ring went on."""
        for queue, going in self._rounds.items():
            if going.ringing is not None and going.ring_id == ring_id:
                person = going.ringing
                going.ringing, going.ring_id, going.until_s = None, "", 0.0
                return queue, person
        return None

    async def _let_in(self, person: OnCall, queue: str, books: Books) -> None:
        """Who agreed at his own phone is in the queue at once; who was rung elsewhere is on the way.

        Raises StoreAway, SwitchboardAway.
        """
        operator = books.operators.get(person.operator_id)
        if operator is not None and person.number is None:
            actor = Actor(operator.name, Role.OPERATOR, f"phone {operator.phone}")
            try:
                await self._office.step(operator, Step.LOG_IN, actor, queues=(queue,))
            except Refused as refusal:
                log.warning("on_call_not_let_in", extra={"on_call": person.id, "reason": str(refusal)})

    def _tell(self, what: str, person: OnCall, queue: str, books: Books) -> None:
        operator = books.operators.get(person.operator_id)
        data = {
            "on_call_id": person.id,
            "operator_id": person.operator_id,
            "name": operator.name if operator else None,
            "queue": queue,
        }
        if len(self._untold) == UNTOLD_KEPT:
            log.error("on_call_deed_lost", extra={"action": self._untold[0].action, "subject": self._untold[0].subject})
        self._untold.append(
            Deed(self._clock(), CENTRE, f"on_call.{what}", subject=f"on_call/{person.id}", data=data, note=queue)
        )

    async def _tell_all(self) -> None:
        """Stores what was done, in its order; once more at the next call where the store is away."""
        if not self._untold:
            return
        try:
            await self._saving.save(Change(deeds=tuple(self._untold)))
        except StoreAway as error:
            log.warning("on_call_not_told_yet", extra={"count": len(self._untold), "reason": str(error)})
        else:
            self._untold.clear()
