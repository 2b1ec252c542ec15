"""The books: everything that decides what Asterisk should hold at a moment, and the rule that decides it.

Counterparts: `gateway/bookkeeper.py` reads them from the store; `gateway/level.py` compares `wanted` with what Asterisk
holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, TypeVar

from gateway.domain.advice_rules import AdviceRule
from gateway.domain.agencies import Agency
from gateway.domain.bans import Ban
from gateway.domain.blocks import Block
from gateway.domain.holding import BLOCK, Holding, Member, Phone
from gateway.domain.kept import NEVER, Kept
from gateway.domain.numbers import spellings
from gateway.domain.operators import BadContact, Operator, contact_host
from gateway.domain.presence import Presence, Said
from gateway.domain.queues import Queue
from gateway.domain.retention import RetentionRule
from gateway.domain.roster import OnCall, Plan
from gateway.domain.trunks import Trunk

Held = TypeVar("Held", Trunk, Queue)


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseReason(Kept):
    """A reason to pause that operators may give: by its name over the API, by its digit on the phone."""

    KIND: ClassVar[str] = "pause_reason"

    digit: str
    name: str


def first_pause_reasons(at: datetime) -> list[PauseReason]:
    """What a new centre's operators may dial after *46 at once; admins make them their own."""
    # a break, a meal, a prayer, the toilet, a meeting, other duty
    names = ("Istirahat", "Makan", "Sholat", "Toilet", "Rapat", "Tugas lain")
    return [PauseReason(digit=str(place), name=name, created_at=at) for place, name in enumerate(names, 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules(Kept):
    """What admins decide about how the centre is staffed and what is an alarm. There is one set of them."""

    KIND: ClassVar[str] = "rules"

    missed_rings_limit: int = 2
    """Rings in a row that a phone may miss before it is paused; 0: never paused."""
    least_rest_h: float = 11.0
    """Hours between two shifts of one operator."""
    gap_horizon_days: int = 7
    """How far ahead a hole in the roster is an alarm."""
    short_after_s: int = 60
    """How long a queue may be short of operators before the on-call list is rung."""
    on_call_ring_s: int = 25
    """How long each person of the on-call list is rung."""
    on_call_again_min: int = 10
    """How long after its end the list is begun anew while the queue is still short."""
    lone_check_min: int | None = None
    """How often a lone operator is asked for a key; None: never."""
    lone_answer_s: int = 60
    """How long that operator's phone rings."""
    callback_target_min: int = 10
    """Within how many minutes a caller whom nobody heard should be called back."""
    callback_abroad: bool = False
    """Whether numbers abroad are called back too, at the centre's cost."""
    flood_trunk_per_min: int | None = None
    """More calls a minute on one trunk are a flood, whatever is usual; None: only its habit says."""
    flood_factor: float = 5.0
    """How many times the usual is a flood."""
    flood_number_per_10min: int = 10
    """More calls of one number in ten minutes are a flood."""
    quiet_after_min: int = 30
    """A trunk that has been quiet for less is no alarm, however busy it usually is."""
    keep_recordings_days: int = 365
    """How long a recording is kept where no retention rule fits."""


@dataclass(frozen=True)
class Books:
    """Everything that is kept, as of one moment. `default_queue` is where a login without any other queue leads."""

    plan: Plan
    default_queue: str
    rules: Rules
    operators: Mapping[int, Operator] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    trunks: Mapping[str, Trunk] = field(default_factory=dict)
    standing: tuple[Member, ...] = ()
    """Places that are kept whatever the roster says."""
    presences: Mapping[int, Presence] = field(default_factory=dict)
    on_call: tuple[OnCall, ...] = ()
    pause_reasons: tuple[PauseReason, ...] = ()
    agencies: tuple[Agency, ...] = ()
    advice_rules: tuple[AdviceRule, ...] = ()
    retention_rules: tuple[RetentionRule, ...] = ()
    blocks: tuple[Block, ...] = ()
    """Those that were in force when the books were read; some may be over by now."""
    bans: tuple[Ban, ...] = ()
    """Those of addresses at the SIP door; some may be over."""

    def block_of(self, number: str, at: datetime) -> Block | None:
        """The block of that number, in any spelling, that is in force then."""
        return next((each for each in self.blocks if each.is_of(number) and each.is_in_force(at)), None)

    def known_addresses(self) -> tuple[str, ...]:
        """Where trunks and phones with a fixed address are: nobody bans them."""
        things = (*self.trunks.values(), *self.operators.values())
        return tuple(address for thing in things for address in addresses_of(thing))

    def operator_at(self, phone: str) -> Operator | None:
        """The active operator with that phone."""
        return next((each for each in self.operators.values() if each.phone == phone), None)

    def presence(self, operator_id: int) -> Presence:
        return self.presences.get(operator_id) or Presence(operator_id)

    def with_presence(self, presence: Presence) -> "Books":
        """These books, with that operator's presence."""
        return replace(self, presences={**self.presences, presence.operator_id: presence})

    def said(self, operator_id: int, at: datetime) -> Said | None:
        """What the operator said that still holds at that time. A logout holds until a duty begins after it, a login
        until one begins or ends, also one that nobody had planned yet when it was said."""
        presence = self.presence(operator_id)
        said = presence.says(at)
        if said is None or presence.said_at is None:
            return said
        ends = self.next_start if said is Said.OUT else self.plan.own_next_change
        ends_at = ends(operator_id, presence.said_at)
        return None if ends_at is not None and ends_at <= at else said

    def next_start(self, operator_id: int, after: datetime) -> datetime | None:
        """When the roster brings this operator next, as far as the plan goes."""
        starts = (duty.starts_at for duty in self.plan.of_operator(operator_id))
        return min((start for start in starts if start > after), default=None)

    def trunks_by_queue(self, of_settings: Mapping[str, str | None]) -> dict[str, tuple[str, ...]]:
        """Every queue that calls may come to, with the trunks whose calls come there first: by what the settings say of
        a trunk, else its own queue, else the centre's. A queue of an advice rule has none of its own."""
        found: dict[str, list[str]] = {self.default_queue: []}
        for trunk in self.trunks.values():
            own = trunk.queue if trunk.queue in self.queues else None
            named = of_settings.get(trunk.name)
            first = named if named in self.queues else None
            found.setdefault(own or self.default_queue, [])
            found.setdefault(first or own or self.default_queue, []).append(trunk.name)
        for rule in self.advice_rules:
            if rule.queue is not None and rule.queue in self.queues:
                found.setdefault(rule.queue, [])
        return {queue: tuple(sorted(trunks)) for queue, trunks in found.items()}

    def home_queues(self, operator: Operator) -> tuple[str, ...]:
        """Where a login leads outside of any shift."""
        return tuple(name for name in operator.home_queues if name in self.queues) or (self.default_queue,)

    def places(self, at: datetime) -> dict[tuple[str, str], Member]:
        """Who should be in which queue at that time, by queue and phone."""
        rostered = self._rostered(at)
        found: dict[tuple[str, str], Member] = {}
        for operator in self.operators.values():
            presence, says = self.presence(operator.id), self.said(operator.id, at)
            if says is Said.OUT:
                continue
            penalties = dict(rostered.get(operator.phone, {}))
            if says is Said.IN:
                for queue in presence.queues:
                    penalties.setdefault(queue, 0)
            for queue, penalty in penalties.items():
                if queue in self.queues:
                    member = Member(queue, operator.phone, penalty, presence.pause)
                    found[member.key] = member
        return found

    def places_if_in(self, operator: Operator, at: datetime) -> dict[str, int]:
        """Where a login of this operator at that time leads: queues with their penalties."""
        return self._places_if_in(operator, self._rostered(at))

    def logins(self, at: datetime) -> dict[str, dict[str, int]]:
        """The same of every operator, by phone."""
        rostered = self._rostered(at)
        return {operator.phone: self._places_if_in(operator, rostered) for operator in self.operators.values()}

    def _places_if_in(self, operator: Operator, rostered: Mapping[str, dict[str, int]]) -> dict[str, int]:
        return rostered.get(operator.phone) or dict.fromkeys(self.home_queues(operator), 0)

    def _rostered(self, at: datetime) -> dict[str, dict[str, int]]:
        """Where each phone has a place by the roster or at any hour: queues with the lowest of the penalties."""
        found: dict[str, dict[str, int]] = {}
        for member in self.standing:
            found.setdefault(member.phone, {})[member.queue] = member.penalty
        for duty in self.plan.on_duty(at):
            if (operator := self.operators.get(duty.operator_id)) is not None:
                penalties = found.setdefault(operator.phone, {})
                penalties[duty.queue] = min(duty.penalty, penalties.get(duty.queue, duty.penalty))
        return found


def wanted(books: Books, always: Holding, at: datetime) -> Holding:
    """What Asterisk should hold at that time: each operator's phone and places, trunks, queues, the notes that the
    dialplan reads, and what always stands (`always`)."""
    phones = {
        operator.phone: Phone(
            operator.phone,
            operator.digest,
            operator.contact,
            operator.sound_encryption,
            operator.digest_sha256 if always.offers_sha256 else "",
        )
        for operator in books.operators.values()
    }
    return Holding(
        phones={**phones, **always.phones},
        members={**books.places(at), **always.members},
        trunks={**{name: as_held(trunk) for name, trunk in books.trunks.items()}, **always.trunks},
        queues={**{name: as_held(queue) for name, queue in books.queues.items()}, **always.queues},
        notes={**dict(_notes(books, at)), **always.notes},
        banned=frozenset(ban.address for ban in books.bans if ban.is_in_force(at)),
        never_banned=never_banned(books, always),
    )


def never_banned(books: Books, always: Holding) -> tuple[str, ...]:
    """The addresses and networks that the SIP door lets in whatever stands on the list: of every trunk, of phones with
    a fixed address, and what always stands."""
    own = (address for trunk in always.trunks.values() for address in trunk.addresses)
    return (*books.known_addresses(), *own, *always.never_banned)


def addresses_of(thing: Kept) -> tuple[str, ...]:
    """The addresses and networks from which a trunk's calls come, and where a phone with a fixed address is."""
    if isinstance(thing, Trunk):
        return thing.addresses
    if not isinstance(thing, Operator) or thing.contact is None:
        return ()
    try:
        host = contact_host(thing.contact)
    except BadContact:
        return ()
    return (host,) if host else ()


def as_held(thing: Held) -> Held:
    """A trunk or a queue as Asterisk can hold it: without what is the centre's own business."""
    if isinstance(thing, Queue):
        return replace(thing, id=0, version=0, created_at=NEVER, minimum=0, max_wait_s=0, max_waiting=0)
    return replace(thing, id=0, version=0, created_at=NEVER, carrier="", channels=None)


def _notes(books: Books, at: datetime) -> Iterator[tuple[str, str]]:
    """What the dialplan looks up at call time: where a login leads, what a pause's digit means, how long to wait and
    how many may, which queue is the centre's own, how many calls a trunk is to carry, whom an agency's key rings, until
    when a number is blocked."""
    for phone, places in books.logins(at).items():
        yield f"login/{phone}", "&".join(f"{queue}={penalty}" for queue, penalty in sorted(places.items()))
    for reason in books.pause_reasons:
        yield f"pause/{reason.digit}", reason.name
    for queue in books.queues.values():
        yield f"wait/{queue.name}", str(queue.max_wait_s)
        if queue.max_waiting:
            yield f"full/{queue.name}", str(queue.max_waiting)
    if books.default_queue in books.queues:
        yield "queue/own", books.default_queue
    for trunk in books.trunks.values():
        if trunk.channels is not None:
            yield f"channels/{trunk.name}", str(trunk.channels)
    for agency in books.agencies:
        path = f"agency/{agency.service}"
        yield f"{path}/phones", "&".join(phone.address for phone in agency.phones)
        yield f"{path}/name", agency.name
        yield f"{path}/ring", str(agency.ring_s)
    for block in sorted(books.blocks, key=lambda each: each.until):  # of two for one number the longer one holds
        if block.is_in_force(at):
            for spelling in spellings(block.number):
                yield f"{BLOCK}/{spelling}", block.note
