"""Recordings: the list, one, its sound, a part of it, its waveform, and the last minute of a call that still runs.

Counterparts: `gateway/store/recording_reads.py` for what is known of them, `tracks.py` for where the sound is now,
`sounds.py` for how it is sent.
"""

import asyncio
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import quote

from aiohttp import web
from pydantic import ConfigDict, Field

from gateway.api.auth import forbidden
from gateway.api.calls import CallPath, call_of, is_on
from gateway.api.context import Context
from gateway.api.known import refuse_unknown
from gateway.api.models import KnownQueue, KnownTrunk, Moment, PageQuery, Parameters, Told, Word
from gateway.api.problems import Problem, unprocessable
from gateway.api.reports import wanted_media
from gateway.api.routes import JSON, route
from gateway.api.sounds import (
    PROBLEMS,
    STATUSES,
    ReasonQuery,
    SoundHeaders,
    listener,
    sending,
    serve_sound,
)
from gateway.api.tracks import AUDIBLE, frames_of, of_call, opened
from gateway.api.waveforms import WaveformModel, picture, waveform_of
from gateway.domain.dispositions import Disposition
from gateway.domain.recordings import SAMPLE_RATE_HZ, Kind, Recording, Seal, State
from gateway.domain.tokens import May, Token
from gateway.hearings import Hearing
from gateway.ports import Unknown
from gateway.store.recording_reads import Listed, RecordingFilter
from gateway.vault.playing import Form, RawTrack, StoredTrack, Track

PNG = "image/png"
RECALL_S, LONGEST_RECALL_S = 60, 600


class PictureFormat(StrEnum):
    JSON = "json"
    PNG = "png"


class RecordingPath(Parameters):
    id: Word


class RecordingsQuery(PageQuery):
    model_config = ConfigDict(populate_by_name=True)

    kind: Kind | None = None
    state: State | None = None
    call: Annotated[Word | None, Field(description="Only those of the call with this id.")] = None
    queue: Annotated[KnownQueue | None, Field(description="Only of calls that waited in this queue.")] = None
    trunk: Annotated[KnownTrunk | None, Field(description="Only of calls of this carrier's trunk.")] = None
    operator: Annotated[Word | None, Field(description="Only of calls that this phone answered.")] = None
    disposition: Annotated[Disposition | None, Field(description="Only of calls of which this was said.")] = None
    has_problem: Annotated[bool | None, Field(description="True: only those with which something is wrong.")] = None
    since: Annotated[Moment | None, Field(alias="from", description="Only those that began at this time or later.")] = (
        None
    )
    until: Annotated[Moment | None, Field(alias="to", description="Only those that began before this time.")] = None


class AudioQuery(ReasonQuery):
    format: Annotated[
        Form | None,
        Field(description="Else Ogg/Opus of what is sealed, and WAV of what is not yet."),
    ] = None


class SliceQuery(ReasonQuery):
    model_config = ConfigDict(populate_by_name=True)

    from_s: Annotated[float, Field(alias="from", ge=0, le=1e6, description="Seconds from the recording's start.")]
    to_s: Annotated[float, Field(alias="to", ge=0, le=1e6, description="Up to this second, or its end.")]
    format: Form = Form.WAV


class RecallQuery(ReasonQuery):
    seconds: Annotated[int, Field(ge=1, le=LONGEST_RECALL_S, description="How far back.")] = RECALL_S


class WaveformQuery(Parameters):
    format: Annotated[PictureFormat | None, Field(description="Else what Accept asks for: JSON, or image/png.")] = None


class SealModel(Told):
    """What proves that the sound is what it was when it was sealed. The hashes are SHA-256."""

    sealed_at: datetime
    stored: Annotated[str, Field(description="Its file in the vault.")]
    stored_bytes: int
    sound_sha256: Annotated[str, Field(description="Of the Ogg file, before any encryption at rest.")]
    raw_sha256: str
    manifest_sha256: str
    entry: Annotated[int, Field(description="Its number in its day's chain.")]
    key: Annotated[str | None, Field(description="Which key it is encrypted with; null where it is not.")]

    @classmethod
    def of(cls, seal: Seal) -> Self:
        return cls(**{name: getattr(seal, name) for name in cls.model_fields})


class OneRecordingModel(Told):
    """One file of sound. Of a call (or the message that its caller left) also who called, and what became of it."""

    id: str
    kind: Kind
    state: State
    call_id: str | None
    dial_id: Annotated[str | None, Field(description="Of a call back: which of its dials.")]
    started_at: datetime
    ended_at: Annotated[datetime | None, Field(description="Null while it runs.")]
    channels: Annotated[int, Field(description="2: the caller left, the centre right. 1: what the caller left.")]
    expected_s: Annotated[float | None, Field(description="How long it should be; null where nobody knows.")]
    sound_s: Annotated[
        float | None, Field(description="How much sound was recorded; null until it was measured. See duration_s.")
    ]
    left_dbfs: Annotated[
        float | None, Field(description="The caller's level below full scale; null: digital silence, or not measured.")
    ]
    right_dbfs: float | None
    duration_s: Annotated[
        float | None,
        Field(
            description="How long it plays as WAV or MP3: sound_s, and after it silence up to its call's end, of which "
            "nothing was recorded. The stored Ogg file and the waveform are as long as sound_s."
        ),
    ]
    problem: Annotated[
        str | None,
        Field(description="What is wrong with it now, in words; null where nothing is. It may still change."),
    ]
    faults: Annotated[
        list[str],
        Field(description="What its sound lacks, as it was found at its end: that stays, and is in its manifest."),
    ]
    seal: Annotated[SealModel | None, Field(description="Null until it is sealed.")]
    destroyed_at: datetime | None
    certificate: Annotated[str | None, Field(description="Which certificate tells of its destruction.")]
    audio: Annotated[str | None, Field(description="Where it is heard; null where there is nothing to hear.")]
    caller: str | None
    trunk: str | None
    queue: str | None
    operator: Annotated[str | None, Field(description="The phone of the operator who spoke with the caller first.")]
    operator_name: str | None
    disposition: Disposition | None

    @classmethod
    def of(cls, listed: Listed) -> Self:
        recording = listed.recording
        own = {name: getattr(recording, name) for name in _OWN} | {"faults": list(recording.faults)}
        return cls(
            **own,
            duration_s=None if recording.sound_s is None else frames_of(recording)[1] / SAMPLE_RATE_HZ,
            seal=None if recording.seal is None else SealModel.of(recording.seal),
            audio=f"/v1/recordings/{quote(recording.id, safe='')}/audio" if recording.state in AUDIBLE else None,
            caller=listed.caller,
            trunk=listed.trunk,
            queue=listed.queue,
            operator=listed.operator,
            operator_name=listed.operator_name,
            disposition=listed.disposition,
        )


_OWN = frozenset(OneRecordingModel.model_fields) & {*Recording.__dataclass_fields__, "channels"} - {"seal"}


class RecordingPage(Told):
    items: list[OneRecordingModel]
    next: Annotated[str | None, Field(description="The cursor of the next page; null on the last one.")]


async def list_recordings(context: Context, query: RecordingsQuery) -> RecordingPage:
    """The newest first. One that begins while you page is not in later pages. For one page at most 5,000 recordings are
    looked at: of filters that hardly any recording passes a page may hold fewer than `limit`, or none, and have a
    `next` all the same, where the search goes on."""
    await refuse_unknown(context, trunk=query.trunk, queue=query.queue)
    filter = RecordingFilter(
        kind=query.kind,
        state=query.state,
        call_id=query.call,
        trunk=query.trunk,
        queue=query.queue,
        operator=query.operator,
        disposition=query.disposition,
        has_problem=query.has_problem,
        since=query.since,
        until=query.until,
    )
    found, following = await context.reads.recordings.page(filter, query.cursor, query.limit)
    return RecordingPage(items=[OneRecordingModel.of(each) for each in found], next=following)


async def get_recording_record(context: Context, path: RecordingPath) -> OneRecordingModel:
    return OneRecordingModel.of(await _listed(context, path.id))


async def get_audio(
    context: Context,
    path: RecordingPath,
    query: AudioQuery,
    headers: SoundHeaders,
    request: web.Request,
    token: Token,
) -> web.StreamResponse:
    """The sound. WAV can be read from any byte on, and so can the Ogg file of what is sealed, as it is stored; MP3, and
    Ogg of what is not sealed yet, are made while they are sent, and have no ranges. Each listening needs a reason,
    which stands in the audit log; what one token asks of one recording for one reason within 10 minutes is one,
    or two: one range, and all of it."""
    who = listener(request, query, headers, token)
    recording = (await _listed(context, path.id)).recording
    async with opened(context, recording) as track:
        form = query.format or (Form.OGG if isinstance(track, StoredTrack) else Form.WAV)
        return await serve_sound(context, who, recording, sending(context, track, form))


async def get_slice(
    context: Context,
    path: RecordingPath,
    query: SliceQuery,
    headers: SoundHeaders,
    request: web.Request,
    token: Token,
) -> web.StreamResponse:
    """The sound from one second to another, as a file of its own. It needs a reason, as all of it does."""
    who = listener(request, query, headers, token)
    if query.to_s <= query.from_s:
        raise unprocessable("?to", "must be later than from")
    recording = (await _listed(context, path.id)).recording
    async with opened(context, recording) as track:
        first, last = (min(track.frames, round(each * SAMPLE_RATE_HZ)) for each in (query.from_s, query.to_s))
        if first >= track.frames:
            raise unprocessable("?from", f"is past its end: it lasts {track.frames / SAMPLE_RATE_HZ:.3f} s")
        about = _hearing(recording, who.reason, query.format, first, last)
        sent = sending(context, track, query.format, (first, last))
        return await serve_sound(context, who, recording, sent, about=about)


async def recall(
    context: Context,
    path: CallPath,
    query: RecallQuery,
    headers: SoundHeaders,
    request: web.Request,
    token: Token,
) -> web.StreamResponse:
    """The last seconds of a call that still runs, as WAV, at once; the newest second may not be in it yet. Operators
    recall the call that they are on, everybody else needs to be allowed to hear recordings. It needs a reason, as all
    listening does."""
    who = listener(request, query, headers, token)
    call = await call_of(context, path.id)
    if not token.may(May.HEAR_CALLS) and not (token.may(May.ACT_FOR_SELF) and await is_on(context, token, call)):
        raise forbidden(token, "hear a call that somebody else is on")
    if call.ended_at is not None:
        raise Problem(409, f"The call is over: /v1/recordings?call={quote(call.id, safe='')} tells its recordings.")
    recording = await of_call(context, call)
    async with opened(context, recording) as track:
        first = max(0, track.frames - query.seconds * SAMPLE_RATE_HZ)
        about = _hearing(recording, who.reason, "recall", first, track.frames)
        sent = replace(sending(context, track, Form.WAV, (first, track.frames)), has_ranges=False)
        return await serve_sound(context, who, recording, sent, about=about)


async def get_waveform(
    context: Context, path: RecordingPath, query: WaveformQuery, request: web.Request
) -> WaveformModel | web.StreamResponse:
    """The largest sample of each tenth of a second, by channel; or a picture of it, the caller above, the centre below.
    Looking is no listening: it needs no reason."""
    said = None if query.format is None else PNG if query.format is PictureFormat.PNG else JSON
    media = wanted_media(request, said, (JSON, PNG))
    recording = (await _listed(context, path.id)).recording
    async with opened(context, recording) as track:
        waveform = await context.player.look(lambda: _waveform(context, recording, track))
    if media == JSON:
        return waveform
    return web.Response(body=await asyncio.to_thread(picture, waveform), content_type=PNG)


def _waveform(context: Context, recording: Recording, track: Track) -> WaveformModel:
    """Blocking: disk. Raises NoRecording."""
    if isinstance(track, RawTrack):
        return WaveformModel.read(recording.id, waveform_of(recording.id, track))
    return WaveformModel.read(recording.id, context.sounds.waveform(recording))


def _hearing(recording: Recording, reason: str, form: str, first: int, last: int) -> Hearing:
    return Hearing(
        recording.id,
        recording.call_id,
        reason,
        form,
        from_s=round(first / SAMPLE_RATE_HZ, 3),
        to_s=round(last / SAMPLE_RATE_HZ, 3),
    )


async def _listed(context: Context, recording_id: str) -> Listed:
    found = await context.reads.recordings.one(recording_id)
    if found is None:
        raise Unknown(f"there is no recording {recording_id}")
    return found


ROUTES = (
    route("GET", "/v1/recordings", list_recordings, "Recordings, the newest first", may=May.SEE_CALLS),
    route("GET", "/v1/recordings/{id}", get_recording_record, "One recording", may=May.SEE_CALLS),
    route(
        "GET",
        "/v1/recordings/{id}/audio",
        get_audio,
        "A recording's sound",
        may=May.HEAR_CALLS,
        statuses=STATUSES,
        problems=PROBLEMS,
        media_type="audio/ogg",
        also=("audio/wav", "audio/mpeg"),
    ),
    route(
        "GET",
        "/v1/recordings/{id}/slice",
        get_slice,
        "A part of a recording's sound",
        may=May.HEAR_CALLS,
        statuses=STATUSES,
        problems=PROBLEMS,
        media_type="audio/wav",
        also=("audio/ogg", "audio/mpeg"),
    ),
    route(
        "GET",
        "/v1/recordings/{id}/waveform",
        get_waveform,
        "A recording's waveform",
        may=May.HEAR_CALLS,
        problems=(410,),
        also=(PNG,),
    ),
    route(
        "GET",
        "/v1/calls/{id}/recall",
        recall,
        "The last minute of a call that still runs",
        may=May.SEE_CALLS,
        problems=(409, 410),
        media_type="audio/wav",
    ),
)
