"""A machine of its own with a real systemd, for what only services show.

Counterpart: `machine.sh`, which makes it of namespaces.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.settings import PROJECT

STARTED_WITHIN_S = 30.0
HOMES = ("/home/", "/root/")
_NEEDED = ("unshare", "nsenter", "pivot_root", "ip", "/lib/systemd/systemd")


def why_not() -> str:
    """Why there can be none here; empty where there can."""
    if os.geteuid() != 0:
        return "a machine of its own needs root"
    if missing := [each for each in _NEEDED if shutil.which(each) is None]:
        return f"not installed: {', '.join(missing)}"
    if f"{PROJECT}/".startswith(HOMES):
        return "services see no home folder, and this clone lies in one"
    return "" if _groups() else "there are no control groups of version 2"


def _groups() -> Path | None:
    """Where control groups of version 2 are mounted."""
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


@dataclass(frozen=True, slots=True)
class Machine:
    """Its first process, as this machine counts."""

    pid: int

    def __call__(self, *command: str | Path, timeout_s: float = 60.0, is_checked: bool = True) -> str:
        """What the command says on the machine. Raises AssertionError with its words where it fails."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.pid), "--all", "--wd=/", *command],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0 or not is_checked, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()


@contextmanager
def machine() -> Iterator[Machine]:
    """One that has started; all of it is gone afterwards."""
    groups = _groups()
    assert groups is not None
    with tempfile.TemporaryDirectory(prefix="machine-", dir="/tmp") as name:
        room, group = Path(name), groups / f"gateway112-{os.getpid()}"
        group.mkdir()
        script = Path(__file__).with_name("machine.sh")
        log = room / "log"
        with log.open("wb") as said:
            started = subprocess.Popen(
                [script, room, group, PROJECT], stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        try:
            yield _once_started(started, log)
        finally:
            started.kill()
            started.wait()
            _remove(group)


def _once_started(started: subprocess.Popen[bytes], log: Path) -> Machine:
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    until_s = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < until_s and started.poll() is None:
        first = children.read_text(encoding="utf-8").split()
        if first and Path(f"/proc/{first[0]}/comm").read_text(encoding="utf-8").strip() == "systemd":
            found = Machine(int(first[0]))
            if found("systemctl", "is-system-running", is_checked=False) in ("running", "degraded"):
                return found
        time.sleep(0.1)
    raise AssertionError(f"no machine: {log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


def _remove(group: Path) -> None:
    """Its processes are ending: a control group goes when it is empty, the innermost first."""
    until_s = time.monotonic() + STARTED_WITHIN_S
    for folder in sorted((each for each in group.rglob("*") if each.is_dir()), key=lambda each: -len(each.parts)):
        _once_empty(folder, until_s)
    _once_empty(group, until_s)


def _once_empty(folder: Path, until_s: float) -> None:
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.05)
        else:
            return


BASE = Path(sys.base_prefix).resolve()
IS_AT_HOME = f"{BASE}/".startswith(HOMES)


def open_home(own: Machine) -> None:
    """Where this clone's Python lies in a home folder, as developers have it, every user there may run it."""
    if IS_AT_HOME:
        own("chmod", "a+x", *(each for each in BASE.parents if each != Path("/")))


def show(own: Machine, services: tuple[str, ...]) -> None:
    """Where this clone's Python lies in a home folder, or the clone in /tmp, the services may see it all the same."""
    lines = "[Service]\n"
    if IS_AT_HOME:
        lines += f"ProtectHome=tmpfs\nBindReadOnlyPaths={BASE}\n"
    if PROJECT.is_relative_to("/tmp"):
        lines += f"BindReadOnlyPaths={PROJECT}\n"
    for service in services:
        folder = f"/etc/systemd/system/{service}.service.d"
        own("mkdir", folder)
        own("sh", "-c", f"printf %s '{lines}' >{folder}/here.conf")
    own("systemctl", "daemon-reload")
