"""`gateway112 backup` and `gateway112 restore` at the terminal.

Counterpart: `tests/backup/`, which looks at what is in a backup.
"""

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

from gateway.settings import load
from gateway.store.database import open_database
from tests.cli.typed import Typed, settle
from tests.vault.sound import House, tones


@pytest.fixture
async def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """A terminal in the folder of a centre with one recording."""
    settle(tmp_path, monkeypatch, port=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gateway.cli.backups.os.nice", lambda more: 0)
    settings = load(environ={})
    await asyncio.to_thread(House(tmp_path).sealed, raw=tones(0.1, 440, 600))
    await (await open_database(settings.database_url)).dispose()
    (tmp_path / "passphrase").write_text("seratus dua belas\nnot this\n")
    (tmp_path / "passphrase").chmod(0o600)
    return Typed(capsys)


async def test_a_backup_says_what_is_in_it_and_a_restore_what_to_do_next(typed: Typed, tmp_path: Path) -> None:
    said = await typed.good("backup saved --passphrase-file passphrase")
    assert "the centre 112 as of" in said.words
    assert "1 sealed recordings" in said.words
    said = await typed("restore saved --passphrase-file passphrase")
    assert said.status == 1
    assert "there is something already" in said.words
    for name in ("var", "recordings"):
        (tmp_path / name).rename(tmp_path / f"{name}.before")
    said = await typed.good("restore saved --passphrase-file passphrase")
    assert "Now: gateway112 vault verify" in said.words
    assert "NOT PROVEN" not in said.words
    assert "All is as it was left: 1 recordings" in (await typed.good("vault verify")).words


async def test_a_backup_and_a_restore_leave_word_for_the_audit_log(typed: Typed, tmp_path: Path) -> None:
    await typed.good("backup saved --passphrase-file passphrase --reason", "monthly, for Dinas Kominfo")
    words = [json.loads(path.read_bytes()) for path in sorted((tmp_path / "var/logbook").iterdir())]
    assert [(word["step"], word["note"]) for word in words] == [
        ("begun", "monthly, for Dinas Kominfo"),
        ("made", "monthly, for Dinas Kominfo"),
    ]
    assert words[0]["data"] == {"folder": str(tmp_path / "saved"), "has_sound": True}
    sums = hashlib.sha256((tmp_path / "saved/SHA256SUMS").read_bytes()).hexdigest()
    assert (words[1]["data"]["recordings"], words[1]["data"]["sums_sha256"]) == (1, sums)
    for name in ("var", "recordings"):
        (tmp_path / name).rename(tmp_path / f"{name}.before")
    await typed.good("restore saved --passphrase-file passphrase")
    [restored] = (tmp_path / "var/logbook").iterdir()
    assert json.loads(restored.read_bytes())["data"]["is_proven"] is True
    assert (await typed("backup other --without-keys --reason", "…")).status == 2


async def test_a_backup_that_the_audit_log_cannot_be_told_of_is_made_and_says_so(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "var/logbook").write_text("no folder")
    said = await typed("backup saved --without-keys")
    assert (said.status, (tmp_path / "saved/SHA256SUMS").exists()) == (1, True)
    assert "NOT IN THE AUDIT LOG" in said.out


async def test_what_opens_the_keys_must_be_said_or_that_they_are_left_out(typed: Typed) -> None:
    said = await typed("backup saved")
    assert (said.status, "there is no passphrase for the keys" in said.words) == (1, True)
    said = await typed("backup saved --passphrase-file nowhere")
    assert (said.status, "nowhere cannot be read" in said.words) == (1, True)
    said = await typed.good("backup saved --without-keys --without-sound")
    assert "Keys, secrets and settings are not in it." in said.words
    assert "no recordings" in said.words
    assert (await typed("backup saved --without-keys")).status == 1


async def test_a_restore_without_keys_says_what_it_cannot_prove(typed: Typed, tmp_path: Path) -> None:
    await typed.good("backup saved --passphrase-file passphrase")
    for name in ("var", "recordings"):
        (tmp_path / name).rename(tmp_path / f"{name}.before")
    said = await typed.good("restore saved --without-keys")
    assert "NOT PROVEN" in said.words
    assert hashlib.sha256((tmp_path / "saved/SHA256SUMS").read_bytes()).hexdigest() in said.words


@pytest.mark.parametrize("command", ["backup", "restore"])
async def test_a_passphrase_that_others_may_read_or_turn_elsewhere_is_refused(
    typed: Typed, tmp_path: Path, command: str
) -> None:
    await typed.good("backup saved --passphrase-file passphrase")
    folder = "saved" if command == "restore" else "another"
    (tmp_path / "link").symlink_to(tmp_path / "passphrase")
    said = await typed(f"{command} {folder} --passphrase-file link")
    assert (said.status, "link is a link" in said.words, "Remedy: name the file itself" in said.words) == (
        1,
        True,
        True,
    )
    for mode in (0o640, 0o604, 0o620):
        (tmp_path / "passphrase").chmod(mode)
        said = await typed(f"{command} {folder} --passphrase-file passphrase")
        assert said.status == 1
        assert f"passphrase can be read or changed by others (mode {mode:04o}). Remedy: chmod 600" in said.words
    assert not (tmp_path / "another").exists()


async def test_a_folder_that_is_no_backup_is_named(typed: Typed) -> None:
    said = await typed("restore var")
    assert (said.status, "is no backup: it has no manifest.json" in said.words) == (1, True)
