"""The command line: `gateway112 …`.

Counterpart: README.md and docs/operations.md tell which command is for whom. Those that are or examine the centre are
functions below; those that ask its API add themselves from `gateway/cli/`.
"""

import gc

gc.disable()  # what is read in here stays, and looking through it over and over takes a fifth of a start
import argparse
import asyncio
import faulthandler
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from rich.console import Console

from gateway import __version__, foreground, logs, memory, owner
from gateway.app import App
from gateway.asterisk import ears, installation, own_database, site
from gateway.asterisk.claim import claim
from gateway.backup.restoring import refuse_unfinished
from gateway.charge import Charge
from gateway.ports import StoreAway
from gateway.settings import ASTERISKS_OWN, CONFIG_VARIABLE, Settings, SettingsError, load
from gateway.store import usable
from gateway.store.migrations import SchemaTooNew
from gateway.systemd import Manager

gc.enable()

OK, FAILED, UNUSABLE = 0, 1, 2
OTHERS = 0o027
"""What of what is made here is for nobody but the gateway's user, and what for its group alone."""


def serve(settings: Settings) -> int:
    """The gateway alone: API, journal, reconciler. Asterisk runs on its own. Where another gateway serves this centre,
    this one waits, and takes over the moment that one ends."""
    memory.keep_small()
    logs.set_up(settings.logs.form, settings.logs.level)
    refuse_unfinished(settings)
    usable.refuse_unusable(settings)
    faulthandler.enable()  # a watchdog's SIGABRT tells where everything stood
    # what the start made stays to the end: the collector need not look through it over and over. Statements leave some
    # thirty objects a second behind that only it can free: few enough must lie about, or memory grows for an hour
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)

    async def run() -> None:
        app = App(settings, Manager.of(os.environ))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, app.stop)
        loop.add_signal_handler(signal.SIGHUP, app.reload)
        charge = Charge(settings.paths.var)
        try:
            has_charge = await app.take_charge(charge)
        except OSError as error:
            raise _not_taken(settings, error) from error
        if has_charge:
            foreground.refuse_taken_ports(settings, foreground.GATEWAY_PORTS)
            await app.run()
        charge.give_up()

    try:
        asyncio.run(run())
    except StoreAway as away:  # while it runs, the journal waits for the database: this is its start
        raise usable.refusal(settings, str(away)) from away
    return OK


def _not_taken(settings: Settings, error: OSError) -> SettingsError:
    """Of a charge that cannot be had: root, say, once served a centre of another user, and left its file behind."""
    var, user = settings.paths.var, owner.name(os.geteuid())
    said = f"{error.filename or var} cannot be opened: {error.strerror or error}"
    remedy = f"look at its disk; where it is another user's, as root: chown -R {user} {var}"
    return SettingsError(f"settings: paths.var: {said}. Remedy: {remedy}.")


def asterisk(settings: Settings) -> int:
    """Asterisk alone, in the foreground, on the configuration of this centre."""
    refuse_unfinished(settings)
    if os.geteuid() == 0 and (said := owner.stranger(settings, "gateway112 asterisk")):
        _tell(f"settings: paths.var: {said}. Asterisk starts all the same, and the gateway may not see its calls.")
    # it may be a machine that comes back at night: what 112 can answer without ends no start
    claimed = claim(settings, _tell)
    foreground.refuse_taken_ports(settings, foreground.ASTERISK_PORTS)
    found = installation.find()
    # each call needs some, and so does whoever connects and says nothing: of the usual 1,024 a thousand such leave none
    # for 112
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    etc = site.prepare(settings, found, _tell)
    own_database.keep_room(settings.asterisk_dir / "lib", _tell)
    ears.leave_watch(settings.sip, found.command(etc, "-rx"), claimed)
    command = found.command(etc, "-f")
    os.execv(command[0], command)  # noqa: S606  # no shell: the process becomes Asterisk


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def run(settings: Settings) -> int:
    """Asterisk and the gateway in the foreground, a probe call, and where everything is. Ctrl-C ends both."""
    return foreground.run(settings)


def probe(settings: Settings) -> int:
    """A real call to 112 through the probe's trunk, step by step. Exit status 1 when a step failed."""
    return foreground.probe(settings)


def examine(settings: Settings) -> int:
    """What is wrong with this installation, and what to do."""
    from gateway import doctor  # asterisk-ami is for this command alone

    findings = doctor.examine(settings)
    Console().print(doctor.render(findings))
    return FAILED if any(finding.is_wrong for finding in findings) else OK


COMMANDS: Mapping[str, Callable[[Settings], int]] = {
    "run": run,
    "serve": serve,
    "asterisk": asterisk,
    "probe": probe,
    "doctor": examine,
}

RUNNING = ("run", "serve", "asterisk")
WRITING = ("run", "serve", "probe")


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit status: 0 good, 1 failed, 2 unusable settings or arguments."""
    parser = argparse.ArgumentParser(prog="gateway112", description="The gateway of an emergency centre.")
    parser.add_argument("--version", action="version", version=f"gateway112 {__version__}")
    parser.add_argument("--config", type=Path, help="gateway.toml (default: the one in this folder)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, function in COMMANDS.items():
        summary = (function.__doc__ or "").split("\n", 1)[0]
        commands.add_parser(name, help=summary, description=summary)
    if _first_word(arguments) not in COMMANDS:
        import_module("gateway.cli").add_to(commands)
    chosen = parser.parse_args(arguments)
    if chosen.config:
        os.environ[CONFIG_VARIABLE] = str(chosen.config.absolute())  # for the programs that this one starts, too
    try:
        settings = settings_for(chosen.command)
        if chosen.command in COMMANDS:
            # callers' voices are for no others on this machine: as systemd's units have it
            os.umask(os.umask(OTHERS) | OTHERS)
            refuse_others(settings, chosen.command)
            return COMMANDS[chosen.command](settings)
        return int(import_module("gateway.cli").run(settings, chosen))
    except (SettingsError, installation.NoAsterisk, StoreAway, SchemaTooNew) as error:
        print(error, file=sys.stderr)
        return UNUSABLE


def refuse_others(settings: Settings, command: str) -> None:
    """Raises SettingsError where the centre is another user's, and this one may not look at it or, as root, would leave
    behind what that one cannot read. Asterisk is started by anybody: 112 answers first."""
    said = owner.shut_out(settings, f"gateway112 {command}", runs=command in RUNNING)
    if command in WRITING and os.geteuid() == 0:  # whatever another user may not write to refuses that by itself
        said = owner.stranger(settings, f"gateway112 {command}") or said
    if said:
        raise SettingsError(f"settings: paths.var: {said}.")


def settings_for(command: str) -> Settings:
    """The settings. Asterisk starts, and its console opens, whatever is wrong with those that are the gateway's
    alone. Raises SettingsError."""
    try:
        return load()
    except SettingsError as error:
        if command not in ("asterisk", "console"):
            raise
        settings = load(only=ASTERISKS_OWN)
        if command == "asterisk":
            _tell(f"{error}\nNone of this is Asterisk's own: it starts all the same.")
        return settings


def _first_word(arguments: list[str] | None) -> str | None:
    """The command, looked for before any is known: to read in those that ask the API takes a start too long."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--config")
    early.add_argument("command", nargs="?")
    found: str | None = early.parse_known_args(arguments)[0].command
    return found


if __name__ == "__main__":
    sys.exit(main())
