"""A new, empty database for each test: once on SQLite, once on PostgreSQL.

Counterpart: `gateway/store/database.py` opens it. The PostgreSQL server is Debian's package, started for the whole
session on a private Unix socket, without a TCP port, and stopped at the end.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

START_LIMIT_S = 30.0
PACKAGES = Path("/usr/lib/postgresql")
REMEDY = "PostgreSQL's server is not installed: `make test` installs it, or: apt-get install postgresql"

_UTF8 = ("-E", "UTF8", "--no-locale", "--no-sync")
_numbers = count(1)

OWNER = ("nobody", "nogroup")
"""Who runs the server where the tests run as root."""


@dataclass(frozen=True)
class Postgres:
    """A running server. Its superuser is `gateway112`; who reaches the socket needs no password."""

    programs: Path
    folder: Path

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://gateway112@/{database}?host={self.folder}"

    def own(self, folder: Path) -> None:
        """Gives the server a folder."""
        if os.geteuid() == 0:
            shutil.chown(folder, *OWNER)

    def run(self, program: str, *arguments: str) -> None:
        """Runs one of PostgreSQL's own client programs."""
        _run([str(self.programs / program), "-h", str(self.folder), "-U", "gateway112", *arguments])


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The session's PostgreSQL server."""
    with running_postgres() as server:
        yield server


@contextmanager
def running_postgres(**settings: str) -> Iterator[Postgres]:
    """A PostgreSQL server of its own; `settings` are PostgreSQL's."""
    programs = _programs()
    # a socket's path has at most 107 bytes, and pytest's own folders are long
    folder = Path(tempfile.mkdtemp(prefix="gateway112-pg-", dir="/tmp"))
    as_owner = _as_owner(folder)
    try:
        data = str(folder / "data")
        _run(
            [*as_owner, str(programs / "initdb"), "-D", data, "-U", "gateway112", "-A", "trust", *_UTF8],
            folder,
        )
        with (folder / "server.log").open("wb") as server_log:
            server = subprocess.Popen(
                [
                    *as_owner,
                    # the server dies with the tests, even when they are killed
                    *("setpriv", "--pdeathsig", "QUIT"),
                    *(str(programs / "postgres"), "-D", data),
                    *_settings(listen_addresses="", unix_socket_directories=str(folder)),
                    *_settings(**{"fsync": "off", "shared_buffers": "32MB", "max_connections": "60"} | settings),
                    # not UTC, so that a time which loses its zone is seen
                    *_settings(timezone="Asia/Jakarta", log_timezone="UTC"),
                ],
                cwd=folder,
                stdout=server_log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            here = Postgres(programs, folder)
            _wait_until_ready(here, server)
            yield here
        finally:
            server.send_signal(signal.SIGINT)  # fast shutdown: open connections are closed
            server.wait(START_LIMIT_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new, empty database, in SQLAlchemy's async form."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'gateway112.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"test{next(_numbers)}"
    server.run("createdb", name)
    yield server.url(name)
    server.run("dropdb", "--force", name)


def _programs() -> Path:
    """The folder of the newest installed server's programs."""
    found = sorted(PACKAGES.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if not found:
        pytest.fail(REMEDY)
    return found[-1].parent


def _as_owner(folder: Path) -> list[str]:
    """What to put before a command so that it runs as the folder's owner. PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, *OWNER)
    folder.chmod(0o755)
    return ["setpriv", "--reuid", OWNER[0], "--regid", OWNER[1], "--clear-groups"]


def _settings(**settings: str) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _wait_until_ready(here: Postgres, server: subprocess.Popen[bytes]) -> None:
    ready = [str(here.programs / "pg_isready"), "-q", "-h", str(here.folder), "-t", "1"]
    for _ in range(int(START_LIMIT_S / 0.1)):
        if server.poll() is not None:
            break
        if subprocess.run(ready, check=False).returncode == 0:
            return
        try:
            server.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    raise RuntimeError("PostgreSQL did not start:\n" + (here.folder / "server.log").read_text())


def _run(command: Sequence[str], folder: Path | None = None) -> None:
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=START_LIMIT_S, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{ended.stdout}{ended.stderr}")
