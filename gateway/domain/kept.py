"""What admins keep: operators, queues, shifts and the rest share an identity, a version and an end.

Counterpart: `gateway/store/` keeps each kind in a table of its own; `gateway/office.py` is where people change them.

A thing that was retired stays where it is: history keeps its name. A version counts its changes, so that whoever
changes it says which one he saw.
"""

from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any, ClassVar

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When a thing was made that stands in no store: what the centre always holds, and what Asterisk tells of one."""


class Invalid(ValueError):
    """A value that cannot be. `field` names it as its dataclass does; the message says why, and never the value."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class Unfitting(Invalid):
    """A value that could be, but not as things stand: it names what is not there, or takes what another has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One thing that admins keep. `id` and `version` are 0 until it is stored."""

    KIND: ClassVar[str]
    """What people call it; leads its events (`shift.created`) and stands in the audit log."""
    SECRET: ClassVar[frozenset[str]] = frozenset()
    """Fields that no log and no answer may show."""

    id: int = 0
    version: int = 0
    created_at: datetime
    retired_at: datetime | None = None

    @property
    def is_active(self) -> bool:
        return self.retired_at is None


def as_json(thing: Kept) -> dict[str, Any]:
    """The thing as JSON values, in the order of its fields, without what is secret."""
    return {field.name: _json(getattr(thing, field.name)) for field in fields(thing) if field.name not in thing.SECRET}


def _json(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | frozenset):
        return [_json(item) for item in value]
    if is_dataclass(value):
        hidden: frozenset[str] = getattr(value, "SECRET", frozenset())
        return {field.name: _json(getattr(value, field.name)) for field in fields(value) if field.name not in hidden}
    return value
