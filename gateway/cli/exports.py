"""`gateway112 export`: calls for the police, as a zip that is checked without this software.

Counterpart: `gateway/api/exports.py`.
"""

from argparse import Namespace
from pathlib import Path

from gateway.cli import tables
from gateway.cli.command import Commands, Desk, Reply, command, new_file

DAMAGED = "Damaged-Recordings"
"""The answer's header, as `gateway/api/exports.py` calls it."""


def add_to(commands: Commands) -> None:
    parser = command(
        commands,
        "export",
        export_calls,
        example="export 112-1795476254.0 --reason LP7 --recipient Polres -o lp7.zip",
    )
    parser.add_argument("calls", nargs="+", metavar="CALL", help="the calls' ids, at most 100")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; the audit log keeps it")
    parser.add_argument("--recipient", required=True, metavar="WHO", help="who gets it: name, rank, office")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FILE", help="the zip; it must be a new file"
    )


async def export_calls(desk: Desk, arguments: Namespace) -> Reply:
    """Calls with their sound, history, manifests and signatures, as a zip. README.html in it tells how to check
    everything with sha256sum and openssl. Who handed what to whom stands in the audit log. Exit status 1 where it
    failed, and also where a recording in it is not as it was sealed, or cannot be read: the zip is there all the
    same, without that sound, and says so."""
    body = {"calls": arguments.calls, "reason": arguments.reason, "recipient": arguments.recipient}
    output: Path = arguments.output
    with new_file(output) as file:
        fetched = await desk.api.fetch("POST", "/v1/exports", file, media="application/zip", body=body)
    damaged = int(fetched.headers.get(DAMAGED, 0))
    said = f"{len(arguments.calls)} {'call' if len(arguments.calls) == 1 else 'calls'} for {arguments.recipient}"
    told = {"file": str(output), "bytes": fetched.size_bytes, "calls": arguments.calls, "damaged_recordings": damaged}
    return Reply(
        told,
        tables.plain(f"{output} holds {said}: {fetched.size_bytes} bytes. Its README.html tells how to check it."),
        f"DAMAGED: {_recordings(damaged)} not as sealed, or cannot be read, and left out. The page of each call says "
        "which and why. Remedy: `gateway112 vault verify`, and a copy from the backup."
        if damaged
        else "",
    )


def _recordings(count: int) -> str:
    return "1 recording is" if count == 1 else f"{count} recordings are"
