"""Raw sound to Ogg/Opus and back, by ffmpeg as a child whose pipes are the only way in and out: no file of its own, and
an end when its time is up.

Counterpart: `sealing.py`. Which parameters, and what was measured: docs/decisions/0017.
"""

import functools
import subprocess
import threading
from collections.abc import Callable, Iterable
from typing import Self

from gateway.domain.recordings import SAMPLE_RATE_HZ

BIT_RATES = {1: 32_000, 2: 64_000}
"""By channels. At 64 kbit/s Opus codes both channels of 8 kHz sound apart up to the highest band; with less it joins
them there (docs/decisions/0017)."""
LEAST_LIMIT_S = 120.0
SLOWEST_TIMES = 2.0
"""A conversion that is slower than that many times real time, on a machine that has better to do, is given up."""
READ_BYTES = 64 * 1024
MOST_WORDS = 2000

_QUIETLY = ("ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-threads", "1")


class FfmpegFailed(Exception):
    """ffmpeg did not do it; the message holds its own words."""


class NoFfmpeg(FfmpegFailed):
    """ffmpeg cannot be started; the message says why."""


def encode(raw: Iterable[bytes], channels: int, take: Callable[[bytes], object], length_s: float) -> None:
    """Hands the Ogg file to `take`, piece by piece. The same sound gives the same bytes with the same ffmpeg. Raises
    FfmpegFailed, and what `raw` and `take` raise."""
    command = (
        *_QUIETLY,
        *("-f", "s16le", "-ar", str(SAMPLE_RATE_HZ), "-ac", str(channels), "-i", "pipe:0", "-map_metadata", "-1"),
        *("-c:a", "libopus", "-application", "lowdelay", "-apply_phase_inv", "0", "-vbr", "constrained"),
        *("-b:a", str(BIT_RATES[channels]), "-threads", "1", "-fflags", "+bitexact", "-flags:a", "+bitexact"),
        *("-flush_packets", "0", "-f", "ogg", "pipe:1"),
    )
    _feed(_started(command), raw, take, limit_s(length_s))


class Decoder:
    """ffmpeg that is started before there is anything to decode, by whoever makes that meanwhile: for most calls its
    start takes longer than all else. A context, which ends it. Raises NoFfmpeg."""

    def __init__(self, channels: int) -> None:
        self._child = _started(
            (
                *(*_QUIETLY, "-xerror", "-err_detect", "explode", "-f", "ogg", "-i", "pipe:0", "-threads", "1"),
                *("-flush_packets", "0", "-f", "s16le", "-ar", str(SAMPLE_RATE_HZ), "-ac", str(channels), "pipe:1"),
            )
        )

    def decode(self, sound: Iterable[bytes], take: Callable[[bytes], object], length_s: float) -> None:
        """Hands the raw sound of an Ogg file to `take`, as it was sealed: 16 bit, 8,000 a second. Once. Raises
        FfmpegFailed where any of it is not in order, and what `sound` and `take` raise."""
        _feed(self._child, sound, take, limit_s(length_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        child = self._child
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def limit_s(length_s: float) -> float:
    """How long a conversion of so much sound may take."""
    return LEAST_LIMIT_S + length_s / SLOWEST_TIMES


@functools.cache
def version() -> str:
    """Which ffmpeg it is. Raises NoFfmpeg. Blocking: a child, the first time."""
    try:
        told = subprocess.run(("ffmpeg", "-version"), capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise NoFfmpeg(_absent(error)) from error
    words = told.split()
    return words[2] if words[:2] == ["ffmpeg", "version"] else "unknown"


def _started(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise NoFfmpeg(_absent(error)) from error


def _feed(
    child: subprocess.Popen[bytes], feed: Iterable[bytes], take: Callable[[bytes], object], most_s: float
) -> None:
    """Feeds the child and hands on what it makes of that, until it has ended."""
    went_wrong: list[BaseException] = []
    words = bytearray()
    is_late = threading.Event()

    def give_up() -> None:
        is_late.set()
        child.kill()

    def write() -> None:
        assert child.stdin is not None  # noqa: S101  # for mypy: it is a pipe
        try:
            with child.stdin as pipe:
                for piece in feed:
                    pipe.write(piece)
        except BrokenPipeError:
            pass  # it ended before it had all: its status and words say why
        except BaseException as error:  # noqa: BLE001  # raised again below, in the thread that waits
            went_wrong.append(error)
            child.kill()

    def listen() -> None:
        assert child.stderr is not None  # noqa: S101
        for line in child.stderr:
            if len(words) < MOST_WORDS:
                words.extend(line)

    timer = threading.Timer(most_s, give_up)
    threads = [threading.Thread(target=each, daemon=True) for each in (write, listen)]
    timer.daemon = True
    timer.start()
    for thread in threads:
        thread.start()
    try:
        assert child.stdout is not None  # noqa: S101
        while piece := child.stdout.read(READ_BYTES):
            take(piece)
        child.wait()
    except BaseException:
        child.kill()
        raise
    finally:
        for thread in threads:
            thread.join()
        timer.cancel()
        child.wait()
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()
    if went_wrong:
        raise went_wrong[0]
    if is_late.is_set():
        raise FfmpegFailed(f"ffmpeg took longer than {most_s:.0f} s")
    if child.returncode or words:
        said = " ".join(words.decode(errors="replace").split())[:300]
        raise FfmpegFailed(f"ffmpeg ended with status {child.returncode}: {said or 'it said nothing'}")


def _absent(error: Exception) -> str:
    return f"ffmpeg cannot be started: {getattr(error, 'strerror', None) or error}. Remedy: apt-get install ffmpeg"
