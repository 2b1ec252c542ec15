"""Small disks of the campaign's own (tmpfs), which can be full from one moment to the next.

Counterpart: `faults/disks.py`. They are mounted in a mount namespace that `__main__.py` enters before all else, so that
nobody else sees them and none is left behind, however the campaign ends.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ALONE = "GATEWAY112_CHAOS_ALONE"
"""Set in the environment of a campaign that has mounts of its own."""
ROOMY = "8g"
"""More than is ever used: a tmpfs takes what lies in it."""
LIMIT_S = 10.0


def be_alone() -> None:
    """Starts this program anew in a mount namespace of its own, where root may. Returns where it already is in one, or
    cannot be."""
    if ALONE in os.environ or os.geteuid() != 0:
        return
    try:
        probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, timeout=LIMIT_S, check=False)
    except OSError:
        return
    if probe.returncode == 0:
        os.environ[ALONE] = "yes"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, "-m", "chaos", *sys.argv[1:]])  # noqa: S606


@dataclass(slots=True)
class Disk:
    """A folder that is a disk of its own, or, where that cannot be had, only a folder: `why_not` then says why."""

    path: Path
    why_not: str = ""

    def mount(self) -> None:
        """Makes the folder, and the disk on it."""
        self.path.mkdir(parents=True, exist_ok=True)
        if ALONE not in os.environ:
            self.why_not = "no disk of its own: that needs root, and unshare"
            return
        command = ["mount", "-t", "tmpfs", "-o", f"size={ROOMY},mode=755", "chaos", str(self.path)]
        mounted = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        if mounted.returncode != 0:
            self.why_not = f"no disk of its own: {mounted.stderr.strip()}"

    def fill(self) -> None:
        """Leaves no room: what is used now is all there is. To be repeated while something makes room."""
        space = os.statvfs(self.path)
        used = (space.f_blocks - space.f_bfree) * space.f_frsize
        # refused where more was written meanwhile: the next time will do
        self._resize(str(max(used, space.f_frsize)), is_sure=False)

    def empty(self) -> None:
        """Makes room again."""
        self._resize(ROOMY, is_sure=True)

    def unmount(self) -> None:
        if not self.why_not:
            subprocess.run(["umount", "--lazy", str(self.path)], timeout=LIMIT_S, check=False)

    def _resize(self, size: str, *, is_sure: bool) -> None:
        command = ["mount", "-o", f"remount,size={size}", str(self.path)]
        subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=is_sure)
