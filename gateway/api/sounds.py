"""A sound over HTTP: whole, or the range of it that was asked for, piece by piece, to people who say why they listen.

Counterparts: `recordings.py`, `calls.py` and `callbacks.py` say whose it is; `gateway/vault/playing.py` reads, decodes
and encodes it; `gateway/hearings.py` notes who listens before anything is sent.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import quote

from aiohttp import hdrs, web
from pydantic import Field, StringConstraints

from gateway.api.auth import actor
from gateway.api.context import Context
from gateway.api.models import IN_WORDS, PRINTABLE, Parameters
from gateway.api.problems import Problem, translate, unprocessable
from gateway.api.ranges import Unsatisfiable, byte_range
from gateway.domain.recordings import Recording
from gateway.domain.tokens import Token
from gateway.hearings import Hearing
from gateway.vault.playing import Form, Player, StoredTrack, Track, wav_bytes

log = logging.getLogger(__name__)

WRITE_TIMEOUT_S = 30.0
MEDIA = {Form.OGG: "audio/ogg", Form.WAV: "audio/wav", Form.MP3: "audio/mpeg"}
STATUSES = (200, 206)
PROBLEMS = (409, 410, 416)
PROVED_FIRST_BYTES = 4 * 1024 * 1024
"""Sound up to this size, of some 8 minutes, is held against its seal before it is heard; what is larger, and was not
read before, while it is sent."""
PROVED_FIRST_WITHIN_S, REMEMBERED_WITHIN_S = 2.0, 1.0
"""So long is waited before its first sound; of what is larger for the name of its file alone, which a bucket has to
tell. Whoever hears what was changed, too, waits for large sound as for small."""
PROVED_AT_LAST_S = 120.0
"""So long the last of it waits while nothing is read for its proof, as in a bucket that hangs."""
NOT_AS_SEALED = "Not-As-Sealed"
"""The header of sound that does not pass for what was sealed. It says why: CHANGED or NOT_PROVED."""
CHANGED, NOT_PROVED = "it was changed since it was sealed", "it was not held against its seal"

Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=5, max_length=200, pattern=PRINTABLE), IN_WORDS
]


class ReasonQuery(Parameters):
    reason: Annotated[
        Reason | None,
        Field(description="Why you listen, in 5 to 200 characters: it stands in the audit log. Here or in the header."),
    ] = None

    changed: Annotated[
        bool, Field(description="True: hear it even where it was changed since it was sealed. Else that is a problem.")
    ] = False


class ReasonHeaders(Parameters):
    reason: Annotated[Reason | None, Field(alias="Reason", description="The same as `reason` of the query.")] = None


class SoundHeaders(ReasonHeaders):
    range: Annotated[str | None, Field(alias="Range", description="One range of bytes, as in RFC 9110, 14.")] = None
    if_range: Annotated[
        str | None, Field(alias="If-Range", description="The ETag that Range is about; another makes it unheard.")
    ] = None


@dataclass(frozen=True, slots=True)
class Sending:
    """What is sent: `pieces` of the bytes from one to another, or of all where nobody knows how many there will be
    (`size_bytes` None). What has no ranges is another sound at the next question. `sealed` is what it is made
    of, to be held against its seal; None where it is not sealed."""

    form: Form
    size_bytes: int | None
    etag: str | None
    pieces: Callable[[int, int], AsyncGenerator[bytes, None]]
    sealed: StoredTrack | None
    has_ranges: bool = True


@dataclass(frozen=True, slots=True)
class Listener:
    """Whoever asks, and why; and whether what was changed is to be heard, too."""

    request: web.Request
    headers: SoundHeaders
    token: Token
    reason: str
    hears_changed: bool


def listener(request: web.Request, query: ReasonQuery, headers: SoundHeaders, token: Token) -> Listener:
    """Whoever asks. Raises Problem without a reason."""
    reason = query.reason or headers.reason
    if reason is None:
        raise unprocessable("?reason", "is required, or the header Reason: why you listen, in 5 to 200 characters")
    return Listener(request, headers, token, reason, query.changed)


def sending(context: Context, track: Track, form: Form, part: tuple[int, int] | None = None) -> Sending:
    """The track in that form; of it the frames from one to another, if a part is meant."""
    first, last = part or (0, track.frames)
    sha256 = track.sha256 if isinstance(track, StoredTrack) and part is None else None
    player = context.player
    sealed = track if isinstance(track, StoredTrack) else None
    if form is Form.WAV:
        etag = sha256 and f'"{sha256}-wav"'
        return Sending(
            form,
            wav_bytes(track.channels, last - first),
            etag,
            lambda start, stop: player.wav(track, first, last, start, stop),
            sealed,
        )
    if form is Form.OGG and isinstance(track, StoredTrack) and part is None:
        return Sending(
            form,
            track.sound.size_bytes,
            f'"{sha256}"',
            lambda start, stop: player.stored(track, start, stop),
            sealed,
        )
    return Sending(form, None, None, lambda _start, _stop: player.encoded(track, first, last, form), sealed)


async def serve_sound(
    context: Context, listener: Listener, recording: Recording, sent: Sending, *, about: Hearing | None = None
) -> web.StreamResponse:
    """Notes who listens, and sends the sound or the part of it that was asked for. Raises Problem (416; 409 where it
    was changed since it was sealed, and is not to be heard all the same), and what noting and reading raise before the
    first sound."""
    request, headers = listener.request, listener.headers
    start, stop, response = _response(request, headers, sent, recording.id)
    if request.method != hdrs.METH_GET:
        await response.prepare(request)
        return response
    hearing = about or Hearing(recording.id, recording.call_id, listener.reason, sent.form)
    if sent.size_bytes is not None and stop - start < sent.size_bytes:
        hearing = replace(hearing, range=f"bytes={start}-{stop - 1}")
    proof = Proof(context.player, sent.sealed, recording, is_needed=not listener.hears_changed)
    if (doubt := await proof.doubt()) is not None:
        hearing = replace(hearing, not_as_sealed=doubt == CHANGED, not_proved=doubt == NOT_PROVED)
        response.headers[NOT_AS_SEALED] = doubt
        response.headers.popall(hdrs.ETAG, None)  # which is that of what was sealed
    await context.hearings.note(hearing, listener.token.id, actor(listener.token, request))
    async with contextlib.aclosing(sent.pieces(start, stop)) as pieces:
        piece = await anext(pieces, b"")  # what cannot be read is a problem document yet
        await response.prepare(request)
        left = None if sent.size_bytes is None else stop - start
        try:
            while piece:
                left = None if left is None else left - len(piece)
                if left == 0:
                    if not proof.is_known and len(piece) > 1:  # without its last byte it is not whole
                        await _write(response, piece[:-1])
                        piece = piece[-1:]
                    await proof.hold()
                await _write(response, piece)
                piece = await _next(pieces)
            if left is None:
                await proof.hold()  # before its end is told
        except ConnectionResetError:
            log.debug("recording_left")
        except (Cut, TimeoutError) as error:
            log.warning("recording_cut", extra={"reason": str(error) or "the listener does not read"})
            if request.transport is not None:
                request.transport.abort()
    return response


class Cut(Exception):
    """The sound cannot be read on. Its connection is cut, so that the client sees it."""


class Proof:
    """Whether what is sent is the sound that was sealed; of what is not sealed `sealed` is None. `is_needed` is False
    for whom it is to be heard anyway."""

    def __init__(self, player: Player, sealed: StoredTrack | None, recording: Recording, *, is_needed: bool) -> None:
        self._player = player
        self._sealed = sealed
        self._recording = recording
        self._is_needed = is_needed
        self.is_known = sealed is None or not is_needed

    async def doubt(self) -> str | None:
        """What whoever hears it is to be told first: CHANGED, or NOT_PROVED where that is not needed; nothing of sound
        that is as it was sealed, and of that which is proved by its end. Raises Problem where it is needed and was
        changed, and what reading it raises."""
        if self._sealed is None:
            return None
        is_as_sealed = await self._by_now(self._sealed)
        if is_as_sealed is None:
            return None if self._is_needed else NOT_PROVED
        self.is_known = True
        if is_as_sealed:
            return None
        self._tell()
        if self._is_needed:
            raise Problem(
                409,
                f"The sound of {self._recording.id} was changed since it was sealed: it is not what was recorded. "
                f"`gateway112 vault verify` tells more. With changed=true it is heard as it is.",
            )
        return CHANGED

    async def _by_now(self, sealed: StoredTrack) -> bool | None:
        try:
            if sealed.sound.size_bytes > PROVED_FIRST_BYTES and self._is_needed:
                async with asyncio.timeout(REMEMBERED_WITHIN_S):
                    return await self._player.is_known_as_sealed(sealed)
            async with asyncio.timeout(PROVED_FIRST_WITHIN_S):
                return await self._player.is_as_sealed(sealed)
        except TimeoutError:
            return None
        except Exception as error:
            if self._is_needed or translate(error) is None:
                raise
            return None  # what cannot be read is told by whoever reads it

    async def hold(self) -> None:
        """Comes back when it is known that it is as it was sealed, by now. Raises Cut."""
        if self._sealed is None or not self._is_needed:
            return
        try:
            is_as_sealed = await self._player.is_as_sealed(self._sealed, PROVED_AT_LAST_S)
        except TimeoutError:
            raise Cut("it could not be held against its seal in time") from None
        except Exception as error:
            if translate(error) is None:
                raise
            raise Cut(str(error)) from error
        if not is_as_sealed:
            self._tell()
            raise Cut(CHANGED)

    def _tell(self) -> None:
        told = {"call": self._recording.call_id, "recording": self._recording.id}
        log.warning("sound_not_as_sealed", extra=told)


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await response.write(piece)


async def _next(pieces: AsyncGenerator[bytes, None]) -> bytes:
    """The next piece; nothing at the end. Raises Cut."""
    try:
        return await anext(pieces, b"")
    except Exception as error:
        if translate(error) is None:  # nobody expected that one
            raise
        raise Cut(str(error)) from error


def _response(
    request: web.Request, headers: SoundHeaders, sent: Sending, name: str
) -> tuple[int, int, web.StreamResponse]:
    """The answer, and the bytes of it that are to be sent. Raises Problem (416)."""
    common = {
        hdrs.ACCEPT_RANGES: "bytes" if sent.has_ranges and sent.size_bytes is not None else "none",
        hdrs.CONTENT_TYPE: MEDIA[sent.form],
        hdrs.CONTENT_DISPOSITION: f"inline; filename*=UTF-8''{quote(name, safe='')}.{sent.form}",
        **({hdrs.ETAG: sent.etag} if sent.etag else {}),
    }
    if sent.size_bytes is None:
        return 0, 0, web.StreamResponse(headers=common)
    # RFC 9110, 14.2 and 13.1.5: a range is for GET only, and If-Range must name what is there
    is_meant = sent.has_ranges and request.method == hdrs.METH_GET and headers.if_range in (None, sent.etag)
    try:
        part = byte_range(headers.range if is_meant else None, sent.size_bytes)
    except Unsatisfiable:
        raise Problem(
            416,
            f"The recording has {sent.size_bytes} bytes.",
            headers={hdrs.CONTENT_RANGE: f"bytes */{sent.size_bytes}"},
        ) from None
    start, stop = part or (0, sent.size_bytes)
    response = web.StreamResponse(status=200 if part is None else 206, headers=common)
    if part:
        response.headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{sent.size_bytes}"
    response.content_length = stop - start
    return start, stop, response
