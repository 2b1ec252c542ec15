"""Raw sound as it is found on the disk, even while the call still runs.

Counterparts: `playing.py` reads it, as a WAV file from any byte on; MixMonitor's option D writes headerless 16-bit
samples, 8,000 a second, two channels: caller left, centre right; Record writes a caller's message likewise, with one
channel. The 44 bytes of a RIFF header are made here, from the file's size, so that no crash can leave a wrong one.

MixMonitor writes while sound flows: what neither side sent is missing from the file. It was silence, and is given back
as such at the end, so that a recording lasts as long as its call (docs/decisions/0008).
"""

import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.recordings import SAMPLE_BYTES, SAMPLE_RATE_HZ
from gateway.vault.folders import LeavesTheVault, inside

CALL_CHANNELS = 2
MESSAGE_CHANNELS = 1
HEADER_BYTES = 44


class NoRecording(Exception):
    """There is no sound for this call."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One call's sound, as long as it was when it was found, and the silence that makes it as long as the call."""

    path: Path
    sound_bytes: int
    silence_bytes: int = 0
    channels: int = CALL_CHANNELS

    @property
    def sound_frames(self) -> int:
        return self.sound_bytes // (SAMPLE_BYTES * self.channels)

    @property
    def frames(self) -> int:
        """How many there are with the silence at the end."""
        return (self.sound_bytes + self.silence_bytes) // (SAMPLE_BYTES * self.channels)


class Recordings:
    """The folder of recordings."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def find(self, file: str, lasted_s: float | None = None) -> Recording:
        """The recording that a call names in `Call.recording`, at least `lasted_s` seconds long. Blocking: disk.

        Raises NoRecording when there is none, or when the name leads out of the folder.
        """
        path, sound_bytes = self._look(file, CALL_CHANNELS)
        return Recording(path, sound_bytes, max(0, bytes_of(lasted_s or 0.0) - sound_bytes))

    def find_message(self, file: str) -> Recording:
        """The message that a caller left, in `Call.message`. Blocking: disk. Raises what `find` does."""
        path, sound_bytes = self._look(file, MESSAGE_CHANNELS)
        return Recording(path, sound_bytes, channels=MESSAGE_CHANNELS)

    def _look(self, file: str, channels: int) -> tuple[Path, int]:
        """Where the file is, and how many bytes of whole frames it has."""
        try:
            path = inside(self._root, file)
            found = path.lstat()  # a link is no file of sound, wherever it leads
        except LeavesTheVault as error:
            raise NoRecording(str(error)) from None
        except (FileNotFoundError, NotADirectoryError):
            raise NoRecording(NoRecording.__doc__) from None
        except OSError as error:
            raise NoRecording(f"{file} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(found.st_mode):
            raise NoRecording(f"{file} is no file of sound")
        return path, found.st_size - found.st_size % (SAMPLE_BYTES * channels)


def bytes_of(seconds: float) -> int:
    """How many bytes a call's recording of that many seconds has, in whole frames."""
    return round(seconds * SAMPLE_RATE_HZ) * SAMPLE_BYTES * CALL_CHANNELS


def wav_header(sound_bytes: int, channels: int = CALL_CHANNELS) -> bytes:
    """A RIFF header for that much sound (WAVE_FORMAT_PCM). A size past 4 GiB is written as the format's largest."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        min(36 + sound_bytes, 0xFFFFFFFF),
        b"WAVE",
        b"fmt ",
        16,
        1,
        channels,
        SAMPLE_RATE_HZ,
        SAMPLE_RATE_HZ * SAMPLE_BYTES * channels,
        SAMPLE_BYTES * channels,
        16,
        b"data",
        min(sound_bytes, 0xFFFFFFFF),
    )
