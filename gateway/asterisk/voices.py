"""What is heard of callers: Asterisk's events about speech and keys in, values of the domain out.

Counterparts: `dialplan/emergency.conf` has Asterisk listen (TALK_DETECT), `asterisk-config/manager.conf` lets the
events through; `gateway/listening.py` takes what comes of them.
"""

from datetime import datetime

from gateway.asterisk.framing import Message
from gateway.asterisk.translator import endpoint, is_phone
from gateway.domain.hearing import Key, Voice

KEYS = frozenset("0123456789*#ABCD")
_VOICES = {"ChannelTalkingStart": True, "ChannelTalkingStop": False}


def heard(event: Message, at: datetime) -> Voice | Key | None:
    """What the event tells of a caller; None where it tells nothing, or is about a phone."""
    name = event.name
    if name not in _VOICES and name != "DTMFEnd":
        return None
    call_id = event.get("Linkedid", "")
    # a caller's channel is the one that began the call
    if call_id != event.get("Uniqueid", "") or not call_id or is_phone(endpoint(event.get("Channel", ""))):
        return None
    if name != "DTMFEnd":
        return Voice(call_id, at, _VOICES[name])
    key = event.get("Digit", "")
    return Key(call_id, at, key) if key in KEYS and event.get("Direction") == "Received" else None
