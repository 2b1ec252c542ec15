"""`gateway112 ban …`: addresses that the SIP door does not let in.

Counterpart: `gateway/api/bans.py`.
"""

from argparse import Namespace
from datetime import timedelta

from rich.text import Text

from gateway.cli import tables
from gateway.cli.client import Failed
from gateway.cli.command import Commands, Desk, Reply, command, subject


def add_to(commands: Commands) -> None:
    own = subject(commands, "ban", "Addresses that the SIP door does not let in.")
    shown = command(own, "list", list_bans, example="ban list")
    shown.add_argument("--all", action="store_true", help="with those that are over")
    shown.add_argument("--plain", action="store_true", help="the addresses alone, one a line, for a firewall")
    put = command(own, "set", set_ban, example='ban set 203.0.113.5 "calls at night" --hours 24')
    put.add_argument("address", metavar="ADDRESS", help="an IPv4 address, or an IPv6 network of 64 bits")
    put.add_argument("reason", metavar="REASON", help="why; it stays in the audit log")
    put.add_argument("--hours", type=float, default=1.0, metavar="H", help="for how long (default: 1; at most 168)")
    lift = command(own, "lift", lift_ban, example="ban lift 203.0.113.5")
    lift.add_argument("address", metavar="ADDRESS", help="the address, as `ban list` shows it")


async def list_bans(desk: Desk, arguments: Namespace) -> Reply:
    """The addresses that are kept out now, with why. Trunks and registered phones never are."""
    answer = await desk.api.every("/v1/bans", **({"include_retired": True} if arguments.all else {}))
    if not arguments.all:
        answer["items"] = [each for each in answer["items"] if each["in_force"]]
    if arguments.plain:
        return Reply(answer, "".join(f"{each['address']}\n" for each in answer["items"] if each["in_force"]))
    rows: list[tuple[str | Text, ...]] = [
        (
            each["address"],
            tables.moment(each["created_at"], desk.zone),
            tables.moment(each["retired_at"] or each["until"], desk.zone),
            tables.alert("BANNED") if each["in_force"] else "over",
            each["reason"],
        )
        for each in answer["items"]
    ]
    title = f"Banned addresses: {len(rows)} (times of {desk.zone.key})"
    columns = ("Address", "Since", "Until", "State", "Reason")
    empty = "No address was ever banned." if arguments.all else "No address is banned."
    return Reply(answer, tables.table(title, columns, rows, empty=empty, whole=("Address", "Since", "Until")))


async def set_ban(desk: Desk, arguments: Namespace) -> Reply:
    """Keeps an address out for some hours. That of a trunk or of a phone is refused."""
    until = desk.now + timedelta(hours=arguments.hours)
    body = {"address": arguments.address, "reason": arguments.reason, "until": until.isoformat()}
    made = await desk.api.ask("POST", "/v1/bans", body=body)
    ends = tables.moment(made["until"], desk.zone)
    return Reply(
        made, tables.plain(f"{made['address']} is kept out until {ends} ({desk.zone.key})."), tables.not_held(made)
    )


async def lift_ban(desk: Desk, arguments: Namespace) -> Reply:
    """Ends the ban of an address now."""
    standing = [each for each in (await desk.api.every("/v1/bans"))["items"] if each["address"] == arguments.address]
    if not standing:
        raise Failed(f"{arguments.address} is not banned. Remedy: see who is with `gateway112 ban list`.")
    for each in standing:
        await desk.api.ask("DELETE", f"/v1/bans/{each['id']}", seen=each["version"])
    over = await desk.api.retired("/v1/bans", [each["id"] for each in standing])
    return Reply(None, tables.plain(f"{arguments.address} is banned no more."), tables.still_held(over))
