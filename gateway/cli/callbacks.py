"""`gateway112 callback …`: callers whom nobody heard, and what becomes of them.

Counterpart: `gateway/api/callbacks.py`.
"""

import contextlib
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import datetime, time
from typing import Any

from rich.text import Text

from gateway.cli import tables
from gateway.cli.client import Json
from gateway.cli.command import Commands, Desk, Reply, command, phone, subject


def add_to(commands: Commands) -> None:
    own = subject(commands, "callback", "Callers whom nobody heard.")
    shown = command(own, "list", list_callbacks, example="callback list")
    shown.add_argument("--all", action="store_true", help="with those that are over")
    _add_filter(shown)
    shown.add_argument("--least-tries", type=_count, metavar="N", help="only who tried so often or more")
    for name, serve, example in (
        ("claim", claim, "callback claim 17 1001"),
        ("dial", dial, "callback dial 17 1001"),
        ("reached", reached, 'callback reached 17 "fire at the market, crew sent"'),
        ("give-up", give_up, 'callback give-up 17 "five tries, never answered"'),
    ):
        parser = command(own, name, serve, example=example)
        parser.add_argument("id", type=int, metavar="ID", help="the callback's number, as `callback list` shows it")
        if serve in (claim, dial):
            parser.add_argument("phone", type=phone, metavar="PHONE", help="the operator's phone")
            if serve is dial:
                parser.add_argument("--trunk", metavar="TRUNK", help="call over another trunk that the number tried on")
        else:
            parser.add_argument("text", metavar="TEXT", help="what came of it, or why nobody calls any more")
    many = command(
        own, "give-up-many", give_up_many, example="callback give-up-many forged --since 14:00 --until 14:20"
    )
    many.add_argument("text", metavar="TEXT", help="why nobody calls them any more")
    _add_filter(many, is_needed=True)
    many.add_argument(
        "--most-tries", type=_count, default=1, metavar="N", help="only who tried so often or less (default: 1)"
    )
    many.add_argument("--expect", type=_count, metavar="N", help="give them up: as many as were counted before")


def _add_filter(parser: ArgumentParser, *, is_needed: bool = False) -> None:
    parser.add_argument("--trunk", metavar="TRUNK", help="only those all of whose tries came on it")
    parser.add_argument("--why", metavar="WHY", help="only those all of whose tries were this, such as abandoned")
    for option, words in (("--since", "then or later: 14:00 of today, or 2026-11-23T14:00"), ("--until", "before it")):
        parser.add_argument(option, type=_moment, metavar="TIME", required=is_needed, help=f"only those opened {words}")


async def list_callbacks(desk: Desk, arguments: Namespace) -> Reply:
    """Callers who hung up, were cut off or left a message before anybody spoke with them, the soonest due first."""
    asked = {} if arguments.all else {"open": True}
    filter = _filter(desk, arguments) | {"least_tries": arguments.least_tries}
    answer = await desk.api.every("/v1/callbacks", **asked, **filter)
    people = {each["id"]: each["name"] for each in (await desk.api.every("/v1/operators"))["items"]}
    rows = [
        (
            each["id"],
            each["number"],
            each["try_count"],
            tables.moment(each["last_try_at"], desk.zone),
            _due(each, desk),
            people.get(each["claimed_by"], ""),
            each["state"].replace("_", " "),
        )
        for each in answer["items"]
    ]
    columns = ("ID", "Number", "Calls", "Last", "To be called by", "With", "State")
    empty = "There has been no callback." if arguments.all else "Nobody waits to be called back."
    title = f"Callbacks: {len(rows)} (times of {desk.zone.key})"
    return Reply(answer, tables.table(title, columns, rows, empty=empty, whole=("ID", "Number", "Last")))


async def claim(desk: Desk, arguments: Namespace) -> Reply:
    """An operator takes a callback, so that nobody else calls the number meanwhile."""
    return await _act(desk, arguments, "claim", await _by(desk, arguments), "is in the hands of {name}")


async def dial(desk: Desk, arguments: Namespace) -> Reply:
    """Rings the operator's phone, and then the number once it is picked up, over the trunk of its first call."""
    body = {**await _by(desk, arguments), "trunk": arguments.trunk}
    return await _act(desk, arguments, "dial", body, "is called: {name}'s phone rings now")


async def reached(desk: Desk, arguments: Namespace) -> Reply:
    """Somebody spoke with the caller, by whatever way: the callback is over."""
    return await _act(desk, arguments, "reached", {"note": arguments.text}, "is done: somebody spoke with the caller")


async def give_up(desk: Desk, arguments: Namespace) -> Reply:
    """The number is not called any more, for a reason that stays in the audit log."""
    return await _act(desk, arguments, "give-up", {"reason": arguments.text}, "is given up")


async def give_up_many(desk: Desk, arguments: Namespace) -> Reply:
    """Gives up many callbacks at once that came alike, after a flood of forged calls: those in nobody's hands. Without
    --expect it only counts them."""
    filter = _filter(desk, arguments) | {"most_tries": arguments.most_tries}
    if arguments.expect is None:
        counted = await desk.api.ask("GET", "/v1/callbacks", query={**filter, "state": "open", "limit": 1})
        total = counted["total"]
        told = f"{total} callbacks are so. To give them up, say the same with --expect {total}." if total else NONE
        return Reply({"total": total}, tables.plain(told))
    body = {**{name: value for name, value in filter.items() if value is not None}, "reason": arguments.text}
    given_up, left = 0, arguments.expect
    while left > 0:
        told = await desk.api.ask("POST", "/v1/callbacks/give-up-many", body={**body, "expected": left})
        given_up, left = given_up + told["given_up"], told["left"]
        if not told["given_up"]:
            break
    return Reply({"given_up": given_up, "left": left}, tables.plain(f"{given_up} callbacks are given up."))


NONE = "No callback in nobody's hands is so."


def _filter(desk: Desk, arguments: Namespace) -> Json:
    """What the list and the act take alike; None where it was not said."""
    times = {"opened_since": arguments.since, "opened_until": arguments.until}
    return {
        "trunk": arguments.trunk,
        "why": arguments.why,
        **{name: None if at is None else _at(at, desk) for name, at in times.items()},
    }


def _moment(text: str) -> datetime | time:
    """A time of the centre's clock: of today, or of the day that is named."""
    for read in (time.fromisoformat, datetime.fromisoformat):
        with contextlib.suppress(ValueError):
            moment: datetime | time = read(text)
            if moment.tzinfo is None:
                return moment
    raise ArgumentTypeError(f"{text} is not a time such as 14:00 or 2026-11-23T14:00")


def _at(moment: datetime | time, desk: Desk) -> str:
    of_a_day = moment if isinstance(moment, datetime) else datetime.combine(desk.today, moment)
    return of_a_day.replace(tzinfo=desk.zone).isoformat()


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < len(text) < 7 or int(text) == 0:
        raise ArgumentTypeError(f"{text} is not a number such as 1")
    return int(text)


async def _by(desk: Desk, arguments: Namespace) -> Json:
    operator = await desk.api.one("operator", phone=arguments.phone)
    arguments.name = operator["name"]
    return {"operator_id": operator["id"]}


async def _act(desk: Desk, arguments: Namespace, what: str, body: Json, said: str) -> Reply:
    path = f"/v1/callbacks/{arguments.id}"
    task = await desk.api.ask("GET", path)
    told = await desk.api.ask("POST", f"{path}/{what}", body=body, seen=task["version"])
    words = said.format(name=getattr(arguments, "name", ""))
    return Reply(told, tables.plain(f"Callback {told['id']} of {told['number']} {words}."))


def _due(task: dict[str, Any], desk: Desk) -> tables.Cell:
    if task["closed_at"] is not None:
        return None
    due = tables.moment(task["due_at"], desk.zone)
    return Text.assemble(due, " ", tables.alert("LATE")) if task["is_overdue"] else due
