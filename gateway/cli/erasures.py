"""`gateway112 erasure …`: one person's data, erased on request by two people (UU 27/2022).

Counterpart: `gateway/api/erasures.py`.
"""

from argparse import Namespace
from typing import Any

from gateway.cli import tables
from gateway.cli.command import Commands, Desk, Reply, command, subject, thing_id


def add_to(commands: Commands) -> None:
    own = subject(commands, "erasure", "One person's data, erased on request by two people.")
    listing = command(own, "list", list_erasures, example="erasure list")
    listing.add_argument("--all", action="store_true", help="with those that were withdrawn, or not confirmed in time")
    ask = command(own, "ask", ask_erasure, example='erasure ask 081234567890 --reason "letter 17/2026"')
    ask.add_argument("number", metavar="NUMBER", help="the whole number; other ways to write it are found, too")
    ask.add_argument(
        "--reason", required=True, metavar="TEXT", help="why; no name and no number: the audit log keeps it"
    )
    confirm = command(own, "confirm", confirm_erasure, example="erasure confirm 4")
    withdraw = command(own, "withdraw", withdraw_erasure, example="erasure withdraw 4")
    for parser in (confirm, withdraw):
        parser.add_argument("id", type=thing_id, metavar="ID", help="the erasure's, as `erasure list` shows it")


async def list_erasures(desk: Desk, arguments: Namespace) -> Reply:
    """The requests, the oldest first, with what each touches or has done."""
    answer = await desk.api.every("/v1/erasures", **({"include_retired": True} if arguments.all else {}))
    rows = [
        (
            each["id"],
            each["number"] or "(forgotten)",
            each["state"],
            tables.lines(filter(None, (each["asked_by"], each["confirmed_by"]))),
            tables.lines((each["reason"], *_told(each))),
        )
        for each in answer["items"]
    ]
    columns = ("ID", "Number", "State", "By", "Reason, and what becomes of it")
    return Reply(answer, tables.table(f"Erasures: {len(rows)}", columns, rows, empty="Nobody has asked for one."))


async def ask_erasure(desk: Desk, arguments: Namespace) -> Reply:
    """Asks for it, and tells what it would touch. Nothing comes of it before another person confirms it."""
    body = {"number": arguments.number, "reason": arguments.reason}
    asked = await desk.api.ask("POST", "/v1/erasures", body=body)
    until = tables.moment(asked["confirm_until"], desk.zone)
    said = f"Erasure {asked['id']} waits for another person: `gateway112 erasure confirm {asked['id']}`, by {until}."
    return Reply(asked, tables.plain(" ".join((said, *_told(asked)))))


async def confirm_erasure(desk: Desk, arguments: Namespace) -> Reply:
    """Confirms what another person asked for. It is carried out at once, and cannot be taken back."""
    path = f"/v1/erasures/{arguments.id}"
    seen = await desk.api.ask("GET", path)
    done = await desk.api.ask("POST", f"{path}/confirm", seen=seen["version"])
    return Reply(done, tables.plain(" ".join((f"Erasure {done['id']} goes on.", *_told(done)))))


async def withdraw_erasure(desk: Desk, arguments: Namespace) -> Reply:
    """Takes a request back that nobody has confirmed; the number is forgotten."""
    path = f"/v1/erasures/{arguments.id}"
    seen = await desk.api.ask("GET", path)
    await desk.api.ask("DELETE", path, seen=seen["version"])
    return Reply(None, tables.plain(f"Erasure {arguments.id} is withdrawn."))


def _told(erasure: dict[str, Any]) -> list[str]:
    """What it would do and has done, what it leaves and why, and what keeps it from being confirmed."""
    told = []
    if erasure["confirmed_at"] is not None:
        told.append(f"Erased: calls {erasure['calls']}, recordings {erasure['recordings']}.")
    if (touches := erasure["touches"]) is not None:
        told.append(f"To be erased: calls {touches['calls']}, recordings {touches['recordings']}.")
        told += [
            f"Call {each['call_id']} stays until its hold is lifted: {each['why']}." for each in touches["left_out"]
        ]
        if touches["hindrance"]:
            told.append(f"It cannot be confirmed yet: {touches['hindrance']}.")
    return told
