"""What calls were, for the API: of a page of calls, and the calls of which nobody has said it.

Counterparts: `gateway/api/dispositions.py` and `calls.py` ask; `repository.py` writes what is read here.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.call import PROBE_TRUNK, Outcome
from gateway.domain.disposing import Undisposed
from gateway.domain.dispositions import Disposed
from gateway.store import rows
from gateway.store.tables import NEWEST_CALL_FIRST, calls, dispositions


def is_undisposed() -> ColumnElement[bool]:
    """Of calls: an operator answered it, it is over, and nobody has said what it was."""
    return (calls.c.outcome == Outcome.ANSWERED) & is_unsaid()


def is_unsaid() -> ColumnElement[bool]:
    """Of calls: nobody has said what it was."""
    return ~select(dispositions.c.call_id).where(dispositions.c.call_id == calls.c.id).exists()


class DispositionReads:
    """`reading` opens a connection to read with, with the time limits of `database.py`; it may raise StoreAway."""

    def __init__(self, reading: Callable[[], AbstractAsyncContextManager[AsyncConnection]]) -> None:
        self._reading = reading

    async def of_calls(self, call_ids: Collection[str]) -> Mapping[str, Disposed]:
        """What each of those calls was, by its id, where somebody has said it. Raises StoreAway."""
        if not call_ids:
            return {}
        query = select(dispositions).where(dispositions.c.call_id.in_(call_ids))
        async with self._reading() as connection:
            found = [rows.disposed_of(row) for row in (await connection.execute(query)).mappings()]
        return {each.call_id: each for each in found}

    async def missing(self, since: datetime, until: datetime, operator_id: int | None, limit: int) -> list[Undisposed]:
        """At most `limit` of the calls that arrived in that time and that an operator answered (that one, if given), of
        which nobody has said what they were, the newest first; without the probe's. Raises StoreAway."""
        query = (
            select(calls.c.id, calls.c.operator, calls.c.operator_id, calls.c.operator_name, calls.c.answered_at)
            .where(
                is_undisposed(),
                calls.c.arrived_at >= since,
                calls.c.arrived_at < until,
                calls.c.operator.is_not(None),
                calls.c.answered_at.is_not(None),
                calls.c.trunk != PROBE_TRUNK,
            )
            .order_by(*NEWEST_CALL_FIRST)
            .limit(limit)
        )
        if operator_id is not None:
            query = query.where(calls.c.operator_id == operator_id)
        async with self._reading() as connection:
            return [Undisposed(*row) for row in await connection.execute(query)]
