"""Asterisk's priority: its threads come before everybody else's on this machine, and each in its turn.

A call is a thread of Asterisk's. Where there is more to do than the processors can, an ordinary process's threads all
get a little, in no order: callers are answered and rung as it happens, all of them late, and operators sit idle
meanwhile. Scheduled in real time (SCHED_RR) the first in line runs until he waits for something, and those behind him
after him: callers are served in the order of their arrival, and more of them (decision 42).

Counterparts: `setup/systemd/gateway112-asterisk.service` and `compose.yaml` allow it; `gateway/doctor/machine.py` tells
whether it is had.
"""

import os
from collections.abc import Callable
from pathlib import Path

LEAST = 1
"""Of the real-time priorities: before all ordinary processes, behind whatever else of the kind the machine has."""
RUNTIME = Path("/proc/sys/kernel/sched_rt_runtime_us")
"""How much of each second real time may take; -1 is all of it."""

ORDINARY = "Asterisk has an ordinary priority: under overload callers are not served in their order"
REMEDY = "start it as a service (setup/systemd.sh), or allow its user a real-time priority (`ulimit -r 1`)"
_BOUND = "sysctl kernel.sched_rt_runtime_us=950000, which is its default"


def come_first(tell: Callable[[str], object]) -> None:
    """Gives this process, and what it becomes, that priority. Where it may not have it, all goes on without, and `tell`
    hears why."""
    if _may_take_all():
        tell(f"{ORDINARY}: this kernel would let it take the whole machine. Remedy: {_BOUND}.")
        return
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(LEAST))
    except (OSError, AttributeError) as error:
        tell(f"{ORDINARY} ({error}). Remedy: {REMEDY}.")


def _may_take_all() -> bool:
    try:
        return RUNTIME.read_text(encoding="utf-8").strip() == "-1"
    except OSError:  # a kernel that has another way to keep something for everybody else
        return False


def comes_first(pid: int) -> bool:
    """Whether that process has it. Raises OSError where there is none."""
    return os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR
