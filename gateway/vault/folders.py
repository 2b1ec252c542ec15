"""The recordings' folder and its days, and how a file gets there whole: no name leads out of it, and what is written is
on the disk before its name is.

Counterparts: every module of the vault. A day's folder is `2026/11/26` (UTC), as the dialplan names it.
"""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from io import FileIO
from pathlib import Path, PurePosixPath

MANIFEST, CERTIFICATE = ".json", ".destroyed.json"
RAW_ENDINGS = (".raw", ".sln")
FOR_US = 0o640
"""Whoever may see the vault's files: this user, and its group for the backup."""
MOST_SET_ASIDE = 100
LINKED = "a link lies in its place, or on the way to it. Remedy: see who put it there, and remove it"
"""What is said of the days that are linked."""
_DAY = re.compile(r"(\d{4})/(\d{2})/(\d{2})")
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class LeavesTheVault(Exception):
    """The name leads out of the recordings' folder, or is no name of a recording."""


def inside(root: Path, name: str) -> Path:
    """Where `name`, which is relative, lies in `root`. Raises LeavesTheVault. Blocking: disk."""
    if not name or "\0" in name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise LeavesTheVault(f"{name!r} does not lie in the recordings' folder")
    path = root / name
    # a folder on the way may be a link that leads elsewhere; what the file itself is, its reader looks at
    try:
        is_inside = path.parent.resolve().is_relative_to(root.resolve())
    except RuntimeError:  # links that lead to each other
        is_inside = False
    if not is_inside:
        raise LeavesTheVault(f"{name!r} does not lie in the recordings' folder")
    return path


def day_of(file: str) -> date:
    """The day in a raw file's name, `2026/11/26/112-1.0.raw`. Raises LeavesTheVault where it is not of that form."""
    folder = PurePosixPath(file).parent
    found = _DAY.fullmatch(folder.as_posix())
    if found is not None and _ID.fullmatch(PurePosixPath(file).name):
        with contextlib.suppress(ValueError):
            return date(int(found[1]), int(found[2]), int(found[3]))
    raise LeavesTheVault(f"{file!r} is no file of a day's folder, such as 2026/11/26/112-1.0.raw")


def is_gone(path: Path) -> bool:
    """Whether nothing has that name; what nobody may look at, or the disk does not show, may be there."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def folder_of(day: date) -> str:
    """The day's folder, relative: `2026/11/26`."""
    return f"{day.year:04}/{day.month:02}/{day.day:02}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything about one recording lies. Made by `of`, which looks at nothing on the disk but the folder."""

    root: Path
    day: date
    id: str
    raw: Path

    @classmethod
    def of(cls, root: Path, file: str) -> "Place":
        """By the raw file's name. Raises LeavesTheVault."""
        day = day_of(file)
        raw = inside(root, file)
        if raw.suffix not in RAW_ENDINGS:
            raise LeavesTheVault(f"{file!r} is no raw sound: its name ends with neither .raw nor .sln")
        return cls(root, day, raw.stem, raw)

    @property
    def folder(self) -> Path:
        return self.root / folder_of(self.day)

    def stored(self, *, is_boxed: bool) -> str:
        """The stored sound's name on the shelf."""
        return f"{folder_of(self.day)}/{self.id}.ogg" + (".box" if is_boxed else "")

    @property
    def part(self) -> Path:
        """The stored sound while it is made."""
        return self.folder / f".{self.id}.ogg.part"

    @property
    def waveform(self) -> Path:
        return self.folder / f"{self.id}.peaks.json"

    @property
    def manifest(self) -> Path:
        return self.folder / f"{self.id}{MANIFEST}"

    @property
    def certificate(self) -> Path:
        return self.folder / f"{self.id}{CERTIFICATE}"


def without_ending(name: str) -> str:
    """A stored sound's name as its manifest, its waveform and its raw sound have it, before their own endings."""
    return name.removesuffix(".box").removesuffix(".ogg")


def days(root: Path, since: date = date.min, until: date = date.max) -> Iterator[date]:
    """The days, oldest first, that have a folder; not those that are linked. Blocking: disk."""
    return (day for folder, day in _named(root, since, until) if not _is_linked(folder) and _is_folder(folder))


def linked_days(root: Path, since: date = date.min, until: date = date.max) -> Iterator[date]:
    """The days, oldest first, in whose place a link lies, or on the way to it: whoever may write there could have put
    it, and what it leads to is none of the vault's. Blocking: disk."""
    return (day for folder, day in _named(root, since, until) if _is_linked(folder))


def _named(root: Path, since: date, until: date) -> Iterator[tuple[Path, date]]:
    """What has the name of a day's folder, oldest first."""
    for folder in sorted(root.glob("[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]")):
        try:
            day = date(*map(int, folder.relative_to(root).parts))
        except ValueError:
            continue
        if since <= day <= until:
            yield folder, day


def _is_linked(folder: Path) -> bool:
    """Whether that day's, its month's or its year's folder is a link."""
    return any(os.path.islink(each) for each in (folder, *folder.parents[:2]))


def _is_folder(folder: Path) -> bool:
    """Also where nobody may look at it: whoever reads it says so, and the other days go on."""
    try:
        return folder.is_dir()
    except OSError:
        return True


def refuse_without_space(folder: Path, wanted_bytes: float) -> None:
    """Raises OSError where so much would take the last space, which running calls need. Blocking: disk."""
    if shutil.disk_usage(folder).free < wanted_bytes:
        raise OSError(errno.ENOSPC, "running calls need what space is left", str(folder))


def open_new(path: Path, *, mode: int = FOR_US) -> FileIO:
    """Opens a file of its own to be written, unbuffered; what had the name before only loses it, whatever it is."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "wb", buffering=0)


def set_aside(path: Path) -> str:
    """Gives what has that name another one in its folder, where nobody takes it for the vault's. Returns it."""
    for number in range(1, MOST_SET_ASIDE + 1):
        aside = path.with_name(f"{path.name}.foreign-{number}")
        if not os.path.lexists(aside):
            path.rename(aside)
            fsync_folder(path.parent)
            return aside.name
    raise OSError(errno.EEXIST, f"{MOST_SET_ASIDE} of that name are set aside", str(path))


def write_durably(path: Path, data: bytes, *, mode: int = FOR_US) -> None:
    """Writes the file and has it on the disk when it returns. A crash may leave a part of it."""
    with open_new(path, mode=mode) as file:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())


def write_whole(path: Path, data: bytes, *, mode: int = FOR_US) -> None:
    """Writes the file, whole or not at all, and durable when it returns."""
    part = part_of(path)
    write_durably(part, data, mode=mode)
    part.replace(path)
    fsync_folder(path.parent)


def part_of(path: Path) -> Path:
    """The name under which the file is written before it has its own."""
    return path.with_name(f".{path.name}.part")


def fsync_folder(folder: Path) -> None:
    """Makes the names in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
