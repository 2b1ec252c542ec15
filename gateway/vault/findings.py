"""What is found where the vault is looked at: what is not as it was left, and the heads to be noted elsewhere.

Counterparts: `verify.py` finds it; `looks.py` keeps it, `gateway112 vault verify` tells it.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class What(StrEnum):
    """What is wrong with a file."""

    CHANGED = "changed"
    MISSING = "missing"
    SWAPPED = "swapped"
    ADDED = "added"
    EDITED = "edited"
    """A manifest or certificate that is not the one which stands in the chain."""
    TORN = "torn"
    REWRITTEN = "rewritten"
    BAD_SIGNATURE = "bad signature"
    UNFINISHED = "unfinished"
    """The worker was interrupted here, and has not come back to it."""
    LOCKED = "locked"
    """In order, and nobody can hear it: its key is not in the ring."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was left. `said` tells what, for people. Beside the days' folders it has no day."""

    day: date | None
    file: str
    """A byte in a name that is no UTF-8 stands as `\\xff`: nobody can hinder by it that this is told."""
    what: What
    said: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", _tellable(self.file))
        object.__setattr__(self, "said", _tellable(self.said))


@dataclass(frozen=True, slots=True)
class Head:
    """A day's head, as it was found: note it elsewhere, and nobody can write that day anew unseen."""

    day: date
    entries: int
    last: str


@dataclass(slots=True)
class Verified:
    """What was looked at, and what was found."""

    recordings: int = 0
    destroyed: int = 0
    bytes: int = 0
    heads: list[Head] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    tells_rollbacks: bool = True
    """Whether what was signed last is kept here: without it an older copy of a day is as good as the day."""


def _tellable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
