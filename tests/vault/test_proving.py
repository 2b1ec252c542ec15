"""Stored sound is held against its seal before it passes for what was recorded; it is read for that once.

Counterpart: `gateway/vault/proving.py`; `tests/api/test_heard.py` has what whoever listens gets.
"""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.vault import proving
from gateway.vault.playing import Player, StoredTrack
from gateway.vault.proving import Proofs
from gateway.vault.recordings import NoRecording
from gateway.vault.shelf import ShelfAway
from gateway.vault.sounds import Sounds
from tests.vault.sound import House, tones

SOUND = tones(0.3, 300, 500)


class Counted:
    """Stored sound, and how many bytes of it were read."""

    def __init__(self, house: House, number: int = 1) -> None:
        self.recording = house.sealed(number, SOUND)
        assert self.recording.seal
        self.sha256 = self.recording.seal.sound_sha256
        self.path = house.root / self.recording.seal.stored
        self.sound = Sounds(house.root, house.shelf, house.ring).open(self.recording)
        self.version, self._read = self.sound.version, self.sound.read
        self.size_bytes, self.read_bytes = self.sound.size_bytes, 0
        self.waits = threading.Event()
        self.waits.set()
        self.is_near, self.takes_s = True, 0.0

    def read(self, start: int, stop: int) -> bytes:
        self.waits.wait(5)
        time.sleep(self.takes_s)
        piece = self._read(start, stop)
        self.read_bytes += len(piece)
        return piece

    @property
    def track(self) -> StoredTrack:
        return StoredTrack(
            self,
            channels=2,
            sound_frames=1,
            frames=1,
            sha256=self.sha256,
            version=self.version,
            is_near=lambda: self.is_near,
        )

    def change(self) -> None:
        """One bit, and size and time look the same."""
        status, data = self.path.stat(), bytearray(self.path.read_bytes())
        data[-20] ^= 1
        with self.path.open("r+b") as file:
            file.write(data)
        os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.fixture
def proofs() -> Iterator[Proofs]:
    made = Proofs()
    yield made
    made.close()


async def test_sound_is_read_once_and_again_when_it_was_changed_though_it_looks_the_same(
    house: House, proofs: Proofs
) -> None:
    counted = Counted(house)
    assert all(await asyncio.gather(*(proofs.of(counted.track) for _ in range(5))))
    assert await proofs.of(counted.track)
    assert counted.read_bytes == counted.size_bytes
    counted.change()
    assert not await proofs.of(counted.track)
    counted.change()
    assert await proofs.of(counted.track)
    assert counted.read_bytes == 3 * counted.size_bytes


async def test_sound_that_is_changed_while_it_is_read_is_not_taken_for_what_was_sealed(
    house: House, proofs: Proofs
) -> None:
    counted, read = Counted(house), Counted.read

    def changing(start: int, stop: int) -> bytes:
        piece = read(counted, start, stop)
        counted.change()
        return piece

    counted.read = changing  # type: ignore[method-assign]
    with pytest.raises(ShelfAway, match="another file each time"):  # which tells nobody that it was changed
        await proofs.of(counted.track)


async def test_who_does_not_wait_leaves_it_to_be_read_and_what_failed_is_tried_again(
    house: House, proofs: Proofs
) -> None:
    counted = Counted(house)
    counted.waits.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await proofs.of(counted.track)
    counted.waits.set()
    assert await proofs.of(counted.track)
    assert counted.read_bytes == counted.size_bytes
    whole = counted.path.read_bytes()
    counted.path.unlink()
    with pytest.raises(NoRecording):
        await proofs.of(counted.track)
    counted.path.write_bytes(whole)
    assert await proofs.of(counted.track)


async def test_what_hangs_in_a_bucket_keeps_nothing_waiting_that_lies_on_the_disk(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "FAR_AT_ONCE", 1)
    monkeypatch.setattr(proving, "PIECE_BYTES", 500)
    proofs, (hanging, near, next_far) = Proofs(), [Counted(house, number) for number in (1, 2, 3)]
    hanging.is_near = next_far.is_near = False
    hanging.waits.clear()
    try:
        with pytest.raises(TimeoutError):
            await proofs.of(hanging.track, 0.05)
        assert await proofs.known(hanging.track) is None
        assert await proofs.of(near.track, 0.5)
        with pytest.raises(TimeoutError):  # nothing is read of the one before it either
            await proofs.of(next_far.track, 0.05)
        hanging.takes_s, still_s = 0.05, 0.2
        hanging.waits.set()
        begun = time.monotonic()
        assert await proofs.of(next_far.track, still_s)
        assert time.monotonic() - begun > still_s  # slow as it is, it goes on
        assert await proofs.known(hanging.track)
    finally:
        hanging.waits.set()
        proofs.close()


async def test_a_box_is_not_read_for_that(tmp_path: Path) -> None:
    counted, player = Counted(House(tmp_path, is_encrypted=True)), Player()
    assert await player.is_as_sealed(counted.track)
    assert counted.read_bytes == 0
    await player.close()
