"""The ports: what the services need of the store and of Asterisk, and what these may say back.

Counterparts: `gateway/store/` fulfils `Store`, `gateway/asterisk/` fulfils `Switchboard`; `app.py` joins them.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, TypeVar

from gateway.domain.advice_rules import Arrival, Past
from gateway.domain.alarms import Alarm
from gateway.domain.blocks import Block
from gateway.domain.call import Call
from gateway.domain.callbacks import Callback
from gateway.domain.change import Change, Position, SetAside
from gateway.domain.dispositions import Disposed
from gateway.domain.events import StoredEvent
from gateway.domain.facts import AnyFact
from gateway.domain.holding import Command, Held, Member
from gateway.domain.kept import Kept
from gateway.domain.presence import Presence
from gateway.domain.roster import Absence, Assignment, Swap

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

    async def newest_seq(self) -> int: ...
    async def open_calls(self) -> list[Call]: ...
    async def newest_arrival(self) -> datetime | None: ...
    async def has_call(self, call_id: str) -> bool: ...
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
    async def dialling_callbacks(self) -> list[Callback]: ...
    async def called_for(self, at_most: int) -> frozenset[str] | None: ...
    async def overdue_callbacks(self, at: datetime) -> tuple[int, datetime | None]: ...
    async def audit_head(self) -> tuple[int, str]: ...


class PastReads(Protocol):
    """What the advice needs of the history. May raise StoreAway."""

    async def past(self, arrival: Arrival, since: datetime, windows: frozenset[tuple[int, bool]]) -> Past:
        """What is known of the caller and of all calls now: the number's calls since then, and the counts of different
        numbers that `windows` names (advice_rules.windows). Of a withheld number only the counts."""


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


def sip_digest(phone: str, secret: str) -> str:
    """What Asterisk needs in order to check a phone's password: HA1 of RFC 2617, 3.2.2.2, in hexadecimal."""
    return hashlib.md5(f"{phone}:{SIP_REALM}:{secret}".encode(), usedforsecurity=False).hexdigest()
