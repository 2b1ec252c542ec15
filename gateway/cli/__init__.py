"""The commands for the admin who installs this alone: people and rosters, agencies, callbacks, reports, recordings,
how long they are kept, legal holds, exports, erasures, tokens, the audit log, webhooks.

Counterpart: `gateway/api/`. Each command asks the REST API and nothing else, so that whatever is done here is checked,
logged and told as if anybody had asked. Only those of `vault`, backups and Asterisk's console are about this machine:
gateway or not.
"""

import argparse
import asyncio
import json
import os
import sys
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from gateway import owner
from gateway.api.tls import client_context
from gateway.cli import (
    agencies,
    alarms,
    audit,
    backups,
    bans,
    blocks,
    callbacks,
    command,
    console,
    erasures,
    exports,
    holds,
    operators,
    queues,
    recordings,
    reports,
    retention,
    roster,
    shifts,
    tables,
    tokens,
    trunks,
    vault,
    webhooks,
)
from gateway.cli.client import Failed, Problem, open_api, token_for
from gateway.cli.command import FAILED, OK, Commands, Desk, Reply
from gateway.settings import Settings

SUBJECTS = (
    operators,
    queues,
    trunks,
    shifts,
    roster,
    agencies,
    callbacks,
    blocks,
    bans,
    reports,
    recordings,
    retention,
    holds,
    exports,
    erasures,
    tokens,
    audit,
    alarms,
    webhooks,
    vault,
    backups,
    console,
)


def add_to(commands: Commands) -> None:
    """Adds every command, in the order in which a centre is set up."""
    for each in SUBJECTS:
        each.add_to(commands)


def run(settings: Settings, chosen: argparse.Namespace) -> int:
    """Does what was chosen. Returns the exit status: 0 when it was done, 1 with a sentence on stderr when not."""
    if "act" in chosen:
        said = owner.shut_out(settings, f"{chosen.prog} …")
        if chosen.writes:
            said = owner.stranger(settings, f"{chosen.prog} …") or said
        if said:
            return command.failed(chosen, Failed(said))
        status: int = chosen.act(settings, chosen)
        return status
    try:
        reply = asyncio.run(_serve(settings, chosen))
    except Failed as failure:
        _complain(chosen, failure)
        return FAILED
    if chosen.json:
        if reply.answer is not None:
            print(json.dumps(reply.answer, indent=2, ensure_ascii=False))
    elif isinstance(reply.shown, str):
        sys.stdout.write(reply.shown)
    else:
        tables.show(reply.shown)
    if reply.failure:
        _complain(chosen, Failed(reply.failure))
    return FAILED if reply.failure else OK


async def _serve(settings: Settings, chosen: argparse.Namespace) -> Reply:
    url = chosen.api or settings.api_url
    tls = client_context(settings.api) if url == settings.api_url else True
    async with open_api(url, token_for(settings, url, chosen.token, os.environ), tls) as api:
        try:
            reply: Reply = await chosen.serve(Desk(api, settings, datetime.now(UTC)), chosen)
        except KeyError as missing:
            raise Failed(
                f"The answer of {url} has no {missing}. Remedy: use the gateway112 of the version that runs there."
            ) from missing
        return reply


def _complain(chosen: argparse.Namespace, failure: Failed) -> None:
    """Says on stderr what went wrong, and with what of the request."""
    console = Console(file=sys.stderr, highlight=False)
    console.print(tables.plain(f"{chosen.prog}: {failure}"), soft_wrap=True)
    if isinstance(failure, Problem):
        for field, reason in failure.errors:
            console.print(Text("  ") + tables.plain(f"{field.removeprefix('/')}: {reason}"), soft_wrap=True)
