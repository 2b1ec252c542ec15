"""What Asterisk should hold, what it holds, and the commands that make the one of the other.

Counterpart: `gateway/asterisk/switchboard.py` says what Asterisk holds and carries the commands out; `books.py` works
out what it should hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.domain.bans import is_among
from gateway.domain.encryption import SoundEncryption
from gateway.domain.queues import Queue
from gateway.domain.trunks import Trunk

PROBE_PHONE = "9112"
"""The probe's own phone."""
PROBE_QUEUE = "probe"
"""The probe's own queue, so that a test call never rings an operator."""

BLOCK = "block"
"""What the path of a note begins with whose end is a caller's number."""

BANS = "bans"
"""What all bans together are called where Asterisk refuses them."""

SHIFT_OVER = "shift over"
"""Why a phone is paused that leaves its queue as soon as its call has ended."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone as Asterisk holds it."""

    number: str
    digest: str
    contact: str | None = None
    sound_encryption: SoundEncryption = SoundEncryption.NONE
    digest_sha256: str = ""
    """Empty: it is asked for MD5 alone."""
    is_shut: bool = False
    """Whether it may not register. One with a fixed contact never may."""


@dataclass(frozen=True, slots=True)
class Member:
    """A phone's place in a queue. Lower penalties are rung first; one that is paused is not rung."""

    queue: str
    phone: str
    penalty: int = 0
    pause: str | None = None
    """The reason of the pause; None for a phone that is to be rung."""

    @property
    def key(self) -> tuple[str, str]:
        return self.queue, self.phone


@dataclass(frozen=True, slots=True)
class Holding:
    """As it should be, or as Asterisk has it: phones by number, trunks and queues by name, members by queue and phone,
    and notes, which the dialplan reads at call time, by their path."""

    phones: Mapping[str, Phone] = field(default_factory=dict)
    members: Mapping[tuple[str, str], Member] = field(default_factory=dict)
    trunks: Mapping[str, Trunk] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    banned: frozenset[str] = frozenset()
    """Addresses that the SIP door does not let in."""
    never_banned: tuple[str, ...] = ()
    """Addresses and networks that it lets in whatever stands on the list."""
    offers_sha256: bool = False
    """Whether phones may give their passwords by SHA-256."""


@dataclass(frozen=True, slots=True)
class Held(Holding):
    """What Asterisk has, and what must not be disturbed now."""

    busy: frozenset[str] = frozenset()
    """Phones that ring or talk."""
    occupied: frozenset[str] = frozenset()
    """Queues with callers in them."""
    registered: frozenset[str] = frozenset()
    """Addresses at which phones are registered."""
    astray: frozenset[str] = frozenset()
    """Phones that were just found registered where a call to them would leave the centre; Asterisk has forgotten
    that."""


@dataclass(frozen=True, slots=True)
class PutPhone:
    """Make this phone known, or change it to be so."""

    phone: Phone
    is_new: bool

    @property
    def subject(self) -> str:
        return self.phone.number


@dataclass(frozen=True, slots=True)
class RemovePhone:
    number: str

    @property
    def subject(self) -> str:
        return self.number


@dataclass(frozen=True, slots=True)
class PutTrunk:
    """Let this carrier in, or change how."""

    trunk: Trunk
    is_new: bool

    @property
    def subject(self) -> str:
        return self.trunk.name


@dataclass(frozen=True, slots=True)
class RemoveTrunk:
    name: str

    @property
    def subject(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class PutQueue:
    """Make this queue, or change how it works."""

    queue: Queue
    is_new: bool

    @property
    def subject(self) -> str:
        return self.queue.name


@dataclass(frozen=True, slots=True)
class RemoveQueue:
    name: str

    @property
    def subject(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class AddMember:
    member: Member

    @property
    def subject(self) -> str:
        return "/".join(self.member.key)


@dataclass(frozen=True, slots=True)
class RemoveMember:
    queue: str
    phone: str

    @property
    def subject(self) -> str:
        return f"{self.queue}/{self.phone}"


@dataclass(frozen=True, slots=True)
class SetPenalty:
    member: Member

    @property
    def subject(self) -> str:
        return "/".join(self.member.key)


@dataclass(frozen=True, slots=True)
class SetPause:
    """Pause the member for its reason, or, without one, let it be rung again."""

    member: Member

    @property
    def subject(self) -> str:
        return "/".join(self.member.key)


@dataclass(frozen=True, slots=True)
class PutNote:
    path: str
    text: str

    @property
    def subject(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class RemoveNote:
    path: str

    @property
    def subject(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class ChangeBans:
    """From now on keep these addresses out, and let those in."""

    come: tuple[str, ...]
    go: tuple[str, ...]

    @property
    def subject(self) -> str:
        return BANS


# a command's subject names whom it is about: a phone's number, a trunk's or queue's name, queue/phone, or a note's path
Command = (
    PutPhone
    | RemovePhone
    | PutTrunk
    | RemoveTrunk
    | PutQueue
    | RemoveQueue
    | AddMember
    | RemoveMember
    | SetPenalty
    | SetPause
    | PutNote
    | RemoveNote
    | ChangeBans
)


def about(subject: str) -> str:
    """A command's subject as logs and the open page of health name it: without a caller's number."""
    return BLOCK if subject.startswith(f"{BLOCK}/") else subject


def difference(want: Holding, held: Held) -> list[Command]:
    """The commands that turn `held` into `want`, in an order that can be carried out: a member leaves before its phone
    and its queue do, and both are there before the phone becomes a member. Nothing to do is an empty list.

    Nobody is disturbed: a phone that rings or talks is only paused where it should leave, and a queue with callers
    stays; both go at a later look, when the call has ended.
    """
    return [*_leaving(want, held), *_staying(want, held), *_notes(want, held), *_bans(want, held)]


def _leaving(want: Holding, held: Held) -> list[Command]:
    commands: list[Command] = []
    kept_phones, kept_queues = set(held.busy), set(held.occupied)
    for key in sorted(held.members.keys() - want.members.keys()):
        member = held.members[key]
        if member.phone in held.busy:
            kept_queues.add(member.queue)
            if member.pause is None:
                commands.append(SetPause(Member(member.queue, member.phone, member.penalty, SHIFT_OVER)))
        else:
            commands.append(RemoveMember(*key))
    commands += [RemovePhone(number) for number in sorted(held.phones.keys() - want.phones.keys() - kept_phones)]
    commands += [RemoveQueue(name) for name in sorted(held.queues.keys() - want.queues.keys() - kept_queues)]
    commands += [RemoveTrunk(name) for name in sorted(held.trunks.keys() - want.trunks.keys())]
    return commands


def _staying(want: Holding, held: Held) -> list[Command]:
    commands: list[Command] = []
    for name, trunk in sorted(want.trunks.items()):
        if held.trunks.get(name) != trunk:
            commands.append(PutTrunk(trunk, is_new=name not in held.trunks))
    for name, queue in sorted(want.queues.items()):
        if held.queues.get(name) != queue:
            commands.append(PutQueue(queue, is_new=name not in held.queues))
    for number, phone in sorted(want.phones.items()):
        if held.phones.get(number) != phone:
            commands.append(PutPhone(phone, is_new=number not in held.phones))
    for key, member in sorted(want.members.items()):
        there = held.members.get(key)
        if there is None:
            commands.append(AddMember(member))
            continue
        if there.penalty != member.penalty:
            commands.append(SetPenalty(member))
        if there.pause != member.pause:
            commands.append(SetPause(member))
    return commands


def _notes(want: Holding, held: Held) -> list[Command]:
    return [
        *(RemoveNote(path) for path in sorted(held.notes.keys() - want.notes.keys())),
        *(PutNote(path, text) for path, text in sorted(want.notes.items()) if held.notes.get(path) != text),
    ]


def _bans(want: Holding, held: Held) -> list[Command]:
    """Whoever has a phone registered at an address is not kept out of it, and neither are a trunk and a phone with a
    fixed one."""
    open_to = [*want.never_banned, *held.registered]
    keep_out = {address for address in want.banned if not is_among(address, open_to)}
    come, go = sorted(keep_out - held.banned), sorted(held.banned - keep_out)
    return [ChangeBans(tuple(come), tuple(go))] if come or go else []
