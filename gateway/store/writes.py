"""How one thing of a change is written, within its transaction.

Counterpart: `repository.py` writes a change whole or not at all.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from gateway.domain import audit
from gateway.domain.alarms import Alarm
from gateway.domain.audit import Deed
from gateway.domain.callbacks import Callback
from gateway.domain.kept import Kept
from gateway.ports import Stale, Taken, Unknown
from gateway.store import rows, tables
from gateway.store.columns import storable, storable_key
from gateway.store.shelves import Shelf

AUDIT_HEAD = select(tables.audit.c.seq, tables.audit.c.hash).order_by(tables.audit.c.seq.desc()).limit(1)


def put_thing(connection: Connection, shelf: Shelf, thing: Kept) -> Kept:
    """Puts a new thing on its shelf, or one that is there in the place of its last version."""
    stored = replace(thing, version=thing.version + 1)
    row = shelf.row(stored)
    kind = thing.KIND.replace("_", " ")
    try:
        if thing.version == 0:
            made = connection.execute(shelf.table.insert().values(**row))
            new_id: int = made.inserted_primary_key[0]  # type: ignore[index]  # an insert of one row has one
            return replace(stored, id=new_id)
        mine = (shelf.table.c.id == thing.id) & (shelf.table.c.version == thing.version)
        if connection.execute(update(shelf.table).where(mine).values(**row)).rowcount:
            return stored
    except IntegrityError as error:
        # the only rule that a whole row can break: one active thing of a name or a number
        raise Taken(f"{shelf.unique} {getattr(thing, shelf.unique or 'id')} belongs to another {kind}") from error
    if connection.execute(select(shelf.table.c.id).where(shelf.table.c.id == thing.id)).one_or_none() is None:
        raise Unknown(f"there is no {kind} {thing.id}")
    raise Stale(f"{kind} {thing.id} was changed by somebody else")


def put_callback(connection: Connection, task: Callback) -> Callback:
    """Puts a new task, or one that is there in the place of its last version. Raises Stale, and Taken where the number
    has an open one already."""
    table = tables.callbacks
    stored = replace(task, version=task.version + 1)
    row = rows.callback_row(stored)
    try:
        if task.version == 0:
            made = connection.execute(table.insert(), row)
            return replace(stored, id=made.inserted_primary_key[0])  # type: ignore[index]  # of one row there is one
        mine = (table.c.id == task.id) & (table.c.version == task.version)
        if connection.execute(update(table).where(mine).values(**row)).rowcount:
            return stored
    except IntegrityError as error:
        raise Taken(f"number {task.number} has an open callback already") from error
    raise Stale(f"callback {task.id} was changed by somebody else")


def put_alarm(connection: Connection, alarm: Alarm) -> None:
    """Puts an alarm, or what stands of it in the place of its last row."""
    table = tables.alarms
    stands = (table.c.kind == alarm.kind) & (table.c.subject == alarm.subject) & table.c.cleared_at.is_(None)
    row = rows.alarm_row(alarm)
    if not connection.execute(update(table).where(stands).values(**row)).rowcount:
        connection.execute(table.insert().values(**row))


def log_deeds(connection: Connection, deeds: Sequence[Deed]) -> None:
    """Chains the deeds to the audit log."""
    head = connection.execute(AUDIT_HEAD).one_or_none()
    seq, previous = (head.seq, head.hash) if head else (0, audit.GENESIS)
    entries = []
    for deed in deeds:
        entry = audit.entry(seq + 1, previous, deed, storable, storable_key)
        seq, previous = entry.seq, entry.hash
        entries.append(rows.entry_row(entry))
    connection.execute(tables.audit.insert(), entries)
