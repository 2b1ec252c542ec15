"""A call's sound as a WAV file that can be read from any byte on, even while the call still runs.

Counterpart: MixMonitor's option D writes headerless 16-bit samples, 8,000 a second, two channels: caller left, centre
right. The 44 bytes of a RIFF header are made here, from the file's size, so that no crash can leave a wrong one.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

SAMPLE_RATE_HZ = 8000
CHANNELS = 2
FRAME_BYTES = 2 * CHANNELS
HEADER_BYTES = 44


class NoRecording(Exception):
    """There is no sound for this call."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One call's sound, as long as it was when it was found."""

    path: Path
    sound_bytes: int

    @property
    def size_bytes(self) -> int:
        """The size of the whole WAV file, header included."""
        return HEADER_BYTES + self.sound_bytes

    @property
    def duration_s(self) -> float:
        return self.sound_bytes / FRAME_BYTES / SAMPLE_RATE_HZ

    def read(self, start: int, stop: int) -> bytes:
        """The bytes [start, stop) of the WAV file; shorter only at its end. Blocking: disk.

        Raises NoRecording when the file is gone.
        """
        head = wav_header(self.sound_bytes)[start:stop]
        first, last = max(0, start - HEADER_BYTES), min(stop - HEADER_BYTES, self.sound_bytes)
        if last <= first:
            return head
        try:
            with self.path.open("rb") as file:
                file.seek(first)
                return head + file.read(last - first)
        except FileNotFoundError:
            raise NoRecording(NoRecording.__doc__) from None


class Recordings:
    """The folder of recordings."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def find(self, file: str) -> Recording:
        """The recording that a call names in `Call.recording`. Blocking: disk.

        Raises NoRecording when there is none, or when the name leads out of the folder.
        """
        path = (self._root / file).resolve()
        if not path.is_relative_to(self._root):
            raise NoRecording(f"{file} does not lie in the recordings' folder")
        try:
            size = path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            raise NoRecording(NoRecording.__doc__) from None
        return Recording(path, size - size % FRAME_BYTES)


def wav_header(sound_bytes: int) -> bytes:
    """A RIFF header for that much sound (WAVE_FORMAT_PCM). A size past 4 GiB is written as the format's largest."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        min(36 + sound_bytes, 0xFFFFFFFF),
        b"WAVE",
        b"fmt ",
        16,
        1,
        CHANNELS,
        SAMPLE_RATE_HZ,
        SAMPLE_RATE_HZ * FRAME_BYTES,
        FRAME_BYTES,
        16,
        b"data",
        min(sound_bytes, 0xFFFFFFFF),
    )
