"""Advises on a call while its greeting plays, by setting channel variables that the dialplan reads with defaults.

Counterparts: `dialplan/trunk.conf` announces the call (UserEvent Arrived), `dialplan/notice.conf` and `queue.conf` read
the advice, `gateway/advising.py` decides. Advice that comes too late, or not at all, costs nothing.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime

from gateway.asterisk.errors import AsteriskError
from gateway.asterisk.framing import Message
from gateway.asterisk.link import AmiLink
from gateway.asterisk.translator import RULES_JOINED_BY
from gateway.domain.advice import Advice
from gateway.domain.advice_rules import Arrival
from gateway.logs import about

log = logging.getLogger(__name__)

WAITING_CALLS = 200
"""How many calls may wait for their advice. One more goes without: it is on its way to the queue anyway."""
AT_ONCE = 4
"""Calls that are advised on at the same time: one whose past is slow to read does not hold the others up."""
TOO_LATE_S = 10.0
"""A call that has waited so long for its advice goes without."""
ADVICE_TIMEOUT_S = 2.0
RULES_LENGTH = 400
"""Characters of the rules' names that are told."""


class Advisor:
    """Takes `Arrived` events and sets the advice of `rule`; `clock` returns the time now, in UTC."""

    def __init__(
        self, link: AmiLink, rule: Callable[[Arrival], Awaitable[Advice]], clock: Callable[[], datetime]
    ) -> None:
        self._link = link
        self._rule = rule
        self._clock = clock
        self._arrivals: asyncio.Queue[tuple[Message, float]] = asyncio.Queue(WAITING_CALLS)
        self.given = 0
        self.missed = 0

    def hear(self, event: Message) -> None:
        """Takes an event of the link. Never waits."""
        if not _is_arrival(event):
            return
        try:
            self._arrivals.put_nowait((event, time.monotonic()))
        except asyncio.QueueFull:
            self.missed += 1

    async def run(self) -> None:
        """Advises, AT_ONCE calls at the same time, for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._advise())

    async def _advise(self) -> None:
        while True:
            event, heard_at_s = await self._arrivals.get()
            if time.monotonic() - heard_at_s > TOO_LATE_S:
                self.missed += 1
                continue
            with about(event.last("Linkedid")):
                await self._advise_on(event)

    async def _advise_on(self, event: Message) -> None:
        try:
            advice = await self._rule(self._arrival(event))
            if not advice.is_empty:
                await self._give(event.get("Channel", ""), advice)
                self.given += 1
        except AsteriskError as error:
            self.missed += 1
            log.warning("advice_missed", extra={"reason": str(error)})
        except Exception:  # whatever it is, the next call is advised on
            self.missed += 1
            log.exception("advice_failed")

    def _arrival(self, event: Message) -> Arrival:
        return Arrival(
            call_id=event.last("Linkedid"),
            trunk=event.last("Trunk"),
            caller=event.last("Caller"),
            at=self._clock(),
            has_location=event.last("Location") == "yes",
        )

    async def _give(self, channel: str, advice: Advice) -> None:
        for name, value in _variables(advice):
            await self._link.ask(
                "Setvar", ("Channel", channel), ("Variable", name), ("Value", value), timeout_s=ADVICE_TIMEOUT_S
            )


def announced(event: Message) -> str | None:
    """The id of the call that the event announces: its arrival stands in the journal by then. None for any other."""
    return event.last("Linkedid") if _is_arrival(event) else None


def _is_arrival(event: Message) -> bool:
    return event.name == "UserEvent" and event.get("UserEvent") == "Arrived"


def _variables(advice: Advice) -> Iterator[tuple[str, str]]:
    """What is set, in this order: once the rules' names are there, all of it is."""
    if advice.queue is not None:
        yield "ADVICE_QUEUE", advice.queue
    if advice.priority is not None:
        yield "ADVICE_PRIORITY", str(advice.priority)
    if advice.asks_key:
        yield "ADVICE_ASK_KEY", "yes"
    if advice.notice is not None:
        yield "ADVICE_NOTICE", advice.notice
    if advice.rules:
        yield "ADVICE_RULES", RULES_JOINED_BY.join(advice.rules)[:RULES_LENGTH]
