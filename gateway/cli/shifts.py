"""`gateway112 shift …` and `gateway112 assign`: when somebody is to be there, and who.

Counterpart: `gateway/api/shifts.py`.
"""

from argparse import ArgumentTypeError, Namespace
from typing import Any

from gateway.cli import tables
from gateway.cli.client import Json
from gateway.cli.command import Commands, Desk, Reply, command, day, phone, subject, wall_time
from gateway.domain.shifts import EVERY_DAY


def add_to(commands: Commands) -> None:
    own = subject(commands, "shift", "When somebody is to be there.")
    command(own, "list", list_shifts, example="shift list")
    add = command(own, "add", add_shift, example="shift add night 22:00 06:00")
    add.add_argument("name", metavar="NAME", help="as the roster shows it")
    add.add_argument("start", type=wall_time, metavar="START", help="by the centre's wall clock, such as 06:00")
    add.add_argument("end", type=wall_time, metavar="END", help="before START: on the next day")
    add.add_argument(
        "--rule",
        metavar="RRULE",
        default=EVERY_DAY,
        help="its days, as an RRULE of iCalendar: FREQ=WEEKLY;BYDAY=MO,TU (default: every day)",
    )
    add.add_argument("--from", type=day, dest="first", metavar="DATE", help="its first day (default: today)")
    assign = command(commands, "assign", assign_operator, example="assign 1001 morning 2026-11-23 2026-11-27")
    assign.add_argument("phone", type=phone, metavar="PHONE", help="the operator's phone")
    assign.add_argument("shift", metavar="SHIFT", help="the shift's name")
    assign.add_argument("first", type=day, metavar="DATE", help="the day on which the shift begins")
    assign.add_argument("last", type=day, nargs="?", metavar="UNTIL", help="and on each of its days up to this one")
    assign.add_argument("--queue", metavar="NAME", help="which queue to answer (default: the centre's own)")
    assign.add_argument(
        "--penalty", type=_penalty, default=0, metavar="N", help="lower penalties are rung first (default: 0)"
    )


async def list_shifts(desk: Desk, _: Namespace) -> Reply:
    """All shifts, and the days on which they take place."""
    answer = await desk.api.every("/v1/shifts")
    rows = [
        (
            each["name"],
            tables.hours(each["start"], each["end"]),
            tables.lines(_days(each).split(";")),
            each["first_date"],
            each["last_date"] or "open",
            f"{each['overlap_min']} min" if each["overlap_min"] else None,
        )
        for each in answer["items"]
    ]
    columns = ("Name", "Hours", "Days", "From", "Until", "Overlap")
    empty = "There are no shifts yet. Make one: gateway112 shift add morning 06:00 14:00"
    title = f"Shifts: {len(rows)} (times of {desk.zone.key})"
    return Reply(answer, tables.table(title, columns, rows, empty=empty, whole=("From", "Until")))


async def add_shift(desk: Desk, arguments: Namespace) -> Reply:
    """A new shift, by the wall clock of the centre's zone. One that ends before its start ends on the next day."""
    first = arguments.first or desk.today
    body = {
        "name": arguments.name,
        "start": arguments.start,
        "end": arguments.end,
        "rule": arguments.rule,
        "first_date": first.isoformat(),
    }
    made = await desk.api.ask("POST", "/v1/shifts", body=body)
    over = " on the next day" if made["end"] <= made["start"] else ""
    said = (
        f"Shift {made['name']}: {made['start'][:5]} to {made['end'][:5]}{over}, {_days(made)}, from "
        f"{made['first_date']} on. Nobody works it yet: gateway112 assign PHONE {made['name']} {made['first_date']}"
    )
    return Reply(made, tables.plain(said))


async def assign_operator(desk: Desk, arguments: Namespace) -> Reply:
    """Puts an operator on a shift, for one day or up to another one. An operator who is on duty already in these hours
    is not refused: look at `gateway112 roster show`."""
    operator = await desk.api.one("operator", phone=arguments.phone)
    shift = await desk.api.one("shift", name=arguments.shift)
    last = arguments.last or arguments.first
    body: Json = {
        "operator_id": operator["id"],
        "shift_id": shift["id"],
        "queue": arguments.queue or desk.settings.call.queue,
        "penalty": arguments.penalty,
        "first_date": arguments.first.isoformat(),
        "last_date": last.isoformat(),
    }
    made = await desk.api.ask("POST", "/v1/assignments", body=body)
    said = (
        f"{operator['name']} works {shift['name']} in queue {made['queue']}, {tables.written(arguments.first, last)}."
    )
    return Reply(made, tables.plain(said))


def _days(shift: dict[str, Any]) -> str:
    days = "every day" if shift["rule"] == EVERY_DAY else str(shift["rule"])
    return f"{days}, but for {len(shift['exceptions'])}" if shift["exceptions"] else days


def _penalty(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ArgumentTypeError(f"{text} is not a number such as 0 or 5")
    return int(text)
