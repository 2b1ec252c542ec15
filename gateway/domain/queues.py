"""Queues: where callers wait, and how operators are chosen for them.

Counterpart: `gateway/asterisk/sections.py` turns a queue into Asterisk's words (application Queue).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from gateway.domain.kept import Kept

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"


class Strategy(StrEnum):
    """Which operator is rung next. Asterisk knows two more (linear, rrordered), which it takes only when it starts:
    they are not offered, for a queue that was changed to one of them would ring in no order at all."""

    LONGEST_FREE = "leastrecent"
    """A ring that was missed does not count: a phone that is not picked up is rung again before the next one."""
    FEWEST_CALLS = "fewestcalls"
    ALL = "ringall"
    ROUND_ROBIN = "rrmemory"
    """After a phone that is not picked up the next one is rung."""
    RANDOM = "random"
    WEIGHTED_RANDOM = "wrandom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue(Kept):
    """A queue. Its name stays: calls of the past carry it."""

    KIND: ClassVar[str] = "queue"

    name: str
    strategy: Strategy = Strategy.ROUND_ROBIN
    ring_s: int = 15
    """How long a phone rings before the next operator is tried."""
    wrap_up_s: int = 0
    """How long an operator is left alone after a call."""
    max_wait_s: int = 60
    """How long a caller waits before the fallback speaks."""
    max_waiting: int = 0
    """How many callers may wait at once, the others hear the fallback; 0: no limit."""
    weight: int = 0
    """Between two queues of one operator, callers of the heavier one go first."""
    service_level_s: int = 15
    """Within how many seconds a call should be answered."""
    minimum: int = 0
    """How many operators must be there at any time."""
    announces_position: bool = False
    music: str | None = None
    """What callers hear while they wait: a music class, or None for ringing."""


def first_queue(name: str, created_at: object) -> Queue:
    """The regency's 112, as it stands from the start."""
    return Queue(name=name, created_at=created_at, minimum=1)  # type: ignore[arg-type]
