"""`gateway112 probe`: a real call to 112 through the probe's own trunk, which proves that 112 works from end to end.

Read `run.py` first: it is the course of the call. Each other module is one of its parts: the caller's signalling
(`caller`), the caller's sound (`rtp`), the operator's phone (`phone`, watched by `softphone`), what the recording holds
(`recording`), what the API tells (`story`), and the table (`report`).
"""

PHONE = "9112"
"""The probe's own phone; the gateway's reconciler keeps its section in pjsip_wizard.conf."""

QUEUE = "probe"
"""The probe's own queue, so that a test call never rings an operator."""
