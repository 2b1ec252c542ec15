"""`gateway112 audit`: who changed what, and whether somebody changed that.

Counterpart: `gateway/api/tokens.py`, which serves the audit log.
"""

from argparse import ArgumentTypeError, Namespace
from typing import Any

from rich.text import Text

from gateway.cli import tables
from gateway.cli.client import PAGE, Api
from gateway.cli.command import Commands, Desk, Reply, command

LAST = 20


def add_to(commands: Commands) -> None:
    parser = command(commands, "audit", show_audit, example="audit --last 50")
    parser.add_argument("--verify", action="store_true", help="only say whether the whole log is in order")
    parser.add_argument(
        "--last", type=_count, default=LAST, metavar="N", help=f"how many of the newest entries (default: {LAST})"
    )


async def show_audit(desk: Desk, arguments: Namespace) -> Reply:
    """Who changed what, the newest last. Nobody can change the log without breaking it, and --verify tells."""
    if arguments.verify:
        return await _verify(desk)
    newest = await _newest(desk.api)
    after = max(0, newest - arguments.last)
    items: list[dict[str, Any]] = []
    while after < newest:
        page = await desk.api.ask("GET", "/v1/audit", query={"after": after, "limit": min(PAGE, newest - after)})
        if not page["items"]:
            break
        items += page["items"]
        after = items[-1]["seq"]
    rows = [
        (
            each["seq"],
            tables.moment(each["at"], desk.zone),
            tables.lines(filter(None, (f"{each['actor']} ({each['role']})", each["address"]))),
            tables.lines(filter(None, (f"{each['action']} {each['subject']}", _change(each), each["note"]))),
        )
        for each in items
    ]
    title = f"Audit log: {len(rows)} of {newest} entries (times of {desk.zone.key})"
    empty = "Nobody has changed anything yet."
    shown = tables.table(title, ("No.", "When", "Who, and from where", "What"), rows, empty=empty, whole=("When",))
    return Reply({"items": items, "next": None}, shown)


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


async def _newest(api: Api) -> int:
    """The number of the newest entry. The API tells the oldest first; numbers have no hole, so it is searched for."""

    async def has_more(after: int) -> bool:
        return bool((await api.ask("GET", "/v1/audit", query={"after": after, "limit": 1}))["items"])

    low, high = 0, 1  # entry `low` is there, or is none; `high` may not be
    while await has_more(high - 1):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if await has_more(middle - 1) else (low, middle)
    return low


def _change(entry: dict[str, Any]) -> str:
    """What is different, in words; the name of what is new."""
    before, after = entry["before"], entry["after"]
    if after is None:
        return ""
    if before is None:
        return str(after.get("name", ""))
    changed = [name for name in after if name not in ("version", "retired_at") and after[name] != before.get(name)]
    return "; ".join(f"{name}: {_word(before.get(name))} → {_word(after[name])}" for name in changed)


def _word(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 100_000:
        raise ArgumentTypeError(f"{text} is not a number of entries such as 20")
    return int(text)
