"""Byte ranges of RFC 9110, section 14: which part of something of a known size was asked for.

Counterpart: `sounds.py` sends that part of a recording.
"""

import re

_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))[ \t]*", re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range lies past the end."""


def byte_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """The bytes [start, stop) that the Range header asks for; None for everything.

    A header that is malformed, in another unit, or asks for several ranges is ignored, as 14.2 allows.
    Raises Unsatisfiable.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        if not int(suffix) or not size_bytes:
            raise Unsatisfiable(Unsatisfiable.__doc__)
        return max(0, size_bytes - int(suffix)), size_bytes
    start = int(first)
    stop = min(int(last) + 1 if last else size_bytes, size_bytes)
    if last and int(last) < start:
        return None
    if start >= size_bytes:
        raise Unsatisfiable(Unsatisfiable.__doc__)
    return start, stop
