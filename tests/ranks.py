"""Who comes first on a machine that the tests share with all that they play: carriers and phones are other machines in
the world, and send what they send; Asterisk comes before the rest, as its service does (decision 42)."""

import contextlib
import os

from gateway.asterisk import priority

ASTERISK, OTHER_MACHINES = 1, 2
"""Levels of the real-time priority: that which the service's unit gives, and one before it."""


def real_time(pid: int, level: int) -> bool:
    """Gives all threads of that process the round-robin real-time priority. Whether it has it now: it takes root."""
    with contextlib.suppress(PermissionError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setscheduler(int(task), os.SCHED_RR, os.sched_param(level))
    return priority.comes_first(pid)
