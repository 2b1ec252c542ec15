"""`gateway112 alarms`: what is wrong now and needs somebody.

Counterpart: `gateway/api/alarms.py`.
"""

from argparse import Namespace

from gateway.cli import tables
from gateway.cli.command import Commands, Desk, Reply, command


def add_to(commands: Commands) -> None:
    parser = command(commands, "alarms", list_alarms, example="alarms")
    parser.add_argument("--all", action="store_true", help="with those that are over")


async def list_alarms(desk: Desk, arguments: Namespace) -> Reply:
    """What is wrong now and needs somebody, the newest first. Holes in the roster, queues that are short of people,
    operators who are alone and silent."""
    query = {} if arguments.all else {"standing": True}
    answer = await desk.api.every("/v1/alarms", **query)
    rows = [
        (
            each["kind"].replace("_", " "),
            each["subject"],
            tables.moment(each["raised_at"], desk.zone),
            tables.moment(each["cleared_at"], desk.zone) or tables.alert("STANDS"),
            each["detail"],
        )
        for each in answer["items"]
    ]
    standing = sum(each["cleared_at"] is None for each in answer["items"])
    title = f"Alarms: {standing} stand now (times of {desk.zone.key})"
    empty = "There has been no alarm." if arguments.all else "No alarm stands."
    columns = ("Alarm", "With", "Since", "Until", "Detail")
    return Reply(answer, tables.table(title, columns, rows, empty=empty, whole=("Since", "Until")))
