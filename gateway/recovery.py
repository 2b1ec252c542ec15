"""Recovery: whatever was killed when, each file of sound has a record and each record its sound, or it is told.

Counterparts: the vault's worker says what lies in a day's folder; `evidence.py` checks and seals what this puts before
it. At the start all days are gone through, the newest first, the old ones at leisure; every hour the last ones, and
those that could not be read.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import PurePosixPath

from gateway.defects import Defects
from gateway.domain import evidence
from gateway.domain.call import Call
from gateway.domain.change import Change
from gateway.domain.events import Event
from gateway.domain.recordings import CALL_SUFFIX, MESSAGE_SUFFIX, Kind, Recording, State
from gateway.evidence import Evidence
from gateway.ports import (
    EvidenceReads,
    Fate,
    LyingFile,
    Part,
    RawSounds,
    Store,
    StoreAway,
    Unsealable,
    Vault,
    VaultAway,
    VaultHindered,
)
from gateway.saving import Saving

log = logging.getLogger(__name__)

EVERY_S = 3600.0
RETRY_S = 5.0
"""Until the journal is read to its end, or the store and the vault are there again."""
AWAY_IN_A_ROW = 3
"""So many days in a row for which the vault does not answer: then it is the vault, and not a day's folder."""
LAST_DAYS = 3
"""Days that are gone through every hour: today and those before it."""
LEISURE = 4
"""So many times as long as an old day took nothing is done after it: there may be thousands of them, of millions of
calls, and whoever calls now comes before them."""
STRAY_AFTER = timedelta(minutes=10)
"""A file that nobody knows and that was changed since may be of a call that is yet to be told."""
ROWS_AT_ONCE = 250
"""Of a day: these and their files are in memory, and what they took the process keeps."""
SAVED_AT_ONCE = 20
"""Few at a time: calls are stored between them."""

_UNSEEN = "unseen"
"""Of a recording: it may be lost, and nobody can look."""

RAW = (CALL_SUFFIX, MESSAGE_SUFFIX)


class NotAllSettled(VaultAway):
    """The vault gave no answer about some days; all others are settled."""


class Recovery:
    """`is_told` says whether the journal is read to its end: then a call that nobody knows is none; `running_calls` are
    the ids of those that have not ended."""

    def __init__(
        self,
        *,
        store: Store,
        reads: EvidenceReads,
        saving: Saving,
        vault: Vault,
        sounds: RawSounds,
        evidence: Evidence,
        running_calls: Callable[[], Collection[str]],
        is_told: Callable[[], bool],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._reads = reads
        self._saving = saving
        self._vault = vault
        self._sounds = sounds
        self._evidence = evidence
        self._running_calls = running_calls
        self._is_told = is_told
        self._clock = clock
        self._unread: set[date] = set()
        """Days that could not be read when their turn came: they are tried again until they can."""

    async def run(self) -> None:
        """Settles what lies there, at the start and every hour, for ever."""
        defects, has_all, again_s = Defects("recordings_not_recovered"), False, RETRY_S
        while True:
            pause_s = RETRY_S
            try:
                if self._is_told():
                    days = await self._all_days() if not has_all else self._next_days()
                    await self.settle(days)
                    log.info("recordings_gone_through", extra={"days": len(days)})
                    has_all, pause_s, again_s = True, EVERY_S, RETRY_S
            except NotAllSettled as error:  # only those days are asked for again, and ever more seldom
                log.warning("recordings_not_recovered", extra={"reason": str(error)})
                has_all, pause_s, again_s = True, again_s, min(2 * again_s, EVERY_S)
            except (StoreAway, VaultAway, OSError) as error:
                log.warning("recordings_not_recovered", extra={"reason": str(error)})
            except Exception as error:  # noqa: BLE001  # a defect here must not end the history of calls
                defects.tell(error)
                pause_s = EVERY_S
            await asyncio.sleep(pause_s)

    async def settle(self, days: Iterable[date]) -> Counter[str]:
        """Settles those days (UTC); returns how many recordings were `linked`, `found`, `again`, `lost`, `ended` or had
        raw sound to be `discarded`. Raises StoreAway, VaultAway; NotAllSettled after all the others."""
        done: Counter[str] = Counter()
        away, in_a_row, last_days = "", 0, self._last_days()
        for day in days:
            try:
                of_day = await (self._settle_day(day) if day in last_days else self._settle_at_leisure(day))
            except VaultAway as error:  # it may be this day's folder: the others go on
                self._unread.add(day)
                away, in_a_row = away or f"{day}: {error}", in_a_row + (not isinstance(error, VaultHindered))
                if in_a_row == AWAY_IN_A_ROW:
                    raise
                continue
            except Unsealable as error:  # it is this day's folder: the others go on
                log.warning("recordings_not_recovered", extra={"day": day.isoformat(), "reason": str(error)})
                self._unread.add(day)
            else:
                if unseen := of_day.pop(_UNSEEN, 0):
                    log.warning("recordings_not_seen", extra={"day": day.isoformat(), "count": unseen})
                (self._unread.add if unseen else self._unread.discard)(day)
                done += of_day
            in_a_row = 0
        if done:
            log.info("recordings_settled", extra=dict(done))
        if away:
            raise NotAllSettled(away)
        return done

    def _next_days(self) -> list[date]:
        """What an hourly round goes through: the last days, and those that could not be read."""
        return sorted({*self._last_days(), *self._unread}, reverse=True)

    def _last_days(self) -> list[date]:
        today = self._clock().astimezone(UTC).date()
        return [today - timedelta(days=back) for back in range(LAST_DAYS)]

    async def _all_days(self) -> list[date]:
        """The newest first: what was running when something died comes before what is old."""
        today = self._clock().astimezone(UTC).date()
        first = min(await self._reads.first_day() or today, today)
        known = {first + timedelta(days=place) for place in range((today - first).days + 1)}
        return sorted(known | set(self._last_days()) | set(await self._sounds.days()), reverse=True)

    async def _settle_at_leisure(self, day: date) -> Counter[str]:
        began_s = time.monotonic()
        of_day = await self._settle_day(day)
        await asyncio.sleep(LEISURE * (time.monotonic() - began_s))
        return of_day

    async def _settle_day(self, day: date) -> Counter[str]:
        # the records first: one that is sealed by now has its file in a list that is made after it
        done = Counter(linked=await self._link(day))
        after: str | None = ""
        while after is not None:
            records = {each.id: each for each in await self._reads.of_day(day, after, ROWS_AT_ONCE)}
            until = max(records) if len(records) == ROWS_AT_ONCE else None
            lying = _Lying.of(await self._vault.files(*_whole(day), Part(after, until)), day)
            for recording in records.values():
                done[await self._settle(recording, lying, can_see=not done[_UNSEEN])] += 1
            for file in (*lying.raw.values(), *lying.sealed.values()):
                if file.id not in records:
                    done[await self._adopt(file)] += 1
            after = until
        del done[""]
        return +done

    async def _link(self, day: date) -> int:
        """Makes the records of calls that have none; returns how many."""
        count = 0
        while calls := await self._reads.unfollowed(day, SAVED_AT_ONCE):
            made = [each for call in calls for each in _of(call)]
            linked = await self._put(made)
            count += linked
            if not linked:
                break  # their names belong to others already
        return count

    async def _put(self, recordings: Sequence[Recording], events: tuple[Event, ...] = ()) -> int:
        """Stores those of which there is no record yet; returns how many."""
        async with self._saving.turn:
            there = await self._store.recordings([each.id for each in recordings])
            new = [each for each in recordings if each.id not in there]
            if new:
                await self._saving.save_in_turn(Change(recordings=tuple(new), events=events))
        return len(new)

    # ---------------------------------------------------------------- records, held against the files

    async def _settle(self, recording: Recording, lying: "_Lying", *, can_see: bool) -> str:
        """Settles one record; returns what was done, nothing where all is well. Unless it `can_see`, one that is
        missing is not looked for: a bucket that does not answer is waited for once a day's folder."""
        raw_file, is_sealed = lying.raw.get(recording.id), recording.id in lying.sealed
        has_sound = is_sealed or (raw_file is not None and raw_file.bytes > 0)
        match recording.state:
            case State.RUNNING:
                return await self._end(recording)
            case State.LOST | State.EMPTY if has_sound:
                has_raw = raw_file is not None and raw_file.bytes > 0
                return await self._look_again(recording, is_sealed=is_sealed and not has_raw)
            case State.EMPTY | State.LOST if raw_file is not None:
                await self._evidence.sealing.discard([recording])
                return "discarded"
            case State.SEALED if is_sealed and raw_file is not None:
                await self._evidence.sealing.discard([recording])
                return "discarded"
            case State.SEALED if not is_sealed and raw_file is not None and has_sound:
                return await self._look_again(recording)
            case State.SEALED if recording.seal is not None and recording.seal.stored in lying.names:
                # its manifest is gone, of which the night's look tells: it is heard, and held against its seal
                return ""
            case State.SEALED if not is_sealed:
                return await self._lose(recording, can_see=can_see)
        return ""

    async def _lose(self, recording: Recording, *, can_see: bool) -> str:
        """Tells that it is lost, unless it is there, or may be, or is destroyed: the record says that before the vault
        begins, and where the record is older, as after a restore, the chain of its day does."""
        known = await self._store.recording(recording.id)
        if known is None or known.state is not State.SEALED or known.destroyed_at is not None:
            return ""
        if not can_see:
            return _UNSEEN
        stored = recording.seal.stored if recording.seal else recording.file
        reason = f"its stored sound {stored} is not there any more"
        try:
            match await self._vault.fate(recording):
                case Fate.UNSEEN:
                    return _UNSEEN
                case Fate.THERE | Fate.DESTROYED:
                    return ""
        except Unsealable as error:
            reason = f"{reason}, and {error}"
        await self._evidence.sealing.lose(recording, reason)
        return "lost"

    async def _end(self, recording: Recording) -> str:
        """Ends the record of a call or a dial that is over."""
        over = None
        if recording.call_id is not None and recording.call_id not in self._running_calls():
            call = await self._reads.call(recording.call_id)
            if call is None or call.ended_at is not None:
                ended_at = self._clock()
                over = (
                    replace(recording, state=State.OVER, ended_at=ended_at)
                    if call is None
                    else evidence.ended_with(recording, call)
                )
        elif recording.dial_id is not None:
            dialled = await self._of_dial(recording.dial_id)
            over = dialled if dialled and dialled.state is State.OVER else None
        return "ended" if over and await self._replace(recording, over) else ""

    async def _look_again(self, recording: Recording, *, is_sealed: bool = False) -> str:
        again = evidence.to_look_at_again(recording, is_sealed=is_sealed)
        return "again" if await self._replace(recording, again) else ""

    async def _replace(self, was: Recording, new: Recording) -> bool:
        """Stores it, unless somebody has changed it since."""
        async with self._saving.turn:
            if await self._store.recording(was.id) != was:
                return False
            await self._saving.save_in_turn(Change(recordings=(new,)))
        return True

    # ---------------------------------------------------------------- files without a record

    async def _adopt(self, file: LyingFile) -> str:
        """Gives a file its record: that of its call or dial, or one of a stray. Returns what was done."""
        if await self._store.recording(file.id) is not None:
            return ""
        kind, owner = evidence.named(file.file) or (Kind.STRAY, "")
        known: Recording | None = None
        if kind is Kind.CALLBACK:
            known = await self._of_dial(owner)
        elif kind in (Kind.CALL, Kind.MESSAGE) and (call := await self._reads.call(owner)):
            if call.ended_at is None:
                return ""  # its end will make the record
            known = evidence.of_call(call) if kind is Kind.CALL else evidence.of_message(call, _raw_name(file, kind))
        # sealed sound is not looked at any more: it waits for its seal alone
        sound_s = 0.0 if file.is_sealed else None
        if known is not None and known.id == file.id:
            return "linked" if await self._put([replace(known, sound_s=sound_s)]) else ""
        if abs(self._clock() - file.changed_at) < STRAY_AFTER:
            return ""
        stray = Recording(
            file.id,
            Kind.STRAY,
            _raw_name(file, kind),
            file.changed_at,
            state=State.OVER,
            ended_at=file.changed_at,
            sound_s=sound_s,
        )
        data = {"recording_id": stray.id, "file": file.file, "size_bytes": file.bytes}
        found = await self._put([stray], (Event("recording.found", self._clock(), data=data),))
        self._evidence.standing.told["found"] += found
        return "found" if found else ""

    async def _of_dial(self, dial_id: str) -> Recording | None:
        number = dial_id.partition("-")[0]
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            return None
        task = await self._store.callback(int(number))
        dials = () if task is None else task.dials
        return next((evidence.of_dial(dial) for dial in dials if dial.id == dial_id), None)


def _of(call: Call) -> list[Recording]:
    made = [] if call.message is None else [evidence.of_message(call, call.message)]
    sound = evidence.of_call(call)
    return made if sound is None else [sound, *made]


def _raw_name(file: LyingFile, kind: Kind) -> str:
    """The name of its raw sound, whether that is still there or not."""
    if not file.is_sealed:
        return file.file
    suffix = MESSAGE_SUFFIX if kind is Kind.MESSAGE else CALL_SUFFIX
    return str(PurePosixPath(file.file).parent / f"{file.id}{suffix}")


@dataclass(frozen=True, slots=True)
class _Lying:
    """What lies in a day's folder, by the recordings' ids, and the names of all of it."""

    raw: Mapping[str, LyingFile]
    sealed: Mapping[str, LyingFile]
    names: Collection[str]

    @classmethod
    def of(cls, files: Iterable[LyingFile], day: date) -> "_Lying":
        of_day = [each for each in files if each.file.startswith(f"{day:%Y/%m/%d}/")]
        return cls(
            {each.id: each for each in of_day if not each.is_sealed and each.file.endswith(RAW)},
            {each.id: each for each in of_day if each.is_sealed},
            {each.file for each in of_day},
        )


def _whole(day: date) -> tuple[datetime, datetime]:
    since = datetime.combine(day, time_of_day(), UTC)
    return since, since + timedelta(days=1) - timedelta(microseconds=1)
