"""`gateway112 roster …`: who is to be there when, as a table, and as a file for a spreadsheet.

Counterparts: `gateway/api/coverage.py` and `gateway/api/exchange.py`; `week.py` draws the table.
"""

from argparse import ArgumentTypeError, Namespace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from gateway.cli import tables, week
from gateway.cli.client import Failed, Json, Problem
from gateway.cli.command import Commands, Desk, Reply, command, day, subject, write_file
from gateway.domain.coverage import Hole
from gateway.domain.roster import Duty
from gateway.domain.shifts import Shift

DAY = timedelta(days=1)
SHOWN, EXPORTED = 7, 28
"""Days, where no end is named."""
HOLES = 409
"""The status of an import that is refused for the holes it would leave."""


def add_to(commands: Commands) -> None:
    own = subject(commands, "roster", "Who is to be there when.")
    show = command(own, "show", show_roster, example="roster show --week 2026-W48")
    which = show.add_mutually_exclusive_group()
    which.add_argument("--week", type=_week, dest="first", metavar="WEEK", help="such as 2026-W48 (default: this week)")
    which.add_argument("--from", type=day, dest="first", metavar="DATE", help="the first day, instead of a week")
    show.add_argument("--to", type=day, dest="last", metavar="DATE", help=f"the last day (default: {SHOWN} days)")
    read = command(own, "import", import_roster, example="roster import december.csv --dry-run")
    read.add_argument("file", type=Path, metavar="FILE", help="a CSV file, as `gateway112 roster export` writes it")
    read.add_argument("--dry-run", action="store_true", help="only say what would change")
    read.add_argument(
        "--replace",
        action="store_true",
        help="make the file all that holds on its days, in its queues (default: it only adds)",
    )
    read.add_argument("--allow-gaps", action="store_true", help="take it with holes, which are then an alarm")
    write = command(own, "export", export_roster, example="roster export --from 2026-12-01 -o december.csv")
    write.add_argument("--from", type=day, dest="first", metavar="DATE", help="the first day (default: today)")
    write.add_argument("--to", type=day, dest="last", metavar="DATE", help=f"the last day (default: {EXPORTED} days)")
    write.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write it (default: this terminal)")


async def show_roster(desk: Desk, arguments: Namespace) -> Reply:
    """Who is on duty when: a table of days and shifts, in which each hole stands as a word."""
    monday = desk.today - DAY * desk.today.weekday()
    first, last = _days_of(arguments, monday, SHOWN)
    answer = await desk.api.ask("GET", "/v1/roster", query={"from": first, "to": last})
    # the last night goes on into the day after
    covered = await desk.api.ask("GET", "/v1/coverage", query={"from": first, "to": last + DAY})
    shifts = await desk.api.every("/v1/shifts", include_retired=True)
    queues = await desk.api.every("/v1/queues")
    sheet = week.Sheet(
        zone=desk.zone,
        duties=[_duty(each) for each in answer["items"]],
        holes=[_hole(each) for each in covered["holes"]],
        shifts={each["id"]: _shift(each) for each in shifts["items"]},
        people={each["operator_id"]: (each["name"], each["phone"]) for each in answer["items"]},
        minimums={each["queue"]: 0 for each in answer["items"]}
        | {each["name"]: each["minimum"] for each in queues["items"]},
        standing={
            each["name"]: [one["phone"] for one in each["members"] if one["standing"]] for each in queues["items"]
        },
    )
    grid = week.render(sheet, first, last, today=desk.today, width=Console().width)
    return Reply(answer, Group(grid, *await _hard_on_people(desk, covered)))


async def import_roster(desk: Desk, arguments: Namespace) -> Reply:
    """Reads a roster from a file: all of it, or nothing where one line is wrong. Try it with --dry-run first. A file
    that was read already changes nothing."""
    try:
        content = arguments.file.read_bytes()
    except OSError as error:
        raise Failed(f"{arguments.file} cannot be read: {error.strerror}. Remedy: name a CSV file.") from None
    query = {"dry_run": arguments.dry_run, "replace": arguments.replace, "allow_gaps": arguments.allow_gaps}
    try:
        answer = await desk.api.ask("POST", "/v1/roster/import", query=query, csv=content)
    except Problem as problem:
        if problem.status != HOLES:
            raise
        answer = await desk.api.ask("POST", "/v1/roster/import", query={**query, "dry_run": True}, csv=content)
    leaves_gaps = bool(answer["holes"]) and not arguments.allow_gaps
    shown = _imported(desk, arguments.file.name, answer, was_asked=arguments.dry_run)
    if not leaves_gaps:
        return Reply(answer, shown)
    return Reply(
        answer,
        shown,
        f"With {arguments.file.name} the roster would have holes that it has not now, so it is refused; nothing was "
        "imported. Remedy: add lines for them, or take them with --allow-gaps, and they are an alarm.",
    )


async def export_roster(desk: Desk, arguments: Namespace) -> Reply:
    """Writes the roster as a CSV file, which a spreadsheet opens and `gateway112 roster import` reads."""
    first, last = _days_of(arguments, desk.today, EXPORTED)
    text = await desk.api.ask("GET", "/v1/roster.csv", query={"from": first, "to": last})
    if arguments.output is None:
        return Reply(text, text)
    write_file(arguments.output, text)
    said = f"The roster of {tables.written(first, last)} stands in {arguments.output}."
    return Reply(text, tables.plain(said))


async def _hard_on_people(desk: Desk, covered: Json) -> list[Text]:
    """A sentence for each time at which somebody works two shifts at once, or rests too little between two."""
    if not covered["double_bookings"] and not covered["short_rests"]:
        return []
    people = {each["id"]: each["name"] for each in (await desk.api.every("/v1/operators"))["items"]}
    said = [
        f"{people.get(each['operator_id'], 'Somebody')} works two shifts at once from "
        f"{tables.moment(each['starts_at'], desk.zone)} until {tables.moment(each['ends_at'], desk.zone)}."
        for each in covered["double_bookings"]
    ]
    said += [
        f"{people.get(each['operator_id'], 'Somebody')} rests only {each['rest_h']:g} h before the shift of "
        f"{tables.moment(each['ends_at'], desk.zone)}."
        for each in covered["short_rests"]
    ]
    return [tables.alert(each) for each in said]


def _imported(desk: Desk, name: str, told: Json, *, was_asked: bool) -> RenderableType:
    """What became of the file, or would: a sentence for each thing that there is to say, and the holes as a table. A
    dry run `was_asked` for, or is all that there is of a file that was refused."""
    dry = told["dry_run"]
    said = f"{name}: {_count(told['lines'], 'line')}. "
    if dry:
        said += f"Nothing was changed{', this was a dry run' if was_asked else ''}. It would add "
    else:
        said += "Added "
    said += f"{_count(told['added'], 'assignment')} and {'retire' if dry else 'retired'} {told['retired']}"
    if told["cut"]:
        said += f" ({told['cut']} of them {'would ' if dry else ''}go on outside of the file's days)"
    said += f"; {_count(told['unchanged'], 'line')} changed nothing."
    parts: list[RenderableType] = [tables.plain(said)]
    parts += [tables.plain(f"Look at {each['field']}: {each['reason']}.") for each in told["warnings"]]
    if told["holes"]:
        rows = [
            (
                each["queue"],
                tables.moment(each["starts_at"], desk.zone),
                tables.moment(each["ends_at"], desk.zone),
                tables.alert(f"{each['rostered']} of {each['minimum']}"),
            )
            for each in told["holes"]
        ]
        title = f"New holes in the roster: {len(rows)} (times of {desk.zone.key})"
        parts.append(tables.table(title, ("Queue", "From", "Until", "There"), rows, empty=""))
    return Group(*parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _days_of(arguments: Namespace, usual: date, count: int) -> tuple[date, date]:
    """The days that were named, from the first to the last one. Raises Failed where they are in no order."""
    first = arguments.first or usual
    last = arguments.last or first + DAY * (count - 1)
    if last < first:
        raise Failed(f"The last day, {last}, is before the first one, {first}. Remedy: name it after that one.")
    return first, last


def _week(text: str) -> date:
    """The Monday of a week of ISO 8601."""
    try:
        return datetime.strptime(f"{text}-1", "%G-W%V-%u").date()  # noqa: DTZ007  # a day of the calendar has no zone
    except ValueError:
        raise ArgumentTypeError(f"{text} is not a week such as 2026-W48") from None


def _duty(told: dict[str, Any]) -> Duty:
    own: dict[str, Any] = {name: told[name] for name in ("operator_id", "queue", "penalty", "shift_id")}
    times: dict[str, Any] = {name: datetime.fromisoformat(told[name]) for name in ("starts_at", "ends_at", "leaves_at")}
    return Duty(**own, **times, date=date.fromisoformat(told["date"]))


def _hole(told: dict[str, Any]) -> Hole:
    starts_at, ends_at = (datetime.fromisoformat(told[name]) for name in ("starts_at", "ends_at"))
    return Hole(told["queue"], starts_at, ends_at, told["rostered"], told["minimum"])


def _shift(told: dict[str, Any]) -> Shift:
    last, retired = told["last_date"], told["retired_at"]
    return Shift(
        id=told["id"],
        name=told["name"],
        start=time.fromisoformat(told["start"]),
        end=time.fromisoformat(told["end"]),
        rule=told["rule"],
        first_date=date.fromisoformat(told["first_date"]),
        last_date=date.fromisoformat(last) if last else None,
        exceptions=tuple(date.fromisoformat(each) for each in told["exceptions"]),
        created_at=datetime.fromisoformat(told["created_at"]),
        retired_at=datetime.fromisoformat(retired) if retired else None,
    )
