"""`gateway112 agency …`: the services that the fallback hands callers on to.

Counterpart: `gateway/api/agencies.py`.
"""

from argparse import ArgumentTypeError, Namespace

from gateway.cli import tables
from gateway.cli.client import Failed, Json
from gateway.cli.command import Commands, Desk, Reply, command, subject

KEYS = {"fire": 1, "medical": 2, "order": 3, "disaster": 4}
"""Which key of the fallback's menu leads to each service."""


def add_to(commands: Commands) -> None:
    own = subject(commands, "agency", "Whom callers are handed on to where no operator answers.")
    command(own, "list", list_agencies, example="agency list")
    put = command(own, "set", set_agency, example='agency set fire "Damkar Sidoarjo" 1201 0318921111@telkomsel')
    put.add_argument("service", choices=KEYS, help="what it is called for")
    put.add_argument("name", metavar="NAME", help="as people call it; in quotes where it has spaces")
    put.add_argument(
        "phones",
        nargs="+",
        type=duty_phone,
        metavar="PHONE",
        help="its duty phones, rung in this order: a phone of the centre's own, or NUMBER@TRUNK",
    )
    put.add_argument("--ring-s", type=int, metavar="S", help="how long each rings (20 s, where nothing was said yet)")
    retire = command(own, "retire", retire_agency, example="agency retire fire")
    retire.add_argument("service", choices=KEYS, help="what it is called for")


async def list_agencies(desk: Desk, _: Namespace) -> Reply:
    """The agencies of the fallback's menu, each with its key and its duty phones."""
    answer = await desk.api.every("/v1/agencies")
    rows = [
        (
            KEYS[each["service"]],
            each["service"],
            each["name"],
            tables.lines(_written(phone) for phone in each["phones"]),
            each["ring_s"],
            tables.held(each),
        )
        for each in sorted(answer["items"], key=lambda each: KEYS[each["service"]])
    ]
    columns = ("Key", "Service", "Name", "Duty phones", "Ring s", "In Asterisk")
    empty = (
        "There are no agencies: the fallback offers a message only. Make one: gateway112 agency set SERVICE NAME PHONE"
    )
    return Reply(answer, tables.table(f"Agencies: {len(rows)}", columns, rows, empty=empty, whole=("Key", "Service")))


async def set_agency(desk: Desk, arguments: Namespace) -> Reply:
    """Makes a service's agency, or changes the one that is there: its name and all of its duty phones."""
    body: Json = {"name": arguments.name, "phones": arguments.phones}
    if arguments.ring_s is not None:
        body["ring_s"] = arguments.ring_s
    there = await _of(desk, arguments.service)
    if there is None:
        told = await desk.api.ask("POST", "/v1/agencies", body={**body, "service": arguments.service})
    else:
        told = await desk.api.ask("PATCH", f"/v1/agencies/{there['id']}", body=body, seen=there["version"])
    rows: list[tuple[str, tables.Cell]] = [
        ("key of the menu", KEYS[told["service"]]),
        ("duty phones", ", ".join(_written(phone) for phone in told["phones"])),
        ("each rings", f"{told['ring_s']} s"),
        ("in Asterisk", tables.held(told)),
    ]
    return Reply(told, tables.facts(f"{told['name']} is the agency for {told['service']}.", rows))


async def retire_agency(desk: Desk, arguments: Namespace) -> Reply:
    """Takes a service off the menu. Calls of the past keep the agency's name."""
    there = await _of(desk, arguments.service)
    if there is None:
        raise Failed(f"There is no agency for {arguments.service}. Remedy: see them with `gateway112 agency list`.")
    await desk.api.ask("DELETE", f"/v1/agencies/{there['id']}", seen=there["version"])
    over = await desk.api.retired("/v1/agencies", [there["id"]])
    return Reply(None, tables.plain(f"The menu offers {arguments.service} no more."), tables.still_held(over))


def duty_phone(text: str) -> Json:
    """A duty phone as the API takes it."""
    number, at, trunk = text.partition("@")
    if not number or (at and not trunk):
        raise ArgumentTypeError(f"{text} is neither a phone nor NUMBER@TRUNK")
    return {"number": number, "trunk": trunk or None}


async def _of(desk: Desk, service: str) -> Json | None:
    for each in (await desk.api.every("/v1/agencies"))["items"]:
        if each["service"] == service:
            found: Json = each
            return found
    return None


def _written(phone: Json) -> str:
    return phone["number"] if phone["trunk"] is None else f"{phone['number']}@{phone['trunk']}"
