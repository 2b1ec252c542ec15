"""The house that the API's tests ask: the real centre, feed and store (SQLite) behind the real application, and a
switchboard that is only told.

Counterpart: `conftest.py` opens one for each test.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web, web_app
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.api import application, docs
from gateway.api.context import Context
from gateway.api.courier import Pace
from gateway.api.deliveries import Deliveries
from gateway.api.door import Door
from gateway.api.exports import Source
from gateway.api.health import Health, Status
from gateway.api.limits import Limits, Network
from gateway.api.openapi import document
from gateway.api.pictures import Pictures
from gateway.api.streams import Streams
from gateway.api.tls import Tls
from gateway.api.uses import Uses
from gateway.api.workload import Workload
from gateway.domain.audit import CENTRE
from gateway.domain.facts import (
    CallerLeft,
    Described,
    Entered,
    Fact,
    LegConnected,
    LegLeft,
    LegRung,
    Queued,
    RecordingStarted,
    Side,
    TrunkAnswered,
)
from gateway.domain.tokens import Role, Token
from gateway.feed import Feed
from gateway.hearings import Hearings
from gateway.office import token_hash
from gateway.ports import Reading
from gateway.store.database import open_database
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from gateway.vault.keys import KeyRing
from gateway.vault.playing import Player
from gateway.vault.recordings import Recordings
from gateway.vault.shelf import LocalShelf
from gateway.vault.sounds import Sounds
from tests.api.schema import check, resolve
from tests.told import Services, ToldJournal, ToldSwitchboard
from tests.vaults import OwnSeals, OwnVault

START = datetime(2026, 8, 17, 3, 0, tzinfo=UTC)
LIMIT_S = 20.0
QUICK = Pace(post_timeout_s=0.3, first_pause_s=0.01, longest_pause_s=0.05)
Json = dict[str, Any]
DOCUMENT: Json = document(docs.with_description(application.SUBJECTS, "0.1.0"), "0.1.0")


@dataclass
class Reply:
    """An answer, read whole."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def text(self) -> str:
        return self.raw.decode()

    @property
    def fields(self) -> list[str]:
        """The fields that a problem names."""
        return [error["field"] for error in self.json["errors"]]


@dataclass(frozen=True)
class Served:
    """The running application."""

    app: web.Application
    port: int


@dataclass
class House:
    """Everything that a test may ask or change."""

    engine: AsyncEngine
    database: Path
    sounds: Path
    seals: OwnSeals
    context: Context
    services: Services
    status: Json
    server: Served
    session: aiohttp.ClientSession
    document: Json
    begun: int
    """The number of the last event of the first start: what a test does comes after it."""

    @property
    def switchboard(self) -> ToldSwitchboard:
        return self.services.switchboard

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"

    async def ask(self, method: str, path: str, *, token: str | None = "admin", **options: Any) -> Reply:  # noqa: S107
        """One request; the answer is held against the OpenAPI document."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with self.session.request(
            method, self.url(path), headers=headers, allow_redirects=False, **options
        ) as answer:
            reply = Reply(answer.status, answer.headers, await answer.read())
        self._hold_against_document(method, path, reply)
        return reply

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.ask("GET", path, **options)

    async def patch(self, path: str, body: Any, match: str = "*", **options: Any) -> Reply:
        """Changes what is there, whatever its version, if `match` does not say which."""
        headers = {"If-Match": match, **options.pop("headers", {})}
        return await self.ask("PATCH", path, json=body, headers=headers, **options)

    async def delete(self, path: str, match: str = "*") -> Reply:
        return await self.ask("DELETE", path, headers={"If-Match": match})

    async def post(self, path: str, body: Any, **options: Any) -> Reply:
        return await self.ask("POST", path, json=body, **options)

    def _hold_against_document(self, method: str, path: str, reply: Reply) -> None:
        if reply.status >= 400 and method != "HEAD" and path.partition("?")[0] != "/v1/health":
            assert reply.headers["Content-Type"].startswith("application/problem+json")
            assert reply.json["status"] == reply.status
        operation = self._operation("get" if method == "HEAD" else method.lower(), path.partition("?")[0])
        if operation is None:
            assert reply.status in (404, 405, 429)
            return
        declared = operation["responses"][str(reply.status)]
        declared = resolve(declared["$ref"], self.document) if "$ref" in declared else declared
        if method == "HEAD" or "content" not in declared:
            assert not reply.raw
            return
        media = reply.headers["Content-Type"].partition(";")[0]
        schema = declared["content"][media].get("schema")
        if schema:
            check(reply.json, schema, self.document)

    def _operation(self, method: str, path: str) -> Json | None:
        for template, methods in sorted(self.document["paths"].items(), key=lambda each: each[0].count("{")):
            pattern = re.sub(r"\\{[a-z_]+\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path) and method in methods:
                found: Json = methods[method]
                return found
        return None

    # ------------------------------------------------------------ what happens in the centre

    async def tell(self, *facts: Fact) -> None:
        """The journal told these facts."""
        await self.context.centre.record(Reading(facts=facts))

    async def answered_call(self, call_id: str = "112-1.1", **given: Any) -> None:
        """A whole call, answered by phone 1001 after 12 s and ended by the caller 30 s later."""
        await self.tell(*answered(call_id, **given))

    def sound(self, name: str, seconds: float) -> bytes:
        """Writes a recording of so many seconds; returns its samples."""
        samples = bytes(place % 251 for place in range(int(seconds * 8000) * 4))
        (self.sounds / name).write_bytes(samples)
        return samples

    async def take_database_away(self) -> None:
        await self.engine.dispose()
        self.database.rename(self.database.with_suffix(".gone"))
        self.database.mkdir()

    async def bring_database_back(self) -> None:
        self.database.rmdir()
        self.database.with_suffix(".gone").rename(self.database)


def answered(
    call_id: str = "112-1.1",
    *,
    trunk: str = "telkomsel",
    caller: str = "08123456789",
    at: datetime = START,
    recording: str = "",
) -> list[Fact]:
    """The facts of one answered call, in their order."""

    def after(seconds: float) -> datetime:
        return at + timedelta(seconds=seconds)

    leg = f"{call_id}-1001"
    return [
        Entered(call_id, at, trunk, caller),
        Described(call_id, after(0.01), caller, "Budi, “kios”", "112", "abc@carrier", "", "", "", ""),
        *([RecordingStarted(call_id, after(0.02), recording)] if recording else []),
        TrunkAnswered(call_id, after(1)),
        Queued(call_id, after(4), "emergency", 0, 1),
        LegRung(call_id, after(4.5), leg, "1001"),
        LegConnected(call_id, after(12), leg, "1001"),
        LegLeft(call_id, after(42), leg, "1001", 16),
        CallerLeft(call_id, after(42), 16, Side.CALLER),
    ]


async def until(is_so: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Waits for a condition."""
    async with asyncio.timeout(limit_s):
        while not is_so():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def open_house(
    folder: Path,
    *,
    feed_capacity: int = 2000,
    stream_limit: int = 100,
    write_timeout_s: float = 10.0,
    door: Door | None = None,
    title: str = "112",
    pace: Pace = QUICK,
    source: Source | None = None,
    limits: Limits | None = None,
    proxies: Sequence[Network] = (),
    tls: Tls | None = None,
) -> AsyncIterator[House]:
    """A house with nothing in it but what a first start brings, and the tokens `admin` (its secret is its name),
    `supervisor` and `reader`, an auditor."""
    database, sounds = folder / "gateway112.db", folder / "recordings"
    sounds.mkdir()
    engine = await open_database(f"sqlite+aiosqlite:///{database}")
    reads = Reads(engine)
    services = Services(Repository(engine), feed=Feed(feed_capacity), own_vault=OwnVault(sounds))
    await services.set_up()
    seals = OwnSeals(sounds)
    for name, role in (("reader", Role.AUDITOR), ("supervisor", Role.SUPERVISOR)):
        token = Token(name=name, role=role, token_hash=token_hash(name), created_at=START)
        await services.office.create(token, CENTRE)
    status: Json = {
        "asterisk_up": True,
        "asterisk_reason": "",
        "journal_lag_bytes": 0,
        "operators_available": 1,
        "version": "0.1.0",
        "started_at": START,
    }
    uses = Uses(services.store, services.clock)
    context = Context(
        centre=services.centre,
        office=services.office,
        callbacks=services.callbacks,
        level=services.level,
        listening=services.listening,
        bookkeeper=services.bookkeeper,
        feed=services.feed,
        store=services.store,
        reads=reads,
        recordings=Recordings(sounds),
        custody=services.custody,
        destroying=services.destroying,
        erasing=services.erasing,
        export_source=source or seals.source,
        sounds=Sounds(sounds, LocalShelf(sounds), KeyRing(folder / "var" / "vault")),
        player=Player(idle_limit_s=10.0),
        hearings=Hearings(saving=services.saving, clock=services.clock),
        streams=Streams(
            services.feed,
            reads,
            limit=stream_limit,
            heartbeat_s=0.2,
            write_timeout_s=write_timeout_s,
            note_use=uses.note,
            clock=services.clock,
        ),
        deliveries=couriers(services, reads, pace),
        workload=Workload(reads.workload, zone=services.zone, clock=services.clock),
        pictures=Pictures(
            centre=services.centre,
            bookkeeper=services.bookkeeper,
            line=services.line,
            reads=reads,
            feed=services.feed,
            status=lambda: Status(**status),
            catch_up=ToldJournal().catch_up,
            silent_calls=lambda: services.listening.silent_calls,
            clock=services.clock,
        ),
        status=lambda: Status(**status),
        health=Health(),
        meter=services.saving.meter,
        blindness=services.blindness,
        board=services.line,
        door=door or Door(),
        limits=limits or Limits(per_address_s=0, per_token_s=0, wrong_tokens_per_min=0, clock_s=time.monotonic),
        uses=uses,
        proxies=proxies,
        tls=tls,
        calendar_secret=b"calendar",
        title=title,
        clock=services.clock,
    )
    app = application.build(context)
    try:
        async with (
            application.served(app, context.door, "127.0.0.1", 0, tls.context if tls else None) as server,
            aiohttp.ClientSession() as session,
            sending(context.deliveries),
            watching(context.streams),
        ):
            yield House(
                engine=engine,
                database=database,
                sounds=sounds,
                seals=seals,
                context=context,
                services=services,
                status=status,
                server=Served(app, server.sockets[0].getsockname()[1]),
                session=session,
                document=DOCUMENT,
                begun=services.feed.newest,
            )
    finally:
        await services.store.close()
        # aiohttp keeps what serves the last 1024 routes, and with it each whole house: by the end of the tests millions
        # of things, over which Python's collector stood still for longer than the gateway waits for anything
        web_app._cached_build_middleware.cache_clear()


def couriers(services: Services, reads: Reads, pace: Pace = QUICK) -> Deliveries:
    """A sender of webhooks; in a hurry, if nothing else is said."""
    return Deliveries(
        saving=services.saving,
        store=services.store,
        reads=reads,
        feed=services.feed,
        centre_name="112",
        clock=lambda: datetime.now(UTC),
        pace=pace,
    )


@contextlib.asynccontextmanager
async def watching(streams: Streams) -> AsyncIterator[None]:
    """Streams that end with their tokens."""
    task = asyncio.create_task(streams.watch())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def sending(deliveries: Deliveries) -> AsyncIterator[None]:
    """Deliveries that run."""
    task = asyncio.create_task(deliveries.run())
    try:
        await until(lambda: deliveries.is_loaded)
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
