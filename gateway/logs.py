"""Logs for people and for machines: one line an event, a static name first, then what identifies it. Each line that
concerns a call has that call's id as `call`, the same as in the journal, the ledger and the name of its recording. No
line has a caller's number.

Counterpart: every `log.info("event_name", extra={…})` in the house. Whoever works on one call does so `about` it, and
then every line of whatever it asks has the id, too.
"""

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

Form = Literal["text", "json"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CALL: ContextVar[str] = ContextVar("call", default="")


class about:  # it reads as a word of a sentence: with about(call.id)
    """Has every line that is logged inside, by whomever, have this call's id; None or empty: that of around."""

    __slots__ = ("_call_id", "_token")

    def __init__(self, call_id: str | None) -> None:
        self._call_id = call_id
        self._token: Token[str] | None = None

    def __enter__(self) -> None:
        if self._call_id:
            self._token = _CALL.set(self._call_id)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _CALL.reset(self._token)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extras = " ".join(f"{key}={_value(value)}" for key, value in _extras(record).items())
        line = f"{_time(record)} {record.levelname.lower()} {record.getMessage()} {extras}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "at": _time(record),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        # what a line says of itself never takes the place of these
        told |= {key if key not in told else f"{key}_": value for key, value in _extras(record).items()}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str, ensure_ascii=False, separators=(",", ":"))


def _extras(record: logging.LogRecord) -> Mapping[str, Any]:
    """What the line says besides its name, the call first."""
    extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    call_id = extras.pop("call", None) or _CALL.get()
    return {"call": call_id, **extras} if call_id else extras


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _value(value: object) -> str:
    text = str(value)
    # what a terminal obeys, or shows as another line, is no printable sign
    return repr(text) if not text.isprintable() or not text or set(text) & set(" =\"'") else text


def set_up(form: Form = "text", level: str = "info") -> None:
    """Sends every log line to standard error."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_Json() if form == "json" else _Text())
    logging.basicConfig(level=level.upper(), handlers=[stream], force=True)
    # asyncio tells of slow callbacks and aiohttp of each request: neither is an event of the centre
    for chatty in ("aiohttp.access", "asyncio", "panoramisk", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
