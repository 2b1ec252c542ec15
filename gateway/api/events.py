"""Events: the ledger page by page, and the stream of what happens now.

Counterpart: the ledger of `gateway/store/`, and `streams.py` for the listeners.
"""

from typing import Annotated

from aiohttp import hdrs, web
from pydantic import Field

from gateway.api.context import Context
from gateway.api.models import AfterQuery, EventModel, EventPage, Parameters, Seq, Told
from gateway.api.problems import Problem, conflict
from gateway.api.routes import route
from gateway.api.streams import TooManyStreams
from gateway.domain.event_types import EVENT_TYPES
from gateway.domain.events import StoredEvent
from gateway.domain.tokens import May, Token


class EventTypeModel(Told):
    type: str
    about: str


class EventTypeList(Told):
    items: list[EventTypeModel]
    next: None = None


class StreamQuery(Parameters):
    after: Annotated[
        Seq | None, Field(description="Start after this event; without it, and without the header: now.")
    ] = None


class StreamHeaders(Parameters):
    last_event_id: Annotated[
        Seq | None, Field(alias="Last-Event-ID", description="The last event that you have; goes before `after`.")
    ] = None


def page(events: list[StoredEvent], limit: int) -> EventPage:
    """A page of at most `limit` events, out of one more than that where there are more."""
    shown = events[:limit]
    return EventPage(
        items=[EventModel.of(stored) for stored in shown],
        next=shown[-1].seq if len(events) > limit else None,
    )


async def list_events(context: Context, query: AfterQuery) -> EventPage:
    """The ledger in its order. At its end `next` is null: ask again with the last `seq` as `after`."""
    return page(await context.reads.events(query.after, query.limit + 1), query.limit)


async def list_event_types(context: Context) -> EventTypeList:
    """Every type of event, and what it tells. A webhook posts the same with `id.112.` before it."""
    return EventTypeList(items=[EventTypeModel(type=name, about=about) for name, about in EVENT_TYPES.items()])


async def stream_events(
    context: Context, query: StreamQuery, headers: StreamHeaders, request: web.Request, token: Token
) -> web.StreamResponse:
    """Server-sent events: `id` is the event's seq, `event` its type, `data` the event. Nothing is lost or repeated
    for a listener that comes back with Last-Event-ID. A comment comes every 15 seconds; a listener that does not read
    for 10 seconds is cut off."""
    if headers.last_event_id is not None:
        place, field = headers.last_event_id, "Last-Event-ID"
    elif query.after is not None:
        place, field = query.after, "?after"
    else:
        place, field = context.feed.newest, ""
    if place > context.feed.newest and place > await context.store.newest_seq():
        raise conflict(field, "is after the newest event: it comes from another ledger")
    response = web.StreamResponse(
        headers={hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store", "X-Accel-Buffering": "no"}
    )
    if request.method == hdrs.METH_HEAD:
        await response.prepare(request)
        return response
    try:
        await context.streams.follow(request, response, token, place)
    except TooManyStreams:
        raise Problem(503, "Too many listeners; come back later.", headers={"Retry-After": "10"}) from None
    return response


ROUTES = (
    route("GET", "/v1/event-types", list_event_types, "The types of events", may=None),
    route("GET", "/v1/events", list_events, "The ledger of events", may=May.SEE_CALLS),
    route(
        "GET",
        "/v1/events/stream",
        stream_events,
        "Events as they happen",
        may=May.SEE_CALLS,
        problems=(409,),
        media_type="text/event-stream",
    ),
)
