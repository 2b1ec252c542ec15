"""Reports: what the figures of a month cost with a million calls in the store, and what their index costs a call.

Counterparts: `gateway/store/report_reads.py` and `gateway/domain/reports.py`, used here as the API uses them.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text

from bench import bulk
from bench.report import Block, Row
from bench.sides import Say
from gateway.domain.call import Call
from gateway.domain.report_groups import By, Stint, Wanted, pieces, spans
from gateway.domain.reports import report
from gateway.store.database import open_database
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.databases import running_postgres

ZONE = ZoneInfo("Asia/Jakarta")
FULL, TWELFTH = date(2026, 11, 1), date(2026, 12, 1)
"""The month with all the calls, and the month after it with a twelfth as many more."""
DAYS = 30
TIMES = 5
MOST_MS = {"PostgreSQL": 300.0, "SQLite": 1000.0}


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
            "index: what storing a call that is over takes longer with it, "
            f"median of {bulk.COMMITS} commits of {bulk.STORED_AT_ONCE}",
        ),
    )


async def _of_database(name: str, url: str, say: Say, calls: int, rows: dict[str, dict[str, float]]) -> None:
    say(f"reports: {calls + calls // 12} calls into {name}")
    engine = await open_database(url)
    repository = Repository(engine)
    try:
        await bulk.fill(engine, url, _batches(calls), lambda count: None)
        reads = Reads(engine)
        for which, first in (("a twelfth", TWELFTH), ("all", FULL)):
            for by in (By.NONE, By.DAY, By.HOUR, By.TRUNK, By.OPERATOR, By.SHIFT):
                say(f"reports: {name}, {which}, by {by}")
                took = await _median_ms(reads, by, first)
                rows.setdefault(f"{which}, by {by}", {})[name] = took
        say(f"reports: {name}, what the index costs")
        await repository.open_calls()
        with_it = await bulk.commit_us(repository, 0)
        async with engine.begin() as connection:
            await connection.execute(text("DROP INDEX ix_calls_report"))
        without = await bulk.commit_us(repository, bulk.COMMITS)
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
        for number in range(bulk.OPERATORS // 3):
            yield Stint(place % 3 * (bulk.OPERATORS // 3) + number + 1, begins, begins + timedelta(hours=8), place)


# ---------------------------------------------------------------- filling


def _batches(count: int) -> Iterator[Sequence[Call]]:
    chance = random.Random(112)  # noqa: S311  # the same in each run
    for first, many in ((FULL, count), (TWELFTH, count // 12)):
        since = datetime(first.year, first.month, first.day, tzinfo=ZONE).astimezone(UTC)
        for start in range(0, many, bulk.AT_ONCE):
            yield [
                bulk.a_call(f"{first:%m}-{number}", since + timedelta(days=DAYS) * (number / many), chance)
                for number in range(start, min(start + bulk.AT_ONCE, many))
            ]
