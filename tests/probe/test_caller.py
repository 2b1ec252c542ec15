"""SIPp's message log, read while SIPp still writes it."""

from datetime import UTC, datetime

from gateway.probe.caller import read_messages

LINE = "-" * 47
LOG = f"""{LINE} 2026-11-24 00:05:05.474109
UDP message sent (520 bytes):

INVITE sip:112@127.0.0.1:5060 SIP/2.0
Call-ID: probe-1
CSeq: 1 INVITE

v=0
c=IN IP4 127.0.0.15
m=audio 21370 RTP/AVP 0

{LINE} 2026-11-24 00:05:05.475389
UDP message received [279] bytes :

SIP/2.0 100 Trying
CSeq: 1 INVITE

{LINE} 2026-11-24 00:05:05.478184
UDP message received [673] bytes :

SIP/2.0 200 OK
CSeq: 1 INVITE

v=0
c=IN IP4 127.0.0.1
m=audio 21762 RTP/AVP 0
"""


def test_each_message_has_its_time_its_way_and_its_words() -> None:
    invite, trying, ok = read_messages(LOG)
    assert invite.at == datetime(2026, 11, 24, 0, 5, 5, 474109, UTC).timestamp()
    assert [message.is_sent for message in (invite, trying, ok)] == [True, False, False]
    assert [message.status for message in (invite, trying, ok)] == [None, 100, 200]
    assert {message.method for message in (invite, trying, ok)} == {"INVITE"}
    assert ok.sound_address == ("127.0.0.1", 21762)
    assert ok.first_line == "SIP/2.0 200 OK"


def test_a_log_that_is_cut_anywhere_is_read_as_far_as_it_goes() -> None:
    whole = read_messages(LOG)
    for length in range(len(LOG)):
        part = read_messages(LOG[:length])
        assert len(part) <= len(whole)
        assert [message.at for message in part] == [message.at for message in whole[: len(part)]]


def test_an_answer_without_all_of_its_sdp_names_no_address_for_sound() -> None:
    cut = LOG.index("m=audio 21762") + len("m=audio 21")
    assert read_messages(LOG[:cut])[-1].sound_address is None


def test_a_log_of_another_making_holds_no_message() -> None:
    assert read_messages("") == read_messages("SIPp was here\n" * 5) == []
