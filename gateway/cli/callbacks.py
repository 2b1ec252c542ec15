"""`gateway112 callback …`: callers whom nobody heard, and what becomes of them.

Counterpart: `gateway/api/callbacks.py`.
"""

from argparse import Namespace
from typing import Any

from rich.text import Text

from gateway.cli import tables
from gateway.cli.client import Json
from gateway.cli.command import Commands, Desk, Reply, command, phone, subject


def add_to(commands: Commands) -> None:
    own = subject(commands, "callback", "Callers whom nobody heard.")
    shown = command(own, "list", list_callbacks, example="callback list")
    shown.add_argument("--all", action="store_true", help="with those that are over")
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
        else:
            parser.add_argument("text", metavar="TEXT", help="what came of it, or why nobody calls any more")


async def list_callbacks(desk: Desk, arguments: Namespace) -> Reply:
    """Callers who hung up, were cut off or left a message before anybody spoke with them, the soonest due first."""
    answer = await desk.api.every("/v1/callbacks", **({} if arguments.all else {"open": True}))
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
    """Rings the operator's phone, and then the number once it is picked up, over the trunk that the caller came on."""
    return await _act(desk, arguments, "dial", await _by(desk, arguments), "is called: {name}'s phone rings now")


async def reached(desk: Desk, arguments: Namespace) -> Reply:
    """Somebody spoke with the caller, by whatever way: the callback is over."""
    return await _act(desk, arguments, "reached", {"note": arguments.text}, "is done: somebody spoke with the caller")


async def give_up(desk: Desk, arguments: Namespace) -> Reply:
    """The number is not called any more, for a reason that stays in the audit log."""
    return await _act(desk, arguments, "give-up", {"reason": arguments.text}, "is given up")


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
