"""Whether Asterisk listens where callers and phones come to. It boots also where another program was quicker at its
port, and would be deaf.

Counterparts: `gateway112 asterisk` and `gateway112 run` look whether the port is free before Asterisk starts, and leave
this watch behind for the moment between.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.settings import SipSettings

CARRIERS = "udp"
KINDS = (CARRIERS, "tcp")
LOOK_EVERY_S = 0.2
BOOT_LIMIT_S = 120.0
ASK_LIMIT_S = 60.0
_INODE = 9
"""Where a socket's inode stands in a line of /proc/net/udp and tcp (proc(5)), and before it the local address."""


def deaf_at(port: int, pid: int) -> list[str]:
    """The kinds of transport of whose port the process has no socket; not those that cannot be seen. Blocking."""
    try:
        files = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return []
    own = set()
    for file in files:
        with contextlib.suppress(OSError):  # closed meanwhile
            own.add(os.readlink(file))
    tables = {kind: [Path(f"/proc/net/{kind}"), Path(f"/proc/net/{kind}6")] for kind in KINDS}
    there = {kind: [file for file in files if file.exists()] for kind, files in tables.items()}
    return [kind for kind, files in there.items() if files and own.isdisjoint(_sockets(files, port))]


def _sockets(tables: Sequence[Path], port: int) -> set[str]:
    """The sockets of that local port, as links to them are read."""
    lines = (line.split() for table in tables for line in table.read_text().splitlines()[1:])
    return {f"socket:[{each[_INODE]}]" for each in lines if each[1].endswith(f":{port:04X}")}


def watch(sip: SipSettings, console: Sequence[str], pid: int) -> None:
    """Returns once the Asterisk of that id listens at the SIP port, or has ended. One that has booted without is told
    of, and killed where carriers cannot reach it (UDP): whoever keeps it running starts it again. `console` is the
    command that asks it something. Blocking."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    limit_s = time.monotonic() + BOOT_LIMIT_S
    try:
        while deaf_at(sip.port, pid) and time.monotonic() < limit_s:
            if select.select([process], [], [], LOOK_EVERY_S)[0]:
                return  # it has ended, and said why
            if _has_booted(console) and (kinds := deaf_at(sip.port, pid)):
                print(_words(sip, kinds), file=sys.stderr, flush=True)
                if CARRIERS in kinds:
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                return
    finally:
        os.close(process)


def _has_booted(console: Sequence[str]) -> bool:
    try:
        command = [*console, "core waitfullybooted"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=ASK_LIMIT_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    return "fully booted" in said


def _words(sip: SipSettings, kinds: Sequence[str]) -> str:
    where = f"{sip.host}:{sip.port} ({' and '.join(kinds).upper()})"
    so = "It is ended, for it would hear no call" if CARRIERS in kinds else "Calls over UDP are answered"
    return (
        f"settings: sip.port: Asterisk has not opened {where}: another program was quicker. {so}. Remedy: end what "
        f"uses the port (`ss -lntup 'sport = {sip.port}'` names it) and start Asterisk again, or choose a free one "
        "(gateway.toml or GATEWAY112_SIP_PORT)."
    )


def leave_watch(sip: SipSettings, console: Sequence[str], claimed: Sequence[int]) -> None:
    """Leaves `watch` behind in a process of its own, for a process that becomes Asterisk. It keeps none of the
    `claimed` files: they last as long as Asterisk."""
    pid = os.getpid()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    # a child of its child: whoever becomes Asterisk has no process to wait for
    try:
        if os.fork() == 0:
            for descriptor in claimed:
                os.close(descriptor)
            watch(sip, console, pid)
    finally:
        os._exit(0)
