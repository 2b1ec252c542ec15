"""Playing: any part of a recording as samples, or as Ogg/Opus or MP3, piece by piece.

Counterparts: `gateway/api/sounds.py` sends it to whoever listens; `recordings.py` finds raw sound, `sounds.py` stored
one. What must be decoded or encoded is done by ffmpeg, of which only so many run at once, at low priority; however long
a recording is, no more than a few pieces of it are in memory.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from typing import Self, TypeVar

from gateway.domain.recordings import SAMPLE_BYTES, SAMPLE_RATE_HZ
from gateway.vault.conversion import PIECE_BYTES, Spare, Unplayable, converted, started
from gateway.vault.ogg import SAMPLES_A_SECOND, NoOgg, Place, Readable, place_before
from gateway.vault.opus import BIT_RATES
from gateway.vault.plain_files import open_plain
from gateway.vault.proving import Proofs
from gateway.vault.recordings import HEADER_BYTES, NoRecording, Recording, wav_header
from gateway.vault.shelf import ShelfAway

T = TypeVar("T")

AT_ONCE = 4
"""So many ffmpeg run at once: two cores carry calls, too."""
IDLE_LIMIT_S = 10.0
"""An ffmpeg that gives nothing for so long is ended."""
MISSING_FRAMES = SAMPLE_RATE_HZ // 50
"""So many may lack at the end where another ffmpeg decodes than the one that sealed: a packet of Opus."""
MISSING_S = 0.1
"""The same of what was encoded anew; an MP3 file tells its length not as well."""
THREADS = 8
"""That read sound."""
LOOK_LIMIT_S = 60.0
"""How long one look at the disk or the bucket may take: whoever waits for a disk that hangs is told so."""
_OPUS_TO_OURS = SAMPLES_A_SECOND // SAMPLE_RATE_HZ


class Form(StrEnum):
    """What a recording is sent as."""

    OGG = "ogg"
    WAV = "wav"
    MP3 = "mp3"


def _decoder(channels: int) -> tuple[str, ...]:
    """What ffmpeg is told in order to give samples of whatever part of a stored sound it is fed."""
    return ("-f", "ogg", "-i", "pipe:0", "-f", "s16le", "-ar", str(SAMPLE_RATE_HZ), "-ac", str(channels))


def _encoder(form: Form, channels: int) -> tuple[str, ...]:
    """What ffmpeg is told of the form: both channels stay apart."""
    if form is Form.MP3:
        codec: tuple[str, ...] = ("-c:a", "libmp3lame", "-joint_stereo", "0", "-f", "mp3")
    else:
        codec = ("-c:a", "libopus", "-application", "lowdelay", "-apply_phase_inv", "0", "-f", "ogg")
    return ("-b:a", str(BIT_RATES[channels]), *codec)


def _made_s(form: Form, channels: int, size_bytes: int, end: bytes) -> float:
    """How many seconds of sound ffmpeg made: MP3 has the same bytes for each second, and Ogg tells the number of the
    last sample in its last page (RFC 3533, 6)."""
    if form is Form.MP3:
        return size_bytes * 8 / BIT_RATES[channels]
    page = end.rfind(b"OggS")
    return int.from_bytes(end[page + 6 : page + 14], "little") / SAMPLES_A_SECOND if page >= 0 else 0.0


class TooManyPlay(Exception):
    """As many recordings are being decoded as may be at once."""


class RawTrack:
    """Raw sound, opened: whatever becomes of its name, it is read to its end. `sound_frames` were there when it was
    opened; `frames` has the silence after them, too."""

    def __init__(self, descriptor: int, *, channels: int, sound_frames: int, frames: int) -> None:
        self._descriptor = descriptor
        self.channels = channels
        self.frames = frames
        self.sound_frames = sound_frames

    @classmethod
    def opened(cls, found: Recording) -> Self:
        """What was found, opened. Blocking: disk. Raises NoRecording where it is gone by now."""
        try:
            descriptor = open_plain(found.path)
        except FileNotFoundError:
            raise NoRecording(NoRecording.__doc__) from None
        except OSError as error:
            raise NoRecording(f"the recording cannot be read: {error.strerror}") from error
        return cls(
            descriptor,
            channels=found.channels,
            sound_frames=found.sound_frames,
            frames=found.frames,
        )

    @property
    def frame_bytes(self) -> int:
        return SAMPLE_BYTES * self.channels

    def close(self) -> None:
        os.close(self._descriptor)

    def read(self, first: int, last: int) -> bytes:
        """The samples of the frames [first, last). Blocking: disk. Raises NoRecording where the file became shorter."""
        start, stop = (min(frame, self.sound_frames) * self.frame_bytes for frame in (first, last))
        sound = os.pread(self._descriptor, stop - start, start) if stop > start else b""
        if len(sound) < stop - start:
            raise NoRecording("the recording became shorter")
        return sound + bytes((last - first) * self.frame_bytes - len(sound))


class StoredTrack:
    """Sealed sound: Ogg/Opus, wherever it lies. `sound_frames` are in it; `frames` has the silence after them, too.
    `version` names its file as it is now, `is_near` says whether it is on the disk (`proving.py`)."""

    def __init__(
        self,
        sound: Readable,
        *,
        channels: int,
        sound_frames: int,
        frames: int,
        sha256: str,
        version: Callable[[], str | None] = lambda: None,
        is_near: Callable[[], bool] = lambda: True,
    ) -> None:
        self.sound = sound
        self.channels = channels
        self.sound_frames = sound_frames
        self.frames = frames
        self.sha256 = sha256
        self.version = version
        self.is_near = is_near

    @property
    def frame_bytes(self) -> int:
        return SAMPLE_BYTES * self.channels

    def close(self) -> None:
        """Nothing is held open."""


Track = RawTrack | StoredTrack


def wav_bytes(channels: int, frames: int) -> int:
    """The size of so many frames as a WAV file."""
    return HEADER_BYTES + frames * SAMPLE_BYTES * channels


class Player:
    """All recordings that are played, `at_once` of them by ffmpeg; `running` says how many of these there are now."""

    def __init__(self, *, at_once: int = AT_ONCE, idle_limit_s: float = IDLE_LIMIT_S) -> None:
        self._at_once = at_once
        self._idle_limit_s = idle_limit_s
        self._spare = Spare(*_decoder(2))
        # of its own: where sound is stored may be slow, and nobody but listeners waits for it
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="listening")
        self._places = asyncio.Semaphore(THREADS)
        """A thread that a disk never lets go keeps its place; nothing is handed to threads that have no time for it."""
        self._proofs = Proofs()
        self.running = 0

    async def close(self) -> None:
        """Ends what waits for listeners. Does not wait for a disk that hangs."""
        await self._spare.close()
        self._proofs.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def is_as_sealed(self, track: StoredTrack, still_s: float | None = None) -> bool:
        """Whether the sound is the one that was sealed. Of sound that nobody asked for before all of it is read first.
        Raises what reading it raises, and TimeoutError where nothing is read for `still_s` seconds."""
        return await self._proofs.of(track, still_s)

    async def is_known_as_sealed(self, track: StoredTrack) -> bool | None:
        """The same, as it is known by now. None where it is yet to be read, which is begun."""
        return await self._proofs.known(track)

    async def look(self, look: Callable[[], T], limit_s: float = LOOK_LIMIT_S) -> T:
        """What `look` says, which may block. Raises what it does, and ShelfAway after `limit_s`."""
        loop = asyncio.get_running_loop()

        def done(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended before the disk did
                loop.call_soon_threadsafe(self._places.release)

        try:
            async with asyncio.timeout(limit_s):
                await self._places.acquire()
                try:
                    looking = self._threads.submit(look)
                except BaseException:
                    self._places.release()
                    raise
                looking.add_done_callback(done)
                return await asyncio.wrap_future(looking)
        except TimeoutError as error:
            raise ShelfAway(f"where the recordings are stored has not answered for {limit_s:g} s") from error

    async def wav(self, track: Track, first: int, last: int, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes [start, stop) of the WAV file of the frames [first, last). Raises TooManyPlay, Unplayable,
        NoRecording, and what reading stored sound raises."""
        head = wav_header((last - first) * track.frame_bytes, track.channels)
        before = head[start:stop]
        start, stop = max(0, start - len(head)), stop - len(head)
        if stop <= start:
            yield before
            return
        from_frame, to_frame = start // track.frame_bytes, -(-stop // track.frame_bytes)
        cut, left = start - from_frame * track.frame_bytes, stop - start
        async with contextlib.aclosing(self.samples(track, first + from_frame, first + to_frame)) as samples:
            async for piece in samples:
                part, cut = piece[cut : cut + left], max(0, cut - len(piece))
                left -= len(part)
                yield before + part  # the header goes with the first sound: before that it may fail
                before = b""

    async def samples(self, track: Track, first: int, last: int) -> AsyncGenerator[bytes, None]:
        """The samples of the frames [first, last), 16 bit, in pieces of any length. Raises what `wav` does."""
        sound_last = max(first, min(last, track.sound_frames))
        source = (
            self._raw(track, first, last) if isinstance(track, RawTrack) else self._decoded(track, first, sound_last)
        )
        async with contextlib.aclosing(source) as pieces:
            async for piece in pieces:
                yield piece
        if isinstance(track, StoredTrack):
            for frame in range(sound_last, last, PIECE_BYTES):
                yield bytes(min(PIECE_BYTES, last - frame) * track.frame_bytes)

    async def encoded(self, track: Track, first: int, last: int, form: Form) -> AsyncGenerator[bytes, None]:
        """The frames [first, last) as Ogg/Opus or MP3. Raises what `wav` does."""
        sound_last, skip_frames = max(first, min(last, track.sound_frames)), 0
        with self._place():
            if isinstance(track, RawTrack):
                feed = self._raw(track, first, sound_last)
                source: tuple[str, ...] = ("-f", "s16le", "-ar", str(SAMPLE_RATE_HZ), "-ac", str(track.channels))
            else:
                place = await self._place_before(track, first)
                feed, source = self._from(track, place), ("-f", "ogg")
                skip_frames = first - place.sample // _OPUS_TO_OURS
            # it counts the frames that come in, from the first one that it decodes
            chosen = f"atrim=start_sample={skip_frames}:end_sample={skip_frames + sound_last - first}"
            if sound_last < last:
                chosen += f",apad=pad_len={last - sound_last}"
            process = await started(
                *(*source, "-i", "pipe:0", "-af", f"aresample={SAMPLE_RATE_HZ},{chosen}"),
                *_encoder(form, track.channels),
            )
            size_bytes, end = 0, b""
            async with contextlib.aclosing(converted(process, feed, self._idle_limit_s)) as pieces:
                async for piece in pieces:
                    size_bytes, end = size_bytes + len(piece), (end + piece)[-PIECE_BYTES:]
                    yield piece
        # ffmpeg leaves out what it cannot decode, and is content
        if _made_s(form, track.channels, size_bytes, end) < (last - first) / SAMPLE_RATE_HZ - MISSING_S:
            raise Unplayable("it is shorter than it was when it was sealed")

    async def stored(self, track: StoredTrack, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes [start, stop) of the sound as it is stored. Raises what reading it raises."""
        read = track.sound.read
        while start < stop:
            piece = await self.look(partial(read, start, min(stop, start + PIECE_BYTES)))
            if not piece:
                raise NoRecording("the recording became shorter")
            yield piece
            start += len(piece)

    async def _raw(self, track: RawTrack, first: int, last: int) -> AsyncGenerator[bytes, None]:
        step = PIECE_BYTES // track.frame_bytes
        for frame in range(first, last, step):
            yield await self.look(partial(track.read, frame, min(last, frame + step)))

    async def _decoded(self, track: StoredTrack, first: int, last: int) -> AsyncGenerator[bytes, None]:
        """The samples of those frames, which are sound."""
        wanted = (last - first) * track.frame_bytes
        if not wanted:
            return
        with self._place():
            place = await self._place_before(track, first)
            skip = (first - place.sample // _OPUS_TO_OURS) * track.frame_bytes
            is_usual = track.channels == 2
            process = await (self._spare.taken() if is_usual else started(*_decoder(track.channels)))
            feed = self._from(track, place)
            async with contextlib.aclosing(converted(process, feed, self._idle_limit_s)) as pieces:
                async for piece in pieces:
                    part, skip = piece[skip : skip + wanted], max(0, skip - len(piece))
                    if part:
                        wanted -= len(part)
                        if is_usual:
                            self._spare.prepare()
                        yield part
                    if not wanted:
                        return
        if wanted > MISSING_FRAMES * track.frame_bytes:
            raise Unplayable("it is shorter than it was when it was sealed")
        yield bytes(wanted)

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places for ffmpeg. Raises TooManyPlay."""
        if self.running >= self._at_once:
            raise TooManyPlay(TooManyPlay.__doc__)
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1

    async def _place_before(self, track: StoredTrack, first: int) -> Place:
        try:
            return await self.look(partial(place_before, track.sound, first / SAMPLE_RATE_HZ))
        except NoOgg as error:
            raise Unplayable(str(error)) from error

    async def _from(self, track: StoredTrack, place: Place) -> AsyncGenerator[bytes, None]:
        yield place.head
        async with contextlib.aclosing(self.stored(track, place.start, track.sound.size_bytes)) as pieces:
            async for piece in pieces:
                yield piece
