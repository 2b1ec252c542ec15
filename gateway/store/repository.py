"""The repository: stores each change whole or not at all, numbers its events, and gives back what the centre needs.

Counterparts: `gateway/centre.py` names it as `Store`; `reads.py` is the API's side.

Two rules make the history exact, whoever else writes to the same database:
the ledger's next number is the newest stored one plus one, read inside the transaction that has the ledger to itself;
and what was worked out from the journal is stored only if nobody else has written since `open_calls` was read, so that
of two gateways on one database one is always sent back to read again.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Insert, Table, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.centre import StoreAway, Taken, Unknown
from gateway.domain.call import Call
from gateway.domain.change import Change, SetAside, Webhook
from gateway.domain.events import StoredEvent
from gateway.domain.operators import Member, Operator
from gateway.store import rows, tables
from gateway.store.columns import storable_key
from gateway.store.database import Ledger, reading

_NEWEST_SEQ = select(func.coalesce(func.max(tables.events.c.seq), 0))


class Repository:
    """The store behind the centre. Every call has the time limits of `database.py`, and then raises StoreAway."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._ledger = Ledger(engine)
        self._seen: int | None = None
        """The newest event that whoever works on the journal knows of; None before `open_calls`."""
        insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._put_calls = _upsert(insert(tables.calls), tables.calls)
        self._put_members = _upsert(insert(tables.members), tables.members)
        self._put_webhooks = _upsert(insert(tables.webhooks), tables.webhooks)
        put = insert(tables.journal_positions)
        self._put_position = put.on_conflict_do_update(
            index_elements=["segment"],
            set_={"offset": put.excluded.offset},
            where=put.excluded.offset >= tables.journal_positions.c.offset,
        )

    async def commit(self, change: Change) -> list[StoredEvent]:
        """Stores all of `change` or nothing; returns its events as the ledger has them (see `columns.storable`).

        Raises Taken when an operator's phone belongs to another active operator, Unknown when there is no operator of
        that id, and StoreAway. After StoreAway the change may be stored all the same, where the answer was lost: so
        a change that carries calls or positions is refused until `open_calls` has been read again.
        """
        from_journal = bool(change.calls or change.positions)

        def store(connection: Connection) -> tuple[int, list[StoredEvent]]:
            newest: int = connection.execute(_NEWEST_SEQ).scalar_one()
            if from_journal and self._seen not in (None, newest):
                raise StoreAway("something was stored that this gateway has not read: it must read again")
            stored = [rows.numbered(newest + place, event) for place, event in enumerate(change.events, 1)]
            self._store(connection, change, stored)
            return newest, stored

        newest, stored = await self._ledger.write(store)
        if self._seen == newest:
            self._seen = newest + len(stored)
        return stored

    def _store(self, connection: Connection, change: Change, stored: list[StoredEvent]) -> None:
        if stored:
            connection.execute(tables.events.insert(), [rows.event_row(event) for event in stored])
        if change.calls:
            connection.execute(self._put_calls, [rows.call_row(call) for call in change.calls])
        if change.positions:
            self._move_on(connection, change.positions)
        if change.set_aside:
            connection.execute(tables.set_aside.insert(), [_set_aside_row(record) for record in change.set_aside])
        for operator in change.operators:
            _put_operator(connection, operator)
        if change.members_removed:
            connection.execute(
                delete(tables.members).where(
                    tables.members.c.queue == bindparam("gone_queue"), tables.members.c.phone == bindparam("gone_phone")
                ),
                [{"gone_queue": queue, "gone_phone": phone} for queue, phone in change.members_removed],
            )
        if change.members_put:
            connection.execute(self._put_members, [rows.member_row(member) for member in change.members_put])
        if change.webhooks_removed:
            connection.execute(
                delete(tables.webhooks).where(tables.webhooks.c.id == bindparam("gone")),
                [{"gone": webhook_id} for webhook_id in change.webhooks_removed],
            )
        if change.webhooks_put:
            connection.execute(self._put_webhooks, [rows.webhook_row(webhook) for webhook in change.webhooks_put])

    def _move_on(self, connection: Connection, positions: Mapping[str, int]) -> None:
        """Stores how far the journal is read. A position that would go back means that its reader is out of date."""
        moved = 0
        for segment, offset in positions.items():
            found = connection.execute(self._put_position, {"segment": segment, "offset": offset})
            moved += found.rowcount
        if moved < len(positions):
            raise StoreAway("the journal is stored further than this reading knows: it must be read again")

    async def newest_seq(self) -> int:
        """The newest event's number; 0 before the first. Raises StoreAway."""
        async with reading(self._engine) as connection:
            newest: int = (await connection.execute(_NEWEST_SEQ)).scalar_one()
            return newest

    async def open_calls(self) -> list[Call]:
        """The calls that have not ended, in the order of their arrival. From here on a change that carries calls or
        positions is taken only while nobody else writes. Raises StoreAway."""
        running = select(tables.calls).where(tables.calls.c.ended_at.is_(None))
        async with reading(self._engine) as connection:
            # first the number: what is stored while the calls are being read makes the next commit fail, rightly
            newest: int = (await connection.execute(_NEWEST_SEQ)).scalar_one()
            found = await connection.execute(running.order_by(tables.calls.c.arrived_at, tables.calls.c.id))
            open_calls = [rows.call_of(row) for row in found.mappings()]
        self._seen = newest
        return open_calls

    async def journal_positions(self) -> dict[str, int]:
        """How far each segment of the journal is stored, in bytes. Raises StoreAway."""
        async with reading(self._engine) as connection:
            found = await connection.execute(select(tables.journal_positions))
            return {row.segment: row.offset for row in found}

    async def operators(self, *, include_retired: bool = False) -> list[Operator]:
        """The operators, oldest first. Raises StoreAway."""
        query = select(tables.operators).order_by(tables.operators.c.id)
        if not include_retired:
            query = query.where(tables.operators.c.retired_at.is_(None))
        async with reading(self._engine) as connection:
            return [rows.operator_of(row) for row in (await connection.execute(query)).mappings()]

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

    async def put_token(self, token_hash: str, name: str, role: str) -> None:
        """Lets the token with that SHA-256 in. A name has one token: its older one stops working. Raises StoreAway."""
        table = tables.tokens

        def put(connection: Connection) -> None:
            found = connection.execute(select(table.c.name, table.c.role).where(table.c.token_hash == token_hash))
            if (there := found.one_or_none()) is not None and tuple(there) == (storable_key(name), role):
                return
            connection.execute(delete(table).where((table.c.name == name) | (table.c.token_hash == token_hash)))
            row = {"token_hash": token_hash, "name": name, "role": role, "created_at": datetime.now(UTC)}
            connection.execute(table.insert(), [row])

        await self._ledger.write(put)

    async def close(self) -> None:
        """Closes every connection, those of `Reads` on the same engine too."""
        self._ledger.close()
        await self._engine.dispose()


def _upsert(insert: postgresql.Insert | sqlite.Insert, table: Table) -> Insert:
    """An insert that replaces the whole row where its primary key is there already."""
    keys = [column.name for column in table.primary_key]
    others = {column.name: insert.excluded[column.name] for column in table.c if column.name not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=others)


def _put_operator(connection: Connection, operator: Operator) -> None:
    row: dict[str, Any] = rows.operator_row(operator)
    try:
        if operator.id == 0:
            connection.execute(tables.operators.insert(), [row])
            return
        changed = connection.execute(update(tables.operators).where(tables.operators.c.id == operator.id).values(**row))
    except IntegrityError as error:
        # the only rule that a whole row can break: one active operator a phone
        raise Taken(f"phone {operator.phone} belongs to another operator") from error
    if changed.rowcount == 0:
        raise Unknown(f"there is no operator {operator.id}")


def _set_aside_row(record: SetAside) -> dict[str, Any]:
    return {"at": record.at, "source": record.source, "reason": record.reason, "raw": record.raw}
