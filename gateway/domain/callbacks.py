"""Callbacks: each caller whom nobody heard becomes somebody's task, one task a number.

Counterparts: `gateway/callbacks.py` opens and closes them with the calls; `gateway/api/callbacks.py` is where people
take them.

    open ──> claimed ──> reached | given_up
      │         │
      └─────────┴──────> got_through        (the caller called again, and a person spoke with him)
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Where a task stands."""

    OPEN = "open"
    CLAIMED = "claimed"
    REACHED = "reached"
    GIVEN_UP = "given_up"
    GOT_THROUGH = "got_through"


class Why(StrEnum):
    """Why a call is a try of its caller."""

    CANCELLED = "cancelled"
    """Gone before 112 answered."""
    ABANDONED = "abandoned"
    """Gone before a person spoke."""
    MESSAGE = "message"
    """A message was left."""
    CUT = "cut"
    """Cut in the first seconds of talk."""
    LOST = "lost"
    """The centre lost the call."""
    HEARD = "heard"
    """A person spoke with the caller: the last try."""


@dataclass(frozen=True, slots=True)
class Try:
    """One call of the number."""

    call_id: str
    at: datetime
    why: Why


@dataclass(frozen=True, slots=True)
class Dial:
    """One call of the centre's own to the number. `result` is None while it goes on."""

    id: str
    operator_id: int
    at: datetime
    rung_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    result: str | None = None
    recording: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One task. `id` and `version` are 0 until it is stored; it is over once `closed_at` is set."""

    id: int = 0
    version: int = 0
    number: str
    trunk: str
    """The carrier's line of the last try: the number is called over it."""
    state: State = State.OPEN
    opened_at: datetime
    due_at: datetime
    """Until when somebody should have dialled."""
    tries: tuple[Try, ...]
    """The latest ones; `try_count` counts all."""
    try_count: int
    last_try_at: datetime
    claimed_by: int | None = None
    """The operator's id."""
    claimed_at: datetime | None = None
    first_dialled_at: datetime | None = None
    dials: tuple[Dial, ...] = ()
    closed_at: datetime | None = None
    closed_by: str = ""
    reason: str = ""
