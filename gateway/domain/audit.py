"""The audit log: who changed what, when and from where, each entry holding the hash of the one before.

Counterpart: the store numbers and chains entries inside the transaction that makes the change; the API serves them.
Whoever alters, removes or inserts an entry afterwards breaks the chain at that place, and `first_break` names it.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.domain.events import Event
from gateway.domain.kept import Kept, as_json

GENESIS = "0" * 64
"""What stands for the hash before the first entry."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a person's token, a phone, or the centre itself; and the address that it came from."""

    name: str
    role: str
    address: str = ""


CENTRE = Actor("centre", "centre")
"""The gateway itself, where a rule and not a person acts."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One change that is about to be stored: it becomes an entry of the log and an event of the ledger. `before` is
    None for what is new."""

    at: datetime
    actor: Actor
    action: str
    """`subject.past_tense`, as its event is called."""
    before: Kept | None = None
    after: Kept | None = None
    subject: str = ""
    """What it is about, where that is no kept thing."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What its event tells, where it is about no kept thing."""
    note: str = ""
    call_id: str | None = None
    """The call that its event is about."""
    was: Mapping[str, Any] | None = None
    became: Mapping[str, Any] | None = None
    """What the log keeps as `before` and `after`, where it is about no kept thing."""

    @property
    def event(self) -> Event:
        """The event that tells of it."""
        about = self.after or self.before
        told = as_json(about) if about else self.data
        return Event(self.action, self.at, self.call_id, {**told, "by": self.actor.name})


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored entry. `before` and `after` are JSON as it was written, or empty."""

    seq: int
    at: datetime
    actor: str
    role: str
    address: str
    action: str
    subject: str
    before: str
    after: str
    note: str
    previous: str
    hash: str

    @property
    def true_hash(self) -> str:
        """What `hash` must be."""
        told = [
            self.seq,
            self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            *(self.actor, self.role, self.address, self.action, self.subject),
            *(self.before, self.after, self.note, self.previous),
        ]
        return hashlib.sha256(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def entry(
    seq: int, previous: str, deed: Deed, clean: Callable[[str], str] = str, clean_key: Callable[[str], str] = str
) -> Entry:
    """The deed as the entry that follows the one with the hash `previous`. `clean` makes text as the store keeps it,
    `clean_key` what it looks entries up by: who, what, about what."""
    about = deed.after or deed.before
    bare = Entry(
        seq=seq,
        at=deed.at,
        actor=clean_key(deed.actor.name),
        role=clean(deed.actor.role),
        address=clean(deed.actor.address),
        action=clean_key(deed.action),
        subject=clean_key(f"{about.KIND}/{about.id}" if about else deed.subject),
        before=clean(_text(deed.before, deed.was)),
        after=clean(_text(deed.after, deed.became)),
        note=clean(deed.note),
        previous=previous,
        hash="",
    )
    return _sealed(bare)


def first_break(entries: Iterable[Entry], previous: str = GENESIS, seq: int = 0) -> int | None:
    """The number of the first entry that does not follow from the one before it (`previous`, numbered `seq`); None
    where the chain is whole."""
    for each in entries:
        if each.seq != seq + 1 or each.previous != previous or each.hash != each.true_hash:
            return each.seq
        seq, previous = each.seq, each.hash
    return None


def _sealed(bare: Entry) -> Entry:
    values: dict[str, Any] = {name: getattr(bare, name) for name in Entry.__dataclass_fields__}
    return Entry(**values | {"hash": bare.true_hash})


def _text(thing: Kept | None, values: Mapping[str, Any] | None) -> str:
    told = values if thing is None else as_json(thing)
    return "" if told is None else json.dumps(told, ensure_ascii=False, separators=(",", ":"))
