"""The on-call list: rung one after the other while a queue is short of people, until enough have said that they come.

Counterparts: `watch.py` says which queues are short; `dialplan/centre.conf` asks for the 1; `office.py` lets in whoever
was rung at his own phone.
"""

import logging
import secrets
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
from gateway.office import Office
from gateway.ports import Refused, Ring, Switchboard, SwitchboardAway
from gateway.saving import Saving

log = logging.getLogger(__name__)

STEP = "on-call"
ASKING_S = 30.0
"""How long a ring may take besides the ringing: the question, twice, and the key."""
LATE = timedelta(minutes=15)
"""After that, an old yes is none any more."""


@dataclass(slots=True)
class _Round:
    """One way through the list for one queue."""

    asked: set[int] = field(default_factory=set)
    coming: set[int] = field(default_factory=set)
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
        self._heard: list[RingFact] = []
        self._failed: list[str] = []

    def hear(self, fact: RingFact) -> None:
        """Takes what somebody said. Never waits."""
        self._heard.append(fact)

    def failed(self, ring_id: str) -> None:
        """Takes that nobody picked up. Never waits."""
        self._failed.append(ring_id)

    async def ring_for(self, missing: Mapping[str, int], books: Books, there: frozenset[str], now: datetime) -> None:
        """Goes on ringing for the queues that are short, by how many people; stops for those that are not any more.

        Raises StoreAway, SwitchboardAway.
        """
        heard, self._heard = self._heard, []
        for fact in heard:
            await self._said(fact, books, now)
        failed, self._failed = self._failed, []
        for ring_id in failed:
            await self._end(ring_id, "not_reached", books)
        for queue in self._rounds.keys() - missing.keys():
            if self._rounds[queue].ringing is None:
                del self._rounds[queue]
        for queue, count in missing.items():
            await self._go_on(queue, count, books, there, now)

    async def _go_on(self, queue: str, count: int, books: Books, there: frozenset[str], now: datetime) -> None:
        now_s = self._clock_s()
        going = self._rounds.setdefault(queue, _Round())
        if going.ringing is not None:
            if now_s > going.until_s:
                await self._end(going.ring_id, "not_reached", books)
            return
        if going.until_s and now_s > going.until_s:
            going = self._rounds[queue] = _Round()
        if len(going.coming) >= count:
            going.until_s = going.until_s or now_s + 60 * books.rules.on_call_again_min
            return
        person = next(iter(self._ready(queue, going, books, there, now)), None)
        if person is None:
            going.until_s = going.until_s or now_s + 60 * books.rules.on_call_again_min
            return
        await self._ring(queue, going, person, books)

    def _ready(self, queue: str, going: _Round, books: Books, there: frozenset[str], now: datetime) -> Iterable[OnCall]:
        """Whom the list has left: ready now, not asked in this round, not there already, and not being rung."""
        ringing = {each.ringing.operator_id for each in self._rounds.values() if each.ringing}
        for person in books.on_call:
            operator = books.operators.get(person.operator_id)
            if (
                operator is not None
                and person.is_ready(now)
                and (not person.queues or queue in person.queues)
                and person.id not in going.asked
                and operator.phone not in there
                and person.operator_id not in ringing
            ):
                yield person

    async def _ring(self, queue: str, going: _Round, person: OnCall, books: Books) -> None:
        going.asked.add(person.id)
        going.ringing, going.ring_id = person, secrets.token_hex(8)
        going.until_s = self._clock_s() + books.rules.on_call_ring_s + ASKING_S
        phone = person.number or books.operators[person.operator_id].phone
        await self._tell("rung", person, queue, books)
        try:
            await self._switchboard.ring(
                Ring(going.ring_id, STEP, f"{person.id}/{queue}", phone, person.trunk, books.rules.on_call_ring_s)
            )
        except Refused as refusal:
            log.warning("on_call_not_rung", extra={"on_call": person.id, "reason": str(refusal)})
            await self._end(going.ring_id, "not_reached", books)

    async def _said(self, fact: RingFact, books: Books, now: datetime) -> None:
        if any(each.ring_id == fact.ring_id for each in self._rounds.values()):
            await self._end(fact.ring_id, "accepted" if fact.has_agreed else "declined", books)
            return
        # the gateway was started anew while the phone rang: the journal says who was asked, and for which queue
        on_call_id, _, queue = fact.about.partition("/")
        person = next((each for each in books.on_call if str(each.id) == on_call_id), None)
        if person and fact.has_agreed and now - fact.at < LATE:
            await self._tell("accepted", person, queue, books)
            await self._let_in(person, queue, books)

    async def _end(self, ring_id: str, how: str, books: Books) -> None:
        """A ring is over."""
        found = next(((queue, each) for queue, each in self._rounds.items() if each.ring_id == ring_id), None)
        if found is None or found[1].ringing is None:
            return
        queue, going = found
        person = found[1].ringing
        going.ringing, going.ring_id, going.until_s = None, "", 0.0
        await self._tell(how, person, queue, books)
        if how == "accepted":
            going.coming.add(person.id)
            await self._let_in(person, queue, books)

    async def _let_in(self, person: OnCall, queue: str, books: Books) -> None:
        """Who agreed at his own phone is in the queue at once; who was rung elsewhere is on the way."""
        operator = books.operators.get(person.operator_id)
        if operator is not None and person.number is None:
            actor = Actor(operator.name, Role.OPERATOR, f"phone {operator.phone}")
            try:
                await self._office.step(operator, Step.LOG_IN, actor, queues=(queue,))
            except (Refused, SwitchboardAway) as error:
                log.warning("on_call_not_let_in", extra={"on_call": person.id, "reason": str(error)})

    async def _tell(self, what: str, person: OnCall, queue: str, books: Books) -> None:
        operator = books.operators.get(person.operator_id)
        data = {
            "on_call_id": person.id,
            "operator_id": person.operator_id,
            "name": operator.name if operator else None,
            "queue": queue,
        }
        deed = Deed(self._clock(), CENTRE, f"on_call.{what}", subject=f"on_call/{person.id}", data=data, note=queue)
        await self._saving.save(Change(deeds=(deed,)))
