"""Erasing: one person's data goes because that person asks for it (UU 27/2022). Two people of the centre do it: one
asks, another confirms. What a legal hold keeps stays until it is lifted.

Counterparts: `gateway/erasing.py` carries it out; `gateway/api/erasures.py` is where it is asked for;
docs/decisions/0020 says what goes, what stays, and why.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from gateway.domain.kept import Kept

NUMBER_PATTERN = r"^\+?[0-9]{6,20}$"
"""Whole numbers alone: what is shorter would be found in what has nothing to do with the person."""
CONFIRM_WITHIN = timedelta(days=7)
COUNTRY = "62"
SEPARATORS = "[-.]*"
"""What a trunk's filter may leave between two digits of a number."""
PERSONAL = ("caller_name", "sip_call_id", "diversion", "access_network", "geolocation", "location")
"""What a call and its events tell of the person beside the number."""
SAID = "note"
"""What an operator wrote of the person's call."""


class State(StrEnum):
    """Where an erasure stands."""

    ASKED = "asked"
    EXPIRED = "expired"
    """Nobody confirmed it in time."""
    CONFIRMED = "confirmed"
    """It goes on."""
    HELD = "held"
    """All is erased but calls under a legal hold: it goes on by itself when they are free."""
    DONE = "done"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure(Kept):
    """One person's request, by the number. Once it is over the number is gone from here, too."""

    KIND: ClassVar[str] = "erasure"
    SECRET: ClassVar[frozenset[str]] = frozenset({"number"})

    number: str
    """Empty once it is over."""
    reason: str
    asked_by: str
    pseudonym: str
    """What stands in the place of the number afterwards, in every place the same; nothing leads from it to the
    number."""
    confirmed_by: str = ""
    confirmed_at: datetime | None = None
    done_at: datetime | None = None
    calls: int = 0
    """How many calls were made nobody's."""
    recordings: int = 0
    """How many recordings were destroyed."""
    left_out: int = 0
    """How many calls a legal hold keeps: as long as there are any it is not done."""

    def state(self, at: datetime) -> State:
        if self.done_at is not None:
            return State.DONE
        if self.confirmed_at is not None:
            return State.HELD if self.left_out else State.CONFIRMED
        if (self.retired_at or at) > self.created_at + CONFIRM_WITHIN:
            return State.EXPIRED
        return State.ASKED if self.is_active else State.WITHDRAWN

    @property
    def rule(self) -> str:
        """As the certificates of the recordings name it."""
        return f"request of the person, erasure {self.id}"


def forms(number: str) -> tuple[str, ...]:
    """The ways in which carriers write that number: in the country, and from anywhere in the world."""
    digits = number.removeprefix("+")
    national = digits.removeprefix(COUNTRY) if digits.startswith(COUNTRY) else digits.removeprefix("0")
    if digits.startswith(("0", COUNTRY)) and len(national) >= 5:
        return (f"0{national}", f"{COUNTRY}{national}", f"+{COUNTRY}{national}")
    return (digits, f"+{digits}")


class Redaction:
    """Takes the number out of what was written. `calls` are the person's: of their events what else is personal goes,
    too."""

    def __init__(self, numbers: tuple[str, ...], pseudonym: str) -> None:
        longest_first = sorted(numbers, key=len, reverse=True)
        spelt = (SEPARATORS.join(map(re.escape, number)) for number in longest_first)
        # in the journal's words what stands before it may be an encoded sign, whose end is no digit of the number's
        before = "(?:(?<![0-9+])|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2}))"
        self._pattern = re.compile(rf"{before}(?:{'|'.join(spelt)})(?![0-9])")
        self._pseudonym = pseudonym

    def of_text(self, text: str) -> str:
        return self._pattern.sub(self._pseudonym, text)

    def of_data(self, data: Mapping[str, Any], *, is_theirs: bool) -> dict[str, Any]:
        """An event's data without the number; of an event of the person's own call without what else is personal."""
        kept: dict[str, Any] = {name: self._of(value) for name, value in data.items()}
        if is_theirs:
            said = (SAID, "reason") if "callback_id" in data else (SAID,)
            kept |= {name: "" for name in (*PERSONAL, *said) if kept.get(name)}
        return kept

    def _of(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.of_text(value)
        if isinstance(value, Mapping):
            return {name: self._of(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._of(item) for item in value]
        return value
