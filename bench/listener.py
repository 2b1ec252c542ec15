"""A light listener of the event stream, a process of its own: it stamps each event's bytes as they arrive.

Counterparts: `gateway/api/streams.py` writes the stream; `listening` below starts this file and reads what it kept.
HTTP/1.0 is spoken on purpose: the answer then comes without chunks, as the bytes of the events alone.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.settings import PROJECT
from tests.centre import RealCentre

START_LIMIT_S = 10.0
SILENCE_LIMIT_S = 60.0
"""The stream writes a comment every 15 s: a longer silence is its end."""
ENDED = "ended"
"""The last line of a listener whose stream ended before it was ended itself."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An event of the stream. `at` is its record's time in Asterisk's journal; both are seconds since the epoch."""

    kind: str
    at: float
    arrived: float


@asynccontextmanager
async def listening(centre: RealCentre, file: Path, *, to_the_end: bool = False) -> AsyncIterator[Path]:
    """A listener of the centre's stream, connected, that writes to `file` until the block ends. `heard` reads it, and
    `still_listens` whether it was there to the end. Raises RuntimeError where it cannot connect, and, `to_the_end`,
    where its stream ended before the block."""
    token = centre.settings.paths.var / "admin-token"
    api = centre.settings.api
    await asyncio.to_thread(file.unlink, missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.listener", api.host, str(api.port), str(token), str(file), cwd=PROJECT
    )
    try:
        async with asyncio.timeout(START_LIMIT_S):
            while process.returncode is None and not _is_connected(file):  # noqa: ASYNC110  # another process writes it
                await asyncio.sleep(0.05)
        if not _is_connected(file):
            raise RuntimeError(f"the listener of the event stream did not connect: it ended with {process.returncode}")
        yield file
        if to_the_end and not still_listens(file):
            raise RuntimeError("the event stream ended before what was measured with it")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _is_connected(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def still_listens(file: Path) -> bool:
    """Whether the listener has its stream: without it the gateway has less to do, and what is not told is not late."""
    return not file.read_text().endswith(f"{ENDED}\n")


def heard(file: Path) -> list[Heard]:
    """The events of calls that the listener got, in their order."""
    events = []
    for line in file.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind.startswith("call."):
            at, arrived = rest.split()
            events.append(Heard(kind, float(at), float(arrived)))
    return events


def _listen(host: str, port: int, token: str, file: Path) -> None:
    with socket.create_connection((host, port), timeout=SILENCE_LIMIT_S) as stream, file.open("w", buffering=1) as kept:
        stream.sendall(
            f"GET /v1/events/stream HTTP/1.0\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        rest = b""
        try:
            while data := stream.recv(65536):
                arrived = time.time()
                *frames, rest = (rest + data).split(b"\n\n")
                for frame in frames:
                    _, found, document = frame.partition(b"\ndata: ")
                    if not found:
                        kept.write("connected\n")
                        continue
                    event = json.loads(document)
                    at = datetime.fromisoformat(event["at"]).timestamp()
                    kept.write(f"{event['type']} {at:.6f} {arrived:.6f}\n")
        finally:
            if kept.tell():  # one that never had it says nothing
                kept.write(f"{ENDED}\n")


if __name__ == "__main__":
    _listen(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).read_text().strip(), Path(sys.argv[4]))
