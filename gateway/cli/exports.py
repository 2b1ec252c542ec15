"""`gateway112 export`: calls for the police, as a zip that is checked without this software.

Counterpart: `gateway/api/exports.py`.
"""

from argparse import Namespace
from pathlib import Path

from gateway.cli import tables
from gateway.cli.command import Commands, Desk, Reply, command, new_file


def add_to(commands: Commands) -> None:
    parser = command(
        commands,
        "export",
        export_calls,
        example='export 112-1795476254.0 --reason "LP/B/112/2026" --recipient "Ipda Dewi, Polresta" -o lp112.zip',
    )
    parser.add_argument("calls", nargs="+", metavar="CALL", help="the calls' ids, at most 100")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; the audit log keeps it")
    parser.add_argument("--recipient", required=True, metavar="WHO", help="who gets it: name, rank, office")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FILE", help="the zip; it must be a new file"
    )


async def export_calls(desk: Desk, arguments: Namespace) -> Reply:
    """Calls with their sound, history, manifests and signatures, as a zip. README.html in it tells how to check
    everything with sha256sum and openssl. Who handed what to whom stands in the audit log."""
    body = {"calls": arguments.calls, "reason": arguments.reason, "recipient": arguments.recipient}
    output: Path = arguments.output
    with new_file(output) as file:
        fetched = await desk.api.fetch("POST", "/v1/exports", file, media="application/zip", body=body)
    said = f"{len(arguments.calls)} {'call' if len(arguments.calls) == 1 else 'calls'} for {arguments.recipient}"
    told = {"file": str(output), "bytes": fetched, "calls": arguments.calls}
    return Reply(told, tables.plain(f"{output} holds {said}: {fetched} bytes. Its README.html tells how to check it."))
