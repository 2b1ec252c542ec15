"""All that the API's modules need of the rest of the house, in one value.

Counterpart: `gateway/house.py` makes it; every function that answers a request takes it as its first argument.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.api.door import Door
from gateway.api.limits import Limits, Network
from gateway.api.tls import Tls
from gateway.api.uses import Uses
from gateway.blindness import Blindness
from gateway.bookkeeper import Bookkeeper
from gateway.callbacks import Callbacks
from gateway.centre import Centre
from gateway.destroying import Destroying
from gateway.erasing import Erasing
from gateway.feed import Feed
from gateway.hearings import Hearings
from gateway.level import Level
from gateway.line import Line
from gateway.listening import Listening
from gateway.meter import Meter
from gateway.office import Office
from gateway.store.custody import StoredCustody
from gateway.store.kept_reads import KeptReads
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from gateway.vault.playing import Player
from gateway.vault.recordings import Recordings
from gateway.vault.sounds import Sounds

if TYPE_CHECKING:  # these modules take a Context themselves
    from gateway.api.deliveries import Deliveries
    from gateway.api.exports import Source
    from gateway.api.health import Health, Status
    from gateway.api.pictures import Pictures
    from gateway.api.streams import Streams
    from gateway.api.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`title` is what people call the centre; `tls` is None where the API is served in the clear; `clock` returns the
    time now, in UTC."""

    centre: Centre
    office: Office
    callbacks: Callbacks
    level: Level
    listening: Listening
    bookkeeper: Bookkeeper
    feed: Feed
    store: Repository
    reads: Reads
    recordings: Recordings
    custody: StoredCustody
    destroying: Destroying
    erasing: Erasing
    export_source: "Source"
    sounds: Sounds
    player: Player
    hearings: Hearings
    streams: "Streams"
    pictures: "Pictures"
    deliveries: "Deliveries"
    workload: "Workload"
    status: "Callable[[], Status]"
    health: "Health"
    meter: Meter
    blindness: Blindness
    board: Line
    door: Door
    limits: Limits
    uses: Uses
    proxies: Sequence[Network]
    """Our own, whose word is believed for whom they ask."""
    calendar_secret: bytes
    title: str
    tls: Tls | None
    clock: Callable[[], datetime]

    @property
    def kept(self) -> KeptReads:
        """The lists of what admins keep."""
        return self.reads.kept
