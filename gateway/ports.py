"""The ports: what the services need of the store and of Asterisk, and what these may say back.

Counterparts: `gateway/store/` fulfils `Store`, `gateway/asterisk/` fulfils `Switchboard`; `house.py` joins them.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, Protocol, TypeVar

from gateway.domain.advice_rules import Arrival, Past
from gateway.domain.alarms import Alarm
from gateway.domain.blocks import Block
from gateway.domain.call import Call
from gateway.domain.callbacks import Callback, Flock
from gateway.domain.change import Change, Position, SetAside
from gateway.domain.dispositions import Disposed
from gateway.domain.erasing import Redaction
from gateway.domain.events import StoredEvent
from gateway.domain.evidence import Sound
from gateway.domain.facts import AnyFact
from gateway.domain.holding import Command, Held, Member
from gateway.domain.kept import Kept
from gateway.domain.presence import Presence
from gateway.domain.recordings import Recording, Seal
from gateway.domain.retention import Lasting, Trusted
from gateway.domain.roster import Absence, Assignment, Swap
from gateway.domain.sight import BlindTime, Why

Thing = TypeVar("Thing", bound=Kept)

SIP_REALM = "asterisk"
"""The realm that Asterisk challenges phones with (its default_realm)."""


class StoreAway(Exception):
    """The database does not answer; nothing is known to be stored."""


class SwitchboardAway(Exception):
    """Asterisk cannot be reached; nothing is known to be done."""


class Refused(Exception):
    """Asterisk refused; the message holds its own words."""


class Taken(Exception):
    """Something of that name exists already."""


class Stale(Exception):
    """Somebody else has changed it since."""


class Unknown(Exception):
    """There is nothing of that name."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What one transaction stored: its events with their numbers, its kept things and callbacks with their ids and
    versions."""

    events: tuple[StoredEvent, ...] = ()
    kept: tuple[Kept, ...] = ()
    callbacks: tuple[Callback, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What one read of the journal brought: facts in their order, what could not be used, and the new positions."""

    facts: tuple[AnyFact, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    positions: Mapping[str, Position] = field(default_factory=dict)


class Store(Protocol):
    """What the services need of the store. Each call has a time limit and may raise StoreAway."""

    async def commit(self, change: Change) -> Committed:
        """Stores all of `change` or nothing. May raise Taken, Stale or Unknown."""

    async def try_to_write(self) -> None:
        """Returns when a change could be stored now."""

    async def newest_seq(self) -> int: ...
    async def open_calls(self) -> list[Call]: ...
    async def newest_arrival(self) -> datetime | None: ...
    async def has_call(self, call_id: str) -> bool: ...
    async def last_events(self, call_ids: Collection[str]) -> dict[str, datetime]:
        """When the last event that Asterisk told of each of these calls was."""

    async def disposition(self, call_id: str) -> Disposed | None: ...
    async def calls_rung_at(self, phone: str, since: datetime, until: datetime) -> list[Call]: ...
    async def kept(self, kind: type[Thing], *, include_retired: bool = False) -> list[Thing]: ...
    async def one(self, kind: type[Thing], thing_id: int) -> Thing | None: ...
    async def assignments(self, first: date, last: date) -> list[Assignment]: ...
    async def absences(self, since: datetime, until: datetime) -> list[Absence]: ...
    async def swaps(self, first: date, last: date) -> list[Swap]: ...
    async def blocks(self, at: datetime) -> list[Block]:
        """Those in force then, oldest first."""

    async def members(self) -> list[Member]: ...
    async def presences(self) -> dict[int, Presence]: ...
    async def standing_alarms(self) -> list[Alarm]: ...
    async def callback(self, callback_id: int) -> Callback | None: ...
    async def open_callbacks(self, numbers: Collection[str]) -> list[Callback]: ...
    async def flock(self, flock: Flock, at_most: int) -> tuple[int, list[Callback]]:
        """How many tasks are of it, and so many of them, the oldest first."""

    async def dialling_callbacks(self) -> list[Callback]: ...
    async def called_for(self, at_most: int) -> Mapping[str, int] | None: ...
    async def overdue_callbacks(self, at: datetime) -> tuple[int, datetime | None]: ...
    async def recording(self, recording_id: str) -> Recording | None: ...
    async def recordings(self, ids: Collection[str]) -> dict[str, Recording]: ...
    async def running_recordings(self) -> list[Recording]:
        """Those whose sound is being written, oldest first."""

    async def audit_head(self) -> tuple[int, str]: ...


@dataclass(frozen=True, slots=True)
class Person:
    """What one person left in the centre, by the number: ids of calls, oldest first; `held` are those that a legal hold
    keeps, with its reason; `dispositions` counts what was said of the calls."""

    calls: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)
    callbacks: tuple[Callback, ...] = ()
    held_callbacks: frozenset[int] = frozenset()
    """Those one of whose tries a hold keeps."""
    dispositions: int = 0
    blocks: tuple[int, ...] = ()
    """Those that are over."""
    is_blocked: bool = False
    """Whether one is in force."""
    is_flooding: bool = False
    """Whether an alarm stands that the number calls too often."""

    @property
    def free_calls(self) -> tuple[str, ...]:
        """Those that may be made nobody's."""
        return tuple(each for each in self.calls if each not in self.held and each not in self.running)

    @property
    def free_callbacks(self) -> tuple[Callback, ...]:
        """Those that are over, and in which no call is held."""
        return tuple(task for task in self.callbacks if not task.is_open and task.id not in self.held_callbacks)

    @property
    def open_callbacks(self) -> tuple[int, ...]:
        return tuple(task.id for task in self.callbacks if task.is_open)


class Custody(Protocol):
    """What destroying and erasing need of the store. Each call has a time limit and may raise StoreAway; all of them
    can be asked again after a crash."""

    async def lasting(self, until: datetime, after: tuple[datetime, str] | None, limit: int) -> list[Lasting]:
        """At most `limit` recordings that began before `until`, are over and not destroyed, by their beginning and id:
        those after that one."""

    async def lasting_of(self, ids: Sequence[str]) -> list[tuple[Lasting, Recording]]:
        """Those of these recordings that are over and not destroyed, as they are now; none of them older than what the
        ledger had told before its call."""

    async def begun(self) -> list[tuple[Lasting, Recording]]:
        """Those whose destruction was begun and did not end."""

    async def recordings_of(self, call_ids: Collection[str], callback_ids: Collection[int] = ()) -> list[Recording]:
        """The recordings of those calls, and of all calls back of those tasks, destroyed ones too."""

    async def trusted(self) -> Trusted | None:
        """When the clock was believed last, before the first time the end of the newest recording; None where there is
        neither."""

    async def trust(self, trusted: Trusted) -> None: ...

    async def person(self, names: Sequence[str], until: datetime) -> Person:
        """What was left by then under any of these numbers or pseudonyms."""

    async def erase(self, person: Person, redaction: Redaction, pseudonym: str) -> None:
        """Puts the pseudonym in the place of the number in all that is free of the person's, and empties what else is
        personal, in the events of the calls too."""

    async def redact(
        self, numbers: Sequence[str], person: Person, redaction: Redaction, *, after: int, until: datetime
    ) -> int | None:
        """Takes the numbers out of the next events of the ledger after that one, as far as they happened by then and
        are about nothing that is held. Returns after which event to go on; None at the end."""

    async def redact_alarms(self, numbers: Sequence[str], redaction: Redaction) -> None:
        """Takes the numbers out of the alarms that are over."""

    async def redact_set_aside(self, numbers: Sequence[str], redaction: Redaction) -> None:
        """Takes the numbers out of the records that could not be used."""

    async def scrub(self) -> None:
        """Has the database let go of what it wrote over, as far as it does so when asked."""


class PastReads(Protocol):
    """What the advice needs of the history. May raise StoreAway."""

    async def past(self, arrival: Arrival, since: datetime, windows: frozenset[tuple[int, bool]]) -> Past:
        """What is known of the caller and of all calls now: the number's calls since then, and the counts of different
        numbers that `windows` names (advice_rules.windows). Of a withheld number only the counts."""


@dataclass(frozen=True, slots=True)
class RecordingCounts:
    """How many recordings are over and wait to be sealed, how many of these could not be sealed when it was tried, and
    how many were found to be lost since a time. `oldest_at` is when the first of those that wait was over; None where
    none waits. `running` are those whose sound is being written."""

    waiting: int = 0
    failing: int = 0
    lost: int = 0
    oldest_at: datetime | None = None
    running: int = 0


@dataclass(frozen=True, slots=True)
class Moving:
    """How the moving of sealed sound to its bucket, or back, stands."""

    waiting: int = 0
    problem: str = ""
    """Why some of it was not moved; empty where all is well."""


@dataclass(frozen=True, slots=True)
class BlindTotal:
    """All times in which the gateway was blind for one reason: how many, how long, and the calls that went on in
    them."""

    why: Why
    times: int
    seconds: float
    calls: int


class SightReads(Protocol):
    """What is stored of the gateway's sight. Each call may raise StoreAway."""

    async def seen_at(self) -> datetime | None:
        """Until when a gateway is known to have seen what happens; None before the first."""

    async def stored_at(self) -> datetime | None:
        """The same, by its own word alone: what the ledger tells may have been read afterwards."""

    async def last(self) -> BlindTime | None:
        """The last time in which it was blind; None before the first."""

    async def totals(self) -> list[BlindTotal]: ...

    async def calls_in(self, since: datetime, until: datetime) -> tuple[int, int]:
        """How many calls went on in that time, and how many of them arrived in it; the probe's are left out."""


class EvidenceReads(Protocol):
    """What the service that keeps recordings as evidence needs of the store. Each call may raise StoreAway."""

    async def unchecked(self, at_most: int) -> list[Recording]:
        """Those that are over and whose sound nobody has looked at since, oldest first."""

    async def sealable(self, now: datetime, at_most: int) -> list[Recording]:
        """Those that are over, were looked at and may be tried now, oldest first."""

    async def counts(self, lost_since: datetime) -> RecordingCounts: ...

    async def verified_at(self) -> datetime | None:
        """Which night's look at the vault was told last, by its end; None before the first."""

    async def of_day(self, day: date, after: str, at_most: int) -> list[Recording]:
        """Those whose file lies in that day's folder (UTC) and whose id comes after that one, by id; without the
        destroyed ones, of which nothing is there."""

    async def unfollowed(self, day: date, at_most: int) -> list[Call]:
        """Calls that are over, arrived on that day (UTC), and whose recording or last message is not known as a
        recording."""

    async def call(self, call_id: str) -> Call | None: ...
    async def first_day(self) -> date | None:
        """The day (UTC) of the oldest call or recording; None before the first."""


@dataclass(frozen=True, slots=True)
class Listened:
    """A file of raw sound that is to be listened to, in its last `heard_s` seconds."""

    file: str
    channels: int
    heard_s: float


class RawSounds(Protocol):
    """The raw sounds that Asterisk writes, as the services look at them: they never change one. Files are relative to
    the recordings' folder. Each call has a time limit and raises OSError where the disk does not answer."""

    async def sizes(self, files: Sequence[str]) -> Mapping[str, int | None]:
        """How many bytes each of them has; None where the disk lets nobody see that one. Those that are not there are
        left out."""

    async def sounds(self, wanted: Sequence[Listened]) -> list[Sound]:
        """Of each, how long it is, and which side is heard in its end. The time limit grows with their number."""

    async def days(self) -> list[date]:
        """The days (UTC) that have a folder."""

    async def free_bytes(self) -> int:
        """The space that is left."""


class Switchboard(Protocol):
    """What the services need of Asterisk. Each call has a time limit and may raise SwitchboardAway."""

    async def holding(self) -> Held:
        """What Asterisk has now."""

    async def carry_out(self, commands: Sequence[Command]) -> Mapping[str, str]:
        """Carries the commands out in their order. Returns what Asterisk refused, in its own words, by the command's
        subject; empty when Asterisk said of each that it is done."""

    async def live_calls(self) -> set[str]:
        """The ids of the calls, and of the centre's own dials, that are in Asterisk now."""

    async def tell(self, phone: str, text: str) -> None:
        """Shows the text on the phone. Raises Refused where it does not take texts."""

    async def ask_for_key(self, call_id: str, by: str) -> None:
        """Has the caller of that call hear, while he talks: if you cannot speak, press any key. `by` is who asks, as
        the journal is to tell it. Raises Refused."""

    async def ring(self, ring: "Ring") -> None:
        """Begins to ring somebody; what comes of it is told by the journal. Raises Refused."""

    async def dial(self, dialling: "Dialling") -> None:
        """Begins to ring the operator, who is then joined with the caller; what comes of it is told by the journal.
        Raises Refused."""


class VaultAway(Exception):
    """The vault's worker does not answer; nothing is known to be done. It is asked again."""


class VaultDown(VaultAway):
    """The vault's worker does not run: it was asked nothing, and no recording is the reason."""


class VaultHindered(VaultAway):
    """The vault answers, and may not touch that one file or folder on the disk; what became of it nobody knows. Others
    go on."""


class Unsealable(Exception):
    """The sound cannot be sealed; the message says why in plain words, and the source is where it was. `is_lost` says
    that there is nothing that could ever be sealed, `is_sealed` that it is, and only what lies beside it is wrong."""

    def __init__(self, reason: str, *, is_lost: bool = False, is_sealed: bool = False) -> None:
        super().__init__(reason)
        self.is_lost = is_lost
        self.is_sealed = is_sealed


@dataclass(frozen=True, slots=True)
class Sealed:
    """What sealing a recording came to."""

    seal: Seal
    sound_s: float
    left_dbfs: float | None
    right_dbfs: float | None
    faults: tuple[str, ...] = ()
    """What was wrong with its sound when it was sealed."""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What destroying a recording came to."""

    certificate: str
    """Its name, relative to the recordings' folder."""
    rule: str
    """The one that the certificate names: of sound that was gone already, that of before."""


@dataclass(frozen=True, slots=True)
class LyingFile:
    """A file of sound that lies in the recordings' folder. One that `is_sealed` is the stored sound of a manifest that
    is there."""

    id: str
    file: str
    bytes: int
    changed_at: datetime
    is_sealed: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Of a day's recordings, in order of their ids, those after `after` and up to `until`; None is up to the last.
    Nobody knows how many callers a day had: part by part it fits into memory."""

    after: str = ""
    until: str | None = None

    def holds(self, recording_id: str) -> bool:
        return self.after < recording_id and (self.until is None or recording_id <= self.until)


ALL = Part()


class Fate(StrEnum):
    """What became of stored sound."""

    THERE = "there"
    DESTROYED = "destroyed"
    """Its destruction stands in its day's chain."""
    GONE = "gone"
    UNSEEN = "unseen"
    """Nobody knows: its place does not answer."""


class Vault(Protocol):
    """What the services need of the vault's worker: a process of its own, of low priority, which alone writes there.
    Each call has a time limit and may raise VaultAway. All of them can be asked again after a crash: what was done
    already is found, and not done twice."""

    async def seal(self, recording: Recording) -> Sealed:
        """Turns the raw sound of a recording that is over to what is stored, reads it back, writes the manifest and
        adds it to its day's chain. The raw sound stays. Raises Unsealable."""

    async def discard_raw(self, recordings: Sequence[Recording]) -> Mapping[str, Unsealable]:
        """Deletes the raw sound of sealed recordings, each once its stored sound agrees with the seal, or the file of
        one that is empty or lost, if it has not one byte. Where that is not so nothing of it is deleted: returns why,
        by the recording's id."""

    async def destroy(self, recording: Recording, rule: str, at: datetime) -> Destroyed:
        """Destroys the sound of a sealed recording, its raw sound and its waveform; writes a certificate (what, when,
        under which rule) into the chain of that day. Raises Unsealable."""

    async def fate(self, recording: Recording) -> Fate:
        """What became of the stored sound of one that was sealed. Raises Unsealable, which says why, where nothing is
        there, and something tells that it was destroyed which cannot be believed."""

    async def files(
        self, since: datetime, until: datetime, part: Part = ALL, *, are_seen: bool = False
    ) -> list[LyingFile]:
        """The files of sound, raw and sealed, of that part of the folders of those days (UTC). Raises Unsealable where
        one of them cannot be read: then nobody knows what lies there. What lies in a bucket that cannot be listed is
        taken to be there as its manifests say; `are_seen` raises VaultAway then, for whoever goes by what is not
        there."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A call of the centre's own to one of its people."""

    id: str
    """Names the call, and stands in what the journal tells of it."""
    step: str
    """What is asked: `on-call` (come in?) or `lone` (all right?)."""
    about: str
    """Whom it is about, as the journal is to tell it."""
    phone: str
    """The phone, or the number where `trunk` says over which line."""
    trunk: str | None
    ring_s: int


@dataclass(frozen=True, slots=True)
class Dialling:
    """A call back: to the operator's phone first, then to the number over that trunk."""

    id: str
    """Names the call, and stands in what the journal tells of it."""
    phone: str
    number: str
    trunk: str
    recording: str
    """The file that its sound goes to, relative to the recordings' folder."""


def sip_digest(phone: str, secret: str, algorithm: Literal["md5", "sha256"] = "md5") -> str:
    """What Asterisk needs in order to check a phone's password: HA1 of RFC 7616, 3.4.2, in hexadecimal."""
    return hashlib.new(algorithm, f"{phone}:{SIP_REALM}:{secret}".encode(), usedforsecurity=False).hexdigest()
