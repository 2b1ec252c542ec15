"""What the service's manager is told: ready, well, stopping, and a line for `systemctl status`. Without a manager that
asks for it nothing is told.

Counterparts: `setup/systemd/gateway112.service`; the protocol is sd_notify(3): one datagram to `$NOTIFY_SOCKET`, a line
for each word.
"""

import logging
import os
import socket
from collections.abc import MutableMapping

log = logging.getLogger(__name__)

SOCKET, WATCHDOG, WATCHED = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"


class Manager:
    """`address` is the manager's socket, empty where there is none. `watchdog_s` is how long it waits for a sign of
    life before it ends this process; None where it does not."""

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = watchdog_s
        self._is_deaf = False

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> "Manager":
        """The one that `environ` names. Its variables are taken out: the programs that this one starts have no word
        with it."""
        address, usec, pid = (environ.pop(name, "") for name in (SOCKET, WATCHDOG, WATCHED))
        is_ours = not pid or pid == str(os.getpid())
        watchdog_s = int(usec) / 1e6 if usec.isdecimal() and int(usec) and is_ours else None
        return cls(address if address.startswith(("/", "@")) else "", watchdog_s)

    def ready(self) -> None:
        """Whoever waits for the start may go on."""
        self._tell("READY=1")

    def well(self) -> None:
        """A sign of life, due within `watchdog_s` of the last one."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def takes(self, seconds: float) -> None:
        """The start goes on, and may take so long from now on."""
        self._tell(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def status(self, words: str) -> None:
        """A line for people."""
        self._tell(f"STATUS={' '.join(words.split())}")

    def _tell(self, line: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.setblocking(False)  # the loop waits for nobody: what is not taken now comes again, or is late
                manager.sendto(line.encode(), self._address)
        except OSError as error:
            if not self._is_deaf:
                log.warning("manager_not_told", extra={"line": line, "reason": str(error)})
            self._is_deaf = True
        else:
            self._is_deaf = False
