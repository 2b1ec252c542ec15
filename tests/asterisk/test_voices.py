"""Which of Asterisk's events tell of a caller's voice or keys."""

from datetime import UTC, datetime

import pytest

from gateway.asterisk.framing import Message
from gateway.asterisk.voices import heard
from gateway.domain.hearing import Hold, Key, Voice
from tests.domain.values import MONDAY

CALLER = {"Channel": "PJSIP/telkomsel-00000000", "Uniqueid": "112-1.0", "Linkedid": "112-1.0"}
PHONE = {"Channel": "PJSIP/1001-00000001", "Uniqueid": "112-1.7", "Linkedid": "112-1.0"}
DIALLING = {"Channel": "PJSIP/1001-00000001", "Uniqueid": "112-2.7", "Linkedid": "112-2.7"}


def event(name: str, of: dict[str, str], **more: str) -> Message:
    return Message((("Event", name), *of.items(), *more.items()))


def test_a_callers_voice_and_keys_are_heard() -> None:
    assert heard(event("ChannelTalkingStart", CALLER), MONDAY) == Voice("112-1.0", MONDAY, True)
    assert heard(event("ChannelTalkingStop", CALLER, Duration="900"), MONDAY) == Voice("112-1.0", MONDAY, False)
    pressed = event("DTMFEnd", CALLER, Digit="5", Direction="Received")
    assert heard(pressed, MONDAY) == Key("112-1.0", MONDAY, "5")


@pytest.mark.parametrize(
    "other",
    [
        event("DTMFEnd", PHONE, Digit="5", Direction="Received"),
        event("DTMFEnd", DIALLING, Digit="5", Direction="Received"),
        event("DTMFEnd", CALLER, Digit="5", Direction="Sent"),
        event("DTMFEnd", CALLER, Digit="55", Direction="Received"),
        event("DTMFEnd", {}, Digit="5", Direction="Received"),
        event("ChannelTalkingStart", PHONE),
        event("QueueMemberStatus", CALLER),
    ],
)
def test_nothing_else_is(other: Message) -> None:
    assert heard(other, MONDAY) is None


def test_a_number_with_lines_of_its_own_presses_no_key_in_another_call() -> None:
    number = {"Linkedid": "112-9.0", "Uniqueid": "112-9.0"}
    told = Message((("Event", "DTMFEnd"), *number.items(), *CALLER.items(), ("Digit", "5"), ("Direction", "Received")))
    assert heard(told, MONDAY) == Key("112-1.0", MONDAY, "5")


def test_an_operators_phone_that_holds_a_caller_is_heard_and_no_other_line() -> None:
    assert heard(event("Hold", PHONE), MONDAY) == Hold("112-1.0", MONDAY, "1001", True)
    assert heard(event("Unhold", PHONE), MONDAY) == Hold("112-1.0", MONDAY, "1001", False)
    for other in (CALLER, DIALLING, {}):
        assert heard(event("Hold", other), MONDAY) is None


def test_what_is_heard_was_when_asterisk_says_and_as_of_now_where_it_says_nothing_that_is_a_time() -> None:
    told = heard(event("ChannelTalkingStart", CALLER, Timestamp="1795708106.125110"), MONDAY)
    assert told == Voice("112-1.0", datetime(2026, 11, 26, 15, 48, 26, 125110, UTC), True)
    for nonsense in ("", "soon", "nan", "inf", "-1e30", "1e30"):
        assert heard(event("ChannelTalkingStart", CALLER, Timestamp=nonsense), MONDAY) == Voice("112-1.0", MONDAY, True)
