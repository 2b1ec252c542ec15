"""What is heard of callers: Asterisk's events about speech, keys and holds in, values of the domain out.

Counterparts: `dialplan/emergency.conf` has Asterisk listen (TALK_DETECT), `asterisk-config/manager.conf` lets the
events through; `gateway/listening.py` takes what comes of them.
"""

from datetime import UTC, datetime

from gateway.asterisk.framing import Message
from gateway.asterisk.translator import endpoint, is_phone
from gateway.domain.hearing import Hold, Key, Voice

KEYS = frozenset("0123456789*#ABC")
"""Not D: that is waking.py's."""
_VOICES = {"ChannelTalkingStart": True, "ChannelTalkingStop": False}
_HOLDS = {"Hold": True, "Unhold": False}


def heard(event: Message, now: datetime) -> Voice | Key | Hold | None:
    """What the event tells of a caller, by Asterisk's own clock, or as of `now` where it says no time; None where it
    tells nothing, or is about a phone."""
    name, at = event.name, _said_at(event) or now
    if name in _HOLDS:
        return _hold(event, at)
    if name not in _VOICES and name != "DTMFEnd":
        return None
    call_id = event.last("Linkedid")
    # a caller's channel is the one that began the call
    if call_id != event.last("Uniqueid") or not call_id or is_phone(endpoint(event.get("Channel", ""))):
        return None
    if name != "DTMFEnd":
        return Voice(call_id, at, _VOICES[name])
    key = event.get("Digit", "")
    return Key(call_id, at, key) if key in KEYS and event.get("Direction") == "Received" else None


def _said_at(event: Message) -> datetime | None:
    """When Asterisk says that it was."""
    try:
        return datetime.fromtimestamp(float(event.get("Timestamp", "")), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _hold(event: Message, at: datetime) -> Hold | None:
    """It is an operator's phone that holds, in a call that a caller began."""
    call_id, phone = event.last("Linkedid"), endpoint(event.get("Channel", ""))
    if not call_id or call_id == event.last("Uniqueid") or not is_phone(phone):
        return None
    return Hold(call_id, at, phone, _HOLDS[event.name])
