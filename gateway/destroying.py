"""Destroying: recordings go when their time has come, each with a certificate; the history of the call stays.

Counterparts: `domain/retention.py` says when; `gateway/vault/` does it and writes the certificate; `watch.py` keeps
the alarms.

It is slow on purpose: what is destroyed cannot be taken back. A look goes through a bounded number of recordings; rules
and holds are looked at again in the saving turn in which a recording is given up; and by a clock that has leapt, at
once or little by little, nothing is destroyed before a person has looked at another clock.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gateway.bookkeeper import Bookkeeper
from gateway.defects import Defects
from gateway.domain.alarms import Alarm
from gateway.domain.audit import CENTRE, Actor, Deed
from gateway.domain.change import Change
from gateway.domain.kept import Invalid
from gateway.domain.recordings import Recording, State
from gateway.domain.retention import CLOCKS_APART, Lasting, Retention, RetentionRule, Trusted, Uptime, distrust
from gateway.ports import Custody, Destroyed, StoreAway, Unsealable, Vault, VaultAway, VaultHindered
from gateway.saving import Saving

log = logging.getLogger(__name__)

LOOK_EVERY_S = 3600.0
FIRST_LOOK_S = 60.0
"""After the start: the vault and the journal have enough to do before."""
AT_MOST = 1000
"""Recordings that one look destroys: a mistake in a rule is seen before it has gone far."""
AT_ONCE = 25
"""Recordings between two transactions."""
AWAY_IN_A_ROW = 3
"""So many in a row for which the vault does not answer: then it is the vault, and not a file that the disk keeps."""
READ_AT_ONCE = 500
DAY = timedelta(days=1)
CLOCK, STUCK = "retention_clock", "not_destroyed"
KINDS = frozenset({CLOCK, STUCK})
"""The alarms that this raises."""

Decide = Callable[[Lasting], str | None]
"""Under which rule a recording is to be destroyed now; None where it is to be kept."""


@dataclass(slots=True)
class Count:
    """Recordings that one rule would destroy: how many, the first of them, and how many more a legal hold keeps."""

    due: int = 0
    held: int = 0
    ids: list[str] = field(default_factory=list)

    def take(self, lasting: Lasting, ids_at_most: int) -> None:
        if lasting.is_held:
            self.held += 1
            return
        self.due += 1
        if len(self.ids) < ids_at_most:
            self.ids.append(lasting.id)


@dataclass(frozen=True, slots=True)
class Due:
    """What one rule would destroy; `rule` is None for the centre's own."""

    rule: RetentionRule | None
    keep_days: int
    count: Count


class Destroying:
    """`doomed` are the calls of which recordings are being destroyed at this moment: no hold can be set on them then;
    `clock` returns the time now, in UTC, `uptime` how long the machine has been running."""

    def __init__(
        self,
        *,
        custody: Custody,
        saving: Saving,
        bookkeeper: Bookkeeper,
        vault: Vault,
        doomed: set[str],
        clock: Callable[[], datetime],
        uptime: Callable[[], Uptime],
    ) -> None:
        self._uptime = uptime
        self._custody = custody
        self._saving = saving
        self._bookkeeper = bookkeeper
        self._vault = vault
        self._doomed = doomed
        self._clock = clock
        self._place: tuple[datetime, str] | None = None
        """Where the next look goes on; None for the oldest recording."""
        self._alarms: list[Alarm] | None = None
        """None before the first look."""
        self._may_be_begun = True
        """Whether there may be recordings whose destruction was begun, and whose end nobody knows."""
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()
        """Held by whoever destroys, and by whoever looks what was only begun: what is on its way is neither."""
        self._defects = Defects("destroying_broken")

    def wake(self) -> None:
        """Has the next look come at once."""
        self._woken.set()

    async def run(self) -> None:
        """Looks, for ever."""
        wait_s = FIRST_LOOK_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
            self._woken.clear()
            wait_s = LOOK_EVERY_S
            try:
                await self.look()
            except StoreAway as error:
                log.warning("destroying_waits", extra={"reason": str(error)})
                wait_s = FIRST_LOOK_S
            except Exception as error:  # noqa: BLE001  # a defect here must not end the history of calls
                self._defects.tell(error)
                said = f"a defect, which is in the gateway's log: {type(error).__name__}"
                self._alarms = [Alarm(STUCK, "recordings", said, self._clock())]

    def alarms(self, standing: Iterable[Alarm]) -> list[Alarm]:
        """What should be alarming now. Before the first look what stood stands."""
        if self._alarms is None:
            return [alarm for alarm in standing if alarm.kind in KINDS]
        return self._alarms

    async def look(self) -> int:
        """Destroys what is due, AT_MOST recordings of it. Returns how many. Raises StoreAway."""
        now = self._clock()
        if (doubt := await self._doubt(now)) is not None:
            log.warning("destroying_stopped", extra={"reason": doubt})
            detail = f"{doubt}: no recording is destroyed until an admin confirms the time"
            self._alarms = [Alarm(CLOCK, "clock", detail, now)]
            return 0
        retention = await self._retention()
        async with self._turn:
            unsettled = await self._settle(retention, now)
        if unsettled is not None:
            self._alarms = [Alarm(STUCK, "recordings", unsettled, now)]
            return 0
        wanted = await self._due(retention, now)
        fresh: Decide = lambda lasting: retention.due(lasting, now)  # noqa: E731  # it is handed on
        done, failed = await self.destroy([each.id for each in wanted], fresh)
        self._alarms = [Alarm(STUCK, "recordings", failed, now)] if failed else []
        return done

    async def destroy(self, ids: Sequence[str], decide: Decide) -> tuple[int, str]:
        """Destroys those of the recordings that `decide` names a rule for, as they are when their turn comes. Returns
        how many, and in words what could not be destroyed. Raises StoreAway."""
        done, failures = 0, []
        for start in range(0, len(ids), AT_ONCE):
            try:
                async with self._turn:
                    part_done, part_failures = await self._destroy_part(ids[start : start + AT_ONCE], decide)
            except VaultAway as error:
                failures.append(_away(error))
                break
            done += part_done
            failures += part_failures
        more = f", and {len(failures) - 1} more" if len(failures) > 1 else ""
        return done, f"{failures[0]}{more}" if failures else ""

    async def _destroy_part(self, ids: Sequence[str], decide: Decide) -> tuple[int, list[str]]:
        now = self._clock()
        async with self._saving.turn:
            lasting_of = await self._custody.lasting_of(ids)
            found = [(each, rule) for lasting, each in lasting_of if (rule := decide(lasting)) is not None]
            begun = [(replace(each, destroyed_at=each.destroyed_at or now), rule) for each, rule in found]
            await self._saving.save_in_turn(Change(recordings=tuple(each for each, _ in begun)))
            doomed = {call_id for lasting, _ in lasting_of for call_id in lasting.call_ids} - self._doomed
            self._doomed |= doomed
        try:
            return await self._give_up(begun, AWAY_IN_A_ROW)
        except BaseException:
            self._may_be_begun = True
            raise
        finally:
            self._doomed -= doomed

    async def _give_up(self, begun: Sequence[tuple[Recording, str]], away_in_a_row: int = 1) -> tuple[int, list[str]]:
        """Has the vault destroy them, and stores it: asked again after a crash in between, the vault finds it done. How
        many, and in words what could not be destroyed. Raises VaultAway where it does not answer for so many."""
        gone: dict[str, Destroyed] = {}
        refused: dict[str, str] = {}
        unknown: dict[str, str] = {}
        untouched: list[str] = []
        away: VaultAway | None = None
        in_a_row = 0
        for place, (recording, rule) in enumerate(begun):
            try:
                destroyed = await self._vault.destroy(recording, rule, recording.destroyed_at or self._clock())
            except Unsealable as error:
                told = {"call": recording.call_id, "recording": recording.id, "reason": str(error)}
                log.warning("recording_not_destroyed", extra=told)
                refused[recording.id] = str(error)
            except VaultAway as error:
                unknown[recording.id] = _away(error)
                in_a_row += not isinstance(error, VaultHindered)
                if in_a_row == away_in_a_row:
                    untouched = [each.id for each, _ in begun[place + 1 :]]
                    away = error
                    break
                continue
            else:
                gone[recording.id] = destroyed
            in_a_row = 0
        self._may_be_begun = self._may_be_begun or bool(unknown)
        await self._store(gone, [*refused, *untouched])
        if away:
            raise away
        return len(gone), [f"{recording_id}: {reason}" for recording_id, reason in (refused | unknown).items()]

    async def _store(self, gone: Mapping[str, Destroyed], there: Collection[str]) -> None:
        """Stores which recordings are gone, with their certificates and the rules, and which are there as before."""
        if not gone and not there:
            return
        async with self._saving.turn:
            stored, deeds = [], []
            for lasting, recording in await self._custody.lasting_of([*gone, *there]):
                if recording.id in there:
                    stored.append(replace(recording, destroyed_at=None))
                    continue
                destroyed = gone[recording.id]
                after = replace(recording, state=State.DESTROYED, certificate=destroyed.certificate)
                stored.append(after)
                deeds.append(_deed(after, destroyed.rule, self._clock(), next(reversed(lasting.call_ids), None)))
            await self._saving.save_in_turn(Change(recordings=tuple(stored), deeds=tuple(deeds)))

    async def _settle(self, retention: Retention, now: datetime) -> str | None:
        """Looks what came of what was begun and is to be kept since, as where a hold was set: sound that lies there
        stays, and what is gone is told. Where nobody can see what lies there, it is asked again later. What is due is
        asked for again in any case. Returns what keeps it from looking."""
        if not self._may_be_begun:
            return None
        are_left = False
        try:
            for lasting, recording in await self._custody.begun():
                if retention.due(lasting, now) is not None:
                    are_left = True  # a hold may come before its turn does
                    continue
                lying = await self._vault.files(recording.started_at - DAY, recording.started_at + DAY, are_seen=True)
                if any(each.id == recording.id for each in lying):
                    await self._store({}, [recording.id])
                else:
                    _, failures = await self._give_up([(recording, retention.named(lasting))])
                    are_left = are_left or bool(failures)
        except VaultAway as error:
            return _away(error)
        except Unsealable as error:
            return str(error)
        self._may_be_begun = are_left
        return None

    async def _retention(self) -> Retention:
        books = await self._bookkeeper.books()
        return Retention(books.retention_rules, books.rules.keep_recordings_days)

    async def _due(self, retention: Retention, now: datetime) -> list[Lasting]:
        """The next recordings whose time has come, the oldest first; after the last one it begins anew."""
        until = now - timedelta(days=retention.shortest_days)
        wanted: list[Lasting] = []
        has_begun_anew = self._place is None
        while len(wanted) < AT_MOST:
            page = await self._custody.lasting(until, self._place, READ_AT_ONCE)
            for each in page:
                if retention.due(each, now) is not None:
                    wanted.append(each)
                self._place = (each.started_at, each.id)
                if len(wanted) == AT_MOST:
                    return wanted
            if len(page) < READ_AT_ONCE:
                self._place = None
                if has_begun_anew or wanted:
                    break
                has_begun_anew = True
        return wanted

    # ---------------------------------------------------------------- before it happens

    async def due(self, at: datetime, *, ids_shown: int, look_at_most: int) -> tuple[list[Due], bool]:
        """What would be destroyed by that time, by rule, as rules, holds and dispositions are now; and whether all
        recordings were looked at. Destroys nothing. Raises StoreAway."""
        retention = await self._retention()
        until = at - timedelta(days=retention.shortest_days)
        order = [*sorted(retention.rules, key=lambda rule: (rule.place, rule.id)), None]
        counts = {None if rule is None else rule.id: Count() for rule in order}
        place, looked_at, is_complete = None, 0, False
        while looked_at < look_at_most and not is_complete:
            page = await self._custody.lasting(until, place, READ_AT_ONCE)
            for each in page:
                rule, keep_days = retention.of(each)
                if replace(each, is_held=False).is_due(at, keep_days):
                    counts[None if rule is None else rule.id].take(each, ids_shown)
            looked_at += len(page)
            is_complete = len(page) < READ_AT_ONCE
            place = (page[-1].started_at, page[-1].id) if page else place
        return [Due(rule, retention.days_of(rule), counts[None if rule is None else rule.id]) for rule in order], (
            is_complete
        )

    # ---------------------------------------------------------------- the clock

    async def _doubt(self, now: datetime) -> str | None:
        """Why the clock is not believed; None where it is, and then it is so up to now."""
        uptime = self._uptime()
        before = await self._custody.trusted() or Trusted(now)
        then = before.then(now, uptime)
        doubt = distrust(then, before)
        if doubt is None:
            await self._custody.trust(then)
        return doubt

    async def confirm_clock(self, told: datetime, actor: Actor) -> None:
        """Takes a person's word for the time that another clock shows. Raises Invalid where the centre's shows another
        one, StoreAway."""
        now = self._clock()
        if abs(now - told) > CLOCKS_APART:
            raise Invalid("now", f"is not what the centre's clock shows, {now:%Y-%m-%dT%H:%M:%SZ}: set that one right")
        trusted = await self._custody.trusted()
        was = None if trusted is None else trusted.at.isoformat()
        data = {"now": now.isoformat(), "trusted_at": was}
        await self._saving.save(
            Change(deeds=(Deed(now, actor, "retention.clock_confirmed", subject="clock", data=data),))
        )
        await self._custody.trust(Trusted(now, uptime=self._uptime()))
        self.wake()


def _away(error: VaultAway) -> str:
    return f"the vault does not answer: {error}"


def _deed(recording: Recording, rule: str, at: datetime, call_id: str | None) -> Deed:
    data = {
        "recording_id": recording.id,
        "kind": recording.kind,
        "rule": rule,
        "certificate": recording.certificate,
    }
    return Deed(
        at,
        CENTRE,
        "recording.destroyed",
        subject=f"recording/{recording.id}",
        data=data,
        note=rule,
        call_id=call_id,
    )
