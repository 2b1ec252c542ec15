"""Evidence: each call's sound is complete, or somebody is told at once; what is over is looked at. A call never waits
for any of it.

Counterparts: `centre.py` and `callbacks.py` say which recordings run and end; `domain/evidence.py` says what is wrong
with one; `sealing.py` goes on with what was looked at; `recovery.py` settles what a crash has left; `watch.py` keeps
the alarms.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.defects import Defects
from gateway.domain import evidence
from gateway.domain.alarms import Alarm
from gateway.domain.call import Call
from gateway.domain.change import Change
from gateway.domain.events import Event
from gateway.domain.evidence import Sound, Space, Verification
from gateway.domain.overload import Luxuries
from gateway.domain.recordings import Recording, State, recording_id
from gateway.ports import (
    EvidenceReads,
    Fate,
    Listened,
    Moving,
    RawSounds,
    Store,
    StoreAway,
    Unsealable,
    Vault,
    VaultAway,
)
from gateway.saving import Saving
from gateway.sealing import Sealing, Standing, failed_event

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
COUNT_EVERY_S = 5.0
AWAY_PAUSE_S = 2.0
"""Before the vault or the store that was away is asked again."""
AWAY_AFTER_S = 10.0
"""A worker that was away for less is no alarm: it is started anew within that."""
NOT_MOVED_AFTER_S = 60.0
"""A bucket that was away for less is no alarm."""
CHECKED_AT_ONCE = 200
"""So many calls end in a few seconds of the worst hour: a file is looked at twice before it is believed to be whole."""
LISTENED_AT_ONCE = 10
SETTLED_S = 1.5
"""A file whose size has stayed the same for so long after its end is complete: Asterisk writes each second."""
BETWEEN_S = 3.0
"""A journal that is at its end again within so long was only being read: while calls come, records come all the time,
and a look may fall between a record and its being stored."""
TOLD_LATE = timedelta(minutes=1)
"""Sound that is looked for so long after its end, and is not there, may be sealed already: where an older database was
restored, the journal tells its call once more."""
LEAP = timedelta(days=1)
"""What was told of so long ahead was told by another clock."""
LOST_FOR = timedelta(hours=24)
"""So long a recording that was lost is an alarm."""


@dataclass(slots=True)
class _Growth:
    """How large a file was, and since when, by the clock that never leaps."""

    size_bytes: int
    since_s: float
    limit_s: float = 0.0


class Evidence:
    """`vault_problem` says why the vault's worker does not run, None while it does; `running_calls` are those that have
    not ended; `is_seeing` says whether Asterisk is seen, `is_hearing` whether its journal is read to the end too;
    `low_bytes` is the space under which it is an alarm; `moving` says how sound gets to its bucket, `verification` how
    the nightly looks at the vault stand (blocking: a small file each); `luxuries` says how long sealing must wait;
    `clock_s` is a clock that never leaps, in seconds."""

    def __init__(
        self,
        *,
        store: Store,
        reads: EvidenceReads,
        saving: Saving,
        vault: Vault,
        vault_problem: Callable[[], str | None],
        sounds: RawSounds,
        running_calls: Callable[[], Iterable[Call]],
        is_seeing: Callable[[], bool],
        is_hearing: Callable[[], bool],
        low_bytes: int,
        clock: Callable[[], datetime],
        clock_s: Callable[[], float],
        moving: Callable[[], Moving | None] = lambda: None,
        verification: Callable[[], Verification | None] = lambda: None,
        luxuries: Callable[[], Luxuries] = Luxuries,
    ) -> None:
        self._store = store
        self._moving = moving
        self._verification = verification
        self._told_of: datetime | None = None
        self._moved_at_s = clock_s()
        self._reads = reads
        self._saving = saving
        self._vault = vault
        self._vault_problem = vault_problem
        self._sounds = sounds
        self._running_calls = running_calls
        self._is_seeing = is_seeing
        self._is_hearing = is_hearing
        self._heard_s = clock_s()
        """When the journal was at its end at a look last."""
        self._low_bytes = low_bytes
        self._clock = clock
        self._clock_s = clock_s
        self._growing: dict[str, _Growth] = {}
        self._ending: dict[str, _Growth] = {}
        self._is_down = False
        self._has_looked = False
        self.standing = Standing()
        self.sealing = Sealing(
            store=store,
            reads=reads,
            saving=saving,
            vault=vault,
            standing=self.standing,
            clock=clock,
            clock_s=clock_s,
            luxuries=luxuries,
        )

    async def run(self) -> None:
        """Watches, checks and seals, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again("recordings_not_watched", self.watch))
            group.create_task(self._again("recordings_not_checked", self.check))
            group.create_task(self._again("recordings_not_sealed", self.sealing.seal))

    async def _again(self, name: str, step: Callable[[], Awaitable[bool]]) -> None:
        """Does the step over and over: at once where it says that there is more to do."""
        defects = Defects(name)
        while True:
            pause_s = LOOK_EVERY_S
            try:
                pause_s = 0.0 if await step() else LOOK_EVERY_S
            except (StoreAway, VaultAway) as error:
                log.warning(name, extra={"reason": str(error)})
                pause_s = AWAY_PAUSE_S
            except Exception as error:  # noqa: BLE001  # a defect here, or a disk, must not end the history of calls
                defects.tell(error)
            await asyncio.sleep(pause_s)

    # ---------------------------------------------------------------- alarms

    def alarms(self, now: datetime) -> list[Alarm] | None:
        """What should be alarming now; None before the first look: what stood stands."""
        if not self._has_looked:
            return None
        standing, counts = self.standing, self.standing.counts
        away_s = 0.0 if standing.away_since_s is None else self._clock_s() - standing.away_since_s
        not_moved_s = self._clock_s() - self._moved_at_s
        wrong = evidence.alarming(
            standing.stalled,
            counts.failing,
            counts.lost,
            standing.space,
            standing.vault_away if away_s >= AWAY_AFTER_S else "",
            standing.moving.problem if standing.moving and not_moved_s >= NOT_MOVED_AFTER_S else "",
        )
        found = [Alarm(kind, subject, detail, now) for kind, subject, detail in wrong]
        if standing.verification is not None:
            found += [Alarm(*each, now) for each in evidence.of_verification(standing.verification, now)]
        return found

    # ---------------------------------------------------------------- while a call runs

    async def watch(self) -> bool:
        """One look at the disk, at the running calls' files and at what waits. Raises StoreAway."""
        self.standing.space = Space(await self._free_bytes(), self._low_bytes)
        was_down, problem = self._is_down, self._vault_problem()
        self._is_down = problem is not None
        if problem is not None:
            self.standing.is_away(f"the vault's worker does not run: {problem}", self._clock_s())
        elif was_down:
            self.standing.is_back()
        await self._watch_growth()
        if self._clock_s() >= self.standing.counts_due_at_s:
            self.standing.counts = await self._reads.counts(self._clock() - LOST_FOR)
            self.standing.counts_due_at_s = self._clock_s() + COUNT_EVERY_S
            self.standing.moving = await asyncio.to_thread(self._moving)
            self.standing.verification = await asyncio.to_thread(self._verification)
            await self._tell_of_night()
        if self.standing.moving is None or not self.standing.moving.problem:
            self._moved_at_s = self._clock_s()
        self._has_looked = True
        return False

    async def _tell_of_night(self) -> None:
        """Tells, once, of a night in which all was looked at that was due, and of what was found new; then the alarm
        that stands is told anew, too. Raises StoreAway."""
        night = self.standing.verification
        at = max((each for each in (night.at, night.found_at) if each is not None), default=None) if night else None
        if night is None or at is None or at == self._told_of:
            return
        told = await self._reads.verified_at()
        if told is not None and told > self._clock() + LEAP:
            told = None  # the clock was put back since
        if told is None or told < at:
            data = {"days": night.days, "recordings": night.recordings, "findings": night.findings}
            events = [Event("vault.verified", at, data={**data, "first": list(night.first)})]
            if night.found_at is not None and (told is None or told < night.found_at):
                events += await self._told_anew(night)
            await self._saving.save(Change(events=tuple(events)))
        self._told_of = at

    async def _told_anew(self, night: Verification) -> list[Event]:
        """What stands is announced by nobody else. Raises StoreAway."""
        standing = {alarm.key for alarm in await self._store.standing_alarms()}
        now = self._clock()
        wrong = (each for each in evidence.of_verification(night, now) if each[0] == evidence.CHANGED)
        return [
            Event("alarm.raised", now, data={"kind": kind, "subject": subject, "detail": detail})
            for kind, subject, detail in wrong
            if (kind, subject) in standing
        ]

    async def _free_bytes(self) -> int:
        try:
            return await self._sounds.free_bytes()
        except OSError as error:  # a disk that is gone has no room
            log.warning("recordings_not_reached", extra={"reason": str(error)})
            return 0

    async def _watch_growth(self) -> None:
        limits = {call.id: limit for call in self._running_calls() if (limit := evidence.stalls_after_s(call))}
        now_s = self._clock_s()
        if not self._is_hearing():
            # a call may be over, and nobody has told: what is not being written stays so, and nothing is added
            if not self._is_seeing() or now_s - self._heard_s > BETWEEN_S:
                self._growing.clear()
            self.standing.stalled = tuple(call_id for call_id in self.standing.stalled if call_id in limits)
            return
        self._heard_s = now_s
        files = {call.id: call.recording for call in self._running_calls() if call.id in limits and call.recording}
        try:
            sizes: Mapping[str, int | None] = await self._sounds.sizes(list(files.values()))
        except OSError:  # told by `_free_bytes`
            sizes = {}
        stalled = []
        for call_id, file in files.items():
            growth = self._growing.get(call_id)
            size, limit_s = sizes.get(file) or 0, limits[call_id]
            if growth is None or size > growth.size_bytes or growth.limit_s != limit_s:
                self._growing[call_id] = _Growth(size, now_s, limit_s)
            elif now_s - growth.since_s >= limit_s:
                stalled.append(call_id)
        self._growing = {call_id: growth for call_id, growth in self._growing.items() if call_id in files}
        new = [call_id for call_id in stalled if call_id not in self.standing.stalled]
        if new:
            await self._saving.save(Change(events=tuple(self._stalled(call_id, files[call_id]) for call_id in new)))
            self.standing.told["failed"] += len(new)
        self.standing.stalled = tuple(stalled)

    def _stalled(self, call_id: str, file: str) -> Event:
        growth = self._growing[call_id]
        what = "its sound is not being written" if growth.size_bytes else "no sound is being written"
        reason = f"{what}: nothing for {growth.limit_s:.0f} s"
        data = {"recording_id": recording_id(file), "reason": reason, "is_lost": False}
        return Event("recording.failed", self._clock(), call_id, data)

    # ---------------------------------------------------------------- when it is over

    async def check(self) -> bool:
        """Looks at the sound of what is over: is there as much as there should be, and both sides? Returns whether
        there is more to do. Raises StoreAway, OSError."""
        over = await self._reads.unchecked(CHECKED_AT_ONCE)
        complete = await self._complete(over)
        if not complete:
            return False
        found: list[Sound] = []
        for start in range(0, len(complete), LISTENED_AT_ONCE):
            found += await self._sounds.sounds([_listened(each) for each in complete[start : start + LISTENED_AT_ONCE]])
        missing = [each for each, sound in zip(complete, found, strict=True) if sound.is_seen and sound.sound_s is None]
        stored, unseen = await self._stored_before([each for each in missing if self._is_told_late(each)])
        async with self._saving.turn:
            now = self._clock()
            there = await self._store.recordings([each.id for each in complete])
            seen = [
                evidence.to_look_at_again(recording, is_sealed=True)
                if recording.id in stored
                else evidence.checked(recording, Sound(None, is_seen=False) if recording.id in unseen else sound, now)
                for recording, sound in zip(complete, found, strict=True)
                if there.get(recording.id) == recording  # else it was destroyed meanwhile
            ]
            events = tuple(failed_event(each, now) for each in seen if each.problem and each.id not in stored)
            await self._saving.save_in_turn(Change(recordings=tuple(seen), events=events))
        self.standing.told["failed"] += len(events)
        for each in seen:
            self._ending.pop(each.id, None)
            if each.state is State.EMPTY:
                self.sealing.remember_to_discard(each)
        return len(over) == CHECKED_AT_ONCE

    def _is_told_late(self, recording: Recording) -> bool:
        return self._clock() - (recording.ended_at or recording.started_at) > TOLD_LATE

    async def _stored_before(self, missing: Sequence[Recording]) -> tuple[set[str], set[str]]:
        """Of which the stored sound lies in the vault, and of which nobody can see that now, by their ids: of those
        nothing is said but by their sealing. Where none need be there is none, unless `recovery.py` finds it."""
        stored: set[str] = set()
        for place, each in enumerate(missing):
            try:
                fate = Fate.UNSEEN if self._vault_problem() is not None else await self._vault.fate(each)
            except Unsealable:
                continue
            except VaultAway:
                fate = Fate.UNSEEN
            if fate is Fate.UNSEEN:  # nor of the others, or each would take as long
                return stored, {each.id for each in missing[place:] if evidence.should_sound(each)}
            if fate is Fate.THERE:
                stored.add(each.id)
        return stored, set()

    async def _complete(self, over: list[Recording]) -> list[Recording]:
        """Those whose file does not grow any more."""
        sizes = await self._sounds.sizes([each.file for each in over]) if over else {}
        now_s, complete = self._clock_s(), []
        for each in over:
            growth, size = self._ending.get(each.id), sizes.get(each.file) or 0
            if growth is None or growth.size_bytes != size:
                self._ending[each.id] = _Growth(size, now_s)
            elif now_s - growth.since_s >= SETTLED_S:
                complete.append(each)
        ids = {each.id for each in over}
        self._ending = {key: growth for key, growth in self._ending.items() if key in ids}
        return complete


def _listened(recording: Recording) -> Listened:
    return Listened(recording.file, recording.channels, min(recording.talk_s or 0.0, evidence.LISTENED_S))
