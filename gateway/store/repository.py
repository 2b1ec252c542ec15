"""The repository: stores each change whole or not at all, numbers its events, and gives back what the centre needs.

Counterparts: `gateway/ports.py` names it as `Store`; `reads.py` is the API's side.

Two rules make the history exact, whoever else writes to the same database:
the ledger's next number is the newest stored one plus one, read inside the transaction that has the ledger to itself;
and what was worked out from the journal is stored only if nobody else has written since `open_calls` was read, so that
of two gateways on one database one is always sent back to read again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, Connection, Insert, Table, Text, bindparam, delete, func, select, update
from sqlalchemy import cast as as_type
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain import audit
from gateway.domain.alarms import Alarm
from gateway.domain.blocks import LONGEST, Block
from gateway.domain.call import Call
from gateway.domain.callbacks import Callback, Flock, State, Update
from gateway.domain.change import Change, Position, SetAside
from gateway.domain.dispositions import Disposed
from gateway.domain.events import Event
from gateway.domain.holding import Member
from gateway.domain.kept import Kept
from gateway.domain.presence import Presence
from gateway.domain.recordings import Recording
from gateway.domain.recordings import State as SoundState
from gateway.domain.roster import Absence, Assignment, Swap
from gateway.domain.webhooks import Webhook
from gateway.ports import Committed, StoreAway
from gateway.store import rows, tables
from gateway.store.callback_reads import CallbackFilter, filtered, is_overdue
from gateway.store.database import Ledger, QuickReads, reading
from gateway.store.in_bulk import put_all
from gateway.store.prepared import Prepared
from gateway.store.shelves import SHELVES
from gateway.store.writes import AUDIT_HEAD, log_deeds, put_alarm, put_callback, put_thing

_NEWEST_SEQ = select(func.coalesce(func.max(tables.events.c.seq), 0))

NOT_BY_ASTERISK = ("call.disposed", "call.silent")
"""Events of a call whose time is the gateway's."""
NUMBERS_AT_ONCE = 500
"""Numbers that one query asks for: both databases have a limit."""

Thing = TypeVar("Thing", bound=Kept)
RUNG_AT_MOST = 200
"""Calls of one phone that are looked at."""
LOOKED_AT = 2000
"""Calls of all phones in which a phone is looked for that was not the first to answer."""


class Repository:
    """The store behind the centre. Every call has the time limits of `database.py`, and then raises StoreAway."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._ledger = Ledger(engine)
        self._quick = QuickReads(engine, 1)
        self._seen: int | None = None
        """The newest event that whoever works on the journal knows of; None before `open_calls`."""
        insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        dialect = engine.dialect
        self._put_events = Prepared(insert(tables.events), tables.events, dialect)
        self._put_calls = Prepared(_upsert(insert(tables.calls), tables.calls), tables.calls, dialect)
        self._put_recordings = Prepared(
            _upsert(insert(tables.recordings), tables.recordings), tables.recordings, dialect
        )
        self._put_members = _upsert(insert(tables.members), tables.members)
        self._put_webhooks = _upsert(insert(tables.webhooks), tables.webhooks)
        self._put_presences = _upsert(insert(tables.presences), tables.presences)
        self._put_sighting = _upsert(insert(tables.sightings), tables.sightings)
        self._put_token_uses = _upsert(insert(tables.token_uses), tables.token_uses)
        its_own = {
            name: select(tables.calls.c[name]).where(tables.calls.c.id == bindparam("of_call")).scalar_subquery()
            for name in ("arrived_at", "trunk")
        }
        self._put_dispositions = _upsert(insert(tables.dispositions).values(its_own), tables.dispositions)
        positions = tables.journal_positions
        put = insert(positions)
        self._put_position = _upsert(put, positions)
        self._move_position = _upsert(put, positions, where=put.excluded.offset >= positions.c.offset)

    async def commit(self, change: Change) -> Committed:
        """Stores all of `change` or nothing; returns its events as the ledger has them (see `columns.storable`), and
        its kept things and callbacks with their ids and versions.

        Raises Taken when a name or number belongs to another active thing of the kind, Stale when one was changed since
        that version, Unknown when there is none of that id, and StoreAway. After StoreAway the change may be
        stored all the same, where the answer was lost: so a change that carries calls or positions is refused until
        `open_calls` has been read again.
        """
        from_journal = bool(change.calls or change.positions)

        def store(connection: Connection) -> tuple[int, Committed]:
            newest: int = connection.execute(_NEWEST_SEQ).scalar_one()
            if from_journal and self._seen not in (None, newest):
                raise StoreAway("something was stored that this gateway has not read: it must read again")
            return newest, self._store(connection, change, newest)

        newest, committed = await self._ledger.write(store)
        if self._seen == newest:
            self._seen = newest + len(committed.events)
        return committed

    async def put_token_uses(self, uses: Mapping[int, datetime]) -> None:
        """Keeps when tokens were last used, by their ids."""
        put = [{"token_id": token_id, "used_at": at} for token_id, at in uses.items()]
        await self._ledger.write(lambda connection: connection.execute(self._put_token_uses, put))

    async def token_uses(self) -> dict[int, datetime]:
        """When each token was last used, by its id."""
        async with reading(self._engine) as connection:
            found = await connection.execute(select(tables.token_uses))
            return {row.token_id: row.used_at for row in found}

    def _store(self, connection: Connection, change: Change, newest: int) -> Committed:
        kept = put_all(connection, change.kept, put_thing)
        known = {id(given): stored_thing for given, stored_thing in zip(change.kept, kept, strict=True)}
        deeds = [replace(deed, after=known.get(id(deed.after), deed.after)) for deed in change.deeds]
        tasks = [put_callback(connection, update.task) for update in change.callbacks]
        happened = [*change.events, *_told(change.callbacks, tasks), *(deed.event for deed in deeds)]
        stored = tuple(rows.numbered(newest + place, event) for place, event in enumerate(happened, 1))
        if stored:
            self._put_events.execute(connection, [rows.event_row(event) for event in stored])
        if deeds:
            log_deeds(connection, deeds)
        if change.calls:
            self._put_calls.execute(connection, [rows.call_row(call) for call in change.calls])
        if change.positions:
            self._move_on(connection, change.positions)
        if change.set_aside:
            connection.execute(tables.set_aside.insert(), [_set_aside_row(record) for record in change.set_aside])
        if change.members_removed:
            connection.execute(
                delete(tables.members).where(
                    tables.members.c.queue == bindparam("gone_queue"), tables.members.c.phone == bindparam("gone_phone")
                ),
                [{"gone_queue": queue, "gone_phone": phone} for queue, phone in change.members_removed],
            )
        if change.members_put:
            connection.execute(self._put_members, [rows.member_row(member) for member in change.members_put])
        if change.presences:
            connection.execute(self._put_presences, [rows.presence_row(each) for each in change.presences])
        if change.dispositions:
            disposed = [{**rows.disposition_row(each), "of_call": each.call_id} for each in change.dispositions]
            connection.execute(self._put_dispositions, disposed)
        if change.recordings:
            self._put_recordings.execute(connection, [rows.recording_row(each) for each in change.recordings])
        for alarm in change.alarms:
            put_alarm(connection, alarm)
        if change.webhooks_removed:
            connection.execute(
                delete(tables.webhooks).where(tables.webhooks.c.id == bindparam("gone")),
                [{"gone": webhook_id} for webhook_id in change.webhooks_removed],
            )
        if change.webhooks_put:
            connection.execute(self._put_webhooks, [rows.webhook_row(webhook) for webhook in change.webhooks_put])
        for webhook in change.webhooks_moved:
            place = {"after_seq": webhook.after_seq, "failing_since": webhook.failing_since}
            connection.execute(update(tables.webhooks).where(tables.webhooks.c.id == webhook.id).values(place))
        if change.seen_at is not None:
            connection.execute(self._put_sighting, {"id": 1, "at": change.seen_at})
        if change.blind_times:
            connection.execute(tables.blind_times.insert(), [asdict(each) for each in change.blind_times])
        return Committed(stored, kept, tuple(tasks))

    def _move_on(self, connection: Connection, positions: Mapping[str, Position]) -> None:
        """Stores how far the journal is read. A position that would go back means that its reader is out of date, but
        for one that knows it: the segment lost its end."""
        moved = 0
        for segment, position in positions.items():
            row = {"segment": segment, "offset": position.offset, "tail": position.tail}
            moved += connection.execute(self._put_position if position.is_back else self._move_position, row).rowcount
        if moved < len(positions):
            raise StoreAway("the journal is stored further than this reading knows: it must be read again")

    async def newest_seq(self) -> int:
        """The newest event's number; 0 before the first. Raises StoreAway."""
        async with reading(self._engine) as connection:
            newest: int = (await connection.execute(_NEWEST_SEQ)).scalar_one()
            return newest

    async def try_to_write(self) -> None:
        """Returns when a change could be stored now: nobody holds the ledger. Raises StoreAway."""
        await self._ledger.write(lambda connection: None)

    async def open_calls(self) -> list[Call]:
        """The calls that have not ended, in the order of their arrival. From here on a change that carries calls or
        positions is taken only while nobody else writes. Raises StoreAway."""
        running = select(tables.calls).where(tables.calls.c.ended_at.is_(None))
        async with reading(self._engine) as connection:
            # first the number: what is stored while the calls are being read makes the next commit fail, rightly
            newest: int = (await connection.execute(_NEWEST_SEQ)).scalar_one()
            # sorted here: SQLite would go through all calls there are, for these few in their order
            open_calls = [rows.call_of(row) for row in (await connection.execute(running)).mappings()]
        self._seen = newest
        return sorted(open_calls, key=lambda call: (call.arrived_at, call.id))

    async def newest_arrival(self) -> datetime | None:
        """When the newest call arrived; None before the first. Raises StoreAway."""
        async with reading(self._engine) as connection:
            newest: datetime | None = (
                await connection.execute(select(func.max(tables.calls.c.arrived_at)))
            ).scalar_one()
            return newest

    async def has_call(self, call_id: str) -> bool:
        """Whether there is a call of that id. Raises StoreAway."""
        query = select(tables.calls.c.id).where(tables.calls.c.id == call_id)
        return await self._ledger.read(lambda connection: connection.execute(query).one_or_none()) is not None

    async def last_events(self, call_ids: Collection[str]) -> dict[str, datetime]:
        """When the last event that Asterisk told of each of these calls was. Raises StoreAway."""
        events, asked = tables.events.c, sorted(call_ids)
        found: dict[str, datetime] = {}
        is_its = events.type.startswith("call.", autoescape=True) & events.type.not_in(NOT_BY_ASTERISK)
        for start in range(0, len(asked), NUMBERS_AT_ONCE):
            of_these = events.call_id.in_(asked[start : start + NUMBERS_AT_ONCE]) & is_its
            query = select(events.call_id, func.max(events.at).label("at")).where(of_these).group_by(events.call_id)
            async with reading(self._engine) as connection:
                found |= {row.call_id: row.at for row in await connection.execute(query)}
        return found

    async def disposition(self, call_id: str) -> Disposed | None:
        """What people said last that the call was; None where nobody did. Raises StoreAway."""
        query = select(tables.dispositions).where(tables.dispositions.c.call_id == call_id)
        async with reading(self._engine) as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
            return None if row is None else rows.disposed_of(row)

    async def calls_rung_at(self, phone: str, since: datetime, until: datetime) -> list[Call]:
        """The newest calls that arrived in that time and for which that phone was rung: those that it answered first,
        and of the others those among the newest LOOKED_AT calls of all. Raises StoreAway."""
        calls = tables.calls
        newest = select(calls).where(calls.c.arrived_at > since, calls.c.arrived_at <= until)
        newest = newest.order_by(*tables.NEWEST_CALL_FIRST)
        last = newest.limit(LOOKED_AT).subquery()
        # the attempts are JSON as `columns.to_json` writes it, and a phone is digits
        is_rung = as_type(last.c.attempts, Text).contains(f'"phone":"{phone}"', autoescape=True)
        queries = (newest.where(calls.c.operator == phone).limit(RUNG_AT_MOST), select(last).where(is_rung))
        async with reading(self._engine) as connection:
            found: dict[str, Call] = {}
            for query in queries:
                for row in (await connection.execute(query)).mappings():
                    found[row["id"]] = rows.call_of(row)
        return sorted(found.values(), key=lambda call: (call.arrived_at, call.id), reverse=True)[:RUNG_AT_MOST]

    async def journal_positions(self) -> dict[str, Position]:
        """How far each segment of the journal is stored. Raises StoreAway."""
        async with reading(self._engine) as connection:
            found = await connection.execute(select(tables.journal_positions))
            return {row.segment: Position(row.offset, row.tail) for row in found}

    async def kept(self, kind: type[Thing], *, include_retired: bool = False) -> list[Thing]:
        """All things of that kind, oldest first. Raises StoreAway."""
        table = SHELVES[kind].table
        query = select(table).order_by(table.c.id)
        if not include_retired:
            query = query.where(table.c.retired_at.is_(None))
        return await self._things(kind, query)

    async def one(self, kind: type[Thing], thing_id: int) -> Thing | None:
        """The thing of that kind and id, retired or not; None where there is none. Raises StoreAway."""
        table = SHELVES[kind].table
        found = await self._things(kind, select(table).where(table.c.id == thing_id))
        return found[0] if found else None

    async def assignments(self, first: date, last: date) -> list[Assignment]:
        """The active assignments that touch those days. Raises StoreAway."""
        table = SHELVES[Assignment].table
        query = select(table).where(
            table.c.last_date >= first, table.c.first_date <= last, table.c.retired_at.is_(None)
        )
        return await self._things(Assignment, query)

    async def absences(self, since: datetime, until: datetime) -> list[Absence]:
        """The active absences that touch that time. Raises StoreAway."""
        table = SHELVES[Absence].table
        query = select(table).where(table.c.until_at > since, table.c.from_at < until, table.c.retired_at.is_(None))
        return await self._things(Absence, query)

    async def swaps(self, first: date, last: date) -> list[Swap]:
        """The active swaps of shifts that begin on those days, in the order in which they were asked for. Raises
        StoreAway."""
        table = SHELVES[Swap].table
        query = select(table).where(table.c.date >= first, table.c.date <= last, table.c.retired_at.is_(None))
        return await self._things(Swap, query.order_by(table.c.id))

    async def blocks(self, at: datetime) -> list[Block]:
        """The blocks that are in force then, oldest first. Raises StoreAway."""
        table = SHELVES[Block].table
        query = select(table).where(table.c.until > at, table.c.until <= at + LONGEST, table.c.retired_at.is_(None))
        return await self._things(Block, query.order_by(table.c.id))

    async def _things(self, kind: type[Thing], query: Any) -> list[Thing]:
        shelf = SHELVES[kind]
        async with reading(self._engine) as connection:
            found = (await connection.execute(query)).mappings()
            return cast("list[Thing]", [shelf.thing(row) for row in found])

    async def presences(self) -> dict[int, Presence]:
        """What each operator said last about being there, by the operator's id. Raises StoreAway."""
        async with reading(self._engine) as connection:
            found = (await connection.execute(select(tables.presences))).mappings()
            return {row["operator_id"]: Presence(**row) for row in found}

    async def standing_alarms(self) -> list[Alarm]:
        """The alarms that are not over, oldest first. Raises StoreAway."""
        table = tables.alarms
        async with reading(self._engine) as connection:
            # sorted here: SQLite would go through all alarms that there ever were, for these few in their order
            found = (await connection.execute(select(table).where(table.c.cleared_at.is_(None)))).mappings().all()
            return [rows.alarm_of(row) for row in sorted(found, key=lambda row: row["id"])]

    async def callback(self, callback_id: int) -> Callback | None:
        """The task of that id, open or over; None where there is none. Raises StoreAway."""
        found = await self._callbacks(tables.callbacks.c.id == callback_id)
        return found[0] if found else None

    async def open_callbacks(self, numbers: Collection[str]) -> list[Callback]:
        """The open tasks of those numbers. Raises StoreAway."""
        asked = sorted(numbers)
        found: list[Callback] = []
        for start in range(0, len(asked), NUMBERS_AT_ONCE):
            part = asked[start : start + NUMBERS_AT_ONCE]
            found += await self._callbacks(tables.callbacks.c.number.in_(part) & tables.callbacks.c.closed_at.is_(None))
        return found

    async def called_for(self, at_most: int) -> Mapping[str, int] | None:
        """The numbers that have an open task, each with its id; None where there are more of them. Raises StoreAway."""
        table = tables.callbacks
        query = select(table.c.number, table.c.id).where(table.c.closed_at.is_(None)).limit(at_most + 1)
        async with reading(self._engine) as connection:
            found = {row.number: row.id for row in await connection.execute(query)}
        return found if len(found) <= at_most else None

    async def flock(self, flock: Flock, at_most: int) -> tuple[int, list[Callback]]:
        """How many tasks are of it, and so many of them, the oldest first. Raises StoreAway."""
        found = filtered(CallbackFilter(state=State.OPEN, **asdict(flock)))
        oldest = found.order_by(tables.callbacks.c.opened_at, tables.callbacks.c.id).limit(at_most)
        async with reading(self._engine) as connection:
            count: int = (await connection.execute(select(func.count()).select_from(found.subquery()))).scalar_one()
            return count, [rows.callback_of(row) for row in (await connection.execute(oldest)).mappings()]

    async def dialling_callbacks(self) -> list[Callback]:
        """The tasks of which a dial goes on. Raises StoreAway."""
        return await self._callbacks(tables.callbacks.c.dialling.is_not(None))

    async def overdue_callbacks(self, at: datetime) -> tuple[int, datetime | None]:
        """How many open tasks were due before that time and are not being called, and when the first of them was due.
        Raises StoreAway."""
        query = select(func.count(), func.min(tables.callbacks.c.due_at)).where(is_overdue(at))
        async with reading(self._engine) as connection:
            count, first = (await connection.execute(query)).one()
            return count, first

    async def _callbacks(self, condition: ColumnElement[bool]) -> list[Callback]:
        # not ordered by the database: SQLite would go through all of them by id rather than to a few by an index
        async with reading(self._engine) as connection:
            found = (await connection.execute(select(tables.callbacks).where(condition))).mappings()
            return sorted((rows.callback_of(row) for row in found), key=lambda task: task.id)

    async def recording(self, recording_id: str) -> Recording | None:
        """The recording of that id; None where there is none. Raises StoreAway."""
        found = await self._recordings(select(tables.recordings).where(tables.recordings.c.id == recording_id))
        return found[0] if found else None

    async def recordings(self, ids: Collection[str]) -> dict[str, Recording]:
        """Those recordings that are there, by id; NUMBERS_AT_ONCE at most. Raises StoreAway."""
        found = await self._recordings(select(tables.recordings).where(tables.recordings.c.id.in_(ids)))
        return {each.id: each for each in found}

    async def running_recordings(self) -> list[Recording]:
        """The recordings whose sound is being written, oldest first. Raises StoreAway."""
        table = tables.recordings
        query = select(table).where(tables.IS_UNSEALED, table.c.state == SoundState.RUNNING)
        # by the time alone, as the index of these few has it: by the id too, SQLite would go through all recordings
        return await self._recordings(query.order_by(table.c.started_at))

    async def _recordings(self, query: Any) -> list[Recording]:
        found = await self._ledger.read(lambda connection: connection.execute(query).mappings().all())
        return [rows.recording_of(row) for row in found]

    async def audit_head(self) -> tuple[int, str]:
        """The newest audit entry's number and hash. Raises StoreAway."""
        row = await self._quick.read(lambda connection: connection.execute(AUDIT_HEAD).one_or_none())
        return (row.seq, row.hash) if row else (0, audit.GENESIS)

    async def members(self) -> list[Member]:
        """All places in queues, by queue and phone. Raises StoreAway."""
        query = select(tables.members).order_by(tables.members.c.queue, tables.members.c.phone)
        async with reading(self._engine) as connection:
            return [Member(**row) for row in (await connection.execute(query)).mappings()]

    async def webhooks(self) -> list[Webhook]:
        """All webhooks, oldest first. Raises StoreAway."""
        query = select(tables.webhooks).order_by(tables.webhooks.c.created_at, tables.webhooks.c.id)
        async with reading(self._engine) as connection:
            return [rows.webhook_of(row) for row in (await connection.execute(query)).mappings()]

    async def close(self) -> None:
        """Closes every connection, those of `Reads` on the same engine too."""
        self._ledger.close()
        await self._engine.dispose()


def _upsert(
    insert: postgresql.Insert | sqlite.Insert, table: Table, where: ColumnElement[bool] | None = None
) -> Insert:
    """An insert that replaces the whole row where its primary key is there already, and `where` is true of both."""
    keys = [column.name for column in table.primary_key]
    others = {column.name: insert.excluded[column.name] for column in table.c if column.name not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=others, where=where)


def _told(updates: Sequence[Update], stored: Sequence[Callback]) -> list[Event]:
    """The events of the tasks, with their ids."""
    return [
        replace(event, data={"callback_id": task.id, **event.data})
        for update, task in zip(updates, stored, strict=True)
        for event in update.events
    ]


def _set_aside_row(record: SetAside) -> dict[str, Any]:
    return {"at": record.at, "source": record.source, "reason": record.reason, "raw": record.raw}
