"""The roster as a file for a spreadsheet: CSV read into lines, and lines written as CSV.

Counterparts: `takeover.py` says what a file's lines come to, `gateway/api/exchange.py` brings the file.

A spreadsheet takes a cell that begins with = + - or @ for a formula, and would run it on the planner's machine: such
a cell is written with an apostrophe before it, which reading takes off again.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from gateway.domain.roster import FIRST_DAY, LAST_DAY, LONGEST_RANGE

COLUMNS = ("date", "until", "shift", "phone", "queue", "penalty", "name")
NEEDED = frozenset({"date", "shift", "phone", "queue"})
MOST_LINES = 10_000
"""So many are stored within the time that a transaction may take, on either database."""
LARGEST_PENALTY = 1000
SHOWN = 40
"""Characters of a cell that are repeated where it is at fault."""

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_INDONESIAN = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_NUMBER = re.compile(r"[0-9]{1,4}")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_OTHER_SEPARATOR = re.compile(r"[\t|:]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file: somebody works a shift, on each of its days from the first to the last date."""

    number: int
    """Where it stands in the file; the header is line 1."""
    first: date
    last: date
    shift: str
    phone: str
    queue: str
    penalty: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Why the file cannot be taken as it is: the line, the column where it is one cell's fault, and the reason."""

    line: int
    column: str
    reason: str

    @property
    def place(self) -> str:
        return f"line {self.line}, column {self.column}" if self.column else f"line {self.line}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as far as it could be read, and what of it could not."""

    lines: tuple[Line, ...] = ()
    faults: tuple[Fault, ...] = ()
    damaged: tuple[Line, ...] = ()
    """Lines with a cell that cannot be read. They are there for their names alone, which may be wrong too."""

    @property
    def span(self) -> tuple[date, date] | None:
        """The first and the last day; None where there is no line."""
        if not self.lines:
            return None
        return min(line.first for line in self.lines), max(line.last for line in self.lines)

    @property
    def is_too_long(self) -> bool:
        """Whether the days lie too far apart: a year that was mistyped would have all between taken for the file's."""
        return self.span is not None and self.span[1] - self.span[0] > LONGEST_RANGE


class _Unreadable(ValueError):
    """A cell that is not what its column holds; the message says why."""


# ---------------------------------------------------------------- reading


def parse(text: str) -> Sheet:
    """The file's lines, and every fault in them. Cells are separated by `,` or `;`, whichever the header has; a blank
    line is none."""
    records = _records(text.removeprefix("\ufeff"))
    number, header = next(records, (1, []))
    if isinstance(header, str):
        return Sheet(faults=(Fault(number, "", header),))
    names = [_cell(name).casefold() for name in header]
    while names and not names[-1]:
        names.pop()
    if faults := _header_faults(number, names):
        return Sheet(faults=tuple(faults))
    lines: list[Line] = []
    damaged: list[Line] = []
    for count, (number, cells) in enumerate(records):
        if count == MOST_LINES:
            faults.append(Fault(number, "", f"is too many: a file has {MOST_LINES} lines at most"))
            break
        if isinstance(cells, str):
            faults.append(Fault(number, "", cells))
        elif any(_cell(cell) for cell in cells[len(names) :]):
            faults.append(Fault(number, "", f"has {len(cells)} cells, and the header {len(names)}"))
        else:
            line, wrong = _line(number, {name: _cell(cell) for name, cell in zip(names, cells, strict=False)})
            (damaged if wrong else lines).append(line)
            faults += wrong
    sheet = Sheet(tuple(lines), tuple(faults), tuple(damaged))
    return replace(sheet, faults=(*faults, *_span_faults(sheet)))


def shown(cell: str) -> str:
    """A cell as it is repeated to a person: short, and without what would do something to a terminal."""
    text = "".join(character if character.isprintable() else "?" for character in cell[: SHOWN + 1])
    return f"{text[:SHOWN]}…" if len(text) > SHOWN else text


def _records(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """Each record with the line that it begins on; where it cannot be read, the reason, and the end."""
    heading = next((line for line in io.StringIO(text) if line.strip(" \t\r\n;,")), "")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if heading.count(";") > heading.count(",") else ",", strict=True
    )
    while True:
        number = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"cannot be read from here on: {error}"
            return
        if any(cell.strip() for cell in record):
            yield number, record


def _cell(raw: str) -> str:
    cell = raw.strip()
    return cell[1:] if _GUARDED.match(cell) else cell


def _header_faults(number: int, names: Sequence[str]) -> list[Fault]:
    known = ", ".join(COLUMNS)
    if not names:
        return [Fault(number, "", f"is empty: the first line names the columns, {known}")]
    if len(names) == 1 and (other := _OTHER_SEPARATOR.search(names[0])):
        separator = "tabs" if other[0] == "\t" else other[0]
        return [Fault(number, "", f"has its cells separated by {separator}: separate them by , or ; instead")]
    found = [Fault(number, shown(name) or "?", f"is not among {known}") for name in names if name not in COLUMNS]
    found += [Fault(number, name, "is there twice") for name in COLUMNS if names.count(name) > 1]
    found += [Fault(number, name, "is missing") for name in COLUMNS if name in NEEDED and name not in names]
    return found


def _line(number: int, cells: Mapping[str, str]) -> tuple[Line, list[Fault]]:
    """The line, with the earliest of all days where its own cannot be read; and what is wrong with it."""
    faults: list[Fault] = []
    for column in COLUMNS:
        if column in NEEDED and not cells.get(column):
            faults.append(Fault(number, column, "is empty"))
    first = last = None
    penalty = 0
    for column, value in cells.items():
        try:
            if column == "date" and value:
                first = _date(value)
            elif column == "until" and value:
                last = _date(value)
            elif column == "penalty" and value:
                penalty = _penalty(value)
        except _Unreadable as error:
            faults.append(Fault(number, column, str(error)))
    if first and last and last < first:
        faults.append(Fault(number, "until", "is before the date"))
    names = {name: cells.get(name, "") for name in ("shift", "phone", "queue", "name")}
    first = first or FIRST_DAY
    return Line(number=number, first=first, last=last or first, penalty=penalty, **names), faults


def _date(text: str) -> date:
    if found := _ISO.fullmatch(text):
        year, month, day = map(int, found.groups())
    elif found := _INDONESIAN.fullmatch(text):
        day, month, year = map(int, found.groups())
    else:
        raise _Unreadable(f"{shown(text)} is not a date such as 2026-12-01 or 01/12/2026")
    try:
        there = date(year, month, day)
    except ValueError:
        raise _Unreadable(f"{text} is no day of the calendar") from None
    if not FIRST_DAY <= there <= LAST_DAY:
        raise _Unreadable(f"{text} does not lie between {FIRST_DAY} and {LAST_DAY}")
    return there


def _penalty(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > LARGEST_PENALTY:
        raise _Unreadable(f"{shown(text)} is not a number from 0 to {LARGEST_PENALTY}")
    return int(text)


def _span_faults(sheet: Sheet) -> Iterator[Fault]:
    if sheet.span and sheet.is_too_long:
        furthest = max(sheet.lines, key=lambda line: line.last)
        column = "date" if furthest.first == furthest.last else "until"
        reason = f"{furthest.last} is more than {LONGEST_RANGE.days} days after {sheet.span[0]}, the file's first day"
        yield Fault(furthest.number, column, reason)


# ---------------------------------------------------------------- writing


def write(lines: Iterable[Line]) -> str:
    """The lines as CSV (RFC 4180), under a header; `parse` makes the same of it. Their numbers are not written."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for line in lines:
        until = line.last.isoformat() if line.last != line.first else ""
        cells = (line.first.isoformat(), until, line.shift, line.phone, line.queue, str(line.penalty), line.name)
        writer.writerow([guarded(cell) for cell in cells])
    return out.getvalue()


def guarded(cell: str) -> str:
    """The cell as a spreadsheet shows it, whatever it begins with."""
    return f"'{cell}" if _FORMULA.match(cell) else cell
