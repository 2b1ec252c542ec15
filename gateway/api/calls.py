"""Calls: the list, one, its events, and its sound.

Counterparts: `gateway/store/reads.py` for what is told, `tracks.py` and `sounds.py` for what was said.
"""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

from aiohttp import web
from pydantic import Field

from gateway.api.auth import forbidden
from gateway.api.context import Context
from gateway.api.events import page
from gateway.api.known import refuse_unknown
from gateway.api.models import (
    AfterQuery,
    CallModel,
    CallPage,
    EventPage,
    KnownTrunk,
    Moment,
    PageQuery,
    Parameters,
    RecordingModel,
    Word,
)
from gateway.api.routes import route
from gateway.api.sounds import (
    PROBLEMS,
    STATUSES,
    ReasonQuery,
    SoundHeaders,
    listener,
    sending,
    serve_sound,
)
from gateway.api.tracks import (
    AUDIBLE,
    found,
    frames_of,
    longest_message,
    of_call,
    of_message,
    opened,
    unknown_message,
    unknown_of_call,
)
from gateway.domain import callbacks, disposing
from gateway.domain.call import Call, Outcome
from gateway.domain.dispositions import Disposition
from gateway.domain.numbers import spellings
from gateway.domain.recordings import SAMPLE_RATE_HZ, Kind, Recording, State, recording_id
from gateway.domain.tokens import May, Token
from gateway.ports import Unknown
from gateway.store.call_list import CallFilter, Unsaid
from gateway.store.call_statements import Beside
from gateway.vault.playing import Form, wav_bytes
from gateway.vault.recordings import NoRecording
from gateway.vault.shelf import ShelfAway

log = logging.getLogger(__name__)

DISK_LIMIT_S = 2.0
"""How long a list of calls waits for the disk that its recordings are on."""


class CallPath(Parameters):
    id: Word


class DispositionFilter(StrEnum):
    """A disposition, or that there is none."""

    EMERGENCY = "emergency"
    INFORMATION = "information"
    PRANK = "prank"
    GHOST = "ghost"
    TEST = "test"
    WRONG_REGION = "wrong_region"
    TRANSFERRED = "transferred"
    NONE = "none"

    @property
    def meant(self) -> Disposition | Unsaid:
        return Unsaid.NONE if self is DispositionFilter.NONE else Disposition(self.value)


class CallsQuery(PageQuery):
    trunk: Annotated[KnownTrunk | None, Field(description="Only calls of this carrier's trunk.")] = None
    outcome: Outcome | None = None
    operator: Annotated[Word | None, Field(description="Only calls that this phone answered.")] = None
    caller: Annotated[Word | None, Field(description="Only calls from exactly this number.")] = None
    disposition: Annotated[
        DispositionFilter | None,
        Field(
            description="Only calls of which this was said; `none`: those that an operator answered, and nobody said."
        ),
    ] = None
    since: Annotated[Moment | None, Field(description="Only calls that arrived at this time or later.")] = None
    until: Annotated[Moment | None, Field(description="Only calls that arrived before this time.")] = None
    include_probes: Annotated[bool, Field(description="With the centre's own test calls.")] = False


async def list_calls(context: Context, query: CallsQuery) -> CallPage:
    """The newest first. A call that arrives while you page is not in later pages. For one page at most 1,000 calls are
    looked at: of filters that hardly any call passes a page may hold fewer than `limit`, or none, and have a `next` all
    the same, where the search goes on."""
    await refuse_unknown(context, trunk=query.trunk)
    found = await context.reads.calls(
        CallFilter(
            trunk=query.trunk,
            outcome=query.outcome,
            operator=query.operator,
            caller=query.caller,
            disposition=None if query.disposition is None else query.disposition.meant,
            since=query.since,
            until=query.until,
            include_probes=query.include_probes,
        ),
        query.cursor,
        query.limit,
    )
    return CallPage(items=await _models(context, found.items, found.beside), next=found.next)


async def get_call(context: Context, path: CallPath) -> CallModel:
    found = await context.reads.call_and_beside(path.id)
    if found is None:
        raise _unknown(path.id)
    call, beside = found
    [model] = await _models(context, [call], beside)
    return model


async def list_call_events(context: Context, path: CallPath, query: AfterQuery) -> EventPage:
    """What happened to one call, in order."""
    call = await call_of(context, path.id)
    return page(await context.reads.events(query.after, query.limit + 1, call.id), query.limit)


async def get_recording(
    context: Context,
    path: CallPath,
    query: ReasonQuery,
    headers: SoundHeaders,
    request: web.Request,
    token: Token,
) -> web.StreamResponse:
    """The call's sound as WAV: the caller left, the centre right. Of a running call, as much as there is now. Listening
    needs a reason, which stands in the audit log."""
    who = listener(request, query, headers, token)
    recording = await of_call(context, await call_of(context, path.id))
    async with opened(context, recording) as track:
        return await serve_sound(context, who, recording, sending(context, track, Form.WAV))


async def get_message(
    context: Context,
    path: CallPath,
    query: ReasonQuery,
    headers: SoundHeaders,
    request: web.Request,
    token: Token,
) -> web.StreamResponse:
    """The message that the caller left, as WAV. Listening needs a reason, which stands in the audit log. An operator
    who has claimed the caller's callback hears what he is to call about."""
    who = listener(request, query, headers, token)
    call = await call_of(context, path.id)
    if not token.may(May.HEAR_CALLS) and not await _calls_back(context, token, call):
        raise forbidden(token, "hear the message of a caller whose callback is not in his hands")
    recording = await of_message(context, call)
    async with opened(context, recording) as track:
        return await serve_sound(context, who, recording, sending(context, track, Form.WAV))


async def call_of(context: Context, call_id: str) -> Call:
    """The call of that id. Raises Unknown, StoreAway."""
    call = await context.reads.call(call_id)
    if call is None:
        raise _unknown(call_id)
    return call


def _unknown(call_id: str) -> Unknown:
    return Unknown(f"there is no call {call_id}")


async def has_taken(context: Context, token: Token, call: Call) -> bool:
    """Whether the bearer is an operator who answered the call, first or after another one."""
    if token.operator_id is None:
        return False
    if call.operator_id == token.operator_id:
        return True
    operator = (await context.bookkeeper.books()).operators.get(token.operator_id)
    return operator is not None and disposing.took(call, operator.phone, operator.created_at)


async def _calls_back(context: Context, token: Token, call: Call) -> bool:
    """Whether the bearer is the operator who has the caller's open callback."""
    number = callbacks.number_of(call.caller)
    if number is None or token.operator_id is None or not token.may(May.ACT_FOR_SELF):
        return False
    tasks = await context.store.open_callbacks(spellings(number))
    return any(task.claimed_by == token.operator_id for task in tasks)


async def is_on(context: Context, token: Token, call: Call) -> bool:
    """Whether the bearer is an operator who talks on the call now."""
    operator = (await context.bookkeeper.books()).operators.get(token.operator_id or 0)
    return operator is not None and disposing.talks(call, operator.phone, operator.created_at)


async def _models(context: Context, calls: Sequence[Call], beside: Beside) -> list[CallModel]:
    """The calls with what was said of them, and the sizes of their recordings: those that are sealed as their records
    tell, for the others a look at the disk, all in one thread. A disk that does not answer keeps no call from being
    told."""
    known = beside.recordings
    raw = [
        each
        for call in calls
        for each in (_recorded(known, call), _left(known, call))
        if each is not None and each.state in AUDIBLE and each.state is not State.SEALED
    ]
    frames = await _raw_frames(context, raw) if raw else {}
    if gone := [each.id for each in raw if each.id in known and each.id not in frames]:
        # they may have been sealed since they were looked up, and their raw sound discarded
        known = {**known, **await context.reads.recordings.by_id(gone)}
    return [
        CallModel.of(
            call,
            _sound(call, _recorded(known, call), frames),
            _sound(call, _left(known, call), frames),
            beside.said.get(call.id),
        )
        for call in calls
    ]


async def _raw_frames(context: Context, raw: Sequence[Recording]) -> dict[str, tuple[int, int]]:
    """Of each that is there how many frames there are, and how many with the silence after them, by its id."""

    def look() -> dict[str, tuple[int, int]]:
        there: dict[str, tuple[int, int]] = {}
        for recording in raw:
            with contextlib.suppress(NoRecording):
                sound = found(context.recordings, recording)
                there[recording.id] = sound.sound_frames, sound.frames
        return there

    try:
        return await context.player.look(look, DISK_LIMIT_S)
    except ShelfAway as error:
        log.warning("recordings_not_looked_at", extra={"reason": str(error)})
        return {}


def _recorded(known: Mapping[str, Recording], call: Call) -> Recording | None:
    file = call.recording
    return None if file is None else known.get(recording_id(file)) or unknown_of_call(call, file)


def _left(known: Mapping[str, Recording], call: Call) -> Recording | None:
    file = call.message
    return None if file is None else longest_message(known, file) or unknown_message(call, file)


def _sound(call: Call, recording: Recording | None, raw: Mapping[str, tuple[int, int]]) -> RecordingModel | None:
    """What is told of one sound of the call, raw sound as it was seen; None where there is nothing to hear."""
    if recording is None:
        return None
    frames = frames_of(recording) if recording.state is State.SEALED else raw.get(recording.id)
    if frames is None:
        return None
    sound, whole = frames
    what = "message" if recording.kind is Kind.MESSAGE else "recording"
    return RecordingModel(
        id=recording.id,
        url=f"/v1/calls/{quote(call.id, safe='')}/{what}",
        duration_s=round(whole / SAMPLE_RATE_HZ, 3),
        silence_s=round((whole - sound) / SAMPLE_RATE_HZ, 3),
        size_bytes=wav_bytes(recording.channels, whole),
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
        statuses=STATUSES,
        problems=PROBLEMS,
        media_type="audio/wav",
    ),
    route(
        "GET",
        "/v1/calls/{id}/message",
        get_message,
        "The message that a caller left",
        may=May.SEE_CALLS,
        statuses=STATUSES,
        problems=PROBLEMS,
        media_type="audio/wav",
    ),
)
