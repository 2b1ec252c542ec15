"""Which line of a day's chain was changed, removed or added: from the signed end back to the first line, each holds the
hash of the one before, so it is that line, and none of those after it.

Counterparts: `following.py` asks and tells; `chain.py` wrote the lines.
"""

import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.vault.chain import UNREADABLE_LINE

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,150}\.json")
"""What a line of the chain may speak of."""


@dataclass(slots=True)
class Traced:
    """What came of it. `files` are those that the lines speak of which were signed, with their hashes; `removed`,
    `changed` and `added` tell of the others, for people."""

    files: dict[str, str] = field(default_factory=dict)
    first: Mapping[str, Any] | None = None
    """The first line, where it is the one that was signed."""
    removed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)


def trace(lines: Sequence[bytes], signed: tuple[int, str] | None) -> Traced:
    """Goes back from the end: `signed` says how many lines there were, and the last one's hash. Without it the last
    line is taken for the end. A line before one that was changed is believed, for nothing speaks of it any more."""
    hashes = [hashlib.sha256(line).hexdigest() for line in lines]
    places: dict[str, list[int]] = {}
    for at, sha256 in enumerate(hashes):
        places.setdefault(sha256, []).append(at)
    number, expected = signed or (len(lines), hashes[-1] if hashes else "")
    traced, left, files = Traced(), len(lines), []
    while number > 0:
        place = _last_before(left, places.get(expected, ()))
        if place is not None:
            traced.added += [f"line {each + 1} was added{_unreadable(lines[each])}" for each in range(place + 1, left)]
            left = place
            try:
                told = _read(lines[place])
            except UNREADABLE_LINE:
                traced.changed.append(f"line {left + 1} cannot be read")
                expected = hashes[left - 1]
            else:
                expected = told["previous"]
                files.append((told["file"], told["sha256"]))
                if told["entry"] != number:
                    traced.changed.append(f"line {left + 1} says that it is number {told['entry']}")
                if number == 1:
                    traced.first = told
            number -= 1
        elif left < number:
            which = f"line {number} is" if number == left + 1 else f"lines {left + 1} to {number} are"
            traced.removed.append(f"{which} not there, of those that were signed")
            number, expected = left, hashes[left - 1] if left else ""
        else:
            left, number = left - 1, number - 1
            traced.changed.append(f"line {left + 1} is not the one that was signed{_unreadable(lines[left])}")
            expected = _before(lines[left], places, left) or hashes[left - 1]
    traced.added += [f"line {each + 1} was added{_unreadable(lines[each])}" for each in range(left)]
    traced.files = dict(reversed(files))
    return traced


def _last_before(left: int, places: Sequence[int]) -> int | None:
    """The last one of them before that one: somebody may have copied a line to where it was not signed."""
    at = bisect_left(places, left)
    return places[at - 1] if at else None


def _before(line: bytes, places: Mapping[str, Sequence[int]], left: int) -> str | None:
    """Which line that one says it follows, if it is there."""
    try:
        named: str = _read(line)["previous"]
    except UNREADABLE_LINE:
        return None
    return None if _last_before(left, places.get(named, ())) is None else named


def _unreadable(line: bytes) -> str:
    try:
        _read(line)
    except UNREADABLE_LINE:
        return ": it cannot be read"
    return ""


def _read(line: bytes) -> dict[str, Any]:
    """Raises UNREADABLE_LINE."""
    told = json.loads(line)
    words = {name: str(told[name]) for name in ("previous", "file", "sha256")}
    if not _NAME.fullmatch(words["file"]):
        raise ValueError(words["file"])
    return {"entry": int(told["entry"]), "previous_day": told.get("previous_day"), **words}
