"""Health: one open page that says whether 112 is whole, for a load balancer and for a person.

Counterpart: `gateway/app.py` makes the `Status`; the database is asked here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from gateway.api.context import Context
from gateway.api.models import Told
from gateway.api.routes import Answer, route
from gateway.domain.advice import TrunkRule, in_vain, out_of_reach, unreachable
from gateway.ports import StoreAway
from gateway.sealing import Standing

JOURNAL_LAG_LIMIT_BYTES = 1_000_000
"""About 4,000 records: more than a second of work at the busiest."""

LITTLE_SPACE_BYTES = 2_000_000_000
"""About 17 hours of one recorded call."""
NO_SPACE_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Status:
    """How the house stands. `asterisk_reason` says why AMI is not up; `operators_available` is None while unknown."""

    asterisk_up: bool
    asterisk_reason: str
    journal_lag_bytes: int
    operators_available: int | None
    version: str
    started_at: datetime
    journal_waits: str = ""
    """Why what Asterisk wrote cannot be stored now; empty where it can."""
    free_bytes: Mapping[str, int] = field(default_factory=dict)
    """Free space, by the setting that names the place."""
    asterisk_since: datetime | None = None
    """From when on Asterisk has been in touch, or has not."""
    is_seeing: bool = True
    """Whether the live board is true: false until all was looked at since Asterisk was reached."""
    sip_refused: Mapping[str, int] = field(default_factory=dict)
    """SIP requests that were not let in since the start, by Asterisk's word for the reason."""
    advice_given: int = 0
    advice_missed: int = 0
    advice_late: int = 0
    """Advice without what is known of the number: that was not read in time."""
    advice_is_blind: bool = False
    """Whether the past of a number could not be read when it was asked for last."""
    advice_rule_faults: int = 0
    trunk_rules: Mapping[str, TrunkRule] = field(default_factory=dict)
    """What the settings say about trunks, by their names."""
    last_resort: str = ""
    sip_host: str = ""
    recordings: Standing = field(default_factory=Standing)


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


class RecordingsHealth(Told):
    stalled: Annotated[int, Field(description="Running calls whose sound is not being written.")]
    waiting: Annotated[int, Field(description="Recordings that are over and wait to be sealed.")]
    failing: Annotated[int, Field(description="Of these, how many could not be sealed when it was tried.")]
    lost: Annotated[int, Field(description="How many were found to be lost in the last 24 hours.")]
    vault: PartHealth
    not_moved: Annotated[
        int | None, Field(description="Sealed ones that wait to be moved to the bucket, or back; null without one.")
    ]


class HealthModel(Told):
    status: Annotated[Literal["ok", "impaired", "down"], Field(description="`down` is told with 503.")]
    problems: Annotated[list[str], Field(description="What is wrong, in sentences; empty when all is well.")]
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
    itself, so a 503 means that the history and the commands wait, not that 112 is silent."""
    status = context.status()
    database = await _database(context)
    severe = [
        f"{name} is away: {part.reason}"
        for name, part in (("Asterisk", _asterisk(status)), ("The database", database))
        if not part.up
    ]
    if status.journal_waits:
        severe.append(f"Calls are not stored: {status.journal_waits}. They wait in Asterisk's journal.")
    severe += [_full(setting, free) for setting, free in status.free_bytes.items() if free < NO_SPACE_BYTES]
    slight = [*_warnings(context, status), *await _in_vain(context, status)]
    content = HealthModel(
        status="down" if severe else "impaired" if slight else "ok",
        problems=severe + slight,
        asterisk=_asterisk(status),
        database=database,
        journal=JournalHealth(lag_bytes=status.journal_lag_bytes),
        operators=OperatorsHealth(available=status.operators_available),
        disks=[DiskHealth(setting=setting, free_bytes=free) for setting, free in status.free_bytes.items()],
        recordings=_recordings(status.recordings),
        version=status.version,
        started_at=status.started_at,
        at=context.clock(),
    )
    return Answer(content, 503 if severe else 200)


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
    )


async def _database(context: Context) -> PartHealth:
    try:
        await context.store.newest_seq()
        await context.store.try_to_write()
    except StoreAway:
        # the page is open to everybody: a driver's own words are for the log
        return PartHealth(up=False, reason="it does not answer, or cannot be written to")
    return PartHealth(up=True, reason=None)


def _warnings(context: Context, status: Status) -> list[str]:
    found = []
    if status.operators_available == 0:
        found.append("No operator is available: calls go to the fallback.")
    if status.journal_lag_bytes > JOURNAL_LAG_LIMIT_BYTES:
        found.append(f"The journal is {status.journal_lag_bytes} bytes behind.")
    for setting, free in status.free_bytes.items():
        if NO_SPACE_BYTES <= free < LITTLE_SPACE_BYTES:
            found.append(_full(setting, free))
    if status.advice_is_blind:
        found.append(
            "The advice cannot read the past of calls: nobody is raised or lowered by it (advice_without_past)."
        )
    if count := len(status.recordings.stalled):
        found.append(f"{count} running call{'s are' if count > 1 else ' is'} not being recorded.")
    if status.recordings.vault_away:
        found.append("Nothing is sealed: the vault's worker does not answer.")
    if status.recordings.moving and status.recordings.moving.problem:
        found.append("Recordings are not moved to or from the bucket: `gateway112 doctor` says why.")
    if status.recordings.counts.failing:
        found.append(f"{status.recordings.counts.failing} recordings could not be sealed yet.")
    if context.level.applied.problems:
        found.append("Asterisk refused: " + ", ".join(sorted(context.level.applied.problems)))
    return found


async def _in_vain(context: Context, status: Status) -> list[str]:
    """Settings that name what is not there, and trunks whose calls cannot come. Without the database that cannot be
    said."""
    try:
        books = await context.bookkeeper.at_hand()
    except StoreAway:
        return []
    phones = {operator.phone for operator in books.operators.values()}
    return [
        *in_vain(status.trunk_rules, books.trunks, books.queues),
        *unreachable(status.last_resort, books.trunks, phones),
        *out_of_reach(status.sip_host, {trunk.name: trunk.addresses for trunk in books.trunks.values()}),
    ]


def _full(setting: str, free_bytes: int) -> str:
    return f"{setting} has {free_bytes / 1e6:.0f} MB left: journal, recordings or database will stop."


ROUTES = (route("GET", "/v1/health", health, "Is 112 whole?", may=None, statuses=(200, 503)),)
