"""Room on the disk for Asterisk's own database (AstDB), where phones are registered and the gateway's notes stand: on a
disk that is full, from whatever, a phone that registers is rung all the same.

Counterpart: `reserve.py`, which does the same for the journal. SQLite makes a new file for each change, for which a
full disk has no room: Asterisk takes the change back a second later, and the phone is not there. With a log that is
written over again and again (WAL) it needs no more than that has, and that has its room from the start.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from gateway.asterisk.reserve import allocate

FILE = "astdb.sqlite3"
LOG_BYTES = 8 * 1024 * 1024
"""Twice of what SQLite writes before it begins at the log's first byte again."""
GROWTH_BYTES = 1024 * 1024
"""For some 2,000 phones and notes more than there are."""
LIMIT_S = 5.0


def keep_room(folder: Path, tell: Callable[[str], object]) -> None:
    """Before Asterisk starts: sees to it that its database has room of its own. Where that cannot be had all is as
    without it, and `tell` hears why. Blocking: disk."""
    file = folder / FILE
    log = file.with_name(f"{FILE}-wal")
    try:
        if log.exists() and log.stat().st_blocks * 512 >= LOG_BYTES // 2:
            return  # Asterisk was killed, and takes it up; given back now, the room might be somebody else's
        with closing(sqlite3.connect(file, timeout=LIMIT_S)) as database:
            database.execute("PRAGMA journal_mode = WAL")
        # SQLite has deleted its log; one without a beginning is an empty one
        with contextlib.suppress(FileExistsError):
            os.close(os.open(log, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        allocate(log, 0, LOG_BYTES)
        allocate(file, file.stat().st_size, GROWTH_BYTES)
    except (OSError, sqlite3.Error) as error:
        tell(f"{file} has no room of its own ({error}): on a full disk phones that register are not rung.")
