"""One gateway at a time has charge of a centre."""

import asyncio
import errno
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import __version__
from gateway.app import App
from gateway.charge import Charge, Holder
from gateway.settings import DatabaseSettings, PathSettings, Settings
from gateway.store.sole import SoleUse
from gateway.systemd import Manager
from tests.databases import Postgres

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
HOLD = "import sys, datetime, pathlib, gateway.charge as c; a = c.Charge(pathlib.Path(sys.argv[1])); "
HOLD += "assert a.take(datetime.datetime.now(datetime.UTC)); print('held', flush=True); sys.stdin.read()"


async def test_the_second_one_waits_for_the_first_is_told_who_that_is_and_has_charge_then(tmp_path: Path) -> None:
    first, second = Charge(tmp_path), Charge(tmp_path)
    assert first.take(NOW)
    told: list[Holder] = []
    waiting = asyncio.create_task(second.wait(asyncio.Event(), lambda: NOW, told.append))
    while len(told) < 2:
        await asyncio.sleep(0.01)
    assert told[0] == Holder(os.getpid(), __version__, "2026-11-26T03:00:00+00:00")
    first.give_up()
    assert await waiting
    assert not first.take(NOW)


async def test_whoever_is_stopped_while_it_waits_holds_nothing(tmp_path: Path) -> None:
    first, second, third = (Charge(tmp_path) for _ in range(3))
    assert first.take(NOW)
    stopping = asyncio.Event()
    waiting = asyncio.create_task(second.wait(stopping, lambda: NOW, lambda holder: stopping.set()))
    assert not await waiting
    first.give_up()
    assert third.take(NOW)


def test_a_full_disk_keeps_no_gateway_from_its_charge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    first, second = Charge(tmp_path), Charge(tmp_path)
    assert first.take(NOW)
    assert not second.take(NOW)
    assert second.holder() == Holder()


def test_it_ends_with_the_process_that_has_it_however_that_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        charge = Charge(tmp_path)
        assert not charge.take(NOW)
        assert charge.holder().pid == other.pid
        other.kill()
        other.wait(10)
        assert charge.take(NOW)


def test_of_a_holder_that_has_not_said_who_it_is_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "charge").write_text("{")
    assert Charge(tmp_path).holder() == Holder()


async def test_a_second_centre_by_mistake_on_one_database_waits_and_goes_on_once_the_first_has_ended(
    postgres: Postgres, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    postgres.run("createdb", "shared")
    url = postgres.url("shared")
    database = DatabaseSettings(url=url.replace("+asyncpg", ""))
    first = SoleUse(url)
    assert await first.take()
    second = App(Settings(database=database, paths=PathSettings(var=tmp_path)), Manager())
    charge = Charge(tmp_path)
    waiting = asyncio.create_task(second.take_charge(charge))
    while "gateway_waits" not in [record.message for record in caplog.records]:
        await asyncio.sleep(0.01)
    await first.give_up()
    assert await waiting
    assert not await first.take()
    await first.give_up()
    await second.give_up()
    charge.give_up()
    postgres.run("dropdb", "--force", "shared")
