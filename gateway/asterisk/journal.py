"""Reads Asterisk's journal: each record once, in order, through rotation, whatever dies when.

Counterparts: `asterisk-config/cel_custom.conf` writes it; `segments.py` knows one file of it; `gateway/centre.py`
stores each reading together with the positions that it brought, in one transaction.

The journal is a folder of segments: `journal.csv`, which Asterisk appends to, and what it was renamed to before
(`journal.csv.1`, `journal-20261123.csv`, any name that begins with `journal`). A segment's name for itself is its first
record, which no other segment can have: so a position stays true however files are renamed, copied or restored, and a
file that was truncated and begun anew is a new segment.
"""

import asyncio
import errno
import logging
import stat
import threading
import time
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.asterisk.record import MAX_RECORD_BYTES, Unreadable, parse, split
from gateway.asterisk.reserve import Reserve
from gateway.asterisk.segments import Last, Segment, begins_with, end_after, ends_a_record, head_of, last_time
from gateway.asterisk.translator import translate
from gateway.domain.change import Position, SetAside
from gateway.domain.facts import AnyFact
from gateway.ports import Reading, StoreAway

log = logging.getLogger(__name__)

CURRENT = "journal.csv"
CHUNK_BYTES = 262_144
"""The most that one reading takes: about 60 calls' worth."""

QUIET_POLL_S = 0.25
BUSY_POLL_S = 0.01
"""After the door bell, and while records keep coming, the journal is looked at this often."""
BUSY_FOR_S = 0.5
GROUP_A_FACT_S = 0.003
GROUP_LIMIT_S = 0.06
"""After a reading that took all there was, more is let come, the longer the more that reading brought: a single call is
told at once, and under load one commit serves many records, where each commit costs as much as its records do."""
LAST_BYTES = 256
"""So much of what was read last is kept in mind, to be found in its place again."""
SCAN_EVERY_S = 1.0
"""How often the whole folder is looked through. In between only the segment that Asterisk appends to is."""
BAD_DISK = frozenset({errno.EIO, errno.ENODATA, errno.EBADMSG, errno.EUCLEAN})
"""What a disk says of a place that it cannot read; whatever else keeps a file from being read may be over at once."""
BAD_FOR_S = 60.0
OLD_LIMIT_S = 5.0
"""How long the disk may take over a piece of an old segment: on a bad sector it may try for minutes."""
FAR_BEHIND_BYTES = 1_000_000
"""About 4,000 records, more than is read in CATCH_UP_LIMIT_S: nobody waits for it, and health says so."""
STORE_RETRY_S = 0.5
UNREAD = "the journal cannot be read"
"""What `waits` begins with where it is not the store that keeps calls from being stored."""
CATCH_UP_LIMIT_S = 1.0


@dataclass(frozen=True, slots=True)
class _Bad:
    """So much of a segment cannot be read; it is left alone until then, by the monotonic clock."""

    until: float
    bytes: int


class Journal:
    """The reader. `clock` gives the time, for what must be set aside."""

    def __init__(self, folder: Path, *, rotate_at_bytes: int, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._rotate_at_bytes = rotate_at_bytes
        self._clock = clock
        self._heads: dict[tuple[int, int], tuple[str, bytes]] = {}
        self._current: tuple[int, int] | None = None
        self._current_key: str | None = None
        """The key of the segment that Asterisk appends to."""
        self._scanned_at = 0.0
        self._bad: dict[str, _Bad] = {}
        """Old segments with a rest that the disk does not give, by the names of their files."""
        self._hanging: Future[bytes | None] | None = None
        """The look at an old segment that the disk has not answered yet."""
        self._bell = asyncio.Event()
        self._caught_up = asyncio.Condition()
        self._caught_up_to = 0.0
        self.turned_s = 0.0
        """When the reader last came round, by the loop's clock: it does so all the time, also where nothing can be read
        or stored."""
        self._taken_bytes = 0
        self._reserve = Reserve()
        self._not_rotated: set[str] = set()
        self._unread: set[str] = set()
        """Files that cannot be read, and were told."""
        self._trusted: set[str] = set()
        """Segments that were seen to hold what was read of them."""
        self._lasts: dict[str, Last] = {}
        """What was read last, by segment."""
        self.waits = ""
        """Why what was read cannot be stored, or nothing be read; empty where all is well."""
        self.lag_bytes = 0
        """What is written and not yet stored, as of the last look."""

    @property
    def unread_bytes(self) -> dict[str, int]:
        """What the disk does not give of old segments, by the names of their files: it is no part of `lag_bytes`, for
        no call of now waits for it."""
        return {name: bad.bytes for name, bad in self._bad.items()}

    @property
    def is_drained(self) -> bool:
        return self.lag_bytes == 0

    @property
    def _is_far_behind(self) -> bool:
        return self.lag_bytes > FAR_BEHIND_BYTES

    @property
    def is_told(self) -> bool:
        """Whether all that was written when this began is stored."""
        return self._caught_up_to > 0

    @property
    def behind_s(self) -> float:
        """How old what Asterisk wrote and is not stored yet may be: since the last look that took all there was. What
        was found at the start, and what waits for a store that is away, is not counted: that is no lack of speed."""
        if not self.is_told or self.waits:
            return 0.0
        return asyncio.get_running_loop().time() - self._caught_up_to

    def ring(self) -> None:
        """The door bell: the journal has probably grown."""
        self._bell.set()

    async def catch_up(self) -> bool:
        """True once what Asterisk had written by now is stored; False after CATCH_UP_LIMIT_S where it cannot be, and at
        once where much is still to be read, as after a long time away."""
        now = asyncio.get_running_loop().time()
        self.ring()
        try:
            async with asyncio.timeout(CATCH_UP_LIMIT_S), self._caught_up:
                await self._caught_up.wait_for(lambda: self._caught_up_to >= now or self._is_far_behind)
        except TimeoutError:
            return False
        return self._caught_up_to >= now

    async def follow(
        self,
        positions: Callable[[], Awaitable[Mapping[str, Position]]],
        record: Callable[[Reading], Awaitable[None]],
        resume: Callable[[], Awaitable[None]],
    ) -> None:
        """Reads on for ever: `positions` tells how far is stored, `record` stores a reading, `resume` takes up the
        stored state again after the store was away. Where the store is away the journal waits on its disk."""
        # of its own: all threads that others share may be taken, by calendars as by names that no name server resolves
        thread = ThreadPoolExecutor(1, "journal")
        try:
            await self._follow(thread, positions, record, resume)
        finally:
            thread.shutdown(wait=False)

    async def _follow(
        self,
        thread: ThreadPoolExecutor,
        positions: Callable[[], Awaitable[Mapping[str, Position]]],
        record: Callable[[Reading], Awaitable[None]],
        resume: Callable[[], Awaitable[None]],
    ) -> None:
        stored: dict[str, Position] | None = None
        loop = asyncio.get_running_loop()
        busy_until = 0.0
        while True:
            self.turned_s = loop.time()
            try:
                if stored is None:
                    await resume()
                    stored = dict(await positions())
                began = loop.time()
                reading = await loop.run_in_executor(thread, self.read, stored)
                if self._is_far_behind:
                    await self._wake()
                if reading is not None:
                    await record(reading)
                    stored.update(reading.positions)
                    self.lag_bytes = max(0, self.lag_bytes - self._taken_bytes)
                    self._taken_bytes = 0
                if self.is_drained:
                    self._caught_up_to = began
                    await self._wake()
            except StoreAway as error:
                self._wait(str(error))
                stored = None
                await asyncio.sleep(STORE_RETRY_S)
                continue
            except OSError as error:
                self._wait(f"{UNREAD}: {error}")
                await asyncio.sleep(STORE_RETRY_S)
                continue
            self.waits = ""
            if reading is not None:
                busy_until = loop.time() + BUSY_FOR_S
                if self.is_drained:
                    await asyncio.sleep(min(GROUP_LIMIT_S, GROUP_A_FACT_S * len(reading.facts)))
                continue
            await self._pause(BUSY_POLL_S if loop.time() < busy_until else QUIET_POLL_S)

    async def _wake(self) -> None:
        """Has those who wait for the journal's end look where it is."""
        async with self._caught_up:
            self._caught_up.notify_all()

    def _wait(self, reason: str) -> None:
        """Says why the journal waits on its disk; in the log once, not with every try."""
        if reason != self.waits:
            log.warning("journal_waits", extra={"reason": reason})
        self.waits = reason

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return
        self._bell.clear()
        # the bell rings as the record is on its way: a moment later it is written
        await asyncio.sleep(BUSY_POLL_S / 2)

    def read(self, positions: Mapping[str, Position]) -> Reading | None:
        """What lies after `positions`, at most CHUNK_BYTES of it; None when there is nothing. Blocking: disk."""
        self._taken_bytes = 0
        segments = self._looked_at()
        self._see_to_room(segments)
        for segment in segments:
            try:
                lost = self._lost_end(segment, positions.get(segment.key))
            except OSError as error:
                self._leave(segment, segment.size_bytes, error)
                continue
            if lost is not None:
                self.lag_bytes = max(1, self.lag_bytes)  # what follows is not looked at yet
                return lost
        starts = {key: position.offset for key, position in positions.items()}
        unread = [
            segment
            for segment in segments
            if segment.size_bytes > starts.get(segment.key, 0) and not self._is_left(segment.path)
        ]
        self.lag_bytes = sum(segment.size_bytes - starts.get(segment.key, 0) for segment in unread)
        for segment in unread:
            start = starts.get(segment.key, 0)
            try:
                chunk = self._whole_lines(segment, start)
            except OSError as error:
                self._leave(segment, segment.size_bytes - start, error)
                self.lag_bytes -= segment.size_bytes - start
                continue
            if chunk is None:
                return None  # what came after it is not read before it: it is found under its new name at the next look
            if chunk:
                self._taken_bytes = len(chunk)
                self._lasts[segment.key] = Last(start + len(chunk), chunk[-LAST_BYTES:])
                self._rotate_if_large(segment, start + len(chunk))
                return self._reading(segment, positions.get(segment.key, Position(0)), chunk)
        # what is left is the beginning of a record that is being written
        self.lag_bytes = 0
        self._forget_bad({each.path.name for each in segments if not self._is_left(each.path)})
        return None

    def _leave(self, segment: Segment, size_bytes: int, error: OSError) -> None:
        """Leaves an old segment that the disk does not give alone for a while: it holds up no call of now. Raises the
        error for the one that Asterisk appends to, and where it may be over at once."""
        if segment.path.name == CURRENT or not (error.errno in BAD_DISK or isinstance(error, TimeoutError)):
            raise error
        self._trusted.discard(segment.key)
        self._keep_bad(segment.path, size_bytes, error)

    def _keep_bad(self, path: Path, size_bytes: int, error: OSError) -> None:
        self._tell_unread(path, error)
        # a new one each time: `unread_bytes` is asked from another thread
        self._bad = {**self._bad, path.name: _Bad(time.monotonic() + BAD_FOR_S, size_bytes)}

    def _forget_bad(self, names: Container[str]) -> None:
        self._bad = {name: bad for name, bad in self._bad.items() if name not in names}

    def _is_left(self, path: Path) -> bool:
        bad = self._bad.get(path.name)
        return bad is not None and bad.until > time.monotonic()

    def _see_to_room(self, segments: Iterable[Segment]) -> None:
        """What Asterisk appends to has room ahead of it, and nothing else has."""
        self._reserve.keep(self._folder / CURRENT)
        for segment in segments:
            if segment.path.name != CURRENT:
                self._reserve.give_back(segment.path)

    def _lost_end(self, segment: Segment, position: Position | None) -> Reading | None:
        """The step back where a segment does not hold any more what was read of it: its end was lost (a power cut, a
        restored backup, somebody's hand), and may have been written over since. Read on after the last record that is
        stored, by the records' own times; None where all is well. Looked at once for each segment, and whenever one is
        shorter than it was, or longer: between two looks it may have lost its end and have been written on."""
        if position is None:
            return None
        is_trusted = segment.key in self._trusted
        self._trusted.add(segment.key)
        if segment.size_bytes >= position.offset:
            last = self._lasts.get(segment.key)
            if not is_trusted and ends_a_record(segment.path, position):
                return None
            if is_trusted and (last is None or last.is_there(segment, position)):
                return None
        self._lasts.pop(segment.key, None)
        start = end_after(segment.path, position.tail)
        if start >= position.offset:
            return None
        log.warning("journal_lost_its_end", extra={"segment": segment.key, "from": start, "to": position.offset})
        lost = f"segment {segment.key}, bytes {start} to {position.offset}"
        reason = "the journal lost its end: these were read, and are not there any more"
        return Reading(
            set_aside=(SetAside(self._clock(), "journal", reason, lost),),
            positions={segment.key: Position(start, position.tail, is_back=True)},
        )

    def _looked_at(self) -> list[Segment]:
        """The segments that are to be read. Where the one that Asterisk appends to has begun anew under the same name
        (it was copied and truncated), the rest of what it was lies elsewhere, and comes first."""
        segments = self._segments(self._to_look_at())
        key = next((each.key for each in segments if each.path.name == CURRENT), None)
        if key == self._current_key:
            return segments
        self._current_key = key
        self._scanned_at = time.monotonic()
        return self._segments(self._all())

    def _to_look_at(self) -> list[Path]:
        """The whole folder after a rotation, while there is more to read, and every SCAN_EVERY_S; else one file."""
        current = self._folder / CURRENT
        try:
            state = current.stat()
            identity = (state.st_ino, state.st_dev)
        except FileNotFoundError:
            identity = None
        now = time.monotonic()
        if identity == self._current and not self.lag_bytes and now - self._scanned_at < SCAN_EVERY_S:
            return [current] if identity else []
        self._current, self._scanned_at = identity, now
        return self._all()

    def _all(self) -> list[Path]:
        there = {path.name: path for path in self._folder.glob("journal*")}
        self._forget_bad(self._bad.keys() - there.keys())
        return list(there.values())

    def _segments(self, paths: Iterable[Path]) -> list[Segment]:
        """The segments among `paths`, oldest first. A file without a whole record is not yet a segment."""
        found: list[Segment] = []
        for path in paths:
            if self._is_left(path):
                continue
            size_bytes = 0
            try:
                state = path.stat()
                if not stat.S_ISREG(state.st_mode):
                    continue  # a folder or a pipe is none of Asterisk's
                size_bytes = state.st_size
                head = self._heads.get((state.st_ino, state.st_dev))
                if head is None or state.st_size < len(head[1]) or not begins_with(path, head[1]):
                    head = head_of(path)
                    if head is None:
                        continue
                    self._heads[(state.st_ino, state.st_dev)] = head
                found.append(Segment(path, head[0], head[1], state.st_size))
            except FileNotFoundError:
                continue  # renamed under our eyes: it is found under its new name at the next look
            except OSError as error:
                if path.name == CURRENT:
                    raise
                # what somebody left there for himself, or an old one on a bad sector, holds up no call of now
                if error.errno in BAD_DISK:
                    self._keep_bad(path, size_bytes, error)
                else:
                    self._tell_unread(path, error)
        # while a segment is copied away there are two of it: the longer one has all
        longest: dict[str, Segment] = {}
        for segment in sorted(found, key=lambda each: (each.size_bytes, each.path.name == CURRENT)):
            longest[segment.key] = segment
        return sorted(longest.values(), key=lambda segment: (segment.begins, segment.path.name))

    def _tell_unread(self, path: Path, error: OSError) -> None:
        if path.name not in self._unread:
            self._unread.add(path.name)
            log.error("journal_segment_unreadable", extra={"file": path.name, "reason": error.strerror or str(error)})

    def _whole_lines(self, segment: Segment, start: int) -> bytes | None:
        """The bytes of `segment` from `start` to the end of its last whole line within reach; None where it has another
        name by now. Raises OSError; TimeoutError where the disk has not given an old one within OLD_LIMIT_S."""
        if segment.path.name == CURRENT:
            chunk = _piece(segment, start)
        else:
            if self._hanging is not None and not self._hanging.done():
                raise TimeoutError("the disk has not answered an earlier look")
            self._hanging = _on_its_own(lambda: _piece(segment, start))
            chunk = self._hanging.result(OLD_LIMIT_S)
        if chunk is None:
            return None
        end = chunk.rfind(b"\n") + 1
        if end == 0 and len(chunk) >= MAX_RECORD_BYTES:
            return chunk  # longer than any record: not a line of ours, kept aside in pieces
        if end == 0 and segment.path.name != CURRENT and start + len(chunk) == segment.size_bytes:
            return chunk  # torn off for ever: nobody writes to a renamed segment any more
        return chunk[:end]

    def _reading(self, segment: Segment, position: Position, chunk: bytes) -> Reading:
        facts: list[AnyFact] = []
        aside: list[SetAside] = []
        for line in chunk.split(b"\n"):
            for part in split(line):
                try:
                    fact = translate(parse(part))
                except Unreadable as error:
                    aside.append(self._aside(part, str(error)))
                except Exception as error:  # whatever it is, one record must not stop the rest
                    log.exception("record_not_understood")
                    aside.append(self._aside(part, repr(error)))
                else:
                    if fact is not None:
                        facts.append(fact)
        tail = last_time(chunk) or position.tail
        return Reading(tuple(facts), tuple(aside), {segment.key: Position(position.offset + len(chunk), tail)})

    def _aside(self, part: bytes, reason: str) -> SetAside:
        return SetAside(self._clock(), "journal", reason, part.decode("utf-8", "backslashreplace"))

    def _rotate_if_large(self, segment: Segment, end: int) -> None:
        """Gives the current segment a name of its own once it is large. Asterisk opens the file anew for each record,
        so the next one begins a new `journal.csv`; one that is just being written ends in this segment, and is read
        there."""
        if segment.path.name != CURRENT or end < self._rotate_at_bytes:
            return
        try:
            self._reserve.refuse_without_room(self._folder)
            segment.path.rename(segment.path.with_name(f"journal-{segment.key}.csv"))
        except OSError as error:  # a large file is read as well as a small one
            if segment.key not in self._not_rotated:
                log.warning("journal_not_rotated", extra={"segment": segment.key, "reason": str(error)})
                self._not_rotated.add(segment.key)
        else:
            log.info("journal_rotated", extra={"segment": segment.key, "size_bytes": end})


def _piece(segment: Segment, start: int) -> bytes | None:
    """At most CHUNK_BYTES of it from there on, and no less than a whole line where there is one; None where it has
    another name by now. Raises OSError. Blocking: disk."""
    try:
        # unbuffered: of a piece with a bad sector in it the system gives what comes before that
        with segment.path.open("rb", buffering=0) as file:
            if file.read(len(segment.begins)) != segment.begins:
                return None  # another file has taken the name
            file.seek(start)
            chunk = file.read(CHUNK_BYTES)
            if b"\n" not in chunk and len(chunk) < CHUNK_BYTES:
                chunk += file.read(CHUNK_BYTES - len(chunk))  # nothing at its end; on a bad sector that is an error
            return chunk
    except FileNotFoundError:
        return None


def _on_its_own(look: Callable[[], bytes | None]) -> Future[bytes | None]:
    """Looks on a thread of its own, which nobody waits for at the end of the process."""
    looked = Future[bytes | None]()

    def run() -> None:
        try:
            looked.set_result(look())
        except BaseException as error:  # noqa: BLE001  # it is raised where the result is asked for
            looked.set_exception(error)

    threading.Thread(target=run, name="old journal", daemon=True).start()
    return looked
