"""Which address leads elsewhere. What becomes of a phone there: `test_switchboard.py`, and with a real Asterisk
`tests/calls/test_toll_fraud.py`."""

import pytest

from gateway.asterisk.elsewhere import leads_elsewhere


@pytest.mark.parametrize(
    ("uri", "is_so"),
    [
        ("sip:1001@203.0.113.5:5062;transport=tcp;ob", False),
        ("sips:1001@[2001:db8::7]:5061", False),
        ("sip:203.0.113.5:5062;x-ast-orig-host=192.168.1.7:5060", False),
        ("sip:[2001:db8::7]", False),
        ("sip:203.0.113.9:5060", True),
        ("sip:203.0.113.5:5062@sbc.example", True),
        ("sip:0811000111@203.0.113.9:5060", True),
        ("sip:1001@203.0.113.5:5060;MADDR=203.0.113.9", True),
        ("sip:1001@203.0.113.5:5060?Route=%3Csip:203.0.113.9%3Blr%3E", True),
        ("sip:0811000111@sbc.example", True),
        ("sip:0811000111@3405803785:5060", True),
        ("sip:0811000111@203.0.113.011:5060", True),
        ("sip:0811000111@203.28937", True),
        ("sip:0811000111@[::ffff:203.0.113.9]", True),
    ],
)
def test_a_phone_that_would_be_rung_elsewhere_is_known(uri: str, is_so: bool) -> None:
    assert leads_elsewhere(uri, ("192.0.2.1", "203.0.113.8/31")) is is_so
