"""Health: one open page that says whether 112 is whole, for a load balancer and for a person.

Counterparts: `gateway/house.py` makes the `Status`; `reasons.py` says what is wrong; the database is asked there.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from gateway.api import reasons
from gateway.api.context import Context
from gateway.api.models import Told
from gateway.api.reasons import Reason
from gateway.api.routes import Answer, route
from gateway.defects import Defects
from gateway.domain.advice import TrunkRule
from gateway.domain.evidence import Verification
from gateway.domain.overload import Luxuries
from gateway.domain.sight import BlindTime, Why
from gateway.sealing import Standing

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
"""Whether somebody asks or not, so that it is known since when something is wrong."""

FIRST_LOOK_S = 2.0
"""After a start: the link and the vault's worker come up in that time, and are no news."""

ANSWER_S = 0.7
"""A page of health that waited for a database as long as the database may take would be silent when it is needed."""
CLOSE_LIMIT_S = 1.0

Verdict = Literal["ok", "impaired", "down"]


@dataclass(frozen=True, slots=True)
class Status:
    """How the house stands. `asterisk_reason` says why AMI is not up; `operators_available` counts those of all queues
    that calls come to, and is None while unknown."""

    asterisk_up: bool
    asterisk_reason: str
    journal_lag_bytes: int
    operators_available: int | None
    version: str
    started_at: datetime
    deserted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Queues where nobody is while others have somebody, and the trunks whose calls come there."""
    journal_waits: str = ""
    """Why what Asterisk wrote cannot be stored now; empty where it can."""
    journal_unread_bytes: Mapping[str, int] = field(default_factory=dict)
    """What the disk does not give of old pieces of the journal, by their files' names."""
    free_bytes: Mapping[str, int] = field(default_factory=dict)
    """Free space, by the setting that names the place."""
    asterisk_since: datetime | None = None
    """From when on Asterisk has been in touch, or has not."""
    is_seeing: bool = True
    """Whether the live board is true: false until all was looked at since Asterisk was reached."""
    sip_refused: Mapping[str, int] = field(default_factory=dict)
    """SIP requests that were not let in since the start, by Asterisk's word for the reason."""
    sip_certificate_problem: str | None = None
    """What is wrong with the certificate for TLS, or soon will be."""
    sip_certificate_ends_at: datetime | None = None
    """None without TLS, and where the certificate cannot be read."""
    sip_banned: int = 0
    """Addresses that are kept out now."""
    sip_bans_made: int = 0
    """Since the start, as are those that were spared: their address is a trunk's, a phone's, or the site's own."""
    sip_bans_spared: int = 0
    advice_given: int = 0
    advice_missed: int = 0
    advice_late: int = 0
    """Advice without what is known of the number: that was not read in time."""
    advice_is_blind: bool = False
    """Whether the past of a number could not be read when it was asked for last."""
    advice_rule_faults: int = 0
    trunk_rules: Mapping[str, TrunkRule] = field(default_factory=dict)
    """What the settings say about trunks, by their names."""
    queue: str = ""
    """The centre's own, as the settings name it."""
    last_resort: str = ""
    sip_host: str = ""
    recordings: Standing = field(default_factory=Standing)
    link_counts: Mapping[str, int] = field(default_factory=dict)
    """What the link to Asterisk has seen since the start: see `asterisk.wire.Counters`."""
    strain: float = 0.0
    """How much there is to do: 1 is too much."""
    luxuries: Luxuries = field(default_factory=Luxuries)
    """How long each waits because of that."""
    overloaded_since: datetime | None = None


class Health:
    """What was wrong at the last look, and since when."""

    def __init__(self) -> None:
        self.reasons: tuple[Reason, ...] = ()
        self._of_the_store: list[Reason] = []
        self._asking: asyncio.Task[list[Reason]] | None = None
        """One question to the store at a time, however many ask for the page."""

    async def look(self, context: Context, within_s: float | None = None) -> tuple[Reason, ...]:
        """What is wrong now, the severe first; one that was wrong before keeps its time. Where the store does not
        answer within `within_s`, by what it said last."""
        asking = self._asking
        if asking is None or asking.done():
            asking = self._asking = asyncio.create_task(reasons.of_the_store(context))
        await asyncio.wait({asking}, timeout=within_s)
        if asking.done():
            self._of_the_store = asking.result()
        found = reasons.at_hand(context) + self._of_the_store
        if within_s is not None and not asking.done() and not any(each.code == "database_away" for each in found):
            found.append(reasons.slow(within_s))
        found.sort(key=lambda each: not each.is_severe)
        now, since = context.clock(), {each.key: each.since for each in self.reasons}
        self.reasons = tuple(replace(each, since=each.since or since.get(each.key) or now) for each in found)
        return self.reasons

    async def close(self) -> None:
        """Asks the store nothing more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking}, timeout=CLOSE_LIMIT_S)

    @property
    def verdict(self) -> Verdict:
        if any(each.is_severe for each in self.reasons):
            return "down"
        return "impaired" if self.reasons else "ok"


async def keep_looking(context: Context) -> None:
    """Looks again and again, for ever, and logs what has changed."""
    defects, codes = Defects("health_broken"), frozenset[str]()
    await asyncio.sleep(FIRST_LOOK_S)
    while True:
        try:
            now = frozenset(each.code for each in await context.health.look(context))
            if now != codes:
                told = {"status": context.health.verdict, "began": _joined(now - codes), "ended": _joined(codes - now)}
                log.log(logging.INFO if not now else logging.WARNING, "health_changed", extra=told)
            codes = now
        except Exception as error:  # noqa: BLE001  # a defect here must not end the history of calls
            defects.tell(error)
        await asyncio.sleep(LOOK_EVERY_S)


def _joined(codes: frozenset[str]) -> str:
    return ",".join(sorted(codes))


class PartHealth(Told):
    up: bool
    reason: Annotated[str | None, Field(description="Why not; null when it is up.")]


class DiskHealth(Told):
    setting: Annotated[str, Field(description="Which place: paths.var or paths.recordings.")]
    free_bytes: int


class JournalHealth(Told):
    lag_bytes: Annotated[int, Field(description="What Asterisk wrote and the gateway has not read yet.")]


class OperatorsHealth(Told):
    available: Annotated[int | None, Field(description="How many could take a call; null while unknown.")]


class VerificationHealth(Told):
    """The nightly looks whether all is as it was sealed."""

    at: Annotated[
        datetime | None, Field(description="When all that was due had been looked at last; null before the first.")
    ]
    days: Annotated[int, Field(description="Whose chains and signatures were followed then: all that there are.")]
    recordings: Annotated[int, Field(description="How many were read whole then: each within a week.")]
    findings: Annotated[int, Field(description="What stands since then, or was found meanwhile.")]
    days_due: Annotated[int, Field(description="For which the night was too short.")]

    @classmethod
    def of(cls, stands: Verification) -> "VerificationHealth":
        return cls(
            at=stands.at,
            days=stands.days,
            recordings=stands.recordings,
            findings=stands.findings,
            days_due=stands.due,
        )


class RecordingsHealth(Told):
    stalled: Annotated[int, Field(description="Running calls whose sound is not being written.")]
    waiting: Annotated[int, Field(description="Recordings that are over and wait to be sealed.")]
    failing: Annotated[int, Field(description="Of these, how many could not be sealed when it was tried.")]
    lost: Annotated[int, Field(description="How many were found to be lost in the last 24 hours.")]
    vault: PartHealth
    not_moved: Annotated[
        int | None, Field(description="Sealed ones that wait to be moved to the bucket, or back; null without one.")
    ]
    verification: Annotated[
        VerificationHealth | None, Field(description="Null where that is not done, or is not known yet.")
    ]


class ReasonHealth(Told):
    """One thing that is wrong."""

    code: Annotated[str, Field(description="Its name, which stays the same; docs/operations.md has a line for each.")]
    subject: Annotated[str, Field(description="What it is about, where there may be several; empty else.")]
    severe: Annotated[bool, Field(description="Whether history and commands wait for it: then the status is `down`.")]
    words: str
    since: Annotated[datetime, Field(description="From when on, as far as the gateway has seen it.")]
    remedy: Annotated[str, Field(description="What to do.")]

    @classmethod
    def of(cls, reason: Reason, at: datetime) -> "ReasonHealth":
        return cls(
            code=reason.code,
            subject=reason.subject,
            severe=reason.is_severe,
            words=reason.words,
            since=reason.since or at,
            remedy=reason.remedy,
        )


class BlindTimeHealth(Told):
    """A time in which the gateway did not see what happened."""

    why: Annotated[
        Why,
        Field(
            description="`down`: it did not run. `asterisk`: it was not in touch with Asterisk. `store`: what the "
            "journal told could not be stored. `journal`: Asterisk had calls that its journal did not tell of."
        ),
    ]
    since: datetime
    until: datetime
    seconds: float
    calls: Annotated[int, Field(description="Calls that went on in it: their history was read afterwards.")]
    calls_arrived: Annotated[int, Field(description="Those of them that arrived in it.")]
    calls_untold: Annotated[int, Field(description="Calls that Asterisk announced and its journal never told of.")]

    @classmethod
    def of(cls, time: BlindTime) -> "BlindTimeHealth":
        return cls(
            why=time.why,
            since=time.since,
            until=time.until,
            seconds=time.seconds,
            calls=time.calls,
            calls_arrived=time.arrived,
            calls_untold=len(time.untold),
        )


class SightHealth(Told):
    """Whether the gateway sees what happens in Asterisk. Calls are answered all the same."""

    blind: bool
    why: Annotated[Why | None, Field(description="Null while it sees.")]
    since: Annotated[datetime | None, Field(description="From when on it has not seen; null while it does.")]
    last: Annotated[BlindTimeHealth | None, Field(description="The last such time that is over; null before the first")]


class HealthModel(Told):
    status: Annotated[Verdict, Field(description="`down` is told with 503.")]
    problems: Annotated[list[str], Field(description="What is wrong, in sentences; empty when all is well.")]
    reasons: Annotated[list[ReasonHealth], Field(description="The same, each with its name, its time and its remedy.")]
    sight: SightHealth
    asterisk: PartHealth
    database: PartHealth
    journal: JournalHealth
    operators: OperatorsHealth
    disks: list[DiskHealth]
    recordings: RecordingsHealth
    version: str
    started_at: datetime
    at: datetime


async def health(context: Context) -> Answer[HealthModel]:
    """200 while the gateway is in touch with Asterisk and its database, else 503. Calls are answered by Asterisk
    itself, so a 503 means that the history and the commands wait, not that 112 is silent. It is answered within a
    second also while the database is not: by what that said last, with the reason `database_slow`."""
    found = await context.health.look(context, ANSWER_S)
    status, now, blindness = context.status(), context.clock(), context.blindness
    verdict = context.health.verdict
    database = next((each for each in found if each.code == "database_away"), None)
    content = HealthModel(
        status=verdict,
        problems=[each.words for each in found],
        reasons=[ReasonHealth.of(each, now) for each in found],
        sight=SightHealth(
            blind=blindness.why is not None,
            why=blindness.why,
            since=blindness.since,
            last=BlindTimeHealth.of(blindness.last) if blindness.last else None,
        ),
        asterisk=_asterisk(status),
        database=PartHealth(up=database is None, reason=database.words.partition(": ")[2] if database else None),
        journal=JournalHealth(lag_bytes=status.journal_lag_bytes),
        operators=OperatorsHealth(available=status.operators_available),
        disks=[DiskHealth(setting=setting, free_bytes=free) for setting, free in status.free_bytes.items()],
        recordings=_recordings(status.recordings),
        version=status.version,
        started_at=status.started_at,
        at=now,
    )
    return Answer(content, 503 if verdict == "down" else 200)


def _asterisk(status: Status) -> PartHealth:
    return PartHealth(up=status.asterisk_up, reason=None if status.asterisk_up else status.asterisk_reason)


def _recordings(standing: Standing) -> RecordingsHealth:
    counts, reason = standing.counts, standing.vault_away
    return RecordingsHealth(
        stalled=len(standing.stalled),
        waiting=counts.waiting,
        failing=counts.failing,
        lost=counts.lost,
        vault=PartHealth(up=not reason, reason=reason or None),
        not_moved=standing.moving.waiting if standing.moving else None,
        verification=VerificationHealth.of(standing.verification) if standing.verification else None,
    )


ROUTES = (route("GET", "/v1/health", health, "Is 112 whole?", may=None, statuses=(200, 503)),)
