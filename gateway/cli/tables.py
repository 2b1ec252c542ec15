"""How answers look: tables that fit into 80 columns where their words do, times of the centre's zone, and text that is
only text.

Counterpart: the modules of the subjects, which say what stands in them.

An id is there to be copied, so no word is ever broken: a table that cannot have it otherwise is wider than the
terminal, which then goes on in its next line and copies the word as one.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

Cell = str | int | None | Text

ENDLESS = 100_000
"""Columns of a file or a pipe."""
BETWEEN = 4
"""Columns that stand between two cells, at most."""


@dataclasses.dataclass(frozen=True, slots=True)
class Unbroken:
    """A table as wide as its words need it, whatever the terminal's width."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        least = sum((column.min_width or 1) + BETWEEN for column in self.table.columns)
        yield from console.render(self.table, options.update_width(max(options.max_width, least)))


def show(shown: RenderableType) -> None:
    """Prints an answer. A sentence is broken by the terminal alone, and in a file or a pipe nothing is."""
    console = Console(highlight=False)
    if not console.file.isatty():
        console.width = ENDLESS
    console.print(shown, soft_wrap=isinstance(shown, Text), crop=False)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, empty: str, whole: Iterable[str] = ()
) -> RenderableType:
    """The rows under their title; the sentence `empty` where there is none. None is an empty cell; the columns that are
    named in `whole` are not broken between words either."""
    made = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
    told = [[plain(cell) for cell in row] for row in rows]
    for place, name in enumerate(columns):
        cells = [Text(name), *(row[place] for row in told)]
        made.add_column(name, no_wrap=name in whole, min_width=_widest(cells, is_whole=name in whole))
    for row in told:
        made.add_row(*row)
    return Unbroken(made) if told else Text(empty)


def facts(title: str, rows: Iterable[tuple[str, Cell]]) -> RenderableType:
    """Names and values, one a line. A value is never cut: it may be copied from here."""
    told = [(plain(name), plain(value)) for name, value in rows]
    made = Table(box=None, show_header=False, padding=(0, 2))
    made.add_column(no_wrap=True, min_width=_widest((name for name, _ in told), is_whole=True))
    made.add_column(min_width=_widest((value for _, value in told), is_whole=False))
    for row in told:
        made.add_row(*row)
    return Group(plain(title), Unbroken(made))


def _widest(cells: Iterable[Text], *, is_whole: bool) -> int:
    """The columns that the longest line, or the longest word, of any of them takes."""
    texts = [cell.plain for cell in cells]
    parts = [part for text in texts for part in (text.splitlines() if is_whole else text.split())]
    return max(map(cell_len, parts), default=1)


def plain(value: Cell) -> Text:
    """The value as text: no markup, and no character that would do something to a terminal."""
    if isinstance(value, Text):
        return value
    text = "" if value is None else str(value)
    return Text("".join(character if character.isprintable() else "?" for character in text))


def alert(word: str) -> Text:
    """A word that is to be seen: the word is the signal, the colour only helps."""
    return Text(word, style="bold red")


def held(thing: dict[str, object]) -> Text:
    """Whether Asterisk holds a thing as it stands in the API's answer, and why not."""
    if thing["applied"]:
        return Text("yes")
    return Text.assemble(alert("NOT YET"), ": ", plain(str(thing["problem"] or "it gave no reason")))


def not_held(thing: dict[str, object]) -> str:
    """The same as a sentence where it does not; else nothing."""
    if thing["applied"]:
        return ""
    return f"Asterisk does not hold it yet: {thing['problem'] or 'it gave no reason'}. It is tried every 30 s."


def still_held(things: Iterable[dict[str, object]]) -> str:
    """Of things that were retired, what Asterisk has not let go of yet, as a sentence; nothing where it has."""
    problem = next((thing["problem"] or "it gave no reason" for thing in things if not thing["applied"]), None)
    return f"Asterisk has not let go of it yet: {problem}. It is tried every 30 s." if problem else ""


def lines(texts: Iterable[str]) -> Text:
    """One below the other."""
    return Text("\n").join(plain(text) for text in texts)


def moment(text: str | None, zone: ZoneInfo) -> str:
    """A time of the API's by the centre's wall clock, to the minute."""
    return "" if text is None else f"{datetime.fromisoformat(text).astimezone(zone):%Y-%m-%d %H:%M}"


def hours(start: str, end: str) -> str:
    """A stretch of a day, as short as a roster on paper has it: 06-14, or 06:30-14:00."""
    start, end = start[:5], end[:5]
    if start.endswith(":00") and end.endswith(":00"):
        return f"{start[:2]}-{end[:2]}"
    return f"{start}-{end}"


def written(first: date, last: date) -> str:
    """From a day to a day, in words: 23 to 29 November 2026."""
    if first == last:
        return f"{first.day} {first:%B %Y}"
    begin = f"{first.day}"
    if first.year != last.year:
        begin += f" {first:%B %Y}"
    elif first.month != last.month:
        begin += f" {first:%B}"
    return f"{begin} to {last.day} {last:%B %Y}"
