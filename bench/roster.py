"""The roster: what a report of its coverage costs, what a look at Asterisk costs that finds nothing to do, and how soon
a change is in Asterisk.

Counterparts: `gateway/api/coverage.py`, `gateway/level.py`; `bench/staff.py` fills the centre, which is one of its own.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bench.measure import cpu_s, percentile
from bench.report import Block, Row
from bench.sides import Say
from bench.staff import Staff, hire, hire_more
from gateway.asterisk import site
from gateway.asterisk.board import Board
from gateway.asterisk.framing import Message
from gateway.asterisk.link import AmiLink, LinkState
from gateway.asterisk.switchboard import AsteriskSwitchboard
from gateway.bookkeeper import Bookkeeper
from gateway.domain.strays import Strays
from gateway.feed import Feed
from gateway.level import Level
from gateway.saving import Saving
from gateway.store.database import open_database
from gateway.store.repository import Repository
from tests.centre import Api, RealCentre, real_centre

OPERATORS, QUEUES, DAYS = 60, 12, 365
CALLS = 20_000
"""Of the eight weeks before: from them the need is worked out."""
MANY_OPERATORS, MANY_ASSIGNMENTS = 500, 10_000
MONTH = timedelta(days=30)
"""From its first day to its last."""
REPORTS, LOOKS, TIMES = 20, 25, 5
MOST_REPORT_MS, MOST_LOOK_MS, MOST_CHANGE_MS = 100.0, 5.0, 200.0
LEVEL_LIMIT_S = 60.0
SEEN_LIMIT_S = 5.0
SMALL, LARGE = f"{OPERATORS} operators", f"{MANY_OPERATORS} operators"


@dataclass(slots=True)
class Found:
    """All figures, in milliseconds where nothing else is said."""

    assignments: int = 0
    first_report: float = 0.0
    reports: dict[str, float] = field(default_factory=dict)
    looks: dict[str, float] = field(default_factory=dict)
    places: list[float] = field(default_factory=list)
    duties: list[float] = field(default_factory=list)
    import_s: float = 0.0


async def measure(say: Say, *, changes: int) -> Block:
    """Makes `changes` changes of each kind."""
    found = Found()
    with real_centre() as centre:
        say("roster: starting Asterisk")
        await asyncio.to_thread(centre.start_asterisk)
        say(f"roster: {OPERATORS} operators, {QUEUES} queues, a roster of {DAYS} days, {CALLS} calls")
        staff, found.assignments = await hire(
            centre.settings, operators=OPERATORS, queues=QUEUES, days=DAYS, calls=CALLS
        )
        async with _gateway(centre) as api:
            await _is_level(centre, api)
            say("roster: reports of the coverage")
            found.first_report = await _report(centre, api, times=1)
            found.reports[SMALL] = await _report(centre, api, times=REPORTS)
            say("roster: looks that find nothing to do")
            found.looks[SMALL] = await _looks(centre)
            say(f"roster: {2 * changes} changes")
            async with _hearing(centre) as heard:
                found.places = await _change_places(api, heard, staff, changes)
                found.duties = await _change_duties(centre, api, heard, staff, changes)
        say(f"roster: {MANY_OPERATORS} operators")
        staff = await hire_more(centre.settings, staff, MANY_OPERATORS - OPERATORS)
        async with _gateway(centre) as api:
            await _is_level(centre, api)
            say(f"roster: a file of {MANY_ASSIGNMENTS} lines")
            found.import_s = await _import(centre, api, staff)
            await _report(centre, api, times=1)
            found.reports[LARGE] = await _report(centre, api, times=REPORTS // 4)
            found.looks[LARGE] = await _looks(centre)
    return _block(found, changes)


def _block(found: Found, changes: int) -> Block:
    def changed(what: str, took: list[float], percent: float, *, has_target: bool = False) -> Row:
        figure = percentile(took, percent)
        target = f"<= {MOST_CHANGE_MS:.0f} ms" if has_target else ""
        return Row(what, {SMALL: figure}, "ms", target=target, is_met=figure <= MOST_CHANGE_MS if has_target else None)

    return Block(
        f"The roster, {QUEUES} queues",
        (SMALL, LARGE),
        (
            Row("assignments in the store", {SMALL: found.assignments, LARGE: found.assignments + MANY_ASSIGNMENTS}),
            Row(
                "coverage of a month, CPU of the gateway",
                found.reports,
                "ms",
                target=f"<= {MOST_REPORT_MS:.0f} ms at {OPERATORS}",
                is_met=found.reports[SMALL] <= MOST_REPORT_MS,
            ),
            Row(f"the first of the hour, with {CALLS} calls", {SMALL: found.first_report}, "ms"),
            Row(
                "a look with nothing to do, CPU",
                found.looks,
                "ms",
                target=f"< {MOST_LOOK_MS:.0f} ms at {OPERATORS}",
                is_met=found.looks[SMALL] < MOST_LOOK_MS,
            ),
            changed("a place until it is in Asterisk, median", found.places, 50),
            changed("a place until it is in Asterisk, p99", found.places, 99, has_target=True),
            changed("an assignment until it is in Asterisk, median", found.duties, 50),
            changed("an assignment until it is in Asterisk, p99", found.duties, 99, has_target=True),
            Row(f"import of {MANY_ASSIGNMENTS} lines", {LARGE: found.import_s}, "s"),
        ),
        (
            f"changes of each kind: {len(found.places)} and {len(found.duties)} of {changes}; from the request to "
            "Asterisk's own event that the member is there, or gone",
            f"reports: mean of {REPORTS} and {REPORTS // 4}; looks: mean of {LOOKS}, the best of {TIMES}, without the "
            "journal's part",
        ),
    )


# ---------------------------------------------------------------- the gateway's process


@asynccontextmanager
async def _gateway(centre: RealCentre) -> AsyncIterator[Api]:
    centre.start_gateway()
    try:
        await centre.ready()
        async with centre.api() as api:
            yield api
    finally:
        await asyncio.to_thread(centre.stop_gateway, signal.SIGTERM)


async def _is_level(centre: RealCentre, api: Api) -> None:
    """Returns once Asterisk has every phone that the books name."""
    async with asyncio.timeout(LEVEL_LIMIT_S):
        while True:
            operators = (await api.get("/v1/operators", limit=1000))["items"]
            if all(operator["applied"] for operator in operators):
                return
            await asyncio.sleep(0.2)


async def _report(centre: RealCentre, api: Api, *, times: int) -> float:
    """Mean milliseconds of the gateway's CPU for a report of this month, from the request to the answer."""
    today = datetime.now(ZoneInfo(centre.settings.centre.timezone)).date()
    days = {"from": today.isoformat(), "to": (today + MONTH).isoformat()}
    before_s = cpu_s(centre.gateway_pid)
    for _ in range(times):
        async with api.session.get("/v1/coverage", params=days) as answer:
            answer.raise_for_status()
            await answer.read()
    return 1000 * (cpu_s(centre.gateway_pid) - before_s) / times


async def _import(centre: RealCentre, api: Api, staff: Staff) -> float:
    """Seconds until MANY_ASSIGNMENTS lines of a file are on the roster."""
    today = datetime.now(ZoneInfo(centre.settings.centre.timezone)).date()
    shifts = {shift.id: shift.name for shift in staff.shifts}
    newcomers = staff.operators[OPERATORS:]
    phones = {operator.id: operator.phone for operator in newcomers}
    lines = [
        f"{each.first_date},{shifts[each.shift_id]},{phones[each.operator_id]},{each.queue}"
        for each in Staff(newcomers, staff.queues, staff.shifts).roster(today, 2 * MONTH.days)
    ]
    text = "\n".join(["date,shift,phone,queue", *lines[:MANY_ASSIGNMENTS]]) + "\n"
    began = time.perf_counter()
    async with api.session.post(
        "/v1/roster/import?allow_gaps=true", data=text.encode(), headers={"Content-Type": "text/csv"}
    ) as answer:
        answer.raise_for_status()
    return time.perf_counter() - began


# ---------------------------------------------------------------- looks, from this process


class _NoJournal:
    """Whatever was dialled is known."""

    async def catch_up(self) -> bool:
        return True


@asynccontextmanager
async def _linked(centre: RealCentre, hear: Callable[[Message], None]) -> AsyncIterator[AmiLink]:
    """A link of this process's own to the centre's Asterisk, up."""
    up = asyncio.Event()

    async def came_up() -> None:
        up.set()

    link = AmiLink(
        host=centre.settings.ami.host,
        port=centre.settings.ami.port,
        username=site.AMI_USER,
        secret=site.ami_secret(centre.settings),
        on_event=hear,
        on_up=came_up,
    )
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(SEEN_LIMIT_S):
            await up.wait()
        yield link
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _looks(centre: RealCentre) -> float:
    """Milliseconds of CPU of a look at the running Asterisk, by the books in the store: the best mean of TIMES. Raises
    RuntimeError where one finds something to do."""
    settings = centre.settings
    board = Board(clock=_now)
    store = Repository(await open_database(settings.database_url))
    try:
        async with _linked(centre, board.hear) as link:
            level = Level(
                switchboard=AsteriskSwitchboard(link, board),
                bookkeeper=Bookkeeper(
                    store, zone=ZoneInfo(settings.centre.timezone), default_queues=(settings.call.queue,), clock=_now
                ),
                saving=Saving(store, Feed()),
                journal=_NoJournal(),
                always=site.always(settings),
                strays=Strays(),
                clock=_now,
                clock_s=time.monotonic,
            )
            await level.look()
            changes = board.changes
            best_s = float("inf")
            for _ in range(TIMES):
                began_s = time.process_time()
                for _ in range(LOOKS):
                    await level.look()
                best_s = min(best_s, (time.process_time() - began_s) / LOOKS)
            if board.changes != changes or link.state is not LinkState.UP:
                raise RuntimeError("a look found something to do")
            return 1000 * best_s
    finally:
        await store.close()


# ---------------------------------------------------------------- changes


@dataclass(slots=True)
class _Heard:
    """When Asterisk said last that a phone came into a queue, or went."""

    at: dict[tuple[str, str, str], float] = field(default_factory=dict)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, event: Message) -> None:
        if event.name in ("QueueMemberAdded", "QueueMemberRemoved"):
            self.at[event.name, event.get("Queue"), event.get("MemberName")] = time.perf_counter()
            self.more.set()

    async def time(self, change: Awaitable[object], *what: str) -> float:
        """Milliseconds from the beginning of the change to Asterisk's word for it."""
        self.at.clear()
        began = time.perf_counter()
        await change
        async with asyncio.timeout(SEEN_LIMIT_S):
            while what not in self.at:
                self.more.clear()
                await self.more.wait()
        return 1000 * (self.at[what] - began)


@asynccontextmanager
async def _hearing(centre: RealCentre) -> AsyncIterator[_Heard]:
    heard = _Heard()
    async with _linked(centre, heard.hear):
        yield heard


async def _change_places(api: Api, heard: _Heard, staff: Staff, count: int) -> list[float]:
    """Standing places, put and taken away in turns."""
    took: list[float] = []
    for number in range(count // 2):
        phone = staff.operators[number % OPERATORS].phone
        queue = staff.queue(number + 1).name  # not the one of the operator's own roster
        path = f"/v1/queues/{queue}/members/{phone}"
        took.append(await heard.time(api.send("PUT", path, {}), "QueueMemberAdded", queue, phone))
        took.append(await heard.time(api.send("DELETE", path), "QueueMemberRemoved", queue, phone))
    return took


async def _change_duties(centre: RealCentre, api: Api, heard: _Heard, staff: Staff, count: int) -> list[float]:
    """Assignments to the shift that goes on now, made and retired in turns."""
    today = datetime.now(ZoneInfo(centre.settings.centre.timezone)).date()
    now = datetime.now(UTC)
    days: dict[str, Any] = {"from": str(today - timedelta(days=1)), "to": str(today)}
    roster = (await api.get("/v1/roster", **days))["items"]
    going_on = {
        each["shift_id"]
        for each in roster
        if datetime.fromisoformat(each["starts_at"]) <= now < datetime.fromisoformat(each["ends_at"])
    }
    [shift_id] = going_on
    took: list[float] = []
    for number in range(count // 2):
        operator = staff.operators[number % OPERATORS]
        queue = staff.queue(number + 1).name
        body = {
            "operator_id": operator.id,
            "shift_id": shift_id,
            "queue": queue,
            "first_date": str(today - timedelta(days=1)),
            "last_date": str(today + timedelta(days=1)),
        }
        made: list[int] = []

        async def make(body: dict[str, object] = body, made: list[int] = made) -> None:
            made.append((await api.send("POST", "/v1/assignments", body, status=201))["id"])

        took.append(await heard.time(make(), "QueueMemberAdded", queue, operator.phone))
        path = f"/v1/assignments/{made[0]}?allow_gaps=true"
        took.append(await heard.time(api.send("DELETE", path), "QueueMemberRemoved", queue, operator.phone))
    return took


def _now() -> datetime:
    return datetime.now(UTC)
