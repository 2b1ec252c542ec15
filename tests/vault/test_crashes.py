"""The worker killed before each of its steps to the disk, and asked again: nothing is lost, or converted twice.

Counterpart: `killed.py`.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.recordings import Recording, Seal, State
from gateway.vault.findings import What
from tests.vault.killed import died_at
from tests.vault.sound import NOON, House, a_recording, tones, two_tones

MOST_STEPS = 60


def deaths(begun: House, folder: Path, job: str) -> Iterator[House]:
    """A vault for each step, like `begun`, in which the job died there."""
    for step in range(1, MOST_STEPS):
        shutil.copytree(begun.folder, folder / str(step))
        house = House(folder / str(step))
        if not died_at(step, job, house.folder):
            assert step > 3
            return
        yield house
    raise AssertionError("it never came to its end")


def planned(folder: Path) -> House:
    """A vault in which sealing died as soon as its plan was whole; what died before is sealed on the way."""
    begun = House(folder / "begun")
    recording = begun.recording(raw=two_tones(0.1))
    for house in deaths(begun, folder, "seal"):
        if (house.day / f".{recording.id}.json.part").exists():
            return house
        finish(house, recording)
        assert house.steps.count("converted") == 1
    raise AssertionError("it never had a plan")


def finish(house: House, recording: Recording) -> Seal:
    """Asks again, twice, and discards the raw sound: then nothing is left of it but what should be."""
    first = house.sealer.seal(recording)
    house.start()
    assert house.sealer.seal(recording) == first
    assert house.findings() == []
    house.sealer.discard_raw(replace(recording, seal=first.seal))
    assert [path.name for path in house.day.glob(".*")] == []
    return first.seal


def test_sealing_killed_before_any_step_is_finished_when_it_is_asked_again(tmp_path: Path) -> None:
    begun = planned(tmp_path / "converting")
    document = json.loads((begun.day / f".{a_recording().id}.json.part").read_text())
    died = 0
    for house in deaths(begun, tmp_path / "finishing", "seal"):
        died += 1
        seal = finish(house, a_recording())
        assert (seal.raw_sha256, seal.sound_sha256) == (document["raw"]["sha256"], document["sound"]["sha256"])
        assert (seal.entry, "converted" in house.steps) == (1, False)
    assert died > 10


def test_discarding_killed_before_any_step_ends_with_the_stored_sound_alone(tmp_path: Path) -> None:
    house = House(tmp_path)
    made = house.recording(raw=two_tones(0.1))
    recording = replace(made, seal=house.sealer.seal(made).seal)
    for step in (1, 2):
        house.recording(raw=two_tones(0.1))
        assert died_at(step, "discard_raw", tmp_path)
        house.sealer.discard_raw(recording)
        assert not (house.root / recording.file).exists()
        assert house.findings() == []


def test_destruction_killed_before_any_step_is_finished_with_the_same_certificate(tmp_path: Path) -> None:
    certificate = None
    begun = House(tmp_path / "begun")
    begun.sealer.seal(begun.recording(raw=two_tones(0.1)))
    for house in deaths(begun, tmp_path, "destroy"):
        recording = house.recording_there()
        seen = {each.what for each in house.findings()}
        assert seen <= {What.UNFINISHED, What.ADDED, What.MISSING}
        house.now = NOON.replace(hour=20)
        name = house.destroyer.destroy(recording, "another rule", house.now).certificate
        certificate = (house.root / name).read_text()
        assert house.findings() == []
        assert not list(house.day.glob("*.ogg"))
        assert not list(house.day.glob("*.raw"))
        assert [path.name for path in house.day.glob(".*")] == []
    assert certificate is not None
    assert '"rule": "a year"' in certificate  # of the last one: it was written before the first death but one


def test_a_torn_plan_is_made_again(house: House) -> None:
    recording = house.recording()
    (house.day / f".{recording.id}.json.part").write_text('{"format": "gateway112-rec')
    house.sealer.seal(recording)
    assert "converted" in house.steps


def test_a_plan_whose_raw_sound_is_another_one_is_made_again(tmp_path: Path) -> None:
    house = planned(tmp_path)
    house.sealer.seal(house.recording(raw=tones(0.1, 300, 700)))
    assert "converted" in house.steps
    assert house.findings() == []


@pytest.mark.parametrize("ending", [b'{"entry": 2, "fi', b"\n" * 0])
def test_a_torn_last_line_of_the_chain_is_cut_off_and_written_anew(house: House, ending: bytes) -> None:
    first, second = house.sealed(1), house.recording(2)
    chain = house.day / "chain.jsonl"
    chain.write_bytes(chain.read_bytes() + ending)
    house.start()
    assert house.sealer.seal(second).seal.entry == 2
    assert house.findings() == []
    assert first.state is State.SEALED
