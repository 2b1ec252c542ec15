"""A running link for one test, and an ear that hears its events.

Counterpart: `scripted_peer`, or a real Asterisk, at the far end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from gateway.asterisk.framing import Message
from gateway.asterisk.link import AmiLink, LinkState
from tests.asterisk.scripted_peer import until


class Ear:
    """Hears every event."""

    def __init__(self) -> None:
        self.events: list[Message] = []

    def __call__(self, message: Message) -> None:
        self.events.append(message)

    def names(self) -> list[str]:
        return [message.name for message in self.events if message.name != "FullyBooted"]


class Peer(Protocol):
    """Whatever listens on a loopback port and speaks AMI."""

    port: int


@contextlib.asynccontextmanager
async def running(
    peer: Peer,
    on_event: Callable[[Message], None] = lambda message: None,
    on_up: Callable[[], Awaitable[object]] | None = None,
    state: LinkState = LinkState.UP,
    **options: Any,
) -> AsyncIterator[AmiLink]:
    """A link that runs, once it is in `state`; stopped at the end, with nothing left behind."""
    quick: dict[str, Any] = {
        "backoff_first_s": 0.01,
        "backoff_limit_s": 0.05,
        "refused_retry_s": 0.01,
        "secret": "s3cret",
    }
    link = AmiLink(
        host="127.0.0.1", port=peer.port, username="gateway112", on_event=on_event, on_up=on_up, **quick | options
    )
    task = asyncio.create_task(link.run())
    try:
        await until(lambda: link.state is state or task.done())
        yield link
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
