"""`gateway112 run`: Asterisk and the gateway as two children of one terminal, with a probe call to begin with.

Counterpart: in production each is a service of its own (docs/operations.md). Here too neither needs the other to live:
one that ends is started again, and the other is not touched.
"""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from rich.console import Console
from rich.markup import escape

from gateway.api.tls import client_context, tls_of
from gateway.asterisk import ears, installation, own_database, site
from gateway.asterisk.claim import claim
from gateway.backup.restoring import refuse_unfinished
from gateway.probe import report
from gateway.probe.run import run as run_probe
from gateway.settings import Settings, SettingsError

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
RESTART_PAUSE_S = 1.0

ASTERISK_PORTS = ("sip", "ami")
GATEWAY_PORTS = ("api",)

console = Console()


@dataclass(slots=True)
class Child:
    """One of the two programs."""

    name: str
    command: Sequence[str]
    log: str
    inherits: Sequence[int] = ()
    """Open files that it keeps."""
    watch: Callable[[int], None] | None = None
    """Called in a thread with the process's id, at each start."""
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with open(self.log, "ab") as log:  # noqa: ASYNC230  # once a start, a local file
            # a group of its own: Ctrl-C is ours alone, and each is then stopped in its turn
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=tuple(self.inherits),
            )
        if self.watch is not None:
            asyncio.get_running_loop().run_in_executor(None, self.watch, self.process.pid)

    async def stay(self) -> None:
        """Keeps it running: starts it again when it ends, for as long as it takes."""
        while self.process is not None:
            status = await self.process.wait()
            console.print(
                f"[yellow]{self.name} ended (status {status}); it is started again. Its last words: "
                f"{escape(_last_line(self.log))} (all of them: {self.log})[/]"
            )
            ended = self.process
            while self.process is ended:
                await asyncio.sleep(RESTART_PAUSE_S)
                try:
                    await self.start()
                except OSError as error:  # no room on the disk, or for a process: that may pass
                    console.print(f"[red]{self.name} cannot be started: {escape(str(error))}; it is tried again.[/]")

    async def stop(self) -> None:
        """Ends it, politely first."""
        if self.process is None or self.process.returncode is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self.process.wait()
                    return


def _last_line(file: str) -> str:
    """The last line of a log that says something; a traceback's last line is what happened."""
    try:
        with open(file, "rb") as log:
            log.seek(max(0, os.path.getsize(file) - 4096))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:  # somebody has tidied up
        return "none"
    return next((line.strip() for line in reversed(lines) if line.strip()), "none")


def refuse_taken_ports(settings: Settings, sections: Iterable[str]) -> None:
    """Raises SettingsError when a port that is about to be opened is taken."""
    for name in sections:
        section = getattr(settings, name)
        kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM) if name == "sip" else (socket.SOCK_STREAM,)
        for kind in kinds:
            with socket.socket(socket.AF_INET, kind) as probe:
                if kind == socket.SOCK_STREAM:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((section.host, section.port))
                except OSError as error:
                    raise _cannot_open(name, section.host, section.port, error) from None


def _cannot_open(name: str, host: str, port: int, error: OSError) -> SettingsError:
    where = f"{host}:{port} cannot be opened ({error.strerror or error})"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        key, remedy = f"{name}.host", "write an address that this machine has"
    else:
        key, remedy = f"{name}.port", "end what uses it, or choose a free one"
    variable = f"GATEWAY112_{key.replace('.', '_').upper()}"
    return SettingsError(f"settings: {key}: {where}. Remedy: {remedy} (gateway.toml or {variable}).")


def run(settings: Settings) -> int:
    """Runs until Ctrl-C. Returns 0, or 1 when the centre did not come up. Raises SettingsError for what would end the
    start of either."""
    refuse_unfinished(settings)
    tls_of(settings.api)
    claimed = claim(settings)
    refuse_taken_ports(settings, (*ASTERISK_PORTS, *GATEWAY_PORTS))
    found = installation.find()
    etc = site.prepare(settings, found)
    own_database.keep_room(settings.asterisk_dir / "lib", print)
    logs = settings.paths.var
    children = [
        Child(
            f"Asterisk {found.version}",
            found.command(etc, "-f"),
            str(logs / "asterisk.log"),
            claimed,
            lambda pid: ears.watch(settings.sip, found.command(etc, "-rx"), pid),
        ),
        Child("The gateway", [sys.executable, "-m", "gateway", "serve"], str(logs / "gateway.log")),
    ]
    return asyncio.run(_run(settings, children))


async def _run(settings: Settings, children: Sequence[Child]) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    began = time.monotonic()
    stays: list[asyncio.Task[None]] = []
    try:
        for child in children:
            await child.start()
            stays.append(asyncio.create_task(child.stay()))
        health = await _ready(settings, stopping)
        if health is None:
            for child in children:
                console.print(f"[red]The centre did not come up.[/] Read {child.log}, or run `gateway112 doctor`.")
            return 1
        for reason in health.get("reasons", []):
            if reason["code"] == "setting_in_vain":
                console.print(f"[yellow]{escape(reason['words'])}[/] {escape(reason['remedy'])}\n")
        console.print(f"[green]112 is open[/] after {time.monotonic() - began:.1f} s. A probe call shows it:\n")
        probing = asyncio.create_task(_show_probe(settings))
        ended = asyncio.create_task(stopping.wait())
        await asyncio.wait({probing, ended}, return_when=asyncio.FIRST_COMPLETED)
        if probing.done() and (error := probing.exception()):
            console.print(f"[red]The probe itself is broken:[/] {error!r}. The centre stays open; please report it.")
        if not stopping.is_set():
            _say_where(settings)
            await ended
        probing.cancel()
        await asyncio.wait({probing}, timeout=STOP_TIMEOUT_S)  # it hangs up and ends its own programs first
        return 0
    finally:
        console.print("\nStopping …")
        for stay in stays:
            stay.cancel()
        for child in reversed(children):
            await child.stop()


def probe(settings: Settings) -> int:
    """One probe call; 0 when every step was good, else 1."""
    outcome = asyncio.run(run_probe(settings, _token(settings)))
    console.print(report.render(outcome))
    return 0 if outcome.passed else 1


async def _show_probe(settings: Settings) -> None:
    outcome = await run_probe(settings, _token(settings))
    console.print(report.render(outcome))


def _token(settings: Settings) -> str:
    return site.kept_secret(settings.paths.var / "admin-token")


async def _ready(settings: Settings, stopping: asyncio.Event) -> dict[str, Any] | None:
    """What health says once the API answers and its link to Asterisk is up; None when that takes too long."""
    connector = aiohttp.TCPConnector(ssl=client_context(settings.api))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_TIMEOUT_S), aiohttp.ClientSession(connector=connector) as session:
            while not stopping.is_set():
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{settings.api_url}/v1/health") as response:
                        health: dict[str, Any] = await response.json()
                        if health["asterisk"]["up"]:
                            return health
                await asyncio.sleep(0.1)
    return None


def _say_where(settings: Settings) -> None:
    console.print(
        f"\nAPI            {settings.api_url}/v1/health"
        f"\nDocumentation  {settings.api_url}/docs"
        f"\nWall board     {settings.api_url}/board"
        f"\nAdmin token    {settings.paths.var / 'admin-token'}"
        f"\nLogs           {settings.paths.var / 'gateway.log'}, {settings.paths.var / 'asterisk.log'}"
        "\n\nCtrl-C ends Asterisk and the gateway.",
        highlight=False,
    )
