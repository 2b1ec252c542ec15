"""The list of calls, page by page: with any filter a page costs about the same, however many calls there are.

Counterparts: `reads.py` opens the connection, `gateway/api/calls.py` asks; `call_statements.py` has the words.

Each filter has an index that walks its calls, the newest first. Where several are given, the one is walked that gets
furthest back in LOOKED_AT entries: it has the fewest calls to leave out. No page looks further than that, so one of a
filter that hardly any call passes may hold fewer calls than were asked for, or none, and a cursor all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from gateway.domain.call import PROBE_TRUNK, Call, Outcome
from gateway.domain.dispositions import Disposition
from gateway.store import cursors
from gateway.store.call_statements import ALL, Beside, Place, Stretch, found_by, last_looked_at, page

LOOKED_AT = 1000
"""Calls that are looked at for one page, at most."""


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
    """Calls, what stands beside them, and the cursor of the page after; None on the last page. What stands beside the
    first call of the page after may be there too."""

    items: list[Call]
    next: str | None
    beside: Beside = field(default_factory=Beside)


def page_of(connection: Connection, filter: CallFilter, cursor: str | None, limit: int) -> Page:
    """At most `limit` calls (1 or more), the newest first; those of the same moment by id, the greatest first.
    Raises BadCursor."""
    stretch = _stretch(filter, cursor)
    if filter.passes_none:
        return Page([], None)
    values, only_unsaid = _values(filter), filter.disposition is Unsaid.NONE
    has_probes = filter.include_probes or filter.trunk is not None
    ways = tuple(values) or (ALL,)
    way, end = ways[0], None
    if len(ways) > 1 or only_unsaid or not has_probes:
        way, end = _shortest(connection, ways, values, stretch)
        stretch = replace(stretch, first=end or stretch.first)
    others = tuple(each for each in ways if each != way)
    statement = page(way, others, stretch.ends, has_probes=has_probes, only_unsaid=only_unsaid)
    found, beside = found_by(connection, statement, {**values, **stretch.values, "limit": limit + 1})
    next = None if end is None else cursors.written(*end)
    if len(found) > limit:
        found = found[:limit]
        next = cursor_of(found[-1])
    return Page(found, next, beside)


def cursor_of(call: Call) -> str:
    return cursors.written(call.arrived_at, call.id)


def _stretch(filter: CallFilter, cursor: str | None) -> Stretch:
    """What the filter's times and the cursor leave. No id is empty. Raises BadCursor."""
    first = None if filter.since is None else (filter.since, "")
    until = None if filter.until is None else (filter.until, "")
    ends = (until, None if cursor is None else cursors.place(cursor))
    return Stretch(first, min((place for place in ends if place is not None), default=None))


def _values(filter: CallFilter) -> dict[str, Any]:
    """What is asked for that an index fits, by the names of the ways."""
    only_unsaid = filter.disposition is Unsaid.NONE
    asked = {
        "caller": filter.caller,
        "operator": filter.operator,
        "outcome": Outcome.ANSWERED if only_unsaid else filter.outcome,
        "trunk": filter.trunk,
        "disposition": None if only_unsaid else filter.disposition,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _shortest(
    connection: Connection, ways: tuple[str, ...], values: Mapping[str, Any], stretch: Stretch
) -> tuple[str, Place | None]:
    """The index that gets furthest back, and the last call that it is walked to; None where it comes to its end."""
    found = connection.execute(
        last_looked_at(ways, stretch.ends), {**values, **stretch.values, "skipped": LOOKED_AT - 1}
    )
    ends = {way: (at, id) for way, at, id in found}
    for way in ways:
        if way not in ends:
            return way, None
    return min(ends.items(), key=lambda each: each[1])
