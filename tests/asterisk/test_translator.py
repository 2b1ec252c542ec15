"""What is dialled on phones, and what the centre's own channels tell, as facts."""

import pytest

from gateway.asterisk.record import Record, Unreadable
from gateway.asterisk.translator import DIAL_ID_LEAD, RING_ID_LEAD, translate
from gateway.domain.dispositions import Category, Disposition
from gateway.domain.facts import AskedForKey, DispositionFact
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
