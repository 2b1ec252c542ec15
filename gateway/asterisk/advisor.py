"""Advises on a call while its greeting plays, by setting channel variables that the dialplan reads with defaults.

Counterparts: `dialplan/trunk.conf` announces the call (UserEvent Arrived), `dialplan/queue.conf` reads the advice,
`gateway/domain/advice.py` decides. Advice that comes too late, or not at all, costs nothing.
"""

import asyncio
import logging
from collections.abc import Callable

from gateway.asterisk.errors import AsteriskError
from gateway.asterisk.framing import Message
from gateway.asterisk.link import AmiLink
from gateway.domain.advice import Advice

log = logging.getLogger(__name__)

WAITING_CALLS = 200
"""How many calls may wait for their advice. One more goes without: it is on its way to the queue anyway."""
ADVICE_TIMEOUT_S = 2.0


class Advisor:
    """Takes `Arrived` events and sets the advice of `rule` (trunk → Advice)."""

    def __init__(self, link: AmiLink, rule: Callable[[str], Advice]) -> None:
        self._link = link
        self._rule = rule
        self._arrivals: asyncio.Queue[Message] = asyncio.Queue(WAITING_CALLS)
        self.given = 0
        self.missed = 0

    def hear(self, event: Message) -> None:
        """Takes an event of the link. Never waits."""
        if event.name != "UserEvent" or event.get("UserEvent") != "Arrived":
            return
        try:
            self._arrivals.put_nowait(event)
        except asyncio.QueueFull:
            self.missed += 1

    async def run(self) -> None:
        """Advises, one call after the other, for ever."""
        while True:
            event = await self._arrivals.get()
            advice = self._rule(event.get("Trunk", ""))
            if advice.is_empty:
                continue
            try:
                await self._give(event.get("Channel", ""), advice)
                self.given += 1
            except AsteriskError as error:
                self.missed += 1
                log.warning("advice_missed", extra={"call_id": event.get("Linkedid", ""), "reason": str(error)})

    async def _give(self, channel: str, advice: Advice) -> None:
        values = {"ADVICE_QUEUE": advice.queue, "ADVICE_PRIORITY": advice.priority}
        for name, value in values.items():
            if value is not None:
                await self._link.ask(
                    "Setvar",
                    ("Channel", channel),
                    ("Variable", name),
                    ("Value", str(value)),
                    timeout_s=ADVICE_TIMEOUT_S,
                )
