"""A change: all that one transaction stores together, and the events that tell of it.

Counterpart: `gateway/centre.py` makes changes, the store commits them whole or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.domain.call import Call
from gateway.domain.events import Event
from gateway.domain.operators import Member, Operator


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that could not be used, kept whole: `raw` as it was read, `reason` in words."""

    at: datetime
    source: str
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of events. `after_seq` is the last event that it took; `types` empty means all."""

    id: str
    url: str
    secret: str
    types: tuple[str, ...]
    after_seq: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What to store in one transaction. Mappings and sequences are empty where there is nothing to do."""

    events: tuple[Event, ...] = ()
    calls: tuple[Call, ...] = ()
    """Calls as they are now; each replaces what was stored under its id."""
    positions: Mapping[str, int] = field(default_factory=dict)
    """How far each journal segment is read: bytes, by the segment's name for itself."""
    set_aside: tuple[SetAside, ...] = ()
    operators: tuple[Operator, ...] = ()
    members_put: tuple[Member, ...] = ()
    members_removed: tuple[tuple[str, str], ...] = ()
    """Queue and phone of each place that is given up."""
    webhooks_put: tuple[Webhook, ...] = ()
    webhooks_removed: tuple[str, ...] = ()
