"""Reports: what the figures of a month cost with a million calls in the store, and what their index costs a call.

Counterparts: `gateway/store/report_reads.py` and `gateway/domain/reports.py`, used here as the API uses them.
"""

import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg  # type: ignore[import-untyped]  # it has no types of its own
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.report import Block, Row
from bench.sides import Say
from gateway.domain.call import Call, Outcome, Stage
from gateway.domain.change import Change
from gateway.domain.dispositions import Disposition
from gateway.domain.report_groups import By, Stint, Wanted, pieces, spans
from gateway.domain.reports import report
from gateway.store import tables
from gateway.store.columns import to_json
from gateway.store.database import open_database
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from gateway.store.rows import call_row
from tests.databases import running_postgres

ZONE = ZoneInfo("Asia/Jakarta")
FULL, TWELFTH = date(2026, 11, 1), date(2026, 12, 1)
"""The month with all the calls, and the month after it with a twelfth as many more."""
DAYS = 30
OPERATORS = 60
TIMES = 5
COMMITS, AT_ONCE = 30, 50
MOST_MS = {"PostgreSQL": 300.0, "SQLite": 1000.0}
_OUTCOMES = [
    *([Outcome.ANSWERED] * 10),
    *([Outcome.ABANDONED] * 5),
    *([Outcome.CANCELLED] * 3),
    *([Outcome.FELL_BACK] * 2),
]
_DISPOSITIONS = [Disposition.PRANK] * 6 + [Disposition.GHOST] * 2 + [Disposition.EMERGENCY, Disposition.INFORMATION]


async def measure(say: Say, *, calls: int) -> Block:
    """Puts `calls` calls into one month of each database, and a twelfth of that into the next."""
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        url = f"sqlite+aiosqlite:///{folder}/gateway112.db"
        await _of_database("SQLite", url, say, calls, rows)
    with running_postgres(shared_buffers="256MB", autovacuum="off") as server:
        server.run("createdb", "bench")
        await _of_database("PostgreSQL", server.url("bench"), say, calls, rows)
    return _block(rows, calls)


def _block(found: dict[str, dict[str, float]], calls: int) -> Block:
    def row(what: str, figures: dict[str, float]) -> Row:
        if not what.startswith("a twelfth") or "by day" not in what:
            return Row(what, figures, "us" if "index" in what else "ms")
        is_met = all(figures[name] < most for name, most in MOST_MS.items())
        target = ", ".join(f"< {most:.0f} ms {name}" for name, most in MOST_MS.items())
        return Row(what, figures, "ms", target=target, is_met=is_met)

    return Block(
        f"A month's service level, {calls + calls // 12:,} calls in the store",
        ("PostgreSQL", "SQLite"),
        tuple(row(what, figures) for what, figures in found.items()),
        (
            f"median of {TIMES}, after one more: counting by the database, fetching, and the figures of every group; "
            "no HTTP",
            f"a twelfth: a month with {calls // 12:,} of the calls; all: the month with the other {calls:,}",
            f"index: what storing a call that is over takes longer with it, median of {COMMITS} commits of {AT_ONCE}",
        ),
    )


async def _of_database(name: str, url: str, say: Say, calls: int, rows: dict[str, dict[str, float]]) -> None:
    say(f"reports: {calls + calls // 12} calls into {name}")
    engine = await open_database(url)
    repository = Repository(engine)
    try:
        await _fill(engine, url, calls)
        reads = Reads(engine)
        for which, first in (("a twelfth", TWELFTH), ("all", FULL)):
            for by in (By.NONE, By.DAY, By.HOUR, By.TRUNK, By.OPERATOR, By.SHIFT):
                say(f"reports: {name}, {which}, by {by}")
                took = await _median_ms(reads, by, first)
                rows.setdefault(f"{which}, by {by}", {})[name] = took
        say(f"reports: {name}, what the index costs")
        await repository.open_calls()
        with_it = await _commit_us(repository, 0)
        async with engine.begin() as connection:
            await connection.execute(text("DROP INDEX ix_calls_report"))
        without = await _commit_us(repository, COMMITS)
        rows.setdefault("a call stored, without the index", {})[name] = without
        rows.setdefault("a call stored, with the index", {})[name] = with_it
    finally:
        await repository.close()


async def _median_ms(reads: Reads, by: By, first: date) -> float:
    last = first + timedelta(days=DAYS - 1)
    stints = tuple(_stints(first)) if by is By.SHIFT else ()
    wanted = Wanted(by, pieces(by, first, last, ZONE), stints=stints)
    took = []
    for _ in range(TIMES + 1):
        began = time.perf_counter()
        counts = await reads.reports.counts(wanted, datetime.now(UTC))
        found = await asyncio.to_thread(report, counts, [span.key for span in spans(by, first, last, ZONE)])
        took.append(1000 * (time.perf_counter() - began))
        if not found.total.presented:
            raise RuntimeError("a report without calls")
    return statistics.median(took[1:])


def _stints(first: date) -> Iterator[Stint]:
    """Three shifts a day, twenty operators in each."""
    since = datetime(first.year, first.month, first.day, tzinfo=ZONE).astimezone(UTC)
    for place in range(DAYS * 3):
        begins = since + timedelta(hours=8 * place)
        for number in range(OPERATORS // 3):
            yield Stint(place % 3 * (OPERATORS // 3) + number + 1, begins, begins + timedelta(hours=8), place)


# ---------------------------------------------------------------- filling


async def _fill(engine: AsyncEngine, url: str, count: int) -> None:
    """The calls and what they were, in bulk, and the statistics that the database keeps by itself in time."""
    if engine.dialect.name == "sqlite":
        await asyncio.to_thread(_fill_sqlite, make_url(url).database or "", count)
        return
    parsed = make_url(url)
    connection = await asyncpg.connect(user=parsed.username, database=parsed.database, host=str(parsed.query["host"]))
    try:
        names = list(tables.calls.c.keys())
        said = ["call_id", "caller", "disposition", "note", "set_by", "set_at"]
        for batch in _batches(count):
            await connection.copy_records_to_table("calls", records=[_values(each) for each in batch], columns=names)
            await connection.copy_records_to_table("dispositions", records=list(_said(batch)), columns=said)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def _fill_sqlite(file: str, count: int) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        marks = ", ".join("?" * len(tables.calls.c))
        for batch in _batches(count):
            connection.executemany(
                f"INSERT INTO calls ({', '.join(tables.calls.c.keys())}) VALUES ({marks})",  # noqa: S608  # our own names
                ([_digits(value) for value in _values(each)] for each in batch),
            )
            connection.executemany(
                "INSERT INTO dispositions (call_id, caller, disposition, note, set_by, set_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                ([_digits(value) for value in row] for row in _said(batch)),
            )
            connection.commit()


def _digits(value: object) -> object:
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


def _values(call: Call) -> list[Any]:
    row = call_row(call)
    return [to_json(row[name]) if name == "attempts" else row[name] for name in tables.calls.c.keys()]  # noqa: SIM118  # a column collection


def _said(batch: Iterable[Call]) -> Iterator[tuple[Any, ...]]:
    """What each answered call was."""
    for number, call in enumerate(batch):
        if call.operator and call.ended_at:
            what = _DISPOSITIONS[number % len(_DISPOSITIONS)]
            yield call.id, call.caller, what.value, "", "Siti", call.ended_at


def _batches(count: int, size: int = 20_000) -> Iterator[Sequence[Call]]:
    chance = random.Random(112)  # noqa: S311  # the same in each run
    for first, many in ((FULL, count), (TWELFTH, count // 12)):
        since = datetime(first.year, first.month, first.day, tzinfo=ZONE).astimezone(UTC)
        for start in range(0, many, size):
            yield [
                _call(f"{first:%m}-{number}", since + timedelta(days=DAYS) * (number / many), chance)
                for number in range(start, min(start + size, many))
            ]


def _call(name: str, arrived_at: datetime, chance: random.Random) -> Call:
    """A call that is over. Answered ones wait for the greeting and then as a queue does."""
    outcome = chance.choice(_OUTCOMES)
    is_answered = outcome is Outcome.ANSWERED
    answered_at = arrived_at + timedelta(seconds=3 + chance.expovariate(1 / 9))
    operator_id = chance.randrange(OPERATORS) + 1
    return Call(
        id=f"112-{arrived_at.timestamp():.0f}.{name}",
        trunk=chance.choice(("telkomsel", "indosat", "xlsmart", "telkom")),
        caller=f"0811{chance.randrange(10_000_000):07}",
        arrived_at=arrived_at,
        stage=Stage.ENDED,
        queue=None if outcome is Outcome.CANCELLED else "emergency",
        queued_at=arrived_at + timedelta(seconds=3),
        answered_at=answered_at if is_answered else None,
        ended_at=answered_at + timedelta(seconds=chance.expovariate(1 / 60)),
        operator=str(2000 + operator_id) if is_answered else None,
        operator_id=operator_id if is_answered else None,
        operator_name=f"Petugas {operator_id}" if is_answered else None,
        outcome=outcome,
        cause=16,
    )


async def _commit_us(repository: Repository, after: int) -> float:
    """Microseconds for each of the calls that are over of one commit."""
    chance, now, took = random.Random(after), datetime.now(UTC), []  # noqa: S311
    for number in range(after, after + COMMITS):
        batch = tuple(_call(f"new-{number}-{each}", now, chance) for each in range(AT_ONCE))
        began = time.perf_counter()
        await repository.commit(Change(calls=batch))
        took.append(1e6 * (time.perf_counter() - began) / AT_ONCE)
    return statistics.median(took)
