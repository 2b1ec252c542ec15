"""What the watch over the flow of calls asks of the history: calls of the last minutes, calls of a trunk by hour, of a
number, and the centre's own test calls. Each is one statement on an index.

Counterparts: `gateway/flow.py`, `flood.py` and `silence.py` ask by `past.py`; `gateway/domain/habits.py` says what is
usual.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Dialect, cast, extract, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.call import PROBE_TRUNK, Outcome
from gateway.domain.flow import Arrival
from gateway.domain.habits import HourOfTrunk, ProbeCall
from gateway.store.columns import Number
from gateway.store.level_reads import LevelReads
from gateway.store.tables import NEWEST_CALL_FIRST, calls

_HOUR_S = 3600


class FlowReads:
    """`reading` opens a connection to read with, with the time limits of `database.py`; it may raise StoreAway."""

    def __init__(self, reading: Callable[[], AbstractAsyncContextManager[AsyncConnection]], levels: LevelReads) -> None:
        self._reading = reading
        self._levels = levels

    async def arrivals(self, since: datetime, limit: int) -> list[Arrival]:
        """The latest `limit` of the calls that came since then, the probe's too, oldest first. Raises StoreAway."""
        query = (
            select(calls.c.id, calls.c.trunk, calls.c.caller, calls.c.arrived_at)
            .where(calls.c.arrived_at >= since)
            .order_by(*NEWEST_CALL_FIRST)
            .limit(limit)
        )
        async with self._reading() as connection:
            return [Arrival(*row) for row in await connection.execute(query)][::-1]

    async def hours(self, trunk: str, since: datetime, until: datetime) -> list[HourOfTrunk]:
        """How many calls the trunk brought in each hour, both times being whole hours; an hour without any is left
        out. Raises StoreAway."""
        async with self._reading() as connection:
            hour = _hour(connection.dialect).label("hour")
            query = (
                select(hour, func.count())
                .where(calls.c.trunk == trunk, calls.c.arrived_at >= since, calls.c.arrived_at < until)
                .group_by("hour")
            )
            rows = await connection.execute(query)
            return [HourOfTrunk(datetime.fromtimestamp(hour * _HOUR_S, UTC), count) for hour, count in rows]

    async def counts(self, numbers: Collection[str], since: datetime, until: datetime) -> dict[str, int]:
        """How often each of these numbers called; one that never did is left out. Raises StoreAway."""
        query = (
            select(calls.c.caller, func.count())
            .where(calls.c.caller.in_(sorted(numbers)), calls.c.arrived_at >= since, calls.c.arrived_at < until)
            .group_by(calls.c.caller)
        )
        async with self._reading() as connection:
            return {row[0]: row[1] for row in await connection.execute(query)}

    async def last_calls(self, trunks: Collection[str]) -> dict[str, datetime]:
        """When the last call of each of these trunks came; one that never had any is left out. Raises StoreAway."""
        return await self._levels.last_calls(trunks)

    async def probes(self, since: datetime, limit: int) -> list[ProbeCall]:
        """The latest `limit` test calls since then, oldest first. Raises StoreAway."""
        query = (
            select(calls.c.arrived_at, calls.c.outcome)
            .where(calls.c.trunk == PROBE_TRUNK, calls.c.arrived_at >= since)
            .order_by(*NEWEST_CALL_FIRST)
            .limit(limit)
        )
        async with self._reading() as connection:
            rows = (await connection.execute(query)).all()
        return [ProbeCall(at, None if outcome is None else Outcome(outcome)) for at, outcome in rows[::-1]]


def _hour(dialect: Dialect) -> ColumnElement[Any]:
    """The number of the hour in which a call came, counted from 1970."""
    if dialect.name == "postgresql":
        return cast(func.floor(extract("epoch", calls.c.arrived_at) / _HOUR_S), Number)
    # SQLite rounds the last fractions of a second up, into the next hour: they are cut off before
    return cast(func.strftime("%s", func.substr(calls.c.arrived_at, 1, 19)), Number).op("/")(_HOUR_S)
