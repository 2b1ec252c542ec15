"""`gateway112 webhook …`: who is told of events by a post of ours.

Counterpart: `gateway/api/webhooks.py`.
"""

from argparse import Namespace
from typing import Any
from urllib.parse import quote

from rich.console import Group
from rich.text import Text

from gateway.cli import tables
from gateway.cli.command import Commands, Desk, Reply, command, subject


def add_to(commands: Commands) -> None:
    own = subject(commands, "webhook", "Other programs that are told of events, as an agency's dispatch.")
    command(own, "list", list_webhooks, example="webhook list")
    add = command(own, "add", add_webhook, example="webhook add https://dispatch.example.go.id/112 call.arrived")
    add.add_argument("url", metavar="URL", help="where to post: http or https")
    add.add_argument("types", nargs="*", metavar="TYPE", help="only events of these types (default: all)")
    remove = command(own, "remove", remove_webhook, example="webhook remove f59c03b76a0af51c")
    remove.add_argument("id", metavar="ID", help="as `webhook list` shows it")


async def list_webhooks(desk: Desk, _: Namespace) -> Reply:
    """All receivers, up to which event each has come, and why it takes nothing."""
    answer = await desk.api.ask("GET", "/v1/webhooks")
    rows: list[tuple[tables.Cell, ...]] = [
        (
            each["id"],
            _state(each, desk),
            tables.lines(each["types"] or ["all"]),
            each["after_seq"],
            each["url"],  # last: it may be longer than the terminal
        )
        for each in answer["items"]
    ]
    title = f"Webhooks: {len(rows)} (times of {desk.zone.key})"
    columns = ("ID", "State", "Types", "Up to event", "Posts to")
    empty = "Nobody is told of events. Tell somebody: gateway112 webhook add URL"
    return Reply(answer, tables.table(title, columns, rows, empty=empty, whole=("ID",)))


async def add_webhook(desk: Desk, arguments: Namespace) -> Reply:
    """Posts each event there from now on, in order, until it is taken. The secret that proves a post to be the
    gateway's is shown this once and never again."""
    made = await desk.api.ask("POST", "/v1/webhooks", body={"url": arguments.url, "types": arguments.types})
    shown = Group(
        tables.plain(
            f"From now on {', '.join(made['types']) or 'every event'} is posted to {made['url']}, signed with:"
        ),
        Text(""),
        tables.plain(f"  {made['secret']}"),
        Text(""),
        tables.plain(f"It is not shown again: give it to whoever checks the posts. The webhook's id is {made['id']}."),
    )
    return Reply(made, shown)


async def remove_webhook(desk: Desk, arguments: Namespace) -> Reply:
    """Nothing more is posted there, but for what is on its way."""
    removed = await desk.api.ask("GET", f"/v1/webhooks/{quote(arguments.id, safe='')}")
    await desk.api.ask("DELETE", f"/v1/webhooks/{removed['id']}")
    return Reply(None, tables.plain(f"Nothing more is posted to {removed['url']}."))


def _state(webhook: dict[str, Any], desk: Desk) -> Text:
    if webhook["failing_since"] is None:
        return Text("ready")
    since = tables.moment(webhook["failing_since"], desk.zone)
    return tables.alert(f"FAILS since {since}: {webhook['last_error'] or 'it was not asked again yet'}")
