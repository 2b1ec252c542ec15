"""What somebody who may write to the recordings' folder, but has no key, puts where the worker looks after a crash: it
is never taken up, signed, followed or waited for.

Counterparts: `gateway/vault/sealing.py`, `destruction.py`; `test_crashes.py` has what a true crash leaves.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.domain.recordings import State
from gateway.ports import Fate, Unsealable
from gateway.vault import certificates, manifest
from gateway.vault.findings import What
from gateway.vault.shelf import LocalShelf, ShelfAway
from gateway.vault.tracing import Traced
from tests.vault.sound import DAY, House, tones

SOUND = tones(0.1, 300, 500)
BEGUN, FINAL = ".{}.destroyed.json.part", "{}.destroyed.json"


def certificate_of(house: House, id_: str) -> dict[str, object]:
    told: dict[str, object] = json.loads((house.day / f"{id_}.destroyed.json").read_text())
    return told


def forged(id_: str, text: str) -> str:
    """A certificate as somebody else writes it: `{}` stands for it, or nothing at all."""
    whole = {
        "format": "gateway112-destruction-1",
        "recording": id_,
        "destroyed_at": "2020-01-01T00:00:00Z",
        "rule": "court order",
        "destroyed": [],
    }
    return json.dumps(whole) if text == "whole" else text


@pytest.mark.parametrize(
    ("name", "text", "is_sealed"),
    [(BEGUN, "whole", True), (BEGUN, "whole", False), (FINAL, "whole", True), (FINAL, "{}", True), (FINAL, "", False)],
)
def test_a_certificate_that_somebody_else_wrote_is_not_signed(
    house: House, name: str, text: str, is_sealed: bool
) -> None:
    made = house.sealed(1, SOUND) if is_sealed else house.recording(1, SOUND)
    (house.day / name.format(made.id)).write_text(forged(made.id, text))
    house.destroyer.destroy(made, "a year", house.now)
    told = certificate_of(house, made.id)
    assert (told["rule"], told["destroyed_at"], told["destroyed"] != []) == ("a year", "2026-11-26T12:00:00Z", True)
    # what had the final name is kept for whoever asks, and told until somebody has looked at it
    aside = [] if name == BEGUN else [f"{made.id}.destroyed.json.foreign-1"]
    assert [(each.file.rpartition("/")[2], each.what) for each in house.findings()] == [
        (each, What.ADDED) for each in aside
    ]


def test_a_certificate_of_one_recording_does_not_stand_for_another_or_for_another_manifest(house: House) -> None:
    one, other = house.sealed(1, SOUND), house.sealed(2, SOUND)
    house.destroyer.destroy(one, "a year", house.now)
    text = (house.day / f"{one.id}.destroyed.json").read_text()
    for copied in (text, text.replace(one.id, other.id)):
        (house.day / BEGUN.format(other.id)).write_text(copied)
        house.now += timedelta(hours=1)
        house.destroyer.destroy(other, "two years", house.now)
        assert certificate_of(house, other.id)["rule"] == "two years"


@pytest.mark.parametrize("text", ["whole", ""])
def test_a_certificate_that_somebody_else_wrote_does_not_keep_sound_from_being_sealed(house: House, text: str) -> None:
    made = house.recording(1, SOUND)
    (house.day / FINAL.format(made.id)).write_text(forged(made.id, text))
    assert house.sealer.seal(made).seal.entry == 1
    assert [each.what for each in house.findings()] == [What.ADDED]


def test_a_certificate_that_was_changed_after_it_was_signed_is_told_and_not_written_anew(house: House) -> None:
    made = house.sealed(1, SOUND)
    house.destroyer.destroy(made, "a year", house.now)
    (house.day / FINAL.format(made.id)).write_text("{}")
    with pytest.raises(Unsealable, match="certificate is not the one that stands in the chain"):
        house.destroyer.destroy(made, "a year", house.now)


@pytest.mark.parametrize("is_whole", [False, True])
def test_another_sound_is_not_sealed_by_a_plan_or_manifest_of_another_vault(
    house: House, tmp_path: Path, is_whole: bool
) -> None:
    made, other = house.recording(1, SOUND), House(tmp_path / "other")
    other.recording(1, tones(0.1, 2000, 2000))
    other.sealer.seal(made)
    plan = json.loads((other.day / f"{made.id}.json").read_text())
    plan["raw"]["sha256"] = hashlib.sha256(SOUND).hexdigest()
    hidden = ("", "") if is_whole else (".", ".part")
    (house.day / f"{made.id}.json".join(hidden)).write_text(json.dumps(plan))
    shutil.copy(other.day / f"{made.id}.ogg", house.day / f"{made.id}.ogg".join(hidden))
    shutil.copy(other.day / f"{made.id}.peaks.json", house.day)
    seal = house.sealer.seal(made).seal
    assert "converted" in house.steps
    house.sealer.discard_raw(replace(made, seal=seal, state=State.SEALED))
    assert (house.day / f"{made.id}.ogg").read_bytes() != (other.day / f"{made.id}.ogg").read_bytes()
    assert seal.raw_sha256 == hashlib.sha256(SOUND).hexdigest()
    assert [each.what for each in house.findings()] == [What.ADDED] * is_whole


def test_a_foreign_manifest_without_raw_sound_is_not_taken_into_the_chain(house: House) -> None:
    made = house.recording(1, SOUND)
    house.sealer.seal(made)
    for each in ("chain.jsonl", "chain.head", "chain.head.sig", f"{made.id}.raw"):
        (house.day / each).unlink()
    manifest = house.day / f"{made.id}.json"
    manifest.write_text(manifest.read_text().replace('"call"', '"dial"', 1))
    house.start()
    with pytest.raises(Unsealable, match=r"not written by this vault|put back to an older state"):
        house.sealer.seal(made)
    assert manifest.exists()


def test_what_nobody_can_look_for_is_not_gone_and_what_lies_in_its_place_is_not_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = house.sealed(1, SOUND)
    sound = house.day / f"{kept.id}.ogg"
    sound.rename(house.day / "elsewhere")
    assert house.destroyer.fate(kept) is Fate.GONE
    sound.symlink_to(house.day / "elsewhere")
    assert house.destroyer.fate(kept) is Fate.GONE
    sound.unlink()

    def away(_self: LocalShelf, _name: str) -> int:
        raise ShelfAway("the bucket does not answer")

    gone = house.sealed(2, SOUND)
    house.destroyer.destroy(gone, "a year", house.now)
    monkeypatch.setattr(LocalShelf, "size_bytes", away)
    assert [house.destroyer.fate(each) for each in (kept, gone)] == [Fate.UNSEEN, Fate.DESTROYED]


def test_only_what_stands_in_the_chain_is_destroyed_and_a_planted_certificate_is_told(house: House) -> None:
    kept, gone, planted = (house.sealed(number, SOUND) for number in (1, 2, 3))
    house.destroyer.destroy(gone, "a year", house.now)
    assert [house.destroyer.fate(each) for each in (kept, gone)] == [Fate.THERE, Fate.DESTROYED]
    (house.day / f"{planted.id}.ogg").unlink()
    text = (house.day / FINAL.format(gone.id)).read_text()
    for each in ("{}", forged(planted.id, "whole"), text, text.replace(gone.id, planted.id)):
        (house.day / FINAL.format(planted.id)).write_text(each)
        with pytest.raises(Unsealable, match="does not stand in the chain of its day"):
            house.destroyer.fate(planted)
        assert not house.certificates.have_begun(f"{DAY}/{planted.id}.ogg")
        assert house.certificates.standing(DAY) == {gone.id}
    assert house.certificates.have_begun(f"{DAY}/{gone.id}.ogg")


def test_no_destruction_is_believed_that_stands_in_lines_which_nobody_signed(house: House) -> None:
    gone, planted = house.sealed(1, SOUND), house.sealed(2, SOUND)
    house.destroyer.destroy(gone, "a year", house.now)
    certificate, chain = house.day / FINAL.format(planted.id), house.day / "chain.jsonl"
    certificate.write_text(forged(planted.id, "whole"))
    lines = chain.read_bytes().splitlines(keepends=True)
    line = {"entry": 4, "file": certificate.name, "sha256": hashlib.sha256(certificate.read_bytes()).hexdigest()}
    line["previous"] = hashlib.sha256(lines[-1]).hexdigest()
    chain.write_bytes(b"".join(lines) + json.dumps(line).encode() + b"\n")
    assert house.certificates.standing(DAY) == {gone.id}
    chain.write_bytes(lines[0] + json.dumps({**line, "entry": 2}).encode() + b"\n" + lines[2])
    assert house.certificates.standing(DAY) == frozenset()


class _Dying(list[str]):
    """Ends the job at a step."""

    def append(self, step: str) -> None:
        if step == "planned":
            raise InterruptedError(step)


def test_sound_that_was_put_into_the_place_of_a_part_that_this_vault_planned_is_not_sealed(tmp_path: Path) -> None:
    house, sound = House(tmp_path, steps=_Dying()), tones(0.1, 2000, 2000)
    made = house.recording(1, SOUND)
    with pytest.raises(InterruptedError):
        house.sealer.seal(made)
    (house.day / f".{made.id}.ogg.part").write_bytes(sound)
    house = House(tmp_path)
    house.sealer.seal(made)
    assert (house.day / f"{made.id}.ogg").read_bytes() != sound
    assert "converted" in house.steps
    assert house.findings() == []


@pytest.mark.parametrize("how", ["pipe", "link", "second name"])
def test_pipes_and_links_in_the_vaults_places_are_neither_waited_for_nor_followed(
    house: House, tmp_path: Path, how: str
) -> None:
    made, precious = house.recording(1, SOUND), tmp_path / "precious"
    precious.write_text("stays as it is")

    def put(*names: str) -> None:
        for place in (house.day / each.format(made.id) for each in names):
            if how == "pipe":
                os.mkfifo(place)
            elif how == "link":
                place.symlink_to(precious)
            else:
                place.hardlink_to(precious)

    put(".{}.ogg.part", ".{}.json.part", ".{}.peaks.json.part", "{}.peaks.json", "{}.json", FINAL)
    sealed = replace(made, seal=house.sealer.seal(made).seal, state=State.SEALED)
    house.sealer.discard_raw(sealed)
    put(BEGUN, FINAL)
    house.destroyer.destroy(sealed, "a year", house.now)
    assert precious.read_text() == "stays as it is"
    assert certificate_of(house, made.id)["rule"] == "a year"


@pytest.mark.parametrize("name", [".{}.json.part", BEGUN])
def test_a_document_without_end_is_not_read_to_its_end(house: House, name: str) -> None:
    made = house.recording(1, SOUND)
    with (house.day / name.format(made.id)).open("wb") as file:
        file.truncate(1 << 40)
    sealed = replace(made, seal=house.sealer.seal(made).seal, state=State.SEALED)
    house.destroyer.destroy(sealed, "a year", datetime.fromisoformat("2027-11-26T12:00:00Z"))
    assert certificate_of(house, made.id)["rule"] == "a year"


def test_a_document_that_is_read_and_cannot_be_written_again_is_nobodys(house: House) -> None:
    """So deep is it nested."""
    made = house.sealed(1, SOUND)
    deep: dict[str, object] = json.loads((house.day / f"{made.id}.json").read_text())
    for _ in range(10_000):
        deep["more"] = [deep.get("more")]
    assert not manifest.is_signed(deep, f"{DAY}/{made.id}.json", house.signing.has_signed)


def test_what_this_vault_signed_as_something_else_is_no_head_of_a_chain(house: House) -> None:
    text = b"what an export lists"
    (house.day / "chain.head").write_bytes(text)
    (house.day / "chain.head.sig").write_bytes(house.signing.sign(text))
    with pytest.raises(Unsealable, match="its signed head speaks of nothing"):
        house.sealer.seal(house.recording(1, SOUND))


def test_an_older_manifest_that_this_vault_signed_is_not_believed_against_the_chain(house: House) -> None:
    made = house.sealed(1, SOUND)
    path, name = house.day / f"{made.id}.json", f"{DAY}/{made.id}.json"
    stored, whole = f"{DAY}/{made.id}.ogg", path.read_bytes()
    assert house.certificates.manifest(stored) == json.loads(whole)
    older = {**json.loads(whole), "sealed_at": "2026-11-26T11:00:00Z"}
    del older["signature"]
    path.write_bytes(manifest.write(manifest.signed(older, name, house.signing.sign)))
    assert house.certificates.manifest(stored) is None
    chain = house.day / "chain.jsonl"
    lines = chain.read_bytes()
    for spoiled in (lines.replace(b"0", b"1"), b""):  # nor by who spoils the chain
        chain.write_bytes(spoiled)
        assert house.certificates.manifest(stored) is None
    chain.unlink()
    assert house.certificates.manifest(stored) is None
    os.mkfifo(chain)
    assert house.certificates.manifest(stored) is None
    for each in ("chain.jsonl", "chain.head", "chain.head.sig"):  # moved away, so that a new one begins
        (house.day / each).unlink()
    assert house.certificates.manifest(stored) is not None


def test_a_chain_that_the_disk_does_not_give_is_told_and_read_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its day would pass for one that was looked at."""
    gone, kept = house.sealed(1, SOUND), house.sealed(2, SOUND)
    house.destroyer.destroy(gone, "a year", house.now)

    def bad_sector(path: Path) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(certificates, "read_plain", bad_sector)
        with pytest.raises(OSError, match="Input/output error"):
            house.certificates.manifest(f"{DAY}/{kept.id}.ogg")
        assert house.certificates.standing(DAY) == frozenset()
    assert house.certificates.manifest(f"{DAY}/{kept.id}.ogg") is not None
    assert house.certificates.standing(DAY) == {gone.id}


def test_a_days_chain_is_traced_once_for_all_its_recordings_and_anew_when_it_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced: list[int] = []
    trace = certificates.trace

    def counted(lines: Sequence[bytes], signed: tuple[int, str] | None) -> Traced:
        traced.append(len(lines))
        return trace(lines, signed)

    monkeypatch.setattr(certificates, "trace", counted)
    made = [house.sealed(1, SOUND)]
    for count in (1, 2, 3):
        for each in (*made, *made):
            assert house.certificates.manifest(f"{DAY}/{each.id}.ogg") is not None
        made.append(house.sealed(count + 1, SOUND))
        assert house.certificates.manifest(f"{DAY}/{made[0].id}.ogg") is not None
    assert traced == [1, 2, 3]
    other = house.sealed(5, SOUND, day="2026/11/27")
    assert house.certificates.manifest(f"2026/11/27/{other.id}.ogg") is not None
    assert traced == [1, 2, 3, 1]
