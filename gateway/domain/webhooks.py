"""Receivers of events, and when one that takes none needs somebody: what agencies are told goes by them.

Counterpart: `gateway/api/deliveries.py`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

FAILING = "webhook_failing"
"""The alarm of one that takes nothing."""
FAILING_FOR = timedelta(minutes=5)
"""A receiver may be away for so long, as for an upgrade, before it is an alarm."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of events. `after_seq` is the last event that it took; `types` empty means all; `failing_since` is
    None where its last post was taken."""

    id: str
    url: str
    secret: str
    types: tuple[str, ...]
    after_seq: int
    created_at: datetime
    failing_since: datetime | None = None
