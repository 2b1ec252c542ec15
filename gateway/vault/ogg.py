"""Finding a moment in stored sound: where in an Ogg file decoding must begin so that it is heard from then on.

Counterparts: `sounds.py` reads stored sound by range, wherever it lies and however it is kept; `playing.py` decodes it.
Ogg is RFC 3533, Opus in it RFC 7845: each page says at which sample, of 48,000 a second, what it completes ends.
"""

import struct
from dataclasses import dataclass
from typing import Protocol

SAMPLES_A_SECOND = 48_000
ROLL_SAMPLES = SAMPLES_A_SECOND
"""So much before the moment is decoded and not heard. RFC 7845, 4.6, asks for 80 ms at least; a voice on a telephone
takes half a second until it sounds as if it had been decoded from the start."""
PROBE_BYTES = 16 * 1024
AHEAD_BYTES = 64 * 1024
PAGE_AT_MOST = 27 + 255 + 255 * 255
HEAD_AT_MOST = 1 << 20
_MARK = b"OggS\x00"
_CONTINUED = 0x01
_NONE_ENDS = -1


class Readable(Protocol):
    """Something of a known size that any part can be read of. Blocking."""

    @property
    def size_bytes(self) -> int: ...
    def read(self, start: int, stop: int) -> bytes:
        """The bytes [start, stop); shorter only at its end."""


class NoOgg(Exception):
    """What is stored is no Ogg/Opus sound."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where decoding begins: with `head`, which tells the decoder what comes, and then with the byte `start`.
    `sample` is the first one that is decoded from there, of 48,000 a second, the codec's own delay included."""

    head: bytes
    start: int
    sample: int


class _Ahead:
    """The same, read in larger parts than it is asked for: each may be a way over the network."""

    def __init__(self, sound: Readable) -> None:
        self.size_bytes = sound.size_bytes
        self._sound = sound
        self._start = 0
        self._part = b""

    def read(self, start: int, stop: int) -> bytes:
        stop = min(stop, self.size_bytes)
        if not self._start <= start <= stop <= self._start + len(self._part):
            self._start = start
            self._part = self._sound.read(start, max(stop, min(start + AHEAD_BYTES, self.size_bytes)))
        return self._part[start - self._start : max(start, stop) - self._start]


@dataclass(frozen=True, slots=True)
class _Page:
    start: int
    stop: int
    sample: int
    serial: int
    is_continued: bool


def place_before(sound: Readable, second: float) -> Place:
    """The last place from which all that comes after that second is heard as it was. Raises NoOgg. Blocking."""
    sound = _Ahead(sound)
    head = _head(sound)
    first = _page(sound, len(head))
    if first is None:
        raise NoOgg(NoOgg.__doc__)
    wanted = round(second * SAMPLES_A_SECOND) - ROLL_SAMPLES
    found, low, high = Place(head, len(head), 0), first.start, sound.size_bytes
    # the pages before `low` end early enough; one that begins at `high` or later does not
    while high - low > PAGE_AT_MOST:
        middle = (low + high) // 2
        page = _next_page(sound, middle, high, first.serial)
        if page is None or page.sample > wanted:
            high = middle
        else:
            low = page.start
    page = _next_page(sound, low, high, first.serial)
    while page is not None and page.sample <= wanted:
        following = _page(sound, page.stop)
        if following is None or following.serial != first.serial:
            break
        if not following.is_continued and page.sample != _NONE_ENDS:
            found = Place(head, following.start, page.sample)
        page = following
    return found


def _head(sound: Readable) -> bytes:
    """The pages before the first one with sound: what RFC 7845, 3, calls the headers."""
    stop = 0
    while stop < HEAD_AT_MOST:
        page = _page(sound, stop)
        if page is None or (stop == 0 and b"OpusHead" not in sound.read(0, page.stop)):
            break
        if page.sample > 0:
            return sound.read(0, stop)
        stop = page.stop
    raise NoOgg(NoOgg.__doc__)


def _next_page(sound: Readable, start: int, stop: int, serial: int) -> _Page | None:
    """The first page that begins in [start, stop) and in which something ends."""
    while start < stop:
        part = sound.read(start, min(stop, start + PROBE_BYTES) + len(_MARK) - 1)
        mark = part.find(_MARK)
        while mark >= 0:
            page = _page(sound, start + mark)
            if page is not None and page.serial == serial and page.sample != _NONE_ENDS:
                return page
            mark = part.find(_MARK, mark + 1)
        if not part:
            return None
        start += PROBE_BYTES
    return None


def _page(sound: Readable, start: int) -> _Page | None:
    """The page that begins there; None where none does."""
    head = sound.read(start, start + 27 + 255)
    if len(head) < 27 or not head.startswith(_MARK):
        return None
    flags, sample, serial, _, _, segments = struct.unpack_from("<BqIIIB", head, 5)
    stop = start + 27 + segments + sum(head[27 : 27 + segments])
    if len(head) < 27 + segments or stop > sound.size_bytes:
        return None
    return _Page(start, stop, sample, serial, bool(flags & _CONTINUED))
