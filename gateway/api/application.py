"""The application: every route of every subject, with its validation, its problems and its own description.

Counterpart: `gateway/app.py` serves what `build` returns.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from aiohttp import web, web_response
from aiohttp.typedefs import Handler

from gateway.api import (
    advice_rules,
    agencies,
    alarms,
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
from gateway.api.door import Door
from gateway.api.routes import BODY_LIMIT_BYTES, Route, answering

STOP_TIMEOUT_S = 5.0

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


def build(context: Context) -> web.Application:
    """The application, ready to be served."""

    @web.middleware
    async def keep_the_door(request: web.Request, handler: Handler) -> web.StreamResponse:
        with context.door.serving(request.transport):
            return await handler(request)

    application = web.Application(middlewares=[keep_the_door, problems.tell_problems], client_max_size=BODY_LIMIT_BYTES)
    routes = docs.with_description(SUBJECTS, context.status().version)
    for each in routes:
        resource = application.router.add_resource(_pattern(each.path, {other.path for other in routes}))
        resource.add_route(each.method, answering(each, context))
        if each.method == "GET":
            resource.add_route("HEAD", answering(each, context))
    application.on_response_prepare.append(_prepare)

    async def close_streams(_: web.Application) -> None:
        context.streams.close()
        await context.pictures.close()

    async def close_player(_: web.Application) -> None:
        await context.player.close()

    application.on_shutdown.append(close_streams)
    application.on_cleanup.append(close_player)  # once nobody listens any more
    return application


def _pattern(path: str, others: Collection[str]) -> str:
    """The path as aiohttp takes it: what is an operation of its own (`/v1/advice-rules/dry-run`) is nothing's id."""
    parent, _, last = path.rpartition("/")
    words = [word for word in (each.removeprefix(f"{parent}/") for each in others) if re.fullmatch("[a-z.-]+", word)]
    if last != "{id}" or not words:
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
async def served(application: web.Application, door: Door, host: str, port: int) -> AsyncIterator[Serving]:
    """The application behind its door, for as long as the context lasts. Raises OSError when the port is taken."""
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=STOP_TIMEOUT_S)
    await runner.setup()
    if runner.server is None:
        raise RuntimeError("the runner was not set up")
    loop = asyncio.get_running_loop()
    watch = asyncio.create_task(door.watch())
    try:
        server = await loop.create_server(door.before(runner.server), host, port, reuse_address=True)
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


async def _prepare(request: web.Request, response: web.StreamResponse) -> None:
    """Calls are nobody's business but the asker's: nothing is kept on the way, nothing is guessed at the end."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    request[problems.HAS_BEGUN] = True
