"""The grammar of AMI, without a socket: whatever the bytes and however they are cut, the messages are the same."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asterisk.errors import FramingError, UnsafeValue
from gateway.asterisk.framing import FILES_LIMIT, LINE_LIMIT_BYTES, LINES_LIMIT, Framing, Message, encode

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
JOIN = "Event: QueueCallerJoin\r\nCallerIDName: Siti 🚒 Nurhaliza\r\nPosition: 1\r\n\r\n".encode()

names = st.from_regex(r"\A[A-Za-z][A-Za-z0-9-]{0,12}\Z")
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
carried = any_text.filter(lambda value: "\r\n" not in value)  # the one thing that AMI itself cannot carry
sendable = any_text.filter(lambda value: not set(value) & set("\r\n\0"))
headers = st.lists(st.tuples(names, carried), min_size=1, max_size=8)


def on_the_wire(message: list[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in message).encode() + b"\r\n"


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def fed(*pieces: bytes) -> list[Message]:
    framing = Framing()
    return [message for piece in pieces for message in framing.feed(piece)]


@given(st.lists(headers, max_size=5), st.lists(st.integers(0, 4000), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same_messages_with_every_character_kept(
    messages: list[list[tuple[str, str]]], places: list[int]
) -> None:
    stream = BANNER + b"".join(map(on_the_wire, messages))

    banner, *received = fed(*cut(stream, places))

    assert banner == Message((("banner", "11.0.0"),))
    assert received == [Message(tuple(message)) for message in messages]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=12))
def test_any_cut_of_any_rubbish_gives_the_same_messages(rubbish: bytes, places: list[int]) -> None:
    assert fed(*cut(rubbish, places)) == fed(rubbish)


line_ends = st.lists(st.sampled_from(["\r\n\r\n", "\r\n", "\r", "\n", ":", " ", "a"]), max_size=12).map("".join)


@given(line_ends, st.lists(st.integers(0, 60), max_size=8))
def test_any_cut_of_line_ends_gives_the_same_messages(rubbish: str, places: list[int]) -> None:
    assert fed(*cut(rubbish.encode(), places)) == fed(rubbish.encode())


@given(st.binary(max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_whether_a_message_is_too_long_does_not_depend_on_the_cut(message: bytes, places: list[int]) -> None:
    stream = message + b"\r\n\r\n"

    def is_refused(*pieces: bytes) -> bool:
        framing = Framing(message_limit_bytes=20)
        try:
            for piece in pieces:
                framing.feed(piece)
        except FramingError:
            return True
        return False

    assert is_refused(*cut(stream, places)) == is_refused(stream)


def test_every_cut_in_two_and_every_byte_alone_give_the_same_messages() -> None:
    stream = BANNER + JOIN + JOIN
    whole = fed(stream)

    assert [message.name for message in whole] == ["11.0.0", "QueueCallerJoin", "QueueCallerJoin"]
    assert all(fed(stream[:place], stream[place:]) == whole for place in range(len(stream)))
    assert fed(*(bytes([byte]) for byte in stream)) == whole


def test_a_character_that_two_reads_share_is_kept() -> None:
    framing = Framing()
    middle = JOIN.index("🚒".encode()) + 2

    assert framing.feed(JOIN[:middle]) == []
    (message,) = framing.feed(JOIN[middle:])

    assert message.get("CallerIDName") == "Siti 🚒 Nurhaliza"


def test_bytes_that_are_not_utf8_are_spelt_out_so_that_the_text_can_be_stored() -> None:
    (message,) = fed(b"Event: Hangup\r\nCallerIDName: Andr\xe9\r\n\r\n")

    assert message.get("CallerIDName") == "Andr\\xe9"


def test_a_line_end_inside_a_value_does_not_lose_the_text_after_it() -> None:
    (message,) = fed(b"Event: UserEvent\r\nText: first\r\nsecond\r\nQueue: emergency\r\n\r\n")

    assert message.headers == (("Event", "UserEvent"), ("Text", "first\r\nsecond"), ("Queue", "emergency"))


def test_a_file_that_is_shown_again_and_again_is_read_as_it_is_shown() -> None:
    """The files of a look in turns, one of them changed each time, and a caller's name that looks like one."""

    def shown(look: int, name: str, value: str) -> list[tuple[str, str]]:
        lines = [("Category-000000", name), ("Line-000000-000000", f"context={value}"), ("Category-000001", "2002")]
        return [("Response", "Success"), ("ActionID", str(look)), *lines]

    stranger = b"Event: Newchannel\r\nCallerIDName: Siti\r\nCategory-000000: 2001\r\n112\r\n\r\n"
    looks = [[shown(look, "2001", str(look)), shown(look, "emergency", "same")] for look in range(3 * FILES_LIMIT)]
    framing = Framing()

    for look in looks:
        received = framing.feed(b"".join(map(on_the_wire, look)) + stranger)

        *files, event = (message.headers for message in received)
        assert files == [tuple(file) for file in look]
        assert event == (("Event", "Newchannel"), ("CallerIDName", "Siti"), ("Category-000000", "2001\r\n112"))


def test_a_header_is_found_in_upper_or_lower_case_and_the_first_of_several_wins() -> None:
    (message,) = fed(b"Response: Success\r\nActionID: 7\r\nOutput: one\r\noutput: two\r\nEmpty:\r\nNoBlank:x\r\n\r\n")

    assert (message.kind, message.name, message.action_id) == ("Response", "Success", "7")
    assert message.get("OUTPUT") == "one"
    assert message.all("Output") == ("one", "two")
    assert (message.get("empty", "?"), message.get("NoBlank"), message.get("absent", "?")) == ("", "x", "?")


def test_a_stream_that_was_joined_after_its_banner_is_read_all_the_same() -> None:
    assert [message.name for message in fed(JOIN)] == ["QueueCallerJoin"]


def test_a_message_without_an_end_is_refused_at_its_limit() -> None:
    framing = Framing(message_limit_bytes=1000)
    framing.feed(BANNER + b"Event: Endless")
    framing.feed(b"x" * 900)

    for _ in range(2):  # and it stays refused
        with pytest.raises(FramingError, match="longer than 1000 bytes"):
            framing.feed(b"x" * 100)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_banner_over_its_limit_is_refused_however_it_is_cut(size: int) -> None:
    banner = b"Asterisk Call Manager/" + b"1" * 30 + b"\r\n"
    framing = Framing(message_limit_bytes=40)

    with pytest.raises(FramingError):
        _ = [framing.feed(banner[start : start + size]) for start in range(0, len(banner), size)]


def test_a_whole_message_over_its_limit_is_refused_too() -> None:
    with pytest.raises(FramingError):
        Framing(message_limit_bytes=20).feed(JOIN)


@given(st.lists(st.tuples(names, sendable), min_size=1, max_size=8))
def test_what_is_encoded_is_read_back_as_the_same_one_message(pairs: list[tuple[str, str]]) -> None:
    assert fed(encode(pairs)) == [Message(tuple(pairs))]


@given(names, any_text, st.sampled_from("\r\n\0"), any_text)
def test_a_line_end_or_a_nul_in_a_value_is_refused_without_quoting_the_value(
    name: str, before: str, injected: str, after: str
) -> None:
    secret = f"{before}{injected}{after}"

    with pytest.raises(UnsafeValue) as caught:
        encode([("Action", "Originate"), (name, secret)])

    assert str(caught.value) == f"This cannot be sent to Asterisk. {name!r} contains a line end or a NUL."


@given(any_text.filter(lambda name: not name.isascii() or not name.isprintable() or set(name) & set(": ") or not name))
def test_a_header_name_that_could_be_read_as_something_else_is_refused(name: str) -> None:
    with pytest.raises(UnsafeValue):
        encode([("Action", "Ping"), (name, "1")])


def test_an_action_may_repeat_a_header_and_may_come_as_a_mapping() -> None:
    pairs = [("Action", "Originate"), ("Variable", "a=1"), ("Variable", "b=2")]

    assert encode(pairs) == b"Action: Originate\r\nVariable: a=1\r\nVariable: b=2\r\n\r\n"
    assert encode({"Action": "Ping"}) == b"Action: Ping\r\n\r\n"


@pytest.mark.parametrize(
    ("pairs", "fault"),
    [
        ([("Action", "Login"), ("Secret", "s3cret\ud800")], "'Secret' is not Unicode text"),
        ([("Secret", "x" * LINE_LIMIT_BYTES)], "'Secret' makes a line of 1030 bytes"),
        ([("Variable", "a=1")] * (LINES_LIMIT + 1), "has 129 lines"),
        ([], "'Action' is missing"),
    ],
)
def test_what_asterisk_would_cut_short_is_refused(pairs: list[tuple[str, str]], fault: str) -> None:
    with pytest.raises(UnsafeValue, match=fault) as caught:
        encode(pairs)

    assert "s3cret" not in f"{caught.value!r} {caught.value.__cause__!r}"
