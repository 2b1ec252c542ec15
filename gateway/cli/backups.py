"""`gateway112 backup` and `gateway112 restore`: the whole centre, to a folder and back.

Counterpart: `gateway/backup/`. A backup needs no gateway that answers, and calls go on while it is made; a restore
needs a centre that does not run yet.
"""

import getpass
import os
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.backup import making, restoring
from gateway.backup.folder import SUMS, BackupFailed, Manifest, open_file
from gateway.cli import tables
from gateway.cli.command import FAILED, OK, Commands, act_here, failed
from gateway.logbook import Step, leave_word
from gateway.settings import CONFIG_VARIABLE, Settings
from gateway.vault.plain_files import NotPlain

NICE = 10


def add_to(commands: Commands) -> None:
    backup = act_here(
        commands,
        "backup",
        make_backup,
        example="backup /mnt/backup/2026-11-26 --passphrase-file /etc/gateway112/passphrase",
        writes=True,
    )
    backup.add_argument("folder", type=Path, help="a folder that is not there yet")
    backup.add_argument(
        "--reason",
        type=_reason,
        default="routine",
        help="why, and for whom; it stands in the audit log (default: routine)",
    )
    backup.add_argument("--without-sound", action="store_true", help="leave the recordings out")
    restore = act_here(
        commands,
        "restore",
        restore_backup,
        example="restore /mnt/backup/2026-11-26 --passphrase-file /etc/gateway112/passphrase",
        writes=True,
    )
    restore.add_argument("folder", type=Path, help="the backup")
    for parser in (backup, restore):
        keys = parser.add_mutually_exclusive_group()
        keys.add_argument(
            "--passphrase-file", type=Path, metavar="FILE", help="its first line opens keys, secrets and settings"
        )
        keys.add_argument("--without-keys", action="store_true", help="leave keys, secrets and settings out")


def make_backup(settings: Settings, chosen: Namespace) -> int:
    """Writes the whole centre to a folder: database, journal, recordings, and keys, secrets and settings behind a
    passphrase. Calls go on meanwhile. Who did it and why stands in the audit log. Exit status 1 where it failed, or
    where a recording is not as it was sealed, or a file cannot be read: the rest is there then."""
    os.nice(NICE)
    told = {"folder": str(chosen.folder.absolute()), "has_sound": not chosen.without_sound}
    try:
        passphrase = None if chosen.without_keys else _passphrase(chosen, is_new=True)
        is_logged = _log(settings, Step.BEGUN, chosen.reason, told)
        with _telling("Copying", None) as tell:
            made = making.make(
                settings,
                chosen.folder,
                settings_file=Path(os.environ.get(CONFIG_VARIABLE) or "gateway.toml"),
                passphrase=passphrase,
                has_sound=not chosen.without_sound,
                clock=lambda: datetime.now(UTC),
                tell=tell,
            )
    except BackupFailed as error:
        return failed(chosen, error)
    _say(f"{made.folder}: {_in_words(made.manifest)}")
    _say(f"The SHA-256 of its {SUMS}, to be noted elsewhere: {made.manifest.sums}")
    if not made.manifest.has_keys:
        _say(f"Keys, secrets and settings are not in it. Put {settings.vault_dir} into a backup of its own, apart.")
    if made.manifest.in_bucket:
        _say(f"The sound of {made.manifest.in_bucket} recordings lies in the bucket, and is not in it.")
    for problem in made.problems:
        _say(f"NOT AS IT SHOULD BE  {problem}")
    is_logged = _log(settings, Step.MADE, chosen.reason, told | _told(made.manifest)) and is_logged
    return FAILED if made.problems or not is_logged else OK


def restore_backup(settings: Settings, chosen: Namespace) -> int:
    """Puts a backup into the folders and the database that the settings name, all of which must be empty. Everything is
    checked before anything is written."""
    try:
        passphrase = None
        if Manifest.read(chosen.folder).has_keys and not chosen.without_keys:
            passphrase = _passphrase(chosen, is_new=False)
        with _telling("Checking and copying", restoring.size_bytes(chosen.folder)) as tell:
            restored = restoring.restore(
                settings, chosen.folder, passphrase=passphrase, with_keys=not chosen.without_keys, tell=tell
            )
    except BackupFailed as error:
        return failed(chosen, error)
    _say(f"Restored: {_in_words(restored.manifest)}")
    if restored.settings_file is not None:
        _say(f"The settings of then lie in {restored.settings_file}: compare them with those of now, and remove it.")
    if restored.words is not None:
        _say(
            f"The prompts and music of then lie in {restored.words}: compare them with dialplan/ of the clone (`diff "
            f"-rq`), copy what is yours there, run setup/prompts.sh, and remove them."
        )
    if not restored.is_proven:
        _say(
            f"NOT PROVEN  Without its keys nothing shows that this is the backup that was made: whoever could write to "
            f"{chosen.folder} could change calls, recordings and the public keys that `vault verify` believes. Compare "
            f"the SHA-256 of its {SUMS} with the one that was noted: {restored.manifest.sums}"
        )
    told = {"folder": str(chosen.folder.absolute()), "is_proven": restored.is_proven, **_told(restored.manifest)}
    is_logged = _log(settings, Step.RESTORED, f"as of {restored.manifest.made_at}", told)
    _say("Now: gateway112 vault verify. Then start Asterisk and the gateway.")
    return OK if is_logged else FAILED


def _log(settings: Settings, step: Step, note: str, told: Mapping[str, object]) -> bool:
    """Leaves word for the audit log. A disk that cannot take it is no reason to go without a backup: it is said."""
    try:
        leave_word(settings.paths.var, datetime.now(UTC), step, note, told)
    except OSError as error:
        _say(f"NOT IN THE AUDIT LOG  {settings.paths.var} refuses: {error.strerror}")
        return False
    return True


def _told(manifest: Manifest) -> dict[str, object]:
    """What the audit log keeps of a backup."""
    return {
        "made_at": manifest.made_at,
        "has_keys": manifest.has_keys,
        "has_sound": manifest.has_sound,
        "recordings": manifest.recordings,
        "files": manifest.files,
        "bytes": manifest.bytes,
        "sums_sha256": manifest.sums,
    }


def _reason(text: str) -> str:
    if not text.isprintable() or len(text) > 400 or not any(sign.isalnum() for sign in text):
        raise ArgumentTypeError("the reason is to be said in words, in 400 signs at most")
    return text.strip()


def _in_words(manifest: Manifest) -> str:
    sound = f"{manifest.recordings} sealed recordings" if manifest.has_sound else "no recordings"
    return (
        f"the centre {manifest.centre} as of {manifest.made_at}, version {manifest.version}, {manifest.database} of "
        f"schema {manifest.schema}, {sound}; {manifest.files} files, {manifest.bytes / 1e6:.1f} MB."
    )


def _passphrase(chosen: Namespace, *, is_new: bool) -> str:
    """Raises BackupFailed."""
    if chosen.passphrase_file is not None:
        return _first_line(chosen.passphrase_file)
    if not sys.stdin.isatty():
        raise BackupFailed("there is no passphrase for the keys. Remedy: --passphrase-file FILE, or --without-keys.")
    said = getpass.getpass("Passphrase for keys, secrets and settings: ")
    if is_new and getpass.getpass("The same again: ") != said:
        raise BackupFailed("the two passphrases are not the same")
    return said


def _first_line(file: Path) -> str:
    """That of a file that is its owner's alone. Raises BackupFailed."""
    remedy = f"Remedy: chmod 600 {file}, and a new passphrase if somebody may have read it."
    try:
        with open_file(file) as read:
            mode = os.fstat(read.fileno()).st_mode
            if mode & 0o077:
                raise BackupFailed(f"{file} can be read or changed by others (mode {mode & 0o777:04o}). {remedy}")
            return read.readline().decode().rstrip("\r\n")
    except NotPlain:
        if file.is_symlink():
            raise BackupFailed(
                f"{file} is a link, which others may turn elsewhere. Remedy: name the file itself."
            ) from None
        raise BackupFailed(f"{file} is no file. Remedy: name the file that holds the passphrase.") from None
    except OSError as error:
        raise BackupFailed(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BackupFailed(f"{file} cannot be read: its first line is no UTF-8") from None


@contextmanager
def _telling(what: str, total: int | None) -> Iterator[Callable[[int], object]]:
    console = Console(file=sys.stderr, highlight=False)
    columns = (TextColumn("{task.description}"), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda read: progress.advance(bar, read)


def _say(words: str) -> None:
    Console(highlight=False).print(tables.plain(words), soft_wrap=True)
