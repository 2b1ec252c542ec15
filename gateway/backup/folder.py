"""A backup's folder: ordinary files, a list of their hashes that `sha256sum -c` reads, and a page that says what it is.

    manifest.json   what, when, of which version and schema; the hash of SHA256SUMS
    SHA256SUMS      one line a file
    database.sqlite or database.dump
    journal/        the segments
    recordings/     by day, as in the vault
    dialplan/       what prompts and music are made of: texts, the studio's recordings
    var/            what lies in paths.var under the same name and is no secret
    secrets.box     keys, secrets and settings, behind a passphrase; and the proof of all the rest

Whoever can write to a backup can make list and page fit anything. So the box, which only the passphrase makes, holds
the page as it was before the box was there, with the hash of the list without the box's own line.

Counterparts: `making.py` and `restoring.py`.
"""

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from io import BufferedReader
from pathlib import Path, PurePosixPath

from gateway.vault.folders import fsync_folder
from gateway.vault.plain_files import open_plain

FORMAT = "gateway112-backup-1"
MANIFEST, SUMS, BOX = "manifest.json", "SHA256SUMS", "secrets.box"
DATABASES = {"sqlite": "database.sqlite", "postgresql": "database.dump"}
JOURNAL, RECORDINGS, VAR, DIALPLAN = "journal", "recordings", "var", "dialplan"
SETTINGS_NAME = "gateway.toml.restored"
"""What a restore calls the settings of the backup: in paths.var, for a person to compare with those of now."""
PIECE_BYTES = 1 << 20
PRIVATE = 0o600
"""Callers' numbers and sound are in it: for this user alone."""
LONGEST_PAGE_BYTES = 100_000

_PLAIN = r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*"
"""A file's name that is not hidden."""
_KNOWN = re.compile(
    "|".join(
        (
            *(re.escape(name) for name in (MANIFEST, SUMS, BOX, *DATABASES.values())),
            rf"{JOURNAL}/journal[A-Za-z0-9_.+-]*",
            # a crash in the middle of a destruction leaves the certificate under its unfinished name
            rf"{RECORDINGS}/\d{{4}}/\d{{2}}/\d{{2}}/({_PLAIN}|\.{_PLAIN}\.destroyed\.json\.part)",
            rf"{DIALPLAN}/(prompts/[a-z]{{2}}(/[a-z0-9-]{{1,40}})?|music/[a-z0-9-]{{1,40}})/[a-z0-9-]{{1,100}}\.(txt|wav|tones)",
            rf"{VAR}/asterisk/lib/astdb\.sqlite3",
            rf"{VAR}/vault/{_PLAIN}\.pub\.pem",
            rf"{VAR}/vault/bucket(-in-use)?\.json",
            rf"{VAR}/vault/heads/\d{{4}}-\d{{2}}-\d{{2}}\.json",
            rf"{VAR}/vault/bucket/(lock|\d{{4}}-\d{{2}}-\d{{2}}\.json)",
        )
    ),
    re.ASCII,
)
"""All that a backup has: whoever could name more would plant a dialplan, or a log that a database reads."""
_INSIDE = re.compile(r"[A-Za-z0-9_.+-]+(/[A-Za-z0-9_.+-]+)*")

Tell = Callable[[int], object]
"""Hears how many bytes were read, piece by piece."""


class BackupFailed(Exception):
    """It cannot be made or restored; the message says why, and what to do."""


class Unread(OSError):
    """A file of the centre's that cannot be read; the words are the disk's."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The page that says what a backup is. `schema` is the database's revision; `sums` the SHA-256 of SHA256SUMS."""

    made_at: str
    version: str
    centre: str
    database: str
    schema: str
    has_keys: bool
    has_sound: bool
    recordings: int
    in_bucket: int
    files: int
    bytes: int
    sums: str
    format: str = FORMAT

    def text(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def is_typed(self) -> bool:
        """Whether each field is of its kind: a page is read before it is proved."""
        return all(type(getattr(self, field.name)) is field.type for field in fields(self))

    def before_the_box(self, sums: str, size_bytes: int) -> "Manifest":
        """What this page was before the box of that size was there; `sums` is the hash of the list without it."""
        return replace(self, sums=sums, files=self.files - 1, bytes=self.bytes - size_bytes)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """That of the backup in the folder. Raises BackupFailed."""
        file = folder / MANIFEST
        try:
            with open_file(file) as read:
                document = json.loads(read.read(LONGEST_PAGE_BYTES))
            found = cls(**document)
        except FileNotFoundError:
            raise BackupFailed(
                f"{folder} is no backup: it has no {MANIFEST}. One that ends with .part was never finished."
            ) from None
        except OSError as error:
            raise BackupFailed(f"{file} cannot be read: {error.strerror}") from None
        except (ValueError, TypeError):
            found = None
        if found is None or not found.is_typed() or found.format != FORMAT or found.database not in DATABASES:
            raise BackupFailed(f"{file} is no page of a backup that this version knows ({FORMAT})")
        return found


class Writing:
    """A backup that is being written, under another name until it is whole."""

    def __init__(self, target: Path) -> None:
        """Raises BackupFailed where something of that name is there."""
        self._target = target.absolute()
        self.folder = self._target.with_name(f"{self._target.name}.part")
        try:
            for path in (self._target, self.folder):
                if os.path.lexists(path):
                    raise BackupFailed(f"{path} is there already. Remedy: name a folder that is not, or remove it.")
            self.folder.mkdir(mode=0o700)
        except OSError as error:
            raise BackupFailed(
                f"{self.folder} cannot be made: {error.strerror}. Remedy: name a folder in one that is there and can "
                f"be written to."
            ) from None
        self._sums: list[str] = []
        self.files = self.bytes = 0

    def copy(self, source: Path, name: str, tell: Tell = lambda _: None, root: Path | None = None) -> str:
        """Copies the file as it is now; where a `root` is named no link on the way from there is followed. Returns the
        SHA-256. Raises FileNotFoundError; Unread, and then nothing of it is there."""
        with reading(source):
            read = open_file(source, root)
        with read:
            return self.copy_open(read, source, name, tell, os.fstat(read.fileno()).st_size)

    def copy_open(self, read: BufferedReader, source: Path, name: str, tell: Tell, size_bytes: int) -> str:
        """Copies the next bytes of a file that is open. Returns the SHA-256. Raises Unread, as `copy` does."""
        return self._put(name, _readable(read, source, size_bytes), tell)

    def write(self, data: bytes, name: str) -> str:
        """Writes a file of those bytes. Returns the SHA-256."""
        return self._put(name, iter([data]), lambda _: None)

    def took(self, name: str) -> None:
        """Adds a file that somebody else has written there."""
        with open_file(self.folder / name) as file:
            os.fchmod(file.fileno(), PRIVATE)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
            self._add(name, digest, file.tell())

    def forget(self, name: str) -> None:
        """Takes out a file that was copied."""
        self.bytes -= (self.folder / name).stat().st_size
        self.files -= 1
        (self.folder / name).unlink()
        self._sums = [line for line in self._sums if line[66:].rstrip("\n") != name]

    def sums(self) -> bytes:
        """The list of what is there by now."""
        return "".join(sorted(self._sums, key=lambda line: line[66:])).encode()

    def finish(self, page: Callable[[int, int, str], Manifest]) -> Path:
        """Writes the list and the page, of what `page` makes of the count of files, their bytes and the list's hash;
        gives the folder its name, and returns it."""
        files, sizes = self.files, self.bytes
        digest = self.write(self.sums(), SUMS)
        self.write(page(files, sizes, digest).text().encode(), MANIFEST)
        for folder, _, _ in os.walk(self.folder):
            fsync_folder(Path(folder))
        self.folder.rename(self._target)
        fsync_folder(self._target.parent)
        return self._target

    def drop(self) -> None:
        """Leaves nothing of what was written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _put(self, name: str, read: Iterator[bytes], tell: Tell) -> str:
        path = self.folder / safe(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            digest = write_pieces(path, read, tell)
        except Unread:
            path.unlink(missing_ok=True)
            raise
        self._add(name, digest, path.stat().st_size)
        return digest

    def _add(self, name: str, digest: str, size_bytes: int) -> None:
        self._sums.append(f"{digest}  {name}\n")
        self.files += 1
        self.bytes += size_bytes


def safe(name: str) -> str:
    """The name, where a backup has a file of that name. Raises BackupFailed."""
    if not is_safe(name):
        raise BackupFailed(f"{name!r} is no name of a file of a backup. Remedy: take another one: this was changed.")
    return name


def is_safe(name: str) -> bool:
    return bool(_KNOWN.fullmatch(name))


def inside(name: str) -> str:
    """The name of a file in the box, where it leads nowhere else. Raises BackupFailed."""
    if not is_inside(name):
        raise BackupFailed(f"{name!r} is no name of a file of a backup's box")
    return name


def is_inside(name: str) -> bool:
    return bool(_INSIDE.fullmatch(name)) and ".." not in PurePosixPath(name).parts


def sums_without_the_box(sums: bytes) -> str:
    """The SHA-256 of the list without the box's own line."""
    lines = [line for line in sums.split(b"\n") if line[66:] != BOX.encode()]
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def refuse_links(folder: Path) -> None:
    """Raises BackupFailed where something in the folder is neither a file nor a folder, but leads elsewhere."""
    for where, folders, files in os.walk(folder):
        for path in (Path(where, name) for name in (*folders, *files)):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise BackupFailed(
                    f"{path} is {'a link' if stat.S_ISLNK(mode) else 'no file'}: a backup has files and folders alone. "
                    f"Remedy: take another one: this was changed."
                )


def open_file(file: Path, root: Path | None = None) -> BufferedReader:
    """The file to read from, which is no link, and no pipe that one would wait at; nor is one on its way from the root,
    where that is named. Raises OSError."""
    return os.fdopen(open_plain(file, root), "rb")


@contextmanager
def reading(source: Path) -> Iterator[None]:
    """What the disk refuses meanwhile is raised as Unread, save FileNotFoundError: what is gone is not there."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unread(error.errno, error.strerror, str(source)) from error


def _readable(file: BufferedReader, source: Path, size_bytes: int) -> Iterator[bytes]:
    with reading(source):
        yield from pieces(file, size_bytes)


def pieces(file: BufferedReader, size_bytes: int) -> Iterator[bytes]:
    left = size_bytes
    while left > 0 and (piece := file.read(min(PIECE_BYTES, left))):
        left -= len(piece)
        yield piece


def write_pieces(path: Path, read: Iterator[bytes], tell: Tell) -> str:
    """Writes a new file of them, durably and for this user alone. Returns the SHA-256."""
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PRIVATE)
    with os.fdopen(descriptor, "wb") as written:
        for piece in read:
            digest.update(piece)
            written.write(piece)
            tell(len(piece))
        written.flush()
        os.fsync(written.fileno())
    return digest.hexdigest()
