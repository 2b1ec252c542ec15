"""A change: all that one transaction stores together, and the events that tell of it.

Counterpart: `gateway/saving.py` brings every service's changes to the store, which commits them whole or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.domain.alarms import Alarm
from gateway.domain.audit import Deed
from gateway.domain.call import Call
from gateway.domain.callbacks import Update
from gateway.domain.dispositions import Disposed
from gateway.domain.events import Event
from gateway.domain.holding import Member
from gateway.domain.kept import Kept
from gateway.domain.presence import Presence
from gateway.domain.recordings import Recording
from gateway.domain.sight import BlindTime
from gateway.domain.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that could not be used, kept whole: `raw` as it was read, `reason` in words."""

    at: datetime
    source: str
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Position:
    """How far a segment of the journal is read: to the byte `offset`, where a record of the time `tail` ends. A segment
    that lost its end is read again from an earlier place (`is_back`)."""

    offset: int
    tail: str = ""
    is_back: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What to store in one transaction. Mappings and sequences are empty where there is nothing to do."""

    events: tuple[Event, ...] = ()
    calls: tuple[Call, ...] = ()
    """Calls as they are now; each replaces what was stored under its id."""
    positions: Mapping[str, Position] = field(default_factory=dict)
    """How far each journal segment is read, by the segment's name for itself."""
    set_aside: tuple[SetAside, ...] = ()
    kept: tuple[Kept, ...] = ()
    """Things as they are to be: a new one (version 0) is given its id, a changed one must be the version that is
    stored."""
    members_put: tuple[Member, ...] = ()
    """Standing places: whatever the roster says."""
    members_removed: tuple[tuple[str, str], ...] = ()
    """Queue and phone of each standing place that is given up."""
    presences: tuple[Presence, ...] = ()
    dispositions: tuple[Disposed, ...] = ()
    """What calls were; each replaces what was stored of its call."""
    alarms: tuple[Alarm, ...] = ()
    """Alarms as they are to be, each known by its kind and subject."""
    deeds: tuple[Deed, ...] = ()
    """What goes into the audit log. A deed about a kept thing of this change tells it as it is stored."""
    callbacks: tuple[Update, ...] = ()
    """Tasks as they are to be, each with its events: a new one (version 0) is given its id, a changed one must be the
    version that is stored."""
    recordings: tuple[Recording, ...] = ()
    """Recordings as they are now; each replaces what was stored under its id."""
    webhooks_put: tuple[Webhook, ...] = ()
    webhooks_moved: tuple[Webhook, ...] = ()
    """How far those have come that are there: one that was removed does not come back by it."""
    webhooks_removed: tuple[str, ...] = ()
    seen_at: datetime | None = None
    """Until when the gateway saw what happens in Asterisk."""
    blind_times: tuple[BlindTime, ...] = ()
    """Times in which it did not, that are over."""
