"""One short talk with Asterisk's manager, by way of the package asterisk-ami, with that package's faults closed.

Counterpart: `manager.py` asks. What is guarded against (each seen in 0.1.7): three seconds of silence kill its
listener; a dead listener prints a traceback; a wait for an answer ends with None, and is then forgotten; CR LF in a
value begins a new header; closing does not wake the listener. So of the package only the framing, the parser and the
sending are used; the answers come through a bounded queue of our own.
"""

import contextlib
import queue
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from asterisk.ami import AMIClient, SimpleAction
from asterisk.ami.event import Event
from asterisk.ami.response import Response

MOST_PACKETS = 5000
"""What may wait to be read. More than that is no short talk, and ends it."""


class HotlineDead(Exception):
    """Asterisk's manager does not answer."""


class Refused(Exception):
    """Asterisk's manager answered with an error; the message is its own."""


class Hotline:
    """`with Hotline(…) as line:` connects and closes; every wait ends after `timeout_s`. Raises HotlineDead."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self._host, self._port, self._timeout_s = host, port, timeout_s
        self._client = _QuietClient(address=host, port=port, timeout=timeout_s)
        self._asked = 0

    def __enter__(self) -> Self:
        try:
            self._client.connect()
        except OSError as error:
            self._client.hang_up()
            raise HotlineDead(f"{self._host}:{self._port}: {error.strerror or error}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.hang_up()

    def ask(self, action: str, **values: str) -> Mapping[str, str]:
        """The headers of the answer. Raises Refused, HotlineDead."""
        action_id = self._send(action, values)
        while True:
            packet = self._next(action)
            if isinstance(packet, Response) and packet.keys.get("ActionID") == action_id:
                if packet.status.lower() == "error":
                    raise Refused(packet.keys.get("Message", "it gave no reason"))
                headers: Mapping[str, str] = packet.keys
                return headers

    def ask_list(self, action: str, **values: str) -> list[tuple[str, Mapping[str, str]]]:
        """The events that answer, as names and headers. Raises Refused, HotlineDead."""
        action_id = self._send(action, values)
        found: list[tuple[str, Mapping[str, str]]] = []
        while True:
            packet = self._next(action)
            if packet.keys.get("ActionID") != action_id:
                continue
            if isinstance(packet, Response):
                if packet.status.lower() == "error":
                    raise Refused(packet.keys.get("Message", "it gave no reason"))
            elif packet.keys.get("EventList") == "Complete":
                return found
            else:
                found.append((packet.name, packet.keys))

    def _send(self, action: str, values: Mapping[str, str]) -> str:
        for name, value in values.items():
            if any(ord(character) < 32 or ord(character) == 127 for character in value):
                raise ValueError(f"{action}: the value of {name} holds a control character")
        self._asked += 1
        action_id = f"doctor-{self._asked}"
        try:
            self._client.send(SimpleAction(action, ActionID=action_id, **values))
        except OSError as error:
            raise HotlineDead(f"the line broke while asking {action}: {error}") from None
        return action_id

    def _next(self, action: str) -> Any:
        """The next packet that is for us."""
        try:
            packet = self._client.packets.get(timeout=self._timeout_s)
        except queue.Empty:
            raise HotlineDead(f"{action} had no answer for {self._timeout_s:g} s") from None
        if packet is None:
            raise HotlineDead(f"the line broke while {action} was asked: {self._client.complaint}")
        return packet


class _QuietClient(AMIClient):  # type: ignore[misc]  # the package has no types
    """The package's client, whose listener puts what it reads into `packets` and ends without a word: None, once."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.packets: queue.Queue[Any] = queue.Queue(MOST_PACKETS)
        self.complaint = "closed by Asterisk"

    def listen(self) -> None:
        try:
            super().listen()
        except Exception as error:  # noqa: BLE001  # the package raises a bare Exception at a greeting that is no AMI
            self.complaint = str(error) or "what answers there is not Asterisk's manager"
        finally:
            self._put(None)

    def fire_recv_pack(self, pack: str) -> None:
        if Response.match(pack):
            self._put(Response.read(pack))
        elif Event.match(pack):
            self._put(Event.read(pack))

    def _put(self, packet: Any) -> None:
        try:
            self.packets.put_nowait(packet)
        except queue.Full:  # whoever asks has gone: nothing more is kept
            self.finished.set()

    def _fire_on_disconnect(self, error: Exception | None = None) -> None:
        if error is not None and not isinstance(error, StopIteration):
            self.complaint = str(error)

    def hang_up(self) -> None:
        """Closes, and waits for the listener's end."""
        if self._socket is None:
            return
        if self.finished is not None:
            self.finished.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the listener, which close alone does not
        self._socket.close()
        if self._thread is not None:
            self._thread.join(self._timeout)
