"""A bundle of files to hand out: a zip that is made while it is sent, so that no copy of any sound lies anywhere, with
the SHA-256 of each file in it and a signature over those.

Counterparts: `gateway/api/exports.py` says what goes in; whoever gets it checks it with sha256sum and openssl alone.
"""

import hashlib
import re
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
PIECE_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_ODD = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Part:
    """One file: its name in the bundle, and what gives its bytes piece by piece. Reading blocks."""

    name: str
    read: Callable[[], Iterable[bytes]]
    is_large: bool = False
    """Whether it may pass 2 GiB."""


def of_bytes(name: str, data: bytes) -> Part:
    return Part(name, lambda: (data,))


def word(text: str) -> str:
    """The text as a part of a name: what could lead out of a folder or surprise a shell becomes `_`."""
    return _ODD.sub("_", text)[:120].lstrip(".-") or "_"


def pieces(folder: str, parts: Iterable[Part], at: datetime, sign: Callable[[bytes], bytes]) -> Generator[bytes]:
    """The zip, piece by piece, all of it in `folder`: the parts, SHA256SUMS over all of them, and its signature.
    Blocking: disk. Raises ValueError for a name that leads elsewhere, and what reading a part does."""
    out = _Out()
    sums = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as bundle:  # type: ignore[call-overload]  # it may be unseekable
        for part in parts:
            digest = hashlib.sha256()
            with bundle.open(_entry(folder, part.name, at), "w", force_zip64=part.is_large) as file:
                for piece in part.read():
                    digest.update(piece)
                    file.write(piece)
                    yield from out.taken()
            sums.append(f"{digest.hexdigest()}  {part.name}\n")
            yield from out.taken()
        listed = "".join(sums).encode()
        bundle.writestr(_entry(folder, SUMS, at), listed)
        bundle.writestr(_entry(folder, SIGNATURE, at), sign(listed))
    yield from out.taken()


def _entry(folder: str, name: str, at: datetime) -> zipfile.ZipInfo:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a file of a bundle")
    entry = zipfile.ZipInfo(f"{folder}/{name}", at.timetuple()[:6])
    entry.external_attr = 0o644 << 16
    return entry


class _Out:
    """A file that cannot be sought in: what is written is taken away at once."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> Iterator[bytes]:
        """What was written since, as one piece; nothing where nothing was."""
        taken = b"".join(self._written)
        self._written.clear()
        if taken:
            yield taken
