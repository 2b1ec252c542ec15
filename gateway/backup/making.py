"""Makes a backup while calls go on: nobody is stopped, and nothing of the centre is changed.

Counterparts: `restoring.py` takes it back; `databases.py` and `sound.py` say how each part is taken at one moment. The
database is first, then the journal, then the sound: so what the database knows of is there, and what the journal tells
beyond it is read after a restore as it is after a crash.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway import __version__
from gateway.asterisk import own_database
from gateway.asterisk.journal import CURRENT
from gateway.asterisk.segments import segment_key
from gateway.backup import databases, secrets_box
from gateway.backup.folder import (
    BOX,
    DATABASES,
    DIALPLAN,
    JOURNAL,
    SETTINGS_NAME,
    VAR,
    BackupFailed,
    Manifest,
    Tell,
    Unread,
    Writing,
    is_inside,
    is_safe,
    open_file,
    reading,
    sums_without_the_box,
)
from gateway.backup.sound import Found, copy_sound
from gateway.charge import FILE as CHARGE
from gateway.settings import PROJECT, Settings
from gateway.vault import looks
from gateway.vault.heads import Heads
from gateway.vault.keys import public_pems

LOOKS = 5
"""How often the journal's folder is looked at, until no segment is new."""
ASTDB = Path("asterisk/lib") / own_database.FILE
LARGEST_SECRET_BYTES = 1_000_000
PUBLIC = ".pub.pem"


@dataclass(frozen=True, slots=True)
class Made:
    """A backup. `problems` tell, in words, what in it is not as it was sealed, and what cannot be read and is not in
    it."""

    folder: Path
    manifest: Manifest
    problems: tuple[str, ...]


def make(
    settings: Settings,
    target: Path,
    *,
    settings_file: Path | None,
    passphrase: str | None,
    has_sound: bool,
    clock: Callable[[], datetime],
    tell: Tell = lambda _: None,
    dialplan: Path = PROJECT / DIALPLAN,
) -> Made:
    """Makes the backup `target`, a folder that is not there yet. Without a passphrase no keys, secrets and settings
    are in it. In `dialplan` lies what prompts and music are made of. Raises BackupFailed; nothing is left of it
    then."""
    made_at = clock()
    kind = databases.kind_of(settings)
    if passphrase is not None:
        secrets_box.refuse_short(passphrase)  # before anything is written
    writing = Writing(target)
    try:
        database = writing.folder / DATABASES[kind]
        schema = _database(settings, kind, database)
        writing.took(database.name)
        unread = [*_journal(settings, writing, tell), *_what_callers_hear(dialplan, writing, tell)]
        _plain_state(settings, writing)
        found = Found()
        if has_sound:
            pems = public_pems(settings.vault_dir)
            bucket = bool(settings.vault.bucket) or (settings.vault_dir / "bucket-in-use.json").exists()
            signed = Heads(settings.vault_dir).days()
            found = copy_sound(settings.paths.recordings, pems, signed, writing, tell, has_bucket=bucket)

        def page(files: int, size_bytes: int, sums: str) -> Manifest:
            return Manifest(
                made_at=made_at.isoformat(timespec="seconds"),
                version=__version__,
                centre=settings.centre.name,
                database=kind,
                schema=schema,
                has_keys=passphrase is not None,
                has_sound=has_sound,
                recordings=found.recordings,
                in_bucket=found.in_bucket,
                files=files,
                bytes=size_bytes,
                sums=sums,
            )

        if passphrase is not None:
            # the last of all: it proves the rest, and has each key that the sound was encrypted with
            proof = page(writing.files, writing.bytes, sums_without_the_box(writing.sums()))
            secrets, left_out = _secrets(settings, settings_file)
            writing.write(secrets_box.sealed(secrets, proof.text(), passphrase), BOX)
            unread += left_out
        folder = writing.finish(page)
    except OSError as error:
        writing.drop()
        where = f": {error.filename}" if error.filename else ""
        raise BackupFailed(
            f"the disk refuses: {error.strerror or error}{where}. Remedy: mend that, and begin anew."
        ) from error
    except BaseException:
        writing.drop()
        raise
    return Made(folder, Manifest.read(folder), (*unread, *found.problems))


def _database(settings: Settings, kind: str, target: Path) -> str:
    """Copies the database; returns its schema's revision."""
    if kind == "postgresql":
        databases.dump_postgresql(settings, target)
        schema = databases.schema_of_dump(target)
    else:
        source = databases.sqlite_file(settings)
        if not source.exists():
            raise BackupFailed(f"there is no database {source}. Remedy: run this with the centre's own settings.")
        databases.copy_sqlite(source, target)
        schema = databases.schema_of_sqlite(target)
    if not schema:
        raise BackupFailed("the database holds nothing of a gateway. Remedy: run this with the centre's own settings.")
    return schema


def _journal(settings: Settings, writing: Writing, tell: Tell) -> list[str]:
    """Copies the segments, up to the last whole record of each. The one that Asterisk writes to gets the name that
    rotation would give it: after a restore Asterisk begins another. Returns, in words, which of the others cannot be
    read: as with the reader of the journal, what lies beside it holds up nothing."""
    copied: set[tuple[int, int]] = set()
    unread: dict[str, str] = {}
    for _ in range(LOOKS):
        is_new = False
        for path in sorted(settings.journal_dir.glob("journal*")):
            try:
                is_new = _segment(path, copied, writing, tell) or is_new
            except FileNotFoundError:
                is_new = True  # renamed under our eyes: it is found under its new name
            except Unread as error:
                if path.name == CURRENT:
                    raise
                unread[path.name] = f"{path.name}: it cannot be read, and is left out: {error.strerror}"
        if not is_new:
            break
    return list(unread.values())


def _segment(path: Path, copied: set[tuple[int, int]], writing: Writing, tell: Tell) -> bool:
    """Copies a segment that was not copied yet; whether it did. Raises FileNotFoundError, Unread."""
    with reading(path):
        if path.is_dir() or path.is_fifo():
            return False  # none of Asterisk's
        file = open_file(path)
    with file:
        with reading(path):
            state = os.fstat(file.fileno())
            key = segment_key(file)
            file.seek(0)
            whole_bytes = _whole_bytes(file.fileno(), state.st_size)
        name = f"journal-{key}.csv" if path.name == CURRENT else path.name
        if key is None or (state.st_ino, state.st_dev) in copied or not is_safe(f"{JOURNAL}/{name}"):
            return False
        if (writing.folder / JOURNAL / name).exists():  # another one had that name a moment ago
            name = f"journal-{key}.csv"
        # what is renamed from here on is the same file, and keeps its records
        writing.copy_open(file, path, f"{JOURNAL}/{name}", tell, whole_bytes)
    copied.add((state.st_ino, state.st_dev))
    return True


def _whole_bytes(descriptor: int, size: int) -> int:
    """How many of the file's first bytes are whole lines."""
    window = min(size, 1 << 20)
    end = os.pread(descriptor, window, size - window).rfind(b"\n")
    return size - window + end + 1 if end >= 0 else size


def _what_callers_hear(dialplan: Path, writing: Writing, tell: Tell) -> Iterator[str]:
    """Copies what prompts and music are made of: a centre may have its own. Returns, in words, what cannot be read."""
    for path in sorted(dialplan.rglob("*")):
        name = f"{DIALPLAN}/{path.relative_to(dialplan)}"
        try:
            if is_safe(name):
                writing.copy(path, name, tell)
        except FileNotFoundError:
            continue
        except Unread as error:
            yield f"{name}: it cannot be read, and is left out: {error.strerror}"


def _plain_state(settings: Settings, writing: Writing) -> None:
    """What is no secret and nobody makes anew: Asterisk's own database, public keys, what is known of a bucket."""
    var = settings.paths.var
    if (var / ASTDB).exists():
        copy = writing.folder / VAR / ASTDB
        copy.parent.mkdir(mode=0o700, parents=True)
        databases.copy_sqlite(var / ASTDB, copy)
        writing.took(f"{VAR}/{ASTDB}")
    for path in sorted(_of_vault(settings)):
        name = f"{VAR}/{path.relative_to(var)}"
        if is_safe(name):
            writing.copy(path, name)


def _secrets(settings: Settings, settings_file: Path | None) -> tuple[Mapping[str, bytes], list[str]]:
    """What opens something: by its name relative to paths.var, and the settings, which may hold passwords. And the
    public keys once more: what says which signatures hold is believed only from behind the passphrase. And what is left
    out, in words: a restore takes no name that could lead elsewhere."""
    var = settings.paths.var
    database = databases.sqlite_file(settings).name if databases.kind_of(settings) == "sqlite" else None
    paths = [
        path
        for path in var.glob("[!.]*")
        if path.is_file() and _is_private(path) and path.name not in (CHARGE, SETTINGS_NAME)
        if database is None or not path.name.startswith(database)
    ]
    paths += [
        path
        for path in _of_vault(settings)
        if path.name.endswith(PUBLIC) or not is_safe(f"{VAR}/{path.relative_to(var)}")
    ]
    paths += [path for path in (settings.asterisk_dir / "ami-secret",) if path.is_file()]
    found: dict[str, bytes] = {}
    left_out: list[str] = []
    for path in sorted(paths):
        name = str(path.relative_to(var))
        if is_inside(name):
            found[name] = path.read_bytes()
        else:
            left_out.append(f"{VAR}/{name}: no restore takes a file of that name, and it is left out")
    if settings_file is not None and settings_file.exists():
        found["gateway.toml"] = settings_file.read_bytes()
    return found, left_out


def _of_vault(settings: Settings) -> Iterator[Path]:
    """What lies in `var/vault/`, but for what the nightly looks came to: what is restored is looked at anew."""
    folder = settings.vault_dir / looks.FOLDER
    return (path for path in _files(settings.vault_dir) if path.parent != folder)


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            yield path


def _is_private(path: Path) -> bool:
    """Whether it is for its owner alone, as secrets are."""
    state = path.stat()
    return not state.st_mode & 0o077 and state.st_size <= LARGEST_SECRET_BYTES
