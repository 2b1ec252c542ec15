"""A database that cannot be used ends a start in words, and the doctor has the same words."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway import owner
from gateway.asterisk import site
from gateway.doctor import services
from gateway.settings import Settings, SettingsError, load
from gateway.store import usable


def made(settings: Settings) -> Path:
    """A database in WAL mode."""
    file = usable.file_of(settings)
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE calls (id)")
    return file


def refused(settings: Settings) -> str:
    with pytest.raises(SettingsError) as refusal:
        usable.refuse_unusable(settings)
    told = next(services.look_at_gateway(settings))
    assert told.is_wrong
    assert str(refusal.value) == f"settings: database.url: {told.said}. Remedy: {told.remedy}."
    return str(refusal.value)


def test_a_database_that_is_there_or_not_yet_there_can_be_used(settings: Settings) -> None:
    usable.refuse_unusable(settings)
    file = made(settings)
    usable.refuse_unusable(settings)
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        usable.refuse_unusable(settings)
    settings.paths.var.rename(settings.paths.var.with_name("elsewhere"))
    usable.refuse_unusable(settings)


def test_a_file_that_is_no_database_is_told_with_the_backup_as_its_remedy(settings: Settings) -> None:
    usable.file_of(settings).write_bytes(b"\0garbage" * 1000)
    said = refused(settings)
    assert f"{usable.file_of(settings)} cannot be read: file is not a database. Remedy: stop" in said
    assert "copy database.sqlite of the newest backup" in said, "all else is newer, and the journal tells the rest"
    usable.file_of(settings).unlink()
    usable.file_of(settings).mkdir()
    assert "is no file" in refused(settings)


@pytest.mark.parametrize(
    ("ending", "mode", "said"),
    [
        ("", os.W_OK, "cannot be written to by"),
        ("", os.R_OK, "cannot be read by"),
        ("-wal", os.W_OK, "-wal cannot be written to by"),
        ("folder", os.W_OK, "the folder"),
    ],
)
def test_what_this_user_may_not_touch_is_told_with_whose_it_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, ending: str, mode: int, said: str
) -> None:
    file, access = made(settings), os.access
    Path(f"{file}-wal").touch()
    closed = file.parent if ending == "folder" else Path(f"{file}{ending}")
    monkeypatch.setattr(
        usable.os, "access", lambda path, asked: False if Path(path) == closed and asked & mode else access(path, asked)
    )
    told = refused(settings)
    assert said in told
    assert f": it is {owner.name(os.geteuid())}'s. Remedy: run the gateway as its owner" in told


def test_a_start_on_a_corrupt_database_ends_in_words_with_the_status_of_wrong_settings(settings: Settings) -> None:
    usable.file_of(settings).write_bytes(b"\0garbage" * 1000)
    config = settings.paths.var.parent / "gateway.toml"
    command = [sys.executable, "-m", "gateway", "--config", str(config), "serve"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith("settings: database.url: ")
    assert "Remedy: " in line


def test_a_database_that_a_power_cut_left_half_written_is_put_right(settings: Settings) -> None:
    """Before it is in WAL mode, or on a disk that has none, SQLite keeps what was before in a journal of its own."""
    half_written = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in ("PRAGMA cache_size = 1", "CREATE TABLE calls (id)", "BEGIN"):
    database.execute(statement)
database.executemany("INSERT INTO calls VALUES (?)", [("9" * 900,)] * 1000)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", half_written, usable.file_of(settings)], timeout=30, check=True)
    assert Path(f"{usable.file_of(settings)}-journal").stat().st_size
    usable.refuse_unusable(settings)
    with closing(sqlite3.connect(usable.file_of(settings))) as database:
        assert database.execute("SELECT count(*) FROM calls").fetchone() == (0,)


@pytest.mark.parametrize("url", ["postgresql://gateway@host:port/calls", "postgresql://gateway:ge@heim@host/calls"])
def test_what_is_no_url_is_told_how_it_is_written(settings: Settings, url: str) -> None:
    said = refused(settings.model_copy(update={"database": settings.database.model_copy(update={"url": url})}))
    assert "it is no URL of a database. Remedy: write postgresql://USER:PASSWORD@HOST:PORT/NAME" in said
    assert "heim" not in said


@pytest.mark.parametrize("password", ["geheim", "ge#heim", "1/geheim", "g?heim"])
def test_what_a_database_said_when_it_could_not_be_opened_has_a_remedy_and_no_password(
    tmp_path: Path, password: str
) -> None:
    url = f"postgresql://gateway:{password}@127.0.0.1:1/calls"
    (tmp_path / "gateway.toml").write_text(f'[database]\nurl = "{url}"\n')
    told = str(usable.refusal(load(tmp_path / "gateway.toml", {}), "it refuses"))
    assert "settings: database.url: PostgreSQL at 127.0.0.1:1/calls cannot be used: it refuses. Remedy: see" in told
    assert "heim" not in told
    found = services._postgresql(url)
    assert (found.is_wrong, "PostgreSQL at 127.0.0.1:1/calls does not answer" in found.said) == (True, True)


def test_a_secret_that_cannot_be_read_ends_a_start_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "admin-token"
    file.write_text("secret\n")

    def denied(path: Path, *_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(
        SettingsError, match=rf"paths\.var: {file} cannot be read .* Remedy: run this as its owner; or, where"
    ):
        site.kept_secret(file)
