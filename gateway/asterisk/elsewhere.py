"""Phones that lead elsewhere: registered where a call to them would be another's, as at a carrier's and the centre's
cost.

Counterparts: `board.py` knows such an address as soon as Asterisk tells of it, `switchboard.py` looks for them at each
full look; `domain/strays.py` says for how long such a phone is shut.
"""

import contextlib
import functools
import ipaddress
import json
import logging
import re
from collections.abc import Collection, Iterable

from gateway.asterisk.errors import AsteriskRefused
from gateway.asterisk.framing import Message
from gateway.asterisk.link import AmiLink, listed
from gateway.asterisk.translator import TECHNOLOGY, is_phone
from gateway.domain.kept import Invalid
from gateway.domain.trunks import Trunk, has_address, networks

log = logging.getLogger(__name__)

REGISTERED = "registrar/contact"
"""The family in AstDB in which Asterisk keeps where phones are registered."""
_HOST = re.compile(r"^sips?:(?:[^@]*@|(?!.*@))(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?=[:;>]|$)")
_LEADS_ON = re.compile(r";maddr=|\?", re.IGNORECASE)
"""What in an address names another one to send to: RFC 3261, 19.1.1."""


def leads_elsewhere(uri: str, carriers: tuple[str, ...]) -> bool:
    """Whether a phone that is registered at that address would be rung where it did not register from: Asterisk puts
    the address that it came from into the first one of a REGISTER alone, and leaves there what names another.
    `carriers` are the addresses of the trunks: nobody registers from there, and what is sent there is a call at the
    centre's cost."""
    host = contact_host(uri)
    return not host or _LEADS_ON.search(uri) is not None or _is_a_carriers(carriers, host)


def contact_host(uri: str) -> str:
    """The address in a contact, in figures; empty where it is a name."""
    found = _HOST.search(uri)
    return "" if found is None else found[1] or found[2]


def carriers_addresses(trunks: Iterable[Trunk]) -> tuple[str, ...]:
    """Where their calls come from, and where they hold a registration. A section that somebody else wrote, or of which
    a power cut left the half, may name no address, or all the world: that is no carrier's."""
    found: list[str] = []
    for trunk in trunks:
        registers_at = [] if trunk.registration is None else [_server_host(trunk.registration.server)]
        for address in (*trunk.addresses, *registers_at):
            with contextlib.suppress(Invalid):
                found += map(str, networks((address,)))
    return tuple(found)


async def forget_elsewhere(
    link: AmiLink, contacts: Iterable[Message], carriers: tuple[str, ...], astray: set[str]
) -> None:
    """Has Asterisk forget each phone of a whole PJSIPShowContacts that leads elsewhere, and ends the calls that went
    there in its name. Those whose address an admin wrote (1001@@…) stay as they are. Each is in `astray` before it is
    forgotten, for the next look does not find it any more. Raises AsteriskError.

    A registration that is deleted behind its back stays in its picture of who is there, and a carrier who answers
    would be a phone that is free. One that has run out it rings no more, and deletes itself as soon as it looks."""
    for contact in contacts:
        name, uri = contact.get("ObjectName"), contact.get("Uri")
        phone, is_registered, _ = name.partition(";@")
        if is_registered and is_phone(phone) and leads_elsewhere(uri, carriers):
            log.warning("phone_leads_elsewhere", extra={"phone": phone, "reason": uri})
            astray.add(phone)
            over = json.dumps({"uri": "sip:gone@0.0.0.0", "aor": phone, "expiration_time": "1"})
            try:
                await link.ask("DBPut", ("Family", REGISTERED), ("Key", name), ("Val", over))
            except AsteriskRefused as refusal:  # it is told, and tried again at the next look
                log.warning("command_refused", extra={"about": phone, "reason": refusal.message})
    for phone in sorted(astray):
        await listed(link, "PJSIPShowEndpoint", ("Endpoint", phone))
    if astray:
        await _hang_up(link, astray, carriers)


async def _hang_up(link: AmiLink, astray: Collection[str], carriers: tuple[str, ...]) -> None:
    for channel in await listed(link, "CoreShowChannels"):
        name = channel.get("Channel")
        phone = name.removeprefix(TECHNOLOGY).rpartition("-")[0]
        if not name.startswith(TECHNOLOGY) or phone not in astray:
            continue
        with contextlib.suppress(AsteriskRefused):  # over meanwhile
            told = await link.ask("Getvar", ("Channel", name), ("Variable", "CHANNEL(pjsip,target_uri)"))
            target = told.get("Value")
            if target and leads_elsewhere(target, carriers):
                log.warning("call_elsewhere_ended", extra={"phone": phone, "reason": target})
                await link.ask("Hangup", ("Channel", name), ("Cause", "21"))


@functools.lru_cache(1024)
def _is_a_carriers(carriers: tuple[str, ...], host: str) -> bool:
    """Whether it is a carrier's, or an address in a form that only the system's resolver reads: 3405803785 and
    203.0.113.011 are 203.0.113.9, too."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return has_address(carriers, str(mapped or address))


def _server_host(server: str) -> str:
    """The host in `host`, `host:port` or `[host]:port`."""
    return server[1:].partition("]")[0] if server.startswith("[") else server.partition(":")[0]
