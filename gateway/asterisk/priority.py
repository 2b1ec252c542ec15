"""Asterisk's priority: its threads come before everybody else's on this machine, and each in its turn.

A call is a thread of Asterisk's. Where there is more to do than the processors can, an ordinary process's threads all
get a little, in no order: callers are answered and rung as it happens, all of them late, and operators sit idle
meanwhile. Scheduled in real time (SCHED_RR) the first in line runs until he waits for something, and those behind him
after him: callers are served in the order of their arrival, and more of them (decision 42).

Counterparts: `setup/systemd/gateway112-asterisk.service` gives it, for Asterisk gives up one that it is started with;
`gateway/doctor/machine.py` tells whether it is had.
"""

import os

ORDINARY = "Asterisk has an ordinary priority: under overload callers are not served in their order"
REMEDY = "start it as a service (setup/systemd.sh), or give it, as root: `chrt --all-tasks --rr --pid 1 {pid}`"


def comes_first(pid: int) -> bool:
    """Whether that process has it. Raises OSError where there is none."""
    return os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR
