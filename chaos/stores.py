"""The campaign's database, SQLite or PostgreSQL, with what is needed to break it.

Counterparts: `faults/databases.py`; `tests/databases.py`, which runs PostgreSQL's server.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.disks import Disk
from chaos.proxy import Proxy
from tests.databases import Postgres, running_postgres

DATABASES = ("sqlite", "postgresql")
NAME = "chaos"
FILE = "gateway112.db"


@dataclass(slots=True)
class Sqlite:
    """The file lies on a disk of its own; in `paths.var` there is only a link to it."""

    disk: Disk

    name = "sqlite"
    url = "sqlite"

    @property
    def file(self) -> Path:
        return self.disk.path / FILE

    def lay(self, link: Path) -> None:
        """Makes the link, in the place of one that is there. SQLite follows it, and keeps its log beside the file."""
        link.parent.mkdir(parents=True, exist_ok=True)
        fresh = link.with_suffix(".fresh")
        fresh.symlink_to(self.file)
        fresh.replace(link)


@dataclass(slots=True)
class Postgresql:
    """The gateway reaches it through the proxy; its tables lie on a disk of its own."""

    disk: Disk
    server: Postgres
    proxy: Proxy
    socket: Path

    name = "postgresql"

    @property
    def url(self) -> str:
        return f"postgresql://gateway112@/{NAME}?host={self.socket}"

    async def run(self, *statements: str) -> None:
        """Runs them in a session of its own, one after the other, each a transaction."""
        commands = [part for statement in statements for part in ("-c", statement)]
        await asyncio.to_thread(self.server.run, "psql", "-q", "-d", NAME, *commands)


Database = Sqlite | Postgresql


@asynccontextmanager
async def database(kind: str, folder: Path) -> AsyncIterator[Database]:
    """A new and empty one of that kind; SQLite's disk lies in `folder`."""
    disk = Disk(folder / "database")
    if kind == "sqlite":
        disk.mount()
        try:
            yield Sqlite(disk)
        finally:
            disk.unmount()
        return
    with running_postgres() as server:
        # beside the server's own folder: it has reached everything above it, and so reaches this
        disk = Disk(server.folder / "tables")
        disk.mount()
        try:
            await asyncio.to_thread(server.own, disk.path)
            socket = server.folder / "proxied"
            socket.mkdir()
            path = f"{server.folder}/.s.PGSQL.5432"
            proxy = Proxy(lambda: asyncio.open_unix_connection(path))
            async with proxy.on_socket(socket / ".s.PGSQL.5432"):
                postgresql = Postgresql(disk, server, proxy, socket)
                await asyncio.to_thread(
                    server.run, "psql", "-q", "-d", "postgres", "-c", f"CREATE TABLESPACE small LOCATION '{disk.path}'"
                )
                await asyncio.to_thread(server.run, "createdb", "--tablespace", "small", NAME)
                yield postgresql
        finally:
            disk.unmount()
