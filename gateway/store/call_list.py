"""The list of calls, page by page: with any filter a page costs about the same, however many calls there are.

Counterparts: `reads.py` opens the connection, `gateway/api/calls.py` asks.

Each filter has an index that walks its calls, the newest first. Where several are given, the one is walked that gets
furthest back in LOOKED_AT entries: it has the fewest calls to leave out. No page looks further than that, so one of a
filter that hardly any call passes may hold fewer calls than were asked for, or none, and a cursor all the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.call import PROBE_TRUNK, Call, Outcome
from gateway.domain.dispositions import Disposition
from gateway.store import cursors, rows
from gateway.store.columns import Words
from gateway.store.disposition_reads import is_unsaid
from gateway.store.tables import calls, dispositions

LOOKED_AT = 2000
"""Calls that are looked at for one page, at most."""

Place = tuple[datetime, str]
"""Where in the list: a call's time and id."""


class Unsaid(StrEnum):
    """The word for calls that an operator answered and of which nobody has said what they were."""

    NONE = "none"


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls: all that is given must be true of them. `since` is the first moment, `until` the first one after."""

    trunk: str | None = None
    outcome: Outcome | None = None
    operator: str | None = None
    caller: str | None = None
    disposition: Disposition | Unsaid | None = None
    since: datetime | None = None
    until: datetime | None = None
    include_probes: bool = False

    @property
    def passes_none(self) -> bool:
        """Whether it contradicts itself."""
        is_unanswered = self.outcome not in (None, Outcome.ANSWERED)
        return (
            self.operator == ""
            or (self.trunk == PROBE_TRUNK and not self.include_probes)
            or (self.disposition is Unsaid.NONE and is_unanswered)
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Calls, and the cursor of the page after; None on the last page."""

    items: list[Call]
    next: str | None


@dataclass(frozen=True, slots=True)
class _Way:
    """An index that walks calls by time and id: those with that value in that column, or all."""

    at: Column[datetime]
    id: Column[str]
    column: ColumnElement[Any] | None = None
    value: object = None

    @property
    def key(self) -> tuple[ColumnElement[datetime], ColumnElement[str]]:
        return self.at, self.id

    def conditions(self, first: Place | None, before: Place | None) -> Iterator[ColumnElement[bool]]:
        """What the index itself knows of. Of two bounds at the same end SQLite would begin at the one that comes first
        in the statement."""
        if self.column is not None:
            yield self.column == self.value
        if first is not None:
            yield tuple_(*self.key) >= first
        if before is not None:
            yield tuple_(*self.key) < before

    @property
    def as_condition(self) -> ColumnElement[bool]:
        """The same value, asked of calls that are found another way: in such words that no index is taken for it, and
        that no database begins with it."""
        if self.at.table is dispositions:
            return select(dispositions.c.disposition).where(self.id == calls.c.id).scalar_subquery() == self.value
        return func.coalesce(self.column, literal("", Words)) == self.value


async def page_of(connection: AsyncConnection, filter: CallFilter, cursor: str | None, limit: int) -> Page:
    """At most `limit` calls (1 or more), the newest first; those of the same moment by id, the greatest first.
    Raises BadCursor."""
    first, before = _bounds(filter, None if cursor is None else cursors.place(cursor))
    if filter.passes_none:
        return Page([], None)
    ways, others = _ways(filter), list(_no_way(filter))
    way, end = ways[0], None
    if others or len(ways) > 1:
        way, end = await _shortest(connection, ways, first, before)
    query = select(calls).where(*way.conditions(end or first, before), *others)
    if way.at.table is dispositions:
        query = query.join(dispositions, dispositions.c.call_id == calls.c.id)
    query = query.where(*(each.as_condition for each in ways if each is not way))
    query = query.order_by(*(column.desc() for column in way.key)).limit(limit + 1)
    found = [rows.call_of(row) for row in (await connection.execute(query)).mappings()]
    if len(found) > limit:
        return Page(found[:limit], cursor_of(found[limit - 1]))
    return Page(found, None if end is None else cursors.written(*end))


def _bounds(filter: CallFilter, cursor: Place | None) -> tuple[Place | None, Place | None]:
    """The first place that the filter's times and the cursor leave, and the first one after them. No id is empty."""
    first = None if filter.since is None else (filter.since, "")
    until = None if filter.until is None else (filter.until, "")
    return first, min((place for place in (cursor, until) if place is not None), default=None)


def _ways(filter: CallFilter) -> list[_Way]:
    """The indexes that fit: one for each value that is asked for, or that of all calls."""
    outcome = Outcome.ANSWERED if filter.disposition is Unsaid.NONE else filter.outcome
    found = [
        _Way(calls.c.arrived_at, calls.c.id, column, value)
        for column, value in (
            (calls.c.caller, filter.caller),
            (calls.c.operator, filter.operator),
            (calls.c.outcome, outcome),
            (calls.c.trunk, filter.trunk),
        )
        if value is not None
    ]
    if isinstance(filter.disposition, Disposition):
        said = dispositions.c
        found.append(_Way(said.arrived_at, said.call_id, said.disposition, filter.disposition))
    return found or [_Way(calls.c.arrived_at, calls.c.id)]


def _no_way(filter: CallFilter) -> Iterator[ColumnElement[bool]]:
    """What no index walks."""
    if not filter.include_probes and filter.trunk is None:
        yield calls.c.trunk != PROBE_TRUNK
    if filter.disposition is Unsaid.NONE:
        yield is_unsaid()


async def _shortest(
    connection: AsyncConnection, ways: list[_Way], first: Place | None, before: Place | None
) -> tuple[_Way, Place | None]:
    """The index that gets furthest back, and the last call that it is walked to; None where it comes to its end."""
    ends: list[tuple[Place, _Way]] = []
    for way in ways:
        query = select(*way.key).where(*way.conditions(first, before))
        query = query.order_by(*(column.desc() for column in way.key)).offset(LOOKED_AT - 1).limit(1)
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            return way, None
        ends.append(((row[0], row[1]), way))
    end, way = min(ends, key=lambda each: each[0])
    return way, end


def cursor_of(call: Call) -> str:
    return cursors.written(call.arrived_at, call.id)
