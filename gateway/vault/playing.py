"""Playing: any part of a recording as samples, or as Ogg/Opus or MP3, piece by piece.

Counterparts: `gateway/api/sounds.py` sends it to whoever listens; `recordings.py` finds raw sound, `sounds.py` stored
one. What must be decoded or encoded is done by ffmpeg, of which only so many run at once, at low priority; however long
a recording is, no more than a few pieces of it are in memory.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from gateway.vault.ogg import SAMPLES_A_SECOND, NoOgg, Place, Readable, place_before
from gateway.vault.recordings import HEADER_BYTES, SAMPLE_BYTES, SAMPLE_RATE_HZ, NoRecording, Recording, wav_header

AT_ONCE = 4
"""So many ffmpeg run at once: two cores carry calls, too."""
IDLE_LIMIT_S = 10.0
"""An ffmpeg that gives nothing for so long is ended."""
PIECE_BYTES = 64 * 1024
COMPLAINT_BYTES = 500
_OPUS_TO_OURS = SAMPLES_A_SECOND // SAMPLE_RATE_HZ


class Form(StrEnum):
    """What a recording is sent as."""

    OGG = "ogg"
    WAV = "wav"
    MP3 = "mp3"


_BIT_RATES = {1: 32_000, 2: 64_000}


def _encoder(form: Form, channels: int) -> tuple[str, ...]:
    """What ffmpeg is told of the form: both channels stay apart."""
    if form is Form.MP3:
        codec: tuple[str, ...] = ("-c:a", "libmp3lame", "-joint_stereo", "0", "-f", "mp3")
    else:
        codec = ("-c:a", "libopus", "-application", "lowdelay", "-apply_phase_inv", "0", "-f", "ogg")
    return ("-b:a", str(_BIT_RATES[channels]), *codec)


class TooManyPlay(Exception):
    """As many recordings are being decoded as may be at once."""


class Unplayable(Exception):
    """The sound cannot be read; the message says why."""


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
            descriptor = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
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
    """Sealed sound: Ogg/Opus, wherever it lies. `sound_frames` are in it; `frames` has the silence after them, too."""

    def __init__(self, sound: Readable, *, channels: int, sound_frames: int, frames: int, sha256: str) -> None:
        self.sound = sound
        self.channels = channels
        self.sound_frames = sound_frames
        self.frames = frames
        self.sha256 = sha256

    @property
    def frame_bytes(self) -> int:
        return SAMPLE_BYTES * self.channels

    def close(self) -> None:
        """Nothing is held open."""


Track = RawTrack | StoredTrack


def wav_bytes(channels: int, frames: int) -> int:
    """The size of so many frames as a WAV file."""
    return HEADER_BYTES + frames * SAMPLE_BYTES * channels


@dataclass(frozen=True, slots=True)
class _Job:
    """What ffmpeg is given: what comes in, and which of its frames are to come out."""

    source: tuple[str, ...]
    feed: AsyncGenerator[bytes, None]
    skip_frames: int


class Player:
    """All recordings that are played. `running` says how many ffmpeg run now."""

    def __init__(self, *, at_once: int = AT_ONCE, idle_limit_s: float = IDLE_LIMIT_S) -> None:
        self._at_once = at_once
        self._idle_limit_s = idle_limit_s
        self.running = 0

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
        samples = self.samples(track, first + from_frame, first + to_frame)
        async with contextlib.aclosing(samples):
            async for piece in samples:
                part, cut = piece[cut : cut + left], max(0, cut - len(piece))
                left -= len(part)
                yield before + part  # the header goes with the first sound: before that it may fail
                before = b""

    async def samples(self, track: Track, first: int, last: int) -> AsyncGenerator[bytes, None]:
        """The samples of the frames [first, last), 16 bit, in pieces of any length. Raises what `wav` does."""
        if isinstance(track, RawTrack):
            step = PIECE_BYTES // track.frame_bytes
            for frame in range(first, last, step):
                yield await asyncio.to_thread(track.read, frame, min(last, frame + step))
            return
        sound_last = min(last, track.sound_frames)
        wanted = max(0, sound_last - first) * track.frame_bytes
        if wanted:
            async with contextlib.aclosing(self._run(track, first, sound_last, ("-f", "s16le"))) as pieces:
                async for piece in pieces:
                    yield piece
                    wanted -= len(piece)
        if wanted:
            raise Unplayable("it is shorter than it was when it was sealed")
        for frame in range(max(first, sound_last), last, PIECE_BYTES):
            yield bytes(min(PIECE_BYTES, last - frame) * track.frame_bytes)

    async def encoded(self, track: Track, first: int, last: int, form: Form) -> AsyncGenerator[bytes, None]:
        """The frames [first, last) as Ogg/Opus or MP3. Raises what `wav` does."""
        async with contextlib.aclosing(self._run(track, first, last, _encoder(form, track.channels))) as pieces:
            async for piece in pieces:
                yield piece

    async def stored(self, track: StoredTrack, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes [start, stop) of the sound as it is stored. Raises what reading it raises."""
        while start < stop:
            piece = await asyncio.to_thread(track.sound.read, start, min(stop, start + PIECE_BYTES))
            if not piece:
                raise NoRecording("the recording became shorter")
            yield piece
            start += len(piece)

    async def _run(self, track: Track, first: int, last: int, output: tuple[str, ...]) -> AsyncGenerator[bytes, None]:
        """What ffmpeg makes of those frames; it is ended with whoever asks."""
        if self.running >= self._at_once:
            raise TooManyPlay(TooManyPlay.__doc__)
        self.running += 1
        try:
            job = await self._job(track, first, last)
            sound_last = max(first, min(last, track.sound_frames))
            # it counts the frames that come in, from the first one that it decodes
            chosen = f"atrim=start_sample={job.skip_frames}:end_sample={job.skip_frames + sound_last - first}"
            if sound_last < last:
                chosen += f",apad=whole_len={last - first}"
            arguments = (
                *("nice", "-n", "10", "ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-threads", "1"),
                *(*job.source, "-i", "pipe:0", "-af", f"aresample={SAMPLE_RATE_HZ},{chosen}"),
                *("-ac", str(track.channels), "-threads", "1", *output, "-flush_packets", "1", "pipe:1"),
            )
            async with contextlib.aclosing(_ffmpeg(arguments, job.feed, self._idle_limit_s)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self.running -= 1

    async def _job(self, track: Track, first: int, last: int) -> _Job:
        if isinstance(track, RawTrack):
            source = ("-f", "s16le", "-ar", str(SAMPLE_RATE_HZ), "-ac", str(track.channels))
            return _Job(source, self.samples(track, first, min(last, track.sound_frames)), 0)
        try:
            place = await asyncio.to_thread(place_before, track.sound, first / SAMPLE_RATE_HZ)
        except NoOgg as error:
            raise Unplayable(str(error)) from error
        return _Job(("-f", "ogg"), self._from(track, place), first - place.sample // _OPUS_TO_OURS)

    async def _from(self, track: StoredTrack, place: Place) -> AsyncGenerator[bytes, None]:
        yield place.head
        async with contextlib.aclosing(self.stored(track, place.start, track.sound.size_bytes)) as pieces:
            async for piece in pieces:
                yield piece


async def _ffmpeg(
    arguments: tuple[str, ...], feed: AsyncGenerator[bytes, None], idle_limit_s: float
) -> AsyncGenerator[bytes, None]:
    """What the program makes of what it is fed. It is killed, and waited for, with whoever asks. Raises Unplayable, and
    what `feed` raises."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        raise Unplayable(f"ffmpeg cannot be started: {error.strerror}") from error
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("the program has no pipes")
    feeding = asyncio.create_task(_feed(process.stdin, feed))
    listening = asyncio.create_task(_complaint(process.stderr))
    try:
        while piece := await _piece(process.stdout, idle_limit_s):
            yield piece
        async with asyncio.timeout(idle_limit_s):
            status = await process.wait()
        if feeding.done():
            feeding.result()
        if status:
            raise Unplayable(f"ffmpeg cannot read it: {await listening or f'it ended with status {status}'}")
    except TimeoutError as error:
        raise Unplayable(f"ffmpeg gave nothing for {idle_limit_s:g} s") from error
    finally:
        feeding.cancel()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.stdin.close()
        await asyncio.wait({feeding, listening})
        await process.communicate()  # what is left in its pipes, so that they close


async def _feed(pipe: asyncio.StreamWriter, feed: AsyncGenerator[bytes, None]) -> None:
    """Gives the program what it reads, as fast as it reads."""
    try:
        async with contextlib.aclosing(feed) as pieces:
            async for piece in pieces:
                pipe.write(piece)
                await pipe.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has what it needs
    finally:
        pipe.close()


async def _piece(pipe: asyncio.StreamReader, limit_s: float) -> bytes:
    async with asyncio.timeout(limit_s):
        return await pipe.read(PIECE_BYTES)


async def _complaint(pipe: asyncio.StreamReader) -> str:
    """The beginning of what the program says of errors; the rest is read and forgotten."""
    said = b""
    while part := await pipe.read(4096):
        said += part[: COMPLAINT_BYTES - len(said)]
    return " ".join(said.decode("utf-8", "replace").split())
