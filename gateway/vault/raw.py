"""The raw sounds that Asterisk writes, looked at while they grow and when they are over. Nothing here changes one.

Counterparts: `gateway/ports.py` names it as `RawSounds`; `gateway/evidence.py` asks. The vault's worker alone writes.
"""

import asyncio
import errno
import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import TypeVar

from gateway.domain.evidence import Sound
from gateway.domain.recordings import SAMPLE_BYTES, SAMPLE_RATE_HZ
from gateway.ports import Listened
from gateway.vault.folders import LeavesTheVault, inside
from gateway.vault.plain_files import open_plain

LIMIT_S = 5.0
"""How long the disk may take over one look."""
PART_BYTES = 1 << 20
"""So much is read at a time: a long talk is not held in memory."""

_HIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.ELOOP})
"""What stands in the way is whose it is, or a link that leads to itself: no fault of the disk."""
_DAY_FOLDERS = "[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]"

T = TypeVar("T")


class RawFolder:
    """The port `RawSounds` on a folder. A disk that hangs holds one thread, and nothing else waits for it."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="raw-sounds")

    async def sizes(self, files: Sequence[str]) -> Mapping[str, int | None]:
        """See ports.RawSounds."""
        return await self._look(lambda: self._sizes(files))

    async def sounds(self, wanted: Sequence[Listened]) -> list[Sound]:
        """See ports.RawSounds. With one channel only the left side is looked at."""
        return await self._look(lambda: [self._sound(each) for each in wanted], LIMIT_S * max(1, len(wanted)))

    async def days(self) -> list[date]:
        """See ports.RawSounds."""
        return await self._look(lambda: [day for folder in self._root.glob(_DAY_FOLDERS) if (day := _day(folder))])

    async def free_bytes(self) -> int:
        """See ports.RawSounds."""
        return await self._look(lambda: shutil.disk_usage(self._root).free)

    def close(self) -> None:
        """Ends the thread; does not wait for a disk that hangs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _look(self, look: Callable[[], T], limit_s: float = LIMIT_S) -> T:
        try:
            async with asyncio.timeout(limit_s):
                return await asyncio.get_running_loop().run_in_executor(self._thread, look)
        except TimeoutError as error:
            raise OSError(f"the disk of {self._root} has not answered for {limit_s:g} s") from error

    def _path(self, file: str) -> Path | None:
        try:
            return inside(self._root, file)
        except LeavesTheVault:
            return None

    def _sizes(self, files: Sequence[str]) -> dict[str, int | None]:
        """One that cannot be looked at (a bad sector, a folder of another user's, a link that leads to itself) hides no
        other. Raises OSError where the disk gives none of several: those that are merely hidden say nothing of it."""
        found: dict[str, int | None] = {}
        refused: list[OSError] = []
        for file in files:
            try:
                if (size := self._size(file)) is not None:
                    found[file] = size
            except OSError as error:
                found[file] = None
                if error.errno not in _HIDDEN:
                    refused.append(error)
        if len(refused) > 1 and not any(found.get(file, 0) is not None for file in files):
            raise refused[0]
        return found

    def _size(self, file: str) -> int | None:
        """None where there is no file of that name. Raises OSError where nobody can see whether there is one."""
        # every running call's file is asked for each second: nothing is opened here, so the name alone is looked at
        if file.startswith("/") or ".." in file.split("/"):
            return None
        try:
            status = os.stat(f"{self._root}/{file}", follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def _sound(self, wanted: Listened) -> Sound:
        try:
            size = self._size(wanted.file)
        except OSError:
            return Sound(None, is_seen=False)
        path = None if size is None else self._path(wanted.file)
        if path is None or size is None:
            return Sound(None)
        channels = wanted.channels
        frame = SAMPLE_BYTES * channels
        size -= size % frame
        tail = min(size, round(wanted.heard_s * SAMPLE_RATE_HZ) * frame)
        sound_s = size / frame / SAMPLE_RATE_HZ
        if not tail:
            return Sound(sound_s, False, False)
        try:
            heard = _heard_in(path, size - tail, tail, channels)
        except OSError:
            # it is there and cannot be read (another user's, a bad sector): it holds no other up, and its sealing says
            # why, again and again; of what is in it nothing is said
            return Sound(sound_s)
        return Sound(sound_s, heard[0], heard[-1])


def _heard_in(path: Path, start: int, tail: int, channels: int) -> list[bool]:
    """Which of the sides are heard in so many bytes from there on. May raise OSError."""
    heard = [False] * channels
    with os.fdopen(open_plain(path), "rb") as opened:
        opened.seek(start)
        while tail > 0 and not all(heard):
            part = opened.read(min(PART_BYTES, tail))
            if not part:
                break
            tail -= len(part)
            for side in range(channels):
                heard[side] = heard[side] or _is_heard(part, side, channels)
    return heard


def _day(folder: Path) -> date | None:
    """The day that a folder is of; None for a name that is none."""
    try:
        return date(*(int(part) for part in folder.parts[-3:]))
    except ValueError:
        return None


def _is_heard(part: bytes, side: int, channels: int) -> bool:
    """Whether anything but digital silence is in that side: what a phone sends is never that, however quiet it is."""
    low, high = part[2 * side :: 2 * channels], part[2 * side + 1 :: 2 * channels]
    return low.count(0) != len(low) or high.count(0) != len(high)
