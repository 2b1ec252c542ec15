"""The listener of the event stream says whether it heard all, and the stream's table what it did not hear."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench import stream
from bench.listener import Heard, listening, still_listens
from tests.centre import RealCentre

EVENT = b'id: 1\ndata: {"type": "call.ended", "at": "2026-11-26T08:00:00+00:00"}\n\n'


async def heard_of(answer: bytes, file: Path, *, holds: bool, to_the_end: bool) -> bool:
    """Whether a listener of a stream that says `answer`, and then goes on or ends, still listens."""

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if holds:
            await reader.read()
        writer.close()

    token = file.parent / "admin-token"
    token.write_text("token")
    async with await asyncio.start_server(tell, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        api = SimpleNamespace(host=host, port=port)
        settings: Any = SimpleNamespace(paths=SimpleNamespace(var=file.parent), api=api)
        centre = cast(RealCentre, SimpleNamespace(settings=settings))
        async with listening(centre, file, to_the_end=to_the_end) as kept:
            await asyncio.sleep(0.3)
            return still_listens(kept)


async def test_a_listener_tells_whether_its_stream_ended(tmp_path: Path) -> None:
    begun = b"HTTP/1.0 200 OK\r\n\r\n: here\n\n" + EVENT
    assert await heard_of(begun, tmp_path / "held.log", holds=True, to_the_end=True)
    assert not await heard_of(begun, tmp_path / "cut.log", holds=False, to_the_end=False)
    with pytest.raises(RuntimeError, match="ended before"):
        await heard_of(begun, tmp_path / "cut.log", holds=False, to_the_end=True)


async def test_a_listener_that_is_refused_is_none(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="did not connect"):
        await heard_of(b"HTTP/1.0 503 No\r\n\r\n{}", tmp_path / "none.log", holds=False, to_the_end=False)


def test_events_that_never_came_are_not_quick_ones() -> None:
    rows = {row.what: row for row in stream._block([Heard("call.ended", 0.0, 0.01)], 400).rows}
    assert rows["of these, told to be over"].is_met is False
    assert rows["p99"].is_met is True
