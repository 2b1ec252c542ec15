"""Trunks: the carriers' lines into the centre.

Counterpart: `gateway/asterisk/sections.py` turns a trunk into Asterisk's words (a section of pjsip_wizard.conf).
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from gateway.domain.encryption import SoundEncryption, Transport
from gateway.domain.kept import Invalid, Kept

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"
"""A trunk's name begins with a letter and a phone's number is digits, so that the two never meet."""

SERVER_PATTERN = (
    r"^[0-9A-Za-z.-]{1,253}"
    r"(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$"
)
"""Of any other Asterisk makes no registration, or goes on with the one before."""

CODECS = (
    *("alaw", "ulaw", "g722", "opus", "gsm", "g726", "g726aal2", "speex", "speex16", "speex32"),
    *("adpcm", "lpc10", "slin", "slin16", "codec2"),
)
"""Every codec that any Asterisk can be told by name; without any a trunk takes all that this Asterisk transcodes."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Where the centre registers with a carrier that wants it."""

    SECRET: ClassVar[frozenset[str]] = frozenset({"password"})

    server: str
    username: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk(Kept):
    """A carrier's line. Its name stays: calls of the past carry it."""

    KIND: ClassVar[str] = "trunk"

    name: str
    carrier: str
    addresses: tuple[str, ...]
    """Where its calls come from: addresses or networks. The first one is called back."""
    port: int = 5060
    codecs: tuple[str, ...] = ()
    """Empty: all that Asterisk can transcode."""
    queue: str | None = None
    """Where its calls wait; None: in the centre's own queue. Advice may say otherwise."""
    channels: int | None = None
    """How many calls it carries at once; None where the carrier sets no limit."""
    is_asked: bool = False
    """Whether the carrier is asked every half minute if it is there (SIP OPTIONS). Only for one that answers: no call
    is sent to a line that does not."""
    registration: Registration | None = None
    transport: Transport = Transport.UDP
    sound_encryption: SoundEncryption = SoundEncryption.NONE


FIRST_TRUNKS = (
    ("telkomsel", "Telkomsel", "127.0.0.11"),
    ("indosat", "Indosat Ooredoo Hutchison", "127.0.0.12"),
    ("xlsmart", "XLSmart", "127.0.0.13"),
    ("telkom", "Telkom", "127.0.0.14"),
)
"""The carriers that stand ready from the start, on loopback until an admin writes their real addresses."""


def first_trunks(created_at: datetime) -> list[Trunk]:
    return [
        Trunk(name=name, carrier=carrier, addresses=(address,), created_at=created_at)
        for name, carrier, address in FIRST_TRUNKS
    ]


def networks(addresses: tuple[str, ...]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The addresses as networks.

    Raises Invalid for one that is neither an address nor a network, or that is wider than a carrier's own: whoever
    calls from it is let in.
    """
    found = []
    for address in addresses:
        try:
            network = ipaddress.ip_network(address)
        except ValueError as error:
            raise Invalid("addresses", f"{address}: {error}") from None
        if network.prefixlen < (16 if network.version == 4 else 32) or network.network_address.is_unspecified:
            raise Invalid("addresses", f"{address} is wider than any carrier: everybody in it could call")
        found.append(network)
    return found


def has_address(addresses: tuple[str, ...], host: str) -> bool:
    """Whether the host is at one of the addresses; never where it is a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    found = networks(_without_names(addresses))
    return any(address.version == each.version and address in each for each in found)


def overlap(one: tuple[str, ...], other: tuple[str, ...]) -> str | None:
    """An address of `one` that `other` has too: its calls could not be told apart. A host's name in `other` has none:
    nobody knows yet where it will be."""
    others = networks(_without_names(other))
    for network in networks(one):
        if any(network.version == each.version and network.overlaps(each) for each in others):
            return str(network)
    return None


def _without_names(hosts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(host for host in hosts if ":" in host or not host.strip("0123456789./"))
