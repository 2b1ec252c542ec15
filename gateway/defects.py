"""Defects: exceptions that nobody expected, at places that must go on whatever happens in them. Each is logged whole,
and none floods the log.

Counterparts: `keeper.py`, `listening.py`, `evidence.py` and whoever else looks around over and over.
"""

import logging

log = logging.getLogger(__name__)

KINDS_KNOWN = 100
"""One more, and the oldest is forgotten, and logged whole when it comes again."""
TOLD_AGAIN = 3600
"""A defect that comes again and again is logged the first time and then once in so many."""


class Defects:
    """`event` is the static name under which they are logged."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._counts: dict[tuple[str, str, int], int] = {}

    def tell(self, error: Exception) -> None:
        """Logs the exception with where it came from. Two are of one kind where both were raised in the same line."""
        kind = _kind(error)
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if len(self._counts) > KINDS_KNOWN:
            del self._counts[next(iter(self._counts))]
        if count % TOLD_AGAIN == 1:
            log.error(self._event, exc_info=error, extra={"count": count})


def _kind(error: Exception) -> tuple[str, str, int]:
    """What it is, and the file and line that raised it."""
    at, file, line = error.__traceback__, "", 0
    while at is not None:
        file, line, at = at.tb_frame.f_code.co_filename, at.tb_lineno, at.tb_next
    return type(error).__qualname__, file, line
