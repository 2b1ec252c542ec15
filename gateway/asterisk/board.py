"""The live board: how each phone stands now, in the queues' eyes. It is a picture, not a record: the journal is that.

Counterpart: Asterisk's queue events over AMI keep it between two full looks (QueueStatus).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.asterisk.framing import Message
from gateway.asterisk.translator import TECHNOLOGY, is_phone

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
"""Asterisk's device states (ast_device_state) as people call them; any other number is `unknown`."""

_CHANGES = {"QueueMemberAdded", "QueueMemberStatus", "QueueMemberPause", "QueueMember"}
_KNOCKS = {"InvalidAccountID", "InvalidPassword", "ChallengeResponseFailed", "FailedACL"}


@dataclass(frozen=True, slots=True)
class Place:
    """A phone's place in a queue, and whether it could take a call there now."""

    queue: str
    phone: str
    state: str

    @property
    def is_there(self) -> bool:
        """An operator is at this phone: free, or busy with a call and soon free again."""
        return self.state in {"free", "ringing", "talking"}


class Board:
    """What is known of every place, and what happened at the door."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], Place] = {}
        self.refused_requests: dict[str, int] = {}
        """SIP requests that were not let in, by Asterisk's word for the reason."""

    def look(self, status: Iterable[Message]) -> None:
        """Takes a whole QueueStatus: places that are not in it are gone."""
        self._places = {}
        for event in status:
            self.hear(event)

    def hear(self, event: Message) -> None:
        """Takes an event of the link; those that are not about the board change nothing."""
        if event.name in _CHANGES:
            self._put(event)
        elif event.name == "QueueMemberRemoved":
            self._places.pop((event.get("Queue", ""), _phone(event)), None)
        elif event.name in _KNOCKS and event.get("Service") == "PJSIP":
            self.refused_requests[event.name] = self.refused_requests.get(event.name, 0) + 1

    @property
    def phone_states(self) -> Mapping[str, str]:
        """How each phone stands, by its number."""
        return {place.phone: place.state for place in self._places.values()}

    def operators_there(self, queue: str) -> int:
        """How many operators are at their phones for this queue."""
        return sum(place.is_there for place in self._places.values() if place.queue == queue)

    def _put(self, event: Message) -> None:
        phone = _phone(event)
        if is_phone(phone):
            state = "paused" if event.get("Paused") == "1" else STATES.get(event.get("Status", ""), "unknown")
            place = Place(event.get("Queue", ""), phone, state)
            self._places[(place.queue, phone)] = place


def _phone(event: Message) -> str:
    return (event.get("Interface") or event.get("Location", "")).removeprefix(TECHNOLOGY)
