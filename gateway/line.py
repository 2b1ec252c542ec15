"""The live picture of the lines: how each phone stands now, and whether each carrier answers. It is a picture, not a
record.

Counterparts: `gateway/asterisk/board.py` keeps it by Asterisk's events; the watch and the API look at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Place:
    """A phone's place in a queue. `line` is how its line stands (free, ringing, talking, unavailable or unknown),
    `pause` why it is not rung, if it is not."""

    queue: str
    phone: str
    line: str
    pause: str | None = None
    paused_since: datetime | None = None
    last_call_ended_at: datetime | None = None

    @property
    def state(self) -> str:
        """In one word: free, ringing, talking, paused, unavailable or unknown."""
        return "paused" if self.pause is not None and self.line == "free" else self.line

    @property
    def is_there(self) -> bool:
        """An operator is at this phone and takes calls: free, or busy with a call and soon free again."""
        return self.pause is None and self.line in {"free", "ringing", "talking"}


class Line(Protocol):
    """What is to be seen of the lines."""

    @property
    def places(self) -> list[Place]:
        """Every phone's every place."""

    @property
    def phone_states(self) -> Mapping[str, str]:
        """How each phone stands, by its number; one that is in no queue is not known."""

    @property
    def busy_phones(self) -> frozenset[str]:
        """Phones that ring or talk."""

    @property
    def trunks_up(self) -> Mapping[str, bool]:
        """Whether each trunk answers that is asked whether it is there."""

    @property
    def changes(self) -> int:
        """Grows with every change of the picture."""

    def phones_there(self, queue: str | None = None) -> frozenset[str]:
        """The phones with an operator who takes calls of that queue, or of any."""
