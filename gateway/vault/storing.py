"""Raw sound to the file that is stored, and that file read back, before it is believed.

Counterparts: `sealing.py` says when; `opus.py` turns sound to Opus and back, `box.py` encrypts it.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.recordings import SAMPLE_BYTES, SAMPLE_RATE_HZ
from gateway.ports import Unsealable
from gateway.vault import opus
from gateway.vault.box import Box, BoxWriter
from gateway.vault.folders import open_new, refuse_without_space
from gateway.vault.keys import Key
from gateway.vault.plain_files import plain_file
from gateway.vault.sound_levels import Heard, Meter

PIECE_BYTES = 256 * 1024
LONGEST_S = 24 * 3600
"""A call of a day is no call: a file beyond it is something else, or was never closed."""
MOST_LENGTH_OFF_S = 0.05
LOUD_DBFS, QUIET_DBFS, MOST_LOST_DB = -40.0, -60.0, 12.0
"""A side above LOUD must not have lost more than that, and one below QUIET must not have become LOUD."""
SILENCE_DBFS = -200.0
LEAST_COMPARED_S = 0.5
"""Of less, Opus may need all to get going."""
FOREIGN = {
    b"RIFF": "a WAV file",
    b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file",
    b"ID3": "an MP3 file",
    b"#!AMR": "an AMR file",
    b"\x1aE\xdf\xa3": "a Matroska file",
    b"PK\x03\x04": "a zip file",
    b"%PDF": "a PDF file",
    b"\x7fELF": "a program",
}
"""How files that are no raw sound begin."""

Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Stored:
    """The file that is stored: of it as it lies there, and of the Ogg file in it, where it is a box."""

    name: str
    bytes: int
    sha256: str
    sound_bytes: int
    sound_sha256: str
    length_s: float
    bit_rate: int
    key: str | None


class RawSound:
    """A raw file that is about to be sealed. Use it as a context; raises Unsealable, and leaves the file as it is."""

    def __init__(self, path: Path, channels: int) -> None:
        self._path = path
        self._frame_bytes = SAMPLE_BYTES * channels
        self._descriptor = -1
        self.size_bytes = 0

    @property
    def length_s(self) -> float:
        return self.size_bytes // self._frame_bytes / SAMPLE_RATE_HZ

    def __enter__(self) -> "RawSound":
        try:
            # without waiting: a pipe of that name would never open
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            raise Unsealable("its sound is not there", is_lost=True) from None
        except OSError as error:
            why = "it is a link" if error.errno == errno.ELOOP else error.strerror
            raise Unsealable(f"its sound cannot be read: {why}") from error
        try:
            self._look(os.fstat(self._descriptor))
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def _look(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise Unsealable("its sound is no ordinary file")
        self.size_bytes = status.st_size
        if self.length_s == 0:
            raise Unsealable("its sound is empty: nothing was ever recorded in it", is_lost=True)
        if self.length_s > LONGEST_S:
            raise Unsealable(f"its sound is {self.length_s / 3600:.0f} hours long, more than any call")
        try:
            head = os.pread(self._descriptor, 8, 0)
        except OSError as error:
            raise Unsealable(f"its sound cannot be read: {error.strerror}") from error
        for beginning, what in FOREIGN.items():
            if head.startswith(beginning):
                raise Unsealable(f"it is {what}, and no raw sound")

    def pieces(self, meter: Meter, tell: Tell) -> Iterator[bytes]:
        """Its whole frames, while the meter listens to all of it. Raises Unsealable where it changes meanwhile."""
        whole = self.size_bytes - self.size_bytes % self._frame_bytes
        done = 0
        while True:
            try:
                piece = os.read(self._descriptor, PIECE_BYTES)
            except OSError as error:
                raise Unsealable(f"its sound cannot be read: {error.strerror}") from error
            if not piece:
                break
            meter.feed(piece)
            yield piece[: max(0, whole - done)]
            done += len(piece)
            tell("converting")
        if done < self.size_bytes:
            raise Unsealable("its sound became shorter while it was read")
        if done > self.size_bytes:
            raise Unsealable("its sound still grows: somebody writes to it")


def store(raw: RawSound, channels: int, part: Path, name: str, key: Key | None, about: str, tell: Tell) -> "Made":
    """Writes the sound as it will be stored to `part`, and reads it back. Raises Unsealable, OSError."""
    refuse_without_space(part.parent, 2 * opus.BIT_RATES[channels] / 8 * raw.length_s)
    meter = Meter(channels)
    writing = _Writing(part, key, about)
    try:
        with writing:
            opus.encode(raw.pieces(meter, tell), channels, writing.take, raw.length_s)
    except opus.OpusFailed as error:
        raise Unsealable(f"it could not be converted: {error}") from error
    heard = meter.heard()
    tell("converted")
    back = _read_back(part, channels, key, about, heard, tell)
    return Made(
        heard,
        Stored(
            name=name,
            bytes=writing.stored_bytes,
            sha256=writing.stored_sha256,
            sound_bytes=writing.sound_bytes,
            sound_sha256=writing.sound_sha256,
            length_s=back.length_s,
            bit_rate=opus.BIT_RATES[channels],
            key=key.name if key else None,
        ),
    )


@dataclass(frozen=True, slots=True)
class Made:
    """What was heard in the raw sound, and what was made of it."""

    heard: Heard
    stored: Stored


class _Writing:
    """The file while it is written: hashed as it goes, encrypted where there is a key, on the disk at the end."""

    def __init__(self, part: Path, key: Key | None, about: str) -> None:
        self._file = open_new(part)
        self._of_sound, self._of_stored = hashlib.sha256(), hashlib.sha256()
        self.sound_bytes = self.stored_bytes = 0
        self._box = BoxWriter(self._write, key, about) if key else None

    @property
    def sound_sha256(self) -> str:
        return self._of_sound.hexdigest()

    @property
    def stored_sha256(self) -> str:
        return self._of_stored.hexdigest()

    def take(self, sound: bytes) -> None:
        self._of_sound.update(sound)
        self.sound_bytes += len(sound)
        if self._box:
            self._box.write(sound)
        else:
            self._write(sound)

    def _write(self, data: bytes) -> None:
        self._of_stored.update(data)
        self.stored_bytes += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, *_: object) -> None:
        with self._file:
            if kind is None:
                if self._box:
                    self._box.close()
                os.fsync(self._file.fileno())


def _read_back(part: Path, channels: int, key: Key | None, about: str, heard: Heard, tell: Tell) -> Heard:
    """What is heard in the stored sound. Raises Unsealable where it is not what went in."""
    meter = Meter(channels)

    def take(data: bytes) -> None:
        meter.feed(data)
        tell("reading back")

    try:
        opus.decode(_sound_in(part, key, about), channels, take, heard.length_s)
    except opus.OpusFailed as error:
        raise Unsealable(f"what was stored of it cannot be heard: {error}") from error
    back = meter.heard()
    if abs(back.length_s - heard.length_s) > MOST_LENGTH_OFF_S:
        raise Unsealable(f"what was stored of it is {back.length_s:.2f} s long, and its sound {heard.length_s:.2f} s")
    for number, side in enumerate(("left", "right") if heard.length_s >= LEAST_COMPARED_S else ()):
        was, whole = _level(heard.levels_dbfs[number]), _level(heard.wholes_dbfs[number])
        became = _level(back.levels_dbfs[number])
        if (was > LOUD_DBFS and was - became > MOST_LOST_DB) or (whole < QUIET_DBFS and became > LOUD_DBFS):
            raise Unsealable(f"what was stored of it is not as loud on the {side}: {became} dBFS, and it was {was}")
    tell("read back")
    return back


def _level(dbfs: float | None) -> float:
    return SILENCE_DBFS if dbfs is None else dbfs


def _sound_in(part: Path, key: Key | None, about: str) -> Iterator[bytes]:
    with plain_file(part) as file:
        if key is None:
            while piece := file.read(PIECE_BYTES):
                yield piece
            return

        def read(start: int, stop: int) -> bytes:
            return os.pread(file.fileno(), stop - start, start)

        box = Box(read, os.fstat(file.fileno()).st_size, lambda _: key, about)
        for start in range(0, box.size_bytes, PIECE_BYTES):
            yield box.read(start, start + PIECE_BYTES)
