"""What is stored of the gateway's sight: until when it saw, the times in which it was blind, and the calls of these.

Counterparts: `gateway/ports.py` names it as `SightReads`; `gateway/blindness.py` asks, `repository.py` stores.
"""

from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.call import PROBE_TRUNK
from gateway.domain.sight import BlindTime, Why
from gateway.ports import BlindTotal
from gateway.store.database import reading
from gateway.store.tables import blind_times, calls, events, sightings

LONGEST_CALL = timedelta(hours=4)
"""A call that arrived so long before is not looked for."""


class StoredSight:
    """The port `SightReads`. Every call has the time limits of `database.py`, and then raises StoreAway."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def seen_at(self) -> datetime | None:
        """See ports.SightReads."""
        newest = select(events.c.at).order_by(events.c.seq.desc()).limit(1)
        async with reading(self._engine) as connection:
            saw: datetime | None = (await connection.execute(select(sightings.c.at))).scalar_one_or_none()
            told: datetime | None = (await connection.execute(newest)).scalar_one_or_none()
        return saw if saw is None or told is None else max(saw, told)

    async def stored_at(self) -> datetime | None:
        """See ports.SightReads."""
        async with reading(self._engine) as connection:
            saw: datetime | None = (await connection.execute(select(sightings.c.at))).scalar_one_or_none()
            return saw

    async def last(self) -> BlindTime | None:
        """See ports.SightReads."""
        query = select(blind_times).order_by(blind_times.c.id.desc()).limit(1)
        async with reading(self._engine) as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            return None
        kept = {name: value for name, value in row.items() if name != "id"}
        return BlindTime(**{**kept, "why": Why(row["why"]), "untold": tuple(row["untold"])})

    async def totals(self) -> list[BlindTotal]:
        """See ports.SightReads."""
        each = (blind_times.c.why, func.count(), func.sum(blind_times.c.seconds), func.sum(blind_times.c.calls))
        async with reading(self._engine) as connection:
            found = await connection.execute(select(*each).group_by(blind_times.c.why))
            return [BlindTotal(Why(why), times, float(seconds), int(calls)) for why, times, seconds, calls in found]

    async def calls_in(self, since: datetime, until: datetime) -> tuple[int, int]:
        """See ports.SightReads."""
        went_on = or_(calls.c.ended_at.is_(None), calls.c.ended_at > since)
        query = select(func.count(), func.count().filter(calls.c.arrived_at >= since)).where(
            calls.c.arrived_at > since - LONGEST_CALL,
            calls.c.arrived_at < until,
            calls.c.trunk != PROBE_TRUNK,
            went_on,
        )
        async with reading(self._engine) as connection:
            ran, arrived = (await connection.execute(query)).one()
            return ran, arrived
