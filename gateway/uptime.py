"""How long the machine has been running, by a clock that nobody sets: it goes on while the gateway is away, and begins
anew with the machine.

Counterpart: `gateway/destroying.py` holds the clock on the wall against it. Linux, clock_gettime(2) and random(4).
"""

import time
import uuid
from pathlib import Path

from gateway.domain.retention import Uptime

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_OWN = uuid.uuid4().hex
"""Where the machine does not name its starts, this process is all that is known."""


def uptime() -> Uptime:
    """Now. Time that the machine slept counts."""
    try:
        return Uptime(_BOOT_ID.read_text().strip(), time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, AttributeError):
        return Uptime(_OWN, time.monotonic())
