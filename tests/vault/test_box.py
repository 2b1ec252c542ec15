"""Boxes: any part of them reads as the sound that went in, and nothing about them can be changed unseen.

Counterparts: `gateway/vault/box.py`, `sounds.py`, and the ring of `keys.py`.
"""

import base64
import json
import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.vault.box import HEADER, TAG_BYTES, Box, BoxWriter, Unopenable
from gateway.vault.findings import What
from gateway.vault.keys import Key, KeyMissing
from gateway.vault.recordings import NoRecording
from gateway.vault.sounds import Sounds
from tests.vault.sound import House, a_recording, sha256_of, two_tones

KEY = Key("20261126-abc123", bytes(range(32)))
CHUNK = 64


def boxed(data: bytes, key: Key = KEY, about: str = "112-1.0", piece: int = 50) -> bytes:
    out = bytearray()
    writer = BoxWriter(out.extend, key, about, CHUNK)
    for start in range(0, len(data), piece):
        writer.write(data[start : start + piece])
    writer.close()
    return bytes(out)


def opened(box: bytes, key: Key = KEY, about: str = "112-1.0") -> Box:
    return Box(lambda start, stop: box[start:stop], len(box), lambda _: key, about)


@given(
    data=st.binary(max_size=5 * CHUNK), start=st.integers(0, 400), length=st.integers(0, 400), piece=st.integers(1, 99)
)
def test_any_part_reads_as_what_went_in(data: bytes, start: int, length: int, piece: int) -> None:
    box = boxed(data, piece=piece)
    assert len(box) == HEADER.size + len(data) + max(1, math.ceil(len(data) / CHUNK)) * TAG_BYTES
    found = opened(box)
    assert found.size_bytes == len(data)
    assert found.read(start, start + length) == data[start : start + length]


@given(data=st.binary(min_size=1, max_size=3 * CHUNK), where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_bit_that_was_changed_is_seen(data: bytes, where: float, bit: int) -> None:
    box = bytearray(boxed(data))
    at = int(where * len(box))
    box[at] ^= 1 << bit
    with pytest.raises(Unopenable):
        opened(bytes(box)).read(0, len(data))


@given(data=st.binary(max_size=3 * CHUNK), cut=st.integers(1, 400))
def test_any_cut_is_seen_when_it_is_opened(data: bytes, cut: int) -> None:
    box = boxed(data)
    with pytest.raises(Unopenable):
        opened(box[: max(0, len(box) - cut)])


def test_chunks_that_changed_places_and_a_box_that_is_another_recordings_are_seen() -> None:
    box, stride = boxed(bytes(3 * CHUNK)), CHUNK + 16
    first, second = (box[HEADER.size + n * stride : HEADER.size + (n + 1) * stride] for n in (0, 1))
    with pytest.raises(Unopenable):
        opened(box.replace(first, b"?" * stride).replace(second, first).replace(b"?" * stride, second)).read(0, 9)
    with pytest.raises(Unopenable, match="another recording"):
        opened(box, about="112-2.0")
    with pytest.raises(Unopenable, match="that key is another one"):
        opened(box, Key(KEY.name, bytes(32)))


def test_sealed_sound_reads_the_same_in_a_box_and_plain(house: House, locked_house: House) -> None:
    recording = locked_house.sealed(raw=two_tones(15))
    seal = recording.seal
    assert seal is not None
    assert (seal.stored.endswith(".ogg.box"), seal.key) == (True, locked_house.ring.names[0])
    sounds = Sounds(locked_house.root, locked_house.shelf, locked_house.ring)
    sound = sounds.open(recording)
    whole = sound.read(0, sound.size_bytes)
    assert sha256_of(sounds, recording) == seal.sound_sha256
    assert whole.startswith(b"OggS")
    assert b"OggS" not in (locked_house.root / seal.stored).read_bytes()
    assert sound.read(70_000, 70_100) == whole[70_000:70_100]
    assert json.loads(sounds.waveform(recording))["window_ms"] == 100


def test_a_ring_that_is_gone_is_not_made_anew(locked_house: House) -> None:
    """Whoever then put the old one back from the backup would lose the new one, and all that it encrypted."""
    locked_house.sealed(1)
    ring = locked_house.keys / "ring.json"
    kept, locked = ring.read_bytes(), locked_house.keys / ".ring.lock"
    ring.unlink()
    for is_started_anew in (False, True):
        if is_started_anew:
            locked_house.start()
        with pytest.raises(KeyMissing, match=r"ring\.json is not there, and was\. Remedy: put it back from the backup"):
            locked_house.sealer.seal(locked_house.recording(2))
        with pytest.raises(KeyMissing, match="is not there, and was"):
            locked_house.ring.rotate(locked_house.now)
    assert not ring.exists()
    assert (locked_house.day / f"{a_recording(2).id}.raw").exists()
    ring.write_bytes(kept)
    locked_house.sealed(2)
    assert locked_house.findings() == []
    # of one that an older version made it is known as soon as it is used
    locked.write_bytes(b"")
    locked_house.start()
    locked_house.sealed(3)
    ring.unlink()
    with pytest.raises(KeyMissing, match="is not there, and was"):
        locked_house.ring.newest(locked_house.now)
    # who has lost it for good says so
    locked.unlink()
    assert locked_house.ring.newest(locked_house.now).name not in kept.decode()


def test_a_rotated_ring_still_opens_what_was_sealed_before(locked_house: House) -> None:
    old = locked_house.sealed(1)
    sounds = Sounds(locked_house.root, locked_house.shelf, locked_house.ring)
    sounds.open(old)
    other = House(locked_house.folder, is_encrypted=True)
    newest = other.ring.rotate(other.now + timedelta(days=1))
    new = other.sealed(2)
    assert new.seal is not None
    assert new.seal.key == newest
    # neither reader nor worker was started anew
    assert [sounds.open(each).read(0, 4) for each in (old, new)] == [b"OggS", b"OggS"]
    locked_house.sealed(3)
    assert locked_house.findings() == []


def test_a_wrong_and_a_missing_key_are_told_in_plain_words(locked_house: House) -> None:
    recording = locked_house.sealed()
    ring = locked_house.keys / "ring.json"
    assert ring.stat().st_mode & 0o777 == 0o600
    kept = json.loads(ring.read_text())

    def open_anew() -> None:
        locked_house.start()
        Sounds(locked_house.root, locked_house.shelf, locked_house.ring).open(recording)

    kept["keys"][0]["key"] = base64.b64encode(bytes(32)).decode()
    ring.write_text(json.dumps(kept))
    with pytest.raises(Unopenable, match="that key is another one than it was made with"):
        open_anew()
    kept["keys"][0]["name"] = "20200101-000000"
    ring.write_text(json.dumps(kept))
    with pytest.raises(KeyMissing, match=r"is not in .*ring\.json. Remedy: put the ring"):
        open_anew()
    assert [(each.what, "nobody can hear it" in each.said) for each in locked_house.findings()] == [(What.LOCKED, True)]
    ring.write_text("{}")
    with pytest.raises(KeyMissing, match="is no key ring"):
        open_anew()
    ring.unlink()
    with pytest.raises(KeyMissing, match="there is no key ring"):
        open_anew()


def test_sound_that_is_not_there_is_said_to_be_missing(house: House) -> None:
    recording = house.sealed()
    sounds = Sounds(house.root, house.shelf, house.ring)
    sound = sounds.open(recording)
    (house.day / f"{recording.id}.ogg").unlink()
    with pytest.raises(NoRecording):
        sound.read(0, 10)
    with pytest.raises(NoRecording):
        sounds.open(recording)
    with pytest.raises(NoRecording):
        sounds.open(a_recording(7))
    with pytest.raises(NoRecording):
        sounds.waveform(a_recording(7))
