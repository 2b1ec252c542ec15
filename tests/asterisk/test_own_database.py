"""Asterisk's own database has room of its own on the disk, and nothing in it is lost for that."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.asterisk import own_database
from gateway.asterisk.own_database import FILE, LOG_BYTES, keep_room


def told(folder: Path) -> list[str]:
    said: list[str] = []
    keep_room(folder, said.append)
    return said


def values(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / FILE)) as database:
        return [value for (value,) in database.execute("SELECT value FROM astdb ORDER BY key")]


WRITE_AND_DIE = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("CREATE TABLE IF NOT EXISTS astdb (key TEXT PRIMARY KEY, value TEXT)")
database.execute("INSERT INTO astdb VALUES (?, ?)", (sys.argv[2], sys.argv[2]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def write_and_die(folder: Path, value: str) -> None:
    """As Asterisk, killed."""
    ended = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, folder / FILE, value], timeout=20, check=False)
    assert ended.returncode == -signal.SIGKILL


def test_the_log_that_is_written_over_has_its_room_before_anything_is_written(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute("CREATE TABLE astdb (key TEXT PRIMARY KEY, value TEXT)")
        database.execute("INSERT INTO astdb VALUES ('a', 'a')")
        database.commit()
    assert told(tmp_path) == []
    log = os.stat(tmp_path / f"{FILE}-wal")
    assert (log.st_size, log.st_blocks * 512 >= LOG_BYTES) == (0, True)
    write_and_die(tmp_path, "b")
    assert os.stat(tmp_path / f"{FILE}-wal").st_ino == log.st_ino, "SQLite writes into that room"
    assert told(tmp_path) == []
    assert os.stat(tmp_path / f"{FILE}-wal").st_size > 0, "what a killed Asterisk has in it stays"
    write_and_die(tmp_path, "c")
    assert values(tmp_path) == ["a", "b", "c"]


def test_a_database_that_is_none_ends_no_start_and_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all" * 100)
    [said] = told(tmp_path)
    assert "phones that register are not rung" in said
    assert (tmp_path / FILE).read_bytes() == b"no database at all" * 100


def test_a_disk_without_such_room_ends_no_start_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(own_database, "allocate", refuse)
    [said] = told(tmp_path)
    assert "No space left on device" in said
    write_and_die(tmp_path, "a")
    assert values(tmp_path) == ["a"]
