"""Operators: the people who answer, and the phones they answer with.

Counterpart: `holding.py` for what Asterisk holds of them, `roster.py` and `presence.py` for when they are there.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from gateway.domain.encryption import SoundEncryption
from gateway.domain.kept import Kept

PHONE_PATTERN = r"^[0-9]{3,6}$"
"""A phone's number is digits only; a trunk's name begins with a letter, so that the two never meet."""


class BadContact(ValueError):
    """A contact is a SIP address with a host, such as sip:1001@127.0.0.21:5070."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator(Kept):
    """A person who answers. A retired operator keeps name and history, and has no phone any more."""

    KIND: ClassVar[str] = "operator"
    SECRET: ClassVar[frozenset[str]] = frozenset({"digest", "digest_sha256"})

    name: str
    phone: str
    digest: str
    """MD5 of phone:realm:secret (RFC 2617's HA1): the secret itself is shown once and never stored."""
    contact: str | None = None
    """A fixed SIP address; None for a phone that registers."""
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    home_queues: tuple[str, ...] = ()
    """The queues that a login outside of any shift leads to; empty: the centre's own."""
    sound_encryption: SoundEncryption = SoundEncryption.NONE
    """Of the phone."""
    digest_sha256: str = ""
    """The same with SHA-256 (RFC 8760); empty for a secret that was made before it was kept."""


_CONTACT = re.compile(r"^sip:[0-9A-Za-z_.+-]{1,40}@(?P<host>[0-9A-Za-z.-]{1,253})(?::(?P<port>[0-9]{1,5}))?$")


def contact_host(contact: str) -> str:
    """The host of a fixed contact.

    Raises BadContact when it is not a plain SIP address (RFC 3261, 19.1.1; no parameters, no password).
    """
    found = _CONTACT.fullmatch(contact)
    if found is None or not 0 < int(found["port"] or 5060) < 65536:
        raise BadContact(BadContact.__doc__)
    return found["host"]
