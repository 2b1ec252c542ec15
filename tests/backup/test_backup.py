"""A backup taken back into empty folders is the same centre; and nothing else is ever taken for one."""

import contextlib
import errno
import hashlib
import os
import shutil
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from io import BufferedReader
from pathlib import Path

import pytest

from gateway import __main__
from gateway.asterisk.claim import claim
from gateway.backup import folder as backup_folder
from gateway.backup import sound as backup_sound
from gateway.backup.databases import copy_sqlite
from gateway.backup.folder import DATABASES, MANIFEST, SUMS, BackupFailed, Manifest
from gateway.backup.restoring import DUMP, MARK, refuse_unfinished
from gateway.charge import Charge
from gateway.settings import SettingsError
from gateway.store.migrations import SchemaTooNew
from tests.backup.conftest import PASSPHRASE, RECORD, Own
from tests.vault.sound import House, tones

NOT_THERE = "2026/11/26/chain.jsonl: it was signed here, and is not there: is the recordings' disk mounted?"
ON_FILES = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def files(folder: Path) -> dict[str, bytes]:
    """What lies there, without what is hidden."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_the_restored_centre_has_the_same_calls_the_same_sound_and_the_same_keys(
    centre: Own, fresh: Own, tmp_path: Path
) -> None:
    made = centre.backup(tmp_path / "backup")
    assert made.problems == ()
    assert (made.manifest.recordings, made.manifest.in_bucket) == (3, 0)
    fresh.restore(made.folder)
    assert fresh.told() == centre.told()
    assert not (fresh.settings.paths.var / DUMP).exists()
    assert len(fresh.told()[0]) == 2
    # the sound: what was sealed, what waits, what was destroyed
    assert files(fresh.settings.paths.recordings) == files(centre.settings.paths.recordings)
    restored = House(fresh.folder)
    verified = restored.verifier().verify()
    assert (verified.findings, verified.recordings, verified.destroyed) == ([], 3, 1)
    # the journal: whole records, and the current segment under a name of its own
    segments = files(fresh.settings.journal_dir)
    assert segments.pop("journal-old.csv") == (centre.settings.journal_dir / "journal-old.csv").read_bytes()
    [(name, current)] = segments.items()
    assert name == f"journal-{hashlib.sha256(RECORD.format(10).encode()).hexdigest()[:32]}.csv"
    assert current == "".join(RECORD.format(n) for n in range(10, 20)).encode()
    # keys and secrets, for this user alone
    for file in ("vault/signing.key", "admin-token", "probe-secret", "calendar-secret", "asterisk/ami-secret"):
        path = fresh.settings.paths.var / file
        assert path.read_bytes() == (centre.settings.paths.var / file).read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (fresh.settings.paths.var / "gateway.toml.restored").read_bytes() == centre.file.read_bytes()
    refuse_unfinished(fresh.settings)
    # and what the nightly looks came to is not believed: all is looked at anew
    assert not (fresh.settings.vault_dir / "verified").exists()
    # and it goes on, from what was signed last
    assert verified.tells_rollbacks
    restored.sealed(5)
    assert restored.findings() == []
    # where something is already nothing is overwritten
    before = files(fresh.folder)
    with pytest.raises(BackupFailed, match=r"there is something already: .*(the database|gateway112\.db), .*journal-"):
        fresh.restore(made.folder)
    assert {**files(fresh.folder), "var/charge": b""} == {**before, "var/charge": b""}
    with pytest.raises(BackupFailed, match="is there already"):
        centre.backup(made.folder)


def test_a_centre_that_was_restored_is_backed_up_and_restored_again(centre: Own, fresh: Own, tmp_path: Path) -> None:
    """Nobody removed the settings that the restore had put there to be compared."""
    kept, odd = centre.settings.paths.var / "gateway.toml.restored", centre.settings.vault_dir / "ring.json (salinan)"
    for path in (kept, odd):
        path.write_text("of before")
        path.chmod(0o600)
    made = centre.backup(tmp_path / "backup")
    said = "var/vault/ring.json (salinan): no restore takes a file of that name, and it is left out"
    assert made.problems == (said,)
    fresh.restore(made.folder)
    assert (fresh.settings.paths.var / "gateway.toml.restored").read_bytes() == centre.file.read_bytes()


def test_a_disk_that_is_not_mounted_makes_no_whole_backup(centre: Own, tmp_path: Path) -> None:
    recordings = centre.settings.paths.recordings
    recordings.rename(recordings.with_name("unmounted"))
    made = centre.backup(tmp_path / "backup")
    assert made.problems == (NOT_THERE,)


@ON_FILES
@pytest.mark.parametrize("database", ["gateway112.db", "asterisk/lib/astdb.sqlite3"])
def test_nothing_is_restored_beside_what_sqlite_would_play_over_it(fresh: Own, one_backup: Path, database: str) -> None:
    left = Path(f"{fresh.settings.paths.var / database}-wal")
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"of the old database")
    with pytest.raises(BackupFailed, match=rf"something already: {left}\. "):
        fresh.restore(one_backup)


def test_a_backup_is_private_and_sha256sum_alone_checks_it(template: Own, one_backup: Path) -> None:
    centre, folder = template, one_backup
    ended = subprocess.run(
        ["sha256sum", "--quiet", "-c", SUMS], cwd=folder, capture_output=True, timeout=20, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, b"")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert sorted(files(folder / "var")) == ["vault/heads/2026-11-26.json", "vault/signing.pub.pem"]
    key = (centre.settings.vault_dir / "signing.key").read_bytes()
    token = (centre.settings.paths.var / "admin-token").read_bytes().strip()
    for data in files(folder).values():
        assert key not in data
        assert token not in data


@ON_FILES
def test_without_keys_it_opens_nothing_and_the_vault_waits_for_its_own_key(
    template: Own, fresh: Own, tmp_path: Path
) -> None:
    folder = template.backup(tmp_path / "backup", None, has_sound=False).folder
    assert not Manifest.read(folder).has_keys
    with pytest.raises(BackupFailed, match="made without keys"):
        fresh.restore(folder)
    fresh.restore(folder, None, with_keys=False)
    assert fresh.told() == template.told()
    assert not (fresh.settings.vault_dir / "signing.key").exists()
    assert (fresh.settings.vault_dir / "signing.pub.pem").exists(), "so no new key is made in the old one's place"


def change(folder: Path, name: str) -> None:
    path = next(folder.glob(name))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


WRONGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "the database is another one": (lambda folder: change(folder, "database.*"), "was changed since the backup"),
    "a recording is another one": (lambda folder: change(folder, "recordings/*/*/*/*.ogg"), "was changed since"),
    "a segment is gone": (lambda folder: (folder / "journal/journal-old.csv").unlink(), "cannot be read: No such file"),
    "the list is another one": (lambda folder: change(folder, SUMS), "is not the one of this backup"),
    "the page is gone": (lambda folder: (folder / MANIFEST).unlink(), "is no backup: it has no manifest.json"),
    "the page is of something else": (lambda folder: (folder / MANIFEST).write_text("{}"), "no page of a backup"),
    "a file is a link": (
        lambda folder: ((folder / "journal/journal-old.csv").unlink(),
                        (folder / "journal/journal-old.csv").symlink_to("/etc/passwd")),
        "journal-old.csv is a link: a backup has files and folders alone",
    ),
    "a folder is a link": (
        lambda folder: ((folder / "journal").rename(folder.with_name("elsewhere")),
                        (folder / "journal").symlink_to(folder.with_name("elsewhere"))),
        "journal is a link",
    ),
    "a file is a pipe": (
        lambda folder: ((folder / "secrets.box").unlink(), os.mkfifo(folder / "secrets.box")), "secrets.box is no file"
    ),
    "the page names a list where a word stands": (
        lambda folder: (folder / MANIFEST).write_text(
            (folder / MANIFEST).read_text().replace('"sqlite"', '["sqlite"]')
        ),
        "no page of a backup",
    ),
}  # fmt: skip


@ON_FILES
@pytest.mark.parametrize("wrong", WRONGS)
def test_of_a_backup_that_is_not_as_it_was_made_nothing_is_restored(fresh: Own, a_backup: Path, wrong: str) -> None:
    do, said = WRONGS[wrong]
    do(a_backup)
    with pytest.raises(BackupFailed, match=said):
        fresh.restore(a_backup)
    assert not [
        name for name in files(fresh.folder) if name not in ("gateway.toml", "var/charge", "var/asterisk/claim")
    ]


@ON_FILES
def test_a_backup_of_a_newer_gateway_is_refused_before_anything_is_written(fresh: Own, a_backup: Path) -> None:
    page = a_backup / MANIFEST
    known = Manifest.read(a_backup).schema
    page.write_text(page.read_text().replace(f'"schema": "{known}"', '"schema": "9999"'))
    with pytest.raises(SchemaTooNew, match="schema is 9999, which this gateway does not know"):
        fresh.restore(a_backup)
    assert list(files(fresh.folder)) == ["gateway.toml"]


@ON_FILES
def test_a_wrong_passphrase_opens_nothing_and_a_short_one_is_not_taken(
    template: Own, fresh: Own, a_backup: Path, tmp_path: Path
) -> None:
    with pytest.raises(BackupFailed, match="12 characters at least"):
        template.backup(tmp_path / "short", "112")
    assert not list(tmp_path.glob("short*"))
    with pytest.raises(BackupFailed, match="not the one of this backup"):
        fresh.restore(a_backup, PASSPHRASE + "!")
    with pytest.raises(BackupFailed, match="behind a passphrase"):
        fresh.restore(a_backup, None)
    fresh.restore(a_backup)


@ON_FILES
def test_nothing_is_restored_under_a_gateway_or_an_asterisk_that_runs_or_into_another_centre(
    fresh: Own, a_backup: Path
) -> None:
    charge = Charge(fresh.settings.paths.var)
    assert charge.take(datetime.now(UTC))
    with pytest.raises(BackupFailed, match=rf"a gateway serves this centre: process {os.getpid()} "):
        fresh.restore(a_backup)
    charge.give_up()
    held = claim(fresh.settings)
    with pytest.raises(SettingsError, match="belongs to an Asterisk that runs"):
        fresh.restore(a_backup)
    for descriptor in held:
        os.close(descriptor)
    renamed = fresh.settings.model_copy(update={"centre": fresh.settings.centre.model_copy(update={"name": "113"})})
    with pytest.raises(BackupFailed, match="is of the centre '112'"):
        Own(fresh.folder, renamed).restore(a_backup)


@ON_FILES
def test_half_a_restore_is_never_taken_for_a_centre(
    fresh: Own, a_backup: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = Path("/dev/full")
    monkeypatch.setattr("gateway.backup.databases.sqlite_file", lambda settings: full / "gateway112.db")
    with pytest.raises(BackupFailed, match=r"the disk refuses: .*Remedy: mend that, empty"):
        fresh.restore(a_backup)
    assert (fresh.settings.paths.var / MARK).exists()
    monkeypatch.setenv("GATEWAY112_CONFIG", str(fresh.file))
    for command in ("serve", "asterisk", "run"):
        assert __main__.main([command]) == 2
        assert "holds part of a backup: its restore did not come to its end" in capsys.readouterr().err


@ON_FILES
def test_sound_that_somebody_changed_is_told_and_copied_as_it_is(centre: Own, fresh: Own, tmp_path: Path) -> None:
    day = House(centre.folder).day
    (day / "112-1795600000.1.ogg").write_bytes(b"OggS")
    (day / "112-1795600000.3.ogg").unlink()
    made = centre.backup(tmp_path / "backup")
    assert sorted(made.problems) == [
        "2026/11/26/112-1795600000.1.ogg: it is not what was sealed; it is copied as it is",
        "2026/11/26/112-1795600000.3.ogg: it stands in the chain, and is not there",
    ]
    fresh.restore(made.folder)
    assert files(fresh.settings.paths.recordings) == files(centre.settings.paths.recordings)


@ON_FILES
def test_what_cannot_be_read_is_named_and_keeps_no_other_file_out_of_the_backup(
    centre: Own, fresh: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link in a recording's place, one on a bad sector, a folder that somebody made beside the journal."""
    day = House(centre.folder).day
    (day / "112-1795600000.1.ogg").unlink()
    (day / "112-1795600000.1.ogg").symlink_to("/etc/passwd")
    (day / "112-1795600000.9.raw").mkdir()
    (centre.settings.journal_dir / "journal-kept").mkdir()
    (centre.settings.journal_dir / "journal-linked.csv").symlink_to(centre.settings.journal_dir / "journal-old.csv")
    a_read = backup_folder.pieces

    def bad_sector(file: BufferedReader, size_bytes: int) -> Iterator[bytes]:
        read = a_read(file, size_bytes)
        yield next(read)
        if os.readlink(f"/proc/self/fd/{file.fileno()}").endswith("112-1795600000.3.ogg"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        yield from read

    monkeypatch.setattr(backup_folder, "pieces", bad_sector)
    made = centre.backup(tmp_path / "backup")
    assert sorted(made.problems) == [
        "2026/11/26/112-1795600000.1.ogg: it cannot be read, and is left out: it is no plain file",
        "2026/11/26/112-1795600000.3.ogg: it cannot be read, and is left out: Input/output error",
        "2026/11/26/112-1795600000.9.raw: it cannot be read, and is left out: it is no plain file",
        "journal-linked.csv: it cannot be read, and is left out: it is no plain file",
    ]
    monkeypatch.undo()
    fresh.restore(made.folder)
    assert fresh.told() == centre.told()


LINKED = "a link lies in its place, or on the way to it. Remedy: see who put it there, and remove it"


@ON_FILES
def test_of_a_day_that_is_a_link_nothing_is_copied_and_that_is_told(centre: Own, fresh: Own, tmp_path: Path) -> None:
    """Whoever may write to the recordings' folder would have the key ring in the backup, for all to read."""
    day, vault = centre.settings.paths.recordings / "2025/01/02", centre.settings.vault_dir
    (vault / "ring.json").write_text("the key")
    day.parent.mkdir(parents=True)
    day.symlink_to(vault)
    made = centre.backup(tmp_path / "backup")
    assert made.problems == (f"2025/01/02: it is left out: {LINKED}",)
    assert not [name for name in files(made.folder) if "2025" in name]
    fresh.settings.paths.recordings.mkdir(parents=True)
    (fresh.settings.paths.recordings / "2026/11").mkdir(parents=True)
    (fresh.settings.paths.recordings / "2026/11/26").symlink_to(vault)
    with pytest.raises(BackupFailed, match=r"there is something already: .*recordings/2026/11/26"):
        fresh.restore(made.folder)


@ON_FILES
def test_a_day_that_becomes_a_link_while_it_is_copied_hands_out_nothing(
    centre: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, recordings = centre.settings.vault_dir, centre.settings.paths.recordings
    for name in ("ring.json", "chain.head"):
        (vault / name).write_text("the key")

    def days(root: Path) -> list[date]:
        (root / "2025/01").mkdir(parents=True)
        (root / "2025/01/02").symlink_to(vault)  # just after it was looked at
        return [date(2025, 1, 2), date(2026, 11, 26)]

    monkeypatch.setattr(backup_sound, "days", days)
    monkeypatch.setattr(backup_sound, "LOOKS", 1)
    made = centre.backup(tmp_path / "backup")
    assert not list((made.folder / "recordings/2025").rglob("*"))
    said = "it cannot be read, and is left out: a link lies on the way to it, or no folder"
    assert {f"2025/01/02/{each}: {said}" for each in ("ring.json", "chain.head")} <= set(made.problems)
    assert (recordings / "2025/01/02").is_symlink()


@ON_FILES
@pytest.mark.parametrize("name", ["112-1795600000.1.json", "chain.jsonl", "chain.head"])
def test_json_without_end_and_what_was_signed_as_something_else_end_no_backup(
    centre: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(backup_sound, "LOOKS", 1)
    house = House(centre.folder)
    (house.day / name).write_bytes(b"[" * 100_000)
    if name == "chain.head":
        (house.day / "chain.head.sig").write_bytes(house.signing.sign(b"[" * 100_000))
    made = centre.backup(tmp_path / "backup")
    assert any(problem.startswith(f"2026/11/26/{name.replace('.head', '.jsonl')}: ") for problem in made.problems)
    assert (made.folder / "recordings/2026/11/26" / name).read_bytes() == b"[" * 100_000


CHAIN = ("chain.jsonl", "chain.head", "chain.head.sig")


@ON_FILES
@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (CHAIN[:1], "2026/11/26/chain.jsonl: it is not as its signed head says; all is copied as it lies"),
        (CHAIN, "2026/11/26: 8 files stand in no chain; they are copied as they lie"),
    ],
)
def test_what_stands_in_no_chain_any_more_is_in_the_backup(
    centre: Own, fresh: Own, tmp_path: Path, gone: tuple[str, ...], said: str
) -> None:
    """As after the remedy for a day whose chain somebody changed: it is moved away, and a new one begins."""
    day = House(centre.folder).day
    for name in gone:
        (day / name).unlink()
    made = centre.backup(tmp_path / "backup")
    assert made.problems == (NOT_THERE, said)
    fresh.restore(made.folder)
    assert files(fresh.settings.paths.recordings) == files(centre.settings.paths.recordings)


@ON_FILES
def test_a_day_that_is_sealed_and_destroyed_meanwhile_is_whole_in_each_backup(centre: Own, tmp_path: Path) -> None:
    """The worker adds to the day, and destroys in it, while one backup after the other is made."""
    house = House(centre.folder)

    def work() -> None:
        for number in range(10, 16):
            made = house.sealed(number, tones(0.1, 300, 500))
            if number % 2:
                house.destroyer.destroy(made, "a year", house.now)

    working = threading.Thread(target=work)
    working.start()
    backups = []
    while working.is_alive():
        backups.append(centre.backup(tmp_path / f"backup-{len(backups)}", None))
    working.join()
    assert len(backups) > 1
    for made in backups:
        assert made.problems == ()
        copy = tmp_path / "copy"
        shutil.copytree(made.folder / "recordings", copy / "recordings")
        shutil.copytree(made.folder / "var", copy / "var")  # with what was signed last, as of then
        assert House(copy).findings() == []
        shutil.rmtree(copy)


def test_a_copy_of_sqlite_is_of_one_moment_though_somebody_writes_all_the_while(tmp_path: Path) -> None:
    file, is_over = tmp_path / "busy.db", threading.Event()
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE pairs (id INTEGER PRIMARY KEY, filling TEXT)")
        database.executemany("INSERT INTO pairs (filling) VALUES (?)", [("x" * 1000,)] * 30_000)

    def write() -> None:
        with contextlib.closing(sqlite3.connect(file, timeout=5)) as writer:
            while not is_over.is_set():
                with writer:  # always two at once
                    writer.executemany("INSERT INTO pairs (filling) VALUES (?)", [("x",)] * 2)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        copy_sqlite(file, tmp_path / "copy.db", limit_s=20)
    finally:
        is_over.set()
        writing.join()
    with contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as database:
        (count,) = database.execute("SELECT count(*) FROM pairs").fetchone()
        assert count >= 30_000
        assert count % 2 == 0
    assert not list(tmp_path.glob("copy.db-*"))


def test_a_database_that_is_changed_after_it_was_checked_is_not_restored(
    centre: Own, fresh: Own, tmp_path: Path
) -> None:
    backup = centre.backup(tmp_path / "backup").folder
    [database] = [backup / name for name in DATABASES.values() if (backup / name).exists()]
    left = Manifest.read(backup).bytes

    def change(read: int) -> None:
        nonlocal left
        left -= read
        if left == 0:  # all of it was checked
            data = database.read_bytes()
            database.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    with pytest.raises(BackupFailed, match="was changed while it was restored"):
        fresh.restore(backup, tell=change)
    assert not (fresh.settings.paths.var / DUMP).exists()
    with pytest.raises(SettingsError, match="its restore did not come to its end"):
        refuse_unfinished(fresh.settings)


def test_a_centres_own_prompts_and_music_come_back_beside_the_clones(centre: Own, fresh: Own, tmp_path: Path) -> None:
    own = {"prompts/id/greeting.txt": b"Selamat", "prompts/id/digits/1.wav": b"RIFF", "music/gamelan/1-suara.wav": b"W"}
    for name, data in {**own, "extensions.conf": b"exten", "music/README.md": b"what it is"}.items():
        path = centre.folder / "dialplan" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (centre.folder / "dialplan/prompts/id/elsewhere.wav").symlink_to("/etc/hostname")
    made = centre.backup(tmp_path / "b")
    assert len([problem for problem in made.problems if "dialplan/prompts/id/elsewhere.wav" in problem]) == 1
    fresh.restore(tmp_path / "b")
    assert files(fresh.settings.paths.var / "dialplan.restored") == own
