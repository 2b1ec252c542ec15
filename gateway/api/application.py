"""The application: every route of every subject, with its validation, its problems and its own description.

Counterpart: `gateway/app.py` serves what `build` returns.
"""

import asyncio
import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import hdrs, web, web_response
from aiohttp.typedefs import Handler
from aiohttp.web_request import BaseRequest

from gateway.api import (
    advice_rules,
    agencies,
    alarms,
    bans,
    blocks,
    board,
    board_page,
    calendars,
    callbacks,
    calls,
    coverage,
    dispositions,
    docs,
    erasures,
    events,
    exchange,
    exports,
    health,
    metrics,
    monthly,
    numbers,
    operators,
    problems,
    queues,
    recordings,
    reports,
    retention,
    rules,
    shifts,
    silent_calls,
    tokens,
    trunks,
    webhooks,
)
from gateway.api.context import Context
from gateway.api.door import BACKLOG, Door
from gateway.api.limits import ADDRESS, asker
from gateway.api.routes import BODY_LIMIT_BYTES, Route, answering

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 5.0
SECURE_FOR_S = 365 * 24 * 3600
"""How long a browser asks over HTTPS alone, once it was answered so."""
NOT_HTTP = "The request is no HTTP, or its line or a header is too long."
LINGER_S = 10.0
"""How long what is left of a body is taken in after its answer."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer has that says nothing else there. Calls are nobody's business but the asker's: nothing is kept on
the way, nothing is guessed, framed or read by another site at the end. No answer lets another origin read it (CORS)."""

# what aiohttp calls itself in every answer, also in those to what is no HTTP, which no application sees
web_response.SERVER_SOFTWARE = "gateway112"  # type: ignore[attr-defined]

SUBJECTS: tuple[Route, ...] = (
    *health.ROUTES,
    *board.ROUTES,
    *board_page.ROUTES,
    *calls.ROUTES,
    *recordings.ROUTES,
    *callbacks.ROUTES,
    *dispositions.ROUTES,
    *silent_calls.ROUTES,
    *events.ROUTES,
    *operators.ROUTES,
    *queues.ROUTES,
    *trunks.ROUTES,
    *agencies.ROUTES,
    *shifts.ROUTES,
    *coverage.ROUTES,
    *exchange.ROUTES,
    *calendars.ROUTES,
    *reports.ROUTES,
    *monthly.ROUTES,
    *rules.ROUTES,
    *advice_rules.ROUTES,
    *bans.ROUTES,
    *blocks.ROUTES,
    *numbers.ROUTES,
    *retention.ROUTES,
    *exports.ROUTES,
    *erasures.ROUTES,
    *alarms.ROUTES,
    *webhooks.ROUTES,
    *tokens.ROUTES,
    *metrics.ROUTES,
)


EXPECTING: web.AppKey[Handler] = web.AppKey("EXPECTING")
"""Answers whoever expects what nobody here knows (RFC 9110, 10.1.1): aiohttp itself would do so before it asks any
middleware, and so without a limit."""


def build(context: Context) -> web.Application:
    """The application, ready to be served."""

    @web.middleware
    async def keep_the_door(request: web.Request, handler: Handler) -> web.StreamResponse:
        with context.door.serving(request.transport):
            # from Python 3.12 on aiohttp goes on at once to the next request of those that came in one piece: one that
            # needs nothing awaited, such as a refused one, would keep all else waiting until the last of thousands
            await asyncio.sleep(0)
            return await handler(request)

    def count(request: web.Request) -> None:
        forwarded = request.headers.getall(hdrs.X_FORWARDED_FOR, [])
        request[ADDRESS] = asker(request.remote or "", forwarded, context.proxies)
        context.limits.take_request(request)

    @web.middleware
    async def keep_the_limits(request: web.Request, handler: Handler) -> web.StreamResponse:
        count(request)
        return await handler(request)

    async def refuse_expectation(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0)  # as at the door
        told = problems.Problem(417, "Nothing but 100-continue may be expected.")
        try:
            count(request)
        except problems.Problem as refusal:
            told = refusal
        answer = told.response()
        answer.headers.update(HEADERS)
        return answer

    application = web.Application(
        middlewares=[keep_the_door, problems.tell_problems, keep_the_limits], client_max_size=BODY_LIMIT_BYTES
    )
    routes = docs.with_description(SUBJECTS, context.status().version)
    for each in routes:
        resource = application.router.add_resource(_pattern(each.path, {other.path for other in routes}))
        resource.add_route(each.method, answering(each, context))
        if each.method == "GET":
            resource.add_route("HEAD", answering(each, context))
    application[EXPECTING] = refuse_expectation
    application.on_response_prepare.append(_prepare)

    async def close_streams(_: web.Application) -> None:
        context.streams.close()
        await context.pictures.close()
        await context.health.close()

    async def close_player(_: web.Application) -> None:
        await context.player.close()

    application.on_shutdown.append(close_streams)
    application.on_cleanup.append(close_player)  # once nobody listens any more
    return application


def _pattern(path: str, others: Collection[str]) -> str:
    """The path as aiohttp takes it: what is an operation of its own (`/v1/advice-rules/dry-run`) is nothing's id."""
    parent, _, last = path.rpartition("/")
    if last != "{id}":
        return path
    words = [word for word in (each.removeprefix(f"{parent}/") for each in others) if re.fullmatch("[a-z.-]+", word)]
    if not words:
        return path
    own = "|".join(re.escape(word) for word in sorted(words))
    return f"{parent}/{{id:(?!(?:{own})$)[^{{}}/]+}}"


class Serving:
    """The application while it is served. `sockets` are those that it listens at."""

    def __init__(self, runner: web.AppRunner, server: asyncio.Server) -> None:
        self._runner = runner
        self._server = server
        self._is_closed = False

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        return tuple(self._server.sockets)

    async def close(self) -> None:
        """Lets nobody in any more, ends the streams, and returns once all that was asked is answered, or after
        STOP_TIMEOUT_S."""
        if not self._is_closed:
            self._is_closed = True
            self._server.close()
            await self._runner.cleanup()


@asynccontextmanager
async def served(
    application: web.Application, door: Door, host: str, port: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Serving]:
    """The application behind its door, for as long as the context lasts; over HTTPS with `tls`. Raises OSError when the
    port is taken."""
    runner = web.AppRunner(application, handle_signals=False, shutdown_timeout=STOP_TIMEOUT_S)
    await runner.setup()
    manager = runner.server
    if manager is None:
        raise RuntimeError("the runner was not set up")
    loop = asyncio.get_running_loop()
    serve, expecting = manager.request_handler, application[EXPECTING]

    async def answer(request: web.Request) -> web.StreamResponse:
        expected = request.headers.get(hdrs.EXPECT, "").lower()
        return await (serve if expected in ("", "100-continue") else expecting)(request)

    manager.request_handler = answer  # type: ignore[assignment]  # it makes requests of that kind

    def protocol() -> _Protocol:
        return _Protocol(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # there is none
            lingering_time=LINGER_S,
            auto_decompress=False,  # `routes.py` refuses what is packed: a little of it is a thousand times as much
        )

    watch = asyncio.create_task(door.watch())
    try:
        server = await loop.create_server(door.before(protocol, tls), host, port, reuse_address=True, backlog=BACKLOG)
    except BaseException:
        watch.cancel()
        await runner.cleanup()
        raise
    serving = Serving(runner, server)
    try:
        yield serving
    finally:
        watch.cancel()
        await serving.close()


class _Protocol(web.RequestHandler):
    """aiohttp's own, which answers what is no HTTP as the application answers all else."""

    __slots__ = ()

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if is_ours:
            log.error("request_failed", exc_info=exc)
        else:
            log.debug("no_http", extra={"address": request.remote})  # anybody can send it as often as he likes
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        told = problems.Problem(status, problems.OUR_MISTAKE if is_ours else NOT_HTTP).response()
        told.headers.update(HEADERS)
        told.force_close()
        return told


async def _prepare(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.secure:
        response.headers["Strict-Transport-Security"] = f"max-age={SECURE_FOR_S}"
    request[problems.HAS_BEGUN] = True
