"""Logs for people and for machines: one line an event, a static name first, then what identifies it.

Counterpart: every `log.info("event_name", extra={…})` in the house.
"""

import logging
import sys

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extras = " ".join(f"{key}={_value(value)}" for key, value in vars(record).items() if key not in _STANDARD)
        line = f"{self.formatTime(record)} {record.levelname.lower()} {record.getMessage()} {extras}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _value(value: object) -> str:
    text = str(value)
    return repr(text) if not text or set(text) & set(" \r\n\t=\"'") else text


def set_up(level: str = "INFO") -> None:
    """Sends every log line to standard error."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_Line())
    logging.basicConfig(level=level, handlers=[stream], force=True)
    # asyncio tells of slow callbacks and aiohttp of each request: neither is an event of the centre
    for chatty in ("aiohttp.access", "asyncio", "panoramisk", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
