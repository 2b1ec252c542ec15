"""`gateway112 operator …`: the people who answer, and their phones.

Counterpart: `gateway/api/operators.py`.
"""

from argparse import Namespace
from typing import Any

from rich.console import Group, RenderableType

from gateway.cli import tables
from gateway.cli.client import Failed, Json, Problem
from gateway.cli.command import Commands, Desk, Reply, command, phone, subject
from gateway.settings import EVERYWHERE, SipSettings

HOLES = 409
"""The status of a retirement that is refused for the holes it would leave."""


def add_to(commands: Commands) -> None:
    own = subject(commands, "operator", "The people who answer, and their phones.")
    command(own, "list", list_operators, example="operator list")
    add = command(own, "add", add_operator, example="operator add Siti 1001 --queue emergency")
    add.add_argument("name", metavar="NAME", help="as the board and the roster show it; in quotes where it has spaces")
    add.add_argument("phone", type=phone, metavar="PHONE", help="the phone's number: 3 to 6 digits")
    add.add_argument(
        "--contact", metavar="SIP", help="a fixed address (sip:1001@10.0.0.21), for a phone that does not register"
    )
    add.add_argument(
        "--queue",
        action="append",
        default=[],
        metavar="NAME",
        help="a place in this queue at any hour, whatever the roster says; may be given more than once",
    )
    for name, serve, example in (
        ("retire", retire_operator, "operator retire 1001"),
        ("pause", pause, "operator pause 1001 Istirahat"),
        ("resume", resume, "operator resume 1001"),
        ("login", log_in, "operator login 1001"),
        ("logout", log_out, "operator logout 1001"),
        ("secret", renew_secret, "operator secret 1001"),
    ):
        parser = command(own, name, serve, example=example)
        parser.add_argument("phone", type=phone, metavar="PHONE", help="the phone's number")
        if serve is pause:
            parser.add_argument("reason", metavar="REASON", help="one of the pause reasons that the centre keeps")
        if serve is retire_operator:
            parser.add_argument("--allow-gaps", action="store_true", help="leave holes, which are then an alarm")


async def list_operators(desk: Desk, _: Namespace) -> Reply:
    """All operators, and how their phones are now."""
    answer = await desk.api.every("/v1/operators")
    rows = [
        (each["phone"], each["name"], each["state"] or "in no queue", each["contact"], tables.held(each))
        for each in sorted(answer["items"], key=lambda each: str(each["phone"]))
    ]
    columns = ("Phone", "Name", "Is", "Fixed address", "In Asterisk")
    empty = "There are no operators yet. Make one: gateway112 operator add NAME PHONE"
    return Reply(answer, tables.table(f"Operators: {len(rows)}", columns, rows, empty=empty))


async def add_operator(desk: Desk, arguments: Namespace) -> Reply:
    """A new operator with a phone. The phone's password is shown this once and never again: write it into the softphone
    now."""
    body: Json = {"name": arguments.name, "phone": arguments.phone}
    if arguments.contact is not None:
        body["contact"] = arguments.contact
    if arguments.queue:
        await _refuse_unknown(desk, arguments.queue)
    made = await desk.api.ask("POST", "/v1/operators", body=body)
    said: list[RenderableType] = [_softphone(desk, made, f"{made['name']} has phone {made['phone']}.")]
    behind = ""
    for queue in arguments.queue:
        try:
            place = await desk.api.ask("PUT", f"/v1/queues/{queue}/members/{made['phone']}", body={})
        except Failed as failure:  # the password must be told all the same: nobody can ask for it again
            return Reply(made, Group(*said), f"The operator is there, with no place in queue {queue}: {failure}")
        said.append(tables.plain(f"The phone has a place in queue {queue} at any hour."))
        behind = behind or tables.not_held(place)
    return Reply(made, Group(*said), behind)


async def retire_operator(desk: Desk, arguments: Namespace) -> Reply:
    """Takes an operator's phone, places in queues and tokens away. Calls of the past keep the name."""
    operator = await desk.api.one("operator", phone=arguments.phone)
    try:
        await desk.api.ask(
            "DELETE", _path(operator), query={"allow_gaps": arguments.allow_gaps}, seen=operator["version"]
        )
    except Problem as problem:
        if problem.status != HOLES:
            raise
        raise problem.about(
            f"Without {operator['name']} the roster would have holes that it has not now; nothing was changed. "
            "Remedy: assign somebody else first, or say --allow-gaps, and they are an alarm."
        ) from None
    said = f"{operator['name']} is no operator any more; phone {arguments.phone} is free."
    over = await desk.api.retired("/v1/operators", [operator["id"]])
    return Reply(None, tables.plain(said), tables.still_held(over))


async def renew_secret(desk: Desk, arguments: Namespace) -> Reply:
    """A new password for an operator's phone, shown this once. The old one ends at once: the softphone needs the new
    one to register again."""
    operator = await desk.api.one("operator", phone=arguments.phone)
    made = await desk.api.ask("PATCH", _path(operator), body={"renew_secret": True}, seen=operator["version"])
    return Reply(made, _softphone(desk, made, f"{made['name']}'s phone {made['phone']} has a new password."))


async def pause(desk: Desk, arguments: Namespace) -> Reply:
    """Has an operator's phone not be rung, for one of the centre's reasons. A call that goes on is not cut."""
    return await _step(desk, arguments, "pause", {"reason": arguments.reason})


async def resume(desk: Desk, arguments: Namespace) -> Reply:
    """Ends an operator's pause: the phone is rung again."""
    return await _step(desk, arguments, "resume")


async def log_in(desk: Desk, arguments: Namespace) -> Reply:
    """Puts an operator on duty now, whatever the roster says, until the roster next has a say; 16 hours at most."""
    return await _step(desk, arguments, "login")


async def log_out(desk: Desk, arguments: Namespace) -> Reply:
    """Takes an operator off duty until the roster next has a say. A call that goes on is not cut."""
    return await _step(desk, arguments, "logout")


async def _step(desk: Desk, arguments: Namespace, what: str, body: Json | None = None) -> Reply:
    operator = await desk.api.one("operator", phone=arguments.phone)
    duty = await desk.api.ask("POST", f"{_path(operator)}/{what}", body=body)
    now = await desk.api.ask("GET", _path(operator))
    queues = ", ".join(place["queue"] for place in duty["places"])
    said = f"{operator['name']} is on duty in {queues}" if queues else f"{operator['name']} is off duty"
    if duty["pause"] is not None:
        said += f", and paused: {duty['pause']}"
    elif queues and now["state"] == "unavailable":
        said += f", but NOT rung: phone {operator['phone']} is not registered"
    elif queues:
        said += ", and is rung"
    # until when a login or logout holds; without one, the roster has its say all the time
    if duty["until"] is not None:
        said += f"; the roster has its say again at {tables.moment(duty['until'], desk.zone)}"
    return Reply(duty, tables.plain(f"{said}."))


async def _refuse_unknown(desk: Desk, queues: list[str]) -> None:
    """Raises Failed for a queue that is not there: better now than when the operator is half made."""
    known = [each["name"] for each in (await desk.api.every("/v1/queues"))["items"]]
    for queue in queues:
        if queue not in known:
            raise Failed(f"There is no queue {queue}. Remedy: name one of {', '.join(known)}; nothing was made.")


def _softphone(desk: Desk, operator: dict[str, Any], title: str) -> RenderableType:
    """What is to be written into the softphone."""
    sip = desk.settings.sip
    shown = tables.facts(
        f"{title} Its softphone needs:",
        [
            ("server", f"{_server(sip)}:{sip.port}, UDP or TCP"),
            ("user name", operator["phone"]),
            ("password", operator["secret"]),
        ],
    )
    notes = ["The password is not shown again."]
    if sip.host.startswith("127."):
        notes.append("A phone on another machine does not reach that server: set sip.host in gateway.toml first.")
    if not operator["applied"]:
        notes.append(f"Asterisk does not hold the phone yet: {operator['problem']}")
    return Group(shown, *(tables.plain(note) for note in notes))


def _server(sip: SipSettings) -> str:
    return "<an address of the centre's machine>" if sip.host == EVERYWHERE else sip.host


def _path(operator: dict[str, Any]) -> str:
    return f"/v1/operators/{operator['id']}"
