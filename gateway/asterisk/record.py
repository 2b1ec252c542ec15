"""One record of the journal: the bytes of a line in, a value out. Pure, like the AMI framing.

Counterpart: `asterisk-config/cel_custom.conf`, which lays down the form. Each value there is URI-encoded, so a line end
always ends a record and a comma always ends a field, whatever a caller put into his name.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

FORM = b"CEL1,"
FIELDS = 12
MAX_RECORD_BYTES = 65536


class Unreadable(ValueError):
    """The line is not a record of the journal's form."""


@dataclass(frozen=True, slots=True)
class Record:
    """A channel event as Asterisk wrote it. Asterisk's documentation calls the fields by the same names (CEL)."""

    at: datetime
    kind: str
    is_user_defined: bool
    linked_id: str
    unique_id: str
    channel: str
    caller: str
    peer: str
    extra: dict[str, Any]

    @property
    def is_callers(self) -> bool:
        """True for the channel that began the call, False for a phone that was rung for it."""
        return self.unique_id == self.linked_id

    @property
    def values(self) -> dict[str, str]:
        """What the dialplan wrote into its own event: `name=value&name=value`."""
        return dict(parse_qsl(str(self.extra.get("extra", "")), keep_blank_values=True))


def parse(line: bytes) -> Record:
    """The record in `line`, which has no line end.

    Raises Unreadable, with the reason.
    """
    fields = line.split(b",")
    if not line.startswith(FORM) or len(fields) != FIELDS:
        raise Unreadable(f"has {len(fields)} fields, or does not begin with {FORM.decode()}")
    try:
        values = [
            unquote(field, errors="replace") if "%" in field else field for field in line.decode("ascii").split(",")
        ]
        seconds, _, micros = values[1].partition(".")
        at = datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=int(micros.ljust(6, "0")[:6]))
        extra = json.loads(values[11]) if values[11] else {}
    except (UnicodeDecodeError, ValueError, OverflowError, RecursionError, OSError) as error:
        raise Unreadable(str(error)) from error
    if not isinstance(extra, dict):
        raise Unreadable("its extra is not an object")
    return Record(
        at=at,
        kind=values[2],
        is_user_defined=values[3] != "",
        linked_id=values[4],
        unique_id=values[5],
        channel=values[6],
        caller=values[7],
        peer=values[10],
        extra=extra,
    )


def split(line: bytes) -> list[bytes]:
    """The line as the records that it may hold: where a record was cut off and the next one follows on the same line
    (Asterisk died, or the disk was full), the torn part and the whole one are taken apart.

    A record is known by the number of its fields, counted from the line's end: a caller may be called as a record
    begins (CEL1), and that divides nothing.
    """
    whole: list[bytes] = []
    while (start := _last_record(line)) is not None:
        whole.append(line[start:])
        line = line[:start]
    torn = line.split(FORM)
    return [part for part in (torn[0], *(FORM + rest for rest in torn[1:]), *reversed(whole)) if part]


def _last_record(line: bytes) -> int | None:
    """Where the record begins that ends the line; None where none does."""
    fields = line.rsplit(b",", FIELDS - 1)
    if len(fields) < FIELDS or not (fields[0] + b",").endswith(FORM):
        return None
    return len(fields[0]) + 1 - len(FORM)
