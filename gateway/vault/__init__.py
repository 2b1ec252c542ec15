"""Recordings as evidence: where a call's sound lies, how it is sealed, read back, verified and one day destroyed.

Counterparts: the dialplan's MixMonitor (`dialplan/emergency.conf`) writes the raw sound. `worker.py`, a process of its
own, is the only one that writes here besides; `worker_link.py` is how the gateway asks it.
"""
