"""Tones: made, coded for the telephone, and found again in what was heard. Pure; no sound card, no network.

Counterpart: `rtp.py` and `phone.py` send and hear them, `recording.py` looks for them on disk.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

SAMPLE_RATE_HZ = 8000
WINDOW_SAMPLES = 1600
"""0.2 s: a tone is told from its neighbour 10 Hz away; a syllable is not mistaken for it."""

CALLER_HZ = 700.0
OPERATOR_HZ = 1100.0
"""Neither is a tone that Asterisk makes (indications.conf: 350, 425, 440, 950, 1330 Hz), nor a multiple of one."""

AMPLITUDE = 8000
"""A quarter of full scale (-12 dB): loud enough to be found, far from clipping in any codec."""

LEAST_SHARE = 0.6
"""A window holds the tone when this part of its energy lies at the tone's frequency. A sine measures over 0.99 after
G.711; the spoken greeting was measured at 0.03 at most."""

LEAST_LEVEL = 300.0
"""Root mean square below which a window is silence (-41 dB of full scale)."""


def sine(frequency_hz: float, samples: int, *, start: int = 0, amplitude: int = AMPLITUDE) -> list[int]:
    """`samples` signed 16-bit samples of a sine, from sample number `start` on, so that pieces fit together."""
    step = 2 * math.pi * frequency_hz / SAMPLE_RATE_HZ
    return [round(amplitude * math.sin(step * number)) for number in range(start, start + samples)]


def power(samples: Sequence[int], frequency_hz: float) -> float:
    """The mean power at one frequency (Goertzel's algorithm): for a pure sine half its amplitude squared."""
    if not samples:
        return 0.0
    factor = 2 * math.cos(2 * math.pi * frequency_hz / SAMPLE_RATE_HZ)
    last = before = 0.0
    for sample in samples:
        last, before = sample + factor * last - before, last
    magnitude_squared = last * last + before * before - factor * last * before
    return 2 * magnitude_squared / len(samples) ** 2


def level(samples: Sequence[int]) -> float:
    """The root mean square, in sample units."""
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples)) if samples else 0.0


def share(samples: Sequence[int], frequency_hz: float) -> float:
    """Which part of the energy lies at the frequency: 0 to about 1. Silence has none."""
    total = sum(sample * sample for sample in samples) / len(samples) if samples else 0.0
    return power(samples, frequency_hz) / total if total else 0.0


def holds(window: Sequence[int], frequency_hz: float) -> bool:
    """Whether a window of sound is the tone and hardly anything else."""
    return level(window) >= LEAST_LEVEL and share(window, frequency_hz) >= LEAST_SHARE


def windows(samples: Sequence[int]) -> Iterator[Sequence[int]]:
    """The sound in whole windows, one behind the other."""
    for start in range(0, len(samples) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
        yield samples[start : start + WINDOW_SAMPLES]


def seconds_of(samples: Sequence[int], frequency_hz: float) -> float:
    """For how many seconds, all in all, the tone is there."""
    found = sum(holds(window, frequency_hz) for window in windows(samples))
    return found * WINDOW_SAMPLES / SAMPLE_RATE_HZ


class Ear:
    """Listens for one tone in sound that comes piece by piece. Keeps less than a window, however much it hears.

    `heard_s`: for how long the tone was there, in whole windows. `loudest`: the highest level of a window, tone or not;
    0 means that nothing was heard at all.
    """

    def __init__(self, frequency_hz: float) -> None:
        self.frequency_hz = frequency_hz
        self.heard_s = 0.0
        self.loudest = 0.0
        self._pending: list[int] = []

    def hear(self, samples: Iterable[int]) -> None:
        """Takes the next piece."""
        self._pending.extend(samples)
        while len(self._pending) >= WINDOW_SAMPLES:
            window, self._pending = self._pending[:WINDOW_SAMPLES], self._pending[WINDOW_SAMPLES:]
            self.loudest = max(self.loudest, level(window))
            if holds(window, self.frequency_hz):
                self.heard_s += WINDOW_SAMPLES / SAMPLE_RATE_HZ


# ---------------------------------------------------------------- G.711, mu-law (ITU-T G.711, table 2a)

_BIAS = 0x84
_CLIP = 32635


def _to_linear(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + _BIAS << ((code >> 4) & 0x07)) - _BIAS
    return -magnitude if code & 0x80 else magnitude


_LINEAR = tuple(_to_linear(code) for code in range(256))


def decode_ulaw(coded: bytes) -> list[int]:
    """Signed 16-bit samples, one for each byte."""
    return [_LINEAR[code] for code in coded]


def encode_ulaw(samples: Iterable[int]) -> bytes:
    """One byte for each signed 16-bit sample."""
    return bytes(_to_ulaw(sample) for sample in samples)


def _to_ulaw(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _CLIP) + _BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~(sign | exponent << 4 | mantissa) & 0xFF
