"""Music: the classes that callers can hear while they wait, and the sections of Asterisk's configuration for them.

Counterparts: `dialplan/music/` holds a folder a class, `setup/prompts.sh` makes what is played of it, and
`asterisk-config/musiconhold.conf` includes what is written here.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from gateway.settings import PROJECT

FOLDER = PROJECT / "var/music"
"""What was made: a folder of playable files for each class."""
DEFAULT = "default"
"""What Asterisk plays where a class is not there."""
RINGING = "ringing"
"""What callers hear whose queue names no class; nobody names it."""

_NAME = re.compile(r"[a-z0-9-]{1,40}")
_PLAYABLE = frozenset({".sln", ".sln16"})


def classes(folder: Path = FOLDER) -> tuple[str, ...]:
    """The classes that a queue may name, by name. Blocking: disk."""
    return tuple(each for each in made(folder) if each != RINGING)


def made(folder: Path = FOLDER) -> tuple[str, ...]:
    """All classes that have something to play, by name. Blocking: disk."""
    if not folder.is_dir():
        return ()
    return tuple(
        sorted(
            each.name
            for each in folder.iterdir()
            if _NAME.fullmatch(each.name) and any(file.suffix in _PLAYABLE for file in each.glob("*.*"))
        )
    )


def sections(names: Sequence[str]) -> str:
    """The classes as Asterisk reads them, `names` being what there is to play; files are played by name, one behind the
    other. Where there is none called default, the first one is it, so that nobody waits in silence."""
    first = next((each for each in names if each != RINGING), RINGING)
    played = {DEFAULT: first, **dict(zip(names, names, strict=True))} if names else {}
    return "".join(
        f"[{name}]\nmode = files\ndirectory = moh/{folder}\nsort = alpha\n\n" for name, folder in sorted(played.items())
    )
