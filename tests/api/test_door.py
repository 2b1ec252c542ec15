"""The door: a crowd that says nothing, or says it slowly, takes no place from whoever asks something."""

import asyncio
import contextlib
import gzip
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp.compression_utils import ZLibDecompressor
from aiohttp.test_utils import make_mocked_request

from gateway.api import application
from gateway.api import door as doors
from gateway.api.door import Door
from gateway.api.limits import Limits
from tests.api.house import House, open_house, until
from tests.api.listener import listening

ASK = b"GET /v1/health HTTP/1.1\r\nHost: centre\r\n\r\n"


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Stand = Callable[..., Awaitable[Connection]]


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    """Opens a connection that says so much and no more; all are closed after the test."""
    writers = []

    async def open_one(house: House, said: bytes = b"", address: str = "127.0.0.1") -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port, local_addr=(address, 0))
        writers.append(writer)
        writer.write(said)
        await writer.drain()
        return reader, writer

    yield open_one
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def is_cut(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(20):
            return await reader.read(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("path", [b"/v1/health", b"/nowhere", b"/v1/calls/112-1.1"])
async def test_who_expects_what_nobody_knows_is_told_as_all_others_and_counted(
    tmp_path: Path, stand: Stand, path: bytes
) -> None:
    """aiohttp answers it before it asks anybody."""
    ask = b"GET " + path + b" HTTP/1.1\r\nHost: centre\r\nExpect: the unexpected\r\n\r\n"
    few = Limits(per_address_s=1.0, per_token_s=0.0, wrong_tokens_per_min=0, clock_s=time.monotonic)
    async with open_house(tmp_path, limits=few) as house:
        reader, writer = await stand(house)
        statuses = []
        for _ in range(60):
            writer.write(ask)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"(?i)content-length: ([0-9]+)", head)[1])  # type: ignore[index]
            told = json.loads(await reader.readexactly(length))
            assert b"X-Content-Type-Options: nosniff" in head
            statuses.append(told["status"])
        assert (statuses[0], statuses[-1]) == (417, 429)


async def test_a_crowd_that_sends_nothing_keeps_nobody_out(tmp_path: Path, stand: Stand) -> None:
    door = Door(limit=5)
    async with open_house(tmp_path, door=door) as house:
        crowd = [await stand(house) for _ in range(20)]
        assert (await house.get("/v1/health", token=None)).status == 200
        assert door.crowd_out >= 15
        assert all([await is_cut(reader) for reader, _ in crowd[:10]])


async def test_a_crowd_makes_way_before_who_has_just_come(tmp_path: Path, stand: Stand) -> None:
    door = Door(limit=6)
    async with open_house(tmp_path, door=door) as house:
        reader, writer = await stand(house, address="127.0.0.8")
        crowd = [await stand(house, address=f"127.0.0.{9 + number % 2}") for number in range(30)]
        assert all([await is_cut(one) for one, _ in crowd[:20]])
        writer.write(ASK)
        assert b" 200 " in await reader.readline()


async def test_who_is_being_served_is_not_crowded_out(tmp_path: Path, stand: Stand) -> None:
    door = Door(limit=3)
    async with open_house(tmp_path, door=door) as house, listening(house) as listener:
        for _ in range(10):
            await stand(house)
        await house.answered_call()
        assert (await listener.next())["type"] == "call.arrived"


async def test_where_all_are_being_served_a_new_one_goes(tmp_path: Path, stand: Stand) -> None:
    door = Door(limit=2)
    async with open_house(tmp_path, door=door) as house, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(listening(house))
        await until(lambda: house.context.streams.open_count == 2)
        reader, _ = await stand(house)
        assert await is_cut(reader)


@pytest.mark.parametrize("said", [b"", b"GET /v1/hea", b"GET /v1/health HTTP/1.1\r\nX: "])
async def test_who_takes_too_long_over_a_request_is_cut_off(
    tmp_path: Path, stand: Stand, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "LOOK_EVERY_S", 0.02)
    door = Door(request_limit_s=0.1)
    async with open_house(tmp_path, door=door) as house:
        watch = asyncio.create_task(door.watch())
        reader, _ = await stand(house, said)
        assert await is_cut(reader)
        assert door.slow == 1
        # and one who was served once and then dawdles over the next
        reader, writer = await stand(house, ASK)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET /v1")
        async with asyncio.timeout(20):
            rest = await reader.read()
        assert rest.endswith(b"}")
        assert door.slow == 2
        watch.cancel()


async def test_one_address_takes_no_more_places_than_its_own(tmp_path: Path, stand: Stand) -> None:
    door = Door(limit=20, per_address=3)
    async with open_house(tmp_path, door=door) as house:
        crowd = [await stand(house, address="127.0.0.9") for _ in range(6)]
        others = [await stand(house, address=f"127.0.0.{number}") for number in (10, 11, 12)]
        assert all([await is_cut(reader) for reader, _ in crowd[:3]])
        for reader, writer in (*crowd[3:], *others):
            writer.write(ASK)
            assert b" 200 " in await reader.readline()
        assert door.crowd_out == 3
    assert not door._at, "who has gone is not counted any more"


async def test_where_an_address_is_served_at_all_its_places_a_new_one_of_it_goes(tmp_path: Path, stand: Stand) -> None:
    door = Door(limit=20, per_address=1)
    async with open_house(tmp_path, door=door) as house, listening(house):
        await until(lambda: house.context.streams.open_count == 1)
        reader, _ = await stand(house)
        other, writer = await stand(house, address="127.0.0.9")
        writer.write(ASK)
        assert await is_cut(reader)
        assert b" 200 " in await other.readline()


async def test_many_may_come_through_our_own_proxy(tmp_path: Path, stand: Stand) -> None:
    door = Door(limit=20, per_address=1, is_proxy=lambda address: address == "127.0.0.1")
    async with open_house(tmp_path, door=door) as house:
        for reader, writer in [await stand(house) for _ in range(5)]:
            writer.write(ASK)
            assert b" 200 " in await reader.readline()
    assert door.crowd_out == 0


async def test_who_does_not_read_the_answers_is_cut_off_and_who_reads_them_slowly_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiohttp knows no such limit: a page asked for again and again, and never read, would be held for ever."""
    monkeypatch.setattr(doors, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(doors, "LEAST_READ_BYTES_S", 10_000)
    door = Door(unread_limit_s=0.3)
    async with open_house(tmp_path, door=door) as house, AsyncExitStack() as stack:
        loop = asyncio.get_running_loop()
        ends = []
        for _ in range(2):
            end = stack.enter_context(socket.socket())
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            end.setblocking(False)
            await loop.sock_connect(end, ("127.0.0.1", house.server.port))
            await loop.sock_sendall(end, b"GET /docs HTTP/1.1\r\nHost: centre\r\n\r\n" * 40)
            ends.append(end)
        unread, slowly = ends
        read = 0
        async with asyncio.timeout(20):
            while not door.unread:
                read += len(await loop.sock_recv(slowly, 4000))
                await asyncio.sleep(0.01)
            for _ in range(20):  # for as long again as the other one had
                read += len(await loop.sock_recv(slowly, 4000))
                await asyncio.sleep(0.01)
        assert (door.unread, read > 10_000) == (1, True)
        left = 0
        with contextlib.suppress(ConnectionResetError):
            while got := len(await loop.sock_recv(unread, 1_000_000)):
                left += got
        assert left < 500_000, "what the kernel had still to send was forgotten"


@pytest.mark.parametrize(
    ("token", "status"), [(b"admin", b"408"), (b"nobody", b"401")], ids=["who may send it", "who may not"]
)
async def test_who_sends_a_body_slowly_is_answered_and_cut_off(
    tmp_path: Path, stand: Stand, token: bytes, status: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.api.routes.BODY_TIMEOUT_S", 0.1)
    monkeypatch.setattr(application, "LINGER_S", 0.1)
    async with open_house(tmp_path) as house:
        reader, writer = await stand(
            house,
            b"POST /v1/operators HTTP/1.1\r\nHost: centre\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\nAuthorization: Bearer " + token + b"\r\n\r\n{",
        )

        async def drip() -> None:
            with contextlib.suppress(OSError):
                while True:
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        head = await reader.readline()
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(20):
                await reader.read()
        dripping.cancel()
        await asyncio.wait({dripping})
    assert status in head


async def test_a_packed_body_is_refused_and_nobody_unpacks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A thousandth of it is what comes over the wire: unpacked for the asking, also for one without a token, a few of
    them would keep the gateway from everything else for seconds."""
    unpacked: list[object] = []

    def unpack(_: object, data: bytes, **__: object) -> bytes:
        unpacked.append(data)
        return b""

    monkeypatch.setattr(ZLibDecompressor, "decompress_sync", unpack)
    packed = gzip.compress(b" " * 50_000_000)
    assert len(packed) < 64 * 1024
    async with open_house(tmp_path) as house:
        for path, kind in (("/v1/operators", "application/json"), ("/v1/roster/import", "text/csv")):
            for coding in ("gzip", "deflate", "br"):
                headers = {"Content-Type": kind, "Content-Encoding": coding}
                reply = await house.ask("POST", path, data=packed, headers=headers)
                assert (reply.status, reply.headers["Accept-Encoding"]) == (415, "identity"), path
                assert (await house.ask("POST", path, token="nobody", data=packed, headers=headers)).status == 401
        made = {"Content-Type": "application/json", "Content-Encoding": "identity"}
        assert (await house.ask("POST", "/v1/operators", data=b"{}", headers=made)).status == 422
    assert not unpacked
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def test_no_request_is_answered_in_the_very_turn_in_which_it_came(tmp_path: Path) -> None:
    """From Python 3.12 on aiohttp answers at once whatever needs nothing awaited, one request after the other of all
    that came in one piece: 10,000 that are refused took 1.5 s, in which nothing else was done."""
    async with open_house(tmp_path) as house:
        asked = house.server.app._handle(make_mocked_request("GET", "/nothing/here", app=house.server.app))
        assert asked.send(None) is None, "it waits, if for no more than the others' turn"
        asked.close()


async def test_what_is_no_http_is_a_problem_like_any_other_and_fills_no_log(
    tmp_path: Path, stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    start = b"GET / HTTP/1.1\r\nHost: centre\r\n"
    async with open_house(tmp_path) as house:
        for said in (
            b"this is no HTTP\r\n\r\n",
            b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n",
            start + b"X: " + b"x" * 9000 + b"\r\n\r\n",
            start + b"X: x\r\n" * 5000 + b"\r\n",
            start + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            start + b"Content-Length: -1\r\n\r\n",
            start + b"X : y\r\n\r\n",
        ):
            reader, _ = await stand(house, said)
            async with asyncio.timeout(20):
                answer = (await reader.read()).decode()
            head, _, body = answer.partition("\r\n\r\n")
            assert head.partition("\r\n")[0].endswith(" 400 Bad Request"), said
            assert "Content-Type: application/problem+json" in head
            for name, value in application.HEADERS.items():
                assert f"{name}: {value}" in head
            assert '"status":400' in body
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
