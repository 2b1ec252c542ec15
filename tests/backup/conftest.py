"""A small centre on each database, with a vault, a journal and keys; and an empty one to restore into."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import pytest
from sqlalchemy import select

from gateway.asterisk import site
from gateway.backup import making, restoring
from gateway.domain.change import Change, Position
from gateway.domain.evidence import Verification
from gateway.settings import Settings, load
from gateway.store import tables
from gateway.store.database import open_database
from gateway.store.repository import Repository
from gateway.vault.looks import Looks
from tests.databases import Postgres
from tests.store.values import an_event, ended
from tests.vault.sound import House, tones

Told: TypeAlias = tuple[list[object], list[object], list[object]]
PASSPHRASE = "seratus dua belas"
RECORD = "CEL,1,{0},1795600000.{0},x\n"


@dataclass
class Own:
    """A centre of the tests' own."""

    folder: Path
    settings: Settings

    @property
    def file(self) -> Path:
        return self.folder / "gateway.toml"

    def backup(self, target: Path, passphrase: str | None = PASSPHRASE, *, has_sound: bool = True) -> making.Made:
        return making.make(
            self.settings,
            target,
            settings_file=self.file,
            passphrase=passphrase,
            has_sound=has_sound,
            clock=lambda: datetime.now(UTC),
            dialplan=self.folder / "dialplan",
        )

    def restore(
        self,
        source: Path,
        passphrase: str | None = PASSPHRASE,
        *,
        with_keys: bool = True,
        tell: Callable[[int], object] = lambda _: None,
    ) -> None:
        restoring.restore(self.settings, source, passphrase=passphrase, with_keys=with_keys, tell=tell)

    def told(self) -> Told:
        """All that the database tells: events, calls, the journal's positions."""
        return asyncio.run(self._told())

    async def _told(self) -> Told:
        engine = await open_database(self.settings.database_url)
        try:
            async with engine.connect() as connection:
                events = (await connection.execute(select(tables.events).order_by(tables.events.c.seq))).all()
                calls = (await connection.execute(select(tables.calls).order_by(tables.calls.c.id))).all()
                positions = (await connection.execute(select(tables.journal_positions))).all()
            return [tuple(row) for row in events], [tuple(row) for row in calls], [tuple(row) for row in positions]
        finally:
            await engine.dispose()


@pytest.fixture
def fresh(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Own]:
    """One with nothing in it, on the other database of the same kind."""
    if database_url.startswith("sqlite"):
        yield own(tmp_path / "fresh", "sqlite")
        return
    server: Postgres = request.getfixturevalue("postgres")
    server.run("createdb", "fresh")
    yield own(tmp_path / "fresh", server.url("fresh").replace("+asyncpg", ""))
    server.run("dropdb", "--force", "fresh")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Own:
    """A centre with two calls in its database, a journal of two segments, three recordings that are sealed, one of
    which was destroyed, one that waits, and secrets. Not to be touched."""
    made = own(tmp_path_factory.mktemp("template") / "centre", "sqlite")
    settings = made.settings
    house = House(made.folder)
    sealed = [house.sealed(number, tones(0.1, 300 * number, 500)) for number in (1, 2, 3)]
    house.destroyer.destroy(sealed[1], "a year", house.now)
    house.recording(4, tones(0.1, 440, 600))
    Looks(settings.vault_dir).sum_up(Verification(since=house.now))
    settings.journal_dir.mkdir(parents=True)
    (settings.journal_dir / "journal-old.csv").write_text("".join(RECORD.format(n) for n in range(10)))
    (settings.journal_dir / "journal.csv").write_text(
        "".join(RECORD.format(n) for n in range(10, 20)) + "CEL,1,half a rec"
    )
    for name in ("admin-token", "probe-secret", "calendar-secret", "asterisk/ami-secret"):
        site.kept_secret(settings.paths.var / name)
    asyncio.run(fill(settings))
    return made


async def fill(settings: Settings) -> None:
    repository = Repository(await open_database(settings.database_url))
    calls = (ended(1), ended(2))
    events = tuple(an_event(call.id, note="ada api") for call in calls)
    await repository.commit(Change(events=events, calls=calls, positions={"first": Position(100, "1795600000.1")}))
    await repository.close()


@pytest.fixture
def centre(template: Own, database_url: str, tmp_path: Path) -> Own:
    """That centre, on each database."""
    made = own(tmp_path / "centre", "sqlite")
    for name in ("var", "recordings"):
        shutil.copytree(template.folder / name, made.folder / name)
    if database_url.startswith("sqlite"):
        return made
    (made.settings.paths.var / "gateway112.db").unlink()
    on_server = own(made.folder, database_url.replace("+asyncpg", ""))
    asyncio.run(fill(on_server.settings))
    return on_server


@pytest.fixture(scope="session")
def one_backup(template: Own) -> Path:
    """A backup of it. Not to be touched."""
    return template.backup(template.folder.with_name("backup")).folder


@pytest.fixture
def a_backup(one_backup: Path, tmp_path: Path) -> Path:
    """A copy of that, on SQLite, to do something to."""
    return Path(shutil.copytree(one_backup, tmp_path / "backup"))


def own(folder: Path, url: str) -> Own:
    folder.mkdir(exist_ok=True)
    (folder / "gateway.toml").write_text(f'[database]\nurl = "{url}"\n')
    return Own(folder, load(folder / "gateway.toml", {}))
