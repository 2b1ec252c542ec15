"""The statements of the list of calls: each is made once, which costs more than asking it does.

Counterpart: `call_list.py` says which one is asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Executable,
    Select,
    bindparam,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from gateway.domain.call import PROBE_TRUNK, Call
from gateway.domain.dispositions import Disposed
from gateway.domain.recordings import Recording
from gateway.store import rows
from gateway.store.columns import Number, Words
from gateway.store.disposition_reads import is_unsaid
from gateway.store.tables import calls, dispositions, recordings

KEPT = 64
"""Statements of each kind; those that nobody has asked for longest are made anew."""

Place = tuple[datetime, str]
"""Where in the list: a call's time and id."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands elsewhere of some calls: what was said of them, by their ids, and what is known of their sound, by
    the recordings' ids."""

    said: Mapping[str, Disposed] = field(default_factory=dict)
    recordings: Mapping[str, Recording] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the list: from its first place on, up to the first one after it. None is no end."""

    first: Place | None
    before: Place | None

    @property
    def ends(self) -> frozenset[str]:
        """The names of those that it has."""
        return frozenset(name for name in ("first", "before") if getattr(self, name) is not None)

    @property
    def values(self) -> dict[str, Any]:
        """As `_place` names them."""
        places = {name: getattr(self, name) for name in self.ends}
        return {f"{end}_{part}": value for end, (at, id) in places.items() for part, value in (("at", at), ("id", id))}


@dataclass(frozen=True, slots=True)
class _Way:
    """An index that walks calls by time and id: those with one value in that column, or all."""

    at: Column[datetime]
    id: Column[str]
    column: Column[Any] | None = None

    @property
    def key(self) -> tuple[ColumnElement[datetime], ColumnElement[str]]:
        return self.at, self.id

    @property
    def newest_first(self) -> tuple[ColumnElement[Any], ...]:
        return tuple(column.desc() for column in self.key)

    def conditions(self, name: str, ends: frozenset[str]) -> Iterator[ColumnElement[bool]]:
        """What the index itself knows of. Of two bounds at the same end SQLite would begin at the one that comes first
        in the statement."""
        if self.column is not None:
            yield self.column == self._value(name)
        if "first" in ends:
            yield tuple_(*self.key) >= _place("first")
        if "before" in ends:
            yield tuple_(*self.key) < _place("before")

    def as_condition(self, name: str) -> ColumnElement[bool]:
        """The same value, asked of calls that are found another way: in such words that no index is taken for it, and
        that no database begins with it."""
        if self.at.table is dispositions:
            said = select(dispositions.c.disposition).where(self.id == calls.c.id).scalar_subquery()
            return said == self._value(name)
        return func.coalesce(self.column, literal("", Words)) == self._value(name)

    def _value(self, name: str) -> ColumnElement[Any]:
        return bindparam(name, type_=None if self.column is None else self.column.type)


ALL = "all"
_WAYS: Mapping[str, _Way] = {
    ALL: _Way(calls.c.arrived_at, calls.c.id),
    **{
        column.name: _Way(calls.c.arrived_at, calls.c.id, column)
        for column in (calls.c.caller, calls.c.operator, calls.c.outcome, calls.c.trunk)
    },
    "disposition": _Way(dispositions.c.arrived_at, dispositions.c.call_id, dispositions.c.disposition),
}
"""By the names of their values in a statement."""


def _place(end: str) -> ColumnElement[Any]:
    return tuple_(bindparam(f"{end}_at", type_=calls.c.arrived_at.type), bindparam(f"{end}_id", type_=calls.c.id.type))


@lru_cache(maxsize=KEPT)
def last_looked_at(ways: tuple[str, ...], ends: frozenset[str]) -> Executable:
    """Of each way its name and the place of the call after the first `skipped`, where it gets so far."""
    parts = []
    for name in ways:
        way = _WAYS[name]
        query = select(way.at.label("at"), way.id.label("id")).where(*way.conditions(name, ends))
        last = query.order_by(*way.newest_first).offset(bindparam("skipped", type_=Number)).limit(1).subquery()
        parts.append(select(literal(name, Words).label("way"), last.c.at, last.c.id))
    return union_all(*parts) if len(parts) > 1 else parts[0]


@lru_cache(maxsize=KEPT)
def page(way: str, others: tuple[str, ...], ends: frozenset[str], *, has_probes: bool, only_unsaid: bool) -> Executable:
    """The first `limit` calls of one way that pass the others too, and what stands beside them."""
    walked = _WAYS[way]
    query = select(calls).where(*walked.conditions(way, ends))
    if walked.at.table is dispositions:
        query = query.join(dispositions, dispositions.c.call_id == calls.c.id)
    if not has_probes:
        query = query.where(calls.c.trunk != PROBE_TRUNK)
    if only_unsaid:
        query = query.where(is_unsaid())
    query = query.where(*(_WAYS[each].as_condition(each) for each in others))
    # a limit that stood in the words would have PostgreSQL settle on one plan for all values, rare ones too
    return _with_beside(query.order_by(*walked.newest_first).limit(bindparam("limit", type_=Number)))


def _with_beside(found: Select[Any]) -> Executable:
    """The same with what stands beside them: one row for each sound of a call, or one without."""
    page = found.subquery()
    return (
        select(*page.c, *dispositions.c, *recordings.c)
        .outerjoin(dispositions, dispositions.c.call_id == page.c.id)
        .outerjoin(recordings, recordings.c.call_id == page.c.id)
    )


ONE = _with_beside(select(calls).where(calls.c.id == bindparam("call_id", type_=calls.c.id.type)))
_OF_CALL, _OF_SAYING, _OF_SOUND = (tuple(table.c.keys()) for table in (calls, dispositions, recordings))
_SAYING = len(_OF_CALL)
_SOUND = _SAYING + len(_OF_SAYING)


def found_by(connection: Connection, statement: Executable, values: Mapping[str, Any]) -> tuple[list[Call], Beside]:
    """The calls that a `page` or ONE finds, the newest first, and what stands beside them."""
    found: dict[str, Call] = {}
    said: dict[str, Disposed] = {}
    sounds: dict[str, Recording] = {}
    for row in connection.execute(statement, values):
        of_call, of_saying, of_sound = row[:_SAYING], row[_SAYING:_SOUND], row[_SOUND:]
        call_id = of_call[0]
        if call_id not in found:
            found[call_id] = rows.call_of(dict(zip(_OF_CALL, of_call, strict=True)))
            if of_saying[0] is not None:
                said[call_id] = rows.disposed_of(dict(zip(_OF_SAYING, of_saying, strict=True)))
        if of_sound[0] is not None:
            sounds[of_sound[0]] = rows.recording_of(dict(zip(_OF_SOUND, of_sound, strict=True)))
    newest_first = sorted(found.values(), key=lambda call: (call.arrived_at, call.id), reverse=True)
    return newest_first, Beside(said, sounds)
