"""The list of calls with millions of them in the store: what a page costs with each filter, wherever in the list it is.

Counterparts: `gateway/store/call_list.py` and `gateway/api/calls.py`, as the store reads them and as a client does.
"""

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from bench import bulk
from bench.measure import percentile
from bench.report import Block, Row
from bench.sides import Say
from gateway.domain.call import PROBE_TRUNK, Call, Outcome
from gateway.domain.dispositions import Disposition
from gateway.domain.holding import PROBE_PHONE
from gateway.store import cursors
from gateway.store.call_list import CallFilter, Unsaid
from gateway.store.database import open_database
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.centre import Api, real_centre
from tests.databases import running_postgres

SINCE = datetime(2023, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=3 * 365)
RARE, PROBES, NUISANCE = 2000, 50, 40
"""One call in so many: is on a village's trunk, or failed; is the probe's; is a nuisance's."""
VILLAGE, CALLER = "desa", "08119999999"
LIMIT = 50
FIRST, DEEP, LAST = 6, 30, 4
"""So often each page is read, of each filter; the deep ones lie anywhere."""
MOST_MS = {"PostgreSQL": 30.0, "SQLite": 60.0}
READY_LIMIT_S = 60.0
STEPS = 20
"""Of the bar."""

_MONTH = {"since": SINCE + SPAN / 2, "until": SINCE + SPAN / 2 + timedelta(days=30)}
FILTERS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "with probes": {"include_probes": True},
    "trunk": {"trunk": bulk.TRUNKS[0]},
    "trunk of few calls": {"trunk": VILLAGE},
    "outcome": {"outcome": Outcome.ANSWERED},
    "outcome of few calls": {"outcome": Outcome.FAILED},
    "operator": {"operator": str(bulk.FIRST_PHONE)},
    "operator with probes alone": {"operator": PROBE_PHONE},
    "caller": {"caller": "08110000001"},
    "caller of many calls": {"caller": CALLER},
    "disposition": {"disposition": Disposition.PRANK},
    "disposition of few calls": {"disposition": Disposition.EMERGENCY},
    "disposition none, all said": {"disposition": Unsaid.NONE},
    "a month": _MONTH,
    "a month, trunk, outcome": {**_MONTH, "trunk": bulk.TRUNKS[0], "outcome": Outcome.ABANDONED},
    "outcome, trunk of few calls": {"outcome": Outcome.ANSWERED, "trunk": VILLAGE},
    "trunk, outcome of few calls": {"outcome": Outcome.FAILED, "trunk": bulk.TRUNKS[0]},
    "operator, disposition, trunk": {
        "operator": str(bulk.FIRST_PHONE),
        "disposition": Disposition.EMERGENCY,
        "trunk": bulk.TRUNKS[1],
    },
    "caller of many, disposition": {"caller": CALLER, "disposition": Disposition.INFORMATION},
    "operator and outcome of no call": {"operator": str(bulk.FIRST_PHONE), "outcome": Outcome.CANCELLED},
}
Ask = Callable[[Mapping[str, Any], str | None], Awaitable[int]]
"""Reads one page; returns how many calls it has."""


async def measure(say: Say, *, calls: int) -> Block:
    """Puts `calls` calls into each database, and reads their pages from the store and over HTTP."""
    found: dict[str, dict[str, list[float]]] = {}
    stored_us: dict[str, float] = {}
    first_ms: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        url = f"sqlite+aiosqlite:///{folder}/gateway112.db"
        await _of_database("SQLite", url, say, calls, found, first_ms, stored_us)
    with running_postgres(shared_buffers="256MB", autovacuum="off") as server:
        server.run("createdb", "bench")
        await _of_database("PostgreSQL", server.url("bench"), say, calls, found, first_ms, stored_us)
    return _block(found, first_ms, stored_us, calls)


def _block(
    found: Mapping[str, Mapping[str, Sequence[float]]],
    first_ms: Mapping[str, float],
    stored_us: Mapping[str, float],
    calls: int,
) -> Block:
    sides = tuple(f"{name}{way}" for name in MOST_MS for way in ("", ", HTTP"))
    worst = {side: _p99(found[side]) for side in sides}
    target = ", ".join(f"< {most:.0f} ms {name}" for name, most in MOST_MS.items())
    return Block(
        f"Pages of {LIMIT} of {calls:,} calls",
        sides,
        (
            *(Row(name, {side: percentile(found[side][name], 99) for side in sides}, "ms") for name in FILTERS),
            Row("all, the median", {side: percentile(_all(found[side]), 50) for side in sides}, "ms"),
            Row("all, p99", worst, "ms", target=target, is_met=all(_is_met(side, worst[side]) for side in sides)),
            Row("all, p99 of the first time", first_ms, "ms"),
            Row("a call stored", stored_us, "us"),
        ),
        (
            f"p99 of {FIRST} first pages, {DEEP} pages anywhere and {LAST} last ones, by filter; "
            f"few: 1 of {RARE} calls; many: 1 of {NUISANCE}; the probe's: 1 of {PROBES}",
            "the first time: each page once before, when they have just been laid; much of it is on the disk alone",
            f"a call stored: median of {bulk.COMMITS} commits of {bulk.STORED_AT_ONCE} that are over",
        ),
    )


def _all(took_ms: Mapping[str, Sequence[float]]) -> list[float]:
    return [took for each in took_ms.values() for took in each]


def _p99(took_ms: Mapping[str, Sequence[float]]) -> float:
    return percentile(_all(took_ms), 99)


def _is_met(side: str, took_ms: float) -> bool:
    return took_ms < MOST_MS[side.partition(",")[0]]


async def _of_database(
    name: str,
    url: str,
    say: Say,
    calls: int,
    found: dict[str, dict[str, list[float]]],
    first_ms: dict[str, float],
    stored_us: dict[str, float],
) -> None:
    engine = await open_database(url)
    repository = Repository(engine)
    try:
        await bulk.fill(engine, url, _batches(calls), _telling(say, f"pages: {name}", calls))
        say(f"pages: {name}, the store's reads")
        first_ms[name] = _p99(await pages_ms(_of_store(Reads(engine))))
        found[name] = await pages_ms(_of_store(Reads(engine)))
        await repository.open_calls()
        stored_us[name] = await bulk.commit_us(repository, 0)
    finally:
        await repository.close()
    async with _served(url) as api:
        say(f"pages: {name}, over HTTP")
        found[f"{name}, HTTP"] = await pages_ms(_over_http(api))


async def pages_ms(ask: Ask) -> dict[str, list[float]]:
    """What each page took, by filter. Every filter is asked for once before, which counts for nothing."""
    chance, took = random.Random(112), {name: list[float]() for name in FILTERS}  # noqa: S311  # the same in each run
    cursors_of_all: list[str | None] = [
        *([None] * FIRST),
        *(_cursor(SINCE + SPAN * chance.random()) for _ in range(DEEP)),
        *(_cursor(SINCE + timedelta(minutes=20 * number)) for number in range(1, LAST + 1)),
    ]
    for filter in FILTERS.values():
        await ask(filter, None)
    for cursor in cursors_of_all:
        for name, filter in FILTERS.items():
            began = time.perf_counter()
            await ask(filter, cursor)
            took[name].append(1000 * (time.perf_counter() - began))
    return took


def _cursor(at: datetime) -> str:
    return cursors.written(at, "")


def _of_store(reads: Reads) -> Ask:
    async def ask(filter: Mapping[str, Any], cursor: str | None) -> int:
        return len((await reads.calls(CallFilter(**filter), cursor, LIMIT)).items)

    return ask


def _over_http(api: Api) -> Ask:
    async def ask(filter: Mapping[str, Any], cursor: str | None) -> int:
        query: dict[str, Any] = {name: _in_query(value) for name, value in filter.items()}
        if cursor is not None:
            query["cursor"] = cursor
        page = await api.get("/v1/calls", **query, limit=LIMIT)
        return len(page["items"])

    return ask


def _in_query(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return "true" if value is True else str(value)


@asynccontextmanager
async def _served(url: str) -> AsyncIterator[Api]:
    """A gateway on that database, without Asterisk."""
    file = url.partition(":///")[2] if url.startswith("sqlite") else ""
    database = "sqlite" if file else url.replace("+asyncpg", "", 1)
    with real_centre({"database": {"url": database}}) as centre:
        var = centre.settings.paths.var
        if file:
            var.mkdir(parents=True, exist_ok=True)
            (var / "gateway112.db").symlink_to(file)
        centre.start_gateway()
        token = var / "admin-token"
        async with asyncio.timeout(READY_LIMIT_S):
            while not token.exists():  # noqa: ASYNC110  # another process writes it
                await asyncio.sleep(0.1)
            async with centre.api() as api:
                while True:
                    with contextlib.suppress(aiohttp.ClientError, AssertionError):
                        await api.get("/v1/roles")
                        break
                    await asyncio.sleep(0.1)
        async with centre.api() as api:
            village = {"name": VILLAGE, "carrier": "Desa", "addresses": ["127.0.0.19"]}
            await api.send("POST", "/v1/trunks", village)
            yield api


# ---------------------------------------------------------------- filling


def _telling(say: Say, what: str, calls: int) -> Callable[[int], None]:
    """Tells how far the filling is, as a bar."""
    shown = -1

    def tell(count: int) -> None:
        nonlocal shown
        step = STEPS * count // calls
        if step != shown:
            shown = step
            say(f"{what} {'█' * step}{'░' * (STEPS - step)} {count:,} of {calls:,} calls")

    return tell


def _batches(count: int) -> Iterator[Sequence[Call]]:
    chance = random.Random(112)  # noqa: S311  # the same in each run
    for start in range(0, count, bulk.AT_ONCE):
        yield [
            _varied(bulk.a_call(f"{number}", SINCE + SPAN * (number / count), chance), number, chance)
            for number in range(start, min(start + bulk.AT_ONCE, count))
        ]


def _varied(call: Call, number: int, chance: random.Random) -> Call:
    if number % PROBES == 0:
        return replace(call, trunk=PROBE_TRUNK, operator=PROBE_PHONE, operator_id=None, outcome=Outcome.ANSWERED)
    if number % RARE == 1:
        return replace(call, trunk=VILLAGE)
    if number % RARE == 2:
        return replace(call, outcome=Outcome.FAILED, operator=None, operator_id=None, operator_name=None)
    return replace(call, caller=CALLER) if chance.randrange(NUISANCE) == 0 else call
