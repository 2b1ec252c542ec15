"""`gateway112 block …`: numbers that hear a notice first, and then wait behind the others.

Counterpart: `gateway/api/blocks.py`.
"""

from argparse import Namespace
from datetime import timedelta

from gateway.cli import tables
from gateway.cli.client import Failed
from gateway.cli.command import Commands, Desk, Reply, command, subject


def add_to(commands: Commands) -> None:
    own = subject(commands, "block", "Numbers that hear a notice first, for 24 hours at most.")
    shown = command(own, "list", list_blocks, example="block list")
    shown.add_argument("--all", action="store_true", help="with those that are over")
    put = command(own, "set", set_block, example='block set 081299900001 "40 silent calls in an hour" --hours 4')
    put.add_argument("number", metavar="NUMBER", help="the whole number, as the carrier sends it")
    put.add_argument("reason", metavar="REASON", help="why; it stays in the audit log")
    put.add_argument("--hours", type=float, default=4.0, metavar="H", help="for how long (default: 4; at most 24)")
    lift = command(own, "lift", lift_block, example="block lift 081299900001")
    lift.add_argument("number", metavar="NUMBER", help="the number, as `block list` shows it")


async def list_blocks(desk: Desk, arguments: Namespace) -> Reply:
    """The numbers that are blocked now. Each of them still reaches a person, after the others."""
    answer = await desk.api.every("/v1/blocks", **({"include_retired": True} if arguments.all else {}))
    if not arguments.all:
        answer["items"] = [each for each in answer["items"] if each["in_force"]]
    rows = [
        (
            each["number"],
            tables.moment(each["created_at"], desk.zone),
            tables.moment(each["retired_at"] or each["until"], desk.zone),
            tables.alert("BLOCKED") if each["in_force"] and each["retired_at"] is None else "over",
            each["reason"],
        )
        for each in answer["items"]
    ]
    title = f"Blocked numbers: {len(rows)} (times of {desk.zone.key})"
    columns = ("Number", "Since", "Until", "State", "Reason")
    empty = "No number was ever blocked." if arguments.all else "No number is blocked."
    return Reply(answer, tables.table(title, columns, rows, empty=empty, whole=("Number", "Since", "Until")))


async def set_block(desk: Desk, arguments: Namespace) -> Reply:
    """Blocks a number for some hours: it hears a notice that tells how to reach a person, and waits behind others."""
    until = desk.now + timedelta(hours=arguments.hours)
    body = {"number": arguments.number, "reason": arguments.reason, "until": until.isoformat()}
    made = await desk.api.ask("POST", "/v1/blocks", body=body)
    ends = tables.moment(made["until"], desk.zone)
    return Reply(
        made, tables.plain(f"{made['number']} is blocked until {ends} ({desk.zone.key})."), tables.not_held(made)
    )


async def lift_block(desk: Desk, arguments: Namespace) -> Reply:
    """Ends every block of a number now."""
    blocks = (await desk.api.every("/v1/blocks", number=arguments.number))["items"]
    standing = [each for each in blocks if each["in_force"]]
    if not standing:
        raise Failed(f"{arguments.number} is not blocked. Remedy: see who is with `gateway112 block list`.")
    for each in standing:
        await desk.api.ask("DELETE", f"/v1/blocks/{each['id']}", seen=each["version"])
    over = await desk.api.retired("/v1/blocks", [each["id"] for each in standing], number=arguments.number)
    return Reply(None, tables.plain(f"{arguments.number} is blocked no more."), tables.still_held(over))
