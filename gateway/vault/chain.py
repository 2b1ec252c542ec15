"""The chain of a day: one line a manifest or certificate, each with the SHA-256 of that file and of the line before,
and a signed head that says how many lines there are and what the last one is.

Counterparts: `sealing.py` and `destruction.py` add to it, `following.py` reads it without any of this but the format.
The first line names the last line, as it stood then, of the nearest day before that has a chain: so a day cannot
vanish.

How a line is added, so that a crash at any moment leaves nothing unsigned and nothing twice: the next head and its
signature are written beside the chain; the line is appended to the very bytes that were checked; the two are renamed
into place. Whoever adds next finishes or undoes what was begun. Lines that this key has not signed are never taken
over: they are somebody else's. Nor is anything added to a day that is behind what was signed here last (`heads.py`).
"""

import contextlib
import errno
import hashlib
import json
import logging
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO

from gateway.vault.folders import FOR_US, days, folder_of, fsync_folder, write_whole
from gateway.vault.heads import Heads, HeadUnreadable, Kept
from gateway.vault.keys import SigningKey, fingerprint
from gateway.vault.names import Names
from gateway.vault.plain_files import NotPlain, plain_file, read_plain

log = logging.getLogger(__name__)

CHAIN, HEAD, SIGNATURE = FILES = "chain.jsonl", "chain.head", "chain.head.sig"
NOTHING_BEFORE = "0" * 64
PART_BYTES = 1 << 18
HEAD_FORMAT = "gateway112-chain-1"
UNREADABLE_LINE = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What reading a line or a head that somebody else wrote may raise."""


class ChainBroken(Exception):
    """The day's chain is not as it was left; the message says which and how. Nothing was added."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the chain. `number` counts from 1 on."""

    number: int
    file: str
    sha256: str


@dataclass(slots=True)
class _Known:
    """A chain as it was read and left last."""

    size: int
    mtime_ns: int
    last: str
    whole: str
    """The SHA-256 of all lines."""
    count: int = 0
    """Of its lines."""
    names: Names = field(default_factory=Names)
    """The files that it speaks of: a day may have many, and all that is asked of them is whether one is there yet."""
    follows: tuple[str | None, str] = (None, NOTHING_BEFORE)
    """Which day's line the first one follows, and its hash."""


class Chains:
    """The chains of all days. Blocking: disk. Only one process at a time may have one that adds."""

    MOST_KNOWN = 8

    def __init__(self, root: Path, key: SigningKey) -> None:
        self._root = root
        self._key = key
        self._heads = Heads(key.private_file.parent)
        self._known: dict[date, _Known] = {}

    def find(self, day: date, file: str) -> Entry | None:
        """The newest line about that file of the day's folder. Raises ChainBroken."""
        known = self._chain(day)
        if not known.names.may_hold(file):
            return None
        digest, name = hashlib.sha256(), file.encode()
        with plain_file(self._root / folder_of(day) / CHAIN) as chain:
            parts = [lines for lines in _parts(chain, digest) if name in lines]
        if digest.hexdigest() != known.whole:
            self._known.pop(day, None)
            raise ChainBroken(f"the chain of {folder_of(day)} was changed while it was looked at")
        return next(filter(None, (_about(file, lines) for lines in reversed(parts))), None)

    def add(self, day: date, file: str, sha256: str, at: datetime) -> Entry:
        """Adds the file, which was written to the day's folder with that SHA-256, unless it stands there already. What
        is there by now is not asked: it was somebody else's, if it is another one. Raises ChainBroken."""
        known = self._chain(day)
        folder = self._root / folder_of(day)
        if (found := self.find(day, file)) is not None:
            if found.sha256 != sha256:
                raise ChainBroken(f"{folder_of(day)}/{file} is not the file that stands in the chain")
            return found
        entry = Entry(known.count + 1, file, sha256)
        line = self._line(day, known, entry, at)
        last = hashlib.sha256(line).hexdigest()
        self._known.pop(day, None)  # until all of it is done, nothing is known
        with _opened(folder / CHAIN) as chain:
            digest, size_bytes = hashlib.sha256(), 0
            with os.fdopen(chain, "rb", buffering=0, closefd=False) as before:
                for lines in _parts(before, digest):
                    size_bytes += len(lines)
            if digest.hexdigest() != known.whole:
                raise ChainBroken(f"the chain of {folder_of(day)} was changed while a line was added. Nothing was")
            self._write_next_head(folder, day, entry.number, last)
            _append(chain, line)
            if os.fstat(chain).st_size != size_bytes + len(line):
                raise ChainBroken(f"somebody wrote to the chain of {folder_of(day)} while a line was added")
        self._put_head(folder)
        if entry.number == 1:
            known.follows = _follows(line)
        self._heads.keep(Kept(day, entry.number, last, *known.follows))
        status = (folder / CHAIN).lstat()
        known.names.add(file)
        digest.update(line)
        known.count, known.last, known.whole = entry.number, last, digest.hexdigest()
        known.size, known.mtime_ns = status.st_size, status.st_mtime_ns
        self._remember(day, known)
        return entry

    def check(self, day: date) -> None:
        """Raises ChainBroken where nothing may be added to that day."""
        if (self._root / folder_of(day)).is_dir() or day in self._heads.days():
            self._chain(day)

    def _line(self, day: date, known: _Known, entry: Entry, at: datetime) -> bytes:
        document: dict[str, Any] = {"entry": entry.number, "file": entry.file, "sha256": entry.sha256}
        if not known.count:
            document["previous_day"], document["previous"] = self._before(day)
        else:
            document["previous"] = known.last
        document["at"] = at.isoformat().replace("+00:00", "Z")
        return (json.dumps(document) + "\n").encode()

    def _before(self, day: date) -> tuple[str | None, str]:
        """The nearest day before it that was signed here, and its last line: also where that day has vanished since, so
        that the next one tells. One that is broken and of which nothing is kept is passed over: anybody can put one
        there, and no other day waits for it."""
        there = {each for each in days(self._root, until=day) if os.path.lexists(self._root / folder_of(each) / CHAIN)}
        for before in sorted(there | self._heads.days(), reverse=True):
            if before < day and (last := self._last_of(before)) != NOTHING_BEFORE:
                return before.isoformat(), last
        return None, NOTHING_BEFORE

    def _last_of(self, day: date) -> str:
        """The day's last line, as it was signed; NOTHING_BEFORE where nobody can tell."""
        try:
            kept = self._kept(day)
            return kept.last if kept is not None else self._chain(day).last
        except (ChainBroken, OSError) as error:
            log.warning("chain_not_followed", extra={"day": day.isoformat(), "reason": str(error)})
            return NOTHING_BEFORE

    def _write_next_head(self, folder: Path, day: date, entries: int, last: str) -> None:
        head = {
            "format": HEAD_FORMAT,
            "day": day.isoformat(),
            "entries": entries,
            "last": last,
            "key": fingerprint(self._key.public_pem()),
        }
        text = (json.dumps(head) + "\n").encode()
        write_whole(_next(folder, SIGNATURE), self._key.sign(text))
        write_whole(_next(folder, HEAD), text)

    @staticmethod
    def _put_head(folder: Path) -> None:
        # the signature first: where it is in place and the head is not, the next head still lies there to tell
        for name in (SIGNATURE, HEAD):
            with contextlib.suppress(FileNotFoundError):
                _next(folder, name).replace(folder / name)
        fsync_folder(folder)

    def _chain(self, day: date) -> _Known:
        """The day's chain, settled. What was read before and has not been touched since is not read again."""
        folder = self._root / folder_of(day)
        chain = folder / CHAIN
        status = chain.stat() if chain.exists() else None
        known = self._known.get(day)
        if known is not None and (known.size, known.mtime_ns) == (
            (status.st_size, status.st_mtime_ns) if status else (0, 0)
        ):
            return known
        if not self._heads.is_there:
            self._heads.begin(self._signed_here())
        if not folder.is_dir():
            self._look_back(day, [])
            raise ChainBroken(f"there is no folder {folder_of(day)}")
        known = self._settled(folder, day)
        self._remember(day, known)
        return known

    def _remember(self, day: date, known: _Known) -> None:
        self._known.pop(day, None)
        self._known[day] = known
        if len(self._known) > self.MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def _settled(self, folder: Path, day: date) -> _Known:
        chain = folder / CHAIN
        try:
            data = read_plain(chain) if os.path.lexists(chain) else b""
        except NotPlain:
            raise _no_chain(chain) from None
        lines = data.splitlines(keepends=True)
        torn = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        known = _read(lines, day)
        head = self._signed_head(folder, HEAD, SIGNATURE, day)
        upcoming = self._signed_head(folder, _next(folder, HEAD).name, _next(folder, SIGNATURE).name, day)
        if upcoming is None:
            # a crash between the two renames: the signature is the next head's already
            upcoming = self._signed_head(folder, _next(folder, HEAD).name, SIGNATURE, day)
        now = (len(lines), known.last if lines else NOTHING_BEFORE)
        if upcoming == now and lines:
            self._put_head(folder)
        elif head == now or (head is None and not lines and not (folder / HEAD).exists()):
            for name in (HEAD, SIGNATURE):
                _next(folder, name).unlink(missing_ok=True)
        else:
            signed = "nothing" if head is None else f"{head[0]} lines"
            raise ChainBroken(
                f"the chain of {folder_of(day)} has {len(lines)} lines, and its signed head speaks of {signed}, or of "
                f"others: somebody changed it. `gateway112 vault verify` says more"
            )
        self._look_back(day, lines)
        known.whole = hashlib.sha256(data.removesuffix(torn)).hexdigest()
        if torn:
            with _opened(chain) as stream:
                if _read_all(stream) != data:
                    raise ChainBroken(f"somebody wrote to the chain of {folder_of(day)} while it was looked at")
                os.truncate(stream, len(data) - len(torn))
                os.fsync(stream)
        status = chain.stat() if chain.exists() else None
        known.size, known.mtime_ns = (status.st_size, status.st_mtime_ns) if status else (0, 0)
        return known

    def _look_back(self, day: date, lines: list[bytes]) -> None:
        """Holds the day, whose head is in order, against what was signed here last. What is ahead of that was signed
        before a crash, and is kept now. Raises ChainBroken where it is behind, or other."""
        kept = self._kept(day)
        entries, last = (kept.entries, kept.last) if kept is not None else (0, NOTHING_BEFORE)
        if len(lines) < entries or (entries and hashlib.sha256(lines[entries - 1]).hexdigest() != last):
            raise ChainBroken(
                f"{folder_of(day)} was put back to an older state, or another one: {entries} lines of its chain were "
                f"signed here, and {len(lines)} are there, or others. Nothing is signed on top of it. Remedy: put the "
                f"newest copy of that folder back, beside the raw sound that waits there; where there is none, note "
                f"what `gateway112 vault verify` says, and move {self._heads.file(day)} away to a safe place"
            )
        if len(lines) > entries:
            self._heads.keep(Kept(day, len(lines), hashlib.sha256(lines[-1]).hexdigest(), *_follows(lines[0])))

    def _kept(self, day: date) -> Kept | None:
        try:
            return self._heads.of(day)
        except HeadUnreadable as error:
            raise ChainBroken(str(error)) from error

    def _signed_here(self) -> Iterator[Kept]:
        """The signed heads of all days, where none was kept so far: an older vault."""
        for day in days(self._root):
            folder = self._root / folder_of(day)
            head = self._signed_head(folder, HEAD, SIGNATURE, day)
            if head is not None and head[0]:
                follows: tuple[str | None, str] = (None, NOTHING_BEFORE)
                # the head is signed, and the line may be anybody's
                with (
                    contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError),
                    (folder / CHAIN).open("rb") as chain,
                ):
                    follows = _follows(chain.readline())
                yield Kept(day, *head, *follows)

    def _signed_head(self, folder: Path, head: str, signature: str, day: date) -> tuple[int, str] | None:
        """How many lines that head speaks of, and the last one's hash; None where it is not there, or not signed."""
        try:
            text, signed = read_plain(folder / head), read_plain(folder / signature)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:  # a link or a pipe, which nobody signed
                return None
            raise
        if not self._key.has_signed(text, signed):
            return None
        try:
            document = json.loads(text)
            return (int(document["entries"]), str(document["last"])) if document["day"] == day.isoformat() else None
        except UNREADABLE_LINE:  # this key signed it, and as something else
            return None


def _read(lines: list[bytes], day: date) -> _Known:
    """What whole lines say, each of which follows from the one before. Raises ChainBroken."""
    known = _Known(0, 0, NOTHING_BEFORE, hashlib.sha256().hexdigest())
    for number, line in enumerate(lines, 1):
        try:
            document = json.loads(line)
            entry, previous = _entry(document), str(document["previous"])
        except UNREADABLE_LINE:
            raise ChainBroken(f"line {number} of the chain of {folder_of(day)} cannot be read") from None
        if entry.number != number or (number > 1 and previous != known.last):
            raise ChainBroken(f"line {number} of the chain of {folder_of(day)} does not follow from the one before")
        known.names.add(entry.file)
        known.count, known.last = number, hashlib.sha256(line).hexdigest()
    if lines:
        known.follows = _follows(lines[0])
    return known


def _about(file: str, data: bytes) -> Entry | None:
    """The newest line about that file, of a chain that was read before."""
    end = len(data)
    while (found := data.rfind(file.encode(), 0, end)) >= 0:
        end = data.rfind(b"\n", 0, found) + 1
        entry = _entry(json.loads(data[end : data.index(b"\n", found)]))
        if entry.file == file:
            return entry
    return None


def _entry(document: Mapping[str, Any]) -> Entry:
    return Entry(int(document["entry"]), str(document["file"]), str(document["sha256"]))


def _follows(line: bytes) -> tuple[str | None, str]:
    """Which day's line a chain's first line follows, and its hash."""
    document = json.loads(line)
    return document.get("previous_day"), str(document["previous"])


@contextlib.contextmanager
def _opened(chain: Path) -> Iterator[int]:
    """The chain's file itself, to be read and added to; it is made where there is none. Raises ChainBroken where
    somebody put something else in its place."""
    try:
        descriptor = os.open(
            chain, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, FOR_US
        )
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise _no_chain(chain) from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _no_chain(chain)
        yield descriptor
    finally:
        os.close(descriptor)


def _no_chain(chain: Path) -> ChainBroken:
    return ChainBroken(f"{chain} is a link, a pipe or a folder: somebody put it in the place of the day's chain")


def _parts(chain: BinaryIO, digest: "hashlib._Hash") -> Iterator[bytes]:
    """Its lines, some at a time: of a day with very many callers it is never held in memory as a whole. All of it goes
    into the digest; a line without an end is a part of its own."""
    rest = b""
    while piece := chain.read(PART_BYTES):
        digest.update(piece)
        end = piece.rfind(b"\n") + 1
        if end:
            yield rest + piece[:end]
            rest = piece[end:]
        else:
            rest += piece
    if rest:
        yield rest


def _read_all(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        return file.read()


def _append(descriptor: int, line: bytes) -> None:
    """Has the line on the disk when it returns."""
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _next(folder: Path, name: str) -> Path:
    return folder / f".{name}.next"
