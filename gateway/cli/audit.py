"""`gateway112 audit`: who changed what, and whether somebody changed that.

Counterpart: `gateway/api/tokens.py`, which serves the audit log.
"""

from argparse import ArgumentTypeError, Namespace
from typing import Any

from rich.text import Text

from gateway.cli import tables
from gateway.cli.client import PAGE
from gateway.cli.command import Commands, Desk, Reply, command

LAST = 20
HEARD = "recording.heard"
BEHIND_ALL = 2**63 - 1
"""A number that no entry has: the newest ones stand before it."""


def add_to(commands: Commands) -> None:
    parser = command(commands, "audit", show_audit, example="audit --last 50 --subject recording/112-1795476254.0")
    parser.add_argument("--verify", action="store_true", help="only say whether the whole log is in order")
    parser.add_argument(
        "--last", type=_count, default=LAST, metavar="N", help=f"how many of the newest entries (default: {LAST})"
    )
    parser.add_argument("--actor", metavar="WHO", help="only what this person did, by the token's name")
    parser.add_argument("--subject", metavar="WHAT", help="only what is about this, such as shift/3 or backup")


async def show_audit(desk: Desk, arguments: Namespace) -> Reply:
    """Who changed what, who listened to what, and who handed out what, the newest last. Nobody can change the log
    without breaking it, and --verify tells."""
    if arguments.verify:
        return await _verify(desk)
    items = (await _newest(desk, arguments))[::-1]
    rows = [
        (
            each["seq"],
            tables.moment(each["at"], desk.zone),
            tables.lines(filter(None, (f"{each['actor']} ({each['role']})", each["address"]))),
            tables.lines(filter(None, (f"{each['action']} {each['subject']}", _change(each), each["note"]))),
        )
        for each in items
    ]
    asked = (("by", arguments.actor), ("about", arguments.subject))
    about = "".join(f", {word} {name}" for word, name in asked if name)
    title = f"Audit log, the newest {len(rows)}{about} (times of {desk.zone.key})"
    empty = "There is no such entry." if about else "Nobody has changed anything yet."
    shown = tables.table(title, ("No.", "When", "Who, and from where", "What"), rows, empty=empty, whole=("When",))
    return Reply({"items": items, "next": None}, shown)


async def _newest(desk: Desk, arguments: Namespace) -> list[dict[str, Any]]:
    """The newest entries that are wanted, the newest first."""
    items: list[dict[str, Any]] = []
    before: int | None = BEHIND_ALL
    while before is not None and len(items) < arguments.last:
        query = {
            "before": before,
            "actor": arguments.actor,
            "subject": arguments.subject,
            "limit": min(PAGE, arguments.last - len(items)),
        }
        page = await desk.api.ask("GET", "/v1/audit", query=query)
        items += page["items"]
        before = page["next"]
    return items


async def _verify(desk: Desk) -> Reply:
    answer = await desk.api.ask("GET", "/v1/audit/verify")
    if answer["ok"]:
        said = (
            f"The audit log is whole: {answer['entries']} entries. The last one's hash is {answer['head']}. Keep it "
            "elsewhere: a log that was written anew from its start would be whole, too, and end in another hash."
        )
        return Reply(answer, tables.plain(said))
    return Reply(
        answer,
        Text(f"The first {answer['entries']} entries are in order."),
        f"The audit log is BROKEN: entry {answer['broken_at']} does not follow from the one before it, so somebody "
        "changed the database. Remedy: compare it with a backup.",
    )


def _change(entry: dict[str, Any]) -> str:
    """What is different, in words; of what is new its name, of a listening in which form and what part was heard."""
    before, after = entry["before"], entry["after"]
    if after is None:
        return ""
    if entry["action"] == HEARD:
        return _heard(after)
    if before is None:
        return str(after.get("name", ""))
    changed = [name for name in after if name not in ("version", "retired_at") and after[name] != before.get(name)]
    return "; ".join(f"{name}: {_word(before.get(name))} → {_word(after[name])}" for name in changed)


def _heard(after: dict[str, Any]) -> str:
    """As what a recording was sent, and the part of it that was asked for; all of it where none is named."""
    part = "" if after["from_s"] is None else f", seconds {after['from_s']} to {after['to_s']}"
    return f"as {after['form']}{part}{', ' + after['range'] if after['range'] else ''}"


def _word(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 100_000:
        raise ArgumentTypeError(f"{text} is not a number of entries such as 20")
    return int(text)
