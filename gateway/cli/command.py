"""What a command is: its words and options, the function that serves it, and what that tells.

Counterparts: the modules of the subjects, each of which adds its commands here; `__init__.py`, which runs the chosen
one.
"""

import argparse
import inspect
import os
import re
import sys
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias
from zoneinfo import ZoneInfo

from rich.console import Console, RenderableType

from gateway.cli import tables
from gateway.cli.client import Api, Failed
from gateway.settings import TOKEN_VARIABLE, Settings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

OK, FAILED = 0, 1
HELP_WIDTH = 78


@dataclass(frozen=True, slots=True)
class Desk:
    """What every command has at hand. `now` is the time in UTC."""

    api: Api
    settings: Settings
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        """The centre's zone: all times that people read and write are its wall clock's."""
        return ZoneInfo(self.settings.centre.timezone)

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command tells: the API's answer as it is, and the same for people; a bare string is a file's text, and is
    printed as it is. Where it went wrong all the same, `failure` says so in a sentence."""

    answer: Any
    shown: RenderableType
    failure: str = ""


Serve = Callable[[Desk, argparse.Namespace], Awaitable[Reply]]
Act = Callable[[Settings, argparse.Namespace], int]
"""What looks at this machine's files and asks no API; it tells by itself, and returns the exit status."""


def subject(commands: Commands, name: str, summary: str) -> Commands:
    """A word under which commands of its own stand."""
    parser = commands.add_parser(name, help=summary, description=summary)
    return parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")


def command(commands: Commands, name: str, serve: Serve, *, example: str) -> argparse.ArgumentParser:
    """A command that `serve` serves. Its help is that function's docstring, and the example."""
    text = (inspect.getdoc(serve) or "").replace("%", "%%")
    parser = commands.add_parser(
        name,
        help=" ".join(text.split()).partition(". ")[0].rstrip(".") + ".",
        description=textwrap.fill(text, HELP_WIDTH),
        epilog=f"example:\n  gateway112 {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(serve=serve, prog=parser.prog)
    asking = parser.add_argument_group("how the API is asked")
    asking.add_argument("--api", type=address, metavar="URL", help="another gateway's API (default: this centre's own)")
    asking.add_argument(
        "--token",
        help=f"whose token to use; others can see it in the list of processes, so {TOKEN_VARIABLE} in the environment "
        "is better (default: the admin's, from var/admin-token)",
    )
    asking.add_argument("--json", action="store_true", help="print the API's answer as it is")
    return parser


def act_here(commands: Commands, name: str, act: Act, *, example: str, writes: bool = False) -> argparse.ArgumentParser:
    """A command that `act` carries out at this machine. Its help is that function's docstring, and the example. One
    that `writes` to the centre's run-time state is for whoever owns that."""
    said = " ".join((act.__doc__ or "").split())
    parser = commands.add_parser(
        name, help=said.partition(". ")[0].rstrip(".") + ".", description=said, epilog=f"example: gateway112 {example}"
    )
    parser.set_defaults(act=act, prog=parser.prog, writes=writes)
    return parser


def failed(chosen: argparse.Namespace, error: Exception) -> int:
    """Says on stderr why an `Act` failed; returns its exit status."""
    Console(file=sys.stderr, highlight=False).print(tables.plain(f"{chosen.prog}: {error}"), soft_wrap=True)
    return FAILED


def write_file(path: Path, text: str) -> None:
    """Writes what the API told as a file. Raises Failed."""
    try:
        path.write_bytes(text.encode())
    except OSError as error:
        raise Failed(
            f"{path} cannot be written: {error.strerror}. Remedy: name a file in a folder that you may write to."
        ) from None


@contextmanager
def new_file(output: Path) -> Iterator[BinaryIO]:
    """A file to write to that becomes the output once it is whole; for this user alone, as it holds what callers said.
    Raises Failed."""
    part = output.with_name(f"{output.name}.part")
    try:
        if output.exists():
            raise Failed(f"{output} is there already. Remedy: name a new file.")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Failed(f"{part} cannot be written: {error.strerror}. Remedy: name a file in another folder.") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        part.replace(output)
    except OSError as error:
        raise Failed(f"{output} cannot be written: {error.strerror}. Remedy: name a file on another disk.") from None
    finally:
        part.unlink(missing_ok=True)


# ---------------------------------------------------------------- what may stand in an argument


def address(text: str) -> str:
    """The address of an API, without a slash at its end."""
    if not re.fullmatch(r"https?://(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(:[0-9]{1,5})?/*", text):
        raise argparse.ArgumentTypeError(f"{text} is not an address such as http://127.0.0.1:8112")
    return text.rstrip("/")


def day(text: str) -> date:
    """A day of the calendar."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a day such as 2026-11-23") from None


def wall_time(text: str) -> str:
    """A time of the wall clock, as the API takes it."""
    found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is not a time such as 06:00")
    return f"{int(found[1]):02}:{found[2]}"


def thing_id(text: str) -> int:
    """The number of something that is kept."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"{text} is not a number such as 3, as the list shows it")
    return int(text)


def phone(text: str) -> str:
    """An operator's phone: its number."""
    if not re.fullmatch(r"[0-9]{3,6}", text):
        raise argparse.ArgumentTypeError(f"{text} is not a phone's number: 3 to 6 digits, such as 1001")
    return text
