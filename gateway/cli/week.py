"""The roster as a table that one reads at a glance: days as columns, shifts as rows, names in the cells.

Counterpart: `roster.py` asks the API for what stands in it. Nothing here asks, waits or knows what day it is.

A hole is marked in the row of the shift whose hours it falls into, on that day; one outside of every shift has a row of
its own. So each hole of the days shown is somewhere in the table, as a word.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.tables import alert, hours, plain, written
from gateway.domain.coverage import Hole
from gateway.domain.roster import Duty
from gateway.domain.shifts import Shift, moment, occurrence

DAY = timedelta(days=1)
MOST_DAYS = 7
SHIFT_WIDTH = 10
NAME_WIDTH, WIDEST = 9, 24
"""What a day has in 80 columns, and what it has at most."""
NOBODY = "NOBODY"
NO_SHIFT = "no shift"

Span = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What is on the roster: duties and holes, and of shifts, operators and queues what is needed to name them."""

    zone: ZoneInfo
    duties: Sequence[Duty] = ()
    holes: Sequence[Hole] = ()
    shifts: Mapping[int, Shift] = field(default_factory=dict)
    people: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """An operator's name and phone, by id."""
    minimums: Mapping[str, int] = field(default_factory=dict)
    """How many must be there, by queue; in the order in which queues are shown."""
    standing: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The phones that have a place at any hour, by queue."""


def render(sheet: Sheet, first: date, last: date, *, today: date, width: int) -> RenderableType:
    """The days from `first` to `last` in a terminal of so many columns; a week at once, or less where it is narrow."""
    at_once = max(1, min(MOST_DAYS, (width - SHIFT_WIDTH) // (NAME_WIDTH + 1)))
    parts: list[RenderableType] = []
    start = first
    while start <= last:
        days = [start + DAY * number for number in range(min(at_once, (last - start).days + 1))]
        parts += _part(sheet, days, today, width)
        start = days[-1] + DAY
    return Group(*parts)


def _part(sheet: Sheet, days: Sequence[date], today: date, width: int) -> Iterator[RenderableType]:
    named = f"{days[0]:week %G-W%V}, " if len(days) == MOST_DAYS and days[0].weekday() == 0 else ""
    yield Text(f"Roster, {named}{written(days[0], days[-1])} (times of {sheet.zone.key})")
    room = min(WIDEST, max(NAME_WIDTH, (width - SHIFT_WIDTH) // len(days) - 1))
    short = abbreviations(sheet.people, room)
    is_empty = True
    for queue, minimum in sheet.minimums.items():
        page, standing = _Page(sheet, queue, days, short), sheet.standing.get(queue, ())
        if page.is_empty and not standing:
            continue
        is_empty = False
        yield Text("")
        yield _title(queue, minimum, page.below)
        if standing:
            yield Text(f"At any hour, whatever the roster says: {', '.join(standing)}")
        if not page.is_empty:
            yield _table(page, today, room)
    if is_empty:
        yield Text("\nNobody is on the roster in these days, and no queue has a minimum.")
    yield Text("")


def _title(queue: str, minimum: int, below: timedelta) -> Text:
    said = Text(f"Queue {queue}: ")
    said.append(f"at least {minimum} at any time" if minimum else "no minimum")
    if below:
        said.append(", ")
        said.append_text(alert(f"BELOW THAT for {f'{below / timedelta(hours=1):.1f}'.removesuffix('.0')} h"))
    return said


def _table(page: "_Page", today: date, room: int) -> Table:
    made = Table(box=box.SQUARE, show_edge=False, show_lines=True, padding=0, pad_edge=False)
    made.add_column("", width=SHIFT_WIDTH, overflow="fold")
    for day in page.days:
        # a word in the head's second line: colour alone would be lost in a log
        head = Text(f"{day:%a} {day.day}", style="reverse" if day == today else "")
        if today in page.days:
            head.append("\ntoday" if day == today else "\n")
        made.add_column(head, width=room, overflow="fold")
    for shift in page.rows:
        made.add_row(_label(shift), *(page.cell(shift, day) for day in page.days))
    if page.rest:
        made.add_row(NO_SHIFT, *(page.outside(day) for day in page.days))
    return made


def _label(shift: Shift) -> Text:
    when = _lines(hours(f"{shift.start:%H:%M}", f"{shift.end:%H:%M}"), SHIFT_WIDTH)
    return Text.assemble(plain(shift.name), f"\n{when}")


class _Page:
    """One queue on some days."""

    def __init__(self, sheet: Sheet, queue: str, days: Sequence[date], short: Mapping[int, str]) -> None:
        self.days = days
        self._sheet, self._zone, self._short = sheet, sheet.zone, short
        self._duties: dict[tuple[int, date], list[Duty]] = {}
        for duty in sheet.duties:
            if duty.queue == queue and duty.date in days and duty.shift_id in sheet.shifts:
                self._duties.setdefault((duty.shift_id, duty.date), []).append(duty)
        self._holes = [hole for hole in sheet.holes if hole.queue == queue]
        self.rows, self.rest = self._laid_out()

    @property
    def is_empty(self) -> bool:
        return not self.rows and not self.rest

    @property
    def below(self) -> timedelta:
        """For how long of these days the queue has too few."""
        spans = (_common((hole.starts_at, hole.ends_at), self._whole) for hole in self._holes)
        return sum((end - start for start, end in spans if start < end), timedelta())

    @property
    def _whole(self) -> Span:
        return self._midnight(self.days[0]), self._midnight(self.days[-1] + DAY)

    def cell(self, shift: Shift, day: date) -> Text:
        """Who works that shift on that day, and how many are missing."""
        there = occurrence(shift, day, self._zone)
        span = (there.starts_at, there.ends_at)
        lines: list[Text] = []
        known = self._duties.get((shift.id, day), [])
        for duty in sorted(known, key=lambda duty: (duty.penalty, self._short[duty.operator_id], duty.starts_at)):
            own = (duty.starts_at, duty.ends_at)
            lines.append(plain(self._short[duty.operator_id]))
            if own != span:
                lines.append(self._hours(own))
        if self._takes_place(shift, day):
            lines += self._marks(span)
        return Text("\n").join(lines)

    def outside(self, day: date) -> Text:
        """What is missing on that day outside of every shift."""
        whole = (self._midnight(day), self._midnight(day + DAY))
        parts = [_common(part, whole) for part in self.rest]
        return Text("\n").join(line for part in parts for line in self._marks(part, tells_when=True))

    def _marks(self, span: Span, *, tells_when: bool = False) -> Iterator[Text]:
        for hole in self._holes:
            part = _common((hole.starts_at, hole.ends_at), span)
            if part[0] < part[1]:
                missing = hole.minimum - hole.rostered
                yield alert(f"{missing} MISSING" if hole.rostered else NOBODY)
                if part != span or tells_when:
                    yield self._hours(part)

    def _laid_out(self) -> tuple[list[Shift], list[Span]]:
        """The shifts to show: those that somebody works, and those that somebody should work. With them, the holes that
        lie in none."""
        chosen = {shift_id for shift_id, _ in self._duties}
        spans = (_common((hole.starts_at, hole.ends_at), self._whole) for hole in self._holes)
        rest = self._outside_of(chosen, [span for span in spans if span[0] < span[1]])
        others = [shift for shift in self._sheet.shifts.values() if shift.is_active and shift.id not in chosen]
        while rest and others:
            # the shift that takes most of what is left: one of a few hours' training is not shown for it
            left = {shift.id: self._outside_of([shift.id], rest) for shift in others}
            best = min(others, key=lambda shift: (_length(left[shift.id]), shift.start, shift.id))
            if _length(left[best.id]) == _length(rest):
                break
            chosen.add(best.id)
            rest = left[best.id]
            others.remove(best)
        rows = sorted((self._sheet.shifts[each] for each in chosen), key=lambda shift: (shift.start, shift.name))
        return rows, rest

    def _outside_of(self, shifts: Iterable[int], spans: list[Span]) -> list[Span]:
        """What of the spans lies in none of these shifts. A night that began on the day before counts, though it is not
        shown: it is the day before's."""
        for shift in (self._sheet.shifts[shift_id] for shift_id in shifts):
            for day in (self.days[0] - DAY, *self.days):
                if self._takes_place(shift, day):
                    there = occurrence(shift, day, self._zone)
                    spans = [part for span in spans for part in _without(span, (there.starts_at, there.ends_at))]
        return spans

    def _takes_place(self, shift: Shift, day: date) -> bool:
        """Whether the shift is to be looked at on that day. Its rule is not asked: the minimum holds on every day, and
        these are the hours to fill."""
        return shift.first_date <= day <= (shift.last_date or day) and day not in shift.exceptions

    def _hours(self, span: Span) -> Text:
        start, end = (f"{each.astimezone(self._zone):%H:%M}" for each in span)
        return Text(_lines(f" {hours(start, end)}", NAME_WIDTH))

    def _midnight(self, day: date) -> datetime:
        return moment(day, datetime.min.time(), self._zone)


def abbreviations(people: Mapping[int, tuple[str, str]], room: int) -> dict[int, str]:
    """A name for each operator that fits into so many columns and is nobody else's: as much of the own name as can be,
    else the phone."""
    forms = {person: [form for form in _forms(name) if len(form) <= room] for person, (name, _) in people.items()}
    taken = Counter(form for own in forms.values() for form in set(own))
    return {
        person: next((form for form in own if taken[form] == 1), people[person][1]) for person, own in forms.items()
    }


def _forms(name: str) -> Iterator[str]:
    """The ways to write a name, the fullest first: Siti Aminah, Siti A., S. Aminah, Siti."""
    words = name.split() or [name]
    yield " ".join(words)
    if len(words) > 1:
        yield words[0]
        yield f"{words[0]} {words[-1][0]}."
        yield f"{words[0][0]}. {words[-1]}"
    if len(words[0]) > NAME_WIDTH:
        yield f"{words[0][: NAME_WIDTH - 1]}…"


def _lines(text: str, room: int) -> str:
    return text if len(text) <= room else text.replace("-", "-\n ", 1)


def _common(one: Span, other: Span) -> Span:
    return max(one[0], other[0]), min(one[1], other[1])


def _without(span: Span, other: Span) -> Iterator[Span]:
    start, end = _common(span, other)
    if start >= end:
        yield span
        return
    if span[0] < start:
        yield span[0], start
    if end < span[1]:
        yield end, span[1]


def _length(spans: Iterable[Span]) -> timedelta:
    return sum((end - start for start, end in spans), timedelta())
