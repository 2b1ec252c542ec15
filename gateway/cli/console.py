"""`gateway112 console …`: Asterisk's own console, or one command on it.

Counterpart: `gateway/asterisk/installation.py` finds Asterisk, installed or in the tree of `make setup`, as for
`gateway112 asterisk`.
"""

import os
from argparse import Namespace

from gateway.asterisk import installation
from gateway.cli.command import Commands, act_here, failed
from gateway.remedies import START_ASTERISK
from gateway.settings import Settings


def add_to(commands: Commands) -> None:
    console = act_here(commands, "console", open_console, example='console "core show channels"')
    console.add_argument(
        "words", nargs="*", metavar="COMMAND", help="a command of Asterisk's; without one, its console (`quit` ends it)"
    )


def open_console(settings: Settings, chosen: Namespace) -> int:
    """Asterisk's own console, or one command on it. Its exit status is Asterisk's."""
    etc = settings.asterisk_dir / "etc"
    if not (etc / "asterisk.conf").exists():
        return failed(
            chosen,
            FileNotFoundError(
                f"no Asterisk was ever started here ({etc} is empty, or not for this user). Remedy: "
                f"{START_ASTERISK}; see that GATEWAY112_CONFIG names the settings of the centre, and run this as "
                f"its user."
            ),
        )
    words = " ".join(chosen.words)
    command = installation.find().command(etc, *(("-rx", words) if words else ("-r",)))
    os.execv(command[0], command)  # noqa: S606  # no shell: the process becomes Asterisk's console
