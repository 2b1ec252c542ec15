"""What somebody without the passphrase writes into a backup that lies about is not restored, though list and page fit.

Counterpart: `test_backup.py`, where list and page do not fit.
"""

import hashlib
import json
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.backup.folder import BackupFailed, is_safe
from tests.backup.conftest import Own, own
from tests.vault.sound import House, tones


@pytest.fixture
def fresh(tmp_path: Path) -> Own:
    return own(tmp_path / "fresh", "sqlite")


def listed_anew(backup: Path) -> None:
    """SHA256SUMS and the page fit what lies there now."""
    names = sorted(str(path.relative_to(backup)) for path in backup.rglob("*") if path.is_file())
    names = [name for name in names if name not in ("SHA256SUMS", "manifest.json")]
    sums = "".join(f"{hashlib.sha256((backup / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    (backup / "SHA256SUMS").write_text(sums)
    paged_anew(backup, sums=hashlib.sha256(sums.encode()).hexdigest(), files=len(names))


def paged_anew(backup: Path, **values: object) -> None:
    page = json.loads((backup / "manifest.json").read_text())
    (backup / "manifest.json").write_text(json.dumps(page | values))


def edit_the_database(backup: Path) -> None:
    with closing(sqlite3.connect(backup / "database.sqlite")) as database:
        database.execute("UPDATE calls SET caller = '0899'")
        database.commit()


def put_another_vault_and_its_key(backup: Path) -> None:
    forged = House(backup.with_name("forged"))
    forged.sealed(1, tones(0.1, 99, 99))
    shutil.rmtree(backup / "recordings")
    shutil.copytree(forged.root, backup / "recordings")
    shutil.copy(forged.keys / "signing.pub.pem", backup / "var/vault/old.pub.pem")


def put_another_public_key(backup: Path) -> None:
    forged = House(backup.with_name("forged"))
    forged.sealed(1, tones(0.1, 99, 99))
    shutil.copy(forged.keys / "signing.pub.pem", backup / "var/vault/signing.pub.pem")


FORGERIES: dict[str, Callable[[Path], object]] = {
    "a database that was edited": edit_the_database,
    "another vault and its key": put_another_vault_and_its_key,
    "another public key": put_another_public_key,
    "a segment that tells of other calls": lambda backup: (backup / "journal/journal-new.csv").write_text("CEL,1\n"),
    "a recording less": lambda backup: shutil.rmtree(next(backup.glob("recordings/*/*/*"))),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_was_put_there_without_the_passphrase_is_not_restored_with_the_keys(
    fresh: Own, a_backup: Path, forgery: str
) -> None:
    FORGERIES[forgery](a_backup)
    listed_anew(a_backup)
    with pytest.raises(BackupFailed, match="is not the backup that was made with this passphrase"):
        fresh.restore(a_backup)
    assert not list(fresh.folder.rglob("gateway112.db*"))
    assert not fresh.settings.vault_dir.exists()


@pytest.mark.parametrize(("field", "value"), [("made_at", "2030-01-01T00:00:00+00:00"), ("recordings", 0)])
def test_a_page_that_says_something_else_is_not_the_one_that_was_made(
    fresh: Own, a_backup: Path, field: str, value: object
) -> None:
    paged_anew(a_backup, **{field: value})
    with pytest.raises(BackupFailed, match="is not the backup that was made with this passphrase"):
        fresh.restore(a_backup)


def test_a_page_that_says_there_are_no_keys_does_not_get_round_them(fresh: Own, a_backup: Path) -> None:
    (a_backup / "secrets.box").unlink()
    listed_anew(a_backup)
    paged_anew(a_backup, has_keys=False)
    with pytest.raises(BackupFailed, match="made without keys"):
        fresh.restore(a_backup)


def test_the_box_of_one_backup_does_not_prove_another(
    template: Own, fresh: Own, a_backup: Path, tmp_path: Path
) -> None:
    other = template.backup(tmp_path / "other", has_sound=False).folder
    shutil.copy(other / "secrets.box", a_backup / "secrets.box")
    listed_anew(a_backup)
    with pytest.raises(BackupFailed, match="is not the backup that was made with this passphrase"):
        fresh.restore(a_backup)


@pytest.mark.parametrize(
    "name",
    [
        "var/asterisk/etc/extensions.conf",
        "var/gateway112.db-wal",
        "var/.hidden",
        "var/vault/signing.key",
        "dialplan/extensions.conf",
        "dialplan/prompts/id/greeting.conf",
        "var/vault/bucket/more/x.json",
        "var/admin-token",
        "x",
        "recordings/2026/11/26/.hidden",
        "recordings/x.ogg",
        "more/x",
    ],
)
def test_what_no_backup_has_is_not_restored_even_where_nothing_is_proved(fresh: Own, a_backup: Path, name: str) -> None:
    assert not is_safe(name)
    (a_backup / name).parent.mkdir(parents=True, exist_ok=True)
    (a_backup / name).write_text("planted")
    listed_anew(a_backup)
    with pytest.raises(BackupFailed, match=r"is no name of a file of a backup|does not name all"):
        fresh.restore(a_backup, None, with_keys=False)
    assert not [path for path in fresh.folder.rglob("*") if path.is_file() and path.read_bytes() == b"planted"]


def test_the_public_keys_are_those_from_behind_the_passphrase(template: Own, fresh: Own, a_backup: Path) -> None:
    fresh.restore(a_backup)
    for path in template.settings.vault_dir.glob("*.pub.pem"):
        restored = fresh.settings.vault_dir / path.name
        assert restored.read_bytes() == path.read_bytes()
        assert stat.S_IMODE(restored.stat().st_mode) == 0o644


def test_what_was_restored_is_in_folders_that_others_do_not_look_into(fresh: Own, a_backup: Path) -> None:
    fresh.restore(a_backup)
    for home in (fresh.settings.paths.var, fresh.settings.paths.recordings):
        for folder in (home, *(path for path in home.rglob("*") if path.is_dir())):
            mode = 0o700 if folder == fresh.settings.asterisk_dir else 0o750
            assert (folder, stat.S_IMODE(folder.stat().st_mode)) == (folder, mode)
