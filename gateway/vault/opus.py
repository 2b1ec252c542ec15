"""Raw sound to Ogg/Opus and back, by ffmpeg's libraries in this process (PyAV): piece by piece, without a file of its
own.

Counterpart: `sealing.py`. Which parameters, and what was measured: docs/decisions/0017; why no program: 0043. PyAV is
imported where it is used: the gateway's own process knows this module, and converts nothing.
"""

import contextlib
import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from gateway.domain.recordings import SAMPLE_BYTES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from av import AudioFrame

BIT_RATES = {1: 32_000, 2: 64_000}
"""By channels. At 64 kbit/s Opus codes both channels of 8 kHz sound apart up to the highest band; with less it joins
them there (docs/decisions/0017)."""
LEAST_LIMIT_S = 120.0
SLOWEST_TIMES = 2.0
"""A conversion that is slower than that many times real time, on a machine that has better to do, is given up."""
MOST_WORDS = 300

_LAYOUTS = {1: "mono", 2: "stereo"}
_OPUS = {"application": "lowdelay", "apply_phase_inv": "0", "vbr": "constrained", "flags": "+bitexact"}
_STRICTLY = {"err_detect": "crccheck+explode"}


class OpusFailed(Exception):
    """It was not done; the message holds ffmpeg's own words."""


def encode(raw: Iterable[bytes], channels: int, take: Callable[[bytes], object], length_s: float) -> None:
    """Hands the Ogg file to `take`, piece by piece. The same sound gives the same bytes with the same libraries. Raises
    OpusFailed, and what `raw` and `take` raise."""
    import av

    with _strictly(), av.open(_Taking(take), "w", format="ogg", options={"fflags": "+bitexact"}) as file:
        opus = file.add_stream("libopus", rate=SAMPLE_RATE_HZ, options=_OPUS)
        opus.layout, opus.bit_rate = _LAYOUTS[channels], BIT_RATES[channels]
        opus.format = "s16"
        for frame in _frames(_in_time(raw, length_s), channels):
            file.mux(opus.encode(frame))
        file.mux(opus.encode(None))


def decode(sound: Iterable[bytes], channels: int, take: Callable[[bytes], object], length_s: float) -> None:
    """Hands the raw sound of an Ogg file to `take`, as it was sealed: 16 bit, 8,000 a second. Raises OpusFailed where
    any of it is not in order, and what `sound` and `take` raise."""
    import av

    with _strictly(), av.open(_Giving(_in_time(sound, length_s)), "r", format="ogg", options=_STRICTLY) as file:
        opus = file.streams.audio[0]
        opus.codec_context.options = _STRICTLY
        as_raw = av.AudioResampler(format="s16", layout=_LAYOUTS[channels], rate=SAMPLE_RATE_HZ)
        for frame in itertools.chain(file.decode(opus), (None,)):
            for piece in as_raw.resample(frame):
                take(bytes(piece.planes[0])[: piece.samples * channels * SAMPLE_BYTES])


def limit_s(length_s: float) -> float:
    """How long a conversion of so much sound may take."""
    return LEAST_LIMIT_S + length_s / SLOWEST_TIMES


@functools.cache
def version() -> str:
    """Which ffmpeg it is, and whose build of it."""
    import av

    return f"{av.ffmpeg_version_info} (PyAV {av.__version__})"


@contextlib.contextmanager
def _strictly() -> Iterator[None]:
    """Raises OpusFailed for whatever ffmpeg complains of, also where it goes on, as with a sum that does not agree."""
    import av.logging

    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as said:
            yield
    except av.FFmpegError as error:
        raise OpusFailed(_words(said) or str(error)) from error
    finally:
        av.logging.set_level(None)
    if said:
        raise OpusFailed(_words(said))


def _words(said: Iterable[tuple[int, str, str]]) -> str:
    return " ".join(" ".join(f"{who}: {words}" for _, who, words in said).split())[:MOST_WORDS]


def _in_time(pieces: Iterable[bytes], length_s: float) -> Iterator[bytes]:
    """The pieces of so much sound. Raises OpusFailed where they take too long; what hangs in one of them, the gateway
    ends (`worker_link.py`)."""
    most_s = limit_s(length_s)
    until_s = time.monotonic() + most_s
    for piece in pieces:
        yield piece
        if time.monotonic() > until_s:
            raise OpusFailed(f"it took longer than {most_s:.0f} s")


def _frames(raw: Iterable[bytes], channels: int) -> "Iterator[AudioFrame]":
    """Whole samples of all channels, with their place in the sound."""
    import av

    frame_bytes, rest, at = SAMPLE_BYTES * channels, b"", 0
    for piece in raw:
        rest += piece
        end = len(rest) - len(rest) % frame_bytes
        whole, rest = rest[:end], rest[end:]
        if not whole:
            continue
        frame = av.AudioFrame(format="s16", layout=_LAYOUTS[channels], samples=len(whole) // frame_bytes)
        frame.planes[0].update(whole)
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, at
        at += frame.samples
        yield frame


class _Taking:
    """A file to be written, which hands on what it is given."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take

    def write(self, data: bytes) -> int:
        self._take(bytes(data))
        return len(data)


class _Giving:
    """A file to be read, of those pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        given, self._rest = self._rest[:size], self._rest[size:]
        return given
