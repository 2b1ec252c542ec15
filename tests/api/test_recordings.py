"""A call's sound, whole and in parts."""

import asyncio
import logging

import pytest

from gateway.api.ranges import Unsatisfiable, byte_range
from gateway.domain.facts import CallerLeft, Entered, FellBack, MessageBegun, Side, TrunkAnswered
from gateway.vault.recordings import wav_header
from tests.api.house import START, House, answered
from tests.api.test_duty import hired

CALL = "112-1.1"
WHY = "reason=complaint+12/2026"
PATH = f"/v1/calls/112-1.1/recording?{WHY}"
LINE_S = 41.0
"""How long the caller of `House.answered_call` is on the line."""
SIZE = 44 + 41 * 8000 * 4


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-", (10, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=90-1000", (90, 100)),
        ("BYTES= 5-6 ", (5, 7)),
        ("bytes=7-5", None),
        ("bytes=0-1,5-6", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=+1-2", None),
        ("seconds=1-2", None),
        ("bytes=\u0661-\u0662", None),
        ("bytes=" + "9" * 400 + "-", None),
    ],
)
def test_a_range_is_read_as_rfc_9110_says(header: str | None, part: tuple[int, int] | None) -> None:
    assert byte_range(header, 100) == part


@pytest.mark.parametrize(("header", "size_bytes"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=-5", 0)])
def test_a_range_past_the_end_cannot_be_satisfied(header: str, size_bytes: int) -> None:
    with pytest.raises(Unsatisfiable):
        byte_range(header, size_bytes)


async def test_the_whole_recording_is_a_wav_file(house: House) -> None:
    samples = house.sound("one.raw", LINE_S)
    await house.answered_call(recording="one.raw")

    reply = await house.get(PATH, token="reader")

    assert reply.raw == wav_header(len(samples)) + samples
    assert reply.headers["Content-Type"] == "audio/wav"
    assert reply.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(("header", "start", "stop"), [("bytes=40-99", 40, 100), ("bytes=-5", SIZE - 5, SIZE)])
async def test_a_part_is_sent_where_a_range_is_asked_for(house: House, header: str, start: int, stop: int) -> None:
    samples = house.sound("one.raw", LINE_S)
    await house.answered_call(recording="one.raw")

    reply = await house.get(PATH, headers={"Range": header})

    assert reply.status == 206
    assert reply.raw == (wav_header(len(samples)) + samples)[start:stop]
    assert reply.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"


async def test_a_range_past_the_end_tells_the_size(house: House) -> None:
    house.sound("one.raw", LINE_S)
    await house.answered_call(recording="one.raw")

    reply = await house.get(PATH, headers={"Range": f"bytes={SIZE}-"})

    assert (reply.status, reply.headers["Content-Range"]) == (416, f"bytes */{SIZE}")


async def test_what_nobody_sent_is_given_back_as_silence_at_the_end(house: House) -> None:
    samples = house.sound("one.raw", 10.0)
    await house.answered_call(recording="one.raw")

    whole = (await house.get(PATH)).raw
    told = (await house.get("/v1/calls/112-1.1")).json["recording"]

    assert whole == wav_header(SIZE - 44) + samples + bytes(31 * 8000 * 4)
    assert (told["duration_s"], told["silence_s"], told["size_bytes"]) == (LINE_S, 31.0, SIZE)
    for start, stop in [(0, 50), (44 + len(samples) - 3, 44 + len(samples) + 7), (SIZE - 9, SIZE)]:
        part = (await house.get(PATH, headers={"Range": f"bytes={start}-{stop - 1}"})).raw
        assert part == whole[start:stop]


async def test_a_recording_that_is_longer_than_its_call_is_whole(house: House) -> None:
    samples = house.sound("one.raw", LINE_S + 1)
    await house.answered_call(recording="one.raw")

    assert (await house.get(PATH)).raw == wav_header(len(samples)) + samples


async def test_of_a_running_call_there_is_what_was_recorded_so_far(house: House) -> None:
    samples = house.sound("one.raw", 1.0)
    await house.tell(*answered(recording="one.raw")[:-1])

    assert (await house.get(PATH)).raw == wav_header(len(samples)) + samples


async def test_if_range_makes_the_range_unheard(house: House) -> None:
    house.sound("one.raw", LINE_S)
    await house.answered_call(recording="one.raw")

    reply = await house.get(PATH, headers={"Range": "bytes=0-1", "If-Range": '"an-etag"'})

    assert (reply.status, len(reply.raw)) == (200, SIZE)


async def test_head_tells_the_size_and_sends_nothing(house: House) -> None:
    house.sound("one.raw", LINE_S)
    await house.answered_call(recording="one.raw")

    reply = await house.ask("HEAD", PATH, headers={"Range": "bytes=0-1"})

    assert (reply.status, reply.headers["Content-Length"], reply.raw) == (200, str(SIZE), b"")


@pytest.mark.parametrize("recording", ["", "gone.raw", "../gateway112.db"])
async def test_a_recording_that_is_not_there_is_a_404(house: House, recording: str) -> None:
    await house.answered_call(recording=recording)

    assert (await house.get(PATH)).status == 404


async def test_a_listener_who_leaves_early_is_no_error(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.sound("one.raw", 300.0)
    await house.answered_call(recording="one.raw")
    reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port, limit=1024)
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: centre\r\nAuthorization: Bearer reader\r\n\r\n".encode())
    await reader.readexactly(100)
    writer.transport.abort()

    assert len((await house.get(PATH)).raw) == 44 + 300 * 8000 * 4
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_many_listen_at_once_and_each_hears_all(house: House) -> None:
    house.sound("one.raw", LINE_S)
    await house.answered_call(recording="one.raw")

    replies = await asyncio.gather(*(house.get(PATH) for _ in range(10)))

    assert {len(reply.raw) for reply in replies} == {SIZE}


async def test_a_message_that_a_caller_left_is_a_wav_file_of_one_channel(house: House) -> None:
    samples = house.sound("m.sln", 3.0)
    await house.tell(
        Entered(CALL, START, trunk="telkomsel", caller="0811"),
        TrunkAnswered(CALL, START),
        FellBack(CALL, START, step="crowded", round=0),
        MessageBegun(CALL, START, file="m.sln"),
        CallerLeft(CALL, START, cause=16, hung_up_by=Side.CALLER),
    )

    call = (await house.get("/v1/calls/112-1.1")).json
    assert call["message"] == {
        "id": "m",
        "url": "/v1/calls/112-1.1/message",
        "duration_s": len(samples) / 16000,
        "silence_s": 0.0,
        "size_bytes": 44 + len(samples),
    }
    reply = await house.get(f"{call['message']['url']}?{WHY}")
    assert reply.raw == wav_header(len(samples), 1) + samples


async def test_of_two_messages_the_longer_one_is_told_and_heard(house: House) -> None:
    """With the first he said where he is; with the other only that somebody should hurry, or nothing."""
    long = house.sound("112-1.1-1-message.sln", 3.0)
    house.sound("112-1.1-2-message.sln", 0.2)
    await house.tell(
        Entered(CALL, START, trunk="telkomsel", caller="0811"),
        TrunkAnswered(CALL, START),
        FellBack(CALL, START, step="busy", round=1),
        MessageBegun(CALL, START, file="112-1.1-1-message.sln"),
        FellBack(CALL, START, step="busy", round=2),
        MessageBegun(CALL, START, file="112-1.1-2-message.sln"),
        CallerLeft(CALL, START, cause=16, hung_up_by=Side.CALLER),
    )
    await house.services.evidence.check()
    call = (await house.get("/v1/calls/112-1.1")).json
    assert (call["message"]["id"], call["message"]["duration_s"]) == ("112-1.1-1-message", 6.0)
    assert (await house.get(f"{call['message']['url']}?{WHY}")).raw == wav_header(len(long), 1) + long


async def test_who_is_to_call_somebody_back_hears_his_message_and_no_other_operator_does(house: House) -> None:
    house.sound("m.sln", 1.0)
    _, siti = await hired(house)
    _, budi = await hired(house, "1002", "Budi")
    await house.tell(
        Entered("112-0.1", START, trunk="telkomsel", caller="08111222333"),
        CallerLeft("112-0.1", START, cause=16, hung_up_by=Side.CALLER),
        Entered(CALL, START, trunk="telkomsel", caller="+628111222333"),
        TrunkAnswered(CALL, START),
        FellBack(CALL, START, step="crowded", round=0),
        MessageBegun(CALL, START, file="m.sln"),
        CallerLeft(CALL, START, cause=16, hung_up_by=Side.CALLER),
    )
    path = f"/v1/calls/112-1.1/message?{WHY}"

    before = await house.get(path, token=siti)
    claimed = await house.ask("POST", "/v1/callbacks/1/claim", headers={"If-Match": "*"}, token=siti)

    assert (before.status, claimed.status) == (403, 200)
    assert (await house.get(path, token=siti)).status == 200
    assert (await house.get(path, token=budi)).status == 403


async def test_a_call_without_a_message_has_none(house: House) -> None:
    await house.answered_call()

    assert (await house.get("/v1/calls/112-1.1")).json["message"] is None
    assert (await house.get(f"/v1/calls/112-1.1/message?{WHY}")).status == 404
