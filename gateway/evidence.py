"""Evidence: each call's sound is complete, or somebody is told at once; what is over is looked at, sealed, and its raw
sound discarded. A call never waits for any of it.

Counterparts: `centre.py` and `callbacks.py` say which recordings run and end; `domain/evidence.py` says what is wrong
with one; the vault's worker (`ports.Vault`) seals; `recovery.py` settles what a crash has left; `watch.py` keeps the
alarms.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from gateway.defects import Defects
from gateway.domain import evidence
from gateway.domain.alarms import Alarm
from gateway.domain.call import Call
from gateway.domain.change import Change
from gateway.domain.events import Event
from gateway.domain.evidence import Sound, Space
from gateway.domain.recordings import Recording, Seal, State, recording_id
from gateway.ports import (
    EvidenceReads,
    Listened,
    Moving,
    RawSounds,
    RecordingCounts,
    Sealed,
    Store,
    StoreAway,
    Unsealable,
    Vault,
    VaultAway,
)
from gateway.saving import Saving

log = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_EVERY_S = 1.0
COUNT_EVERY_S = 5.0
AWAY_PAUSE_S = 2.0
"""Before the vault or the store that was away is asked again."""
AWAY_AFTER_S = 10.0
"""A worker that was away for less is no alarm: it is started anew within that."""
NOT_MOVED_AFTER_S = 60.0
"""A bucket that was away for less is no alarm."""
CHECKED_AT_ONCE, SEALED_AT_ONCE = 200, 50
"""So many calls end in a few seconds of the worst hour: a file is looked at twice before it is believed to be whole."""
STORED_EVERY_S = 2.0
"""What came of the sealing is stored together: a transaction each costs more than a call does. What a crash leaves
unstored is found."""
LISTENED_AT_ONCE = 10
SETTLED_S = 1.5
"""A file whose size has stayed the same for so long after its end is complete: Asterisk writes each second."""
PUT_OFF_S = 10.0
"""A recording at which the worker gave up waits so long, and others come first."""
KEPT = 1000
"""Recordings that are put off, or whose raw sound is still to be discarded, that are kept in mind; `recovery.py` finds
the others."""
LOST_FOR = timedelta(hours=24)
"""So long a recording that was lost is an alarm."""


@dataclass(slots=True)
class Standing:
    """How the recordings stand."""

    stalled: tuple[str, ...] = ()
    """The running calls whose sound is not being written."""
    counts: RecordingCounts = field(default_factory=RecordingCounts)
    space: Space | None = None
    """None until it was looked at."""
    vault_away: str = ""
    """Why the vault's worker does not answer; empty where it does."""
    moving: Moving | None = None
    """None where sound lies on the disk alone, or until it is known."""
    told: Counter[str] = field(default_factory=Counter)
    """Since the start: how many were `sealed`, `failed`, `lost` or `found`."""


@dataclass(slots=True)
class _Growth:
    """How large a file was, and since when, by the clock that never leaps."""

    size_bytes: int
    since_s: float
    limit_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _PutOff:
    """Until when a recording is put off, by the clock that never leaps, and how many had been sealed when it was."""

    until_s: float
    sealed: int


class Evidence:
    """`vault_problem` says why the vault's worker does not run, None while it does; `running_calls` are those that have
    not ended; `is_hearing` says whether Asterisk is seen and its journal is read to the end; `low_bytes` is the space
    under which it is an alarm; `moving` says how sound gets to its bucket (blocking: a small file); `clock_s` is a
    clock that never leaps, in seconds."""

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
        is_hearing: Callable[[], bool],
        low_bytes: int,
        clock: Callable[[], datetime],
        clock_s: Callable[[], float],
        moving: Callable[[], Moving | None] = lambda: None,
    ) -> None:
        self._store = store
        self._moving = moving
        self._moved_at_s = clock_s()
        self._reads = reads
        self._saving = saving
        self._vault = vault
        self._vault_problem = vault_problem
        self._sounds = sounds
        self._running_calls = running_calls
        self._is_hearing = is_hearing
        self._low_bytes = low_bytes
        self._clock = clock
        self._clock_s = clock_s
        self._growing: dict[str, _Growth] = {}
        self._ending: dict[str, _Growth] = {}
        self._undiscarded: dict[str, Recording] = {}
        """Sealed, empty or lost."""
        self._put_off: dict[str, _PutOff] = {}
        self._count_at_s = 0.0
        self._away_since_s: float | None = None
        self._is_down = False
        self._has_looked = False
        self.standing = Standing()

    async def run(self) -> None:
        """Watches, checks and seals, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again("recordings_not_watched", self.watch))
            group.create_task(self._again("recordings_not_checked", self.check))
            group.create_task(self._again("recordings_not_sealed", self.seal))

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
        away_s = 0.0 if self._away_since_s is None else self._clock_s() - self._away_since_s
        not_moved_s = self._clock_s() - self._moved_at_s
        wrong = evidence.alarming(
            standing.stalled,
            counts.failing,
            counts.lost,
            standing.space,
            standing.vault_away if away_s >= AWAY_AFTER_S else "",
            standing.moving.problem if standing.moving and not_moved_s >= NOT_MOVED_AFTER_S else "",
        )
        return [Alarm(kind, subject, detail, now) for kind, subject, detail in wrong]

    # ---------------------------------------------------------------- while a call runs

    async def watch(self) -> bool:
        """One look at the disk, at the running calls' files and at what waits. Raises StoreAway."""
        self.standing.space = Space(await self._free_bytes(), self._low_bytes)
        was_down, problem = self._is_down, self._vault_problem()
        self._is_down = problem is not None
        if problem is not None:
            self._away(f"the vault's worker does not run: {problem}")
        elif was_down:
            self._answered()
        await self._watch_growth()
        if self._clock_s() >= self._count_at_s:
            self.standing.counts = await self._reads.counts(self._clock() - LOST_FOR)
            self._count_at_s = self._clock_s() + COUNT_EVERY_S
            self.standing.moving = await asyncio.to_thread(self._moving)
        if self.standing.moving is None or not self.standing.moving.problem:
            self._moved_at_s = self._clock_s()
        self._has_looked = True
        return False

    async def _free_bytes(self) -> int:
        try:
            return await self._sounds.free_bytes()
        except OSError as error:  # a disk that is gone has no room
            log.warning("recordings_not_reached", extra={"reason": str(error)})
            return 0

    async def _watch_growth(self) -> None:
        limits = {call.id: limit for call in self._running_calls() if (limit := evidence.stalls_after_s(call))}
        if not self._is_hearing():
            # a call may be over, and nobody has told: what is not being written stays so, and nothing is added
            self._growing.clear()
            self.standing.stalled = tuple(call_id for call_id in self.standing.stalled if call_id in limits)
            return
        files = {call.id: call.recording for call in self._running_calls() if call.id in limits and call.recording}
        try:
            sizes: Mapping[str, int] = await self._sounds.sizes(list(files.values()))
        except OSError:  # told by `_free_bytes`
            sizes = {}
        now_s = self._clock_s()
        stalled = []
        for call_id, file in files.items():
            growth = self._growing.get(call_id)
            size, limit_s = sizes.get(file, 0), limits[call_id]
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
        async with self._saving.turn:
            now = self._clock()
            there = await self._store.recordings([each.id for each in complete])
            seen = [
                evidence.checked(recording, sound, now)
                for recording, sound in zip(complete, found, strict=True)
                if there.get(recording.id) == recording  # else it was destroyed meanwhile
            ]
            events = tuple(self._failed_event(each) for each in seen if each.problem)
            await self._saving.save_in_turn(Change(recordings=tuple(seen), events=events))
        self.standing.told["failed"] += len(events)
        for each in seen:
            self._ending.pop(each.id, None)
            if each.state is State.EMPTY:
                self._remember_to_discard(each)
        return len(over) == CHECKED_AT_ONCE

    async def _complete(self, over: list[Recording]) -> list[Recording]:
        """Those whose file does not grow any more."""
        sizes = await self._sounds.sizes([each.file for each in over]) if over else {}
        now_s, complete = self._clock_s(), []
        for each in over:
            growth, size = self._ending.get(each.id), sizes.get(each.file, 0)
            if growth is None or growth.size_bytes != size:
                self._ending[each.id] = _Growth(size, now_s)
            elif now_s - growth.since_s >= SETTLED_S:
                complete.append(each)
        ids = {each.id for each in over}
        self._ending = {key: growth for key, growth in self._ending.items() if key in ids}
        return complete

    # ---------------------------------------------------------------- sealing

    async def seal(self) -> bool:
        """Seals what waits, and discards raw sound that is sealed. Returns whether there is more to do. Raises
        StoreAway, VaultAway."""
        more = await self._seal_waiting()
        for recording in list(self._undiscarded.values()):
            del self._undiscarded[recording.id]  # it comes last where the worker gives up at it
            await self.discard([recording])
        return more

    async def _seal_waiting(self) -> bool:
        now_s = self._clock_s()
        self._put_off = {key: each for key, each in self._put_off.items() if each.until_s + PUT_OFF_S > now_s}
        put_off = {key for key, each in self._put_off.items() if each.until_s > now_s}
        waiting = await self._reads.sealable(self._clock(), SEALED_AT_ONCE + len(put_off))
        due = [each for each in waiting if each.id not in put_off][:SEALED_AT_ONCE]
        came: dict[str, Sealed | Unsealable] = {}
        stored_at_s = self._clock_s()
        for recording in due:
            if self.standing.space is None or self.standing.space.stops_sealing:
                await self._store_what_came(came)
                return False
            try:
                came[recording.id] = await self._seal(recording)
            except VaultAway as error:
                await self._put_off_or_fail(recording, error)
                await self._store_what_came(came)
                raise
            if self._clock_s() - stored_at_s >= STORED_EVERY_S:
                await self._store_what_came(came)
                came, stored_at_s = {}, self._clock_s()
        await self._store_what_came(came)
        return len(due) == SEALED_AT_ONCE

    async def _seal(self, recording: Recording) -> Sealed | Unsealable:
        try:
            return await self._ask(self._vault.seal(recording))
        except Unsealable as failure:
            return failure

    async def _put_off_or_fail(self, recording: Recording, error: VaultAway) -> None:
        """It may be this sound at which the worker gives up: others come first, and where they are sealed it is."""
        before = self._put_off.pop(recording.id, None)
        if before is not None and self.standing.told["sealed"] > before.sealed:
            await self._fail({recording.id: Unsealable(str(error))}, State.OVER)
        elif len(self._put_off) < KEPT:
            until_s = self._clock_s() + PUT_OFF_S
            self._put_off[recording.id] = _PutOff(until_s, self.standing.told["sealed"])

    async def _store_what_came(self, came: Mapping[str, Sealed | Unsealable]) -> None:
        """Stores seals and failures, by the recordings' ids, and has the raw sound of the sealed discarded. Raises
        StoreAway, VaultAway."""
        await self._fail({key: each for key, each in came.items() if isinstance(each, Unsealable)}, State.OVER)
        sealed = {key: each for key, each in came.items() if isinstance(each, Sealed)}
        if not sealed:
            return
        async with self._saving.turn:
            there = await self._store.recordings(sealed)
            # of any other somebody has done something else with it meanwhile
            over = [each for each in there.values() if each.state is State.OVER]
            done = tuple(_sealed(each, sealed[each.id]) for each in over)
            events = tuple(_sealed_event(each, sealed[each.id].seal) for each in done)
            await self._saving.save_in_turn(Change(recordings=done, events=events))
        self.standing.told["sealed"] += len(done)
        await self.discard(done)

    def _remember_to_discard(self, recording: Recording) -> None:
        if len(self._undiscarded) < KEPT:
            self._undiscarded[recording.id] = recording

    async def discard(self, recordings: Sequence[Recording]) -> None:
        """Has the raw sound of sealed recordings deleted, or the files without a byte of those that are empty or lost;
        what does not agree with its seal as it is stored waits to be sealed again. Raises StoreAway, VaultAway."""
        for each in recordings:
            self._remember_to_discard(each)
        refused = await self._ask(self._vault.discard_raw(recordings)) if recordings else {}
        await self._fail({key: Unsealable(reason) for key, reason in refused.items()}, State.SEALED)
        for each in recordings:
            self._undiscarded.pop(each.id, None)

    async def lose(self, recording: Recording, reason: str) -> None:
        """A sealed recording whose stored sound is gone is lost. Raises StoreAway."""
        await self._fail({recording.id: Unsealable(reason, is_lost=True)}, State.SEALED)

    async def _fail(self, failures: Mapping[str, Unsealable], state: State) -> None:
        """Stores of each recording that it failed, unless it is not in that state any more, and tells of reasons that
        are new. Raises StoreAway."""
        if not failures:
            return
        async with self._saving.turn:
            there = await self._store.recordings(failures)
            failed, news = [], []
            for before in (each for each in there.values() if each.state is state):
                failure = failures[before.id]
                after = evidence.not_sealed(before, str(failure), self._clock(), is_lost=failure.is_lost)
                failed.append(after)
                if failure.is_lost or before.problem != after.problem:
                    news.append(after)
            if not failed:
                return
            events = tuple(self._failed_event(each) for each in news)
            await self._saving.save_in_turn(Change(recordings=tuple(failed), events=events))
        self._count_at_s = 0.0
        self.standing.told.update("lost" if each.state is State.LOST else "failed" for each in news)
        for each in failed:
            is_lost = each.state is State.LOST
            if is_lost:
                self._remember_to_discard(each)
            log.warning("recording_not_sealed", extra={"recording": each.id, "reason": each.problem, "lost": is_lost})

    def _failed_event(self, recording: Recording) -> Event:
        data = {
            "recording_id": recording.id,
            "reason": recording.problem,
            "is_lost": recording.state is State.LOST,
        }
        return Event("recording.failed", self._clock(), recording.call_id, data)

    async def _ask(self, asked: Awaitable[T]) -> T:
        """The vault's answer; keeps in mind whether it gave one."""
        try:
            answer = await asked
        except VaultAway as error:
            self._away(str(error))
            raise
        except Unsealable:
            self._answered()
            raise
        self._answered()
        return answer

    def _away(self, reason: str) -> None:
        self.standing.vault_away = reason
        if self._away_since_s is None:
            self._away_since_s = self._clock_s()

    def _answered(self) -> None:
        self.standing.vault_away, self._away_since_s = "", None


def _listened(recording: Recording) -> Listened:
    return Listened(recording.file, recording.channels, min(recording.talk_s or 0.0, evidence.LISTENED_S))


def _sealed(recording: Recording, sealed: Sealed) -> Recording:
    return evidence.sealed(recording, sealed.seal, sealed.sound_s, sealed.left_dbfs, sealed.right_dbfs)


def _sealed_event(recording: Recording, seal: Seal) -> Event:
    data = {
        "recording_id": recording.id,
        "kind": recording.kind,
        "sound_s": recording.sound_s,
        "expected_s": recording.expected_s,
        "stored_bytes": seal.stored_bytes,
        "sound_sha256": seal.sound_sha256,
    }
    return Event("recording.sealed", seal.sealed_at, recording.call_id, data)
