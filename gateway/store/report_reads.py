"""What a report counts: calls by group, by what became of them and by their wait; what they were; and callbacks.

Counterparts: `gateway/domain/report_groups.py` says what is counted together, `gateway/domain/reports.py` makes figures
of it; `gateway/api/reports.py` asks.

The database counts and the domain does the rest: of a month with a million calls some thousand rows come back. Calls
that are over lie in an index of their own (`ix_calls_report`), those that go on in `ix_calls_running`.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Dialect,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    text,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from gateway.domain.call import PROBE_TRUNK, Stage
from gateway.domain.callbacks import State
from gateway.domain.report_groups import ANSWERED_WITHIN, DAY_S, HOUR_S, HOURS_OF_DAY, By, Piece, Wanted
from gateway.domain.reports import NO_CALLBACKS, Became, CallbackCount, CallCount, Counts, DisposedCount
from gateway.store.columns import UtcTime, epoch_s, tenths_between
from gateway.store.database import in_turn
from gateway.store.tables import callbacks, calls, dispositions

REPORTS_AT_ONCE = 2
"""A report reads much: it must not keep everybody else from the database."""
A_WEEK = timedelta(weeks=1)
"""A million calls in a month would take SQLite longer than one transaction may, and PostgreSQL, too, where each of them
is looked for in the roster: then each week is one of its own."""
CLOCKS_APART = timedelta(days=1)
"""A disposition is set after its call came, as far as two clocks agree."""
GROUPING_MEMORY = "64MB"
"""So much a report may use on PostgreSQL, whose usual 4 MB are little for a month of hours."""

_NEVER = -1
"""The wait of a call that nobody answered, or both an operator and somebody else: its one time is that of who was
first, and does not say which of them that was."""
_TELL_CALLBACKS_APART = frozenset({By.NONE, By.HOUR, By.DAY, By.MONTH, By.HOUR_OF_DAY, By.TRUNK})


class ReportReads:
    """`reading` opens a connection to read with, with the time limits of `database.py`; it may raise StoreAway."""

    def __init__(self, reading: Callable[[], AbstractAsyncContextManager[AsyncConnection]]) -> None:
        self._reading = reading
        self._places = asyncio.Semaphore(REPORTS_AT_ONCE)

    async def counts(self, wanted: Wanted, now: datetime) -> list[Counts]:
        """What came in each piece of the time, or in each week of it, without the probe's calls, as the database was at
        one moment. Raises StoreAway."""
        found: list[Counts] = []
        async with in_turn(self._places):
            for piece in wanted.pieces:
                since: datetime | None = piece.since
                while since is not None:
                    async with self._reading() as connection:
                        until = await _ready(connection, wanted, since, piece)
                        part = replace(piece, since=since, until=until)
                        found.append(await _counts(connection, wanted, part, now))
                    since = until if until < piece.until else None
        return found

    async def first_arrival(self) -> datetime | None:
        """When the centre's first call came, its own test calls left out; None before that. Raises StoreAway."""
        query = select(calls.c.arrived_at).where(calls.c.trunk != PROBE_TRUNK).order_by(calls.c.arrived_at).limit(1)
        async with self._reading() as connection:
            return (await connection.execute(query)).scalar_one_or_none()


async def _ready(connection: AsyncConnection, wanted: Wanted, since: datetime, piece: Piece) -> datetime:
    """Until when is counted now; the connection sees the database as it is at one moment (SQLite's do anyway)."""
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        await connection.execute(text(f"SET LOCAL work_mem = '{GROUPING_MEMORY}'"))
    return min(since + A_WEEK, piece.until) if is_sqlite or wanted.by is By.SHIFT else piece.until


async def _counts(connection: AsyncConnection, wanted: Wanted, piece: Piece, now: datetime) -> Counts:
    ask = _Statements(connection.dialect, wanted, piece, now)
    came = await connection.execute(ask.calls())
    there = await asyncio.to_thread(lambda rows: tuple(map(_call_count, rows)), came.all())
    were = await connection.execute(ask.dispositions())
    disposed = tuple(DisposedCount(key, disposition, count) for key, disposition, count in were)
    if wanted.queue is not None:  # a callback is of a number, not of a queue
        return Counts(there, disposed, None, None)
    tasks = await connection.execute(ask.callbacks())
    each = tuple(CallbackCount(*row) for row in tasks if row[1])
    together = sum((replace(one, key=None) for one in each), NO_CALLBACKS)
    return Counts(there, disposed, each if wanted.by in _TELL_CALLBACKS_APART else None, together)


def _at_least_0(tenths: ColumnElement[int]) -> ColumnElement[int]:
    """No wait is less: a clock that was set back in between is no merit."""
    return case((tenths > 0, tenths), else_=0)


def _call_count(row: Sequence[Any]) -> CallCount:
    key, became, pairs = row
    waits = {int(tenths): int(count) for tenths, _, count in (pair.partition(":") for pair in pairs.split())}
    return CallCount(key, Became(became), waits, waits.pop(_NEVER, 0))


@dataclass(frozen=True)
class _Statements:
    """What the database is asked of one piece of a report's time."""

    dialect: Dialect
    wanted: Wanted
    piece: Piece
    now: datetime

    def calls(self) -> CompoundSelect[Any]:
        came, answered = calls.c.arrived_at, calls.c.answered_at
        is_relieved = calls.c.relieved_by.is_not(None)
        wait = _at_least_0(tenths_between(self.dialect, came, answered))
        waited = case(
            (answered.is_(None), _NEVER), (and_(calls.c.outcome == Became.ANSWERED, is_relieved), _NEVER), else_=wait
        )
        stands = case(
            (not_(self._is_decided), Became.WAITING.value),
            (calls.c.operator.is_not(None), Became.TALKING.value),
            else_=Became.RELIEVED.value,
        )
        so_far = case(
            (not_(self._is_decided), _at_least_0(tenths_between(self.dialect, came, literal(self.now, UtcTime())))),
            (and_(calls.c.operator.is_not(None), is_relieved), _NEVER),
            else_=wait,
        )
        return union_all(
            self._waits(calls.c.outcome, waited, self._over()), self._waits(stands, so_far, self._going_on())
        )

    def dispositions(self) -> Select[Any]:
        """Of the calls that are presented."""
        which = select(self._key.label("key"), calls.c.id).select_from(self._source()).where(*self._asked_for())
        there = union_all(which.where(*self._over()), which.where(*self._going_on(), self._is_decided)).cte("there")
        if self.wanted.by is By.SHIFT:  # else SQLite looks through all stints for each call
            there = there.prefix_with("MATERIALIZED", dialect="sqlite")
        what = dispositions.c.disposition
        both = there.join(dispositions, dispositions.c.call_id == there.c.id)
        query = select(there.c.key, what, func.count()).select_from(both).group_by(there.c.key, what)
        if self.dialect.name == "postgresql":  # it joins two heaps, so that the smaller they are the better
            query = query.where(dispositions.c.set_at >= self.piece.since - CLOCKS_APART)
        return query

    def callbacks(self) -> Select[Any]:
        """In the order of `CallbackCount`'s fields."""
        table = callbacks.c
        is_dialled = table.first_dialled_at.is_not(None)
        needed_none = and_(table.state == State.GOT_THROUGH, not_(is_dialled))
        is_not_due = and_(table.closed_at.is_(None), not_(is_dialled), table.first_due_at >= self.now)
        counted = (
            not_(or_(needed_none, is_not_due)),
            and_(is_dialled, table.first_dialled_at <= table.first_due_at),
            *(table.state == state for state in (State.REACHED, State.GIVEN_UP, State.GOT_THROUGH)),
        )
        key = table.trunk if self.wanted.by is By.TRUNK else self._clock(table.opened_at)
        query = (
            select(key.label("key"), func.count(), *(func.count(case((each, 1))) for each in counted))
            .where(table.opened_at >= self.piece.since, table.opened_at < self.piece.until, table.trunk != PROBE_TRUNK)
            .group_by(text("1"))
        )
        return query if self.wanted.trunk is None else query.where(table.trunk == self.wanted.trunk)

    def _waits(
        self, became: ColumnElement[Any], tenths: ColumnElement[int], which: Sequence[ColumnElement[bool]]
    ) -> Select[Any]:
        """Calls by their group and what became of them: each wait with its count in one text, such as "31:2 47:1", for
        a row for each would take longer to fetch than to count."""
        each = (
            select(self._key.label("key"), became.label("became"), tenths.label("tenths"), func.count().label("calls"))
            .select_from(self._source())
            .where(*which, *self._asked_for())
            .group_by(text("1"), text("2"), text("3"))
            .subquery()
        )
        pair = cast(each.c.tenths, Text).concat(":").concat(cast(each.c.calls, Text))
        return select(each.c.key, each.c.became, func.aggregate_strings(pair, " ")).group_by(each.c.key, each.c.became)

    def _source(self) -> FromClause:
        if self.wanted.by is not By.SHIFT:
            return calls
        stints = self._stints.c
        works = (stints.operator_id == calls.c.operator_id, stints.since <= calls.c.answered_at)
        return calls.outerjoin(self._stints, and_(*works, stints.until > calls.c.answered_at))

    def _over(self) -> tuple[ColumnElement[bool], ...]:
        return calls.c.outcome.is_not(None), *self._within(calls.c.arrived_at)

    def _going_on(self) -> tuple[ColumnElement[bool], ...]:
        """Calls that are few, and in an index of their own. SQLite would go through the month's for them: a sign before
        the time keeps it from that (https://www.sqlite.org/optoverview.html, disqualifying terms)."""
        at: ColumnElement[Any] = calls.c.arrived_at
        if self.dialect.name == "sqlite":
            at = UnaryExpression(at, operator=custom_op("+"), type_=at.type)
        return calls.c.ended_at.is_(None), *self._within(at)

    @property
    def _is_decided(self) -> ColumnElement[bool]:
        """Of a call that goes on: whether an operator has answered it, or an agency or a last-resort number that has
        not left it to wait again."""
        waits_again = and_(calls.c.operator.is_(None), calls.c.stage.in_((Stage.QUEUED, Stage.FALLBACK)))
        return and_(calls.c.answered_at.is_not(None), not_(waits_again))

    def _within(self, at: ColumnElement[Any]) -> tuple[ColumnElement[bool], ...]:
        return at >= self.piece.since, at < self.piece.until

    def _asked_for(self) -> Iterator[ColumnElement[bool]]:
        yield calls.c.trunk != PROBE_TRUNK
        if self.wanted.queue is not None:
            yield calls.c.queue == self.wanted.queue
        if self.wanted.trunk is not None:
            yield calls.c.trunk == self.wanted.trunk

    @property
    def _key(self) -> ColumnElement[Any]:
        match self.wanted.by:
            case By.QUEUE:
                return calls.c.queue
            case By.TRUNK:
                return calls.c.trunk
            case By.OPERATOR:
                return calls.c.operator_id
            case By.SHIFT:
                return self._stints.c.place
        return self._clock(calls.c.arrived_at)

    def _clock(self, at: ColumnElement[Any]) -> ColumnElement[int]:
        """The key of the group of `at`; one for all where they are not told apart by the clock."""
        ahead_s = self._ahead_s(at)
        local_s = epoch_s(self.dialect, at) + ahead_s
        match self.wanted.by:
            case By.HOUR:
                return local_s // HOUR_S * HOUR_S - ahead_s
            case By.HOUR_OF_DAY:
                return local_s // HOUR_S % HOURS_OF_DAY
            case By.DAY:
                return local_s // DAY_S
        return literal_column(str(self.piece.month if self.wanted.by is By.MONTH else 0), Integer)

    def _ahead_s(self, at: ColumnElement[Any]) -> ColumnElement[int]:
        first, *changes = self.piece.offsets
        ahead_s = literal_column(str(first.ahead_s), Integer)
        if not changes:
            return ahead_s
        return case(*((at >= each.since, each.ahead_s) for each in reversed(changes)), else_=ahead_s)

    @cached_property
    def _stints(self) -> FromClause:
        """The stints as a table: in one value, for thousands would be more values than a statement may have."""
        is_sqlite = self.dialect.name == "sqlite"
        digits = "%Y-%m-%d %H:%M:%S.%f" if is_sqlite else "%Y-%m-%dT%H:%M:%S.%fZ"
        there = [
            (each.operator_id, each.since.strftime(digits), each.until.strftime(digits), each.place)
            for each in self.wanted.stints
            if each.since < self.piece.until + ANSWERED_WITHIN and each.until > self.piece.since
        ]
        written = literal(json.dumps(there), Text)
        fields: list[ColumnElement[Any]]
        if is_sqlite:
            row = func.json_each(written).table_valued("value").c.value
            fields = [func.json_extract(row, f"$[{place}]") for place in range(4)]
        else:
            row = func.json_array_elements(cast(written, postgresql.JSON)).table_valued("value").c.value
            fields = [row.op("->>")(place) for place in range(4)]
        number, since, until, place = fields
        stints = select(
            cast(number, BigInteger).label("operator_id"),
            _time(since, is_sqlite).label("since"),
            _time(until, is_sqlite).label("until"),
            cast(place, Integer).label("place"),
        )
        # else SQLite would read it anew for each call
        return stints.cte("stints").prefix_with("MATERIALIZED")


def _time(digits: ColumnElement[Any], is_sqlite: bool) -> ColumnElement[Any]:
    """SQLite keeps times as text, and would make a number of it in a cast."""
    return type_coerce(digits, UtcTime()) if is_sqlite else cast(digits, UtcTime())
