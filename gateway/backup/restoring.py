"""Takes a backup back: into folders and a database that are empty, after all of it was found to be as it was made.

Counterpart: `making.py`. What a restore leaves when it does not come to its end is never taken for a centre: a mark
lies in paths.var until all is there, and neither the gateway nor Asterisk starts while it does.

What was made, and what somebody else made to look like it, is told apart by the box alone: whoever restores without it
believes the place where the backup lay.
"""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from gateway.asterisk.claim import claim
from gateway.backup import databases, secrets_box
from gateway.backup.folder import (
    BOX,
    DATABASES,
    DIALPLAN,
    JOURNAL,
    PIECE_BYTES,
    PRIVATE,
    RECORDINGS,
    SETTINGS_NAME,
    SUMS,
    VAR,
    BackupFailed,
    Manifest,
    Tell,
    inside,
    open_file,
    pieces,
    refuse_links,
    safe,
    sums_without_the_box,
    write_pieces,
)
from gateway.backup.making import ASTDB, PUBLIC
from gateway.charge import Charge
from gateway.settings import Settings, SettingsError
from gateway.store.migrations import refuse
from gateway.vault.folders import FOR_US, days, folder_of, fsync_folder, linked_days

MARK = "restore-unfinished"
WORDS_NAME = "dialplan.restored"
"""What prompts and music were made of: a person compares it with the clone's, which is of another version perhaps."""
SQLITE_FILES = ("", "-wal", "-shm", "-journal")
DUMP = "restored.dump"
"""In paths.var, while the database is restored from it."""
FOLDER = 0o750
"""As systemd's UMask leaves them to the services."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put where; and whether the box proved that it is what was made."""

    manifest: Manifest
    is_proven: bool
    settings_file: Path | None
    words: Path | None
    """The folder of what prompts and music were made of."""


def refuse_unfinished(settings: Settings) -> None:
    """Raises SettingsError where a restore into this centre did not come to its end."""
    mark = settings.paths.var / MARK
    if mark.exists():
        raise SettingsError(
            f"settings: paths.var: {settings.paths.var} holds part of a backup: its restore did not come to its end. "
            f"Remedy: empty {settings.paths.var}, {settings.paths.recordings} and the database, and restore again."
        )


def size_bytes(source: Path) -> int:
    """How much there is to read, once to check it and once to put it back. Raises BackupFailed."""
    return 2 * Manifest.read(source).bytes


def restore(
    settings: Settings, source: Path, *, passphrase: str | None, with_keys: bool, tell: Tell = lambda _: None
) -> Restored:
    """Puts all of the backup where the settings say. Raises BackupFailed; SchemaTooNew where a newer gateway made it;
    SettingsError where Asterisk runs on these folders. Until everything was checked nothing is written."""
    manifest = Manifest.read(source)
    refuse({manifest.schema})
    if (kind := databases.kind_of(settings)) != manifest.database:
        raise BackupFailed(
            f"the backup is of a {manifest.database} database, and the settings name {kind}. Remedy: set "
            f"database.url for the restore."
        )
    if manifest.centre != settings.centre.name:
        raise BackupFailed(
            f"the backup is of the centre {manifest.centre!r}, and the settings name {settings.centre.name!r}. "
            f"Remedy: set centre.name: calls' ids begin with it."
        )
    refuse_links(source)
    with _alone(settings):
        _refuse_full(settings)
        sums = _list(source, manifest)
        secrets = _secrets(source, manifest, sums, passphrase) if with_keys else {}
        names = _checked(source, manifest, sums, tell)
        mark = settings.paths.var / MARK
        mark.write_text(f"{source}\n{datetime.now(UTC).isoformat(timespec='seconds')}\n")
        try:
            _put(settings, source, names, secrets, tell)
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            raise BackupFailed(
                f"the disk refuses: {error.strerror or error}{where}. Remedy: mend that, empty {settings.paths.var} "
                f"and {settings.paths.recordings}, and restore again."
            ) from error
        mark.unlink()
    has_settings = "gateway.toml" in secrets
    words = settings.paths.var / WORDS_NAME
    return Restored(
        manifest,
        with_keys,
        settings.paths.var / SETTINGS_NAME if has_settings else None,
        words if words.exists() else None,
    )


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """While nobody runs on these folders, and nobody begins to."""
    for folder in (settings.paths.var, settings.asterisk_dir, settings.paths.recordings):
        _make(folder)
    settings.asterisk_dir.chmod(0o700)
    charge = Charge(settings.paths.var)
    if not charge.take(datetime.now(UTC)):
        raise BackupFailed(f"a gateway serves this centre: {charge.holder()}. Remedy: end it first.")
    try:
        held = claim(settings)
        try:
            yield
        finally:
            for descriptor in held:
                os.close(descriptor)
    finally:
        charge.give_up()


def _refuse_full(settings: Settings) -> None:
    found: list[str] = []
    var = settings.paths.var
    if databases.kind_of(settings) == "postgresql":
        if asyncio.run(databases.holds_tables(settings)):
            found.append("the database")
    else:
        # what lies beside a database is played over whatever has its name
        own_files = (Path(f"{databases.sqlite_file(settings)}{ending}") for ending in SQLITE_FILES)
        found += [str(path) for path in own_files if path.exists()]
    found += [str(path) for path in settings.journal_dir.glob("journal*")][:1]
    recordings = settings.paths.recordings
    found += [str(recordings / folder_of(day)) for day in (*days(recordings), *linked_days(recordings))][:1]
    own = (
        settings.vault_dir,
        var / WORDS_NAME,
        *(Path(f"{var / ASTDB}{ending}") for ending in SQLITE_FILES),
        var / MARK,
        var / "admin-token",
        settings.asterisk_dir / "ami-secret",
    )
    found += [str(path) for path in own if path.exists()]
    found += [str(path) for path in var.glob("*-secret")][:1]
    if found:
        raise BackupFailed(
            f"there is something already: {', '.join(found)}. A backup is restored only where nothing is that it could "
            f"overwrite. Remedy: name empty folders and an empty database in the settings, or move these away."
        )


def _list(source: Path, manifest: Manifest) -> bytes:
    """The list of hashes, as the page knows it. Raises BackupFailed."""
    data = _read(source / SUMS)
    if hashlib.sha256(data).hexdigest() != manifest.sums:
        raise BackupFailed(f"{source / SUMS} is not the one of this backup: it was changed")
    return data


def _read(file: Path) -> bytes:
    try:
        with open_file(file) as read:
            return read.read()
    except OSError as error:
        raise BackupFailed(f"{file} cannot be read: {error.strerror}. Remedy: take another backup.") from None


def _checked(source: Path, manifest: Manifest, sums: bytes, tell: Tell) -> dict[str, str]:
    """The hashes of all files, by their names, once each was read and found to be as it was. Raises BackupFailed."""
    # the same lines as the proof's: a byte is a character, and nothing but a line feed ends one
    lines = sums.decode("ascii", "replace").removesuffix("\n").split("\n")
    names = {safe(line[66:]): line[:64] for line in lines}
    try:
        for name, digest in names.items():
            with open_file(source / name) as file:
                found = hashlib.sha256()
                while piece := file.read(PIECE_BYTES):
                    found.update(piece)
                    tell(len(piece))
            if found.hexdigest() != digest:
                raise BackupFailed(f"{source / name} was changed since the backup was made. Remedy: take another one.")
    except OSError as error:
        raise BackupFailed(f"{error.filename} cannot be read: {error.strerror}. Remedy: take another backup.") from None
    if len(names) != manifest.files or DATABASES[manifest.database] not in names:
        raise BackupFailed(f"{source / SUMS} does not name all of this backup. Remedy: take another one.")
    return names


def _secrets(source: Path, manifest: Manifest, sums: bytes, passphrase: str | None) -> dict[str, bytes]:
    """What is in the box, once that has proved page and list: from there on each file's hash proves the file. Raises
    BackupFailed."""
    if not manifest.has_keys:
        raise BackupFailed("the backup was made without keys. Remedy: --without-keys, and put var/vault back yourself.")
    if passphrase is None:
        raise BackupFailed("the backup's keys are behind a passphrase. Remedy: --passphrase-file, or --without-keys.")
    box = _read(source / BOX)
    found = secrets_box.opened(box, passphrase)
    if manifest.before_the_box(sums_without_the_box(sums), len(box)).text() != found.page:
        raise BackupFailed(
            f"{source} is not the backup that was made with this passphrase: {SUMS} or the page was written anew by "
            f"somebody who did not know it. Remedy: take another one, and find out who writes there."
        )
    return {inside(name): data for name, data in found.files.items()}


def _put(settings: Settings, source: Path, names: dict[str, str], secrets: dict[str, bytes], tell: Tell) -> None:
    """The database last: without one no gateway finds anything to go on with."""
    var = settings.paths.var
    homes = {JOURNAL: settings.journal_dir, RECORDINGS: settings.paths.recordings, VAR: var, DIALPLAN: var / WORDS_NAME}
    database = ""
    for name, digest in names.items():
        top, _, rest = name.partition("/")
        if name in DATABASES.values():
            database = name
        elif name.endswith(PUBLIC) and rest in secrets:
            continue  # from behind the passphrase, below
        elif top in homes and rest:
            mode = FOR_US if top == RECORDINGS else PRIVATE
            _copy(source / name, homes[top] / PurePosixPath(rest), digest, mode, tell)
    for name, data in secrets.items():
        if name == SETTINGS_NAME:
            continue  # of a restore before that backup was made
        path = var / (SETTINGS_NAME if name == "gateway.toml" else name)
        _make(path.parent)
        write_pieces(path, iter([data]), lambda _: None)
    for path in settings.vault_dir.glob(f"*{PUBLIC}"):
        path.chmod(0o644)
    if database == DATABASES["postgresql"]:
        _restore_postgresql(settings, source / database, names[database], tell)
    else:
        _copy(source / database, databases.sqlite_file(settings), names[database], PRIVATE, tell)
    for home in (var, settings.paths.recordings):
        for folder, _, _ in os.walk(home):
            fsync_folder(Path(folder))


def _restore_postgresql(settings: Settings, dump: Path, digest: str, tell: Tell) -> None:
    """From a copy that nobody else writes to: pg_restore reads the very bytes that were checked."""
    own = settings.paths.var / DUMP
    try:
        _copy(dump, own, digest, PRIVATE, tell)
        databases.restore_postgresql(settings, own)
    finally:
        own.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    """Makes the folder, and those it lies in, each with its mode whatever the umask: callers' voices are for no others
    on this machine."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(exist_ok=True)
    folder.chmod(FOLDER)


def _copy(source: Path, target: Path, digest: str, mode: int, tell: Tell) -> None:
    _make(target.parent)
    with closing(open_file(source)) as file:
        taken = write_pieces(target, pieces(file, os.fstat(file.fileno()).st_size), tell)
    target.chmod(mode)
    if taken != digest:
        raise BackupFailed(f"{source} was changed while it was restored. Remedy: empty the folders, and begin anew.")
