"""`gateway112 vault`: whether anybody changed the recordings, the key that signs, a new key that encrypts, and moving
sound to a bucket or back.

Counterpart: `gateway/vault/`. These look at this machine's files, and need neither the gateway nor its database.
"""

import fcntl
import json
import os
import sys
from argparse import Namespace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from gateway import owner
from gateway.cli import tables
from gateway.cli.command import FAILED, OK, Commands, act_here, day, failed, subject
from gateway.settings import Settings
from gateway.vault.findings import Verified
from gateway.vault.heads import Heads
from gateway.vault.keys import KeyMissing, KeyRing, SigningKey, public_pems, ring_names
from gateway.vault.shelf import ShelfAway, shelf_for
from gateway.vault.verify import Verifier
from gateway.vault.worker import LOCK


def add_to(commands: Commands) -> None:
    words = subject(commands, "vault", "Recordings as evidence: verify them, show the key, make a new one.")
    verify = act_here(words, "verify", verify_vault, example="vault verify --since 2026-11-01")
    verify.add_argument("--since", type=day, default=date.min, metavar="DATE", help="from that day (UTC) on")
    verify.add_argument("--json", action="store_true", help="print what was found as JSON")
    act_here(words, "key", show_key, example="vault key > signing.pub.pem")
    act_here(words, "rotate", rotate_key, example="vault rotate", writes=True)
    act_here(words, "move", move_sound, example="vault move", writes=True)


def verify_vault(settings: Settings, chosen: Namespace) -> int:
    """Looks whether any recording was changed, removed, swapped or added, and whether each day's chain is signed.
    Exit status 1 where something is wrong."""
    root = settings.paths.recordings
    verifier = Verifier(
        root,
        shelf_for(settings),
        public_pems(settings.vault_dir),
        lambda: ring_names(settings.vault_dir),
        heads=Heads(settings.vault_dir),
        is_written_to=lambda: _is_held(root),
    )
    console = Console(file=sys.stderr, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("Reading", total=verifier.size_bytes(chosen.since))
            verified = verifier.verify(chosen.since, lambda read: progress.advance(bar, read))
    except (ShelfAway, KeyMissing, OSError) as error:
        console.print(tables.plain(f"{chosen.prog}: {error}"), soft_wrap=True)
        return FAILED
    if chosen.json:
        print(json.dumps(_as_json(verified), indent=2, ensure_ascii=False))
    else:
        _show(verified, root)
        if not verified.tells_rollbacks:
            said = (
                f"What was signed last is not kept here ({settings.vault_dir / 'heads'} is not there): whether a day "
                f"was put back to an older state, or is gone, cannot be told."
            )
            Console(highlight=False).print(tables.plain(said), soft_wrap=True)
    return FAILED if verified.findings else OK


def show_key(settings: Settings, chosen: Namespace) -> int:
    """Prints the public half of the key that signs, as PEM. Whoever has it can check a signature with openssl."""
    key = SigningKey(settings.vault_dir)
    if not key.public_file.exists() and (said := owner.stranger(settings, chosen.prog)):  # it would be made
        return failed(chosen, PermissionError(said))
    try:
        print((key.public_file.read_bytes() if key.public_file.exists() else key.public_pem()).decode(), end="")
    except KeyMissing as error:
        return failed(chosen, error)
    return OK


def rotate_key(settings: Settings, chosen: Namespace) -> int:
    """Makes a new key that encrypts what is sealed from now on. The old ones stay, for what they encrypted."""
    try:
        name = KeyRing(settings.vault_dir).rotate(datetime.now(UTC))
    except KeyMissing as error:
        return failed(chosen, error)
    print(f"The newest key is {name}. Put {settings.vault_dir / 'ring.json'} into the backup now, apart.")
    if not settings.vault.encrypt:
        print("Nothing is encrypted with it yet: set encrypt = true in [vault], and start the gateway again.")
    return OK


def move_sound(settings: Settings, chosen: Namespace) -> int:
    """Moves sealed sound to the bucket, or back to the disk, as [vault] says, until all of it is there. The gateway
    does the same by itself, as long as it runs. Exit status 1 where something was not moved."""
    if not settings.vault.bucket:
        return failed(chosen, ValueError("no bucket is named. Remedy: set bucket in [vault]"))
    from gateway.vault.moving import Mover  # its library is for those who have a bucket

    place = settings.vault.bucket if settings.vault.keep_in == "bucket" else str(settings.paths.recordings)
    moved = moved_bytes = 0
    try:
        mover = Mover(settings)
        while (came := mover.round()).moved:
            moved, moved_bytes = moved + came.moved, moved_bytes + came.moved_bytes
    except BlockingIOError:
        return failed(chosen, ValueError("the gateway is at it. Remedy: none; what came of it is told by `doctor`"))
    except OSError as error:
        return failed(chosen, error)
    print(f"{moved} recordings ({moved_bytes / 1e6:.1f} MB) were moved to {place}, {came.waiting} were not.")
    return failed(chosen, ShelfAway(came.problem)) if came.problem else OK


def _show(verified: Verified, root: Path) -> None:
    console = Console(highlight=False)
    looked = (
        f"{verified.recordings} recordings of {len(verified.heads)} days in {root}, {verified.destroyed} destroyed "
        f"with a certificate; {verified.bytes / 1e6:.1f} MB read"
    )
    if not verified.findings:
        console.print(tables.plain(f"All is as it was left: {looked}."), soft_wrap=True)
        if verified.heads:
            newest = verified.heads[-1]
            said = f"The last line of {newest.day} is {newest.last}. Note it elsewhere now and then."
            console.print(tables.plain(said), soft_wrap=True)
        return
    for each in verified.findings:
        console.print(tables.plain(f"{each.what.upper():14} {each.file}: {each.said}"), soft_wrap=True)
    console.print(tables.plain(f"{len(verified.findings)} findings. Looked at {looked}."), soft_wrap=True)


def _as_json(verified: Verified) -> dict[str, Any]:
    return {
        "ok": not verified.findings,
        "recordings": verified.recordings,
        "destroyed": verified.destroyed,
        "bytes": verified.bytes,
        "tells_rollbacks": verified.tells_rollbacks,
        "heads": [{"day": each.day.isoformat(), "entries": each.entries, "last": each.last} for each in verified.heads],
        "findings": [
            {
                "day": each.day and each.day.isoformat(),
                "file": each.file,
                "what": each.what.value,
                "said": each.said,
            }
            for each in verified.findings
        ],
    }


def _is_held(root: Path) -> bool:
    """Whether the worker is there."""
    try:
        descriptor = os.open(root / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
