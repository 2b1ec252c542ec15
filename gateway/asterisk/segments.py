"""One file of Asterisk's journal: what it is known by, whether it still holds what was read of it, and where to read on
where it does not. All of it blocks: disk.

Counterpart: `journal.py`, which reads all of them in their order.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gateway.asterisk.record import FORM, MAX_RECORD_BYTES, split
from gateway.domain.change import Position

SET_BACK_S = 2
"""Records are written in their order, but for less than that: what is earlier is by another clock."""
_TIME = re.compile(rb"[0-9]{1,11}\.[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the journal. `key` names it by its first record; `begins` is that record, for the order."""

    path: Path
    key: str
    begins: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Last:
    """The last bytes that were read of a segment, up to `end`."""

    end: int
    data: bytes

    def is_there(self, segment: Segment, position: Position) -> bool:
        """Whether they still are. Where the position is another one, or nothing was added, nobody needs to know."""
        if position.offset != self.end or segment.size_bytes == self.end:
            return True
        try:
            with segment.path.open("rb") as file:
                file.seek(self.end - len(self.data))
                return file.read(len(self.data)) == self.data
        except FileNotFoundError:
            return True  # renamed under our eyes: it is found under its new name at the next look


def segment_key(file: BinaryIO) -> str | None:
    """What a segment is known by: its first record; None while that is not whole."""
    head = _first_record(file)
    return None if head is None else head[0]


def head_of(path: Path) -> tuple[str, bytes] | None:
    """A segment's key and first line; None while its first line is not whole."""
    with path.open("rb") as file:
        return _first_record(file)


def _first_record(file: BinaryIO) -> tuple[str, bytes] | None:
    first = file.readline(MAX_RECORD_BYTES)
    if not first.endswith(b"\n") and len(first) < MAX_RECORD_BYTES:
        return None
    return hashlib.sha256(first).hexdigest()[:32], first


def begins_with(path: Path, head: bytes) -> bool:
    """Whether it still is the file that began so."""
    with path.open("rb") as file:
        return file.read(len(head)) == head


def ends_a_record(path: Path, position: Position) -> bool:
    """Whether a record of the position's time ends there."""
    with path.open("rb") as file:
        file.seek(max(0, position.offset - MAX_RECORD_BYTES))
        before = file.read(min(position.offset, MAX_RECORD_BYTES))
    return not position.tail or (before.endswith(b"\n") and last_time(before) == position.tail)


def end_after(path: Path, tail: str) -> int:
    """Where the last record ends that is not later than `tail`; the file's end where no time is known.

    A machine that comes back from a power cut may have a clock that is behind: what it has written since then is not
    later either, and was not read. So nothing counts from where the clock was set back, unless `tail` itself is from
    after that: then it is less than what the clock had shown, or the clock has passed that since."""
    if not tail:
        return path.stat().st_size
    last, place, end = _number(tail), 0, 0
    newest = (0, 0)
    set_back: tuple[int, tuple[int, int]] | None = None
    with path.open("rb") as file:
        for line in file:
            time = last_time(line)
            at = _number(time) if time else newest
            if at[0] < newest[0] - SET_BACK_S:
                if set_back is None or last < set_back[1]:
                    set_back = place, newest
                newest = at
            place += len(line)
            if line.endswith(b"\n") and time and at <= last:
                end = place
            newest = max(newest, at)
            if set_back is not None and set_back[1] < at <= last:
                set_back = None
    return end if set_back is None or last < set_back[1] else min(end, set_back[0])


def last_time(lines: bytes) -> str:
    """The time of the last record in these lines, as it stands there; empty where there is none."""
    end = len(lines)
    while end > 0:
        start = lines.rfind(b"\n", 0, end) + 1
        for part in reversed(split(lines[start:end])):
            time = part[len(FORM) :].partition(b",")[0] if part.startswith(FORM) else b""
            if _TIME.fullmatch(time):
                return time.decode()
        end = start - 1
    return ""


def _number(time: str) -> tuple[int, int]:
    seconds, _, micros = time.partition(".")
    return int(seconds), int(micros.ljust(6, "0"))
