"""The gateway is started, stopped and replaced while calls run: none ends by it, none is lost, none is told twice."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from gateway.backup import restoring
from gateway.settings import PROJECT
from tests import sip
from tests.calls.killing import settled, workers
from tests.calls.test_deaths import assert_whole
from tests.centre import Api, RealCentre, real_centre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

STOP_LIMIT_S = 8.0
CALLS = 12
PASSPHRASE = "seratus dua belas"


@pytest.fixture(scope="module")
def manager() -> Iterator[socket.socket]:
    """The socket of a service's manager."""
    folder = Path(tempfile.mkdtemp(prefix="manager-"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(folder / "notify"))
        yield listening
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def own_centre(manager: socket.socket) -> Iterator[RealCentre]:
    """A centre for the module alone, started as two services of that manager."""
    with real_centre({"call": {"queue_max_wait_s": 30}}) as centre:
        centre.start_asterisk(NOTIFY_SOCKET=manager.getsockname())
        assert "READY=1" in heard(manager, 0.1)[0].splitlines()
        centre.start_gateway(NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="1200000")
        yield centre


def heard(manager: socket.socket, wait_s: float) -> list[str]:
    """What is told within that time."""
    until, told = time.monotonic() + wait_s, []
    while (left_s := until - time.monotonic()) > 0:
        manager.settimeout(left_s)
        with contextlib.suppress(TimeoutError):
            told.append(manager.recv(1000).decode())
    return told


def lives(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


async def running_calls(api: Api, count: int) -> None:
    async with asyncio.timeout(15):
        while sum(not call["outcome"] for call in await api.calls()) < count:
            await asyncio.sleep(0.05)


def test_the_manager_hears_when_it_is_ready_well_frozen_and_stopping(
    own_centre: RealCentre, manager: socket.socket
) -> None:
    manager.settimeout(20)
    told = []
    while "READY=1" not in told:
        told.append(manager.recv(1000).decode())
    assert "WATCHDOG=1" not in told
    with socket.create_connection(("127.0.0.1", own_centre.settings.api.port), timeout=1):
        pass
    assert heard(manager, 1.0).count("WATCHDOG=1") >= 2
    own_centre.freeze_gateway()
    heard(manager, 0.1)
    assert heard(manager, 0.9) == []
    own_centre.thaw_gateway()
    assert "WATCHDOG=1" in heard(manager, 1.0)
    children = workers(own_centre.gateway_pid)
    assert children
    assert all(b"NOTIFY_SOCKET" not in Path(f"/proc/{pid}/environ").read_bytes() for pid in children)
    assert own_centre.stop_gateway() == 0
    assert "STOPPING=1" in heard(manager, 0.1)
    own_centre.start_gateway()


async def test_a_stop_ends_no_call_and_the_call_is_whole_after_the_next_start(
    own_centre: RealCentre, own_api: Api, tmp_path: Path
) -> None:
    centre = own_centre
    tone = sip.tone(tmp_path / "tone.al", 440)
    scenario = sip.caller_talks(hold_ms=4000, sound=tone)
    async with Sipp(sip.phone_answers(sound=tone), address="127.0.0.21") as phone:
        await own_api.operator("1001", phone)
        async with (
            Sipp.caller(scenario, centre.sip_port) as caller,
            own_api.session.get("/v1/events/stream") as stream,
        ):
            async with asyncio.timeout(10):
                while not any(call["answered_at"] for call in await own_api.calls()):
                    await asyncio.sleep(0.05)
            children = workers(centre.gateway_pid)
            began = time.monotonic()
            status = await asyncio.to_thread(centre.stop_gateway)
            took_s = time.monotonic() - began
            assert status == 0
            assert took_s < STOP_LIMIT_S
            # the stream ended as one that is whole: the listener comes again with the id that it has
            listened = (await stream.content.read()).decode()
            assert "call.answered" in listened
            assert not [pid for pid in children if lives(pid)]
            assert "2 active channels" in centre.cli("core show channels count")
            centre.start_gateway()
            assert (await caller.result()).failed == 0
        await centre.ready()
        (call,) = await own_api.ended_calls(1)
        assert (call["outcome"], call["operator"], call["hung_up_by"]) == ("answered", "1001", "caller")
        assert_whole(await own_api.events())
        last_heard = max(int(seq) for seq in re.findall(r"^id: (\d+)$", listened, re.MULTILINE))
        told_after = [event["type"] for event in (await own_api.events())[last_heard:]]
        assert "call.ended" in told_after
        assert "call.answered" not in told_after
    (record,) = [row for row in await settled(centre) if row["call_id"] == call["id"]]
    assert record["state"] == "sealed"
    assert record["sound_s"] == pytest.approx(record["expected_s"], abs=0.5)


def typed(centre: RealCentre, *words: str | Path) -> str:
    """What `gateway112 …` says, which must go well."""
    ended = subprocess.run(
        [sys.executable, "-m", "gateway", "--config", centre.folder / "gateway.toml", *words],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


async def test_a_backup_that_is_made_while_calls_run_is_the_same_centre_on_a_new_machine(
    own_centre: RealCentre, own_api: Api, tmp_path: Path
) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text(f"{PASSPHRASE}\n")
    passphrase.chmod(0o600)
    before = len(await own_api.calls())
    scenario = sip.caller_talks(hold_ms=1500, sound=sip.tone(tmp_path / "tone.al", 440))
    async with Sipp.caller(scenario, own_centre.sip_port, calls=6, rate=3) as carrier:
        await own_api.ended_calls_at_least(before + 2)
        said = await asyncio.to_thread(
            typed, own_centre, "backup", tmp_path / "backup", "--passphrase-file", passphrase
        )
        running = [call["id"] for call in await own_api.calls() if not call["outcome"]]
        assert (await carrier.result()).failed == 0
    assert "sealed recordings" in said
    all_calls = {call["id"]: call for call in await own_api.ended_calls(before + 6)}
    with real_centre() as fresh:
        restore = partial(restoring.restore, passphrase=PASSPHRASE, with_keys=True)
        await asyncio.to_thread(restore, fresh.settings, tmp_path / "backup")
        await asyncio.to_thread(fresh.start_asterisk)
        fresh.start_gateway()
        await fresh.ready()
        async with fresh.api() as api:
            restored = {call["id"]: call for call in await api.ended_calls(before + 2)}
            assert restored.keys() <= all_calls.keys()
            # what ran when the journal was copied is not known to have ended
            cut = {call_id for call_id, call in restored.items() if call["outcome"] == "failed"}
            assert len(cut) <= len(running) + 8
            for call_id in restored.keys() - cut:
                assert {**restored[call_id], "recording": None} == {**all_calls[call_id], "recording": None}
            assert_whole(await api.events())
        records = await settled(fresh)
        kept = {row["call_id"] for row in records if row["state"] == "sealed"}
        assert kept >= restored.keys() - cut
        assert not [row["problem"] for row in records if row["problem"] and row["call_id"] not in cut]
        assert "All is as it was left" in await asyncio.to_thread(typed, fresh, "vault", "verify")


async def test_a_new_gateway_beside_the_old_one_takes_over_and_no_call_is_lost_or_told_twice(
    own_centre: RealCentre, own_api: Api, tmp_path: Path
) -> None:
    """First the old one is stopped, then the one that took over is killed; calls come all the while."""
    centre = own_centre
    before = len(await own_api.calls())
    scenario = sip.caller_talks(hold_ms=1500, sound=sip.tone(tmp_path / "tone.al", 440))
    gaps = []
    for _ in range(2):
        await asyncio.to_thread(centre.start_gateway_beside)
    assert f"process {centre.gateway_pid} (version" in centre.log()
    async with Sipp.caller(scenario, centre.sip_port, calls=CALLS, rate=4) as carrier:
        for number in (signal.SIGTERM, signal.SIGKILL):
            await running_calls(own_api, 2)
            began = time.monotonic()
            await asyncio.to_thread(centre.stop_gateway, number)
            await centre.ready()
            gaps.append(time.monotonic() - began)
        assert (await carrier.result()).failed == 0
    print(f"from the old one's signal to the new one's readiness: {', '.join(f'{gap:.2f} s' for gap in gaps)}")
    calls = (await own_api.ended_calls(before + CALLS))[before:]
    assert len(calls) == CALLS
    assert {call["hung_up_by"] for call in calls} == {"caller"}
    assert_whole(await own_api.events())
    records = {row["call_id"]: row for row in await settled(centre) if row["kind"] == "call"}
    assert {records[call["id"]]["state"] for call in calls} == {"sealed"}


def test_a_gateway_that_does_not_know_the_schema_says_so_and_leaves_the_one_that_runs_alone(
    own_centre: RealCentre,
) -> None:
    file = own_centre.settings.paths.var / "gateway112.db"
    with contextlib.closing(sqlite3.connect(file)) as database:
        (known,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
        with database:
            database.execute("UPDATE alembic_version SET version_num = '9999'")
        try:
            started = subprocess.run(
                [sys.executable, "-m", "gateway", "--config", own_centre.folder / "gateway.toml", "serve"],
                cwd=PROJECT,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
        finally:
            with database:
                database.execute("UPDATE alembic_version SET version_num = ?", (known,))
    assert started.returncode == 2
    assert "the database's schema is 9999, which this gateway does not know" in started.stderr
    assert "install the newer gateway again, or restore the backup from before it" in started.stderr
    assert "Traceback" not in started.stderr
    assert own_centre.gateway_pid
