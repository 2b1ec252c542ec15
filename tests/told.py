"""The services on a real store, with a switchboard and lines that are only told, and a clock that the test sets.

Counterpart: `gateway/house.py`, which joins the same services with a real Asterisk. What Asterisk itself does is
shown in `tests/calls/` alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.blindness import Blindness
from gateway.bookkeeper import Bookkeeper
from gateway.callbacks import Callbacks
from gateway.centre import Centre
from gateway.destroying import Destroying
from gateway.domain.alarms import Alarm
from gateway.domain.duty import Told
from gateway.domain.evidence import Sound, Verification
from gateway.domain.holding import (
    AddMember,
    ChangeBans,
    Command,
    Held,
    Holding,
    PutNote,
    PutPhone,
    PutQueue,
    PutTrunk,
    RemoveMember,
    RemoveNote,
    RemovePhone,
    RemoveQueue,
    RemoveTrunk,
    SetPause,
    SetPenalty,
)
from gateway.domain.places import Place
from gateway.domain.recordings import Recording, Seal, State, recording_id
from gateway.domain.retention import Uptime
from gateway.domain.sight import Why
from gateway.domain.strays import Strays
from gateway.erasing import Erasing
from gateway.evidence import Evidence
from gateway.feed import Feed
from gateway.flow import Flow
from gateway.level import Level
from gateway.listening import Listening
from gateway.notices import IN_VAIN, Notices
from gateway.office import Office
from gateway.on_call import OnCallList
from gateway.past import Past
from gateway.ports import (
    ALL,
    Destroyed,
    Dialling,
    Fate,
    Listened,
    LyingFile,
    Moving,
    Part,
    Refused,
    Ring,
    Sealed,
    SwitchboardAway,
    Unsealable,
    VaultAway,
    VaultDown,
)
from gateway.recovery import Recovery
from gateway.saving import Saving
from gateway.store.custody import StoredCustody
from gateway.store.evidence_reads import StoredEvidence
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from gateway.store.sight_reads import StoredSight
from gateway.watch import Watch
from tests.vaults import OwnVault

JAKARTA = ZoneInfo("Asia/Jakarta")


class ToldSwitchboard:
    """Holds what it is told. `refuses` names subjects that it does not take; `is_away` makes it silent."""

    def __init__(self) -> None:
        self.held = Held()
        self.refuses: dict[str, str] = {}
        self.is_away = False
        self.live: set[str] = set()
        self.rings: list[Ring] = []
        self.diallings: list[Dialling] = []
        self.texts: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str]] = []
        self.commands: list[Command] = []

    async def holding(self) -> Held:
        self._answer()
        return self.held

    async def carry_out(self, commands: Sequence[Command]) -> Mapping[str, str]:
        self._answer()
        refused: dict[str, str] = {}
        for command in commands:
            self.commands.append(command)
            about = command.subject
            if about in self.refuses:
                refused[about] = self.refuses[about]
            else:
                self.held = carried_out(self.held, command)
        return refused

    async def live_calls(self) -> set[str]:
        self._answer()
        return set(self.live)

    async def tell(self, phone: str, text: str) -> None:
        self._answer()
        self.texts.append((phone, text))

    async def ask_for_key(self, call_id: str, by: str) -> None:
        self._answer()
        self.asked.append((call_id, by))

    async def ring(self, ring: Ring) -> None:
        self._answer()
        if ring.phone in self.refuses:
            raise Refused(self.refuses[ring.phone])
        self.rings.append(ring)

    async def dial(self, dialling: Dialling) -> None:
        self._answer()
        if dialling.phone in self.refuses:
            raise Refused(self.refuses[dialling.phone])
        self.diallings.append(dialling)

    def _answer(self) -> None:
        if self.is_away:
            raise SwitchboardAway("nobody listens")


def carried_out(held: Held, command: Command) -> Held:
    """What is held once the command is carried out; raises KeyError where it cannot be."""
    phones, members, trunks = dict(held.phones), dict(held.members), dict(held.trunks)
    queues, notes = dict(held.queues), dict(held.notes)
    match command:
        case PutPhone(phone=phone):
            phones[phone.number] = phone
        case RemovePhone(number=number):
            del phones[number]
        case PutTrunk(trunk=trunk):
            trunks[trunk.name] = trunk
        case RemoveTrunk(name=name):
            del trunks[name]
        case PutQueue(queue=queue):
            queues[queue.name] = queue
        case RemoveQueue(name=name):
            del queues[name]
        case AddMember(member=member):
            members[member.key] = member
        case SetPenalty(member=member):
            members[member.key] = replace(members[member.key], penalty=member.penalty)
        case SetPause(member=member):
            members[member.key] = replace(members[member.key], pause=member.pause)
        case RemoveMember(queue=queue_name, phone=number):
            del members[(queue_name, number)]
        case PutNote(path=path, text=text):
            notes[path] = text
        case RemoveNote(path=path):
            del notes[path]
        case ChangeBans(come=come, go=go):
            assert not held.banned & set(come)
            assert held.banned >= set(go)
            return replace(held, banned=held.banned - set(go) | set(come))
    return replace(held, phones=phones, members=members, trunks=trunks, queues=queues, notes=notes)


class ToldLine:
    """A live board of the test's own."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.trunks_up: dict[str, bool] = {}
        self.trunks_registered: dict[str, bool] = {}
        self.changes = 0

    def stand(self, phone: str, line: str, queue: str = "emergency", **fields: object) -> None:
        """Has the phone's line stand so."""
        self.places = [place for place in self.places if (place.queue, place.phone) != (queue, phone)]
        self.places.append(Place(queue, phone, line, **fields))  # type: ignore[arg-type]
        self.changes += 1

    def leave(self, phone: str) -> None:
        """Takes the phone out of every queue."""
        self.places = [place for place in self.places if place.phone != phone]
        self.changes += 1

    @property
    def phone_states(self) -> dict[str, str]:
        return {place.phone: place.state for place in self.places}

    @property
    def busy_phones(self) -> frozenset[str]:
        return frozenset(place.phone for place in self.places if place.line in ("ringing", "talking"))

    def phones_there(self, queue: str | None = None) -> frozenset[str]:
        return frozenset(place.phone for place in self.places if place.is_there and queue in (None, place.queue))


@dataclass
class ToldSounds:
    """A disk that holds what the test says: sizes in bytes, by file."""

    files: dict[str, int] = field(default_factory=dict)
    silent: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    """Of some files, which side is heard."""
    free: int = 10**12
    is_gone: bool = False

    def write(self, file: str, seconds: float) -> None:
        self.files[file] = round(seconds * 8000) * (2 if file.endswith(".sln") else 4)

    async def sizes(self, files: Sequence[str]) -> Mapping[str, int]:
        self._answer()
        return {file: self.files[file] for file in files if file in self.files}

    async def sounds(self, wanted: Sequence[Listened]) -> list[Sound]:
        self._answer()
        return [self._sound(each.file, each.channels) for each in wanted]

    def _sound(self, file: str, channels: int) -> Sound:
        if file not in self.files:
            return Sound(None)
        return Sound(self.files[file] / 16000 / channels, *self.silent.get(file, (True, True)))

    async def days(self) -> list[date]:
        self._answer()
        return sorted({date(*(int(part) for part in file.split("/")[:3])) for file in self.files if "/" in file})

    async def free_bytes(self) -> int:
        self._answer()
        return self.free

    def _answer(self) -> None:
        if self.is_gone:
            raise OSError("the disk does not answer")


@dataclass
class ToldVault:
    """A vault on that disk. `refuses` says of a recording why it cannot be sealed, and whether it is lost."""

    sounds: ToldSounds
    sealed: dict[str, Sealed] = field(default_factory=dict)
    refuses: dict[str, tuple[str, bool]] = field(default_factory=dict)
    is_away: bool = False
    is_down: bool = False
    keeps: set[str] = field(default_factory=set)
    """Of which it does not discard the raw sound."""
    others: set[str] = field(default_factory=set)
    """Of which the raw sound is not the one that was sealed."""
    gives_up: set[str] = field(default_factory=set)
    """At which recordings it dies."""
    problem: str | None = None
    destroyed: set[str] = field(default_factory=set)
    """Whose destruction stands in the chain."""
    doubtful: dict[str, str] = field(default_factory=dict)
    """Of whose destruction something tells that cannot be believed: why."""
    is_unseen: bool = False
    """Whether the place of stored sound does not answer."""
    unreadable: set[date] = field(default_factory=set)
    """Days whose folder cannot be read."""
    asked: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    """Which parts of a day were asked for."""
    changed_at: datetime = datetime(2026, 8, 16, tzinfo=UTC)

    async def seal(self, recording: Recording) -> Sealed:
        self._answer()
        self.asked.append(recording.id)
        if recording.id in self.gives_up:
            raise VaultAway("the worker ended")
        if recording.id in self.refuses:
            reason, is_lost = self.refuses[recording.id]
            raise Unsealable(reason, is_lost=is_lost)
        if recording.id not in self.sealed:
            size = self.sounds.files.get(recording.file, 0)
            if not size:
                raise Unsealable("there is no raw sound", is_lost=True)
            stored = recording.file.rpartition(".")[0] + ".ogg"
            seal = Seal(recording.ended_at or self.changed_at, stored, size // 10, "aa", "bb", "cc", 1)
            self.sealed[recording.id] = Sealed(seal, size / 16000 / recording.channels, -20.0, -21.0)
        return self.sealed[recording.id]

    async def discard_raw(self, recordings: Sequence[Recording]) -> Mapping[str, Unsealable]:
        self._answer()
        refused = {}
        for each in recordings:
            if each.id in self.others:
                refused[each.id] = Unsealable("its raw sound is another one", is_sealed=True)
            elif each.id in self.keeps or (each.state is State.SEALED and each.id not in self.sealed):
                refused[each.id] = Unsealable("the stored sound is gone")
            else:
                self.sounds.files.pop(each.file, None)
        return refused

    async def destroy(self, recording: Recording, rule: str, at: datetime) -> Destroyed:
        raise NotImplementedError

    async def fate(self, recording: Recording) -> Fate:
        self._answer()
        if self.is_unseen:
            return Fate.UNSEEN
        if recording.id in self.doubtful:
            raise Unsealable(self.doubtful[recording.id])
        if recording.id in self.destroyed:
            return Fate.DESTROYED
        return Fate.THERE if recording.id in self.sealed else Fate.GONE

    async def files(
        self, since: datetime, until: datetime, part: Part = ALL, *, are_seen: bool = False
    ) -> list[LyingFile]:
        self._answer()
        self.parts.append(part)
        if since.date() in self.unreadable:
            raise Unsealable(f"the folder {since:%Y/%m/%d} cannot be read")
        raw = [(file, size, False) for file, size in self.sounds.files.items()]
        stored = [(each.seal.stored, each.seal.stored_bytes, True) for each in self.sealed.values()]
        return [
            LyingFile(recording_id(file), file, size, self.changed_at, is_sealed)
            for file, size, is_sealed in raw + stored
            if f"{since:%Y/%m/%d}" <= file[:10] <= f"{until:%Y/%m/%d}" and part.holds(recording_id(file))
        ]

    def _answer(self) -> None:
        if self.is_down:
            raise VaultDown("the worker does not run")
        if self.is_away:
            raise VaultAway("the worker does not answer")


class ToldJournal:
    """A journal with nothing in it."""

    knows_all = True

    async def catch_up(self) -> bool:
        return self.knows_all


@dataclass
class Clock:
    """The time that the test says it is; without any, the true one. `now_s` is the clock that never leaps, `boot` the
    start of the machine that it counts from."""

    at: datetime | None = None
    now_s: float = 0.0
    boot: str = "first"

    def __call__(self) -> datetime:
        return self.at or datetime.now(UTC)

    def seconds(self) -> float:
        return self.now_s

    def uptime(self) -> Uptime:
        return Uptime(self.boot, self.now_s)


@dataclass
class Services:
    """Everything between the store and the edges."""

    store: Repository
    clock: Clock = field(default_factory=Clock)
    zone: ZoneInfo = JAKARTA
    always: Holding = field(default_factory=Holding)
    feed: Feed = field(default_factory=Feed)
    switchboard: ToldSwitchboard = field(default_factory=ToldSwitchboard)
    line: ToldLine = field(default_factory=ToldLine)
    journal: ToldJournal = field(default_factory=ToldJournal)
    sounds: ToldSounds = field(default_factory=ToldSounds)
    told: list[Told] = field(default_factory=list)
    listens_since: datetime | None = None
    linked_since: datetime | None = None
    doomed: set[str] = field(default_factory=set)
    why_blind: tuple[Why, str] | None = None
    lost_s: float | None = None
    own_vault: OwnVault = field(default_factory=lambda: OwnVault(Path("/nonexistent")))

    def __post_init__(self) -> None:
        store, clock, switchboard = self.store, self.clock, self.switchboard
        self.saving = Saving(store, self.feed)
        self.strays = Strays()
        self.bookkeeper = Bookkeeper(store, zone=self.zone, default_queues=("emergency",), clock=clock)
        self.level = Level(
            switchboard=switchboard,
            bookkeeper=self.bookkeeper,
            saving=self.saving,
            journal=self.journal,
            always=self.always,
            strays=self.strays,
            clock=clock,
            clock_s=clock.seconds,
        )
        self.office = Office(
            store=store,
            saving=self.saving,
            bookkeeper=self.bookkeeper,
            level=self.level,
            always=self.always,
            music=("default", "tenang"),
            doomed=self.doomed,
            clock=clock,
        )
        self.on_call = OnCallList(
            saving=self.saving, switchboard=switchboard, office=self.office, clock=clock, clock_s=clock.seconds
        )
        self.callbacks = Callbacks(
            store=store,
            saving=self.saving,
            bookkeeper=self.bookkeeper,
            switchboard=switchboard,
            clock=clock,
            clock_s=clock.seconds,
            is_busy=lambda phone: phone in self.line.busy_phones,
        )
        self.custody = StoredCustody(store._engine)
        self.destroying = Destroying(
            custody=self.custody,
            saving=self.saving,
            bookkeeper=self.bookkeeper,
            vault=self.own_vault,
            doomed=self.doomed,
            clock=clock,
            uptime=clock.uptime,
        )
        self.vault = ToldVault(self.sounds)
        self.moving: Moving | None = None
        self.verification: Verification | None = None
        reads = StoredEvidence(store._engine)
        self.evidence = Evidence(
            store=store,
            reads=reads,
            saving=self.saving,
            vault=self.vault,
            vault_problem=lambda: self.vault.problem,
            sounds=self.sounds,
            running_calls=lambda: self.centre.running_calls.values(),
            is_seeing=lambda: not switchboard.is_away,
            is_hearing=lambda: not switchboard.is_away and self.journal.knows_all,
            low_bytes=2_000_000_000,
            moving=lambda: self.moving,
            verification=lambda: self.verification,
            clock=clock,
            clock_s=clock.seconds,
        )
        self.recovery = Recovery(
            store=store,
            reads=reads,
            saving=self.saving,
            vault=self.vault,
            sounds=self.sounds,
            evidence=self.evidence,
            running_calls=lambda: self.centre.running_calls.keys(),
            is_told=lambda: self.journal.knows_all,
            clock=clock,
        )
        self.blindness = Blindness(
            store=store,
            reads=StoredSight(store._engine),
            saving=self.saving,
            zone=self.zone,
            why_blind=lambda: self.why_blind,
            lost_s=lambda: self.lost_s,
            is_drained=lambda: self.journal.knows_all,
            running_calls=lambda: self.centre.running_calls,
            clock=clock,
            clock_s=clock.seconds,
        )
        self.erasing = Erasing(
            custody=self.custody,
            store=store,
            saving=self.saving,
            office=self.office,
            destroying=self.destroying,
            clock=clock,
        )
        self.receivers: list[Alarm] = []
        """The alarms of webhooks."""
        self.watch = Watch(
            store=store,
            saving=self.saving,
            bookkeeper=self.bookkeeper,
            callbacks=self.callbacks,
            switchboard=switchboard,
            line=self.line,
            on_call=self.on_call,
            flow=Flow(
                past=Past(Reads(store._engine).flow, self.zone),
                feed=self.feed,
                line=self.line,
                is_hearing=lambda: not switchboard.is_away and self.journal.knows_all,
            ),
            destroying=self.destroying,
            erasing=self.erasing,
            evidence=self.evidence,
            blindness=self.blindness,
            strays=self.strays,
            receivers=lambda standing, now: self.receivers,
            is_seeing=lambda: not switchboard.is_away,
            running_calls=lambda: self.centre.running_calls.values(),
            last_talks=lambda: self.centre.last_talks,
            clock_s=clock.seconds,
            own_phones=frozenset(self.always.phones),
        )
        self.centre = Centre(
            store=store,
            switchboard=switchboard,
            feed=self.feed,
            saving=self.saving,
            bookkeeper=self.bookkeeper,
            callbacks=self.callbacks,
            raw_sounds=self.sounds,
            clock=clock,
            on_duty_changed=self.told.extend,
            on_ring_told=self.watch.hear,
            on_code_in_vain=lambda phone: self.notices.show(phone, IN_VAIN),
            linked_since=lambda: self.linked_since,
        )
        self.notices = Notices(switchboard)
        self.listening = Listening(
            centre=self.centre,
            switchboard=switchboard,
            notices=self.notices,
            listens_since=lambda: self.listens_since,
            clock=clock,
            clock_s=clock.seconds,
        )

    async def set_up(self) -> None:
        """What a centre has from its first start."""
        await self.centre.resume()
        await self.office.set_up("emergency", "admin")
