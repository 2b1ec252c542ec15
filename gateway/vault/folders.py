"""The recordings' folder and its days, and how a file gets there whole: no name leads out of it, and what is written is
on the disk before its name is.

Counterparts: every module of the vault. A day's folder is `2026/11/26` (UTC), as the dialplan names it.
"""

import os
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path, PurePosixPath

RAW_ENDINGS = (".raw", ".sln")
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
    if not path.parent.resolve().is_relative_to(root.resolve()):
        raise LeavesTheVault(f"{name!r} does not lie in the recordings' folder")
    return path


def day_of(file: str) -> date:
    """The day in a raw file's name, `2026/11/26/112-1.0.raw`. Raises LeavesTheVault where it is not of that form."""
    folder = PurePosixPath(file).parent
    found = _DAY.fullmatch(folder.as_posix())
    try:
        if found is None or not _ID.fullmatch(PurePosixPath(file).name):
            raise ValueError
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise LeavesTheVault(f"{file!r} is no file of a day's folder, such as 2026/11/26/112-1.0.raw") from None


def folder_of(day: date) -> str:
    return f"{day:%Y/%m/%d}"


def days(root: Path, since: date = date.min, until: date = date.max) -> Iterator[date]:
    """The days, oldest first, that have a folder. Blocking: disk."""
    for folder in sorted(root.glob("[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]")):
        try:
            day = date(*map(int, folder.relative_to(root).parts))
        except ValueError:
            continue
        if since <= day <= until and folder.is_dir():
            yield day


def days_from(first: date, last: date) -> Iterator[date]:
    """Each day from the one to the other."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Writes the file, whole or not at all, and durable when it returns."""
    part = part_of(path)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
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
