"""What destroying and erasing need of the store: which recordings last, what a number's calls left, and the one place
where history is rewritten.

Counterparts: `gateway/ports.py` names it as `Custody`; `gateway/destroying.py` and `erasing.py` ask.

The ledger is never changed but here, and here only so that a person's number and what belongs to it goes out of it
(docs/decisions/0020). Everything can be asked for again after a crash.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Text,
    and_,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy import cast as as_type
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.domain.blocks import Block
from gateway.domain.callbacks import Callback, callback_id_of
from gateway.domain.erasing import PERSONAL, Redaction
from gateway.domain.flow import FLOOD_NUMBER
from gateway.domain.numbers import one_spelling
from gateway.domain.recordings import Recording
from gateway.domain.retention import Lasting, LegalHold, Trusted, Uptime
from gateway.ports import Person
from gateway.store import rows
from gateway.store.database import LOCK_LIMIT_S, Ledger, reading
from gateway.store.shelves import SHELVES
from gateway.store.tables import (
    IS_LASTING,
    alarms,
    callbacks,
    calls,
    dispositions,
    events,
    recordings,
    set_aside,
    trusted_times,
)

log = logging.getLogger(__name__)

T = TypeVar("T")
IDS_AT_ONCE = 400
"""Ids that one query asks for: both databases have a limit."""
LOOKED_BACK = (0, *(2**power for power in range(18)))
"""So many events before a call's first one it is looked what the clock had shown: whenever it was put behind, one of
these is from before that."""
EVENTS_AT_ONCE = 5000
"""Events of the ledger that one transaction goes through."""

_holds, _blocks = SHELVES[LegalHold].table, SHELVES[Block].table


class StoredCustody:
    """The port `Custody`. Every call has the time limits of `database.py`, and then raises StoreAway."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._ledger = Ledger(engine)
        insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        put = insert(trusted_times)
        new = {name: put.excluded[name] for name in ("at", "ahead_s", "boot", "up_s")}
        self._put_trusted = put.on_conflict_do_update(index_elements=["id"], set_=new)

    # ---------------------------------------------------------------- how long recordings last

    async def lasting(self, until: datetime, after: tuple[datetime, str] | None, limit: int) -> list[Lasting]:
        """See ports.Custody."""
        query = _lasting().where(recordings.c.started_at <= until).limit(limit)
        query = query.order_by(recordings.c.started_at, recordings.c.id)
        if after is not None:
            # as one pair, where the index goes on: of two conditions it would begin anew with the oldest one each time
            query = query.where(tuple_(recordings.c.started_at, recordings.c.id) > after)
        async with reading(self._engine) as connection:
            found = (await connection.execute(query)).mappings().all()
            return await _all_lasting(connection, found)

    async def lasting_of(self, ids: Sequence[str]) -> list[tuple[Lasting, Recording]]:
        """See ports.Custody."""
        found = await self._lasting_whole(recordings.c.id.in_(ids))
        async with reading(self._engine) as connection:
            told = await _told_before(connection, {lasting.call_ids[-1] for lasting, _ in found if lasting.call_ids})
        return [(_not_older(lasting, told), recording) for lasting, recording in found]

    async def begun(self) -> list[tuple[Lasting, Recording]]:
        """See ports.Custody."""
        return await self._lasting_whole(recordings.c.destroyed_at.is_not(None))

    async def _lasting_whole(self, condition: ColumnElement[bool]) -> list[tuple[Lasting, Recording]]:
        query = _lasting().add_columns(*(column.label(f"own_{column.name}") for column in recordings.c))
        query = query.where(condition).order_by(recordings.c.started_at, recordings.c.id)
        async with reading(self._engine) as connection:
            found = (await connection.execute(query)).mappings().all()
            return list(zip(await _all_lasting(connection, found), map(_recording_of, found), strict=True))

    async def recordings_of(self, call_ids: Collection[str], callback_ids: Collection[int] = ()) -> list[Recording]:
        """See ports.Custody."""
        found: list[Recording] = []
        queries = [select(recordings).where(recordings.c.call_id.in_(part)) for part in _parts(sorted(call_ids))]
        # a task keeps its latest dials alone; each dial's id begins with the task's. SQLite finds each range by the
        # index, but goes through all recordings for one of them or another
        queries += [
            select(union_all(*(select(recordings).where(_is_dial_of(task)) for task in part)).subquery())
            for part in _parts(sorted(callback_ids))
        ]
        async with reading(self._engine) as connection:
            for query in queries:
                by_age = query.order_by(query.selected_columns.started_at)
                found += [rows.recording_of(row) for row in (await connection.execute(by_age)).mappings()]
        return list({each.id: each for each in found}.values())

    async def trusted(self) -> Trusted | None:
        """See ports.Custody."""
        newest = select(func.max(func.coalesce(recordings.c.ended_at, recordings.c.started_at)))
        async with reading(self._engine) as connection:
            row = (await connection.execute(select(trusted_times))).one_or_none()
            if row is None:
                at: datetime | None = (await connection.execute(newest)).scalar_one()
                return None if at is None else Trusted(at)
            uptime = Uptime(row.boot, row.up_s) if row.boot else None
            return Trusted(row.at, timedelta(seconds=row.ahead_s), uptime)

    async def trust(self, trusted: Trusted) -> None:
        """See ports.Custody."""
        uptime = trusted.uptime or Uptime("", 0.0)
        values = {"id": 1, "at": trusted.at, "ahead_s": trusted.ahead.total_seconds()}
        values |= {"boot": uptime.boot, "up_s": uptime.seconds}
        await self._ledger.write(lambda connection: connection.execute(self._put_trusted, values))

    # ---------------------------------------------------------------- one person

    async def person(self, names: Sequence[str], until: datetime) -> Person:
        """See ports.Custody."""
        # of what carriers write between digits the index alone is read: there may be millions of calls
        plain = _bare(calls.c.caller)
        has_them = calls.c.caller.contains("-") | calls.c.caller.contains(".")
        spelt = select(calls.c.caller).where(has_them, plain.in_(names)).distinct()
        theirs = select(calls.c.id, calls.c.ended_at).where(calls.c.arrived_at <= until)
        theirs = theirs.order_by(calls.c.arrived_at, calls.c.id)
        tasks = select(callbacks).where(callbacks.c.number.in_(names), callbacks.c.opened_at <= until)
        is_over = _blocks.c.retired_at.is_not(None) | (_blocks.c.until <= until)
        blocked = select(_blocks.c.id).where(_blocks.c.number.in_(names), is_over)
        in_force = select(_blocks.c.id).where(
            _blocks.c.number.in_(names), _blocks.c.retired_at.is_(None), _blocks.c.until > until
        )
        floods = select(alarms.c.id).where(
            alarms.c.kind == FLOOD_NUMBER, _bare(alarms.c.subject).in_(names), alarms.c.cleared_at.is_(None)
        )
        async with reading(self._engine) as connection:
            callers = [*names, *(await connection.execute(spelt)).scalars()]
            found = (await connection.execute(theirs.where(calls.c.caller.in_(callers)))).all()
            ids = [row.id for row in found]
            held: dict[str, str] = {}
            for part in _parts(ids):
                holding = select(_holds.c.call_id, _holds.c.reason).where(
                    _holds.c.call_id.in_(part), _holds.c.retired_at.is_(None)
                )
                held |= {row.call_id: row.reason for row in await connection.execute(holding.order_by(_holds.c.id))}
            said = 0
            for part in _parts(ids):
                counted = select(func.count()).where(dispositions.c.call_id.in_(part))
                said += (await connection.execute(counted)).scalar_one()
            listed = (await connection.execute(tasks)).mappings()
            their_tasks = tuple(rows.callback_of(row) for row in listed)
            ends = [(row.id, row.ended_at) for row in found if row.id in held]
            return Person(
                calls=tuple(ids),
                running=tuple(row.id for row in found if row.ended_at is None),
                held=held,
                callbacks=their_tasks,
                held_callbacks=frozenset(
                    task.id for task in their_tasks if any(task.has_tried(*each) for each in ends)
                ),
                dispositions=said,
                blocks=tuple((await connection.execute(blocked)).scalars()),
                is_blocked=(await connection.execute(in_force.limit(1))).first() is not None,
                is_flooding=(await connection.execute(floods.limit(1))).first() is not None,
            )

    async def erase(self, person: Person, redaction: Redaction, pseudonym: str) -> None:
        """See ports.Custody."""
        free = person.free_calls
        nobody = {"caller": pseudonym, **dict.fromkeys(PERSONAL, "")}

        def work(part: Sequence[str]) -> Any:
            def store(connection: Connection) -> None:
                connection.execute(update(calls).where(calls.c.id.in_(part)).values(**nobody))
                said = update(dispositions).where(dispositions.c.call_id.in_(part))
                connection.execute(said.values(caller=pseudonym, note=""))
                _redact(connection, events.c.call_id.in_(part), redaction, person)

            return store

        for part in _parts(free):
            await self._ledger.write(work(part))

        def others(connection: Connection) -> None:
            for task in person.free_callbacks:
                connection.execute(
                    update(callbacks)
                    .where(callbacks.c.id == task.id)
                    .values(number=pseudonym, reason="", version=callbacks.c.version + 1)
                )
            blocked = update(_blocks).where(_blocks.c.id.in_(person.blocks))
            connection.execute(blocked.values(number=pseudonym, reason=""))

        await self._ledger.write(others)

    async def redact(
        self, numbers: Sequence[str], person: Person, redaction: Redaction, *, after: int, until: datetime
    ) -> int | None:
        """See ports.Custody."""

        def store(connection: Connection) -> int | None:
            newest: int = connection.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one()
            if after >= newest:
                return None
            last = after + EVENTS_AT_ONCE
            place = (events.c.seq > after) & (events.c.seq <= last) & (events.c.at <= until)
            _redact(connection, place & _names(events.c.data, numbers), redaction, person)
            return last

        return await self._ledger.write(store)

    async def redact_alarms(self, numbers: Sequence[str], redaction: Redaction) -> None:
        """See ports.Custody."""

        def store(connection: Connection) -> None:
            named = _names(alarms.c.subject, numbers) | _names(alarms.c.detail, numbers)
            for row in connection.execute(select(alarms).where(named, alarms.c.cleared_at.is_not(None))).all():
                told = {"subject": redaction.of_text(row.subject), "detail": redaction.of_text(row.detail)}
                connection.execute(update(alarms).where(alarms.c.id == row.id).values(**told))

        await self._ledger.write(store)

    async def redact_set_aside(self, numbers: Sequence[str], redaction: Redaction) -> None:
        """See ports.Custody."""

        def store(connection: Connection) -> None:
            found = connection.execute(select(set_aside).where(_names(set_aside.c.raw, numbers))).mappings().all()
            for row in found:
                connection.execute(
                    update(set_aside)
                    .where(set_aside.c.id == row["id"])
                    .values(raw=redaction.of_text(row["raw"]), reason=redaction.of_text(row["reason"]))
                )

        await self._ledger.write(store)

    async def scrub(self) -> None:
        """See ports.Custody. SQLite's write-ahead log keeps what was written over until it is begun anew; PostgreSQL
        vacuums by itself, when it finds the time."""
        if self._engine.dialect.name == "sqlite" and (path := self._engine.url.database):
            await asyncio.to_thread(_begin_log_anew, path)

    def close(self) -> None:
        """Closes its connection; it opens again when it is needed."""
        self._ledger.close()


def _begin_log_anew(path: str) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_LIMIT_S)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:  # somebody reads or writes all the time: it is begun anew by itself, later
        log.warning("log_not_begun_anew", extra={"reason": str(error)})


def _lasting() -> Select[Any]:
    is_held = select(literal(1)).where(_holds.c.call_id == recordings.c.call_id, _holds.c.retired_at.is_(None)).exists()
    return (
        select(
            recordings.c.id,
            recordings.c.call_id,
            recordings.c.dial_id,
            recordings.c.started_at,
            func.coalesce(recordings.c.ended_at, recordings.c.started_at).label("over_at"),
            dispositions.c.disposition,
            calls.c.queue,
            is_held.label("is_held"),
        )
        .outerjoin(calls, calls.c.id == recordings.c.call_id)
        .outerjoin(dispositions, dispositions.c.call_id == recordings.c.call_id)
        .where(IS_LASTING)
    )


async def _all_lasting(connection: AsyncConnection, found: Sequence[RowMapping]) -> list[Lasting]:
    """The recordings of these rows; what decides about calls back stands with the calls that were tried before."""
    tried = await _tried(connection, {row["dial_id"] for row in found if row["dial_id"] is not None})
    facts = await _facts_of(connection, sorted({each for ids in tried.values() for each in ids}))
    return [_lasting_of(row, tried, facts) for row in found]


async def _told_before(connection: AsyncConnection, call_ids: Collection[str]) -> dict[str, datetime]:
    """The newest time that stands in the ledger with the first event of each of these calls or LOOKED_BACK before."""
    before = events.alias()
    found: dict[str, datetime] = {}
    for part in _parts(sorted(call_ids)):
        first = select(events.c.call_id, func.min(events.c.seq).label("seq")).where(events.c.call_id.in_(part))
        its = first.group_by(events.c.call_id).subquery()
        is_near = before.c.seq.in_([its.c.seq - back for back in LOOKED_BACK])
        query = select(its.c.call_id, func.max(before.c.at).label("at")).join(before, is_near).group_by(its.c.call_id)
        found |= {row.call_id: row.at for row in await connection.execute(query)}
    return found


def _not_older(lasting: Lasting, told: Mapping[str, datetime]) -> Lasting:
    """The recording, as old as the ledger says: what came after something newer was made by a clock that was behind."""
    newest = told.get(lasting.call_ids[-1]) if lasting.call_ids else None
    return lasting if newest is None or newest <= lasting.over_at else replace(lasting, over_at=newest)


async def _tried(connection: AsyncConnection, dial_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The calls of each dial's task, in their order, by the dial; of those which the task does not keep any more only
    what a hold keeps."""
    tasks = {dial_id: callback_id_of(dial_id) for dial_id in dial_ids}
    known: list[Callback] = []
    for part in _parts(sorted(set(tasks.values()))):
        query = select(callbacks).where(callbacks.c.id.in_(part))
        known += [rows.callback_of(row) for row in (await connection.execute(query)).mappings()]
    held: Sequence[Any] = ()
    if any(task.try_count > len(task.tries) for task in known):
        are_held = _holds.c.retired_at.is_(None)
        columns = (calls.c.id, calls.c.caller, calls.c.ended_at, calls.c.arrived_at)
        query = select(*columns).join(_holds, _holds.c.call_id == calls.c.id).where(are_held)
        # sorted here: SQLite would go through all calls there are, for these few in their order
        held = sorted((await connection.execute(query)).all(), key=lambda row: row.arrived_at)
    found: dict[int, tuple[str, ...]] = {}
    for task in known:
        number, tried = one_spelling(task.number), [each.call_id for each in task.tries]
        its = [row.id for row in held if one_spelling(row.caller) == number and task.has_tried(row.id, row.ended_at)]
        found[task.id] = tuple(dict.fromkeys((*(each for each in its if each not in tried), *tried)))
    return {dial_id: found.get(task, ()) for dial_id, task in tasks.items()}


async def _facts_of(connection: AsyncConnection, call_ids: Sequence[str]) -> dict[str, RowMapping]:
    is_held = select(literal(1)).where(_holds.c.call_id == calls.c.id, _holds.c.retired_at.is_(None)).exists()
    query = select(calls.c.id, calls.c.queue, dispositions.c.disposition, is_held.label("is_held"))
    query = query.outerjoin(dispositions, dispositions.c.call_id == calls.c.id)
    found: dict[str, RowMapping] = {}
    for part in _parts(call_ids):
        for row in (await connection.execute(query.where(calls.c.id.in_(part)))).mappings():
            found[row["id"]] = row
    return found


def _lasting_of(row: RowMapping, tried: Mapping[str, tuple[str, ...]], facts: Mapping[str, RowMapping]) -> Lasting:
    own: RowMapping | None = row
    call_ids: tuple[str, ...] = () if row["call_id"] is None else (row["call_id"],)
    is_held = bool(row["is_held"])
    if row["call_id"] is None and row["dial_id"] is not None:
        call_ids = tried[row["dial_id"]]
        known = [facts[each] for each in call_ids if each in facts]
        own = known[-1] if known else None
        is_held = any(each["is_held"] for each in known)
    return Lasting(
        id=row["id"],
        call_ids=call_ids,
        started_at=row["started_at"],
        over_at=row["over_at"],
        disposition=None if own is None else own["disposition"],
        queue=None if own is None else own["queue"],
        is_held=is_held,
    )


def _recording_of(row: RowMapping) -> Recording:
    return rows.recording_of({column.name: row[f"own_{column.name}"] for column in recordings.c})


def _redact(connection: Connection, condition: ColumnElement[bool], redaction: Redaction, person: Person) -> None:
    calls_of, tasks = frozenset(person.free_calls), {task.id for task in person.free_callbacks}
    kept_tasks = {task.id for task in person.callbacks} - tasks
    for row in connection.execute(select(events.c.seq, events.c.call_id, events.c.data).where(condition)).all():
        if row.call_id in person.held or row.data.get("callback_id") in kept_tasks:
            continue
        is_theirs = row.call_id in calls_of or row.data.get("callback_id") in tasks
        redacted = redaction.of_data(row.data, is_theirs=is_theirs)
        if redacted != row.data:
            connection.execute(update(events).where(events.c.seq == row.seq).values(data=redacted))


def _is_dial_of(callback_id: int) -> ColumnElement[bool]:
    """Whether a recording is of a call back of that task."""
    # what follows the number is a hyphen, and the sign after that is a full stop
    return and_(recordings.c.dial_id > f"{callback_id}-", recordings.c.dial_id < f"{callback_id}.")


def _names(column: ColumnElement[Any], numbers: Sequence[str]) -> ColumnElement[bool]:
    """Whether any of the numbers stands in it, with what carriers write between digits or without; whether it is one,
    `Redaction` says."""
    text = _bare(as_type(column, Text))
    return or_(*(text.contains(number, autoescape=True) for number in numbers))


def _bare(text: ColumnElement[Any]) -> ColumnElement[str]:
    """Without what carriers write between the digits of a number."""
    return func.replace(func.replace(text, "-", ""), ".", "")


def _parts(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    return (ids[start : start + IDS_AT_ONCE] for start in range(0, len(ids), IDS_AT_ONCE))
