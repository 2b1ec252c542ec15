"""All that the API's modules need of the rest of the house, in one value.

Counterpart: `gateway/app.py` makes it; every function that answers a request takes it as its first argument.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.centre import Centre
from gateway.feed import Feed
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from gateway.vault.recordings import Recordings

if TYPE_CHECKING:  # these modules take a Context themselves
    from gateway.api.deliveries import Deliveries
    from gateway.api.health import Status
    from gateway.api.streams import Streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`phone_states` returns how each phone stands now, by its number: free, ringing, talking, paused, unavailable or
    unknown. `clock` returns the time now, in UTC."""

    centre: Centre
    feed: Feed
    store: Repository
    reads: Reads
    recordings: Recordings
    streams: "Streams"
    deliveries: "Deliveries"
    status: "Callable[[], Status]"
    phone_states: Callable[[], Mapping[str, str]]
    trunks: tuple[str, ...]
    """The carriers' trunks, by name."""
    trunk_addresses: frozenset[str]
    """Where the trunks' calls come from: no phone may have such an address."""
    clock: Callable[[], datetime]
