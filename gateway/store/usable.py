"""Whether the database can be used at all by this user, and if not, why and what to do, in words. What is stored there
stays as it is.

Counterparts: `gateway112 serve` ends its start with these words, and the doctor tells them. What a database that is
away while the gateway runs means is `database.py`'s.
"""

import os
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from gateway import owner
from gateway.settings import Settings, SettingsError

LOCK_LIMIT_S = 2.0

DAMAGED = (
    "stop the gateway, put it aside with the files beside it (-wal, -shm), and copy database.sqlite of the newest "
    "backup to its place, for this user alone; all else stays as it is, and the journal tells the rest "
    "(docs/operations.md, where only the database was lost)"
)
AS_URL = "write postgresql://USER:PASSWORD@HOST:PORT/NAME, in the password %40 for an @, %3A for a : and %25 for a %"
_BESIDE = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why it cannot be used, and what to do about it."""

    said: str
    remedy: str


def problem(settings: Settings) -> Problem | None:
    """What keeps this user from SQLite's file, or makes it none; of PostgreSQL, whether its URL is one. None where
    nothing does. Blocking: disk."""
    if settings.database.url != "sqlite":
        return None if _is_url(settings.database.url) else Problem("it is no URL of a database", AS_URL)
    file = file_of(settings)
    folder = file.parent
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        return _not_ours(folder, f"the folder {folder} cannot be written to")
    for each in (Path(f"{file}{ending}") for ending in _BESIDE):
        try:
            mode = each.stat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            return Problem(f"{each} cannot be read ({error.strerror})", "look at the disk of paths.var")
        if not stat.S_ISREG(mode):
            return Problem(f"{each} is no file", "put it aside: the database is to be there")
        if not os.access(each, os.R_OK | os.W_OK):
            return _not_ours(each, f"{each} cannot be {'written to' if os.access(each, os.R_OK) else 'read'}")
    return _unreadable(file) if file.exists() else None


def file_of(settings: Settings) -> Path:
    """SQLite's file."""
    return settings.paths.var / "gateway112.db"


def server_of(url: str) -> str:
    """PostgreSQL's server and database, as people are told: without the password, whatever signs that has."""
    parts = make_url(url)
    host = f"{parts.host or 'its socket'}{f':{parts.port}' if parts.port else ''}"
    return f"PostgreSQL at {host}/{parts.database or ''}"


def _is_url(url: str) -> bool:
    try:
        return "@" not in (make_url(url).host or "")  # of a password, which would be told as the host's name
    except (ArgumentError, ValueError):
        return False


def refuse_unusable(settings: Settings) -> None:
    """Raises SettingsError where the database's file cannot be used."""
    if (found := problem(settings)) is not None:
        raise _refusal(found)


def refusal(settings: Settings, words: str) -> SettingsError:
    """What to say where the database could not be opened, and it said these words."""
    if settings.database.url == "sqlite":
        what, remedy = f"{file_of(settings)} cannot be used", "look at its disk, and at what else works on that file"
    else:
        what = f"{server_of(settings.database.url)} cannot be used"
        remedy = "see that it runs, and takes user, password and name as they stand there: `gateway112 doctor` asks it"
    return _refusal(problem(settings) or Problem(f"{what}: {words}", remedy))


def _refusal(found: Problem) -> SettingsError:
    return SettingsError(f"settings: database.url: {found.said}. Remedy: {found.remedy}.")


def _not_ours(path: Path, said: str) -> Problem:
    """Of what this user may not touch."""
    whose, user = owner.name(path.stat().st_uid), owner.name(os.geteuid())
    if not os.statvfs(path).f_flag & os.ST_RDONLY:
        own = f"chmod u+rw{'x' if path.is_dir() else ''} {path}" if whose == user else f"chown -R {user} {path}"
        return Problem(f"{said} by {user}: it is {whose}'s", f"run the gateway as its owner, or: {own}")
    return Problem(f"{said}: its disk can only be read", "mount it so that it can be written to")


def _unreadable(file: Path) -> Problem | None:
    """What SQLite itself says of the file; one that is held by another program is no problem of the file. It is opened
    as the gateway opens it: to be read alone, one that a power cut left half written could not be put right."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=LOCK_LIMIT_S)) as database:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            return None
        return Problem(f"{file} cannot be read: {error}", "look at the disk of paths.var, and at the file's rights")
    except sqlite3.DatabaseError as error:  # no database, or a damaged one
        return Problem(f"{file} cannot be read: {error}", DAMAGED)
    return None
