"""Many calls that are over, put into a database at once: what a store looks like after months or years.

Counterparts: `reports.py` and `pages.py`, which measure with it; `gateway/store/rows.py` knows the rows.
"""

import asyncio
import hashlib
import random
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it has no types of its own
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.call import Call, Outcome, Stage
from gateway.domain.change import Change
from gateway.domain.dispositions import Disposition
from gateway.domain.recordings import CALL_SUFFIX, Kind, Recording, Seal, State
from gateway.store import tables
from gateway.store.columns import to_json
from gateway.store.repository import Repository
from gateway.store.rows import call_row, recording_row

OPERATORS = 60
FIRST_PHONE = 2001
TRUNKS = ("telkomsel", "indosat", "xlsmart", "telkom")
AT_ONCE = 20_000
"""Calls of one batch."""
COMMITS, STORED_AT_ONCE = 30, 50
_OUTCOMES = [
    *([Outcome.ANSWERED] * 10),
    *([Outcome.ABANDONED] * 5),
    *([Outcome.CANCELLED] * 3),
    *([Outcome.FELL_BACK] * 2),
]
_DISPOSITIONS = [Disposition.PRANK] * 6 + [Disposition.GHOST] * 2 + [Disposition.EMERGENCY, Disposition.INFORMATION]
KEPT = timedelta(days=90)
"""How long sound is kept."""
_SEALED_BYTES_A_SECOND = 6000
_SAID = ("call_id", "caller", "disposition", "note", "set_by", "set_at", "arrived_at", "trunk")


def a_call(name: str, arrived_at: datetime, chance: random.Random) -> Call:
    """A call that is over. Answered ones wait for the greeting and then as a queue does."""
    outcome = chance.choice(_OUTCOMES)
    is_answered = outcome is Outcome.ANSWERED
    answered_at = arrived_at + timedelta(seconds=3 + chance.expovariate(1 / 9))
    operator_id = chance.randrange(OPERATORS) + 1
    id = f"112-{arrived_at.timestamp():.0f}.{name}"
    return Call(
        id=id,
        trunk=chance.choice(TRUNKS),
        caller=f"0811{chance.randrange(10_000_000):07}",
        arrived_at=arrived_at,
        stage=Stage.ENDED,
        queue=None if outcome is Outcome.CANCELLED else "emergency",
        queued_at=arrived_at + timedelta(seconds=3),
        answered_at=answered_at if is_answered else None,
        ended_at=answered_at + timedelta(seconds=chance.expovariate(1 / 60)),
        operator=str(FIRST_PHONE - 1 + operator_id) if is_answered else None,
        operator_id=operator_id if is_answered else None,
        operator_name=f"Petugas {operator_id}" if is_answered else None,
        outcome=outcome,
        cause=16,
        recording=f"{arrived_at:%Y/%m/%d}/{id}{CALL_SUFFIX}",
    )


async def fill(engine: AsyncEngine, url: str, batches: Iterable[Sequence[Call]], told: Callable[[int], None]) -> None:
    """The calls, oldest first, what the answered ones were, and the records of their sound; and the statistics that the
    database keeps by itself in time. `told` hears after each batch how many there are. The database is of no use before
    this returns."""
    if engine.dialect.name == "sqlite":
        await asyncio.to_thread(_fill_sqlite, make_url(url).database or "", batches, told)
        return
    parsed = make_url(url)
    connection = await asyncpg.connect(user=parsed.username, database=parsed.database, host=str(parsed.query["host"]))
    try:
        count = 0
        for batch in batches:
            for table, names, rows in _tables(batch):
                await connection.copy_records_to_table(table, records=list(rows), columns=names)
            told(count := count + len(batch))
        await connection.execute("VACUUM ANALYZE", timeout=None)
    finally:
        await connection.close()


def _fill_sqlite(file: str, batches: Iterable[Sequence[Call]], told: Callable[[int], None]) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -1000000")
        count = 0
        for batch in batches:
            for table, names, rows in _tables(batch):
                connection.executemany(
                    f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",  # noqa: S608  # our own names
                    ([_digits(value) for value in row] for row in rows),
                )
            connection.commit()
            told(count := count + len(batch))


def _digits(value: object) -> object:
    return value.isoformat(" ", "microseconds")[:26] if isinstance(value, datetime) else value


def _tables(batch: Sequence[Call]) -> Iterator[tuple[str, Sequence[str], Iterable[Sequence[Any]]]]:
    """What becomes of the calls: tables, the names of their columns, and rows."""
    called, heard = list(tables.calls.c.keys()), list(tables.recordings.c.keys())
    yield "calls", called, (_values(call_row(call), called, "attempts") for call in batch)
    yield "dispositions", _SAID, _said(batch)
    yield "recordings", heard, (_values(recording_row(_recording(call)), heard, "faults") for call in batch)


def _values(row: Mapping[str, Any], names: Iterable[str], in_json: str) -> list[Any]:
    return [to_json(row[name]) if name == in_json else row[name] for name in names]


def _said(batch: Iterable[Call]) -> Iterator[tuple[Any, ...]]:
    """What each answered call was."""
    for number, call in enumerate(batch):
        if call.operator and call.ended_at:
            what = _DISPOSITIONS[number % len(_DISPOSITIONS)]
            yield call.id, call.caller, what.value, "", "Siti", call.ended_at, call.arrived_at, call.trunk


def _recording(call: Call) -> Recording:
    """Its sound: sealed and in its time destroyed, as there is no file of it, or none, where 112 never answered."""
    ended_at, is_heard = call.ended_at or call.arrived_at, call.outcome is not Outcome.CANCELLED
    sound_s = (ended_at - call.arrived_at).total_seconds() if is_heard else 0.0
    digest = hashlib.sha256(call.id.encode()).hexdigest()
    seal = Seal(
        sealed_at=ended_at + timedelta(minutes=1),
        stored=f"{call.arrived_at:%Y/%m/%d}/{call.id}.ogg",
        stored_bytes=int(_SEALED_BYTES_A_SECOND * sound_s),
        sound_sha256=digest,
        raw_sha256=digest,
        manifest_sha256=digest,
        entry=1,
    )
    return Recording(
        id=call.id,
        kind=Kind.CALL,
        file=call.recording or "",
        started_at=call.arrived_at,
        call_id=call.id,
        state=State.DESTROYED if is_heard else State.EMPTY,
        ended_at=ended_at,
        expected_s=sound_s,
        sound_s=sound_s,
        left_dbfs=-30.0,
        right_dbfs=-30.0,
        seal=seal if is_heard else None,
        destroyed_at=ended_at + KEPT if is_heard else None,
        certificate=f"certificate-{ended_at + KEPT:%Y-%m-%d}" if is_heard else None,
    )


async def commit_us(repository: Repository, after: int) -> float:
    """Microseconds for each of the calls that are over of one commit."""
    chance, now, took = random.Random(after), datetime.now(UTC), []  # noqa: S311
    for number in range(after, after + COMMITS):
        batch = tuple(a_call(f"new-{number}-{each}", now, chance) for each in range(STORED_AT_ONCE))
        began = time.perf_counter()
        await repository.commit(Change(calls=batch))
        took.append(1e6 * (time.perf_counter() - began) / STORED_AT_ONCE)
    return statistics.median(took)
