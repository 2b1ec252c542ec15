"""`gateway112 hold …`: which calls' recordings are kept whatever the rules say.

Counterpart: `gateway/api/retention.py`.
"""

from argparse import Namespace
from typing import Any

from gateway.cli import tables
from gateway.cli.command import Commands, Desk, Reply, command, subject, thing_id


def add_to(commands: Commands) -> None:
    own = subject(commands, "hold", "Which calls' recordings are kept whatever the rules say.")
    listing = command(own, "list", list_holds, example="hold list")
    listing.add_argument("--all", action="store_true", help="with those that were lifted")
    setting = command(own, "set", set_hold, example='hold set 112-1795476254.0 --reason "LP/B/112/2026, Ipda Dewi"')
    setting.add_argument("call", metavar="CALL", help="the call's id")
    setting.add_argument("--reason", required=True, metavar="TEXT", help="why, and who asked; the audit log keeps it")
    lifting = command(own, "lift", lift_hold, example='hold lift 3 --reason "verdict 88/Pid.B/2027"')
    lifting.add_argument("--reason", required=True, metavar="TEXT", help="why; the audit log keeps it")
    confirming = command(own, "confirm", confirm_lift, example="hold confirm 3")
    for parser in (lifting, confirming):
        parser.add_argument("id", type=thing_id, metavar="ID", help="the hold's, as `hold list` shows it")


async def list_holds(desk: Desk, arguments: Namespace) -> Reply:
    """The legal holds, the oldest first, with the recordings that each of them keeps."""
    query = {"include_retired": True} if arguments.all else {}
    answer = await desk.api.every("/v1/legal-holds", **query)
    rows = [
        (
            each["id"],
            each["call_id"],
            tables.lines(f"{own['kind']}: {own['state']}" for own in each["recordings"]),
            tables.lines((each["set_by"], tables.moment(each["created_at"], desk.zone))),
            tables.lines(filter(None, (each["reason"], _lifting(each)))),
        )
        for each in answer["items"]
    ]
    columns = ("ID", "Call", "Recordings", "Set by, at", "Reason")
    shown = tables.table(f"Legal holds: {len(rows)}", columns, rows, empty="No call is on hold.", whole=("ID", "Call"))
    return Reply(answer, shown)


async def set_hold(desk: Desk, arguments: Namespace) -> Reply:
    """Keeps the recordings of one call until the hold is lifted. What was destroyed before cannot be kept, and is
    told."""
    body = {"call_id": arguments.call, "reason": arguments.reason}
    made = await desk.api.ask("POST", "/v1/legal-holds", body=body)
    gone = [own["id"] for own in made["recordings"] if own["state"] == "destroyed"]
    said = f"Hold {made['id']} keeps the recordings of call {made['call_id']}."
    if gone:
        said += f" Destroyed before, and not to be kept any more: {', '.join(gone)}."
    return Reply(made, tables.plain(said))


async def lift_hold(desk: Desk, arguments: Namespace) -> Reply:
    """Asks for a hold to be lifted. It holds on before another person, with a token of his own, confirms that."""
    path = f"/v1/legal-holds/{arguments.id}"
    hold = await desk.api.ask("GET", path)
    asked = await desk.api.ask("POST", f"{path}/lift", body={"reason": arguments.reason}, seen=hold["version"])
    until = tables.moment(asked["lift_confirm_until"], desk.zone)
    confirming = f"`gateway112 hold confirm {asked['id']}`, by {until}"
    return Reply(asked, tables.plain(f"Hold {asked['id']} holds on until another person confirms: {confirming}."))


async def confirm_lift(desk: Desk, arguments: Namespace) -> Reply:
    """Lifts a hold, as another person asked: from now on the rules decide about the recordings again, which may be
    destroyed within the hour."""
    path = f"/v1/legal-holds/{arguments.id}"
    hold = await desk.api.ask("GET", path)
    lifted = await desk.api.ask("POST", f"{path}/lift/confirm", seen=hold["version"])
    return Reply(lifted, tables.plain(f"Hold {lifted['id']} is lifted: the rules decide about call {hold['call_id']}."))


def _lifting(hold: dict[str, Any]) -> str:
    """Who lifted it, or wants to, and why; what nobody confirmed in time is not told."""
    if hold["retired_at"] is not None:
        return f"LIFTED by {hold['lift_asked_by']} and {hold['lifted_by']}: {hold['lift_reason']}"
    if hold["lift_confirm_until"] is not None:
        return f"TO BE LIFTED, asks {hold['lift_asked_by']}: {hold['lift_reason']}"
    return ""
