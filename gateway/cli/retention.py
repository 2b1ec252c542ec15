"""`gateway112 retention …`: how long recordings are kept, and what would be destroyed.

Counterpart: `gateway/api/retention.py`.
"""

from argparse import Namespace
from datetime import datetime, time

from gateway.cli import tables
from gateway.cli.command import Commands, Desk, Reply, command, day, subject, thing_id
from gateway.domain.dispositions import Disposition


def add_to(commands: Commands) -> None:
    own = subject(commands, "retention", "How long recordings are kept.")
    command(own, "list", list_rules, example="retention list")
    add = command(own, "add", add_rule, example="retention add Pranks 10 30 --disposition prank")
    add.add_argument("name", metavar="NAME", help="as certificates name it")
    add.add_argument("place", type=thing_id, metavar="PLACE", help="of the rules that fit the least one decides")
    add.add_argument("days", type=thing_id, metavar="DAYS", help="for how many days, from the sound's end on")
    add.add_argument("--disposition", choices=[*Disposition], metavar="WHAT", help="only calls that were that")
    add.add_argument("--queue", help="only calls that waited in this queue")
    retire = command(own, "retire", retire_rule, example="retention retire 3")
    retire.add_argument("id", type=thing_id, metavar="ID", help="the rule's, as `retention list` shows it")
    due = command(own, "due", list_due, example="retention due --by 2027-01-01")
    due.add_argument("--by", type=day, metavar="DATE", help="what would be destroyed before that day (default: now)")


async def list_rules(desk: Desk, _: Namespace) -> Reply:
    """The rules in the order in which they decide; where none fits, the centre's own does."""
    answer = await desk.api.every("/v1/retention-rules")
    rules = await desk.api.ask("GET", "/v1/rules")
    rows = [
        (each["id"], each["place"], each["name"], each["disposition"], each["queue"], each["keep_days"])
        for each in sorted(answer["items"], key=lambda each: (each["place"], each["id"]))
    ]
    rows.append((None, None, "all others", None, None, rules["keep_recordings_days"]))
    columns = ("ID", "Place", "Rule", "Disposition", "Queue", "Days")
    return Reply(answer, tables.table(f"Retention rules: {len(rows) - 1}", columns, rows, empty=""))


async def add_rule(desk: Desk, arguments: Namespace) -> Reply:
    """A new rule. See with `retention due` what it would destroy: that begins within the hour."""
    body = {name: getattr(arguments, name) for name in ("name", "place", "disposition", "queue")}
    made = await desk.api.ask("POST", "/v1/retention-rules", body=body | {"keep_days": arguments.days})
    return Reply(
        made, tables.plain(f"Rule {made['id']}, {made['name']}, keeps recordings for {made['keep_days']} days.")
    )


async def retire_rule(desk: Desk, arguments: Namespace) -> Reply:
    """Takes a rule away: the next one that fits, or the centre's own, decides."""
    path = f"/v1/retention-rules/{arguments.id}"
    rule = await desk.api.ask("GET", path)
    await desk.api.ask("DELETE", path, seen=rule["version"])
    return Reply(None, tables.plain(f"Rule {rule['id']}, {rule['name']}, decides no more."))


async def list_due(desk: Desk, arguments: Namespace) -> Reply:
    """What each rule would destroy, as rules, holds and dispositions are now. Nothing is destroyed for being asked."""
    at = None if arguments.by is None else datetime.combine(arguments.by, time(), desk.zone).isoformat()
    answer = await desk.api.ask("GET", "/v1/retention-rules/due", query={"at": at})
    rows = [
        (
            each["name"] or "all others",
            each["keep_days"],
            each["count"],
            each["held"],
            tables.lines(each["first_ids"][:3]),
        )
        for each in answer["rules"]
    ]
    least = "" if answer["is_complete"] else "at least "
    title = f"Due by {tables.moment(answer['at'], desk.zone)} ({desk.zone.key}): {least}{answer['count']}"
    columns = ("Rule", "Days", "Due", "More, on hold", "The oldest")
    return Reply(answer, tables.table(title, columns, rows, empty=""))
