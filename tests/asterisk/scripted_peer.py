"""A peer that speaks AMI from a script: everything that Asterisk does to a link, and what it does only on a bad day.

Counterpart: `gateway.asterisk.link`, which takes it for Asterisk. It parses what it receives by itself, so that an
error in `framing` cannot hide behind its twin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
FULLY_BOOTED = b"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"

Action = dict[str, list[str]]
Answer = Callable[[Action], bytes]


def response(action: Action, kind: str, *lines: str) -> bytes:
    """A response to `action`, with more header lines."""
    return "\r\n".join([f"Response: {kind}", f"ActionID: {action['ActionID'][0]}", *lines, "", ""]).encode()


def event(name: str, *lines: str) -> bytes:
    """An event with its header lines."""
    head = ("Privilege: call,all", "Timestamp: 1795728270.812131", "SystemName: 112")
    return "\r\n".join([f"Event: {name}", *head, *lines, "", ""]).encode()


def silence(action: Action) -> bytes:
    """What a peer says that has nothing to say."""
    return b""


async def until(condition: Callable[[], object], limit_s: float = 10.0) -> None:
    """Return once `condition` holds. Raises TimeoutError after a limit that only a defect reaches."""
    async with asyncio.timeout(limit_s):
        while not condition():  # what is waited for knows of no event
            await asyncio.sleep(0.002)


class ScriptedPeer:
    """An AMI server on a free loopback port. `answers` says what each action gets; the rest gets Success."""

    def __init__(self) -> None:
        self.secret = "s3cret"
        self.banner = BANNER
        self.after_login = FULLY_BOOTED
        self.answers: dict[str, Answer] = {}
        self.actions: list[Action] = []
        """Every action that arrived, over all connections."""
        self.connections = 0
        self.is_mute = False
        """Takes everything and answers nothing: the far end of a half-open connection."""
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()
        await until(lambda: not self._writers)

    @property
    def open_connections(self) -> int:
        """How many links are connected now."""
        return len(self._writers)

    def asked(self, name: str) -> list[Action]:
        """The actions of this name that arrived."""
        return [action for action in self.actions if action["Action"] == [name]]

    def say(self, *pieces: bytes) -> None:
        """Send bytes to every connection."""
        for writer in self._writers:
            for piece in pieces:
                writer.write(piece)

    async def say_apart(self, *pieces: bytes) -> None:
        """Send each piece so that it arrives in a read of its own."""
        for piece in pieces:
            self.say(piece)
            for writer in tuple(self._writers):
                await writer.drain()
            await asyncio.sleep(0.01)

    def hang_up(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            writer.write(self.banner)
            while True:
                raw = await reader.readuntil(b"\r\n\r\n")
                self._take(raw, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # The link left, or the script hung up.
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    def _take(self, raw: bytes, writer: asyncio.StreamWriter) -> None:
        action: Action = {}
        for line in raw.decode().split("\r\n")[:-2]:
            name, _, value = line.partition(": ")
            action.setdefault(name, []).append(value)
        self.actions.append(action)
        if not self.is_mute:
            answer = self.answers.get(action["Action"][0], self._by_default)
            writer.write(answer(action))

    def _by_default(self, action: Action) -> bytes:
        match action["Action"]:
            case ["Login"] if action["Secret"] == [self.secret]:
                return response(action, "Success", "Message: Authentication accepted") + self.after_login
            case ["Login"]:
                return response(action, "Error", "Message: Authentication failed")
            case _:
                return response(action, "Success")
