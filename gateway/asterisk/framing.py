"""The Asterisk Manager Interface (AMI) as bytes and messages: no socket, no asyncio, no clock.

`Framing` turns the bytes of one connection into `Message` values, and `encode` turns an action into
bytes; `wire` is the counterpart that moves them. The grammar: a banner line, then messages; a message is
lines of `Name: value`, each ended by CR LF, and an empty line ends it
(https://docs.asterisk.org/Configuration/Interfaces/Asterisk-Manager-Interface-AMI/AMI-v2-Specification/).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.asterisk.errors import FramingError, UnsafeValue

MESSAGE_LIMIT_BYTES: Final = 1 << 20
"""Larger than any message that Asterisk writes; a peer that goes on without an empty line is not one."""

LINE_LIMIT_BYTES: Final = 1022
LINES_LIMIT: Final = 128
"""What Asterisk 22 reads of one action; beyond them it answers "line too long" or "too many lines"."""

_BANNER: Final = b"Asterisk Call Manager/"
_LINE_END: Final = b"\r\n"
_MESSAGE_END: Final = b"\r\n\r\n"

_FILE_BEGINS: Final = b"\r\nCategory-000000: "
"""How a file begins that an answer shows (GetConfig), below the answer's own lines."""
FILES_LIMIT: Final = 3
"""How many files are known as they were shown: phones and trunks, queues, bans."""

_HEADER_NAME: Final = re.compile(r"[!-9;-~]+")  # printable ASCII: no blank, no colon
_ENDS_A_LINE: Final = re.compile(r"[\r\n\0]")
_HEAD: Final = ("Event", "Privilege", "Timestamp", "SystemName")
_OF_DEBUGGING: Final = frozenset({"SequenceNumber", "File", "Line", "Func"})
"""What stands in that head too while somebody has had Asterisk tell it (`manager set debug on`)."""
_FOR_WHOM: Final = re.compile(r"[a-z,]+,all")


@dataclass(frozen=True, slots=True)
class Message:
    """One message from Asterisk: its headers in the order in which they came, never none."""

    headers: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> str:
        """The first header's name: "Event", "Response" or "banner"; anything else is not in AMI's grammar."""
        return self.headers[0][0]

    @property
    def name(self) -> str:
        """The first header's value: which event, which response ("Success"), which protocol version."""
        return self.headers[0][1]

    @property
    def is_told_by_itself(self) -> bool:
        """Whether it is an event that Asterisk tells of its own accord: such a one says for whom it is (`Privilege:
        call,all`), when it was and by which Asterisk, before anything that others chose; only FullyBooted may lack the
        latter two. A number, of 79 signs, or a stranger's name, of 36, has no room for that and for a lie as well."""
        begins = self.headers[: len(_HEAD) + len(_OF_DEBUGGING)]
        names = tuple(name for name, _ in begins if name not in _OF_DEBUGGING)[: len(_HEAD)]
        is_head = names == _HEAD or (self.name == "FullyBooted" and names[:2] == _HEAD[:2])
        return is_head and _FOR_WHOM.fullmatch(self.headers[1][1]) is not None

    @property
    def action_id(self) -> str:
        """The ActionID of the action that this answers, or ""."""
        return self.get("ActionID")

    def get(self, name: str, default: str = "") -> str:
        """The value of the first header of this name, in upper or lower case, or `default`."""
        wanted = name.lower()
        for header, value in self.headers:
            if header == name or header.lower() == wanted:
                return value
        return default

    def last(self, name: str) -> str:
        """The value of the last header of this name, or "". It is Asterisk's own where it comes after a number, in
        which lines of the same name may stand."""
        return (self.all(name) or ("",))[-1]

    def all(self, name: str) -> tuple[str, ...]:
        """The values of every header of this name, in order: `ChanVariable` and `Output` may repeat."""
        wanted = name.lower()
        return tuple(value for header, value in self.headers if header.lower() == wanted)


class Framing:
    """The reading side of one connection; make a new one for each.

    However the bytes are cut up on their way, the messages are the same.
    """

    def __init__(self, *, message_limit_bytes: int = MESSAGE_LIMIT_BYTES) -> None:
        self._limit_bytes = message_limit_bytes
        self._rest = bytearray()
        self._banner_may_come = True
        self._files: dict[bytes, tuple[tuple[str, str], ...]] = {}
        """Files that were shown, by their bytes: at each look Asterisk shows the same thousands of lines again."""

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes; an unfinished one waits for the next call.

        Raises FramingError when a message is larger than the limit. The messages before it in the same
        `data` go with it, and so does this object: whoever reads must connect again and read everything
        anew.
        """
        searched = max(0, len(self._rest) + 1 - len(_MESSAGE_END))
        self._rest += data
        banner = self._take_banner() if self._banner_may_come else []
        if banner:
            searched = 0
        if self._rest.find(_MESSAGE_END, searched) < 0:
            self._refuse_oversize(unfinished=self._rest)
            return banner

        *whole, rest = bytes(self._rest).split(_MESSAGE_END)
        self._refuse_oversize(*whole, unfinished=rest)
        self._rest[:] = rest
        return banner + [message for raw in whole if (message := self._message(raw))]

    def _message(self, raw: bytes) -> Message | None:
        head, begins, rest = raw.partition(_FILE_BEGINS)
        if not begins:
            return _parse(raw)
        answer, file = _headers(head), begins.removeprefix(_LINE_END) + rest
        if file not in self._files:
            if len(self._files) == FILES_LIMIT:
                del self._files[next(iter(self._files))]
            self._files[file] = _headers(file)
        return Message(answer + self._files[file])

    def _take_banner(self) -> list[Message]:
        """The banner stands at most once, first, and is the only message of a single line."""
        head = bytes(self._rest[: len(_BANNER)])
        if not head.startswith(_BANNER):
            self._banner_may_come = _BANNER.startswith(head)
            return []
        line, line_end, rest = self._rest.partition(_LINE_END)
        if not line_end:
            return []
        self._refuse_oversize(bytes(line), unfinished=b"")
        self._banner_may_come = False
        self._rest = rest
        return [Message((("banner", _text(line[len(_BANNER) :])),))]

    def _refuse_oversize(self, *whole: bytes, unfinished: bytes | bytearray) -> None:
        # All but the last byte of its end may already hang on to an unfinished message.
        longest_bytes = max(len(unfinished) + 1 - len(_MESSAGE_END), *map(len, whole), 0)
        if longest_bytes > self._limit_bytes:
            raise FramingError(f"A message is longer than {self._limit_bytes} bytes.")


def encode(action: Mapping[str, str] | Iterable[tuple[str, str]]) -> bytes:
    """The bytes of one action. Pairs may repeat a name, as `Variable` does in an Originate.

    Raises UnsafeValue for whatever Asterisk would not read as this one action with these values: a line
    end or a NUL (a caller's name could otherwise carry an action of its own), a header name with a blank
    or a colon, text that is not Unicode, more or longer lines than Asterisk takes.
    """
    pairs = action.items() if isinstance(action, Mapping) else action
    lines = [_line(name, value) for name, value in pairs]
    if not lines:
        raise UnsafeValue("Action", "is missing")
    if len(lines) > LINES_LIMIT:
        raise UnsafeValue(lines[0].decode(), f"has {len(lines)} lines, where Asterisk takes {LINES_LIMIT}")
    return _LINE_END.join(lines) + _MESSAGE_END


def _line(name: str, value: str) -> bytes:
    if not _HEADER_NAME.fullmatch(name):
        raise UnsafeValue(name[:40], "is not a header name")
    if _ENDS_A_LINE.search(value):
        raise UnsafeValue(name, "contains a line end or a NUL")
    try:
        line = f"{name}: {value}".encode()
    except UnicodeEncodeError:
        # Not chained: the cause would quote the value.
        raise UnsafeValue(name, "is not Unicode text") from None
    if len(line) > LINE_LIMIT_BYTES:
        raise UnsafeValue(name, f"makes a line of {len(line)} bytes, where Asterisk takes {LINE_LIMIT_BYTES}")
    return line


def _parse(raw: bytes) -> Message | None:
    """One message without its end, or None where there is nothing but stray line ends."""
    headers = _headers(raw)
    return Message(headers) if headers else None


def _headers(raw: bytes) -> tuple[tuple[str, str], ...]:
    """The lines of one message, or of its end.

    Only CR LF ends a line, so that any other control character stays inside its value. A line without a
    colon can only come from a CR LF within a value: it is put back where it was cut off.
    """
    headers: list[tuple[str, str]] = []
    for line in _text(raw.lstrip(_LINE_END)).split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers.append((name, value.removeprefix(" ")))
        elif headers:
            cut_name, cut_value = headers.pop()
            headers.append((cut_name, f"{cut_value}\r\n{line}"))
        elif line:
            headers.append((line, ""))
    return tuple(headers)


def _text(raw: bytes | bytearray) -> str:
    """Text that can be stored and sent on, whatever it was: a byte that is not UTF-8 is spelt out, `\\xe9`.

    Decoded in whole messages only, so a character that two reads share survives. (`surrogateescape` would
    keep the bytes, and fail later in every database and every JSON document.)
    """
    return raw.decode("utf-8", "backslashreplace")
