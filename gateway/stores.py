"""The stores: one database, and all that reads and writes it.

Counterparts: `store/` has each of them, `house.py` gives them out.
"""

from dataclasses import dataclass
from typing import Self

from gateway.store.custody import StoredCustody
from gateway.store.database import open_database
from gateway.store.evidence_reads import StoredEvidence
from gateway.store.past_reads import StoredPast
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from gateway.store.sight_reads import StoredSight


@dataclass(frozen=True, slots=True)
class Stores:
    """What the parts of the house ask, each by its own name."""

    store: Repository
    reads: Reads
    past: StoredPast
    custody: StoredCustody
    evidence: StoredEvidence
    sight: StoredSight

    @classmethod
    async def open(cls, url: str) -> Self:
        """Brings the schema up to date first. Raises StoreAway when the database cannot be opened."""
        engine = await open_database(url)
        return cls(
            store=Repository(engine),
            reads=Reads(engine),
            past=StoredPast(engine),
            custody=StoredCustody(engine),
            evidence=StoredEvidence(engine),
            sight=StoredSight(engine),
        )

    async def close(self) -> None:
        """Closes every connection."""
        self.custody.close()
        await self.store.close()
