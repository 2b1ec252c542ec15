"""The office: what people change. Each change is checked against the books, stored with its audit entry, told, and
handed to Asterisk.

Counterparts: `gateway/api/` brings what people ask for; `rulings.py` says what cannot be; `level.py` has Asterisk take
it over.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from gateway import importing, new_secrets, rulings
from gateway.bookkeeper import Bookkeeper
from gateway.domain import bans, blocks, disposing, duty
from gateway.domain.advice_rules import AdviceRule, first_rules
from gateway.domain.audit import CENTRE, Actor, Deed
from gateway.domain.bans import Ban
from gateway.domain.blocks import Block
from gateway.domain.books import Books, PauseReason, Rules, addresses_of, first_pause_reasons, never_banned
from gateway.domain.call import PROBE_TRUNK, Call
from gateway.domain.change import Change
from gateway.domain.dispositions import Disposed, Verdict
from gateway.domain.duty import Step, Told
from gateway.domain.exchange import Sheet
from gateway.domain.holding import Holding, Member
from gateway.domain.kept import Kept, Unfitting
from gateway.domain.operators import Operator
from gateway.domain.queues import Queue, first_queue
from gateway.domain.retention import LegalHold
from gateway.domain.roster import LAST_DAY, OnCall, Swap
from gateway.domain.shifts import Shift
from gateway.domain.tokens import Role, Token
from gateway.domain.trunks import Trunk, first_trunks
from gateway.importing import Imported
from gateway.level import Level
from gateway.ports import Stale, Store, Taken, Unknown, sip_digest
from gateway.saving import Saving

Thing = TypeVar("Thing", bound=Kept)

ADMIN = "admin"
"""The name of the token that lies in a file."""


class NotOnDuty(Exception):
    """The operator has no place in any queue now."""


class Office:
    """`always` is what Asterisk holds whatever the admins do, `music` names what a queue's callers can hear, `doomed`
    the calls of which recordings are being destroyed at this moment; `clock` returns the time now, in UTC."""

    def __init__(
        self,
        *,
        store: Store,
        saving: Saving,
        bookkeeper: Bookkeeper,
        level: Level,
        always: Holding,
        music: Collection[str],
        doomed: Collection[str],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._saving = saving
        self._bookkeeper = bookkeeper
        self._level = level
        self._always = always
        self._music = music
        self._doomed = doomed
        self._clock = clock

    # ---------------------------------------------------------------- whatever is kept

    async def create(self, thing: Thing, actor: Actor, *, allow_gaps: bool = True) -> Thing:
        """The thing as it is stored. Raises Invalid, Taken, StoreAway; rulings.LeavesGaps where it leaves a hole in the
        roster and none may be."""
        [stored] = await self.put([(None, thing)], actor, allow_gaps=allow_gaps)
        return stored

    async def change(self, before: Thing, after: Thing, actor: Actor, *, allow_gaps: bool = True) -> Thing:
        """The thing as changed; `before` is it as whoever changes it saw it. Raises what `create` does, Stale,
        Unknown."""
        [stored] = await self.put([(before, after)], actor, allow_gaps=allow_gaps)
        return stored

    async def retire(self, thing: Thing, actor: Actor, *, allow_gaps: bool = True) -> None:
        """Takes the thing out of use; the history keeps it. Raises what `change` does; Taken where others need it."""
        await self.put([(thing, replace(thing, retired_at=self._clock()))], actor, allow_gaps=allow_gaps)

    async def put(
        self, changes: Sequence[tuple[Thing | None, Thing]], actor: Actor, *, allow_gaps: bool = True
    ) -> list[Thing]:
        """Stores all of the changes (before, None for what is new, and after) or none. Raises what each of them
        would. An address that is a trunk's or a phone's from then on is banned no more; with an operator go the tokens
        and the places on the on-call list."""
        now = self._clock()
        async with self._saving.turn:
            books = await self._bookkeeper.books()
            whole: list[tuple[Kept | None, Kept]] = [*changes, *await self._go_with(changes, now)]
            for before, after in whole:
                self._refuse_always(after)
                self._refuse_unknown_music(before, after)
                await self._refuse_hold(before, after)
                rulings.check(await self._books_for(books, after), before, after)
                if isinstance(after, Block) and after.is_active:
                    blocks.check(after, books.blocks, now)
                if isinstance(after, Ban) and after.is_active:
                    self._refuse_ban(books, after, now)
            if not allow_gaps:
                await rulings.refuse_gaps(self._bookkeeper, books, changes, now)
            every = [*whole, *_lifted(books, [after for _, after in whole], now)]
            committed = await self._saving.save_in_turn(
                Change(
                    kept=tuple(after for _, after in every),
                    members_removed=tuple(
                        member.key for _, after in changes for member in rulings.places_that_end(books, after)
                    ),
                    deeds=tuple(_deed(now, actor, before, after) for before, after in every),
                )
            )
            self._bookkeeper.forget()
        if any(rulings.matters_to_asterisk(after) for _, after in changes):
            await self._level.apply()
        # the first ones are as many, and of the same kinds, as went in
        return list(committed.kept[: len(changes)])  # type: ignore[arg-type]

    async def _go_with(
        self, changes: Sequence[tuple[Kept | None, Kept]], now: datetime
    ) -> list[tuple[Kept | None, Kept]]:
        """What ends with the operators who are retired. For whoever holds the turn: a token that is made a moment
        before is among it."""
        leaving = {after.id for _, after in changes if isinstance(after, Operator) and not after.is_active}
        if not leaving:
            return []
        theirs: list[Token | OnCall] = [*await self._store.kept(Token), *await self._store.kept(OnCall)]
        return [(each, replace(each, retired_at=now)) for each in theirs if each.operator_id in leaving]

    async def import_roster(
        self, sheet: Sheet, actor: Actor, *, sha256: str, replaces: bool, allow_gaps: bool, dry_run: bool
    ) -> Imported:
        """Takes all of a file (its hash is `sha256`) over into the roster, or nothing; with `dry_run` only says what
        would become of it, holes and all. Raises importing.Faulty, rulings.LeavesGaps, StoreAway."""
        now = self._clock()
        async with self._saving.turn:
            books = await self._bookkeeper.books()
            found = await importing.work_out(self._bookkeeper, books, sheet, replaces=replaces, now=now)
            changes = [(None, each) for each in found.changes]
            told = found.told(await rulings.new_holes(self._bookkeeper, books, changes, now))
            if dry_run or not changes:
                return told
            if told.holes and not allow_gaps:
                raise rulings.LeavesGaps(told.holes)
            deed = found.deed(actor, now, replaces=replaces, sha256=sha256)
            await self._saving.save_in_turn(Change(kept=found.changes, deeds=(deed,)))
            self._bookkeeper.forget()
        await self._level.apply()
        return told

    async def find(self, kind: type[Thing], thing_id: int, version: int | None = None) -> Thing:
        """The active thing of that kind and id. Raises Unknown; Stale when it is not in that `version` any more."""
        thing = await self._store.one(kind, thing_id)
        if thing is None or not thing.is_active:
            raise Unknown(f"there is no {kind.KIND.replace('_', ' ')} {thing_id}")
        if version is not None and thing.version != version:
            raise Stale(f"{kind.KIND.replace('_', ' ')} {thing_id} was changed by somebody else")
        return thing

    async def trunk_names(self) -> frozenset[str]:
        """Of those that are there or were, the centre's own too. Raises StoreAway."""
        kept = await self._store.kept(Trunk, include_retired=True)
        return frozenset((PROBE_TRUNK, *self._always.trunks, *(trunk.name for trunk in kept)))

    async def queue_names(self) -> frozenset[str]:
        """The same of queues."""
        kept = await self._store.kept(Queue, include_retired=True)
        return frozenset((*self._always.queues, *(queue.name for queue in kept)))

    # ---------------------------------------------------------------- operators

    async def create_operator(self, operator: Operator, actor: Actor) -> tuple[Operator, str]:
        """A new operator with a phone, and the phone's secret, which is told this once. Raises what `create` does."""
        secret = new_secrets.for_hands()
        operator = _with_secret(operator, secret)
        return await self.create(operator, actor), secret

    async def change_operator(
        self, before: Operator, after: Operator, actor: Actor, *, renews_secret: bool
    ) -> tuple[Operator, str | None]:
        """The operator as changed, and the new secret where one was asked for. Raises what `change` does."""
        secret = new_secrets.for_hands() if renews_secret else None
        if secret is not None:
            after = _with_secret(after, secret)
        return await self.change(before, after, actor), secret

    async def put_member(self, member: Member, actor: Actor) -> bool:
        """A standing place in a queue, new or changed; True where it is new. Raises Unknown (queue or phone),
        StoreAway."""
        async with self._saving.turn:
            books = await self._bookkeeper.books()
            if member.queue not in books.queues:
                raise Unknown(f"there is no queue {member.queue}")
            if books.operator_at(member.phone) is None:
                raise Unknown(f"no operator has phone {member.phone}")
            is_new = member.key not in {each.key for each in books.standing}
            data = {"queue": member.queue, "phone": member.phone, "penalty": member.penalty}
            deed = self._place_deed("queue.member_put", actor, data)
            await self._saving.save_in_turn(Change(members_put=(member,), deeds=(deed,)))
            self._bookkeeper.forget()
        await self._level.apply()
        return is_new

    async def remove_member(self, queue: str, phone: str, actor: Actor) -> None:
        """Gives a standing place up. Raises Unknown when there is none, StoreAway."""
        async with self._saving.turn:
            books = await self._bookkeeper.books()
            if (queue, phone) not in {member.key for member in books.standing}:
                raise Unknown(f"phone {phone} has no standing place in queue {queue}")
            deed = self._place_deed("queue.member_removed", actor, {"queue": queue, "phone": phone})
            await self._saving.save_in_turn(Change(members_removed=((queue, phone),), deeds=(deed,)))
            self._bookkeeper.forget()
        await self._level.apply()

    async def step(
        self, operator: Operator, what: Step, actor: Actor, *, reason: str = "", queues: Iterable[str] = ()
    ) -> None:
        """Has the operator log in or out, pause or come back: in Asterisk first, then in the books.

        Raises NotOnDuty for a pause of one who has no place; Unknown for one who was retired; Refused,
        SwitchboardAway: nothing is stored then; StoreAway.
        """

        def decide(books: Books) -> Told:
            now = self._clock()
            if operator.id not in books.operators:
                raise Unknown(f"there is no operator {operator.id}")
            if what is Step.PAUSE and not _has_place(books, operator, now):
                raise NotOnDuty(NotOnDuty.__doc__)
            return duty.step(books, operator, what, now, actor, reason=reason, queues=queues)

        await self._level.enforce(decide)

    async def dispose(self, call: Call, verdict: Verdict, actor: Actor) -> Disposed:
        """What the call was from now on; the last word counts. Raises Invalid, StoreAway."""
        async with self._saving.turn:
            before = await self._store.disposition(call.id)
            disposed, deed = disposing.dispose(call, before, verdict, self._clock(), actor)
            await self._saving.save_in_turn(Change(dispositions=(disposed,), deeds=(deed,)))
        return disposed

    async def log(self, deeds: Sequence[Deed]) -> None:
        """Stores, and tells, what people did that changes nothing here: what was handed out, and to whom. Raises
        StoreAway: then it must not be done."""
        await self._saving.save(Change(deeds=tuple(deeds)))

    # ---------------------------------------------------------------- the first start

    async def set_up(self, default_queue: str, admin_token: str) -> None:
        """What a centre needs from the start, as far as it is not there: the carriers' trunks, a queue, the rules,
        those of the advice, reasons to pause, and the admin's token as its file has it. Where there are queues, and
        none of that name, none is made: nobody would be in it. Raises StoreAway."""
        now = self._clock()
        missing: list[tuple[Kept | None, Kept]] = []
        if not await self._store.kept(Trunk, include_retired=True):
            missing += [(None, trunk) for trunk in first_trunks(now)]
        if not await self._store.kept(Queue):
            missing.append((None, first_queue(default_queue, now)))
        if not await self._store.kept(Rules):
            missing.append((None, Rules(created_at=now)))
        if not await self._store.kept(AdviceRule, include_retired=True):
            missing += [(None, rule) for rule in first_rules(now)]
        if not await self._store.kept(PauseReason, include_retired=True):
            missing += [(None, reason) for reason in first_pause_reasons(now)]
        missing += _admin(await self._store.kept(Token), admin_token, now)
        if missing:
            deeds = tuple(_deed(now, CENTRE, before, after) for before, after in missing)
            await self._saving.save(Change(kept=tuple(after for _, after in missing), deeds=deeds))
            self._bookkeeper.forget()

    async def _books_for(self, books: Books, thing: Kept) -> Books:
        """The books with that of the roster which the thing is about: a swap's day, or all who still work the shift, or
        for the queue, that is to end."""
        if isinstance(thing, Swap) and not books.plan.first <= thing.date <= books.plan.last:
            return replace(books, plan=await self._bookkeeper.plan(thing.date, thing.date))
        if isinstance(thing, Shift | Queue) and not thing.is_active:
            to_come = await self._store.assignments(books.plan.first, LAST_DAY)
            return replace(books, plan=replace(books.plan, assignments=tuple(to_come)))
        return books

    def _refuse_always(self, thing: Kept) -> None:
        """What the centre itself holds (the probe's phone and trunk) is nobody else's."""
        name = getattr(thing, "phone", None) or getattr(thing, "name", "")
        if isinstance(thing, Operator) and name in self._always.phones:
            raise Taken(f"phone {name} is the centre's own")
        if isinstance(thing, Trunk) and name in self._always.trunks:
            raise Taken(f"trunk {name} is the centre's own")
        if isinstance(thing, Queue) and name in self._always.queues:
            raise Taken(f"queue {name} is the centre's own")
        if isinstance(thing, Trunk):
            rulings.refuse_addresses(self._always.trunks.values(), thing)
        if isinstance(thing, Operator):
            rulings.refuse_contact(self._always.trunks.values(), thing)

    def _refuse_unknown_music(self, before: Kept | None, after: Kept) -> None:
        """What a queue names anew must be there. A class whose folder was taken away since stops no other change."""
        if not isinstance(after, Queue) or after.music is None or after.music in self._music:
            return
        if not isinstance(before, Queue) or before.music != after.music:
            known = f"known are {', '.join(sorted(self._music))}" if self._music else "there is none yet"
            # Asterisk and the gateway each look once, when they start
            anew = "one that was made since is known once Asterisk and the gateway are started anew"
            raise Unfitting("music", f"there is no class {after.music}: {known}; {anew}")

    def _refuse_ban(self, books: Books, ban: Ban, now: datetime) -> None:
        bans.check(ban, books.bans, now)
        if bans.is_among(ban.address, never_banned(books, self._always)):
            raise Unfitting("address", "is that of a trunk, of a phone, or one that sip.never_banned names")

    async def _refuse_hold(self, before: Kept | None, after: Kept) -> None:
        """A hold is on a call that there is, and not while its recordings go: then it would hold what is gone."""
        if not isinstance(after, LegalHold) or before is not None:
            return
        if not await self._store.has_call(after.call_id):
            raise Unfitting("call_id", f"there is no call {after.call_id}")
        if after.call_id in self._doomed:
            raise Taken(f"a recording of call {after.call_id} is being destroyed at this moment: try again at once")

    def _place_deed(self, action: str, actor: Actor, data: Mapping[str, object]) -> Deed:
        return Deed(self._clock(), actor, action, subject=f"place/{data['queue']}/{data['phone']}", data=data)


def _with_secret(operator: Operator, secret: str) -> Operator:
    digest = sip_digest(operator.phone, secret)
    return replace(operator, digest=digest, digest_sha256=sip_digest(operator.phone, secret, "sha256"))


def token_hash(token: str) -> str:
    """The hexadecimal SHA-256 under which a token is stored. A token is random and long: it needs no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _has_place(books: Books, operator: Operator, at: datetime) -> bool:
    return any(phone == operator.phone for _, phone in books.places(at))


def _deed(at: datetime, actor: Actor, before: Kept | None, after: Kept) -> Deed:
    verb = "created" if before is None else "changed" if after.is_active else "retired"
    return Deed(at, actor, f"{after.KIND}.{verb}", before, after)


def _lifted(books: Books, things: Collection[Kept], now: datetime) -> list[tuple[Ban, Ban]]:
    """The bans that end, as they were and as they become, because their addresses are a trunk's or a phone's now."""
    hosts = [address for thing in things if thing.is_active for address in addresses_of(thing)]
    return [(ban, replace(ban, retired_at=now)) for ban in books.bans if hosts and bans.is_among(ban.address, hosts)]


def _admin(tokens: Iterable[Token], secret: str, now: datetime) -> list[tuple[Kept | None, Kept]]:
    """The admin's token as its file has it: made, or renewed where the file holds another one."""
    wanted = token_hash(secret)
    there = next((token for token in tokens if token.name == ADMIN), None)
    if there is None:
        return [(None, Token(name=ADMIN, role=Role.ADMIN, token_hash=wanted, created_at=now))]
    if there.token_hash == wanted:
        return []
    return [(there, replace(there, token_hash=wanted))]
