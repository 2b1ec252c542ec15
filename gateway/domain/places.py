"""Places: how each phone stands in each of its queues, as it is seen now.

Counterparts: `gateway/asterisk/board.py` sees them, `gateway/line.py` says where to look; `picture.py` makes the wall's
picture of them.
"""

from dataclasses import dataclass
from datetime import datetime


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
    line_since: datetime | None = None
    """When the line was first seen to stand so."""
    resumed_at: datetime | None = None
    """When a pause was last seen to end."""

    @property
    def state(self) -> str:
        """In one word: free, ringing, talking, paused, unavailable or unknown."""
        return "paused" if self.pause is not None and self.line == "free" else self.line

    @property
    def is_there(self) -> bool:
        """An operator is at this phone and takes calls: free, or busy with a call and soon free again."""
        return self.pause is None and self.line in {"free", "ringing", "talking"}
