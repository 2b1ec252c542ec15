"""Asterisk's own logs for people, kept short: whoever floods the SIP door with requests fills them, and the journal and
the recordings are on the same disk.

Counterpart: `asterisk-config/logger.conf` names the files, and has Asterisk open them anew when it is told to.
"""

import asyncio
import logging
from pathlib import Path

from gateway.asterisk.errors import AsteriskError
from gateway.asterisk.link import AmiLink

log = logging.getLogger(__name__)

NAMES = ("messages", "security")
LIMIT_BYTES = 64_000_000
"""Of each file; the one before it is kept beside it, as NAME.1."""
LOOK_EVERY_S = 10.0


class LogFiles:
    """The files in `folder`. `run` it in a task of its own."""

    def __init__(self, link: AmiLink, folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._link = link
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._never_opened: set[str] = set()
        """Those that Asterisk does not write, though it was told to open them anew."""

    async def run(self) -> None:
        """Keeps them short, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Sets each aside that has grown too long. Asterisk writes on into a file that was set aside until it was told
        to open them anew: where it is away nothing is touched, and where it did not hear that, it is told again."""
        try:
            long_ones = [name for name in NAMES if self._size(name) > self._limit_bytes]
            if long_ones or set(filter(self._is_not_opened_anew, NAMES)) - self._never_opened:
                await self._link.ask("Ping")
                for name in long_ones:
                    (self._folder / name).replace(self._folder / f"{name}.1")
                await self._link.ask("LoggerRotate")
                self._never_opened = set(filter(self._is_not_opened_anew, NAMES))
                log.info("asterisk_logs_set_aside", extra={"about": ", ".join(long_ones)})
        except (OSError, AsteriskError) as error:
            log.warning("asterisk_logs_not_set_aside", extra={"reason": str(error)})

    def _is_not_opened_anew(self, name: str) -> bool:
        return not (self._folder / name).exists() and (self._folder / f"{name}.1").exists()

    def _size(self, name: str) -> int:
        try:
            return (self._folder / name).stat().st_size
        except FileNotFoundError:
            return 0
