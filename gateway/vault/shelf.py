"""Where stored sound lies: a shelf, to which a whole file is put, and from which any part of it is read.

Counterparts: `sealing.py` and `destruction.py` put and delete, in the worker alone; `sounds.py` reads. Manifests,
chains and waveforms are small, and always lie in the recordings' folder; what is on the shelf is the sound itself.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from gateway.ports import ALL, Part
from gateway.settings import Settings
from gateway.vault.folders import LeavesTheVault, fsync_folder, inside, without_ending
from gateway.vault.plain_files import plain_file

SOUND_ENDINGS = (".ogg", ".ogg.box")
WAVEFORM = ".peaks.json"


class NotThere(Exception):
    """Nothing of that name is on the shelf."""


class ShelfAway(Exception):
    """The place where sound is stored does not answer, or takes nothing; nothing is known to be done. The message says
    why in plain words."""


class FolderUnreadable(ShelfAway):
    """One day's folder cannot be listed; the others may be."""


class FileUnreadable(ShelfAway):
    """The disk does not give one file, as where it lies on a bad sector; the others may be read."""


@dataclass(frozen=True, slots=True)
class Lying:
    """A file of stored sound as it lies on the shelf."""

    name: str
    bytes: int
    changed_at: datetime


def recording_of(name: str) -> str:
    """The id of the recording whose stored sound has that name."""
    return without_ending(name.rpartition("/")[2])


def is_sound_of(part: Part, name: str) -> bool:
    """Whether a file of that name, in a day's folder, is stored sound of that part of it."""
    return name.endswith(SOUND_ENDINGS) and not name.startswith(".") and part.holds(recording_of(name))


class Shelf(Protocol):
    """A place for stored sound. Names are relative, as in `Seal.stored`: `2026/11/26/112-1.0.ogg`. All of it blocks,
    has a time limit where it crosses a network, and may raise ShelfAway."""

    def put(self, name: str, file: Path) -> None:
        """Takes the file in: whole or not at all, and durable when it returns. `file` lies in the day's folder, under
        another name, and is gone afterwards. What has the name already is replaced."""

    def size_bytes(self, name: str) -> int | None:
        """How large it is; None where nothing of that name is there."""

    def version(self, name: str) -> str | None:
        """Names the file that is there now, another one as soon as it was written to; None where nothing is there."""

    def is_near(self, name: str) -> bool:
        """Whether it lies on the disk now: whoever reads it waits for no network."""

    def read(self, name: str, start: int, stop: int) -> bytes:
        """The bytes [start, stop); shorter only at its end. Raises NotThere."""

    def delete(self, name: str) -> None:
        """Deletes it for good; nothing happens where it is not there."""

    def lying(self, folder: str, part: Part = ALL) -> Iterator[Lying]:
        """That part of the sound in a day's folder, `2026/11/26`, in the order of its names; nothing where there is no
        such folder."""


class LocalShelf:
    """The recordings' folder itself."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def put(self, name: str, file: Path) -> None:
        path = inside(self._root, name)
        try:
            file.replace(path)
            fsync_folder(path.parent)
        except OSError as error:
            raise ShelfAway(f"{path} cannot be written: {error.strerror}") from error

    def size_bytes(self, name: str) -> int | None:
        status = self._status(name)
        return None if status is None else status.st_size

    def version(self, name: str) -> str | None:
        if (status := self._status(name)) is None:
            return None
        # nobody but the system sets ctime: it is another one even where size and mtime were made to look the same
        return f"{status.st_dev}-{status.st_ino}-{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"

    def is_near(self, name: str) -> bool:
        return self._status(name) is not None

    def _status(self, name: str) -> os.stat_result | None:
        try:
            status = inside(self._root, name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise FileUnreadable(f"{name} cannot be looked at: {error.strerror}") from error
        if not stat.S_ISREG(status.st_mode):
            raise ShelfAway(f"{name} is a link, a pipe or a folder, and no plain file")
        return status

    def read(self, name: str, start: int, stop: int) -> bytes:
        try:
            with plain_file(inside(self._root, name)) as file:
                file.seek(start)
                return file.read(max(0, stop - start)) or b""
        except (FileNotFoundError, NotADirectoryError):
            raise NotThere(f"{name} is not in the recordings' folder") from None
        except OSError as error:
            raise FileUnreadable(f"{name} cannot be read: {error.strerror}") from error

    def delete(self, name: str) -> None:
        path = inside(self._root, name)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                fsync_folder(path.parent)
        except OSError as error:
            raise ShelfAway(f"{name} cannot be deleted: {error.strerror}") from error

    def lying(self, folder: str, part: Part = ALL) -> Iterator[Lying]:
        try:
            # a folder that is a link out is none of the vault's: so whatever would lie in it
            with os.scandir(inside(self._root, f"{folder}/{WAVEFORM}").parent) as there:
                entries = [entry for entry in there if is_sound_of(part, entry.name)]
        except (FileNotFoundError, NotADirectoryError):
            return
        except LeavesTheVault as error:
            raise FolderUnreadable(f"the folder {folder} cannot be read: {error}") from error
        except OSError as error:
            raise FolderUnreadable(f"the folder {folder} cannot be read: {error.strerror}") from error
        for entry in sorted(entries, key=lambda entry: entry.name):
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # destroyed meanwhile
            if not stat.S_ISREG(status.st_mode):
                continue
            changed_at = datetime.fromtimestamp(status.st_mtime, UTC)
            yield Lying(f"{folder}/{entry.name}", status.st_size, changed_at)


def shelf_for(settings: Settings) -> Shelf:
    """The shelf that the settings name: the disk, and a bucket where there is one."""
    from gateway.vault.disk_and_bucket import with_bucket  # which builds on this module

    return with_bucket(settings, LocalShelf(settings.paths.recordings))
