"""Keeps Asterisk level with the books: what it should hold at this moment is compared with what it holds, and the
difference is carried out. Never an old command again: each look begins anew.

Counterparts: `domain/books.py` says what it should hold, `gateway/asterisk/switchboard.py` what it holds; `keeper.py`
says when to look.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from gateway.bookkeeper import Bookkeeper
from gateway.domain import duty
from gateway.domain.books import Books, wanted
from gateway.domain.change import Change
from gateway.domain.duty import Told
from gateway.domain.holding import (
    AddMember,
    Command,
    Held,
    Holding,
    PutPhone,
    RemoveMember,
    SetPause,
    SetPenalty,
    about,
    difference,
)
from gateway.domain.strays import Strays
from gateway.ports import Refused, StoreAway, Switchboard, SwitchboardAway
from gateway.saving import Saving

log = logging.getLogger(__name__)

APPLY_TIMEOUT_S = 5.0
"""How long a change that an admin makes may wait for Asterisk before the answer says: not yet applied."""


class JournalReader(Protocol):
    """What a look needs of the journal's reader."""

    async def catch_up(self) -> bool:
        """True once what Asterisk had written by now is stored; False after a moment where it cannot be."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Whether Asterisk holds what it should. `at` is the last full look; `problems` are Asterisk's own words, by what
    they are about: a phone's number, a trunk's or queue's name, or `queue/phone`."""

    at: datetime | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


class Level:
    """`always` is what Asterisk holds whatever the admins do (the probe's phone); `strays` are the phones that it holds
    shut; `clock` returns the time now, in UTC, `clock_s` seconds of a clock that only goes forward."""

    def __init__(
        self,
        *,
        switchboard: Switchboard,
        bookkeeper: Bookkeeper,
        saving: Saving,
        journal: JournalReader,
        always: Holding,
        strays: Strays,
        clock: Callable[[], datetime],
        clock_s: Callable[[], float],
    ) -> None:
        self._switchboard = switchboard
        self._bookkeeper = bookkeeper
        self._saving = saving
        self._journal = journal
        self._always = always
        self._strays = strays
        self._clock = clock
        self._clock_s = clock_s
        self._looking = asyncio.Lock()
        self.applied = Applied()
        self.is_behind = False
        """Whether the last look left the members alone, because the journal was not read to its end."""
        self.holds_until: datetime | None = None
        """When the roster next wants something else; None while nothing is known to come."""
        self._level_at: tuple[Books, datetime] | None = None
        """The books and the time of the last look at which all was known that operators had said."""
        self._brought: set[tuple[str, str]] = set()
        """The places that were given since then, by queue and phone."""

    async def look(self) -> None:
        """Compares what Asterisk should hold with what it holds, and carries out the difference.

        A command that Asterisk refuses is kept in `applied.problems`, and tried again at the next look. While it is not
        known what operators dialled, their places stay as they are, but whose shift begins has his.
        Raises SwitchboardAway or StoreAway.
        """
        async with self._looking:
            held = await self._held()
            # what operators dialled is done in Asterisk already: the books must know of it before they are held against
            # it
            knows_all = await self._journal.catch_up()
            at = self._clock()
            try:
                books = await self._bookkeeper.books()
            except StoreAway:
                await self._bring_newcomers(held, at)
                raise
            if not knows_all:
                await self._bring_newcomers(held, at)
            want = self._wanted(books, at)
            commands = [each for each in difference(want, held) if knows_all or not isinstance(each, _OF_MEMBERS)]
            problems = await self._switchboard.carry_out(commands) if commands else {}
            for subject, reason in problems.items():
                log.warning("command_refused", extra={"about": about(subject), "reason": reason})
            self.applied = Applied(at, problems)
            self.holds_until, self.is_behind = _next_change(books, at), not knows_all
            if knows_all:
                self._level_at, self._brought = (books, at), set()
                await self._settle_presences(want, held, at)

    async def _held(self) -> Held:
        """What Asterisk holds, with those phones shut that were just found to lead elsewhere, whatever becomes of this
        look. Raises SwitchboardAway."""
        held = await self._switchboard.holding()
        if not (astray := self._strays.take(held, self._clock_s())):
            return held
        problems = await self._switchboard.carry_out([PutPhone(phone, is_new=False) for phone in astray])
        for subject, reason in problems.items():
            log.warning("command_refused", extra={"about": about(subject), "reason": reason})
        shut = {phone.number: phone for phone in astray if phone.number not in problems}
        return replace(held, phones={**held.phones, **shut})

    def _wanted(self, books: Books, at: datetime) -> Holding:
        return self._strays.shut(wanted(books, self._always, at), self._clock_s())

    async def _bring_newcomers(self, held: Held, at: datetime) -> None:
        """Gives those their places whom the roster, as it was read last, has brought since the last look at which all
        was known: a store that is away keeps nobody out of his shift. Each once: who goes again has said so. Raises
        SwitchboardAway."""
        if self._level_at is None:
            return
        books, since = self._level_at
        there, now = books.places(since), books.places(at)
        keys = sorted(now.keys() - there.keys() - held.members.keys() - self._brought)
        problems = await self._switchboard.carry_out([AddMember(now[key]) for key in keys]) if keys else {}
        for subject, reason in problems.items():
            log.warning("command_refused", extra={"about": about(subject), "reason": reason})
        self._brought |= {key for key in keys if "/".join(key) not in problems}

    async def apply(self) -> None:
        """Applies a change that is already stored. Where Asterisk is away, the next look applies it."""
        try:
            async with asyncio.timeout(APPLY_TIMEOUT_S):
                await self.look()
        except (SwitchboardAway, StoreAway, TimeoutError) as error:
            self.applied = replace(self.applied, at=None)
            log.warning("change_not_yet_applied", extra={"reason": str(error) or "no answer in time"})

    async def enforce(self, decide: Callable[[Books], Told]) -> None:
        """Has Asterisk do at once what the presence that `decide` makes of the books means for the operator's places,
        and then stores it. Raises what `decide` does; Refused with Asterisk's words, SwitchboardAway: nothing is stored
        then; StoreAway: the next look undoes what was done.
        """
        try:
            async with asyncio.timeout(APPLY_TIMEOUT_S):
                await self._looking.acquire()
        except TimeoutError:
            raise SwitchboardAway("Asterisk is busy with other changes") from None
        try:
            held = await self._held()
            books = await self._bookkeeper.books()
            told = decide(books)
            want = self._wanted(books.with_presence(told.presence), self._clock())
            commands = _about(books.operators[told.presence.operator_id].phone, difference(want, held))
            if problems := await self._switchboard.carry_out(commands):
                raise Refused("; ".join(f"{about}: {reason}" for about, reason in problems.items()))
            async with self._saving.turn:
                # what the operator dialled meanwhile is in the store already, and stays what this begins from
                told = decide(await self._bookkeeper.books())
                await self._saving.save_in_turn(Change(presences=(told.presence,), deeds=(told.deed,)))
                self._bookkeeper.forget()
        finally:
            self._looking.release()

    async def _settle_presences(self, want: Holding, held: Held, at: datetime) -> None:
        """The pauses of those who have gone are over, and so are the logouts of those whom the roster brought back;
        what was said by a clock that was put back since is said as of now."""
        places = {phone for _, phone in (*want.members, *held.members)}
        async with self._saving.turn:
            books = await self._bookkeeper.books()
            leapt = duty.told_by_now(books, self._clock())  # since `at` somebody may have dialled
            for presence in leapt:
                books = books.with_presence(presence)
            back = duty.brought_back(books, at)
            for presence in back:
                books = books.with_presence(presence)
            told = duty.without_place(books, places, at)
            settled = {each.operator_id: each for each in (*leapt, *back, *(each.presence for each in told))}
            if settled:
                deeds = tuple(each.deed for each in told)
                await self._saving.save_in_turn(Change(presences=tuple(settled.values()), deeds=deeds))
                self._bookkeeper.forget()


_OF_MEMBERS = (AddMember, RemoveMember, SetPause, SetPenalty)


def _about(phone: str, commands: Sequence[Command]) -> list[Command]:
    """The commands for the places of that phone."""
    found: list[Command] = []
    for command in commands:
        match command:
            case AddMember(member=member) | SetPause(member=member) if member.phone == phone:
                found.append(command)
            case RemoveMember(phone=number) if number == phone:
                found.append(command)
    return found


def _next_change(books: Books, at: datetime) -> datetime | None:
    ends = [presence.until for presence in books.presences.values() if presence.until is not None]
    ends += [block.until for block in books.blocks]
    ends += [ban.until for ban in books.bans]
    moments = [moment for moment in (books.plan.next_change(at), *ends) if moment is not None and moment > at]
    return min(moments, default=None)
