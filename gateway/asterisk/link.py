"""The link to Asterisk's manager interface (AMI): the port through which the gateway commands and listens.

It keeps one `wire` after another alive and says plainly how it stands; `switchboard`, `advisor` and `board` ask and
hear through it. After each reconnect it has everything read anew, and it never sends an action a second time.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from gateway.asterisk.errors import AsteriskAway, AsteriskRefused, AsteriskSilent, LinkOverflow
from gateway.asterisk.framing import Message, encode
from gateway.asterisk.wire import Counters, Wire

log = logging.getLogger(__name__)

__all__ = ["LIST_TIMEOUT_S", "AmiLink", "Counters", "LinkState", "listed"]

LIST_TIMEOUT_S = 10.0
"""For a list, or a file, however long."""


class LinkState(enum.StrEnum):
    """How the link stands."""

    DOWN = "down"
    CONNECTING = "connecting"
    REFUSED = "refused"
    """Asterisk is there and does not let the gateway in: a person must mend the name or the password."""
    UP = "up"


_TRYING: Final = {LinkState.DOWN, LinkState.CONNECTING}


class AmiLink:
    """The manager link. `run` it in a task of its own; everything else works from any other task.

    `on_event` is called with every event, in Asterisk's order, and must not block. `on_up` is awaited
    after every login, and again when Asterisk finishes booting under a link that was already up: it reads
    what Asterisk holds. It is cancelled when the link drops. A fault in either is logged and counted, and
    the link stays.

    `state` and `reason` say how the link stands and, in words, why. `since` is the time (UTC) from which it
    has been up, or refused, or neither: it does not start anew with each try to connect. `since_s` is the same by the
    clock that never leaps, in seconds.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        username: str,
        secret: str,
        on_event: Callable[[Message], None],
        on_up: Callable[[], Awaitable[object]] | None = None,
        action_timeout_s: float = 5.0,
        connect_timeout_s: float = 5.0,
        ping_interval_s: float = 10.0,
        ping_timeout_s: float = 10.0,
        backoff_first_s: float = 0.2,
        backoff_limit_s: float = 5.0,
        refused_retry_s: float = 30.0,
    ) -> None:
        """Nothing is sent before `run`. Raises UnsafeValue for a name or a secret that AMI cannot carry."""
        self._login: Final = (("Username", username), ("Secret", secret), ("Events", "on"))
        encode(self._login)
        self._host = host
        self._port = port
        self._username = username
        self._on_event = on_event
        self._on_up = on_up
        self._action_timeout_s = action_timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._ping_interval_s = ping_interval_s
        self._ping_timeout_s = ping_timeout_s
        self._backoff_first_s = backoff_first_s
        self._backoff_limit_s = backoff_limit_s
        self._refused_retry_s = refused_retry_s
        self._wire: Wire | None = None
        self._reread_is_due = asyncio.Event()
        self.counters: Final = Counters()
        self.state = LinkState.DOWN
        self.reason = "The link has not been started."
        self.since, self.since_s = datetime.now(UTC), time.monotonic()
        self.lost_s: float | None = None
        """Until when something was heard on the last connection that fell silent, by the clock that never leaps, in
        seconds: silence is noticed later. None while it was ended by somebody's word."""
        self._logged_reason = ""

    # Asking

    async def ask(self, action: str, /, *pairs: tuple[str, str], timeout_s: float | None = None) -> Message:
        """Asterisk's response to `action`, within `timeout_s` seconds (default: the link's).

        Raises AsteriskAway (not connected, or lost while waiting; never sent again), AsteriskSilent (no
        answer in time), AsteriskRefused (with Asterisk's words), UnsafeValue (nothing was sent),
        LinkOverflow.
        """
        answer = await self._ask(action, pairs, timeout_s, wants_list=False)
        return answer[0]

    async def ask_list(self, action: str, /, *pairs: tuple[str, str], timeout_s: float | None = None) -> list[Message]:
        """Asterisk's response, the events of its list, and the event that completes it; raises as `ask` does.

        The time limit is for the whole list. The list's events do not reach `on_event`. An action that
        answers without a list gives its response alone.
        """
        return await self._ask(action, pairs, timeout_s, wants_list=True)

    async def _ask(
        self, action: str, pairs: tuple[tuple[str, str], ...], timeout_s: float | None, *, wants_list: bool
    ) -> list[Message]:
        if self._wire is None or self.state is not LinkState.UP:
            raise AsteriskAway(self.reason)
        limit_s = self._action_timeout_s if timeout_s is None else timeout_s
        return await self._wire.ask(action, pairs, timeout_s=limit_s, wants_list=wants_list)

    # Staying connected

    async def run(self) -> None:
        """Keep the link up until cancelled: connect, log in, ping, and after any fault begin again.

        The pause between tries doubles up to its limit and is jittered, so that centres which lost one
        Asterisk do not return in step. It starts over only once a connection has outlived the limit: a
        link that drops right after each login must not hammer Asterisk.
        """
        clock = asyncio.get_running_loop().time
        backoff_s = self._backoff_first_s
        try:
            while True:
                started_s = clock()
                try:
                    self._stand(LinkState.DOWN, await self._connect_and_stay())
                    if clock() - started_s > self._backoff_limit_s:
                        backoff_s = self._backoff_first_s
                except AsteriskRefused as refusal:
                    self._stand(LinkState.REFUSED, f"{self._username!r} is not let in: {refusal.message}.")
                    await _pause(self._refused_retry_s)
                    continue
                except AsteriskSilent as silence:
                    self._stand(LinkState.DOWN, str(silence))
                except AsteriskAway as away:
                    self._stand(LinkState.DOWN, away.detail)
                await _pause(backoff_s)
                backoff_s = min(2 * backoff_s, self._backoff_limit_s)
        finally:
            self._stand(LinkState.DOWN, "The link was stopped.")

    async def _connect_and_stay(self) -> str:
        """One connection, from dialling to its drop: the reason of the drop, in words."""
        if self.state is not LinkState.REFUSED:  # which stands until Asterisk has said otherwise
            self._stand(LinkState.CONNECTING, f"Connecting to {self._host}:{self._port}.")
        wire = await self._open()
        try:
            await wire.ask("Login", self._login, timeout_s=self._action_timeout_s)
            # Where Asterisk has booted, it says FullyBooted between these two answers. So one that comes
            # after the second means: it booted while we were attached, and what was read before is not
            # what it holds now.
            await self._ping(wire)
            return await self._stay(wire)
        finally:
            self._wire = None
            wire.close()

    async def _open(self) -> Wire:
        """A fresh connection. Raises AsteriskAway in words, whatever the socket says."""
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, wire = await asyncio.get_running_loop().create_connection(
                    lambda: Wire(self._hear, self.counters), self._host, self._port
                )
        except TimeoutError:
            fault = f"no connection within {self._connect_timeout_s:g} s"
        except OSError as error:
            fault = error.strerror or str(error)
        else:
            return wire
        raise AsteriskAway(f"{self._host}:{self._port}: {fault}.")

    async def _stay(self, wire: Wire) -> str:
        self._wire = wire
        self.lost_s = None
        self.counters.logins += 1
        self._stand(LinkState.UP, f"Logged in to {self._host}:{self._port}, AMI {wire.version}.")
        self._reread_is_due.set()
        async with asyncio.TaskGroup() as keepers:
            alive = keepers.create_task(self._keep_alive(wire))
            reread = keepers.create_task(self._reread_when_due())
            # Shielded: when the link is stopped, the wire must still be able to say that it dropped.
            reason = await asyncio.shield(wire.dropped)
            alive.cancel()
            reread.cancel()
            return reason

    async def _keep_alive(self, wire: Wire) -> None:
        """Ping, so that a peer that vanished without a word (half-open TCP) is noticed."""
        while True:
            await asyncio.sleep(self._ping_interval_s)
            try:
                await self._ping(wire)
            except (AsteriskSilent, LinkOverflow) as fault:
                self.lost_s = wire.heard_s
                wire.drop(str(fault))
            except AsteriskAway:
                return

    async def _ping(self, wire: Wire) -> None:
        with contextlib.suppress(AsteriskRefused):  # A refusal, too, is a sign of life.
            await wire.ask("Ping", (), timeout_s=self._ping_timeout_s)

    async def _reread_when_due(self) -> None:
        """Await `on_up` once for each time that it falls due; while it runs, further times make one."""
        while True:
            await self._reread_is_due.wait()
            self._reread_is_due.clear()
            if self._on_up is None:
                continue
            try:
                await self._on_up()
            except AsteriskAway:
                return  # The link dropped under it; the next login reads again.
            except Exception:  # whatever it is, the link stays: what failed will be read again
                self.counters.reread_errors += 1
                log.exception("ami_reread_failed", extra={"count": self.counters.reread_errors})

    def _hear(self, event: Message) -> None:
        if event.name == "FullyBooted":
            self._reread_is_due.set()
        self._on_event(event)

    def _stand(self, state: LinkState, reason: str) -> None:
        if state is not self.state and not {state, self.state} <= _TRYING:
            self.since, self.since_s = datetime.now(UTC), time.monotonic()
        self.state = state
        self.reason = reason
        if state is not LinkState.CONNECTING and reason != self._logged_reason:  # once, not with every try
            self._logged_reason = reason
            level = logging.INFO if state is LinkState.UP else logging.WARNING
            log.log(level, f"ami_link_{state}", extra={"reason": reason})


async def listed(link: AmiLink, action: str, /, *pairs: tuple[str, str]) -> list[Message]:
    """What `ask_list` returns, and none where Asterisk refuses: so it says that there is none. Raises AsteriskError."""
    try:
        return await link.ask_list(action, *pairs, timeout_s=LIST_TIMEOUT_S)
    except AsteriskRefused:
        return []


async def _pause(longest_s: float) -> None:
    await asyncio.sleep(longest_s * random.uniform(0.5, 1.0))  # noqa: S311  # spreads load; guards nothing
