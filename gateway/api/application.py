"""The application: every route of every subject, with its validation, its problems and its own description.

Counterpart: `gateway/app.py` serves what `build` returns.
"""

from aiohttp import web

from gateway.api import calls, docs, events, health, metrics, operators, problems, queues, trunks, webhooks
from gateway.api.context import Context
from gateway.api.routes import BODY_LIMIT_BYTES, Route, answering

SUBJECTS: tuple[Route, ...] = (
    *health.ROUTES,
    *calls.ROUTES,
    *events.ROUTES,
    *operators.ROUTES,
    *queues.ROUTES,
    *trunks.ROUTES,
    *webhooks.ROUTES,
    *metrics.ROUTES,
)


def build(context: Context) -> web.Application:
    """The application, ready to be served."""
    application = web.Application(middlewares=[problems.tell_problems], client_max_size=BODY_LIMIT_BYTES)
    for each in docs.with_description(SUBJECTS, context.status().version):
        resource = application.router.add_resource(each.path)
        resource.add_route(each.method, answering(each, context))
        if each.method == "GET":
            resource.add_route("HEAD", answering(each, context))
    application.on_response_prepare.append(_prepare)

    async def close_streams(_: web.Application) -> None:
        context.streams.close()

    application.on_shutdown.append(close_streams)
    return application


async def _prepare(request: web.Request, response: web.StreamResponse) -> None:
    """Calls are nobody's business but the asker's: nothing is kept on the way, nothing is guessed at the end."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    request[problems.HAS_BEGUN] = True
