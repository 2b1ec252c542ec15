"""Cursors: a place in a list that is walked by time and id, as text that a client hands back.

Counterparts: `call_list.py` for calls, `recording_reads.py` for recordings, `callback_reads.py` for callbacks.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime


class BadCursor(ValueError):
    """The cursor is not one that this list gave out."""


def written(at: datetime, thing_id: str) -> str:
    """The cursor of what has that time and id."""
    return urlsafe_b64encode(f"{at.isoformat()} {thing_id}".encode()).decode().rstrip("=")


def place(cursor: str) -> tuple[datetime, str]:
    """The time and id that the cursor stands for. Raises BadCursor."""
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
        time, _, thing_id = text.partition(" ")
        at = datetime.fromisoformat(time).astimezone(UTC)
    except (ValueError, OverflowError, binascii.Error) as error:
        raise BadCursor(BadCursor.__doc__) from error
    if written(at, thing_id) != cursor:
        raise BadCursor(BadCursor.__doc__)
    return at, thing_id
