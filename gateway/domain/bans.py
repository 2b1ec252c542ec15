"""Bans: addresses that the SIP door does not answer for a while, because of what came from them.

Counterparts: `knocks.py` counts what comes and says whose time has come; `books.py` and `holding.py` see to it that
neither a carrier nor a phone that is registered is ever kept out, whatever stands on the list.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from gateway.domain.kept import Invalid, Kept, Unfitting

LONGEST = timedelta(days=7)
IN_FORCE_AT_MOST = 1000
"""Asterisk compares each SIP request with all of them, one after the other."""
V6_PREFIX = 64
"""Whoever has one address of such a network has all of them."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban(Kept):
    """One ban. It is over at `until`, or once it is retired."""

    KIND: ClassVar[str] = "ban"

    address: str
    """An IPv4 address, or an IPv6 network of 64 bits: as `banned_as` writes it."""
    reason: str
    until: datetime

    def is_in_force(self, at: datetime) -> bool:
        """Whether it holds then. One that ends further away than a ban may was made by a clock that was ahead."""
        return self.is_active and at < self.until <= at + LONGEST


def banned_as(host: str) -> str:
    """The address as a ban names it. Raises Invalid for what is none, and for one that no sender has."""
    written, _, length = host.partition("/")
    try:
        address = ipaddress.ip_address(written)
    except ValueError as error:
        raise Invalid("address", "is not an IP address") from error
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_unspecified or address.is_multicast:
        raise Invalid("address", "is nobody's")
    if length and (address.version == 4 or length != str(V6_PREFIX)):
        raise Invalid("address", f"must be an IPv4 address, or an IPv6 network of {V6_PREFIX} bits")
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, V6_PREFIX), strict=False))


def is_among(banned: str, hosts: Iterable[str]) -> bool:
    """Whether a ban of that address would keep out one of these addresses or networks. What is no address (a host's
    name) is nobody's."""
    network = _network(banned)
    return network is not None and any(
        found.version == network.version and found.overlaps(network)
        for found in map(_network, hosts)
        if found is not None
    )


def check(ban: Ban, others: Iterable[Ban], now: datetime) -> None:
    """Raises Invalid for an address that is none, or an end that is none or too far; Unfitting where it is banned
    already, or where as many are as there may be."""
    if ban.address != banned_as(ban.address):
        raise Invalid("address", f"must be written as {banned_as(ban.address)}")
    if ban.until <= now:
        raise Invalid("until", "is not to come any more")
    if ban.until - min(ban.created_at, now) > LONGEST:
        raise Invalid("until", f"is more than {LONGEST.days} days after the ban was made: after them make another")
    standing = [each for each in others if each.id != ban.id and each.is_in_force(now)]
    if any(each.address == ban.address for each in standing):
        raise Unfitting("address", "is banned already: change that ban")
    if len(standing) >= IN_FORCE_AT_MOST:
        raise Unfitting("address", f"is one too many: {IN_FORCE_AT_MOST} addresses are banned, and no more can be")


def _network(host: str) -> Network | None:
    try:
        return ipaddress.ip_network(host, strict=False)
    except ValueError:
        return None
