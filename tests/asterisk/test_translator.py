"""What is dialled on phones, and what the centre's own channels tell, as facts."""

import pytest

from gateway.asterisk.record import Record, Unreadable
from gateway.asterisk.translator import DIAL_ID_LEAD, RING_ID_LEAD, translate
from gateway.domain.dispositions import Category, Disposition
from gateway.domain.facts import AskedForKey, DispositionFact, Joined, LegLeft, LegRung
from tests.domain.values import MONDAY

WHISPER = "Local/words@whisper-00000001;2"


def record(kind: str, values: str, channel: str = "PJSIP/1001-00000001", *, is_user_defined: bool = True) -> Record:
    """A step on a channel that began a call of its own."""
    extra = {"extra": values} if values else {}
    return Record(MONDAY, kind, is_user_defined, "112-1.0", "112-1.0", channel, "", "", extra)


@pytest.mark.parametrize(
    ("values", "disposition", "category"),
    [
        ("digit=3&category=", Disposition.PRANK, None),
        ("digit=6&category=", Disposition.WRONG_REGION, None),
        ("digit=1&category=5", Disposition.EMERGENCY, Category.DISASTER),
    ],
)
def test_a_digit_is_a_disposition(values: str, disposition: Disposition, category: Category | None) -> None:
    assert translate(record("DISPOSITION", values)) == DispositionFact("1001", MONDAY, disposition, category)


@pytest.mark.parametrize("values", ["", "digit=8", "digit=1&category=", "digit=1&category=6", "digit=3&category=1"])
def test_a_digit_that_means_nothing_is_not_read(values: str) -> None:
    with pytest.raises(Unreadable, match="DISPOSITION"):
        translate(record("DISPOSITION", values))


def test_what_whispers_to_a_caller_is_no_call_and_tells_whose_caller_was_asked() -> None:
    for kind in ("CHAN_START", "ANSWER", "HANGUP"):
        assert translate(record(kind, "", WHISPER, is_user_defined=False)) is None
    asked = record("ASKED_FOR_KEY", "call=112-7.0&by=Siti", WHISPER)
    assert translate(asked) == AskedForKey("112-7.0", MONDAY, by="Siti")
    for lead in (RING_ID_LEAD, DIAL_ID_LEAD):  # in a call that the centre itself placed
        assert translate(record("ASKED_FOR_KEY", f"call={lead}ab&by=1001", WHISPER)) is None
    with pytest.raises(Unreadable):
        translate(record("ASKED_FOR_KEY", "by=1001", WHISPER))


THIRD = "PJSIP/1002-00000003"


def test_a_phone_that_is_brought_in_is_told_of_under_the_call_that_it_is_to_join() -> None:
    rung = record("THIRD_RUNG", "call=112-9.0", THIRD)
    joined = record("JOINED", "call=112-9.0&by=1001&agency=Damkar%20%26%20Co.", THIRD)
    left = record("THIRD_LEFT", "call=112-9.0&leg=PJSIP%2F1002-00000003&status=NOANSWER", "Local/ring@third-00000000;2")
    assert translate(rung) == LegRung("112-9.0", MONDAY, THIRD, "1002")
    assert translate(joined) == Joined("112-9.0", MONDAY, THIRD, "1002", "1001", "Damkar & Co.")
    assert translate(left) == LegLeft("112-9.0", MONDAY, THIRD, "1002", 19)


def test_the_channel_by_which_it_joins_is_no_call_and_neither_is_it_told_in_one_of_the_centres_own() -> None:
    for kind in ("CHAN_START", "ANSWER", "HANGUP"):
        assert translate(record(kind, "", "Local/ring@third-00000000;1", is_user_defined=False)) is None
        assert translate(record(kind, "", "Local/unreached@whisper-00000000;1", is_user_defined=False)) is None
    assert translate(record("JOINED", f"call={DIAL_ID_LEAD}1&by=1001&agency=", THIRD)) is None
    with pytest.raises(Unreadable, match="JOINED"):
        translate(record("JOINED", "by=1001", THIRD))
