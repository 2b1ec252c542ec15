"""The advice: what it costs to advise on one arriving call, with a long history behind it, on both databases.

Counterparts: `gateway/advising.py`, `gateway/store/past_reads.py`. Asterisk has no part in it: what is measured ends
where the advice is known.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.measure import percentile
from bench.report import Block, Row
from bench.sides import Say
from gateway.advising import Advising
from gateway.bookkeeper import Bookkeeper
from gateway.domain.advice_rules import Arrival, first_rules
from gateway.domain.call import Call, Outcome, Stage
from gateway.domain.callbacks import State
from gateway.domain.change import Change
from gateway.domain.dispositions import Disposition
from gateway.domain.facts import Side
from gateway.domain.trunks import FIRST_TRUNKS
from gateway.store import rows
from gateway.store.database import open_database, writing
from gateway.store.past_reads import StoredPast
from gateway.store.repository import Repository
from gateway.store.tables import callbacks, calls, dispositions
from tests.databases import running_postgres

CALLS, NUMBERS, SAID_OF = 1_000_000, 300_000, 100_000
"""Past calls, the numbers that they came from, and how many of those have a reputation."""
DAYS = 365
BUSY_CALLS = 600
"""Of the last three minutes: a burst."""
MOST_MS = 2.0
AT_ONCE = 10_000
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
_SEED = 112
TRUNKS = tuple(name for name, _, _ in FIRST_TRUNKS)


@dataclass(slots=True)
class Took:
    """Milliseconds of each advice, and how many of them said something."""

    ms: list[float]
    advised: int


async def measure(say: Say, *, advices: int) -> Block:
    """Advises `advices` times on each database, one call after the other."""
    took: dict[str, Took] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        took[SQLITE] = await _measure(say, SQLITE, f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}", advices)
    with running_postgres() as server:
        server.run("createdb", "bench")
        took[POSTGRESQL] = await _measure(say, POSTGRESQL, server.url("bench"), advices)

    def row(what: str, percent: float, target: str = "") -> Row:
        figures = {side: percentile(found.ms, percent) for side, found in took.items()}
        is_met = max(figures.values()) <= MOST_MS if target else None
        return Row(what, figures, "ms", target=target, is_met=is_met)

    return Block(
        f"Advice on an arriving call, {CALLS:,} past calls, {SAID_OF:,} numbers with a reputation",
        (SQLITE, POSTGRESQL),
        (
            row("an advice, median", 50),
            row("an advice, p99", 99, f"<= {MOST_MS:.0f} ms"),
            row("an advice, the longest", 100),
            Row("calls that were advised on", {side: found.advised for side, found in took.items()}),
        ),
        (
            f"{advices} advices, one after the other, by the rules of a first start: of three callers one is new, one "
            f"has called before and one has a reputation; {BUSY_CALLS} calls came in the last three minutes",
        ),
    )


async def _measure(say: Say, side: str, url: str, advices: int) -> Took:
    say(f"advice: {CALLS:,} calls into {side}")
    engine = await open_database(url)
    store, past = Repository(engine), StoredPast(engine)
    now = datetime.now(UTC)
    try:
        await _fill(engine, now)
        await store.commit(Change(kept=tuple(first_rules(now))))
        advising = Advising(
            trunk_rules={},
            bookkeeper=Bookkeeper(
                store, zone=ZoneInfo("Asia/Jakarta"), default_queues=("emergency",), clock=lambda: now
            ),
            past=past,
            is_loaded=lambda queue: False,
            is_deserted=lambda queue: False,
        )
        say(f"advice: {advices} advices on {side}")
        chance = random.Random(_SEED)  # noqa: S311  # no secret
        took = Took([], 0)
        for number in range(advices + 100):
            caller = _number(chance.randrange(SAID_OF), number % 3)
            arrival = Arrival(f"112-{number}", chance.choice(TRUNKS), caller, now)
            began = time.perf_counter()
            advice = await advising.advise(arrival)
            took_ms = 1000 * (time.perf_counter() - began)
            if number >= 100:  # the first ones open connections
                took.ms.append(took_ms)
                took.advised += not advice.is_empty
            await asyncio.sleep(0)
        if advising.late or advising.faults:
            raise RuntimeError(f"{advising.late} advices were late, {advising.faults} rules failed")
        return took
    finally:
        await store.close()


def _number(number: int, kind: int) -> str:
    """Kind 0 never called, 1 has called, 2 has a reputation too."""
    return f"0899{number:07d}" if kind == 0 else f"0812{number + (SAID_OF if kind == 1 else 0):07d}"


async def _fill(engine: AsyncEngine, now: datetime) -> None:
    chance = random.Random(_SEED)  # noqa: S311  # no secret
    for table, made in (
        (calls, _calls(chance, now)),
        (dispositions, _dispositions(chance, now)),
        (callbacks, _callbacks(now)),
    ):
        part: list[dict[str, Any]] = []
        for row in made:
            part.append(row)
            if len(part) == AT_ONCE:
                await _put(engine, table, part)
                part = []
        await _put(engine, table, part)
    async with writing(engine) as connection:
        await connection.execute(text("ANALYZE"))


async def _put(engine: AsyncEngine, table: Any, part: list[dict[str, Any]]) -> None:
    def store(connection: Connection) -> None:
        if part:
            connection.execute(insert(table), part)

    async with writing(engine, limit_s=60) as connection:
        await connection.run_sync(store)


def _calls(chance: random.Random, now: datetime) -> Iterator[dict[str, Any]]:
    """A year of calls and the last minutes' burst, oldest first."""
    old = CALLS - BUSY_CALLS
    for number in range(CALLS):
        age = (
            timedelta(minutes=5) + timedelta(days=DAYS) * ((old - number) / old)
            if number < old
            else timedelta(minutes=3) * ((CALLS - number) / BUSY_CALLS)
        )
        at = now - age
        answered = chance.random() < 0.5
        yield rows.call_row(
            Call(
                id=f"112-{number:09d}.0",
                trunk=chance.choice(TRUNKS if number < old else TRUNKS[1:]),  # one line has no burst
                caller=_number(chance.randrange(NUMBERS - SAID_OF), 1 + chance.randrange(2)),
                arrived_at=at,
                stage=Stage.ENDED,
                ended_at=at + timedelta(seconds=60),
                answered_at=at + timedelta(seconds=10) if answered else None,
                outcome=Outcome.ANSWERED if answered else Outcome.ABANDONED,
                hung_up_by=Side.CALLER,
                queue="emergency",
            )
        )


def _dispositions(chance: random.Random, now: datetime) -> Iterator[dict[str, Any]]:
    """Of each number with a reputation one to six, of the last year."""
    for number in range(SAID_OF):
        for place in range(1 + number % 6):
            yield {
                "trunk": chance.choice(TRUNKS),
                **{"call_id": f"said-{number}-{place}", "caller": _number(number, 2), "category": None, "note": ""},
                **{"disposition": chance.choice((Disposition.PRANK, Disposition.PRANK, Disposition.EMERGENCY))},
                **{"operator_id": 1, "set_by": "Siti", "set_at": now - timedelta(days=DAYS * chance.random() ** 2)},
            }


def _callbacks(now: datetime) -> Iterator[dict[str, Any]]:
    """Twenty thousand, one in a hundred still open."""
    for number in range(20_000):
        opened_at = now - timedelta(minutes=number)
        yield {
            **{
                "version": 1,
                "number": _number(number, 1),
                "trunk": "telkom",
                "state": State.OPEN,
                "opened_at": opened_at,
            },
            **{"first_due_at": opened_at, "is_calling": False},
            **{"due_at": opened_at, "tries": [], "try_count": 1, "last_try_at": opened_at, "dials": []},
            **{"closed_at": None if number % 100 == 0 else now, "closed_by": "", "reason": ""},
        }
