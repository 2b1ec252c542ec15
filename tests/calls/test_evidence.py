"""Real calls' sound as evidence: recorded, looked at, sealed within seconds; told at once where it is not written."""

import asyncio
import contextlib
import os
import random
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from gateway.settings import PROJECT
from tests import sip
from tests.calls import killing
from tests.calls.killing import Victim, rows
from tests.centre import Api, Json, RealCentre, real_centre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

DISK_MB, LOW_MB = 64, 40


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    return sip.tone(tmp_path / "tone.alaw", 700)


async def until(is_so: Callable[[], bool], what: str, limit_s: float = 20.0) -> float:
    """Waits until that is so; returns how long it took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < limit_s, what
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def the_row(centre: RealCentre, call_id: str, states: tuple[str, ...]) -> Json:
    """The call's recording, once it is in one of those states."""
    found: list[Json] = []

    def is_there() -> bool:
        found[:] = [row for row in rows(centre) if row["call_id"] == call_id and row["state"] in states]
        return bool(found)

    # alone it takes about four seconds; the worker leaves the processor to the other tests, and seals the oldest first
    await until(is_there, f"{call_id} is not {states}", limit_s=60)
    return found[0]


async def told(api: Api, call_id: str) -> list[Json]:
    """What was told of the call's recording."""
    events = (await api.get(f"/v1/calls/{call_id}/events"))["items"]
    return [event for event in events if event["type"].startswith("recording.")]


async def test_calls_are_sealed_within_seconds_and_an_operator_whose_phone_sends_nothing_is_told_of(
    centre: RealCentre, api: Api, tone: Path
) -> None:
    mark = (await api.events())[-1]["at"]
    async with (
        Sipp(sip.phone_answers(sound=tone), address="127.0.0.21") as heard,
        Sipp(sip.phone_answers(), address="127.0.0.22") as mute,
    ):
        await api.operator("1001", heard)
        await api.operator("1002", mute, name="Budi")
        await sip.call(sip.caller_talks(hold_ms=6500, sound=tone), centre.sip_port, calls=2)
    calls = await api.ended_calls(2, after=mark)
    folder = centre.settings.paths.recordings
    for call in calls:
        row = await the_row(centre, call["id"], ("sealed",))
        assert row["expected_s"] == pytest.approx(6.5, abs=0.1)
        assert row["sound_s"] == pytest.approx(6.5, abs=0.4)
        await until(lambda file=folder / row["file"]: not file.exists(), "the raw sound is gone")  # type: ignore[misc]
        assert (folder / row["stored"]).stat().st_size == row["stored_bytes"]
        kinds = [event["type"] for event in await told(api, call["id"])]
        if call["operator"] == "1001":
            assert (row["problem"], kinds) == (None, ["recording.sealed"])
        else:
            assert row["problem"].startswith("nothing is heard of the operator in ")
            assert kinds == ["recording.failed", "recording.sealed"]
    assert {call["operator"] for call in calls} == {"1001", "1002"}


async def test_the_first_call_of_the_readme_has_a_good_recording(centre: RealCentre, api: Api, tone: Path) -> None:
    mark = (await api.events())[-1]["at"]
    caller, phone = (
        (PROJECT / "setup/try" / name).read_text().replace("var/speech.alaw", str(tone)).replace('"20000"', '"5500"')
        for name in ("caller.xml", "phone.xml")
    )
    async with Sipp(phone, address="127.0.0.21") as answering:
        await api.operator("1001", answering)
        assert (await sip.call(caller, centre.sip_port)).succeeded == 1
    [call] = await api.ended_calls(1, after=mark)
    row = await the_row(centre, call["id"], ("sealed",))
    assert (row["problem"], row["sound_s"]) == (None, pytest.approx(5.5, abs=0.4))
    assert None not in (row["left_dbfs"], row["right_dbfs"])


async def test_a_caller_who_cancels_before_112_answers_leaves_an_empty_recording(centre: RealCentre, api: Api) -> None:
    mark = (await api.events())[-1]["at"]
    centre.cli("dialplan set global RING_BEFORE_ANSWER_S 5")
    try:
        await sip.call(sip.caller_cancels(after_ms=300), centre.sip_port)
    finally:
        centre.cli("dialplan set global RING_BEFORE_ANSWER_S 0")
    [call] = await api.ended_calls(1, after=mark)
    row = await the_row(centre, call["id"], ("empty",))
    assert (call["outcome"], row["problem"]) == ("cancelled", None)
    assert await told(api, call["id"]) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own for the recordings, DISK_MB large."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False, timeout=10)
    if made.returncode:
        pytest.skip(f"a disk of its own needs the right to mount one: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=10)


@pytest.fixture
async def on_small_disk(small_disk: Path) -> AsyncIterator[RealCentre]:
    sections = {"paths": {"recordings": str(small_disk)}, "vault": {"low_space_mb": LOW_MB}}
    with real_centre(sections) as centre:
        await asyncio.to_thread(centre.start_asterisk)
        centre.start_gateway()
        await centre.ready()
        yield centre


async def test_a_full_disk_is_an_alarm_calls_are_answered_and_all_goes_on_when_there_is_room(
    on_small_disk: RealCentre, small_disk: Path, tone: Path
) -> None:
    centre = on_small_disk
    async with centre.api() as api:
        talks = sip.caller_talks(hold_ms=11_000, sound=tone)
        async with Sipp.caller(talks, centre.sip_port) as running:
            await until(lambda: any(path.stat().st_size for path in small_disk.rglob("*.raw")), "a sound is written")
            fill(small_disk / "ballast")
            alarms = await standing(api, {"disk_low", "recording_stalled"})
            assert "nothing is sealed" in alarms["disk_low"]
            health = await api.get("/v1/health", status=503)
            assert health["recordings"]["stalled"] == 1
            late = await sip.call(sip.caller_talks(hold_ms=1000), centre.sip_port)
            assert late.failed == 0, late.output
            assert not stored(small_disk)
            (small_disk / "ballast").unlink()
            assert await standing(api, set()) == {}
            assert (await running.result()).failed == 0
        first, second = await api.ended_calls(2)
        assert first["greeted_at"]
        assert second["greeted_at"]
        row = await the_row(centre, first["id"], ("sealed",))
        # what was not written while there was no room is missing, and that is told
        assert row["problem"].endswith("s were expected")
        kinds = [event["type"] for event in await told(api, first["id"])]
        assert kinds == ["recording.failed", "recording.failed", "recording.sealed"]


def stored(folder: Path) -> list[Path]:
    return list(folder.rglob("*.ogg*"))


def fill(ballast: Path) -> None:
    """Leaves no byte on the disk."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass
        while file.write(b"\0"):
            pass


async def standing(api: Api, kinds: set[str], limit_s: float = 15.0) -> dict[str, str]:
    """The alarms about recordings, once exactly those stand."""
    began = time.monotonic()
    while True:
        items = (await api.get("/v1/alarms", standing="true"))["items"]
        found = {each["kind"]: each["detail"] for each in items if each["kind"].startswith(("recording_", "disk_"))}
        if found.keys() == kinds:
            return found
        assert time.monotonic() - began < limit_s, found
        await asyncio.sleep(0.2)


@pytest.mark.timeout(240)
async def test_whatever_is_killed_when_each_call_has_its_sound_and_nothing_is_sealed_twice(tone: Path) -> None:
    """Three times each; `python -m bench --only deaths` does it twenty times."""
    seed = int(os.environ.get("SEED", time.time()))
    luck = random.Random(seed)
    with real_centre() as centre:
        await asyncio.to_thread(centre.start_asterisk)
        centre.start_gateway()
        await centre.ready()
        async with centre.api() as api:
            victims = [victim for victim in Victim for _ in range(3)]
            luck.shuffle(victims)
            found = await killing.a_round(centre, api, victims, tone, luck, span_s=5, kill_by_s=7)
    assert found.faults == (), f"seed {seed}: {found}"
    assert found.calls >= 3
    assert found.sealed + found.empty + found.lost == found.calls
    assert found.worst_s < 2.5, f"seed {seed}: {found}"
