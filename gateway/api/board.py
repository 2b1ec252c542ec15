"""The board: the centre as it stands, once or as a stream of whole pictures.

Counterparts: `pictures.py` makes the pictures, `board_models.py` says what is in them, `board_page.py` is a page that
shows them on a wall.
"""

import asyncio
import time

from aiohttp import hdrs, web

from gateway.api.board_models import BoardModel
from gateway.api.context import Context
from gateway.api.pictures import LEAST_S
from gateway.api.problems import Problem
from gateway.api.routes import route
from gateway.api.streams import TooManyStreams
from gateway.domain.tokens import May, Token


async def get_board(context: Context) -> BoardModel:
    """Trunks, queues, operators and alarms, as they stand now."""
    return (await context.pictures.newest()).model


async def stream_board(context: Context, request: web.Request, token: Token) -> web.StreamResponse:
    """Server-sent events: each `board` event's data is a whole picture, as `GET /v1/board` tells it. One comes at once,
    others when something has changed (4 a second at most), and one every 15 seconds in any case. Who reads slowly gets
    the newest picture only; a listener that does not read for 10 seconds is cut off."""
    response = web.StreamResponse(
        headers={hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store", "X-Accel-Buffering": "no"}
    )
    if request.method == hdrs.METH_HEAD:
        await response.prepare(request)
        return response
    await context.pictures.newest()  # where there is none, it is a problem document
    try:
        await context.streams.serve(request, response, token, lambda: _tell(context, request, response, token))
    except TooManyStreams:
        raise Problem(503, "Too many listeners; come back later.", headers={"Retry-After": "10"}) from None
    return response


async def _tell(context: Context, request: web.Request, response: web.StreamResponse, token: Token) -> None:
    streams, sees_numbers = context.streams, token.may(May.SEE_NUMBERS)
    await streams.write(response, b"retry: 1000\n\n")
    number, told_at = 0, 0.0
    while request.transport is not None:
        shown = await context.pictures.newest()
        if shown.number != number or time.monotonic() - told_at >= streams.heartbeat_s:
            await streams.write(response, shown.frame if sees_numbers else shown.masked_frame)
            number, told_at = shown.number, time.monotonic()
        await asyncio.sleep(LEAST_S)


ROUTES = (
    route("GET", "/v1/board", get_board, "The board", may=May.SEE_BOARD),
    route(
        "GET",
        "/v1/board/stream",
        stream_board,
        "The board as it changes",
        may=May.SEE_BOARD,
        media_type="text/event-stream",
    ),
)
