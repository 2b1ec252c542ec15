"""One gateway at a time has charge of a centre: it reads the journal, keeps Asterisk level, rings people and posts to
webhooks. Another one that is started on the same folder waits, ready to go on, and has charge the moment the first one
ends, however that ends.

Counterparts: `gateway112 serve` takes charge before it touches anything; `gateway112 restore` does, too, so that nobody
reads what is only half there. Asterisk's own claim on the folders is `asterisk/claim.py`'s.
"""

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway import __version__

FILE = "charge"
LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has charge, as it wrote it down itself; nothing is known of one that did not come to that."""

    pid: int | None = None
    version: str = "unknown"
    since: str = "unknown"

    def __str__(self) -> str:
        return f"process {self.pid or 'unknown'} (version {self.version}, since {self.since})"


class Charge:
    """The charge of the centre whose run-time state lies in `var`. It lasts until `give_up`, or the process's end."""

    def __init__(self, var: Path) -> None:
        self._file = var / FILE
        self._descriptor: int | None = None

    def take(self, at: datetime) -> bool:
        """Whether it could be had; it is held from then on. Blocking: disk, for a moment. May raise OSError."""
        if self._descriptor is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._file, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        told = {"pid": os.getpid(), "version": __version__, "since": at.isoformat(timespec="seconds")}
        with contextlib.suppress(OSError):  # it is had; on a full disk nobody knows by whom
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(told).encode(), 0)
        return True

    def holder(self) -> Holder:
        """Who has it."""
        try:
            told = json.loads(self._file.read_bytes())
            return Holder(int(told["pid"]), str(told["version"]), str(told["since"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Holder()

    def give_up(self) -> None:
        """Lets it go to whoever waits."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    async def wait(
        self, stopping: asyncio.Event, clock: Callable[[], datetime], tell: Callable[[Holder], object]
    ) -> bool:
        """True once it is had, False where `stopping` came first. `tell` hears, again and again, for whom it waits."""
        while not stopping.is_set():
            if self.take(clock()):
                return True
            tell(self.holder())
            await asyncio.sleep(LOOK_EVERY_S)
        self.give_up()
        return False
