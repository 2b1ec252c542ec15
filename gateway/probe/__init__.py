"""`gateway112 probe`: a real call to 112 through the probe's own trunk, which proves that 112 works from end to end.

Read `run.py` first: it is the course of the call. Each other module is one of its parts: the caller's signalling
(`caller`), the caller's sound (`rtp`), the operator's phone (`phone`, watched by `softphone`), what the recording holds
(`recording`), what the API tells (`story`), and the table (`report`).
"""

from gateway.domain.holding import PROBE_PHONE as PHONE
from gateway.domain.holding import PROBE_QUEUE as QUEUE

__all__ = ["PHONE", "QUEUE"]
