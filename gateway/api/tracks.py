"""Tracks: which sound a recording is, wherever it lies now, opened for whoever listens.

Counterparts: `recordings.py`, `calls.py` and `callbacks.py` say which one; `gateway/vault/` has it: raw while the call
runs and until it is sealed, then Ogg/Opus on its shelf.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from gateway.api.context import Context
from gateway.api.problems import Problem
from gateway.domain.call import Call
from gateway.domain.callbacks import Dial, number_of
from gateway.domain.recordings import SAMPLE_RATE_HZ, Kind, Recording, State, message_ids, recording_id
from gateway.store.callback_reads import CallbackFilter
from gateway.vault import recordings as raw
from gateway.vault.playing import RawTrack, StoredTrack, Track
from gateway.vault.recordings import NoRecording

AUDIBLE = frozenset({State.RUNNING, State.OVER, State.SEALED})
"""The states in which there may be something to hear."""
CALLBACKS_AT_MOST = 10
"""A number has one open at a time: of those that were opened by a call's end the newest is the one."""


@asynccontextmanager
async def opened(context: Context, recording: Recording) -> AsyncIterator[Track]:
    """The recording's sound as it is now. Raises NoRecording; Problem (410) where it was destroyed; StoreAway, and what
    opening stored sound raises."""
    try:
        track = await _open(context, recording)
    except NoRecording:
        # it may have been sealed since it was looked up, and its raw sound discarded
        known = await context.store.recording(recording.id)
        if known is None or known.state is recording.state:
            raise
        track = await _open(context, known)
    try:
        yield track
    finally:
        track.close()


async def of_call(context: Context, call: Call) -> Recording:
    """The recording of the call itself. Raises NoRecording, StoreAway."""
    if call.recording is None:
        raise NoRecording(NoRecording.__doc__)
    known = await context.store.recording(recording_id(call.recording))
    return known or unknown_of_call(call, call.recording)


async def of_message(context: Context, call: Call) -> Recording:
    """The message that the caller left, of several the longest: with it he said where he is, and with another only that
    somebody should hurry. Raises NoRecording, StoreAway."""
    if call.message is None:
        raise NoRecording("The caller left no message.")
    known = await context.store.recordings(message_ids(call.message))
    return longest_message(known, call.message) or unknown_message(call, call.message)


def longest_message(known: Mapping[str, Recording], file: str) -> Recording | None:
    """Of those that are known, the longest that can be heard; `file` is the last one's. None where none is."""
    left = [recording for each in message_ids(file) if (recording := known.get(each)) is not None]
    return max(left, key=lambda each: (each.state in AUDIBLE, each.sound_s or 0.0), default=None)


async def of_dial(context: Context, dial: Dial) -> Recording:
    """The recording of a call back. Raises NoRecording, StoreAway."""
    if dial.recording is None:
        raise NoRecording(NoRecording.__doc__)
    known = await context.store.recording(recording_id(dial.recording))
    if known is not None:
        return known if known.expected_s is not None else replace(known, expected_s=dial.talk_s)
    return Recording(
        id=recording_id(dial.recording),
        kind=Kind.CALLBACK,
        file=dial.recording,
        started_at=dial.at,
        dial_id=dial.id,
        expected_s=dial.talk_s,
    )


async def callbacks_of(context: Context, call: Call) -> list[int]:
    """The callbacks by which whoever was not heard in this call was called back. Raises StoreAway."""
    number = number_of(call.caller)
    if number is None or call.ended_at is None:
        return []
    opened = CallbackFilter(number=number, opened_until=call.ended_at + timedelta(microseconds=1))
    tasks, _ = await context.reads.callbacks.page(opened, after=None, limit=CALLBACKS_AT_MOST)
    return [task.id for task in tasks if task.has_tried(call.id, call.ended_at)]


def unknown_of_call(call: Call, file: str) -> Recording:
    """What a call's recording is where no record of it is kept yet, or any more."""
    return Recording(
        id=recording_id(file),
        kind=Kind.CALL,
        file=file,
        started_at=call.arrived_at,
        call_id=call.id,
        expected_s=call.line_s,
    )


def unknown_message(call: Call, file: str) -> Recording:
    """The same of a message."""
    return Recording(id=recording_id(file), kind=Kind.MESSAGE, file=file, started_at=call.arrived_at, call_id=call.id)


def found(recordings: raw.Recordings, recording: Recording) -> raw.Recording:
    """Its raw sound, with the silence that makes it as long as what it is of. Blocking: disk. Raises NoRecording."""
    if recording.kind is Kind.MESSAGE:
        return recordings.find_message(recording.file)
    return recordings.find(recording.file, recording.expected_s)


def frames_of(recording: Recording) -> tuple[int, int]:
    """Of sealed sound: how many frames there are, and how many with the silence after them."""
    sound = round((recording.sound_s or 0.0) * SAMPLE_RATE_HZ)
    expected_s = 0.0 if recording.kind is Kind.MESSAGE else recording.expected_s or 0.0
    return sound, max(sound, round(expected_s * SAMPLE_RATE_HZ))


async def _open(context: Context, recording: Recording) -> Track:
    if recording.destroyed_at is not None:
        at = f"{recording.destroyed_at:%Y-%m-%dT%H:%MZ}"
        if recording.state is not State.DESTROYED:
            raise Problem(410, f"This recording is being destroyed since {at}, and nobody knows yet what came of it.")
        certificate = f": certificate {recording.certificate}" if recording.certificate else ""
        raise Problem(410, f"This recording was destroyed at {at}{certificate}.")
    if recording.state not in AUDIBLE:
        raise NoRecording(recording.problem or NoRecording.__doc__)
    if recording.state is State.SEALED and recording.seal is not None:
        seal = recording.seal
        sound = await context.player.look(lambda: context.sounds.open(recording))
        sound_frames, frames = frames_of(recording)
        return StoredTrack(
            sound,
            channels=recording.channels,
            sound_frames=sound_frames,
            frames=frames,
            sha256=seal.sound_sha256,
            version=sound.version,
            is_near=sound.is_near,
        )
    return await context.player.look(lambda: RawTrack.opened(found(context.recordings, recording)))
