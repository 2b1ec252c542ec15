"""What Asterisk tells of the SIP door: who was refused, and who gave the right password.

Counterparts: the security events that `asterisk-config/manager.conf` lets through; `gateway/domain/knocks.py` counts.
"""

from gateway.asterisk.framing import Message
from gateway.domain.bans import banned_as
from gateway.domain.kept import Invalid
from gateway.domain.knocks import Knock

REFUSED = frozenset({"InvalidAccountID", "InvalidPassword", "ChallengeResponseFailed", "FailedACL"})
"""No such phone; a wrong password, in Asterisk's two words for it; an address that may not use that phone."""
CHALLENGED, WELCOME = "ChallengeSent", "SuccessfulAuth"
NOBODY = "<unknown>"
"""The account of a challenge that was sent to whoever is not known: his request was told as InvalidAccountID before."""


def heard(event: Message) -> Knock | None:
    """The knock that the event tells of; None where it tells of none.

    A phone that is there and did not send a password yet is asked for it, and the question alone counts too: whoever
    asks again and again and never answers is no phone. One that then gives the right one is no longer counted.
    """
    name = event.name
    is_knock = name in REFUSED or name == WELCOME or (name == CHALLENGED and event.get("AccountID") != NOBODY)
    if not is_knock or event.get("Service") != "PJSIP":
        return None
    # before it comes the name that he gave himself (AccountID), which may hold lines of his own, and then our own
    # address: an event without that was cut off by him
    if not event.get("LocalAddress"):
        return None
    # IPV4/UDP/203.0.113.5/5060; an IPv6 address has no / either
    parts = event.last("RemoteAddress").split("/")
    try:
        return Knock(banned_as(parts[2]), is_welcome=name == WELCOME) if len(parts) == 4 else None
    except Invalid:
        return None
