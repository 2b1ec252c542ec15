"""A recording over HTTP: whole, or the range of it that was asked for, read from the disk piece by piece.

Counterparts: `calls.py` and `callbacks.py` say whose it is, `gateway/vault/recordings.py` finds and reads it.
"""

import asyncio
import logging
from typing import Annotated
from urllib.parse import quote

from aiohttp import hdrs, web
from pydantic import Field

from gateway.api.models import Parameters
from gateway.api.problems import Problem
from gateway.api.ranges import Unsatisfiable, byte_range
from gateway.vault.recordings import NoRecording, Recording

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
WRITE_TIMEOUT_S = 30.0


class RangeHeaders(Parameters):
    range: Annotated[str | None, Field(alias="Range", description="One range of bytes, as in RFC 9110, 14.")] = None
    if_range: Annotated[str | None, Field(alias="If-Range", description="Makes Range unheard: nothing matches.")] = None


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
