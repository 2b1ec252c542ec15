"""The API's view of callbacks: the list, page by page, and how many there are of each sort.

Counterparts: `gateway/api/callbacks.py` asks; `repository.py` is the services' side.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.callbacks import Callback, State, Why
from gateway.domain.numbers import spellings
from gateway.domain.picture import CallbacksOpen
from gateway.store import cursors, rows
from gateway.store.tables import IS_IMPOSSIBLE, callbacks, events


@dataclass(frozen=True, slots=True)
class CallbackFilter:
    """Which tasks: all that is given must be true of them. `overdue_at` means those that are overdue then."""

    state: State | None = None
    number: str | None = None
    """In whatever spelling."""
    claimed_by: int | None = None
    is_open: bool = False
    overdue_at: datetime | None = None
    trunk: str | None = None
    """Those all of whose tries came on it."""
    why: Why | None = None
    """Those all of whose tries were that."""
    opened_since: datetime | None = None
    opened_until: datetime | None = None
    """Those opened before it."""
    least_tries: int | None = None
    most_tries: int | None = None

    @property
    def is_of_open_ones(self) -> bool:
        """Whether none of them is over: then the most urgent one comes first."""
        return self.is_open or self.overdue_at is not None or self.state in (State.OPEN, State.CLAIMED)


@dataclass(frozen=True, slots=True)
class CallbackCounts:
    """How many tasks are in nobody's hands, in somebody's, and past their time; and how many callers whom nobody heard
    had no number to call."""

    open: int
    claimed: int
    overdue: int
    impossible: int


class CallbackReads:
    """`reading` opens a connection to read with, with the time limits of `database.py`; it may raise StoreAway."""

    def __init__(self, reading: Callable[[], AbstractAsyncContextManager[AsyncConnection]]) -> None:
        self._reading = reading

    async def page(self, filter: CallbackFilter, *, after: str | None, limit: int) -> tuple[list[Callback], str | None]:
        """At most `limit` tasks after that cursor, and the cursor of the next page. Open ones: the soonest due first,
        as they are due now, so that one which moved may come twice, and none is passed over; else the newest first.
        Raises BadCursor, StoreAway."""
        query = filtered(filter).limit(limit + 1)
        due_at, last_id = (None, 0) if after is None else _place(after)
        async with self._reading() as connection:
            if filter.is_of_open_ones:
                query = query.order_by(callbacks.c.due_at, callbacks.c.id)
                if due_at is not None:
                    query = query.where(tuple_(callbacks.c.due_at, callbacks.c.id) > (due_at, last_id))
            else:
                query = query.order_by(callbacks.c.id.desc())
                if after is not None:
                    query = query.where(callbacks.c.id < last_id)
            found = [rows.callback_of(row) for row in (await connection.execute(query)).mappings()]
        last = found[limit - 1] if len(found) > limit else None
        return found[:limit], None if last is None else cursors.written(last.due_at, str(last.id))

    async def count(self, filter: CallbackFilter) -> int:
        """How many tasks the filter fits. Raises StoreAway."""
        async with self._reading() as connection:
            query = select(func.count()).select_from(filtered(filter).subquery())
            found: int = (await connection.execute(query)).scalar_one()
            return found

    async def one(self, callback_id: int) -> Callback | None:
        """The task of that id. Raises StoreAway."""
        async with self._reading() as connection:
            found = await connection.execute(select(callbacks).where(callbacks.c.id == callback_id))
            row = found.mappings().one_or_none()
        return None if row is None else rows.callback_of(row)

    async def counts(self, now: datetime, since: datetime) -> CallbackCounts:
        """How things stand `now`; callers without a number are counted from `since` on. Raises StoreAway."""
        without = select(func.count()).select_from(events).where(IS_IMPOSSIBLE, events.c.at >= since)
        async with self._reading() as connection:
            free, claimed, overdue = await _open(connection, now)
            impossible: int = (await connection.execute(without)).scalar_one()
        return CallbackCounts(free, claimed, overdue, impossible)

    async def open_ones(self, now: datetime) -> CallbacksOpen:
        """How many tasks are open, and how many of them are past their time. Raises StoreAway."""
        async with self._reading() as connection:
            free, claimed, overdue = await _open(connection, now)
        return CallbacksOpen(free + claimed, overdue)


def is_overdue(at: datetime) -> ColumnElement[bool]:
    """What `Callback.is_overdue` says, in SQL."""
    return callbacks.c.closed_at.is_(None) & (callbacks.c.due_at < at) & callbacks.c.is_calling.is_(False)


async def _open(connection: AsyncConnection, now: datetime) -> tuple[int, int, int]:
    """How many open tasks are in nobody's hands, in somebody's, and past their time."""
    tasks = select(
        func.count(case((callbacks.c.claimed_by.is_(None), 1))),
        func.count(case((callbacks.c.claimed_by.is_not(None), 1))),
        func.count(case((is_overdue(now), 1))),
    ).where(callbacks.c.closed_at.is_(None))
    free, claimed, overdue = (await connection.execute(tasks)).one()
    return free, claimed, overdue


def filtered(filter: CallbackFilter) -> Select[tuple[Any, ...]]:
    """The tasks that the filter fits, in no order."""
    query = select(callbacks)
    if filter.state is not None:
        query = query.where(callbacks.c.state == filter.state)
    if filter.number is not None:
        query = query.where(callbacks.c.number.in_({filter.number, *spellings(filter.number)}))
    if filter.claimed_by is not None:
        query = query.where(callbacks.c.claimed_by == filter.claimed_by)
    if filter.is_of_open_ones:
        query = query.where(callbacks.c.closed_at.is_(None))
    if filter.overdue_at is not None:
        query = query.where(is_overdue(filter.overdue_at))
    for column, value in ((callbacks.c.only_trunk, filter.trunk), (callbacks.c.only_why, filter.why)):
        if value is not None:
            query = query.where(column == value)
    if filter.opened_since is not None:
        query = query.where(callbacks.c.opened_at >= filter.opened_since)
    if filter.opened_until is not None:
        query = query.where(callbacks.c.opened_at < filter.opened_until)
    if filter.least_tries is not None:
        query = query.where(callbacks.c.try_count >= filter.least_tries)
    if filter.most_tries is not None:
        query = query.where(callbacks.c.try_count <= filter.most_tries)
    return query


def _place(cursor: str) -> tuple[datetime, int]:
    """Raises BadCursor."""
    due_at, thing_id = cursors.place(cursor)
    if not (thing_id.isascii() and thing_id.isdigit() and len(thing_id) < 19):
        raise cursors.BadCursor(cursors.BadCursor.__doc__)
    return due_at, int(thing_id)
