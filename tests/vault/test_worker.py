"""The worker as the gateway has it: a real process of the lowest priority, killed, hung, and asked again.

Counterparts: `gateway/vault/worker.py`, `worker_link.py`.
"""

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.recordings import Kind, Recording, Seal, State
from gateway.ports import Destroyed, Fate, LyingFile, Part, Sealed, Unsealable, VaultAway, VaultHindered
from gateway.settings import PathSettings, Settings, VaultSettings
from gateway.vault import messages, worker, worker_link
from gateway.vault.listing import lying_files
from gateway.vault.sealing import Sealer
from gateway.vault.worker_link import VaultWorker
from tests.vault.sound import DAY, NOON, House, a_recording, two_tones


def settings_of(house: House) -> Settings:
    paths = PathSettings(var=house.folder / "var", recordings=house.root)
    return Settings(paths=paths, vault=VaultSettings(encrypt=house.is_encrypted))


@asynccontextmanager
async def working(house: House, **what: object) -> AsyncIterator[VaultWorker]:
    vault = VaultWorker(settings_of(house), **what)  # type: ignore[arg-type]
    running = asyncio.create_task(vault.run())
    try:
        yield vault
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while await asyncio.to_thread(Path(f"/proc/{pid}").exists):
            await asyncio.sleep(0.01)


async def test_a_recordings_way_from_raw_to_destroyed(locked_house: House) -> None:
    house = locked_house
    made = house.recording(raw=two_tones(0.2))
    async with working(house) as vault:
        sealed = await vault.seal(made)
        assert await vault.seal(made) == sealed
        recording = replace(made, seal=sealed.seal, state=State.SEALED)
        changed_at = (await vault.files(NOON, NOON))[0].changed_at
        assert await vault.files(NOON, NOON) == [
            LyingFile(made.id, f"{DAY}/{made.id}.ogg.box", sealed.seal.stored_bytes, changed_at, is_sealed=True),
            replace((await vault.files(NOON, NOON))[1], file=made.file, is_sealed=False),
        ]
        assert await vault.discard_raw([recording]) == {}
        assert not (house.root / made.file).exists()
        assert await vault.fate(recording) is Fate.THERE
        destroyed = Destroyed(f"{DAY}/{made.id}.destroyed.json", "a year")
        assert await vault.destroy(recording, "a year", NOON) == destroyed
        assert await vault.fate(recording) is Fate.DESTROYED
        assert await vault.files(NOON, NOON) == []
        with pytest.raises(Unsealable, match="destroyed"):
            await vault.seal(made)
    assert house.findings() == []


async def test_a_part_of_a_day_is_told_without_the_rest_of_it(house: House) -> None:
    made = [house.recording(number, two_tones(0.1)) for number in range(1, 4)]
    async with working(house) as vault:
        await vault.seal(made[1])
        whole = await vault.files(NOON, NOON)
        first, second, third = (each.id for each in made)
        assert {each.id for each in whole} == {first, second, third}
        for part in (Part("", first), Part(first, second), Part(second), Part(first), Part(third)):
            assert await vault.files(NOON, NOON, part) == [each for each in whole if part.holds(each.id)]
        assert [each.is_sealed for each in await vault.files(NOON, NOON, Part(first, second))] == [True, False]


async def test_a_disk_that_is_not_mounted_has_lost_nothing(house: House) -> None:
    """An empty folder lies where it was: whoever lists a day that was signed here is told that it is not there."""
    made = house.recording(raw=two_tones(0.2))
    async with working(house) as vault:
        await vault.seal(made)
        listed = await vault.files(NOON, NOON)
        mounted = house.root / DAY
        mounted.rename(house.folder / "unmounted")
        said = f"{DAY}/chain.jsonl is not there, and was signed here. Remedy: is .* mounted"
        with pytest.raises(Unsealable, match=said):
            await vault.files(NOON, NOON)
        mounted.mkdir()  # and a call has come since
        (mounted / "112-9.0.raw").write_bytes(two_tones(0.2))
        with pytest.raises(Unsealable, match=said):
            await vault.files(NOON, NOON)
        shutil.rmtree(mounted)
        assert await vault.files(NOON - timedelta(days=1), NOON + timedelta(days=1), are_seen=True) == []
        (house.folder / "unmounted").rename(mounted)
        assert await vault.files(NOON, NOON) == listed


async def test_a_worker_that_a_disk_does_not_let_go_holds_up_no_end_of_the_gateway(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck:
        pid, stdin, kills = 1, None, 0

        async def wait(self) -> int:
            await asyncio.Event().wait()
            return 0

        def kill(self) -> None:
            self.kills += 1

    monkeypatch.setattr(worker_link, "STOP_LIMIT_S", 0.05)
    process = Stuck()
    async with asyncio.timeout(5):
        await VaultWorker._end(process)  # type: ignore[arg-type]
    assert process.kills == 1
    assert [record.message for record in caplog.records] == ["vault_worker_does_not_end"]


async def test_it_works_behind_everybody_else_and_ends_with_its_input(house: House) -> None:
    async with working(house) as vault:
        await vault.files(NOON, NOON)
        pid = vault.pid
        assert pid is not None
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19
        assert os.sched_getscheduler(pid) == os.SCHED_IDLE
        # but for the one thread that says that it is there: a busy machine is no hang
        threads = [int(each) for each in os.listdir(f"/proc/{pid}/task")]
        others = [each for each in threads if os.sched_getscheduler(each) != os.SCHED_IDLE]
        assert [os.getpriority(os.PRIO_PROCESS, each) for each in others] == [os.getpriority(os.PRIO_PROCESS, 0)]
    await until_gone(pid)


async def test_one_that_cannot_be_sealed_stops_no_other(house: House) -> None:
    empty, good = house.recording(1, b""), house.recording(2, two_tones(0.1))
    async with working(house) as vault:
        with pytest.raises(Unsealable, match="empty") as refused:
            await vault.seal(empty)
        assert refused.value.is_lost
        with pytest.raises(Unsealable, match="no file of a day's folder"):
            await vault.seal(replace(good, file="../../x.raw"))
        assert (await vault.seal(good)).seal.entry == 1


async def test_a_worker_that_is_killed_is_started_again_and_the_job_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_link, "RESTART_PAUSE_S", 0.05)
    recording = house.recording(raw=bytes(32_000 * 1200))
    async with working(house) as vault:
        await vault.files(NOON, NOON)
        asked = asyncio.create_task(vault.seal(recording))
        while not (house.day / f".{recording.id}.ogg.part").exists():
            await asyncio.sleep(0.005)
        assert vault.pid is not None
        os.kill(vault.pid, signal.SIGKILL)
        with pytest.raises(VaultAway, match="status -9"):
            await asked
        assert [path.name for path in house.day.glob("*.ogg")] == []
        house.recording(raw=two_tones(0.1))
        # half-made sound goes with the next look, whether it is asked again or not
        await vault.files(NOON, NOON)
        assert list(house.day.glob(".*")) == []
        assert (await vault.seal(recording)).seal.entry == 1
    assert house.findings() == []


async def test_a_worker_that_hangs_is_killed(house: House) -> None:
    deaf = (sys.executable, "-c", "print('{\"ready\": {}}', flush=True); import time; time.sleep(60)")
    async with working(house, silence_limit_s=0.2, command=deaf) as vault:
        with pytest.raises(VaultAway, match="said nothing for"):
            await vault.seal(a_recording())
        pid = vault.pid
        if pid is not None:
            await until_gone(pid)


async def test_what_it_may_not_touch_is_told_from_a_vault_that_is_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, unlink = house.sealed(raw=two_tones(0.2)), Path.unlink
    refusal: OSError = PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".ogg":
            raise refusal
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    work = worker.Work(settings_of(house), house.shelf, lambda: NOON, tell=len, tell_more=len)
    asked = {"job": "destroy", "recording": messages.of_recording(recording), "rule": "a year", "at": NOON.isoformat()}
    answer = work.answer(asked)
    said = f"{DAY}/{recording.id}.ogg cannot be deleted: Permission denied"
    assert answer == {"away": said, "is_hindered": True}
    refusal = OSError(errno.EIO, os.strerror(errno.EIO))
    assert not work.answer(asked)["is_hindered"]
    monkeypatch.undo()

    says = (
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    told = json.loads(line)\n"
        f"    said = json.loads({json.dumps(answer)!r})\n"
        "    said = {'id': told['id'], **said} if 'id' in told else {'ready': {}}\n"
        "    print(json.dumps(said), flush=True)\n"
    )
    async with working(house, command=(sys.executable, "-c", says)) as vault:
        with pytest.raises(VaultHindered, match="Permission denied"):
            await vault.destroy(recording, "a year", NOON)


def test_a_recording_in_a_folder_that_it_may_not_touch_waits_by_itself(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the oldest, and come first: were the vault away, no newer one was ever sealed."""
    asked = {"job": "seal", "recording": messages.of_recording(house.recording(raw=two_tones(0.2)))}
    work = worker.Work(settings_of(house), house.shelf, lambda: NOON, tell=len, tell_more=len)

    def refused_by(path: Path, number: int) -> dict[str, object]:
        def refuse(_self: Sealer, _recording: Recording) -> Sealed:
            raise OSError(number, os.strerror(number), str(path))

        monkeypatch.setattr(Sealer, "seal", refuse)
        return work.answer(asked)

    said = f"the disk refuses: Permission denied: {house.day / 'chain.jsonl'}"
    assert refused_by(house.day / "chain.jsonl", errno.EACCES) == {"unsealable": said, "is_lost": False}
    assert "away" in refused_by(house.day / "chain.jsonl", errno.EIO)
    assert "away" in refused_by(house.keys / "heads", errno.EACCES), "so it is with each of them"


async def test_a_worker_that_is_stopped_is_told_and_started_anew_and_nothing_is_sealed_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RESTART_PAUSE_S": 0.05, "LOOK_EVERY_S": 0.1, "QUIET_S": 1.5, "HUNG_S": 2.0}.items():
        monkeypatch.setattr(worker_link, name, value)
    recording = house.recording(raw=bytes(32_000 * 100))
    async with working(house) as vault:
        await vault.files(NOON, NOON)
        asked = asyncio.create_task(vault.seal(recording))
        while not (house.day / f".{recording.id}.ogg.part").exists():
            await asyncio.sleep(0.005)
        stopped = vault.pid
        assert stopped is not None
        assert vault.problem is None
        os.kill(stopped, signal.SIGSTOP)
        async with asyncio.timeout(5):
            while vault.problem is None:
                await asyncio.sleep(0.05)
        assert vault.pid == stopped
        assert "it hangs" in vault.problem
        with pytest.raises(VaultAway, match="it hung for"):
            await asked
        await until_gone(stopped)
        assert (await vault.seal(recording)).seal.entry == 1
        assert vault.problem is None
    assert house.findings() == []


async def test_a_worker_that_only_says_that_it_is_there_is_told_to_be_stuck(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"LOOK_EVERY_S": 0.02, "QUIET_AT_JOB_S": 0.2, "QUIET_S": 0.5}.items():
        monkeypatch.setattr(worker_link, name, value)
    says = f"print({json.dumps(json.dumps(messages.HERE))}, flush=True)"
    busy = f"import time\nprint('{{\"ready\": {{}}}}', flush=True)\nwhile True: {says}; time.sleep(0.05)"
    async with working(house, silence_limit_s=0.6, command=(sys.executable, "-c", busy)) as vault:
        asked = asyncio.create_task(vault.seal(a_recording()))
        async with asyncio.timeout(5):
            while "stuck in one job" not in (vault.problem or ""):
                await asyncio.sleep(0.01)
        with pytest.raises(VaultAway, match="said nothing for"):
            await asked


async def test_where_it_does_not_run_it_is_said_why(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_link, "START_LIMIT_S", 0.3)
    vault = VaultWorker(settings_of(house))
    with pytest.raises(VaultAway, match="has not been started"):
        await vault.seal(a_recording())
    async with working(house, command=("/nonexistent/python",)) as vault:
        with pytest.raises(VaultAway, match="cannot be started"):
            await vault.seal(a_recording())


async def test_two_workers_never_hold_one_vault(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    held = worker.hold(house.root)
    with pytest.raises(worker.AnotherWorks, match="two centres need two folders"):
        worker.hold(house.root, wait_s=0.1)
    async with working(house) as vault:
        waiting = asyncio.create_task(vault.files(NOON, NOON))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        os.close(held)
        assert await waiting == []


async def test_whoever_is_not_waited_for_any_more_confuses_nobody(house: House) -> None:
    first, second = house.recording(1, bytes(32_000 * 60)), house.recording(2, two_tones(0.1))
    async with working(house) as vault:
        await vault.files(NOON, NOON)
        asked = asyncio.create_task(vault.seal(first))
        await asyncio.sleep(0.05)
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
        assert (await vault.seal(second)).seal.stored == f"{DAY}/{second.id}.ogg"


async def test_a_list_of_any_length_comes_over_piece_by_piece(house: House) -> None:
    count = 20 * messages.MOST_FILES + 7
    for number in range(count):
        (house.day / f"112-1.{number}.raw").touch()
    async with working(house) as vault:
        found = await vault.files(NOON, NOON)
        assert len({each.id for each in found}) == count
        asking = asyncio.create_task(vault.files(NOON, NOON))
        await asyncio.sleep(0.3)
        asking.cancel()
        assert len(await vault.files(NOON, NOON)) == count


async def test_a_disk_that_refuses_is_nobodys_fault(house: House) -> None:
    recording = house.recording(raw=two_tones(0.1))
    (house.day / f".{recording.id}.ogg.part").mkdir()
    async with working(house) as vault:
        with pytest.raises(VaultAway, match="the disk refuses"):
            await vault.seal(recording)


@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_recording_goes_over_the_pipe_as_it_is(is_sealed: bool) -> None:
    seal = Seal(NOON, f"{DAY}/a.ogg", 1, "a", "b", "c", 3, "key") if is_sealed else None
    recording = Recording(
        id="a",
        kind=Kind.CALLBACK,
        file=f"{DAY}/a.raw",
        started_at=NOON,
        dial_id="7",
        state=State.SEALED,
        ended_at=NOON,
        seal=seal,
        destroyed_at=NOON,
        faults=("it is short",),
    )
    assert messages.recording(messages.of_recording(recording)) == recording


def test_only_those_of_the_days_that_were_asked_for_are_listed(house: House, tmp_path: Path) -> None:
    for number, day in enumerate(("2026/11/24", "2026/11/25", "2026/11/27"), 1):
        house.recording(number, b"\0\0\0\0", day=day)
    (house.root / "2026/11/25/notes.txt").write_text("x")
    (house.root / "2026/99/99").mkdir(parents=True)
    found = lying_files(house.root, house.shelf, house.certificates, NOON.replace(day=25), NOON)
    assert [(each.file, each.bytes) for each in found] == [("2026/11/25/112-1795600000.2.raw", 4)]
