"""The database in a backup: SQLite by its own online backup, PostgreSQL by pg_dump and pg_restore. Both take what was
committed at one moment, while others go on writing.

Counterparts: `making.py`, `restoring.py`. https://www.sqlite.org/backup.html,
https://www.postgresql.org/docs/current/app-pgdump.html
"""

import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import inspect, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.backup.folder import BackupFailed
from gateway.settings import Settings

LIMIT_S = 4 * 3600.0
"""For a whole database."""
BUSY_LIMIT_S = 10.0
PAGES = 5000
CLIENTS = Path("/usr/lib/postgresql")


def kind_of(settings: Settings) -> str:
    return "sqlite" if settings.database.url == "sqlite" else "postgresql"


def sqlite_file(settings: Settings) -> Path:
    return Path(make_url(settings.database_url).database or "")


def copy_sqlite(source: Path, target: Path, limit_s: float = LIMIT_S) -> None:
    """Copies a database that others read and write. Raises BackupFailed."""
    until = time.monotonic() + limit_s

    def look(status: int, remaining: int, total: int) -> None:
        if time.monotonic() > until:
            raise BackupFailed(f"{source} could not be copied within {limit_s:.0f} s, {remaining} pages are left")

    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with (
            closing(sqlite3.connect(f"file:{source}?mode=rw", uri=True, timeout=BUSY_LIMIT_S)) as read,
            closing(sqlite3.connect(target)) as written,
        ):
            read.isolation_level = None
            # one reader's view over all steps: without it a copy begins anew with each commit of somebody else
            read.execute("BEGIN")
            read.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            read.backup(written, pages=PAGES, progress=look, sleep=0.001)
            read.execute("ROLLBACK")
            written.execute("PRAGMA journal_mode = DELETE")  # one file, whole in itself
            if (said := written.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise BackupFailed(f"{source} is damaged: {said}. Remedy: restore an older backup, or see sqlite.org.")
    except sqlite3.Error as error:
        raise BackupFailed(f"{source} cannot be copied: {error}") from None
    except OSError as error:
        raise BackupFailed(f"{target} cannot be written: {error.strerror}") from None


def schema_of_sqlite(file: Path) -> str:
    """The schema's revision; empty where there is none."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            found = database.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return ""
    return str(found[0]) if found else ""


def dump_postgresql(settings: Settings, target: Path, limit_s: float = LIMIT_S) -> None:
    """Raises BackupFailed."""
    _run(["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}"], settings, limit_s)


def schema_of_dump(file: Path) -> str:
    """The schema's revision; empty where there is none. Raises BackupFailed."""
    said = _run(["pg_restore", "--data-only", "--table=alembic_version", "--file=-", str(file)], None, 60.0)
    found = re.search(r"^COPY [^\n]*alembic_version[^\n]*\n([^\n]+)\n\\\.$", said, re.MULTILINE)
    return found[1] if found else ""


def restore_postgresql(settings: Settings, dump: Path, limit_s: float = LIMIT_S) -> None:
    """All of it, or nothing. Raises BackupFailed."""
    name = _environment(settings)["PGDATABASE"]
    options = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", f"--dbname={name}")
    _run(["pg_restore", *options, str(dump)], settings, limit_s)


async def holds_tables(settings: Settings) -> bool:
    """Whether there is anything in the database. Raises BackupFailed."""
    engine = create_async_engine(settings.database_url)
    try:
        async with engine.connect() as connection:
            return bool(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))
    except Exception as error:  # a driver's many ways to say that it is not reached
        raise BackupFailed(f"the database cannot be reached: {error}") from error
    finally:
        await engine.dispose()


def _run(command: Sequence[str], settings: Settings | None, limit_s: float) -> str:
    program = _program(command[0])
    environ = {**os.environ, "LC_ALL": "C", **(_environment(settings) if settings else {})}
    try:
        ended = subprocess.run(
            [program, *command[1:]], env=environ, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise BackupFailed(f"{command[0]} did not end within {limit_s:.0f} s") from None
    if ended.returncode:
        last = next((line for line in reversed(ended.stderr.splitlines()) if line.strip()), "it said nothing")
        raise BackupFailed(f"{command[0]} failed: {last}")
    return ended.stdout


def _program(name: str) -> str:
    """The newest one that is installed: an older one refuses a newer server. Raises BackupFailed."""
    found = sorted(CLIENTS.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    program = str(found[-1]) if found else shutil.which(name)
    if program is None:
        raise BackupFailed(f"{name} is not installed. Remedy: apt-get install postgresql-client.")
    return program


def _environment(settings: Settings) -> Mapping[str, str]:
    """Where PostgreSQL's programs find the database. The password is in no list of processes."""
    url = make_url(settings.database.url)
    host = url.host or url.query.get("host") or ""
    port = url.query.get("port") or ""
    sslmode = url.query.get("sslmode") or url.query.get("ssl") or ""
    values = {
        "PGHOST": host if isinstance(host, str) else ",".join(host),
        "PGPORT": str(url.port or "") or (port if isinstance(port, str) else ",".join(port)),
        "PGUSER": url.username or "",
        "PGPASSWORD": url.password or "",
        "PGDATABASE": url.database or "",
        "PGSSLMODE": sslmode if isinstance(sslmode, str) and sslmode not in ("true", "false") else "",
    }
    return {name: value for name, value in values.items() if value}
