"""The faults, one module a family.

Counterpart: `chaos/plan.py`, which draws from them.
"""

from chaos.faults import ami, carriers, clock, databases, disks, journal, phones, processes, webhooks
from chaos.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *processes.FAULTS,
    *ami.FAULTS,
    *databases.FAULTS,
    *disks.FAULTS,
    *clock.FAULTS,
    *journal.FAULTS,
    *carriers.FAULTS,
    *phones.FAULTS,
    *webhooks.FAULTS,
)

__all__ = ["FAULTS", "Fault"]
