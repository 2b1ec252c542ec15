"""Importing a roster: a file's lines against the books and the roster of their days, worked out before anything is
stored.

Counterparts: `domain/exchange.py` and `domain/takeover.py` hold the rules, `office.py` stores what comes of them.
"""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from gateway.bookkeeper import Bookkeeper
from gateway.domain import takeover
from gateway.domain.audit import Actor, Deed
from gateway.domain.books import Books
from gateway.domain.coverage import Hole
from gateway.domain.exchange import Fault, Sheet
from gateway.domain.kept import Kept
from gateway.domain.takeover import Takeover

_THREAD = ThreadPoolExecutor(1, "importing")
"""Its own: whoever imports keeps all others from storing meanwhile, and must not wait for those who only look."""


@dataclass  # not frozen: a context that an exception leaves writes to it
class Faulty(Exception):
    """The file cannot be imported; nothing of it is."""

    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do. `cut` of the retired ones go on outside of the file's days."""

    lines: int = 0
    added: int = 0
    retired: int = 0
    cut: int = 0
    unchanged: int = 0
    holes: tuple[Hole, ...] = ()
    warnings: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Import:
    """A file as it is to be taken over: its days (None where it has no line), and what comes of them."""

    sheet: Sheet
    span: tuple[date, date] | None
    takeover: Takeover
    warnings: tuple[Fault, ...] = ()

    @property
    def changes(self) -> tuple[Kept, ...]:
        """Everything as it is to be stored."""
        return (*self.takeover.ended, *self.takeover.added, *self.takeover.outside)

    def told(self, holes: tuple[Hole, ...]) -> Imported:
        """The same as an answer, with the holes that it leaves."""
        made = self.takeover
        return Imported(
            lines=len(self.sheet.lines),
            added=len(made.added),
            retired=len(made.ended),
            cut=made.cut,
            unchanged=made.unchanged,
            holes=holes,
            warnings=self.warnings,
        )

    def deed(self, actor: Actor, at: datetime, *, replaces: bool, sha256: str) -> Deed:
        """The one deed of the whole import.

        What was before and what is after can still be told: each assignment that the import ended has this deed's time
        as its retired_at and is otherwise as it was, each that it made has it as its created_at; and the file can be
        told from any other by its hash.
        """
        if self.span is None:
            raise ValueError("a file without a line imports nothing")
        first, last = self.span
        made = self.takeover
        data = {
            "first_date": first.isoformat(),
            "last_date": last.isoformat(),
            "queues": sorted({each.queue for each in self.sheet.lines}),
            "replaces": replaces,
            "lines": len(self.sheet.lines),
            "added": len(made.added),
            "retired": len(made.ended),
            "cut": made.cut,
            "unchanged": made.unchanged,
            "sha256": sha256,
        }
        note = ", ".join(f"{name} {data[name]}" for name in ("lines", "added", "retired", "cut", "unchanged", "sha256"))
        if made.ended:
            note += f", retired ids {ranges(each.id for each in made.ended)}"
        return Deed(at, actor, "roster.imported", subject=f"roster/{first}/{last}", data=data, note=note)


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as people write them: 3-7 9 12-13."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1][1:] = [number]
        else:
            found.append([number])
    return " ".join("-".join(map(str, each)) for each in found)


async def work_out(bookkeeper: Bookkeeper, books: Books, sheet: Sheet, *, replaces: bool, now: datetime) -> Import:
    """What the sheet comes to. Raises Faulty with everything that is wrong with it, StoreAway."""
    span = sheet.span
    run = asyncio.get_running_loop().run_in_executor
    found = await run(_THREAD, takeover.resolve, sheet, books, now)
    faults = [*sheet.faults, *found.faults]
    made = Takeover()
    if span is not None and not sheet.is_too_long:
        plan = await bookkeeper.plan(*span)
        made = await run(_THREAD, partial(takeover.take_over, found, books, plan, span, replaces=replaces, now=now))
        faults += made.faults
    if faults:
        raise Faulty(tuple(sorted(faults)))
    return Import(sheet, span, made, tuple(found.warnings))
