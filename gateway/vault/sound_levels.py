"""How loud sound is: each channel's level and the peaks that its waveform is drawn from, listened to piece by piece, so
that a call of any length needs no more memory than a short one.

Counterparts: `storing.py` feeds it the raw sound, and once more what it reads back; `sounds.py` tells the waveform.
"""

import array
import hashlib
import json
import math
import warnings
from dataclasses import dataclass

from gateway.domain.recordings import SAMPLE_BYTES, SAMPLE_RATE_HZ

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # 3.13 took audioop away (there audioop-lts is it), and pydub imports it, too
    import audioop

    from pydub import AudioSegment

WINDOW_MS = 100
LEAST_BYTES = 64 * 1024
"""Less waits for more: ffmpeg hands sound on in hundredths of a second."""
WAVEFORM_FORMAT = "gateway112-waveform-1"
_WINDOW_BYTES = SAMPLE_RATE_HZ * SAMPLE_BYTES * WINDOW_MS // 1000
_FINE_BYTES = 4
"""Levels are taken of samples of 32 bits: pydub tells them in whole numbers, and quiet sound has few of 16."""
LEAST_PART = 1e-8
"""What is less of it than that is not sound but how exactly it was reckoned."""
_FINE_SCALE = 2 ** (8 * _FINE_BYTES - 1)


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard. `bytes` and `sha256` are of all that was read; the rest is of its whole frames. Levels are dB
    below full scale, None for digital silence; a second one is None, too, where there is one channel."""

    bytes: int
    sha256: str
    bytes_left_out: int
    length_s: float
    levels_dbfs: tuple[float | None, float | None]
    wholes_dbfs: tuple[float | None, float | None]
    """The levels with what is constant in the samples, and no sound."""
    peaks: "tuple[array.array[int], ...]"


class Meter:
    """Listens to headerless sound: 16-bit samples, 8,000 a second."""

    def __init__(self, channels: int) -> None:
        self._frame_bytes = SAMPLE_BYTES * channels
        self._channels = channels
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._waiting = b""
        self._squares = [0.0] * channels
        self._sums = [0.0] * channels
        self._peaks = tuple(array.array("H") for _ in range(channels))  # each up to 32768

    def feed(self, data: bytes) -> None:
        self._hash.update(data)
        self._bytes += len(data)
        data = self._waiting + data if self._waiting else data
        # whole windows, so that each peak is of as much sound, however the data came
        whole = 0 if len(data) < LEAST_BYTES else len(data) - len(data) % (_WINDOW_BYTES * self._channels)
        self._listen(data[:whole])
        self._waiting = data[whole:]

    def heard(self) -> Heard:
        """All of it, when there is no more."""
        left_out = self._bytes % self._frame_bytes
        self._listen(self._waiting[: len(self._waiting) - left_out])
        self._waiting = b""
        frames = self._bytes // self._frame_bytes
        levels = [_dbfs(*both, frames) for both in zip(self._squares, self._sums, strict=True)]
        wholes = [_dbfs(squares, 0.0, frames) for squares in self._squares]
        return Heard(
            bytes=self._bytes,
            sha256=self._hash.hexdigest(),
            bytes_left_out=left_out,
            length_s=frames / SAMPLE_RATE_HZ,
            levels_dbfs=(levels[0], levels[1] if self._channels > 1 else None),
            wholes_dbfs=(wholes[0], wholes[1] if self._channels > 1 else None),
            peaks=self._peaks,
        )

    def _listen(self, data: bytes) -> None:
        if not data:
            return
        sound = AudioSegment(data=data, sample_width=SAMPLE_BYTES, frame_rate=SAMPLE_RATE_HZ, channels=self._channels)
        sides = sound.split_to_mono() if self._channels > 1 else [sound]
        for number, side in enumerate(sides):
            fine = side.set_sample_width(_FINE_BYTES)
            self._squares[number] += (fine.rms / _FINE_SCALE) ** 2 * side.frame_count()
            self._sums[number] += fine.get_dc_offset() * side.frame_count()
            samples = memoryview(side.raw_data)
            # what a segment's own `max` asks for, without a segment for each window
            self._peaks[number].extend(
                audioop.max(samples[at : at + _WINDOW_BYTES], SAMPLE_BYTES)
                for at in range(0, len(samples), _WINDOW_BYTES)
            )


def _dbfs(squares: float, total: float, frames: int) -> float | None:
    """The level of samples with that sum and sum of squares. A constant is no sound: nobody hears it, and Opus keeps it
    as little as an amplifier does."""
    if not frames:
        return None
    all_of_it = squares / frames
    heard = all_of_it - (total / frames) ** 2
    return round(10 * math.log10(heard), 2) if heard > LEAST_PART * all_of_it else None


def waveform(recording_id: str, heard: Heard) -> bytes:
    """The waveform as its file holds it: of each channel the largest sample of each tenth of a second, 0 to 32768."""
    sides = ("caller", "centre") if len(heard.peaks) > 1 else ("caller",)
    document = {
        "format": WAVEFORM_FORMAT,
        "recording": recording_id,
        "window_ms": WINDOW_MS,
        "full_scale": 32768,
        "length_s": round(heard.length_s, 6),
        "channels": [{"side": side, "peaks": peaks.tolist()} for side, peaks in zip(sides, heard.peaks, strict=True)],
    }
    return (json.dumps(document, separators=(",", ":")) + "\n").encode()
