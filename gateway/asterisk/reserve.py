"""Room on the disk that belongs to the journal: what Asterisk will write next already has its place there, so that a
disk which is full, from whatever, costs no record.

Counterpart: `journal.py`, which reads the file that is reserved for. Asterisk opens it anew for each record and appends
(cel_custom); what it appends goes into the room that was set aside beyond the file's end (fallocate(2),
FALLOC_FL_KEEP_SIZE). Where a file system knows no such thing, all is as without it.
"""

import ctypes
import errno
import logging
import os
import time
from pathlib import Path

log = logging.getLogger(__name__)

AHEAD_BYTES = 16 * 1024 * 1024
"""About 4,000 calls' worth."""
AGAIN_S = 1.0
"""No oftener than so is room for the same file asked for."""
QUIET_S = 5.0
"""A file that was renamed so long ago has got the record that was on its way into it."""

_KEEP_SIZE = 1


class Reserve:
    """Keeps the room. What there is is looked up on the disk itself: a file that somebody truncated has lost its own.
    All of it blocks: disk."""

    def __init__(self, ahead_bytes: int = AHEAD_BYTES) -> None:
        self._ahead_bytes = ahead_bytes
        self._asked: tuple[int, float] = (0, 0.0)
        """For which inode room was asked for last, and when, by the clock that never leaps."""
        self._renamed_s: dict[int, float] = {}
        """By inode, when a file was first seen with room under another name, by the clock that never leaps."""
        self._told = ""

    def keep(self, path: Path) -> None:
        """Sees to it that between half of the room and all of it lies ahead of the file's end, where there is one."""
        try:
            state, now_s = path.stat(), time.monotonic()
            inode, asked_s = self._asked
            if _room_bytes(state) >= self._ahead_bytes // 2 or (inode == state.st_ino and now_s < asked_s + AGAIN_S):
                return
            self._asked = (state.st_ino, now_s)
            allocate(path, state.st_size, self._ahead_bytes)
        except FileNotFoundError:
            return
        except OSError as error:
            reason = error.strerror or str(error)
            if reason != self._told:
                log.warning("journal_not_reserved", extra={"reason": reason})
            self._told = reason
        else:
            self._told = ""

    def give_back(self, path: Path) -> None:
        """Frees what lies beyond the end of a file that is not appended to any more, once it has been quiet."""
        try:
            state, now_s = path.stat(), time.monotonic()
            if _room_bytes(state) < self._ahead_bytes // 4:
                self._renamed_s.pop(state.st_ino, None)
            elif now_s - self._renamed_s.setdefault(state.st_ino, now_s) >= QUIET_S:
                self._renamed_s[state.st_ino] = now_s
                with path.open("r+b") as file:
                    file.truncate(os.fstat(file.fileno()).st_size)
        except FileNotFoundError:
            return
        except OSError as error:  # it is room, and no more
            log.warning("journal_reserve_not_freed", extra={"reason": str(error)})

    def refuse_without_room(self, folder: Path) -> None:
        """Raises OSError where a new file would find no room for itself and a reserve of its own."""
        space = os.statvfs(folder)
        if space.f_bavail * space.f_frsize < 2 * self._ahead_bytes:
            raise OSError(errno.ENOSPC, "a new one would find no room on the disk")


def _room_bytes(state: os.stat_result) -> int:
    """What a file has of the disk, and does not use."""
    return state.st_blocks * 512 - state.st_size


def allocate(path: Path, start: int, length: int) -> None:
    """Room in a file beyond its end, which stays where it is. Raises OSError; with ENOSYS where the system has none."""
    call = getattr(_libc, "fallocate64", None) or getattr(_libc, "fallocate", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    descriptor = os.open(path, os.O_WRONLY)
    try:
        if call(descriptor, _KEEP_SIZE, ctypes.c_int64(start), ctypes.c_int64(length)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


_libc = ctypes.CDLL(None, use_errno=True)
