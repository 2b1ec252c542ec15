"""How answers look: tables that fit into 80 columns, times of the centre's zone, and text that is only text.

Counterpart: the modules of the subjects, which say what stands in them.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

Cell = str | int | None | Text


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, empty: str, whole: Iterable[str] = ()
) -> RenderableType:
    """The rows under their title; the sentence `empty` where there is none. None is an empty cell; the columns that are
    named in `whole` are never broken."""
    made = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
    for name in columns:
        made.add_column(name, overflow="fold", no_wrap=name in whole)
    for row in rows:
        made.add_row(*(plain(cell) for cell in row))
    return made if made.row_count else Text(empty)


def facts(title: str, rows: Iterable[tuple[str, Cell]]) -> RenderableType:
    """Names and values, one a line. A value is never cut: it may be copied from here."""
    made = Table(box=None, show_header=False, padding=(0, 2))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(name, plain(value))
    return Group(plain(title), made)


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
