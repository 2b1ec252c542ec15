"""An event: something that happened in the centre, told in the past tense, once, in order.

Counterpart: the ledger (`gateway/store/`), which gives each event its sequence number and keeps it for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One event before it is stored. `type` is `subject.past_tense`; `data` holds JSON values only."""

    type: str
    at: datetime
    call_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event that is committed. `seq` counts from 1, has no holes and never goes back."""

    seq: int
    event: Event
