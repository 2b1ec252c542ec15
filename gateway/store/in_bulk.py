"""Many things of a kind put on their shelf in a few statements: a roster's import brings thousands.

Counterpart: `repository.py`, which has the ledger to itself meanwhile, and puts one thing at a time where that is
enough.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from gateway.domain.kept import Kept
from gateway.ports import Stale, Unknown
from gateway.store.shelves import SHELVES, Shelf

AT_ONCE = 500
"""Ids that one statement names."""

PutOne = Callable[[Connection, Shelf, Kept], Kept]


def put_all(connection: Connection, things: Sequence[Kept], put_one: PutOne) -> tuple[Kept, ...]:
    """The things as they are stored, in the same order. Kinds of which no two may have the same name or number are put
    one by one, with `put_one`, which says whose name is taken. Raises what it raises, Stale, Unknown."""
    stored: dict[int, Kept] = {}
    by_kind: dict[type[Kept], list[int]] = {}
    for place, thing in enumerate(things):
        by_kind.setdefault(type(thing), []).append(place)
    for kind, places in by_kind.items():
        shelf = SHELVES[kind]
        if shelf.unique is not None or len(places) == 1:
            stored |= {place: put_one(connection, shelf, things[place]) for place in places}
            continue
        new = [place for place in places if things[place].version == 0]
        old = [place for place in places if things[place].version != 0]
        stored |= zip(new, _inserted(connection, shelf, [things[place] for place in new]), strict=True)
        stored |= zip(old, _updated(connection, shelf, [things[place] for place in old]), strict=True)
    return tuple(stored[place] for place in range(len(things)))


def _inserted(connection: Connection, shelf: Shelf, things: Sequence[Kept]) -> Iterator[Kept]:
    if not things:
        return
    made = [replace(thing, version=1) for thing in things]
    statement = shelf.table.insert().returning(shelf.table.c.id, sort_by_parameter_order=True)
    ids = connection.execute(statement, [shelf.row(thing) for thing in made]).scalars()
    yield from (replace(thing, id=new_id) for thing, new_id in zip(made, ids, strict=True))


def _updated(connection: Connection, shelf: Shelf, things: Sequence[Kept]) -> list[Kept]:
    """How many rows a statement with many sets of values changed is not told alike by every driver: so the versions are
    looked at first. Nobody else writes meanwhile."""
    if not things:
        return []
    table, kind = shelf.table, things[0].KIND.replace("_", " ")
    there: dict[int, int] = {}
    for start in range(0, len(things), AT_ONCE):
        ids = [thing.id for thing in things[start : start + AT_ONCE]]
        found = connection.execute(select(table.c.id, table.c.version).where(table.c.id.in_(ids)))
        there |= {row.id: row.version for row in found}
    for thing in things:
        if thing.id not in there:
            raise Unknown(f"there is no {kind} {thing.id}")
        if there[thing.id] != thing.version:
            raise Stale(f"{kind} {thing.id} was changed by somebody else")
        there[thing.id] += 1
    made = [replace(thing, version=thing.version + 1) for thing in things]
    rows: list[dict[str, Any]] = [{**shelf.row(thing), "its_id": thing.id} for thing in made]
    connection.execute(update(table).where(table.c.id == bindparam("its_id")), rows)
    return made
