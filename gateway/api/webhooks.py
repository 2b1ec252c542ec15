"""Webhooks: who is told of events by a post of ours.

Counterpart: `deliveries.py`, which sends them.
"""

import secrets
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from yarl import URL

from gateway.api import cloudevents
from gateway.api.context import Context
from gateway.api.deliveries import deed_about
from gateway.api.models import PRINTABLE, Body, Parameters, Told, Word, of_format
from gateway.api.problems import unprocessable
from gateway.api.routes import Answer, route
from gateway.domain.audit import Actor
from gateway.domain.event_types import EVENT_TYPES
from gateway.domain.tokens import May
from gateway.domain.webhooks import Webhook
from gateway.ports import Unknown


def _known(value: str) -> str:
    if value not in EVENT_TYPES:
        raise ValueError("is no type of event; GET /v1/event-types lists them")
    return value


EventType = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known), of_format("event-type")]


class WebhookPath(Parameters):
    id: Word


class NewWebhook(Body):
    url: Annotated[
        str,
        StringConstraints(max_length=2000, pattern=PRINTABLE),
        of_format("uri"),
        Field(description="Where to post: http or https, without a user or a fragment."),
    ]
    types: Annotated[tuple[EventType, ...], Field(max_length=64, description="Only these types; empty for all.")] = ()


class WebhookModel(Told):
    """A receiver of events."""

    id: str
    url: str
    types: list[str]
    created_at: datetime
    after_seq: Annotated[int, Field(description="The last event that it took, or did not ask for.")]
    failing_since: Annotated[
        datetime | None,
        Field(description="Null while the last post was taken; a restart of the gateway changes nothing in it."),
    ]
    last_error: Annotated[
        str | None, Field(description="Why the last post failed; null after one that was taken, and before the first.")
    ]


class WebhookWithSecret(WebhookModel):
    """A new receiver. The secret is shown this once and never again."""

    secret: Annotated[str, Field(description="Checks the signatures, as in Standard Webhooks.")]


class WebhookList(Told):
    items: list[WebhookModel]
    next: None = None


async def list_webhooks(context: Context) -> WebhookList:
    """Every receiver, and how it does."""
    return WebhookList(items=[_model(context, webhook) for webhook in await context.store.webhooks()])


async def get_webhook(context: Context, path: WebhookPath) -> WebhookModel:
    return _model(context, await _webhook(context, path.id))


async def create_webhook(context: Context, body: NewWebhook, actor: Actor) -> Answer[WebhookWithSecret]:
    """From now on each event is posted as a CloudEvent, in order and at least once, until it is taken by a 2xx.
    A post may take 10 seconds; it is tried again after 1, 2, 4 … at most 300 seconds. Redirects are not followed;
    410 Gone removes the webhook. Each post is signed (Standard Webhooks: webhook-id, webhook-timestamp,
    webhook-signature)."""
    webhook = Webhook(
        id=secrets.token_hex(8),
        url=_checked(body.url),
        secret=cloudevents.new_secret(),
        types=tuple(dict.fromkeys(body.types)),
        after_seq=context.feed.newest,
        created_at=context.clock(),
    )
    await context.deliveries.add(webhook, deed_about(webhook, "webhook.created", actor, webhook.created_at))
    content = WebhookWithSecret(**_model(context, webhook).model_dump(), secret=webhook.secret)
    return Answer(content, 201, {"Location": f"/v1/webhooks/{webhook.id}"})


async def remove_webhook(context: Context, path: WebhookPath, actor: Actor) -> None:
    """Nothing more is posted, but for what is on its way."""
    webhook = await _webhook(context, path.id)
    await context.deliveries.remove(path.id, deed_about(webhook, "webhook.removed", actor, context.clock()))


async def _webhook(context: Context, webhook_id: str) -> Webhook:
    for webhook in await context.store.webhooks():
        if webhook.id == webhook_id:
            return webhook
    raise Unknown(f"there is no webhook {webhook_id}")


def _model(context: Context, webhook: Webhook) -> WebhookModel:
    standing = context.deliveries.standings.get(webhook.id)
    return WebhookModel(
        id=webhook.id,
        url=webhook.url,
        types=list(webhook.types),
        created_at=webhook.created_at,
        after_seq=standing.after_seq if standing else webhook.after_seq,
        failing_since=standing.failing_since if standing else webhook.failing_since,
        last_error=standing.last_error if standing else None,
    )


def _checked(text: str) -> str:
    """The URL as given. Raises Problem when nothing can be posted to it."""
    try:
        url = URL(text)
    except ValueError as error:
        raise unprocessable("/url", f"is not a URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise unprocessable("/url", "must begin with http:// or https:// and name a host")
    if url.raw_fragment or url.raw_user or url.raw_password:
        raise unprocessable("/url", "must have no user, password or fragment")
    return text


ROUTES = (
    route("GET", "/v1/webhooks", list_webhooks, "Webhooks and how they do", may=May.SET_UP),
    route("GET", "/v1/webhooks/{id}", get_webhook, "One webhook", may=May.SET_UP),
    route("POST", "/v1/webhooks", create_webhook, "A new webhook", may=May.SET_UP, statuses=(201,), problems=(409,)),
    route("DELETE", "/v1/webhooks/{id}", remove_webhook, "Remove a webhook", may=May.SET_UP),
)
