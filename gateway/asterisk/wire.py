"""One connection to Asterisk's manager: actions out, answers and events in, until it drops.

Built on panoramisk 1.4, and each part says what is panoramisk's and what replaces it. `link` is the
counterpart that makes one connection after another. Of panoramisk's `Manager` nothing is used:
connecting, logging in, pinging and re-sending are where its faults lie. Nor its `CallManager` and
FastAGI.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol

from gateway.asterisk.errors import (
    AsteriskAway,
    AsteriskRefused,
    AsteriskSilent,
    FramingError,
    LinkOverflow,
)
from gateway.asterisk.framing import Framing, Message, encode

log = logging.getLogger(__name__)

OPEN_QUESTIONS_LIMIT: Final = 1_000
UNSENT_LIMIT_BYTES: Final = 1 << 20
LIST_LIMIT_MESSAGES: Final = 50_000
GATHERING_S: Final = 0.002
"""How long what follows gathers while an answer comes in."""


@dataclass(slots=True)
class Counters:
    """What the link has seen, over all its connections."""

    logins: int = 0
    events: int = 0
    actions: int = 0
    callback_errors: int = 0
    reread_errors: int = 0
    framing_errors: int = 0
    overflows: int = 0
    late_answers: int = 0
    """Messages that answer an action whose asker had given up."""
    strays: int = 0
    """Messages that answer no action of ours, or that are neither event nor response."""


class Question(Action):  # type: ignore[misc]  # panoramisk has no types
    """An action that was sent, and what has come back.

    panoramisk's: the ActionID that no other process repeats, the `future`, and `add_message`, which
    fulfils it. Replaced: `multi` and `completed`, which guess from the words of a response whether more
    will follow (they wait for ever after QueueAdd and Originate, and take an event for a response);
    Asterisk says so in `EventList`.
    """

    future: asyncio.Future[Message | list[Message]]
    responses: list[Message]

    def __init__(self, action: str, pairs: Iterable[tuple[str, str]], *, wants_list: bool) -> None:
        super().__init__({"Action": action})
        self.name = action
        self.wants_list = wants_list
        self.line = encode([("Action", action), ("ActionID", self.id), *pairs])

    @property
    def multi(self) -> bool:
        """Whether Asterisk announced a list, and it was asked for one."""
        return self.wants_list and self.responses[0].get("EventList").lower() == "start"

    @property
    def completed(self) -> bool:
        """Whether the newest message is the last. An event's name is Asterisk's own: among the headers of a channel may
        stand lines that a caller's number holds."""
        newest = self.responses[-1]
        is_end = newest.name.endswith("Complete") and newest.get("EventList").lower() == "complete"
        return is_end or not self.multi

    def take(self, message: Message) -> bool:
        """Whether the answer is complete with this `message`."""
        if not self.future.done():
            return bool(self.add_message(message))
        # Whoever asked has given up: only the end matters, lest the rest of a list be taken for events.
        del self.responses[1:]
        self.responses.append(message)
        return self.completed


class Wire(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """One connection, from its banner to its drop; never used again.

    panoramisk's: the asyncio protocol with its `transport`, `version`, `closed`, and `responses`, the
    table of actions that wait by ActionID. Replaced: `data_received` (by `framing`), `send` (values are
    checked, errors reach whoever asked), `handle_message` (an answer is matched by its kind, events are
    called in order and in place), `connection_lost` and `close` (whoever waits is told at once, and
    nothing is kept to be sent again).
    """

    transport: asyncio.Transport
    responses: dict[str, Question]
    version: str | None
    closed: bool

    def __init__(self, on_event: Callable[[Message], None], counters: Counters) -> None:
        self._on_event = on_event
        self._counters = counters
        self._framing = Framing()
        self.dropped: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Fulfilled once, with the reason in words."""
        self.heard_s = time.monotonic()
        """When something was heard last, by the clock that never leaps."""

    async def ask(
        self, action: str, pairs: Iterable[tuple[str, str]], *, timeout_s: float, wants_list: bool = False
    ) -> list[Message]:
        """Asterisk's answer: one response, or the response of a list with all that follows it.

        Raises UnsafeValue, AsteriskAway, AsteriskSilent, AsteriskRefused or LinkOverflow.
        """
        question = self.send(Question(action, pairs, wants_list=wants_list))
        try:
            async with asyncio.timeout(timeout_s):
                answer = await question.future
        except TimeoutError:
            raise AsteriskSilent(action, timeout_s, question.id) from None
        messages = answer if isinstance(answer, list) else [answer]
        if messages[0].name == "Error":
            raise AsteriskRefused(action, _words(messages[0]))
        return messages

    def send(self, question: Question) -> Question:
        """`question`, sent; its future will hold the answer.

        Raises AsteriskAway after the drop, and LinkOverflow when too much waits already: the newest yields.
        """
        if self.closed:
            raise AsteriskAway(self.dropped.result())
        if len(self.responses) >= OPEN_QUESTIONS_LIMIT:
            self.responses = {key: open_ for key, open_ in self.responses.items() if not open_.future.done()}
        if len(self.responses) >= OPEN_QUESTIONS_LIMIT:
            self._counters.overflows += 1
            raise LinkOverflow(f"{OPEN_QUESTIONS_LIMIT} actions wait for their answers.")
        if self.transport.get_write_buffer_size() + len(question.line) > UNSENT_LIMIT_BYTES:
            self._counters.overflows += 1
            raise LinkOverflow(f"{UNSENT_LIMIT_BYTES} bytes wait to be sent.")
        self._counters.actions += 1
        self.responses[question.id] = question
        self.transport.write(question.line)
        return question

    def data_received(self, data: bytes) -> None:
        """Hand on every message that `data` completes. What is not AMI drops the connection."""
        self.heard_s = time.monotonic()
        try:
            for message in self._whole(self._framing.feed(data)):
                self.handle_message(message)
        except FramingError as error:
            self._counters.framing_errors += 1
            self.drop(str(error))
        if self.responses and not self.closed:
            # an answer is still to come whole: Asterisk writes it line by line, and to wake up for each line costs more
            # than all that is done with them
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(GATHERING_S, self._read_on)

    def _read_on(self) -> None:
        if not self.closed:
            self.transport.resume_reading()

    def _whole(self, messages: Iterable[Message]) -> list[Message]:
        """The messages as Asterisk wrote them: a caller's or a stranger's number may hold line ends, also an empty line
        and what looks like a message after it. That and what follows it belong to the message before."""
        whole: list[Message] = []
        for message in messages:
            begins = self.version is None or message.action_id in self.responses or message.is_told_by_itself
            if begins or not whole:
                whole.append(message)
            else:
                self._counters.strays += 1
                whole[-1] = Message(whole[-1].headers + message.headers)
        return whole

    def handle_message(self, message: Message) -> None:
        """Hand `message` to the question that it answers; an event that answers none, to the callback."""
        if self.version is None:
            if message.kind != "banner":
                raise FramingError(f"Its first words are {message.kind[:40]!r}.")
            self.version = message.name
        elif message.kind == "Event":
            # An event may carry the ActionID of what caused it (OriginateResponse): only a list takes events.
            question = self.responses.get(message.action_id) if self.responses else None
            if question is not None and question.wants_list and question.responses:
                self._answer(question, message)
            elif message.is_told_by_itself:
                self._tell(message)
            else:
                self._counters.strays += 1
        elif message.kind == "Response":
            question = self.responses.get(message.action_id)
            if question is None:
                self._counters.strays += 1
            else:
                self._answer(question, message)
        else:
            # Not a reason to drop: a caller's value with two line ends in it must not cost the link.
            self._counters.strays += 1

    def _answer(self, question: Question, message: Message) -> None:
        if question.future.done():
            self._counters.late_answers += 1
        elif len(question.responses) >= LIST_LIMIT_MESSAGES:
            self._counters.overflows += 1
            question.future.set_exception(
                LinkOverflow(f"The list of {question.name} has over {LIST_LIMIT_MESSAGES} messages.")
            )
        if question.take(message):
            self.responses.pop(question.id, None)

    def _tell(self, event: Message) -> None:
        self._counters.events += 1
        try:
            self._on_event(event)
        except Exception:  # whatever it is: a fault in a listener must not cost the link
            self._counters.callback_errors += 1
            count = self._counters.callback_errors
            if count & (count - 1) == 0:  # the 1st, 2nd, 4th, 8th …: nor may it fill the disk
                log.exception("ami_callback_failed", extra={"ami_event": event.name, "count": count})

    def connection_lost(self, exc: BaseException | None) -> None:
        """Called by asyncio when the connection is gone."""
        self.drop(f"The connection broke: {exc}." if exc else "Asterisk closed the connection.")

    def close(self) -> None:
        """End the connection from this side."""
        self.drop("The gateway closed the connection.")

    def drop(self, reason: str) -> None:
        """End the connection for a `reason` in words; every open question fails with AsteriskAway.

        What is not yet sent is thrown away: after a drop nobody expects it to happen any more.
        """
        if self.closed:
            return
        self.closed = True
        self.transport.abort()
        for question in self.responses.values():
            if not question.future.done():
                question.future.set_exception(AsteriskAway(reason))
        self.responses.clear()
        self.dropped.set_result(reason)


def _words(response: Message) -> str:
    """Asterisk's own words for a refusal; a failed Command says them in its output."""
    return " / ".join(response.all("Output")) or response.get("Message", "no reason given")
