"""What came for each queue in each half hour: the history's side of the need for operators.

Counterparts: `gateway/domain/workload.py` folds it into a week, `gateway/api/workload.py` asks for it once an hour.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Select, and_, case, cast, extract, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.call import PROBE_TRUNK
from gateway.domain.workload import Arrivals
from gateway.store.columns import Number, seconds_between
from gateway.store.tables import calls

AT_ONCE = timedelta(weeks=1)
"""A million calls take a slow disk longer than one statement may: each week is a statement of its own."""

_HALF_HOUR_S = 1800


class WorkloadReads:
    """`reading` opens a connection to read with, with the time limits of `database.py`; it may raise StoreAway."""

    def __init__(self, reading: Callable[[], AbstractAsyncContextManager[AsyncConnection]]) -> None:
        self._reading = reading

    async def arrivals(self, since: datetime, until: datetime) -> list[Arrivals]:
        """What came for each queue in each half hour from `since` to `until`, without the probe's calls. A half hour
        in which nothing came is left out. Raises StoreAway.

        A call that nobody answered is an arrival like any other. One that never came to a queue is none: it asked
        nothing of an operator. The length of a talk is known where the call ended in Asterisk's own words: one that
        Asterisk died under has an end that nobody saw.
        """
        found: list[Arrivals] = []
        while since < until:
            stop = min(since + AT_ONCE, until)
            async with self._reading() as connection:
                rows = await connection.execute(_query(connection.dialect, since, stop))
                found += [_arrivals(tuple(row)) for row in rows]
            since = stop
        return found


def _query(dialect: Dialect, since: datetime, until: datetime) -> Select[tuple[Any, ...]]:
    half_hour: ColumnElement[Any]
    if dialect.name == "postgresql":
        half_hour = cast(func.floor(extract("epoch", calls.c.arrived_at) / _HALF_HOUR_S), Number)
    else:
        # SQLite rounds the last fractions of a second up, into the next half hour: they are cut off before
        half_hour = cast(func.strftime("%s", func.substr(calls.c.arrived_at, 1, 19)), Number).op("/")(_HALF_HOUR_S)
    talk_s = seconds_between(dialect, calls.c.answered_at, calls.c.ended_at)
    is_known = and_(calls.c.ended_at > calls.c.answered_at, calls.c.cause.is_not(None))
    return (
        select(
            calls.c.queue,
            half_hour.label("half_hour"),
            func.count(),
            func.count(case((is_known, 1))),
            func.coalesce(func.sum(case((is_known, talk_s))), 0),
        )
        .where(
            calls.c.arrived_at >= since,
            calls.c.arrived_at < until,
            calls.c.queue.is_not(None),
            calls.c.trunk != PROBE_TRUNK,
        )
        .group_by(calls.c.queue, "half_hour")
    )


def _arrivals(row: Sequence[Any]) -> Arrivals:
    queue, half_hour, count, talks, talk_s = row
    return Arrivals(queue, datetime.fromtimestamp(half_hour * _HALF_HOUR_S, UTC), count, talks, float(talk_s))
