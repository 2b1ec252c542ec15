"""A call's sound, whole and in parts."""

import asyncio
import logging

import pytest

from gateway.api.ranges import Unsatisfiable, byte_range
from gateway.vault.recordings import wav_header
from tests.api.house import House

PATH = "/v1/calls/112-1.1/recording"


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
    samples = house.sound("one.raw", 10.0)
    await house.answered_call(recording="one.raw")

    reply = await house.get(PATH, token="reader")

    assert reply.raw == wav_header(len(samples)) + samples
    assert reply.headers["Content-Type"] == "audio/wav"
    assert reply.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(("header", "start", "stop"), [("bytes=40-99", 40, 100), ("bytes=-5", 32039, 32044)])
async def test_a_part_is_sent_where_a_range_is_asked_for(house: House, header: str, start: int, stop: int) -> None:
    samples = house.sound("one.raw", 1.0)
    await house.answered_call(recording="one.raw")

    reply = await house.get(PATH, headers={"Range": header})

    assert reply.status == 206
    assert reply.raw == (wav_header(len(samples)) + samples)[start:stop]
    assert reply.headers["Content-Range"] == f"bytes {start}-{stop - 1}/32044"


async def test_a_range_past_the_end_tells_the_size(house: House) -> None:
    house.sound("one.raw", 1.0)
    await house.answered_call(recording="one.raw")

    reply = await house.get(PATH, headers={"Range": "bytes=32044-"})

    assert (reply.status, reply.headers["Content-Range"]) == (416, "bytes */32044")


async def test_if_range_makes_the_range_unheard(house: House) -> None:
    house.sound("one.raw", 1.0)
    await house.answered_call(recording="one.raw")

    reply = await house.get(PATH, headers={"Range": "bytes=0-1", "If-Range": '"an-etag"'})

    assert (reply.status, len(reply.raw)) == (200, 32044)


async def test_head_tells_the_size_and_sends_nothing(house: House) -> None:
    house.sound("one.raw", 1.0)
    await house.answered_call(recording="one.raw")

    reply = await house.ask("HEAD", PATH, headers={"Range": "bytes=0-1"})

    assert (reply.status, reply.headers["Content-Length"], reply.raw) == (200, "32044", b"")


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
    house.sound("one.raw", 30.0)
    await house.answered_call(recording="one.raw")

    replies = await asyncio.gather(*(house.get(PATH) for _ in range(10)))

    assert {len(reply.raw) for reply in replies} == {44 + 30 * 8000 * 4}
