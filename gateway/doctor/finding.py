"""A finding: one thing that was looked at, how it is, and what to do about it.

Counterpart: `gateway/doctor/__init__.py` puts them in order and shows them.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a thing is. Only `wrong` makes the exit status 1."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    """`said` is what was seen; `remedy` is what to do, and empty where there is nothing to do."""

    subject: str
    level: Level
    said: str
    remedy: str = ""

    @property
    def is_wrong(self) -> bool:
        return self.level is Level.WRONG


def ok(subject: str, said: str) -> Finding:
    return Finding(subject, Level.OK, said)


def warning(subject: str, said: str, remedy: str) -> Finding:
    return Finding(subject, Level.WARNING, said, remedy)


def wrong(subject: str, said: str, remedy: str) -> Finding:
    return Finding(subject, Level.WRONG, said, remedy)
