"""`gateway112 trunk …`: the carriers' lines.

Counterpart: `gateway/api/trunks.py`.
"""

from argparse import Namespace
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from gateway.cli import tables
from gateway.cli.command import Commands, Desk, Reply, command, subject


def add_to(commands: Commands) -> None:
    own = subject(commands, "trunk", "The carriers' lines into the centre.")
    command(own, "list", list_trunks, example="trunk list")
    add = command(own, "add", add_trunk, example='trunk add smartfren "Smartfren Telecom" 10.20.0.5 10.20.1.0/28')
    add.add_argument("name", metavar="NAME", help="small letters, digits and _; it stays")
    add.add_argument("carrier", metavar="CARRIER", help="the company's name, for people")
    add.add_argument(
        "addresses",
        nargs="+",
        metavar="ADDRESS",
        help="where its calls come from: an address, or a network (10.20.1.0/28)",
    )


async def list_trunks(desk: Desk, _: Namespace) -> Reply:
    """All trunks, and what came in over each."""
    answer = await desk.api.every("/v1/trunks")
    rows = [
        (
            each["name"],
            each["carrier"],
            tables.lines(each["addresses"]),
            each["calls"],
            tables.moment(each["last_arrived_at"], desk.zone) or "never",
            _state(each),
        )
        for each in answer["items"]
    ]
    columns = ("Name", "Carrier", "Come from", "Calls", "Last one", "State")
    empty = "There are no trunks: nobody can call. Make one: gateway112 trunk add NAME CARRIER ADDRESS"
    title = f"Trunks: {len(rows)} (times of {desk.zone.key})"
    return Reply(answer, tables.table(title, columns, rows, empty=empty, whole=("Name", "Come from", "Last one")))


async def add_trunk(desk: Desk, arguments: Namespace) -> Reply:
    """A new carrier's line. Whoever calls from one of its addresses is let in, and nobody else."""
    body = {"name": arguments.name, "carrier": arguments.carrier, "addresses": arguments.addresses}
    made = await desk.api.ask("POST", "/v1/trunks", body=body)
    rows: list[tuple[str, tables.Cell]] = [
        ("calls come from", ", ".join(made["addresses"])),
        ("calls go to", f"{made['addresses'][0]}, port {made['port']}"),
        ("in Asterisk", tables.held(made)),
    ]
    said: list[RenderableType] = [tables.facts(f"Trunk {made['name']} ({made['carrier']}) is there.", rows)]
    host = desk.settings.sip.host
    if host.startswith("127.") and not all(each.startswith("127.") for each in made["addresses"]):
        said.append(
            tables.plain(f"No call from there comes in yet: Asterisk listens at {host} alone; set sip.host first.")
        )
    return Reply(made, Group(*said))


def _state(trunk: dict[str, Any]) -> Text:
    if not trunk["applied"]:
        return tables.held(trunk)
    if trunk["is_registered"] is False:
        return tables.alert("NOT REGISTERED: the carrier does not take the registration")
    if trunk["is_up"] is None:
        return Text("ready")
    return Text("up") if trunk["is_up"] else tables.alert("DOWN: the carrier does not answer")
