"""How sound and signalling travel between the centre and a trunk or a phone.

Counterpart: `gateway/asterisk/sections.py` says it in Asterisk's words.
"""

from enum import StrEnum


class Transport(StrEnum):
    """How calls to a carrier are signalled. Calls from it come in by whichever it uses."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class SoundEncryption(StrEnum):
    """Whether sound is encrypted (SRTP, RFC 3711), with keys that the signalling carries (SDES, RFC 4568): whoever
    reads that without TLS has the keys."""

    NONE = "none"
    """A call that offers nothing else is refused (488)."""
    WANTED = "wanted"
    """Both are offered and taken."""
    REQUIRED = "required"
    """A call without is refused (488)."""
