"""A campaign: a centre for each database, steady traffic, one fault after the other by the plan, and the conservation
check after each of them and at the end.

Counterparts: `plan.py`, `faults/`, `conservation.py`; `report.py` shows what came of it.
"""

import asyncio
import contextlib
import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from bench.ground import recordings, sealed
from bench.sides import PlainAsterisk, make_operators
from chaos import conservation, rings
from chaos.conservation import Finding, Kind, Ledger, Span, Told, Verdict
from chaos.disks import Disk
from chaos.faults.phones import NUMBERS, PHONES
from chaos.ground import Ground
from chaos.plan import Planned
from chaos.proxy import Proxy
from chaos.rings import Rings
from chaos.sightings import Seen
from chaos.stores import Sqlite, database
from chaos.traffic import BAD_PHONES_ADDRESS, MEAN_S, NO_ANSWER_MS, STEADY, Traffic
from tests.centre import Api, Json, real_centre
from tests.sip import free_port

LOOK_S = 0.5
SETTLED_S = 2.0
"""A call that ended so long ago is in the history, where all is whole."""
BEFORE_S = 30.0
"""So far back calls are looked at after each fault."""
WHOLE_LIMIT_S = 90.0
MOST_LAG_BYTES = 50_000
"""What a dozen calls write, and is on its way."""
FAULT_LIMIT_S = 60.0
"""Breaking and mending together may take so long, besides what the fault lasts."""
BOOTED_S = 10.0
"""So long after its boot an Asterisk has to do with those who came meanwhile."""
PHONES_GONE_S = 40.0
"""So long after phones have misbehaved Asterisk may still ring them: it asks each twice a minute."""
PLAIN_S, PLAIN_PART = 60.0, 0.1
"""Plain Asterisk has the same traffic for so long, and for no more than that part of the campaign."""
STILL_LIMIT_S = 90.0
"""At the end it is waited for as long as something still comes to be as it should."""
LAST_WORDS_S = 35.0
"""So long SIPp asks in vain for the end of a call."""
SPARE_PHONES = 10
LEAST_CAME, FIRST_CALL_S = 0.9, 2.0
"""Of the calls that should have come; until the first of them."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    seed: int
    rate: float
    longest_s: float
    """The longest call."""
    folder: Path
    """Where the centre's logs are kept."""


@dataclass(slots=True)
class Struck:
    """What came of one planned fault. Times are seconds since the epoch."""

    planned: Planned
    database: str
    why_not: str = ""
    """Why it was not had; empty where it was."""
    began_at: float = 0.0
    mended_at: float = 0.0
    whole_at: float | None = None
    waited_for: str = ""
    """What was not whole yet at the last look before all was; or where it never was, at the last one."""
    in_flight: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def whole_s(self) -> float | None:
        """From the mending until all was whole again; None where it never was, or nothing was broken."""
        return None if self.whole_at is None else self.whole_at - self.mended_at

    def count(self, kind: Kind) -> int:
        return sum(finding.kind is kind for finding in self.findings)


Show = Callable[[Struck], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the whole."""

    at: float
    in_flight: int
    """By what SIPp saw."""
    status: str
    """The gateway's own word in /v1/health; `away` where it said none."""
    lag_bytes: int


@dataclass(slots=True)
class Leg:
    """What came of the campaign on one database."""

    database: str
    began_at: float
    struck: list[Struck] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    unexplained: list[Finding] = field(default_factory=list)
    """Findings in whose time nothing was broken."""
    rings: Rings = field(default_factory=lambda: Rings.of(()))
    ended_at: float = 0.0


async def run(
    kind: str, planned: Sequence[Planned], seconds: float, options: Options, plain: Rings, say: Say, show: Show
) -> Leg:
    """Carries the plan out on one database; `at_s` of the plan counts from the first call, `plain` is what plain
    Asterisk's callers had. `show` is told of each fault when all is whole again. Raises what makes a campaign
    impossible; what the centre does wrong is in the findings."""
    async with _ground(kind, options, say) as ground, ground.centre.api() as api:
        leg = Leg(kind, time.time())
        course = _Course(ground, api, leg, plain, say, show)
        await course.go(planned, seconds, options)
        return leg


async def plain_rings(seconds: float, options: Options, say: Say) -> Rings:
    """How soon plain Asterisk's callers have a person, with the same traffic and phones, and nothing beside it."""
    say(f"plain Asterisk, {seconds:.0f} s")
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/tmp") as name:
        folder, port = Path(name), free_port()
        luck = random.Random(f"{options.seed} plain")
        traffic = Traffic(folder, port, luck, longest_ms=round(options.longest_s * 1000))
        async with traffic.phones:
            asterisk = PlainAsterisk(folder / "plain", traffic.phones, port)
            with asterisk.running():
                steady = traffic.steady(rate=options.rate)
                await traffic.goes_on(steady)
                await asyncio.sleep(seconds)
                await traffic.stop(0)
                traffic.read()
        return Rings.of(rings.had(traffic.seen, traffic.talks, ()))


@asynccontextmanager
async def _ground(kind: str, options: Options, say: Say) -> AsyncIterator[Ground]:
    """A centre with operators, whose gateway reaches Asterisk and database through what can be broken."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))  # a socket's path must be short
    try:
        async with database(kind, folder) as store:
            with real_centre({"call": {"queue_max_wait_s": 60}, "database": {"url": store.url}}) as centre:
                settings = centre.settings
                disks = [Disk(settings.journal_dir), Disk(settings.paths.recordings)]
                try:
                    for disk in disks:
                        disk.mount()
                    if isinstance(store, Sqlite):
                        store.lay(settings.paths.var / store.file.name)
                    port = free_port()
                    ami = Proxy(lambda: asyncio.open_connection(settings.ami.host, settings.ami.port))
                    luck = random.Random(f"{options.seed} {kind}")
                    traffic = Traffic(folder, settings.sip.port, luck, longest_ms=round(options.longest_s * 1000))
                    centre.gateway_environ["GATEWAY112_AMI_PORT"] = str(port)
                    async with ami.on_port(settings.ami.host, port), traffic.phones:
                        say(f"{kind}: starting a centre")
                        await asyncio.to_thread(centre.start_asterisk)
                        centre.start_gateway()
                        await centre.ready()
                        async with centre.api() as api:
                            await _hire(api, traffic, round(options.rate * MEAN_S * 1.1) + SPARE_PHONES)
                        yield Ground(folder, centre, ami, store, traffic, disks[0], disks[1])
                finally:
                    await asyncio.to_thread(centre.stop)
                    options.folder.mkdir(parents=True, exist_ok=True)
                    for name in ("gateway", "asterisk"):
                        with contextlib.suppress(FileNotFoundError):
                            shutil.copyfile(centre.folder / f"{name}.log", options.folder / f"{kind}-{name}.log")
                    for disk in disks:
                        disk.unmount()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _hire(api: Api, traffic: Traffic, count: int) -> None:
    # behind the phones that misbehave: while those stand in the queue, they are rung first
    await make_operators(api, traffic.phones, count, penalty=1)
    for number in NUMBERS:
        contact = f"sip:{number}@{BAD_PHONES_ADDRESS}:{traffic.bad_phones_port}"
        await api.send("POST", "/v1/operators", {"name": f"Petugas {number}", "phone": number, "contact": contact})


class _Course:
    """One campaign's course on its ground."""

    def __init__(self, ground: Ground, api: Api, leg: Leg, plain: Rings, say: Say, show: Show) -> None:
        self._ground = ground
        self._api = api
        self._leg = leg
        self._plain = plain
        self._say = say
        self._show = show
        self._ledger = Ledger()
        self._watched: list[Finding] = []
        self._why = ""
        """What is not whole, as of the last look."""
        self._known: set[str] = set()
        """What was not whole long after an earlier fault, and is not waited for again."""
        self._standing: list[Finding] = []

    async def go(self, planned: Sequence[Planned], seconds: float, options: Options) -> None:
        ground, leg = self._ground, self._leg
        leg.began_at = time.time()
        watching = [asyncio.create_task(self._supervise()), asyncio.create_task(self._sample())]
        try:
            steady = ground.traffic.steady(rate=options.rate)
            await ground.traffic.goes_on(steady)
            for each in planned:
                self._say(f"{leg.database}: {each.number} {each.fault.name}")
                await asyncio.sleep(max(0.0, leg.began_at + each.at_s - time.time()))
                leg.struck.append(await self._strike(each))
                self._show(leg.struck[-1])
                _raise_of(watching)
            await asyncio.sleep(max(0.0, leg.began_at + seconds - time.time()))
            self._say(f"{leg.database}: the last calls")
            _raise_of(watching)
            self._have_come(options.rate)
            steady.call_no_more()
            await ground.traffic.stop(options.longest_s + NO_ANSWER_MS / 1000 + LAST_WORDS_S)
            words = "recordings still to be sealed"
            await sealed(self._api, lambda waiting: self._say(f"{leg.database}: {waiting:,.0f} {words}"))
            self._say(f"{leg.database}: holding the history against SIPp's logs")
            leg.verdict = await self._final()
            seen, talks, delayed = ground.traffic.seen, ground.traffic.talks, self._delayed()
            had = rings.had(seen, talks, delayed)
            leg.rings = Rings.of(had)
            leg.verdict.findings += rings.late([*had, *rings.had_nobody(seen, talks, delayed)], self._plain)
        finally:
            leg.ended_at = time.time()
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            await ground.traffic.stop(0)
        for finding in leg.verdict.findings:
            self._attribute(finding)

    def _delayed(self) -> list[Span]:
        """When any Asterisk's callers would have waited."""
        troubles = self._ground.troubles
        return [
            *(Span(each.since, each.until + BOOTED_S) for each in (*troubles.dead, *troubles.frozen)),
            *(
                Span(struck.began_at, struck.mended_at + PHONES_GONE_S)
                for struck in self._leg.struck
                if struck.planned.fault.family == PHONES and struck.began_at
            ),
        ]

    async def _strike(self, planned: Planned) -> Struck:
        ground, struck = self._ground, Struck(planned, self._leg.database)
        struck.why_not = planned.fault.why_not(ground)
        if struck.why_not:
            return struck
        ground.traffic.read()
        struck.began_at = time.time()
        struck.in_flight = sum(seen.is_open(struck.began_at) for seen in ground.traffic.seen)
        try:
            async with asyncio.timeout(planned.hold_s + FAULT_LIMIT_S):
                async with planned.fault.breaking(ground, random.Random(planned.seed)):
                    await asyncio.sleep(planned.hold_s)
        except (TimeoutError, AssertionError, aiohttp.ClientError) as error:
            self._find(f"{planned.fault.name} could not be mended: {error!r}"[:400])
        struck.mended_at = time.time()
        while not await self._is_whole(struck.began_at):
            struck.waited_for = self._why
            if time.time() - struck.mended_at > WHOLE_LIMIT_S:
                self._find(f"not whole {WHOLE_LIMIT_S:.0f} s after {planned.fault.name}: {self._why}")
                self._known |= {finding.about for finding in self._standing}
                return struck
            await asyncio.sleep(LOOK_S)
        struck.whole_at = time.time()
        return struck

    def _have_come(self, rate: float) -> None:
        """Whether the calls came that were to come: of a carrier that has ended nothing can be lost."""
        self._ground.traffic.read()
        wanted = rate * (time.time() - self._leg.began_at - FIRST_CALL_S)
        came = sum(seen.trunk == STEADY[1] for seen in self._ground.traffic.seen)
        if came < LEAST_CAME * wanted:
            self._find(f"the carrier sent {came} INVITEs, and {wanted:.0f} should have come")

    def _find(self, words: str) -> None:
        now = time.time()
        self._watched.append(Finding(Kind.WRONG, "the centre", words, now, now))

    # ---------------------------------------------------------------- what is whole

    async def _is_whole(self, began_at: float) -> bool:
        """Whether the gateway is up and linked, has read and stored all there is, and every call that was over a moment
        ago is in the history as SIPp saw it."""
        self._why = ""
        health = await self._health()
        if health is None:
            self._why = "the gateway does not answer"
        elif health["status"] == "down":
            self._why = f"{health['status']}: {'; '.join(health['problems'])}"
        elif health["journal"]["lag_bytes"] > MOST_LAG_BYTES:
            self._why = f"the journal is {health['journal']['lag_bytes']} bytes behind"
        elif not self._ground.ami.is_carrying:
            self._why = "AMI is not there"
        if self._why:
            return False
        try:
            verdict = await self._so_far(began_at - BEFORE_S)
        except (AssertionError, aiohttp.ClientError, TimeoutError) as error:
            self._why = f"the API: {error!r}"[:200]
            return False
        self._standing = [each for each in verdict.findings if each.about not in self._known]
        self._why = "; ".join(f"{each.about}: {each.words}" for each in self._standing[:3])
        return not self._standing

    async def _so_far(self, since: float) -> Verdict:
        """The check of the calls that were over a moment ago."""
        ground = self._ground
        ground.traffic.read()
        until = time.time() - SETTLED_S
        over = [seen for seen in ground.traffic.seen if since <= (self._end(seen) or 0.0) <= until]
        if not over:
            return Verdict()
        first = min(seen.invited_at for seen in over) - conservation.SLACK_S
        calls = await self._api.calls(since=datetime.fromtimestamp(first, UTC).isoformat())
        return conservation.check(over, ground.traffic.talks, Told(calls), ground.troubles, is_final=False)

    def _end(self, seen: Seen) -> float | None:
        death = self._ground.troubles.death_of(seen)
        return death.until if death else seen.ended_at

    async def _final(self) -> Verdict:
        """The check of all there is, once it finds nothing; what it finds at last otherwise."""
        ground, fewest, limit = self._ground, float("inf"), time.time() + STILL_LIMIT_S
        while True:
            ground.traffic.read()
            try:
                told = Told(await self._api.calls(), await recordings(self._api))
                await self._read_events()
            except (AssertionError, aiohttp.ClientError, TimeoutError) as error:
                if time.time() > limit:
                    raise RuntimeError(f"the history cannot be read: {error!r}") from error
                await asyncio.sleep(LOOK_S)
                continue
            verdict = conservation.check(
                ground.traffic.seen, ground.traffic.talks, told, ground.troubles, is_final=True
            )
            if len(verdict.findings) < fewest:
                fewest, limit = len(verdict.findings), time.time() + STILL_LIMIT_S
                if fewest:
                    self._say(f"{self._leg.database}: {fewest} still to be settled: {verdict.findings[0].words}"[:200])
            if not verdict.findings or time.time() > limit:
                verdict.findings += [*self._ledger.findings, *self._ledger.lacking(told.calls), *self._watched]
                return verdict
            await asyncio.sleep(4 * LOOK_S)

    async def _read_events(self) -> None:
        while items := (await self._api.get("/v1/events", after=self._ledger.newest, limit=1000))["items"]:
            self._ledger.take(items)

    def _attribute(self, finding: Finding) -> None:
        """Gives it to the last fault that was there in its call's time."""
        met = [
            struck
            for struck in self._leg.struck
            if struck.began_at
            and struck.began_at <= finding.until + SETTLED_S
            and finding.since <= (struck.whole_at or struck.mended_at + WHOLE_LIMIT_S)
        ]
        (met[-1].findings if met else self._leg.unexplained).append(finding)

    # ---------------------------------------------------------------- beside the faults

    async def _supervise(self) -> None:
        """Starts anew what has ended by itself, as a service manager does. That it did is a finding, unless it must."""
        ground = self._ground
        while True:
            await asyncio.sleep(LOOK_S)
            if ground.wants_asterisk and ground.centre.has_asterisk_ended:
                self._find(f"Asterisk ended by itself: {ground.centre.log('asterisk')[-300:]}")
                await ground.revive_asterisk(LOOK_S)
            if ground.wants_gateway and ground.centre.has_gateway_ended:
                if not ground.may_end:
                    self._find(f"the gateway ended by itself: {ground.centre.log()[-300:]}")
                ground.centre.start_gateway()

    async def _sample(self) -> None:
        while True:
            self._ground.traffic.read()
            now, health = time.time(), await self._health()
            self._leg.samples.append(
                Sample(
                    at=now,
                    in_flight=sum(seen.is_open(now) for seen in self._ground.traffic.seen),
                    status="away" if health is None else str(health["status"]),
                    lag_bytes=0 if health is None else int(health["journal"]["lag_bytes"]),
                )
            )
            await asyncio.sleep(1.0)

    async def _health(self) -> Json | None:
        try:
            async with self._api.session.get("/v1/health", timeout=aiohttp.ClientTimeout(total=3)) as response:
                health: Json = await response.json()
                return health
        except (aiohttp.ClientError, TimeoutError):
            return None


def _raise_of(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Raises what ended one of the tasks, which run for ever."""
    for task in tasks:
        if task.done():
            task.result()
