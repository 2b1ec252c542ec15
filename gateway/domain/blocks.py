"""Blocks: an admin's word, with a reason and an end, that a number is to hear a notice first. It keeps nobody out:
after the notice the caller waits for a person, behind the others.

Counterparts: `gateway/domain/books.py` writes the notes that `dialplan/notice.conf` reads; the end stands in the note,
so that a block ends by itself also while the gateway is dead.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from gateway.domain.kept import Invalid, Kept, Unfitting
from gateway.domain.numbers import is_nobodys, one_spelling

LONGEST = timedelta(hours=24)
NUMBER_PATTERN = r"^\+?[0-9]{3,20}$"
"""A number that somebody can have. Withheld ones (`anonymous`) are many people's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(Kept):
    """One block. It is over at `until`, or once it is retired."""

    KIND: ClassVar[str] = "block"

    number: str
    """Whole, in any spelling: it holds for each of them."""
    reason: str
    until: datetime

    def is_in_force(self, at: datetime) -> bool:
        """Whether it holds then. One that ends further away than a block may was made by a clock that was ahead."""
        return self.is_active and at < self.until <= at + LONGEST

    def is_of(self, caller: str) -> bool:
        """Whether that is its number, however it is written."""
        return one_spelling(self.number) == one_spelling(caller)

    @property
    def note(self) -> str:
        """The end in seconds since 1970, for the dialplan to compare."""
        return str(math.ceil(self.until.timestamp()))


def check(block: Block, others: Iterable[Block], now: datetime) -> None:
    """Raises Invalid for an end that is none or too far, or a number that is nobody's; Unfitting where the number is
    blocked already."""
    if is_nobodys(block.number):
        raise Invalid("number", "is that of every phone without a SIM: a block would hold for all of their callers")
    if block.until <= now:
        raise Invalid("until", "is not to come any more")
    if block.until - min(block.created_at, now) > LONGEST:
        hours = LONGEST // timedelta(hours=1)
        raise Invalid("until", f"is more than {hours} hours after the block was made: after them make another")
    if any(each.is_of(block.number) and each.id != block.id and each.is_in_force(now) for each in others):
        raise Unfitting("number", "is blocked already: change that block")
