"""What somebody does to the vault, and how verify names it.

Counterparts: `gateway/vault/verify.py`, `chain.py`. openssl and sha256sum check the same without this software.
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gateway.ports import Unsealable
from gateway.vault.chain import CHAIN, HEAD, SIGNATURE
from gateway.vault.findings import What
from gateway.vault.keys import SigningKey, public_pems
from gateway.vault.tracing import trace
from gateway.vault.verify import Verifier
from tests.vault.sound import DAY, House, a_recording, tones

ONE, TWO, THREE = (a_recording(number).id for number in (1, 2, 3))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A vault with three recordings of a day, of which the second was destroyed, and one of the day after."""
    house = House(tmp_path_factory.mktemp("three"))
    made = [house.sealed(number, tones(0.1, 300 * number, 500)) for number in (1, 2, 3)]
    house.destroyer.destroy(made[1], "a year", house.now)
    house.sealed(4, day="2026/11/27")
    return house


@pytest.fixture
def copied(three: House, tmp_path: Path) -> House:
    """A copy of it, to do something to."""
    shutil.copytree(three.folder, tmp_path / "copy")
    return House(tmp_path / "copy")


def test_a_vault_that_nobody_touched_is_as_it_was_left(three: House) -> None:
    verified = three.verifier().verify()
    assert verified.findings == []
    assert (verified.recordings, verified.destroyed) == (4, 1)
    assert [(each.day, each.entries) for each in verified.heads] == [(date(2026, 11, 26), 4), (date(2026, 11, 27), 1)]


def flip(path: Path, at: int = -20) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def swap(first: Path, second: Path) -> None:
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def edit_manifest(day: Path) -> None:
    path = day / f"{ONE}.json"
    path.write_text(path.read_text().replace('"length_s": 0.1', '"length_s": 0.2'))


def rewrite_line(day: Path, line: int = 2) -> None:
    path = day / CHAIN
    lines = path.read_text().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace('"at": "2026', '"at": "2025')
    path.write_text("".join(lines))


def drop_last_line(day: Path) -> None:
    path = day / CHAIN
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def add_a_line(day: Path) -> None:
    lines = (day / CHAIN).read_bytes().splitlines(keepends=True)
    forged = {"entry": 5, "file": f"{ONE}.json", "sha256": "0" * 64}
    forged["previous"] = hashlib.sha256(lines[-1]).hexdigest()
    (day / CHAIN).write_bytes(b"".join(lines) + (json.dumps(forged) + "\n").encode())


def sign_with_another_key(day: Path) -> None:
    (day / SIGNATURE).write_bytes(SigningKey(day / "other").sign((day / HEAD).read_bytes()))
    shutil.rmtree(day / "other")


def write_the_day_anew(day: Path) -> None:
    """As somebody could who has the folder and not the key: everything fits but the signature."""
    for path in day.iterdir():
        path.unlink()
    keys = day.parent / "forged"
    other = House(keys)
    other.sealed(1, tones(0.1, 900, 900))
    for path in other.day.iterdir():
        shutil.copy(path, day / path.name)
    shutil.rmtree(keys)


Tampered = dict[str, tuple[Callable[[Path], object], dict[str, What]]]

FILES: Tampered = {
    "one bit of the sound": (lambda day: flip(day / f"{ONE}.ogg"), {f"{ONE}.ogg": What.CHANGED}),
    "one bit of the waveform": (lambda day: flip(day / f"{ONE}.peaks.json"), {f"{ONE}.peaks.json": What.CHANGED}),
    "the sound cut short": (lambda day: (day / f"{ONE}.ogg").write_bytes(b"OggS"), {f"{ONE}.ogg": What.CHANGED}),
    "the sound removed": (lambda day: (day / f"{ONE}.ogg").unlink(), {f"{ONE}.ogg": What.MISSING}),
    "the manifest removed": (lambda day: (day / f"{ONE}.json").unlink(), {f"{ONE}.json": What.MISSING}),
    "two sounds swapped": (
        lambda day: swap(day / f"{ONE}.ogg", day / f"{THREE}.ogg"),
        {f"{ONE}.ogg": What.SWAPPED, f"{THREE}.ogg": What.SWAPPED},
    ),
    "two manifests swapped": (
        lambda day: swap(day / f"{ONE}.json", day / f"{THREE}.json"),
        {f"{ONE}.json": What.SWAPPED, f"{THREE}.json": What.SWAPPED},
    ),
    "a sound added": (lambda day: shutil.copy(day / f"{ONE}.ogg", day / "112-9.9.ogg"), {"112-9.9.ogg": What.ADDED}),
    "a manifest added": (lambda day: (day / "112-9.9.json").write_text("{}"), {"112-9.9.json": What.ADDED}),
    "another file added": (lambda day: (day / "notes.txt").write_text("hello"), {"notes.txt": What.ADDED}),
    "what was destroyed put back": (
        lambda day: shutil.copy(day / f"{ONE}.ogg", day / f"{TWO}.ogg"),
        {f"{TWO}.ogg": What.ADDED},
    ),
    "the certificate removed": (
        lambda day: (day / f"{TWO}.destroyed.json").unlink(),
        {f"{TWO}.destroyed.json": What.MISSING, f"{TWO}.ogg": What.MISSING, f"{TWO}.peaks.json": What.MISSING},
    ),
    "the manifest edited": (edit_manifest, {f"{ONE}.json": What.EDITED}),
}
CHAINS: Tampered = {
    "a line of the chain edited": (rewrite_line, {CHAIN: What.REWRITTEN}),
    "the last line of the chain removed": (drop_last_line, {CHAIN: What.MISSING}),
    "a line added": (add_a_line, {CHAIN: What.ADDED}),
    "the last line torn": (lambda day: (day / CHAIN).write_bytes((day / CHAIN).read_bytes()[:-9]), {CHAIN: What.TORN}),
    "the chain removed": (lambda day: (day / CHAIN).unlink(), {CHAIN: What.MISSING}),
    "the head removed": (lambda day: (day / HEAD).unlink(), {HEAD: What.MISSING}),
    "the signature removed": (lambda day: (day / SIGNATURE).unlink(), {SIGNATURE: What.MISSING}),
    "one bit of the signature": (lambda day: flip(day / SIGNATURE), {HEAD: What.BAD_SIGNATURE}),
    "another key's signature": (sign_with_another_key, {HEAD: What.BAD_SIGNATURE}),
    "the head edited": (
        lambda day: (day / HEAD).write_text((day / HEAD).read_text().replace('"entries": 4', '"entries": 3')),
        {HEAD: What.BAD_SIGNATURE},
    ),
    "the whole day written anew": (write_the_day_anew, {HEAD: What.BAD_SIGNATURE, CHAIN: What.REWRITTEN}),
    "the whole day removed": (shutil.rmtree, {CHAIN: What.MISSING}),
}


@pytest.mark.parametrize("tampered", FILES)
def test_what_somebody_does_to_a_file_is_named_and_nothing_else(copied: House, tampered: str) -> None:
    act, expected = FILES[tampered]
    act(copied.day)
    assert {each.file.rpartition("/")[2]: each.what for each in copied.findings()} == expected


@pytest.mark.parametrize("tampered", CHAINS)
def test_what_somebody_does_to_a_chain_is_named(copied: House, tampered: str) -> None:
    act, expected = CHAINS[tampered]
    act(copied.day)
    assert set(expected.items()) <= {(each.file.rpartition("/")[2], each.what) for each in copied.findings()}


def line(number: int, old: bytes, new: bytes) -> Callable[[list[bytes]], list[bytes]]:
    def change(lines: list[bytes]) -> list[bytes]:
        changed = lines[number - 1].replace(old, new)
        assert changed != lines[number - 1]
        return [*lines[: number - 1], changed, *lines[number:]]

    return change


LINES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], list[tuple[What, str]]]] = {
    "its time": (line(2, b'"at": "2026', b'"at": "2025'), [(What.REWRITTEN, "line 2 is not the one that was signed")]),
    "its file": (line(2, b"0000.2", b"0000.9"), [(What.REWRITTEN, "line 2 is not the one that was signed")]),
    "its hash": (line(1, b'"sha256": "', b'"sha256": "0'), [(What.REWRITTEN, "line 1 is not the one that was signed")]),
    "what it follows": (
        line(3, b'"previous": "', b'"previous": "0'),
        [(What.REWRITTEN, "line 3 is not the one that was signed")],
    ),
    "all of it": (
        lambda lines: [lines[0], b"garbage\n", *lines[2:]],
        [(What.REWRITTEN, "line 2 is not the one that was signed: it cannot be read")],
    ),
    "the last one": (
        lambda lines: [*lines[:-1], b"garbage\n"],
        [(What.REWRITTEN, "line 4 is not the one that was signed: it cannot be read")],
    ),
    "one is removed": (
        lambda lines: [lines[0], *lines[2:]],
        [(What.MISSING, "line 2 is not there, of those that were signed")],
    ),
    "the first two are removed": (
        lambda lines: lines[2:],
        [(What.MISSING, "lines 1 to 2 are not there, of those that were signed")],
    ),
    "one is added": (lambda lines: [lines[0], lines[0], *lines[1:]], [(What.ADDED, "line 1 was added")]),
    "one is copied behind the last": (
        lambda lines: [*lines, lines[1]],
        [(What.ADDED, "line 5 was added")],
    ),
    "one is copied behind the last, and the one after it changed": (
        lambda lines: [*line(3, b'"at": "2026', b'"at": "2025')(lines), lines[1]],
        [(What.REWRITTEN, "line 3 is not the one that was signed"), (What.ADDED, "line 5 was added")],
    ),
    "all are removed": (
        lambda _: [],
        [(What.MISSING, "lines 1 to 4 are not there, of those that were signed")],
    ),
    "their order": (
        lambda lines: [lines[0], lines[2], lines[1], lines[3]],
        [
            (What.MISSING, "line 2 is not there, of those that were signed"),
            (What.ADDED, "line 3 was added"),
        ],
    ),
}


@pytest.mark.parametrize("changed", LINES)
def test_the_line_that_was_changed_is_named_and_neither_those_after_it_nor_their_files(
    copied: House, changed: str
) -> None:
    change, expected = LINES[changed]
    path = copied.day / CHAIN
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    found = [each for each in copied.findings() if each.day == date(2026, 11, 26)]
    assert [(each.file, each.what, each.said) for each in found] == [
        (f"{DAY}/{CHAIN}", what, said) for what, said in expected
    ]


def test_what_a_copied_line_speaks_of_was_signed_all_the_same(copied: House) -> None:
    path = copied.day / CHAIN
    lines = path.read_bytes().splitlines(keepends=True)
    signed = len(lines), hashlib.sha256(lines[-1]).hexdigest()
    traced = trace([*lines, lines[1]], signed)
    assert traced.files == trace(lines, signed).files
    assert (len(traced.files), traced.changed, traced.removed) == (len(lines), [], [])


def test_what_a_changed_line_spoke_of_is_held_against_its_own_signature(copied: House) -> None:
    path = copied.day / CHAIN
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([b"garbage\n", *lines[1:]]))
    flip(copied.day / f"{ONE}.ogg")
    (copied.day / "112-9.9.json").write_text("{}")  # which nobody signed
    assert {(each.file.rpartition("/")[2], each.what) for each in copied.findings()} >= {
        (CHAIN, What.REWRITTEN),
        (f"{ONE}.ogg", What.CHANGED),
        ("112-9.9.json", What.ADDED),
    }


def test_raw_sound_and_the_workers_own_files_are_nothing_to_tell(copied: House) -> None:
    being_sealed = copied.recording(8)
    (copied.day / f".{being_sealed.id}.ogg.part").write_bytes(b"OggS")
    assert copied.findings() == []


def test_what_the_worker_has_half_done_at_that_moment_is_looked_at_once_more(
    copied: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = copied.day / f"{ONE}.ogg"
    whole = stored.read_bytes()
    stored.unlink()
    monkeypatch.setattr("time.sleep", lambda _: stored.write_bytes(whole))
    alone = copied.verifier()
    assert [each.what for each in alone.verify().findings] == [What.MISSING]
    beside_it = Verifier(copied.root, copied.shelf, public_pems(copied.keys), frozenset, is_written_to=lambda: True)
    assert beside_it.verify().findings == []


def test_since_a_day_only_later_days_are_looked_at(copied: House) -> None:
    flip(copied.day / f"{ONE}.ogg")
    assert copied.findings(since=date(2026, 11, 27)) == []
    assert len(copied.findings(since=date(2026, 11, 26))) == 1


UNREADABLE = [
    b'{"entry":1e999}\n',
    b"[" * 100_000 + b"\n",
    b"\xff\n",
    b"7\n",
    b'{"entry":1,"previous":"","file":"\\u0000"}\n',
]


@pytest.mark.parametrize("line", UNREADABLE, ids=["no number", "too deep", "no text", "no object", "no name"])
def test_whatever_a_line_of_the_chain_holds_its_day_is_named_and_the_others_are_looked_at(
    copied: House, line: bytes
) -> None:
    copied.sealed(5, day="2026/11/28")
    (copied.day / CHAIN).write_bytes(line)
    (copied.root / "2026/11/27" / CHAIN).write_bytes((copied.root / "2026/11/27" / CHAIN).read_bytes() + line)
    verified = copied.verifier().verify()
    named = {each.file for each in verified.findings if each.said.endswith("cannot be read")}
    assert named == {f"2026/11/26/{CHAIN}", f"2026/11/27/{CHAIN}"}
    assert [each.day for each in verified.heads] == [date(2026, 11, 28)]
    recording = copied.recording(6)
    with pytest.raises(Unsealable, match="chain of 2026/11/26"):
        copied.sealer.seal(recording)


@pytest.mark.parametrize(
    "tampered", ["a line added", "a line of the chain edited", "the last line of the chain removed"]
)
def test_nothing_is_signed_on_top_of_a_chain_that_somebody_changed(copied: House, tampered: str) -> None:
    CHAINS[tampered][0](copied.day)
    copied.start()
    before = (copied.day / HEAD).read_bytes(), (copied.day / CHAIN).read_bytes()
    recording = copied.recording(5)
    with pytest.raises(Unsealable, match="chain of 2026/11/26"):
        copied.sealer.seal(recording)
    assert ((copied.day / HEAD).read_bytes(), (copied.day / CHAIN).read_bytes()) == before
    assert (copied.root / recording.file).exists()
    # another day goes on
    copied.sealed(6, day="2026/11/28")


def test_a_manifest_that_was_edited_is_not_destroyed_on(copied: House) -> None:
    edit_manifest(copied.day)
    with pytest.raises(Unsealable, match="it was changed"):
        copied.destroyer.destroy(a_recording(1), "a year", copied.now)
    assert (copied.day / f"{ONE}.ogg").exists()


def test_without_this_software_openssl_and_sha256sum_say_the_same(copied: House) -> None:
    key = copied.signing.public_file

    def says(command: str) -> str:
        return subprocess.run(
            ["bash", "-c", command], cwd=copied.day, capture_output=True, text=True, timeout=10, check=False
        ).stdout

    check = f"openssl pkeyutl -verify -pubin -inkey {key} -rawin -in {HEAD} -sigfile {SIGNATURE}"
    assert says(check) == "Signature Verified Successfully\n"
    head = json.loads((copied.day / HEAD).read_text())
    assert says(f"tail -n 1 {CHAIN} | sha256sum").split()[0] == head["last"]
    lines = [json.loads(line) for line in (copied.day / CHAIN).read_text().splitlines()]
    for number, line in enumerate(lines, 1):
        assert says(f"sha256sum {line['file']}").split()[0] == line["sha256"]
        if number > 1:
            assert says(f"sed -n {number - 1}p {CHAIN} | sha256sum").split()[0] == line["previous"]
    manifest = json.loads((copied.day / f"{ONE}.json").read_text())
    assert says(f"sha256sum {ONE}.ogg").split()[0] == manifest["stored"]["sha256"]
    flip(copied.day / HEAD)
    assert "Failure" in says(check)


def test_a_day_that_is_sealed_late_follows_the_nearest_day_before_it(copied: House) -> None:
    copied.sealed(5, day="2026/11/20")
    copied.sealed(6, day="2026/11/29")
    first = [
        json.loads((copied.root / day / CHAIN).read_text().splitlines()[0]) for day in ("2026/11/20", "2026/11/29")
    ]
    assert [line["previous_day"] for line in first] == [None, "2026-11-27"]
    assert copied.findings() == []
    shutil.rmtree(copied.root / "2026/11/27")
    assert [(each.file, each.what) for each in copied.findings()] == [
        ("2026/11/27", What.MISSING),  # what was signed is kept apart
        ("2026/11/29/chain.jsonl", What.MISSING),
    ]


def test_the_same_recording_under_another_days_name_is_another_file(copied: House) -> None:
    moved = replace(a_recording(1), file=f"2026/11/27/{ONE}.raw")
    with pytest.raises(Unsealable, match="not sealed"):
        copied.destroyer.destroy(moved, "a year", copied.now)
    assert (copied.root / DAY / f"{ONE}.ogg").exists()
