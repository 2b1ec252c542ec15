"""The live board: how each phone stands now, in the queues' eyes. It is a picture, not a record: the journal is that.

Counterpart: Asterisk's queue events over AMI keep it between two full looks (QueueStatus).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from gateway.asterisk.elsewhere import contact_host, leads_elsewhere
from gateway.asterisk.framing import Message
from gateway.asterisk.knocking import REFUSED
from gateway.asterisk.translator import TECHNOLOGY, is_phone
from gateway.domain.holding import SHIFT_OVER
from gateway.domain.places import Place

STATES: Mapping[str, str] = {
    "1": "free",
    "2": "talking",
    "3": "talking",
    "4": "unavailable",
    "5": "unavailable",
    "6": "ringing",
    "7": "talking",
    "8": "talking",
}
"""Asterisk's device states (ast_device_state) as people call them; any other number is `unknown`. A phone that takes
one call at a time is busy from the first ring on, which is called talking here: the journal knows better
(`domain/picture.py`)."""

_CHANGES = {"QueueMemberAdded", "QueueMemberStatus", "QueueMemberPause", "QueueMember"}
_TOUCHES = {"QueueMemberAdded", "QueueMemberRemoved", "QueueMemberPause", "QueueMemberPenalty"}
_CONTACTS: Mapping[str, bool] = {"Reachable": True, "Unreachable": False}


class Board:
    """What is known of every place and trunk, and what happened at the door (see line.Line). `clock` returns the time
    now, in UTC."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._places: dict[tuple[str, str], Place] = {}
        self._trunks_up: dict[str, bool] = {}
        self._registered: dict[str, bool] = {}
        self.carriers: tuple[str, ...] = ()
        """Where the trunks' calls come from, as of the last full look."""
        self.phone_addresses: frozenset[str] = frozenset()
        """Where phones are registered, as of the last full look."""
        self._heard: set[tuple[str, str]] = set()
        self._heard_trunks: set[str] = set()
        """Of whom events told since a full look began."""
        self.refused_requests: dict[str, int] = {}
        """SIP requests that were not let in, by Asterisk's word for the reason."""
        self.changes = 0
        """Grows with every change of a place."""

    def begin_look(self) -> None:
        """To be called before Asterisk is asked for what `look` and `look_at_trunks` take: events that are heard
        until then tell of something newer than the answer does, or are followed by one that does."""
        self._heard.clear()
        self._heard_trunks.clear()

    def look(self, status: Iterable[Message]) -> None:
        """Takes a whole QueueStatus: places that are not in it are gone."""
        found = [self._place(event) for event in status if event.name == "QueueMember"]
        places = {(place.queue, place.phone): place for place in found if is_phone(place.phone)}
        for key in self._heard:
            places.pop(key, None)
            if key in self._places:
                places[key] = self._places[key]
        self.changes += self._places != places
        self._places = places

    def hear(self, event: Message) -> None:
        """Takes an event of the link; those that are not about the board change nothing."""
        if event.name in _CHANGES:
            self._put(event)
        elif event.name == "QueueMemberRemoved":
            key = event.get("Queue", ""), member_phone(event)
            self._heard.add(key)
            self._places.pop(key, None)
            self.changes += 1
        elif event.name == "ContactStatus":
            self._heard_trunks.add(event.get("AOR"))
            self._contact(event.get("AOR"), event.get("ContactStatus"))
        elif event.name in REFUSED and event.get("Service") == "PJSIP":
            self.refused_requests[event.name] = self.refused_requests.get(event.name, 0) + 1

    def is_touched_by(self, event: Message) -> bool:
        """Whether the event tells that somebody changed the members, that one who was to leave is off the line, or that
        a phone would be rung elsewhere."""
        if event.name == "ContactStatus":
            is_there = is_phone(event.get("AOR")) and event.get("ContactStatus") != "Removed"
            return is_there and leads_elsewhere(event.get("URI"), self.carriers)
        return event.name in _TOUCHES or (
            event.name == "QueueMemberStatus" and event.get("PausedReason") == SHIFT_OVER and event.get("Status") == "1"
        )

    def look_at_contacts(self, contacts: Iterable[Message]) -> None:
        """Takes a whole PJSIPShowContacts: what is registered, which no trunk is."""
        self.phone_addresses = frozenset(filter(None, map(_phone_host, contacts)))

    def look_at_trunks(self, told: Iterable[Message], registering: Iterable[str] = ()) -> None:
        """Takes a PJSIPShowEndpoint of each trunk that is asked whether it is there, and a whole
        PJSIPShowRegistrationsOutbound. `registering` are the trunks that have a registration: Asterisk lists none that
        it could not make, as over TLS where the centre has none."""
        before = self._trunks_up, self._registered
        self._trunks_up = {name: is_up for name, is_up in self._trunks_up.items() if name in self._heard_trunks}
        self._registered = dict.fromkeys(registering, False)
        for event in told:
            if event.name == "ContactStatusDetail" and event.get("AOR") not in self._heard_trunks:
                self._contact(event.get("AOR"), event.get("Status"))
            elif event.name == "OutboundRegistrationDetail":
                self._registered[event.get("ObjectName").rpartition("-reg-")[0]] = event.get("Status") == "Registered"
        self.changes += before != (self._trunks_up, self._registered)

    @property
    def places(self) -> list[Place]:
        return list(self._places.values())

    @property
    def phone_states(self) -> Mapping[str, str]:
        """How each phone stands, by its number."""
        return {place.phone: place.state for place in self._places.values()}

    @property
    def busy_phones(self) -> frozenset[str]:
        """Phones that ring or talk."""
        return frozenset(place.phone for place in self._places.values() if place.line in ("ringing", "talking"))

    @property
    def trunks_up(self) -> Mapping[str, bool]:
        return self._trunks_up

    @property
    def trunks_registered(self) -> Mapping[str, bool]:
        return self._registered

    def phones_there(self, queue: str | None = None) -> frozenset[str]:
        """The phones with an operator who takes calls of that queue, or of any."""
        return frozenset(
            place.phone for place in self._places.values() if place.is_there and queue in (None, place.queue)
        )

    def _contact(self, aor: str, status: str) -> None:
        """Whether a trunk answers. A contact that is not asked has no status that would say so."""
        if not is_phone(aor) and status in _CONTACTS:
            is_up = _CONTACTS[status]
            self.changes += self._trunks_up.get(aor) is not is_up
            self._trunks_up[aor] = is_up

    def _put(self, event: Message) -> None:
        place = self._place(event)
        if is_phone(place.phone):
            self._heard.add((place.queue, place.phone))
            self._places[(place.queue, place.phone)] = place
            self.changes += 1

    def _place(self, event: Message) -> Place:
        """The place as the event tells it. A line that stands as it stood before keeps its time."""
        queue, phone = event.get("Queue", ""), member_phone(event)
        line = STATES.get(event.get("Status", ""), "unknown")
        is_paused = event.get("Paused") == "1"
        before = self._places.get((queue, phone))
        resumed_at = before.resumed_at if before else None
        if before and before.pause is not None and not is_paused:
            resumed_at = self._clock()
        return Place(
            queue=queue,
            phone=phone,
            line=line,
            pause=event.get("PausedReason") if is_paused else None,
            paused_since=_time(event.get("LastPause")) if is_paused else None,
            last_call_ended_at=_time(event.get("LastCall")),
            line_since=before.line_since if before and before.line == line else self._clock(),
            resumed_at=resumed_at,
        )


def _phone_host(contact: Message) -> str:
    """The address of a phone's contact, as PJSIPShowContacts tells it; empty where it is a trunk's, or a name.
    Asterisk writes a registered one with the address that it really came from (rewrite_contact)."""
    is_of_phone = contact.name == "ContactList" and is_phone(contact.get("ObjectName").partition(";@")[0])
    return contact_host(contact.get("Uri")) if is_of_phone else ""


def member_phone(event: Message) -> str:
    """The phone that an event of a queue's member is about."""
    return (event.get("Interface") or event.get("Location", "")).removeprefix(TECHNOLOGY)


def _time(seconds: str) -> datetime | None:
    """A time in seconds since 1970; Asterisk writes 0 for never."""
    return datetime.fromtimestamp(int(seconds), UTC) if seconds.isdigit() and int(seconds) else None
