"""Operators, their phones and their places in queues: what Asterisk should hold, and what must be done so that it does.

Counterpart: `gateway/asterisk/switchboard.py` says what Asterisk holds and carries the commands out.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

PHONE_PATTERN = r"^[0-9]{3,6}$"
"""A phone's number is digits only; a trunk's name holds a letter, so that the two never meet."""


class BadContact(ValueError):
    """A contact is a SIP address with a host, such as sip:1001@127.0.0.21:5070."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A person who answers. A retired operator keeps name and history, and has no phone any more."""

    id: int
    name: str
    phone: str
    digest: str
    """MD5 of phone:realm:secret (RFC 2617's HA1): the secret itself is shown once and never stored."""
    contact: str | None
    """A fixed SIP address; None for a phone that registers."""
    created_at: datetime
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone as Asterisk holds it."""

    number: str
    digest: str
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A phone's place in a queue. Lower penalties are rung first."""

    queue: str
    phone: str
    penalty: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.queue, self.phone


@dataclass(frozen=True, slots=True)
class Holding:
    """Phones by number, and members by queue and phone: as they should be, or as Asterisk has them."""

    phones: Mapping[str, Phone] = field(default_factory=dict)
    members: Mapping[tuple[str, str], Member] = field(default_factory=dict)


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


# a command's subject names whom it is about: a phone's number, or queue/phone
Command = PutPhone | RemovePhone | AddMember | RemoveMember | SetPenalty


def wanted(operators: Iterable[Operator], members: Iterable[Member], standing: Holding) -> Holding:
    """What Asterisk should hold: each active operator's phone and places, and what always stands (`standing`)."""
    phones = {
        operator.phone: Phone(operator.phone, operator.digest, operator.contact)
        for operator in operators
        if operator.retired_at is None
    }
    places = {member.key: member for member in members if member.phone in phones}
    return Holding({**phones, **standing.phones}, {**places, **standing.members})


def difference(want: Holding, held: Holding) -> list[Command]:
    """The commands that turn `held` into `want`, in an order that can be carried out: a member leaves before its
    phone does, and a phone is there before it becomes a member. Nothing to do is an empty list."""
    commands: list[Command] = []
    for key in sorted(held.members.keys() - want.members.keys()):
        commands.append(RemoveMember(*key))
    for number in sorted(held.phones.keys() - want.phones.keys()):
        commands.append(RemovePhone(number))
    for number, phone in sorted(want.phones.items()):
        if held.phones.get(number) != phone:
            commands.append(PutPhone(phone, is_new=number not in held.phones))
    for key, member in sorted(want.members.items()):
        there = held.members.get(key)
        if there is None:
            commands.append(AddMember(member))
        elif there.penalty != member.penalty:
            commands.append(SetPenalty(member))
    return commands


_CONTACT = re.compile(r"^sip:[0-9A-Za-z_.+-]{1,40}@(?P<host>[0-9A-Za-z.-]{1,253})(?::(?P<port>[0-9]{1,5}))?$")


def contact_host(contact: str) -> str:
    """The host of a fixed contact.

    Raises BadContact when it is not a plain SIP address (RFC 3261, 19.1.1; no parameters, no password).
    """
    found = _CONTACT.fullmatch(contact)
    if found is None or not 0 < int(found["port"] or 5060) < 65536:
        raise BadContact(BadContact.__doc__)
    return found["host"]
