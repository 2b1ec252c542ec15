"""`gateway112 recording`: which recordings there are, and one of them as a file, with the reason for the audit log.

Counterpart: `gateway/api/recordings.py`.
"""

from argparse import ArgumentTypeError, Namespace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.text import Text

from gateway.cli import tables
from gateway.cli.client import PAGE
from gateway.cli.command import Commands, Desk, Reply, command, day, new_file, subject
from gateway.domain.recordings import State

LAST = 20
FORMS = ("ogg", "wav", "mp3")


def add_to(commands: Commands) -> None:
    own = subject(commands, "recording", "The sound of calls, messages and calls back.")
    listed = command(own, "list", list_recordings, example="recording list --from 2026-11-26 --problem")
    listed.add_argument("--from", type=day, dest="first", metavar="DATE", help="the first day")
    listed.add_argument("--to", type=day, dest="last_day", metavar="DATE", help="the last day")
    listed.add_argument("--call", metavar="ID", help="only those of this call")
    listed.add_argument("--queue", help="only of calls of this queue")
    listed.add_argument("--trunk", help="only of calls of this trunk")
    listed.add_argument("--operator", metavar="PHONE", help="only of calls that this phone answered")
    listed.add_argument("--state", choices=[*State], metavar="STATE", help=f"one of {', '.join(State)}")
    listed.add_argument("--problem", action="store_true", help="only those with which something is wrong")
    listed.add_argument(
        "--last", type=_count, default=LAST, metavar="N", help=f"how many of the newest (default: {LAST})"
    )
    show = command(own, "show", show_recording, example="recording show 112-1795476254.0")
    show.add_argument("id", metavar="ID", help="as `recording list` shows it")
    fetch = command(
        own, "fetch", fetch_recording, example='recording fetch 112-1795476254.0 --reason "police request 12/2026"'
    )
    fetch.add_argument("id", metavar="ID", help="as `recording list` shows it")
    fetch.add_argument("--reason", required=True, help="why: it stands in the audit log (5 to 200 characters)")
    fetch.add_argument("--format", choices=FORMS, default="wav", help="what the file is to be (default: wav)")
    fetch.add_argument(
        "--changed", action="store_true", help="also where it was changed since it was sealed: it is no evidence then"
    )
    fetch.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write it (default: ID.wav, here)")


async def list_recordings(desk: Desk, arguments: Namespace) -> Reply:
    """The newest recordings, the newest first: whose they are, how long, and what is wrong with them."""
    query = {
        **{"from": _start(desk, arguments.first), "to": _start(desk, arguments.last_day, 1)},
        **{name: getattr(arguments, name) for name in ("call", "queue", "trunk", "operator", "state")},
        "has_problem": True if arguments.problem else None,
    }
    items: list[dict[str, Any]] = []
    cursor = None
    while len(items) < arguments.last:
        limit = min(PAGE, arguments.last - len(items))
        page = await desk.api.ask("GET", "/v1/recordings", query={**query, "limit": limit, "cursor": cursor})
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    rows = [
        (
            each["id"],
            tables.moment(each["started_at"], desk.zone),
            each["caller"] or each["kind"],
            "" if each["sound_s"] is None else f"{each['sound_s']:.0f} s",
            _state(each),
        )
        for each in items
    ]
    title = f"Recordings: {len(rows)} (times of {desk.zone.key})"
    columns, empty = ("Id", "Began", "Caller", "Sound", "State"), "There is no such recording."
    return Reply(
        {"items": items, "next": cursor},
        tables.table(title, columns, rows, empty=empty, whole=("Id", "Began", "Sound")),
    )


async def show_recording(desk: Desk, arguments: Namespace) -> Reply:
    """One recording: whose it is, how long, what its sound lacks, what is wrong with it now, and its seal."""
    found = await desk.api.ask("GET", f"/v1/recordings/{quote(arguments.id, safe='')}")
    seal = found["seal"] or {}
    rows: list[tuple[str, tables.Cell]] = [
        ("of", " ".join(filter(None, (found["kind"], found["call_id"] or found["dial_id"], found["caller"])))),
        ("began", tables.moment(found["started_at"], desk.zone)),
        ("ended", tables.moment(found["ended_at"], desk.zone)),
        ("state", found["state"]),
        ("sound", _seconds(found["sound_s"])),
        ("expected", _seconds(found["expected_s"])),
        ("plays", _seconds(found["duration_s"])),
        *(("lacks", fault) for fault in found["faults"]),
        ("wrong now", found["problem"] or "nothing"),
        ("sealed", tables.moment(seal.get("sealed_at"), desk.zone)),
        ("in", seal.get("stored")),
        ("SHA-256", seal.get("sound_sha256")),
        ("certificate", found["certificate"]),
    ]
    title = f"Recording {found['id']} (times of {desk.zone.key})"
    return Reply(found, tables.facts(title, [row for row in rows if row[1]]))


async def fetch_recording(desk: Desk, arguments: Namespace) -> Reply:
    """Writes the sound of a recording into a file. Who fetched it, and why, stands in the audit log."""
    file = arguments.output or Path(f"{arguments.id.replace('/', '_')}.{arguments.format}")
    path = f"/v1/recordings/{quote(arguments.id, safe='')}/audio"
    query = {"reason": arguments.reason, "format": arguments.format, "changed": True if arguments.changed else None}
    with new_file(file) as opened:
        size = (await desk.api.fetch("GET", path, opened, media="audio/", query=query)).size_bytes
    return Reply({"file": str(file), "bytes": size}, tables.plain(f"The recording stands in {file} ({size} bytes)."))


def _start(desk: Desk, of: date | None, days_later: int = 0) -> str | None:
    """When that day begins by the centre's clock, as the API takes it."""
    return None if of is None else datetime.combine(of + timedelta(days=days_later), time(), desk.zone).isoformat()


def _seconds(length_s: float | None) -> str:
    return "" if length_s is None else f"{length_s:.2f} s"


def _state(recording: dict[str, Any]) -> Text:
    state, problem = tables.plain(recording["state"]), recording["problem"]
    return Text.assemble(state, ", ", tables.alert("WRONG"), ": ", tables.plain(problem)) if problem else state


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 10_000:
        raise ArgumentTypeError(f"{text} is not a number of recordings such as 20")
    return int(text)
