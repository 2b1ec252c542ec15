"""Sealing: what is over and was looked at is sealed by the vault's worker, and its raw sound discarded. A call never
waits for any of it.

Counterparts: `evidence.py` looks at the sound first, and runs this; the vault's worker (`ports.Vault`) seals;
`recovery.py` settles what a crash has left.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from gateway.domain import evidence
from gateway.domain.change import Change
from gateway.domain.events import Event
from gateway.domain.evidence import Space, Verification
from gateway.domain.overload import Luxuries
from gateway.domain.recordings import Recording, Seal, State
from gateway.ports import EvidenceReads, Moving, RecordingCounts, Sealed, Store, Unsealable, Vault, VaultAway, VaultDown
from gateway.saving import Saving

log = logging.getLogger(__name__)

T = TypeVar("T")

SEALED_AT_ONCE = 50
STORED_EVERY_S = 2.0
"""What came of the sealing is stored together: a transaction each costs more than a call does. What a crash leaves
unstored is found."""
PUT_OFF_S = 10.0
"""A recording at which the worker gave up waits so long, and others come first."""
REMEMBERED_S = 3600.0
"""So long after it is known that it was put off: a round through others may last."""
KEPT = 1000
"""Recordings that are put off, or whose raw sound is still to be discarded, that are kept in mind; `recovery.py` finds
the others."""


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
    away_since_s: float | None = None
    """By the clock that never leaps; None where it answers."""
    moving: Moving | None = None
    """None where sound lies on the disk alone, or until it is known."""
    verification: Verification | None = None
    """None where the vault is not verified each night, or until it is known."""
    told: Counter[str] = field(default_factory=Counter)
    """Since the start: how many were `sealed`, `failed`, `lost` or `found`."""
    counts_due_at_s: float = 0.0
    """By the clock that never leaps."""

    def is_away(self, reason: str, now_s: float) -> None:
        """The vault's worker does not answer."""
        self.vault_away = reason
        if self.away_since_s is None:
            self.away_since_s = now_s

    def is_back(self) -> None:
        """It answers."""
        self.vault_away, self.away_since_s = "", None


@dataclass(frozen=True, slots=True)
class _PutOff:
    """Until when a recording is put off, by the clock that never leaps, and how many had been sealed when it was."""

    until_s: float
    sealed: int


class Sealing:
    """`clock_s` is a clock that never leaps, in seconds; `standing` is kept up to date, and its `space` obeyed;
    `luxuries` says how long what is over must wait."""

    def __init__(
        self,
        *,
        store: Store,
        reads: EvidenceReads,
        saving: Saving,
        vault: Vault,
        standing: Standing,
        clock: Callable[[], datetime],
        clock_s: Callable[[], float],
        luxuries: Callable[[], Luxuries],
    ) -> None:
        self._store = store
        self._reads = reads
        self._saving = saving
        self._vault = vault
        self._luxuries = luxuries
        self._standing = standing
        self._clock = clock
        self._clock_s = clock_s
        self._undiscarded: dict[str, Recording] = {}
        """Sealed, empty or lost."""
        self._put_off: dict[str, _PutOff] = {}

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
        self._put_off = {key: each for key, each in self._put_off.items() if each.until_s + REMEMBERED_S > now_s}
        put_off = {key for key, each in self._put_off.items() if each.until_s > now_s}
        waiting = await self._reads.sealable(self._clock(), SEALED_AT_ONCE + len(put_off))
        due = [each for each in waiting if each.id not in put_off and not self._waits(each)][:SEALED_AT_ONCE]
        came: dict[str, Sealed | Unsealable] = {}
        stored_at_s = self._clock_s()
        for recording in due:
            if self._standing.space is None or self._standing.space.stops_sealing or self._waits(recording):
                await self._store_what_came(came)
                return False
            try:
                came[recording.id] = await self._seal(recording)
                self._put_off.pop(recording.id, None)
            except VaultAway as error:
                if not isinstance(error, VaultDown):
                    await self._put_off_or_fail(recording, error)
                await self._store_what_came(came)
                raise
            if self._clock_s() - stored_at_s >= STORED_EVERY_S:
                await self._store_what_came(came)
                came, stored_at_s = {}, self._clock_s()
        await self._store_what_came(came)
        return len(due) == SEALED_AT_ONCE

    def _waits(self, recording: Recording) -> bool:
        """Whether it is left for later, because there is too much to do."""
        wait_s = self._luxuries().waveforms
        over_at = recording.ended_at or recording.started_at
        return wait_s > 0 and self._clock() - over_at < timedelta(seconds=wait_s)

    async def _seal(self, recording: Recording) -> Sealed | Unsealable:
        try:
            return await self._ask(self._vault.seal(recording))
        except Unsealable as failure:
            return failure

    async def _put_off_or_fail(self, recording: Recording, error: VaultAway) -> None:
        """It may be this sound at which the worker gives up: others come first, and where they are sealed it is."""
        before = self._put_off.pop(recording.id, None)
        if before is not None and self._standing.told["sealed"] > before.sealed:
            await self._fail({recording.id: Unsealable(str(error))}, State.OVER)
        elif len(self._put_off) < KEPT:
            until_s = self._clock_s() + PUT_OFF_S
            self._put_off[recording.id] = _PutOff(until_s, self._standing.told["sealed"])

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
        self._standing.told["sealed"] += len(done)
        await self.discard(done)

    def remember_to_discard(self, recording: Recording) -> None:
        if len(self._undiscarded) < KEPT:
            self._undiscarded[recording.id] = recording

    async def discard(self, recordings: Sequence[Recording]) -> None:
        """Has the raw sound of sealed recordings deleted, or the files without a byte of those that are empty or lost;
        what does not agree with its seal as it is stored waits to be sealed again. Raises StoreAway, VaultAway."""
        for each in recordings:
            self.remember_to_discard(each)
        refused = await self._ask(self._vault.discard_raw(recordings)) if recordings else {}
        await self._fail({key: each for key, each in refused.items() if not each.is_sealed}, State.SEALED)
        for key in (key for key, each in refused.items() if each.is_sealed):
            # what is sealed stays so, whatever somebody lays beside it; the night's look names that
            log.warning("raw_sound_not_discarded", extra={"recording": key, "reason": str(refused[key])})
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
            events = tuple(failed_event(each, self._clock()) for each in news)
            await self._saving.save_in_turn(Change(recordings=tuple(failed), events=events))
        self._standing.counts_due_at_s = 0.0
        self._standing.told.update("lost" if each.state is State.LOST else "failed" for each in news)
        for each in failed:
            is_lost = each.state is State.LOST
            if is_lost:
                self.remember_to_discard(each)
            told = {"call": each.call_id, "recording": each.id, "reason": each.problem, "lost": is_lost}
            log.warning("recording_not_sealed", extra=told)

    async def _ask(self, asked: Awaitable[T]) -> T:
        """The vault's answer; keeps in mind whether it gave one."""
        try:
            answer = await asked
        except VaultAway as error:
            self._standing.is_away(str(error), self._clock_s())
            raise
        except Unsealable:
            self._standing.is_back()
            raise
        self._standing.is_back()
        return answer


def failed_event(recording: Recording, at: datetime) -> Event:
    """That something is wrong with its sound."""
    data = {
        "recording_id": recording.id,
        "reason": recording.problem,
        "is_lost": recording.state is State.LOST,
    }
    return Event("recording.failed", at, recording.call_id, data)


def _sealed(recording: Recording, sealed: Sealed) -> Recording:
    levels = sealed.left_dbfs, sealed.right_dbfs
    return evidence.sealed(recording, sealed.seal, sealed.sound_s, *levels, sealed.faults)


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
