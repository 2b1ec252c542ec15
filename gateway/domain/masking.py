"""Masked numbers: what stands in a caller's place for those who need not know whom they could call.

Counterparts: `tokens.py` says who sees numbers whole (`May.SEE_NUMBERS`); `gateway/api/` passes all that it tells
anybody else through here, whatever it is about.

A number keeps its first four and its last three digits, and its length: `0812****789`. That says which carrier's it is,
and tells two callers of one day apart nearly always; it calls nobody.
"""

import re
from collections.abc import Iterator
from typing import Any

from gateway.domain.flow import FLOOD_NUMBER

MASK = "*"
NUMBER_FIELDS = frozenset({"caller", "number"})
"""Fields that hold a caller's number and nothing else, in whatever is told."""
_NOT_CALLERS = frozenset({"phone", "phones", "operator", "relieved_by", "access_network", "hash", "previous", "head"})
"""Fields of the centre's own phones and the agencies', of networks and of hashes: what is in them stays."""
_NOBODYS = re.compile(r"|anonymous|unknown|restricted|unavailable|private|withheld|\+?0+|112", re.IGNORECASE)
_LEAST = 7
"""What is shorter is no whole number, and may be anything where it stands in a text."""
_BETWEEN = r"[ ./\u2013-]"
_IN_TEXT = re.compile(
    r"(?<![0-9A-Za-z._=-])"
    r"(?:\+?[0-9]{9,20}"
    r"|(?!62(?:\.[0-2]?[0-9]{1,2}){3}(?![0-9]))"  # an address of IPv4; none begins with 0 and more digits
    r"(?:\+?62[ .-]?(?:\(0\))?|\(?0)[ -]?\(?[0-9]{2,4}\)?"
    rf"{_BETWEEN}{{0,3}}[0-9]{{2,8}}(?:{_BETWEEN}{{1,3}}[0-9]{{2,5}}){{0,3}})"
    r"(?![0-9A-Za-z_-]|\.[0-9])"
)
"""A telephone number in the midst of other words, in whatever groups people write it; no call's id
(`112-1795476254.0`), no time, no hash. What has less than _LEAST_IN_TEXT digits is none."""
_LEAST_IN_TEXT = 9


def mask(number: str) -> str:
    """The number, masked. What is nobody's (withheld, zeros, 112) stays as it is."""
    if _NOBODYS.fullmatch(number):
        return number
    if len(number) < _LEAST:
        return MASK * len(number)
    head, tail = (4, 3) if len(number) > 9 else (2, 2)
    return number[:head] + MASK * (len(number) - head - tail) + number[-tail:]


def masked(told: Any) -> Any:
    """The same JSON with every caller's number masked: in the fields that are meant for one, and wherever such a
    number, or what looks like one, stands in a text."""
    known = "|".join(map(re.escape, sorted({each for each in _numbers(told) if len(each) >= _LEAST})))
    return _walk(told, re.compile(rf"(?<![0-9])(?:\+?62|0)?(?:{known})(?![0-9])") if known else None)


def _number_fields(told: dict[str, Any]) -> frozenset[str]:
    """Which of its fields hold a number: an alarm about one has it as its subject."""
    return NUMBER_FIELDS | {"subject"} if told.get("kind") == FLOOD_NUMBER else NUMBER_FIELDS


def _numbers(told: Any) -> Iterator[str]:
    """What stands in the fields of numbers, without a country's or a long-distance prefix."""
    if isinstance(told, dict):
        fields = _number_fields(told)
        for name, value in told.items():
            if name in fields and isinstance(value, str) and not _NOBODYS.fullmatch(value):
                yield re.sub(r"^\+?(62|0)?", "", value)
            elif name not in _NOT_CALLERS:
                yield from _numbers(value)
    elif isinstance(told, list):
        for each in told:
            yield from _numbers(each)


def _walk(told: Any, known: re.Pattern[str] | None) -> Any:
    if isinstance(told, dict):
        fields = _number_fields(told)
        return {
            name: value
            if name in _NOT_CALLERS
            else mask(value)
            if name in fields and isinstance(value, str)
            else _walk(value, known)
            for name, value in told.items()
        }
    if isinstance(told, list):
        return [_walk(each, known) for each in told]
    if not isinstance(told, str):
        return told
    text = known.sub(_masked_part, told) if known else told
    return _IN_TEXT.sub(_masked_in_text, text)


def _masked_part(found: re.Match[str]) -> str:
    return mask(found[0])


def _masked_in_text(found: re.Match[str]) -> str:
    is_number = sum(each.isdigit() for each in found[0]) >= _LEAST_IN_TEXT
    return mask(found[0]) if is_number else found[0]
