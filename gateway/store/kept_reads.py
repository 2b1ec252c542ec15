"""The API's lists of what admins keep, page by page, and of alarms and the audit log.

Counterparts: `gateway/api/resources.py` asks for any kind alike; `repository.py` is the services' side.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain import audit
from gateway.domain.alarms import Alarm
from gateway.domain.audit import Entry
from gateway.domain.kept import Kept
from gateway.store import rows, tables
from gateway.store.shelves import SHELVES

Thing = TypeVar("Thing", bound=Kept)
Condition = tuple[str, Any]
"""A comparison with a value: `==`, `<=`, `>=`, `<` or `>`."""
VERIFIED_AT_ONCE = 1000

_COMPARE: Mapping[str, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    "==": lambda column, value: column == value,
    "<=": lambda column, value: column <= value,
    ">=": lambda column, value: column >= value,
    "<": lambda column, value: column < value,
    ">": lambda column, value: column > value,
    "in": lambda column, value: column.in_(value),
}


class KeptReads:
    """`reading` opens a connection to read with, with the time limits of `database.py`; it may raise StoreAway."""

    def __init__(self, reading: Callable[[], AbstractAsyncContextManager[AsyncConnection]]) -> None:
        self._reading = reading

    async def page(
        self,
        kind: type[Thing],
        conditions: Mapping[str, Condition],
        *,
        include_retired: bool,
        after: int | None,
        limit: int,
    ) -> tuple[list[Thing], int | None]:
        """At most `limit` things after that id, oldest first, and the cursor of the next page. Raises StoreAway."""
        shelf = SHELVES[kind]
        query = select(shelf.table).order_by(shelf.table.c.id).limit(limit + 1)
        for column, (comparison, value) in conditions.items():
            query = query.where(_COMPARE[comparison](shelf.table.c[column], value))
        if not include_retired:
            query = query.where(shelf.table.c.retired_at.is_(None))
        if after is not None:
            query = query.where(shelf.table.c.id > after)
        async with self._reading() as connection:
            found = cast("list[Thing]", [shelf.thing(row) for row in (await connection.execute(query)).mappings()])
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    async def alarms(self, *, only_standing: bool, before: int | None, limit: int) -> list[tuple[int, Alarm]]:
        """At most `limit` alarms before that number, newest first, each with its number. Raises StoreAway."""
        table = tables.alarms
        if only_standing:
            # sorted here: SQLite would go through all alarms that there ever were, for these few in their order
            query = select(table).where(table.c.cleared_at.is_(None))
        else:
            query = select(table).order_by(table.c.id.desc()).limit(limit)
            query = query if before is None else query.where(table.c.id < before)
        async with self._reading() as connection:
            found = [(row["id"], rows.alarm_of(row)) for row in (await connection.execute(query)).mappings()]
        found = [each for each in found if before is None or each[0] < before]
        return sorted(found, key=lambda each: each[0], reverse=True)[:limit]

    async def audit(
        self,
        after: int,
        limit: int,
        *,
        before: int | None = None,
        actor: str | None = None,
        subject: str | None = None,
    ) -> list[Entry]:
        """At most `limit` entries of the audit log after that number, oldest first; newest first where they are to be
        `before` one. Raises StoreAway."""
        table = tables.audit
        query = select(table).where(table.c.seq > after).limit(limit)
        if before is None:
            query = query.order_by(table.c.seq)
        else:
            query = query.where(table.c.seq < before).order_by(table.c.seq.desc())
        if actor is not None:
            query = query.where(table.c.actor == actor)
        if subject is not None:
            query = query.where(table.c.subject == subject)
        async with self._reading() as connection:
            return [rows.entry_of(row) for row in (await connection.execute(query)).mappings()]

    async def verify_audit(self) -> tuple[int, str, int | None]:
        """Goes through the whole audit log: how many entries are in order from the start, the hash of the last of them,
        and the number of the first one that does not follow from the one before it, if any. Raises StoreAway."""
        seq, previous = 0, audit.GENESIS
        while True:
            entries = await self.audit(seq, VERIFIED_AT_ONCE)
            broken = audit.first_break(entries, previous, seq)
            for entry in entries:
                if entry.seq == broken:
                    return seq, previous, broken
                seq, previous = entry.seq, entry.hash
            if len(entries) < VERIFIED_AT_ONCE:
                return seq, previous, None
