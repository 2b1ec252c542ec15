"""Calls: the list, one, its events, and its sound.

Counterpart: `gateway/store/reads.py` for what is told, `gateway/vault/recordings.py` for what was said.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Annotated
from urllib.parse import quote

from aiohttp import hdrs, web
from pydantic import Field

from gateway.api.context import Context
from gateway.api.events import page
from gateway.api.models import (
    AfterQuery,
    CallModel,
    CallPage,
    EventPage,
    Moment,
    PageQuery,
    Parameters,
    RecordingModel,
    Word,
)
from gateway.api.problems import Problem
from gateway.api.ranges import Unsatisfiable, byte_range
from gateway.api.routes import route
from gateway.domain.call import Call, Outcome
from gateway.domain.tokens import May
from gateway.ports import Unknown
from gateway.store.reads import CallFilter
from gateway.vault.recordings import NoRecording, Recording, Recordings

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
WRITE_TIMEOUT_S = 30.0


class CallPath(Parameters):
    id: Word


class CallsQuery(PageQuery):
    trunk: Annotated[Word | None, Field(description="Only calls of this carrier's trunk.")] = None
    outcome: Outcome | None = None
    operator: Annotated[Word | None, Field(description="Only calls that this phone answered.")] = None
    caller: Annotated[Word | None, Field(description="Only calls from exactly this number.")] = None
    since: Annotated[Moment | None, Field(description="Only calls that arrived at this time or later.")] = None
    until: Annotated[Moment | None, Field(description="Only calls that arrived before this time.")] = None
    include_probes: Annotated[bool, Field(description="With the centre's own test calls.")] = False


class RangeHeaders(Parameters):
    range: Annotated[str | None, Field(alias="Range", description="One range of bytes, as in RFC 9110, 14.")] = None
    if_range: Annotated[str | None, Field(alias="If-Range", description="Makes Range unheard: nothing matches.")] = None


async def list_calls(context: Context, query: CallsQuery) -> CallPage:
    """The newest first. A call that arrives while you page is not in later pages."""
    found = await context.reads.calls(
        CallFilter(
            trunk=query.trunk,
            outcome=query.outcome,
            operator=query.operator,
            caller=query.caller,
            since=query.since,
            until=query.until,
            include_probes=query.include_probes,
        ),
        query.cursor,
        query.limit,
    )
    return CallPage(items=await _models(context, found.items), next=found.next)


async def get_call(context: Context, path: CallPath) -> CallModel:
    [model] = await _models(context, [await _call(context, path.id)])
    return model


async def list_call_events(context: Context, path: CallPath, query: AfterQuery) -> EventPage:
    """What happened to one call, in order."""
    call = await _call(context, path.id)
    return page(await context.reads.events(query.after, query.limit + 1, call.id), query.limit)


async def get_recording(
    context: Context, path: CallPath, headers: RangeHeaders, request: web.Request
) -> web.StreamResponse:
    """The call's sound as WAV: the caller left, the centre right. Of a running call, as much as there is now."""
    call = await _call(context, path.id)
    if call.recording is None:
        raise NoRecording(NoRecording.__doc__)
    recording = await asyncio.to_thread(context.recordings.find, call.recording, call.line_s)
    return await serve_sound(request, headers, recording, call.id)


async def get_message(
    context: Context, path: CallPath, headers: RangeHeaders, request: web.Request
) -> web.StreamResponse:
    """The message that the caller left, as WAV."""
    call = await _call(context, path.id)
    if call.message is None:
        raise NoRecording("The caller left no message.")
    recording = await asyncio.to_thread(context.recordings.find_message, call.message)
    return await serve_sound(request, headers, recording, f"{call.id}-message")


async def serve_sound(
    request: web.Request, headers: RangeHeaders, recording: Recording, name: str
) -> web.StreamResponse:
    """The sound, or the part of it that was asked for, as a file `name`.wav. Raises Problem (416)."""
    common = {
        hdrs.ACCEPT_RANGES: "bytes",
        hdrs.CONTENT_TYPE: "audio/wav",
        hdrs.CONTENT_DISPOSITION: f"inline; filename*=UTF-8''{quote(name, safe='')}.wav",
    }
    # RFC 9110, 14.2 and 13.1.5: a range is for GET only; If-Range names a validator, and a recording has none
    asked = headers.range if request.method == hdrs.METH_GET and headers.if_range is None else None
    try:
        part = byte_range(asked, recording.size_bytes)
    except Unsatisfiable:
        raise Problem(
            416,
            f"The recording has {recording.size_bytes} bytes.",
            headers={hdrs.CONTENT_RANGE: f"bytes */{recording.size_bytes}"},
        ) from None
    response = web.StreamResponse(status=200 if part is None else 206, headers=common)
    start, stop = part or (0, recording.size_bytes)
    if part:
        response.headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{recording.size_bytes}"
    response.content_length = stop - start
    await response.prepare(request)
    if request.method == hdrs.METH_GET:
        await _send(request, response, recording, start, stop)
    return response


async def _send(
    request: web.Request, response: web.StreamResponse, recording: Recording, start: int, stop: int
) -> None:
    """Writes the bytes [start, stop). Where that cannot be done the connection is cut, so that the client sees it."""
    try:
        while start < stop:
            chunk = await asyncio.to_thread(_chunk, recording, start, min(stop, start + CHUNK_BYTES))
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await response.write(chunk)
            start += len(chunk)
    except ConnectionResetError:
        log.debug("recording_left")
    except (NoRecording, TimeoutError) as error:
        log.warning("recording_cut", extra={"reason": str(error) or "the listener does not read"})
        if request.transport is not None:
            request.transport.abort()


def _chunk(recording: Recording, start: int, stop: int) -> bytes:
    """At least one byte from `start` on. Raises NoRecording where the file has become shorter."""
    chunk = recording.read(start, stop)
    if not chunk:
        raise NoRecording("the recording became shorter")
    return chunk


async def _call(context: Context, call_id: str) -> Call:
    call = await context.reads.call(call_id)
    if call is None:
        raise Unknown(f"there is no call {call_id}")
    return call


async def _models(context: Context, calls: Iterable[Call]) -> list[CallModel]:
    """The calls with the sizes of their recordings: a look at the disk, all in one thread."""
    return await asyncio.to_thread(lambda: [_model(context.recordings, call) for call in calls])


def _model(recordings: Recordings, call: Call) -> CallModel:
    sound, message = call.recording, call.message
    return CallModel.of(
        call,
        None if sound is None else _told(call, "recording", lambda: recordings.find(sound, call.line_s)),
        None if message is None else _told(call, "message", lambda: recordings.find_message(message)),
    )


def _told(call: Call, what: str, find: Callable[[], Recording]) -> RecordingModel | None:
    try:
        found = find()
    except NoRecording:
        return None
    url = f"/v1/calls/{quote(call.id, safe='')}/{what}"
    return RecordingModel(
        url=url,
        duration_s=round(found.duration_s, 3),
        silence_s=round(found.silence_s, 3),
        size_bytes=found.size_bytes,
    )


ROUTES = (
    route("GET", "/v1/calls", list_calls, "Calls, the newest first", may=May.SEE_CALLS),
    route("GET", "/v1/calls/{id}", get_call, "One call", may=May.SEE_CALLS),
    route("GET", "/v1/calls/{id}/events", list_call_events, "What happened to one call", may=May.SEE_CALLS),
    route(
        "GET",
        "/v1/calls/{id}/recording",
        get_recording,
        "A call's sound",
        may=May.HEAR_CALLS,
        statuses=(200, 206),
        problems=(416,),
        media_type="audio/wav",
    ),
    route(
        "GET",
        "/v1/calls/{id}/message",
        get_message,
        "The message that a caller left",
        may=May.HEAR_CALLS,
        statuses=(200, 206),
        problems=(416,),
        media_type="audio/wav",
    ),
)
