"""A line is added to the chain that was checked, about the file that was written, and no other day waits for a broken
one: whatever somebody does to the recordings' folder in between.

Counterpart: `gateway/vault/chain.py`; `test_crashes.py` has what a true crash leaves.
"""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.recordings import State
from gateway.ports import Unsealable
from gateway.vault import chain as chains
from gateway.vault.chain import CHAIN, HEAD
from gateway.vault.findings import What
from tests.vault.sound import NOON, House, tones

SOUND = tones(0.1, 300, 500)
BEFORE = "2026/11/25"


class _Meanwhile(list[str]):
    """Has something happen after a step."""

    def __init__(self, house: House, step: str, name: str, data: bytes) -> None:
        self._house, self._step, self._name, self._data = house, step, name, data

    def append(self, step: str) -> None:
        super().append(step)
        if step == self._step:
            (self._house.day / self._name).write_bytes(self._data)


def meanwhile(house: House, step: str, name: str, data: bytes) -> None:
    house.steps = _Meanwhile(house, step, name, data)
    house.start()


def line_of(house: House, number: int) -> str:
    return (house.day / CHAIN).read_text().splitlines()[number - 1]


def test_what_was_put_in_a_manifests_place_before_its_line_was_written_is_not_signed(house: House) -> None:
    made = house.recording(1, SOUND)
    meanwhile(house, "manifest", f"{made.id}.json", b'{"format": "gateway112-recording-1"}\n')
    seal = house.sealer.seal(made).seal
    assert seal.manifest_sha256 in line_of(house, 1)
    assert [(each.file.rpartition("/")[2], each.what) for each in house.findings()] == [
        (f"{made.id}.json", What.EDITED)
    ]


def test_what_was_put_in_a_certificates_place_before_its_line_was_written_is_not_signed(house: House) -> None:
    made = house.sealed(1, SOUND)
    meanwhile(house, "certificate", f"{made.id}.destroyed.json", b"{}")
    with pytest.raises(Unsealable, match="certificate was changed while it was destroyed"):
        house.destroyer.destroy(made, "a year", house.now)
    assert len((house.day / CHAIN).read_bytes().splitlines()) == 1


def test_a_line_is_not_added_to_a_chain_that_was_made_to_look_the_same(house: House) -> None:
    house.sealed(1, SOUND)
    fresh = house.recording(2, SOUND)
    path = house.day / CHAIN
    status, head = path.stat(), (house.day / HEAD).read_bytes()
    path.write_bytes(path.read_bytes().replace(b'"at": "2026', b'"at": "2025'))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    changed = path.read_bytes()
    with pytest.raises(Unsealable, match="was changed while a line was added"):
        house.sealer.seal(fresh)
    assert (path.read_bytes(), (house.day / HEAD).read_bytes()) == (changed, head)
    assert [(each.what, each.said) for each in house.findings() if each.file.endswith(CHAIN)] == [
        (What.REWRITTEN, "line 1 is not the one that was signed")
    ]


def test_a_line_that_somebody_writes_at_that_moment_is_not_signed_and_the_day_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.sealed(1, SOUND)
    fresh, head, append = house.recording(2, SOUND), (house.day / HEAD).read_bytes(), chains._append

    def first_another(descriptor: int, line: bytes) -> None:
        append(descriptor, b'{"entry": 2}\n')
        append(descriptor, line)

    monkeypatch.setattr(chains, "_append", first_another)
    with pytest.raises(Unsealable, match="somebody wrote to the chain"):
        house.sealer.seal(fresh)
    assert (house.day / HEAD).read_bytes() == head
    monkeypatch.undo()
    with pytest.raises(Unsealable, match="line 2 of the chain of 2026/11/26 cannot be read"):
        house.sealer.seal(fresh)
    lines = (house.day / CHAIN).read_bytes().splitlines(keepends=True)
    (house.day / CHAIN).write_bytes(lines[0])  # a person put it right
    assert house.sealer.seal(fresh).seal.entry == 2
    assert house.findings() == []


@pytest.mark.parametrize("is_known", [True, False])
def test_a_link_in_a_chains_place_is_not_written_through(house: House, tmp_path: Path, is_known: bool) -> None:
    house.sealed(1, SOUND)
    fresh, elsewhere = house.recording(2, SOUND), tmp_path / "elsewhere"
    (house.day / CHAIN).rename(elsewhere)
    before = elsewhere.read_bytes()
    (house.day / CHAIN).symlink_to(elsewhere)
    if not is_known:
        house.start()
    with pytest.raises(Unsealable, match="is a link, a pipe or a folder"):
        house.sealer.seal(fresh)
    assert elsewhere.read_bytes() == before


@pytest.mark.parametrize(
    "data", [b"", b"garbage\n", b'{"entry": 1, "file": "a.json", "sha256": "0", "previous": "0"}\n']
)
def test_a_broken_chain_that_somebody_put_on_an_earlier_day_keeps_no_later_one_from_being_sealed(
    house: House, data: bytes
) -> None:
    (house.root / BEFORE).mkdir()
    (house.root / BEFORE / CHAIN).write_bytes(data)
    house.sealed(1, SOUND)
    assert '"previous_day": null' in line_of(house, 1)
    # what was put there is named, and the day itself is in order
    assert {each.file[: len(BEFORE)] for each in house.findings()} <= {BEFORE}


def test_a_kept_head_that_cannot_be_read_keeps_no_later_day_from_being_sealed(house: House) -> None:
    house.sealed(1, SOUND, day="2026/11/24")
    house.sealed(2, SOUND, day=BEFORE)
    (house.keys / "heads" / "2026-11-25.json").write_text("{")
    house.start()
    house.sealed(3, SOUND)
    assert '"previous_day": "2026-11-24"' in line_of(house, 1)
    with pytest.raises(Unsealable, match="cannot be read"):
        house.sealer.seal(house.recording(4, SOUND, day=BEFORE))


def test_a_seal_that_is_asked_for_again_is_the_same_line(house: House) -> None:
    made = house.recording(1, SOUND)
    first = house.sealer.seal(made).seal
    house.sealer.discard_raw(replace(made, seal=first, state=State.SEALED))
    assert house.sealer.seal(made).seal == first
    data = (house.day / CHAIN).read_bytes()
    assert hashlib.sha256(data).hexdigest() == house.chains._chain(NOON.date()).whole
