"""What Asterisk tells of the SIP door: who was refused, and who gave the right password.

Counterparts: the security events that `asterisk-config/manager.conf` lets through; `gateway/domain/knocks.py` counts.
"""

from gateway.asterisk.framing import Message
from gateway.domain.bans import banned_as
from gateway.domain.kept import Invalid
from gateway.domain.knocks import Knock

NOBODY = "InvalidAccountID"
"""No such phone. It holds the name that a stranger gave himself: one that is no text keeps Asterisk from telling it,
and lines of his own may stand before his address. The challenge that he is sent is told too, and holds neither."""
REFUSED = frozenset({NOBODY, "InvalidPassword", "ChallengeResponseFailed", "FailedACL"})
"""That; a wrong password, in Asterisk's two words for it; an address that may not use that phone."""
CHALLENGED, WELCOME = "ChallengeSent", "SuccessfulAuth"


def heard(event: Message) -> Knock | None:
    """The knock that the event tells of; None where it tells of none.

    Whoever did not send a password yet is asked for it, as a phone that is there or as nobody, and the question alone
    counts too: whoever asks again and again and never answers is no phone. One that then gives the right one is no
    longer counted.
    """
    name = event.name
    is_knock = name in (CHALLENGED, WELCOME) or (name in REFUSED and name != NOBODY)
    if not is_knock or event.get("Service") != "PJSIP":
        return None
    # IPV4/UDP/203.0.113.5/5060; an IPv6 address has no / either
    parts = event.get("RemoteAddress").split("/")
    try:
        return Knock(banned_as(parts[2]), is_welcome=name == WELCOME) if len(parts) == 4 else None
    except Invalid:
        return None
