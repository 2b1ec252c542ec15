"""What is known of a number when it calls: its last calls, whether it waits for a callback, what operators said of it;
and how many different numbers call at once. All of it in one statement of indexed reads, each with a limit.

Counterparts: `gateway/domain/advice_rules.py` weighs it, `gateway/advising.py` asks for each arriving call,
`gateway/api/numbers.py` for one number.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    Row,
    Select,
    bindparam,
    func,
    literal,
    null,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.advice_rules import LAST_CALLS, Arrival, Past, PastCall
from gateway.domain.call import PROBE_TRUNK, Outcome
from gateway.domain.dispositions import Disposition
from gateway.domain.facts import Side
from gateway.domain.numbers import spellings
from gateway.domain.presence import LEAP
from gateway.domain.reputation import REMEMBERED, SAID_AT_MOST, Saying
from gateway.store.columns import Key, Number, UtcTime, Words
from gateway.store.database import QuickReads
from gateway.store.tables import CAME_AT, callbacks, calls, dispositions

AT_ONCE = 2
"""Reads at the same time, and connections that they take."""
COUNTED = 200
"""The newest calls among which different numbers are counted."""

_CALL, _CALLBACK, _SAYING, _COUNT = range(4)


class StoredPast:
    """The port `PastReads`. Every call has the time limits of `database.py`, and then raises StoreAway."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reads = QuickReads(engine, AT_ONCE)

    async def past(self, arrival: Arrival, since: datetime, windows: frozenset[tuple[int, bool]]) -> Past:
        """See ports.PastReads."""
        ordered = tuple(sorted(windows))
        statement = _statement(ordered, is_known=arrival.is_known)
        values = {
            "caller": arrival.caller,
            **_written(arrival.caller),
            "call_id": arrival.call_id,
            "trunk": arrival.trunk,
            "since": since,
            "until": arrival.at + LEAP,  # what came after it was told by a clock that has been put back since
            "said_since": arrival.at - REMEMBERED,
            **{f"since_{minutes}": arrival.at - timedelta(minutes=minutes) for minutes, _ in ordered},
        }
        return _past(await self._reads.read(lambda connection: connection.execute(statement, values).all()), ordered)


def _past(rows: Sequence[Row[Any]], windows: tuple[tuple[int, bool], ...]) -> Past:
    found: Mapping[int, list[Row[Any]]] = {kind: [row for row in rows if row.kind == kind] for kind in range(4)}
    return Past(
        calls=sorted((_call(row) for row in found[_CALL]), key=lambda call: call.arrived_at, reverse=True),
        has_open_callback=bool(found[_CALLBACK]),
        sayings=[
            Saying(row.id, Disposition(row.word), row.by, row.at, row.said_at, row.trunk) for row in found[_SAYING]
        ],
        # the one who arrives counts too, and may not be stored yet
        numbers={windows[row.number]: row.counted + 1 for row in found[_COUNT]},
    )


def _call(row: Row[Any]) -> PastCall:
    return PastCall(
        call_id=row.id,
        arrived_at=row.at,
        talked_at=row.talked_at,
        ended_at=row.ended_at,
        outcome=None if row.word is None else Outcome(row.word),
        hung_up_by=None if row.by is None else Side(row.by),
    )


_SPELLINGS = tuple(f"written_{place}" for place in range(3))


def _written(caller: str) -> dict[str, str]:
    """The caller's spellings by the names of their parameters, the last one once more where there are fewer."""
    written = spellings(caller)
    return {name: written[min(place, len(written) - 1)] for place, name in enumerate(_SPELLINGS)}


def _is_the_caller(column: ColumnElement[str]) -> ColumnElement[bool]:
    """As it was sent, or in another spelling: as many parameters for each, so that the statement is made once."""
    return column.in_([bindparam(name, type_=Key) for name in ("caller", *_SPELLINGS)])


@lru_cache(maxsize=32)
def _statement(windows: tuple[tuple[int, bool], ...], *, is_known: bool) -> Executable:
    """Made once for each set of windows: making it costs more than asking it."""
    parts = [_of_count(place, minutes, by_trunk=by_trunk) for place, (minutes, by_trunk) in enumerate(windows)]
    if is_known:
        parts = [_last_calls(), _open_callback(), _sayings(), *parts]
    return union_all(*parts)


def _row(kind: int, **columns: Any) -> Select[Any]:
    """One part's columns: those that it does not name are NULL, of the same types as in every other part."""
    shapes: dict[str, Any] = {
        "id": Key,
        "at": UtcTime,
        "talked_at": UtcTime,
        "ended_at": UtcTime,
        "word": Words,
        "by": Words,
        "said_at": UtcTime,
        "trunk": Key,
        "number": Number,
        "counted": Number,
    }
    named = [
        (type_coerce(columns[name], shape) if name in columns else _nothing(shape)).label(name)
        for name, shape in shapes.items()
    ]
    return select(type_coerce(literal(kind, Number), Number).label("kind"), *named)


def _nothing(shape: Any) -> Any:
    return null().cast(shape)


def _last_calls() -> Select[Any]:
    found = (
        select(calls)
        .where(
            _is_the_caller(calls.c.caller),
            calls.c.arrived_at >= bindparam("since", type_=UtcTime),
            calls.c.arrived_at <= bindparam("until", type_=UtcTime),
            calls.c.id != bindparam("call_id", type_=Key),
        )
        .order_by(calls.c.arrived_at.desc(), calls.c.id.desc())
        .limit(LAST_CALLS)
        .subquery()
    )
    return _row(
        _CALL,
        id=found.c.id,
        at=found.c.arrived_at,
        talked_at=found.c.answered_at,
        ended_at=found.c.ended_at,
        word=found.c.outcome,
        by=found.c.hung_up_by,
    )


def _open_callback() -> Select[Any]:
    found = (
        select(callbacks.c.number)
        .where(_is_the_caller(callbacks.c.number), callbacks.c.closed_at.is_(None))
        .limit(1)
        .subquery()
    )
    return _row(_CALLBACK, word=found.c.number)


def _sayings() -> Select[Any]:
    said = dispositions
    found = (
        select(said.c.call_id, CAME_AT.label("came_at"), said.c.set_at, said.c.disposition, said.c.set_by, said.c.trunk)
        .where(
            _is_the_caller(said.c.caller),
            said.c.set_at >= bindparam("said_since", type_=UtcTime),
        )
        .order_by(said.c.set_at.desc())  # no call is spoken of before it came, and this is what the index has
        .limit(SAID_AT_MOST)
        .subquery()
    )
    return _row(
        _SAYING,
        id=found.c.call_id,
        at=found.c.came_at,
        said_at=found.c.set_at,
        word=found.c.disposition,
        by=found.c.set_by,
        trunk=found.c.trunk,
    )


def _of_count(place: int, minutes: int, *, by_trunk: bool) -> Select[Any]:
    """How many different numbers called in those minutes besides the one who arrives."""
    newest = select(calls.c.caller).where(
        calls.c.arrived_at >= bindparam(f"since_{minutes}", type_=UtcTime),
        calls.c.arrived_at <= bindparam("until", type_=UtcTime),
        calls.c.caller != bindparam("caller", type_=Key),
    )
    if by_trunk:
        newest = newest.where(calls.c.trunk == bindparam("trunk", type_=Key))
    else:
        newest = newest.where(calls.c.trunk != PROBE_TRUNK)
    found = newest.order_by(calls.c.arrived_at.desc()).limit(COUNTED).subquery()
    return _row(_COUNT, number=literal(place, Number), counted=func.count(found.c.caller.distinct())).select_from(found)
