"""What the wall's picture asks of the history: how many calls were answered in time, and when each trunk last brought
one.

Counterparts: `gateway/domain/picture.py` says what a service level is; `gateway/api/pictures.py` asks.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Select, and_, case, func, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.call import PROBE_TRUNK
from gateway.domain.picture import ServiceLevel
from gateway.store.columns import Key, seconds_between
from gateway.store.tables import calls


class LevelReads:
    """`reading` opens a connection to read with, with the time limits of `database.py`; it may raise StoreAway."""

    def __init__(self, reading: Callable[[], AbstractAsyncContextManager[AsyncConnection]]) -> None:
        self._reading = reading

    async def service_levels(
        self, since: datetime, now: datetime, within_s: Mapping[str, int]
    ) -> dict[str, ServiceLevel]:
        """The service level of each queue that `within_s` names with its seconds, of the calls that arrived from
        `since` on; a queue without such a call is left out. The probe's calls do not count. Raises StoreAway."""
        if not within_s:
            return {}
        async with self._reading() as connection:
            rows = await connection.execute(_levels(connection.dialect, since, now, within_s))
            return {
                queue: ServiceLevel(offered, answered, in_time) for queue, offered, answered, in_time in rows if offered
            }

    async def last_calls(self, trunks: Collection[str]) -> dict[str, datetime]:
        """When the last call of each of these trunks arrived; one that never had any is left out. Raises StoreAway."""
        if not trunks:
            return {}
        async with self._reading() as connection:
            rows = await connection.execute(_last_calls(trunks))
            return {trunk: at for trunk, at in rows if at is not None}


def _levels(dialect: Dialect, since: datetime, now: datetime, within_s: Mapping[str, int]) -> Select[tuple[Any, ...]]:
    limit_s = case(dict(within_s), value=calls.c.queue)
    overdue = or_(
        *(
            and_(calls.c.queue == queue, calls.c.arrived_at < now - timedelta(seconds=seconds))
            for queue, seconds in within_s.items()
        )
    )
    is_answered = and_(calls.c.operator.is_not(None), calls.c.answered_at.is_not(None))
    # where an agency or a last-resort number answered first, the one time is theirs, and not the operator's
    in_time = and_(is_answered, calls.c.relieved_by.is_(None), _wait_s(dialect) <= limit_s)
    is_decided = or_(calls.c.answered_at.is_not(None), calls.c.ended_at.is_not(None), overdue)
    return (
        select(
            calls.c.queue,
            func.count(case((is_decided, 1))),
            func.count(case((is_answered, 1))),
            func.count(case((in_time, 1))),
        )
        .where(calls.c.arrived_at >= since, calls.c.queue.in_(within_s), calls.c.trunk != PROBE_TRUNK)
        .group_by(calls.c.queue)
    )


def _wait_s(dialect: Dialect) -> ColumnElement[Any]:
    """Seconds from the arrival to the first person's voice."""
    wait_s = seconds_between(dialect, calls.c.arrived_at, calls.c.answered_at)
    return wait_s if dialect.name == "postgresql" else func.round(wait_s, 3)


def _last_calls(trunks: Collection[str]) -> Select[tuple[Any, ...]]:
    """One step into an index for each trunk: a grouping would walk through all of its calls."""
    each = union_all(
        *(
            select(
                literal(trunk, Key).label("trunk"),
                select(func.max(calls.c.arrived_at)).where(calls.c.trunk == trunk).scalar_subquery().label("at"),
            )
            for trunk in sorted(trunks)
        )
    ).subquery()
    return select(each)
