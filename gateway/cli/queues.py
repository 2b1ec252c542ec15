"""`gateway112 queue …`: where callers wait.

Counterpart: `gateway/api/queues.py`.
"""

import json
from argparse import SUPPRESS, ArgumentTypeError, Namespace
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from gateway.cli import tables
from gateway.cli.command import Commands, Desk, Reply, command, phone, subject
from gateway.domain.queues import Queue, Strategy

SETTINGS: Mapping[str, str] = {
    "minimum": "operators who must be there at any time",
    "strategy": f"who is rung next: {', '.join(Strategy)}",
    "ring_s": "seconds that a phone rings before the next one is tried",
    "wrap_up_s": "seconds that an operator has after a call",
    "max_wait_s": "seconds that a caller waits before the fallback speaks",
    "weight": "callers of a heavier queue go first",
    "service_level_s": "seconds within which a call should be answered",
    "announces_position": "true: callers hear their place in the queue",
    "music": "a folder of dialplan/music; null: callers hear ringing",
}
"""What a queue can be told, as the API calls it."""


def add_to(commands: Commands) -> None:
    own = subject(commands, "queue", "Where callers wait, and how operators are chosen for them.")
    command(own, "list", list_queues, example="queue list")
    add = command(own, "add", add_queue, example="queue add medical --minimum 2 --ring-s 20")
    add.add_argument("name", metavar="NAME", help="small letters, digits and _; it stays")
    usual = {field.name: field.default for field in fields(Queue)}
    for name, words in SETTINGS.items():
        option, default = f"--{name.replace('_', '-')}", json.dumps(usual[name]).strip('"')
        add.add_argument(
            option, type=value, dest=name, metavar="VALUE", default=SUPPRESS, help=f"{words} (default: {default})"
        )
    for name, serve in (("join", join_queue), ("leave", leave_queue)):
        place = command(own, name, serve, example=f"queue {name} emergency 1001")
        place.add_argument("name", metavar="NAME", help="the queue")
        place.add_argument("phone", type=phone, metavar="PHONE", help="the phone's number")
    change = command(own, "set", change_queue, example="queue set emergency minimum=2 strategy=ringall")
    change.add_argument("name", metavar="NAME", help="the queue")
    change.add_argument(
        "settings", nargs="+", type=setting, metavar="KEY=VALUE", help=f"what is to change: {', '.join(SETTINGS)}"
    )
    for name in SETTINGS:
        # those of `queue add`: whoever writes one here is told how it is written
        change.add_argument(
            f"--{name.replace('_', '-')}", type=partial(_refuse_option, name), dest=SUPPRESS, help=SUPPRESS
        )


async def list_queues(desk: Desk, _: Namespace) -> Reply:
    """All queues, who should be in them now, and how their phones are."""
    answer = await desk.api.every("/v1/queues")
    rows = [
        (
            each["name"],
            each["minimum"],
            tables.lines(f"{one['phone']} {one['state'] or 'not seen yet'}" for one in each["members"]) or "nobody",
            each["strategy"],
            f"{each['ring_s']} s",
            f"{each['max_wait_s']} s",
            tables.held(each),
        )
        for each in answer["items"]
    ]
    columns = ("Name", "Minimum", "There now", "Strategy", "Ring", "Wait", "In Asterisk")
    shown = tables.table(
        f"Queues: {len(rows)}", columns, rows, empty="There are no queues.", whole=("There now", "Strategy")
    )
    return Reply(answer, shown)


async def add_queue(desk: Desk, arguments: Namespace) -> Reply:
    """A new queue. What is not named has its usual value."""
    named = {name: getattr(arguments, name) for name in SETTINGS if hasattr(arguments, name)}
    return _told(await desk.api.ask("POST", "/v1/queues", body={"name": arguments.name, **named}), "is there")


async def change_queue(desk: Desk, arguments: Namespace) -> Reply:
    """Changes a queue. What is not named stays; calls that wait go on waiting."""
    queue = await desk.api.one("queue", name=arguments.name)
    path, named = f"/v1/queues/{queue['id']}", dict(arguments.settings)
    return _told(await desk.api.ask("PATCH", path, body=named, seen=queue["version"]), "is changed")


async def join_queue(desk: Desk, arguments: Namespace) -> Reply:
    """Gives a phone a place in the queue at any hour, whatever the roster says."""
    answer = await desk.api.ask("PUT", f"/v1/queues/{arguments.name}/members/{arguments.phone}", body={})
    said = f"Phone {arguments.phone} has a place in queue {arguments.name} at any hour."
    return Reply(answer, tables.plain(said), tables.not_held(answer))


async def leave_queue(desk: Desk, arguments: Namespace) -> Reply:
    """Takes a place at any hour away: from now on the roster alone says when the phone is in the queue."""
    await desk.api.ask("DELETE", f"/v1/queues/{arguments.name}/members/{arguments.phone}")
    said = f"Phone {arguments.phone} is in queue {arguments.name} when the roster says so, and at no other time."
    queue = await desk.api.one("queue", name=arguments.name)
    return Reply(None, tables.plain(said), tables.still_held([queue]))


def _told(queue: dict[str, Any], what: str) -> Reply:
    rows: list[tuple[str, tables.Cell]] = [(name, json.dumps(queue[name]).strip('"')) for name in SETTINGS]
    rows.append(("in Asterisk", tables.held(queue)))
    return Reply(queue, tables.facts(f"Queue {queue['name']} {what}.", rows))


def setting(text: str) -> tuple[str, Any]:
    """A key and its value."""
    key, equals, written = text.partition("=")
    if not key or not equals:
        raise ArgumentTypeError(f"{text} is not KEY=VALUE, such as minimum=2")
    return key, value(written)


def _refuse_option(name: str, text: str) -> None:
    raise ArgumentTypeError(f"write {name}={text} here, without the dashes")


def value(text: str) -> Any:
    """A number, true, false or null as such; anything else is text."""
    try:
        return json.loads(text, parse_constant=str)
    except ValueError:
        return text
