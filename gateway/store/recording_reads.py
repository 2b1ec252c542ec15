"""The API's view of recordings: the list, page by page, each with what is known of its call.

Counterparts: `gateway/api/recordings.py` and `calls.py` ask; `repository.py` is the services' side.

However many there are, a page looks at LOOKED_AT of them at most, as a page of calls does (`call_list.py`): one of a
filter that hardly any recording passes may hold fewer than were asked for, or none, and a cursor all the same.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, Select, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.dispositions import Disposition
from gateway.domain.recordings import Kind, Recording, State
from gateway.store import cursors, rows
from gateway.store.columns import Words
from gateway.store.tables import calls, dispositions, recordings

LOOKED_AT = 5000
"""Recordings that are looked at for one page, at most."""


@dataclass(frozen=True, slots=True)
class RecordingFilter:
    """Which recordings: all that is given must be true of them. `since` is the first moment at which one began, `until`
    the first one after; `operator` is a phone, `disposition` what was said of the call."""

    kind: Kind | None = None
    state: State | None = None
    call_id: str | None = None
    trunk: str | None = None
    queue: str | None = None
    operator: str | None = None
    disposition: Disposition | None = None
    has_problem: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A recording, and what is known of its call; None where it is no call's."""

    recording: Recording
    caller: str | None = None
    trunk: str | None = None
    queue: str | None = None
    operator: str | None = None
    operator_name: str | None = None
    disposition: Disposition | None = None


class RecordingReads:
    """`reading` opens a connection to read with, with the time limits of `database.py`; it may raise StoreAway."""

    def __init__(self, reading: Callable[[], AbstractAsyncContextManager[AsyncConnection]]) -> None:
        self._reading = reading

    async def page(self, filter: RecordingFilter, cursor: str | None, limit: int) -> tuple[list[Listed], str | None]:
        """At most `limit` recordings, the newest first, and the cursor of the next page; one with fewer, or none, may
        have a cursor all the same. Raises BadCursor, StoreAway."""
        key = recordings.c.started_at, recordings.c.id
        order = [column.desc() for column in key]
        within = list(_times(filter))
        if cursor is not None:
            within.append(tuple_(*key) < cursors.place(cursor))
        query = _listed().where(*within, *_conditions(filter)).order_by(*order).limit(limit + 1)
        last_looked_at = select(*key).where(*within).order_by(*order).offset(LOOKED_AT - 1).limit(1)
        end = None
        async with self._reading() as connection:
            if filter.call_id is None and _conditions(filter):
                end = (await connection.execute(last_looked_at)).one_or_none()
            if end is not None:
                query = query.where(tuple_(*key) >= (end[0], end[1]))
            found = [_listed_of(row) for row in (await connection.execute(query)).mappings()]
        if len(found) <= limit:
            return found, None if end is None else cursors.written(end[0], end[1])
        last = found[limit - 1].recording
        return found[:limit], cursors.written(last.started_at, last.id)

    async def one(self, recording_id: str) -> Listed | None:
        """The recording of that id. Raises StoreAway."""
        async with self._reading() as connection:
            found = await connection.execute(_listed().where(recordings.c.id == recording_id))
            row = found.mappings().one_or_none()
        return None if row is None else _listed_of(row)

    async def by_id(self, ids: Collection[str]) -> Mapping[str, Recording]:
        """Those of these ids that are known, by their ids. Raises StoreAway."""
        if not ids:
            return {}
        async with self._reading() as connection:
            found = await connection.execute(select(recordings).where(recordings.c.id.in_(ids)))
            return {row["id"]: rows.recording_of(row) for row in found.mappings()}


def _listed() -> Select[tuple[object, ...]]:
    told = (calls.c.caller, calls.c.trunk, calls.c.queue, calls.c.operator, calls.c.operator_name)
    return (
        select(recordings, *told, dispositions.c.disposition)
        .outerjoin(calls, calls.c.id == recordings.c.call_id)
        .outerjoin(dispositions, dispositions.c.call_id == recordings.c.call_id)
    )


def _listed_of(row: RowMapping) -> Listed:
    return Listed(
        rows.recording_of(row),
        caller=row["caller"],
        trunk=row["trunk"],
        queue=row["queue"],
        operator=row["operator"],
        operator_name=row["operator_name"],
        disposition=row["disposition"],
    )


def _conditions(filter: RecordingFilter) -> list[ColumnElement[bool]]:
    """What must be true of them beside their times. Of calls it is asked in such words that no database begins with the
    calls: it is to walk the recordings."""
    own = recordings.c
    found: list[ColumnElement[bool]] = [
        column == value
        for column, value in ((own.kind, filter.kind), (own.state, filter.state), (own.call_id, filter.call_id))
        if value is not None
    ]
    found += [
        func.coalesce(column, literal("", Words)) == value
        for column, value in (
            (calls.c.trunk, filter.trunk),
            (calls.c.queue, filter.queue),
            (calls.c.operator, filter.operator),
            (dispositions.c.disposition, filter.disposition),
        )
        if value is not None
    ]
    if filter.has_problem is not None:
        found.append(own.problem.is_not(None) if filter.has_problem else own.problem.is_(None))
    return found


def _times(filter: RecordingFilter) -> Iterator[ColumnElement[bool]]:
    if filter.since is not None:
        yield recordings.c.started_at >= filter.since
    if filter.until is not None:
        yield recordings.c.started_at < filter.until
