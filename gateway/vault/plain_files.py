"""Plain files, opened as such: what somebody put in the place of one - a link, a pipe, a device - is not read.

Counterparts: whoever reads the recordings' folder, in which more than the vault may write. A link there would hand out
what it leads to, and a pipe would wait for ever.
"""

import errno
import os
import stat
from io import FileIO
from pathlib import Path

MOST_READ_BYTES = 64 * 1024 * 1024
"""The chain of a day with 100,000 recordings has half of that, the waveform of a whole day's sound a sixth."""
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
"""It is passed through, and need not be listed."""


class NotPlain(OSError):
    """What has the name is a link, a pipe or a folder, and no file; or larger than any that is read as a whole."""


def open_plain(path: Path, root: Path | None = None) -> int:
    """A descriptor of the file, to be read from. Where a `root` is named no folder between it and the file may be a
    link, either: somebody may have put one there a moment ago. Blocking: disk. Raises NotPlain, FileNotFoundError,
    OSError."""
    if root is None:
        return _open(path, path)
    folder = _open_folder(root, path.parent)
    try:
        return _open(path, path.name, folder)
    finally:
        os.close(folder)


def _open_folder(root: Path, folder: Path) -> int:
    """A descriptor of a folder in the root, which may be a link itself: gone to step by step."""
    descriptor = os.open(root, _FOLDER)
    for name in folder.relative_to(root).parts:
        try:
            inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
        except NotADirectoryError:
            raise NotPlain(errno.EINVAL, "a link lies on the way to it, or no folder", str(folder)) from None
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def _open(path: Path, name: Path | str, folder: int | None = None) -> int:
    """Opens the file by its name in the folder. `path` says in words which it is."""
    try:
        # a pipe without a writer would wait for one
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _no_plain(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_plain(path)
    return descriptor


def plain_file(path: Path) -> FileIO:
    """The file, to be read from, unbuffered. Blocking: disk. Raises what `open_plain` does."""
    return os.fdopen(open_plain(path), "rb", buffering=0)


def read_plain(path: Path, root: Path | None = None) -> bytes:
    """All of the file. Blocking: disk. Raises what `open_plain` does, and NotPlain where it has more than
    MOST_READ_BYTES: it would take the memory that calls need."""
    with os.fdopen(open_plain(path, root), "rb") as file:
        if os.fstat(file.fileno()).st_size > MOST_READ_BYTES:
            raise NotPlain(errno.EINVAL, "it is larger than any file of the vault's", str(path))
        return file.read()


def _no_plain(path: Path) -> NotPlain:
    return NotPlain(errno.EINVAL, "it is no plain file", str(path))
