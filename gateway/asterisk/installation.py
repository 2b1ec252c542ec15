"""Where Asterisk is on this machine, and the command line that starts it.

Counterpart: `setup/asterisk.sh`, which extracts a Debian tree into `var/` where no Asterisk 20 or newer is installed.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gateway.settings import PROJECT

OLDEST_MAJOR = 20


class NoAsterisk(Exception):
    """There is no Asterisk 20 or newer. Remedy: `make setup`, or install the package asterisk."""


@dataclass(frozen=True, slots=True)
class Installation:
    """An Asterisk that can be started: the program, and the folders that it was built to find."""

    program: tuple[str, ...]
    """What to execute, before Asterisk's own options: the program, or the tree's loader and the program."""
    modules: Path
    documentation: Path
    sounds: Path
    version: str

    @property
    def takes_sha256(self) -> bool:
        """Whether its phones can be asked for a digest with SHA-256 (RFC 8760): from 20.11, 21.6 and 22.1 on."""
        major, minor = (int(part) for part in self.version.split(".")[:2])
        return major > 22 or minor >= {20: 11, 21: 6, 22: 1}.get(major, 1 << 30)

    def command(self, etc: Path, *options: str) -> list[str]:
        """The argv that starts Asterisk on the configuration folder `etc`."""
        return [*self.program, "-C", str(etc / "asterisk.conf"), *options]


def find() -> Installation:
    """The installed Asterisk if it is 20 or newer, else the tree that `make setup` extracted.

    Raises NoAsterisk when there is neither.
    """
    installed = shutil.which("asterisk", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    candidates = [_installed(Path(installed))] if installed else []
    candidates.append(_extracted(PROJECT / "var/asterisk-tree"))
    for candidate in candidates:
        if candidate is not None:
            return candidate
    raise NoAsterisk(NoAsterisk.__doc__)


def _installed(program: Path) -> Installation | None:
    version = _version([str(program)])
    if version is None or int(version.split(".")[0]) < OLDEST_MAJOR:
        return None
    modules = next(
        (
            folder
            for folder in (Path("/usr/lib/asterisk/modules"), *Path("/usr/lib").glob("*-linux-gnu*/asterisk/modules"))
            if (folder / "app_queue.so").exists()
        ),
        None,
    )
    if modules is None:
        return None
    return Installation(
        (str(program),), modules, Path("/usr/share/asterisk/documentation"), _sounds(Path("/usr")), version
    )


def _extracted(tree: Path) -> Installation | None:
    """A Debian tree, run through its own loader: its libraries are newer than the machine's."""
    tree = tree.absolute()
    binary = tree / "usr/sbin/asterisk"
    loader = next((path for path in tree.glob("usr/lib*/ld-linux-*.so.*")), None)
    modules = next((path.parent for path in tree.glob("usr/lib/*/asterisk/modules/app_queue.so")), None)
    if not binary.exists() or loader is None or modules is None:
        return None
    libraries = modules.parent.parent
    program = (str(loader), "--library-path", str(libraries), str(binary))
    version = _version(list(program))
    if version is None:
        return None
    return Installation(program, modules, tree / "usr/share/asterisk/documentation", _sounds(tree / "usr"), version)


def _sounds(usr: Path) -> Path:
    return usr / "share/asterisk/sounds"


def _version(program: list[str]) -> str | None:
    try:
        said = subprocess.run([*program, "-V"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"Asterisk (?:certified/)?(\d+\.[\d.]+)", said)
    return found[1] if found else None
