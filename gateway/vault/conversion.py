"""ffmpeg as a child of this process that is fed and heard at once: killed, and waited for, with whoever asks.

Counterparts: `playing.py` says what it is to make; the worker seals without one (`opus.py`).
"""

import asyncio
import contextlib
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator

PIECE_BYTES = 64 * 1024
READY_S = 60.0
"""So long a program that waits for a listener is kept."""
_COMPLAINT_BYTES = 500
# calls go first
_QUIETLY = ("nice", "-n", "10", "ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-threads", "1")


class Unplayable(Exception):
    """The sound cannot be read; the message says why."""


async def started(*arguments: str) -> Process:
    """The program, which reads from one pipe and writes to another. Raises Unplayable."""
    try:
        return await asyncio.create_subprocess_exec(
            *_QUIETLY,
            *arguments,
            "-threads",
            "1",
            "-flush_packets",
            "1",
            "pipe:1",
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
    except OSError as error:
        raise Unplayable(f"ffmpeg cannot be started: {error.strerror}") from error


async def converted(
    process: Process, feed: AsyncGenerator[bytes, None], idle_limit_s: float
) -> AsyncGenerator[bytes, None]:
    """What the program makes of what it is fed; it ends with this. Raises Unplayable, and what `feed` raises."""
    feeding = asyncio.create_task(_feed(process, feed))
    listening = asyncio.create_task(_complaint(process))
    try:
        while piece := await _piece(process, idle_limit_s):
            yield piece
        async with asyncio.timeout(idle_limit_s):
            status = await process.wait()
        if feeding.done():
            feeding.result()
        if status:
            raise Unplayable(f"ffmpeg cannot read it: {await listening or f'it ended with status {status}'}")
    except TimeoutError as error:
        raise Unplayable(f"ffmpeg gave nothing for {idle_limit_s:g} s") from error
    finally:
        feeding.cancel()
        _kill(process)
        await asyncio.wait({feeding, listening})
        await process.communicate()  # what is left in its pipes, so that they close


class Spare:
    """One program that is started before anybody needs it: its start takes longer than all that a listener waits for
    else. It is started while somebody listens, and kept for READY_S."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._starting: asyncio.Task[Process] | None = None
        self._end: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def taken(self) -> Process:
        """The program: the one that waits, or else a new one. Raises Unplayable."""
        waiting = self._let_go()
        process = None if waiting is None else await waiting
        if process is None or process.returncode is not None:
            return await started(*self._arguments)
        return process

    def prepare(self) -> None:
        """Has one wait for the next listener."""
        if self._starting is None:
            self._starting = asyncio.create_task(started(*self._arguments))
            self._end = asyncio.get_running_loop().call_later(READY_S, self._over)

    async def close(self) -> None:
        """Ends what waits. None is to be prepared any more."""
        self._over()
        if self._ending:
            await asyncio.wait(self._ending)

    def _let_go(self) -> asyncio.Task[Process] | None:
        if self._end is not None:
            self._end.cancel()
        waiting, self._starting, self._end = self._starting, None, None
        return waiting

    def _over(self) -> None:
        waiting = self._let_go()
        if waiting is not None:
            ending = asyncio.create_task(_ended(waiting))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


async def _ended(starting: asyncio.Task[Process]) -> None:
    with contextlib.suppress(Unplayable):
        process = await starting
        _kill(process)
        await process.communicate()


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    if process.stdin is not None:
        process.stdin.close()


async def _feed(process: Process, feed: AsyncGenerator[bytes, None]) -> None:
    """Gives the program what it reads, as fast as it reads."""
    pipe = process.stdin
    assert pipe is not None  # noqa: S101  # it was started with one
    try:
        async with contextlib.aclosing(feed) as pieces:
            async for piece in pieces:
                pipe.write(piece)
                await pipe.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has what it needs
    finally:
        pipe.close()


async def _piece(process: Process, limit_s: float) -> bytes:
    assert process.stdout is not None  # noqa: S101  # it was started with one
    async with asyncio.timeout(limit_s):
        return await process.stdout.read(PIECE_BYTES)


async def _complaint(process: Process) -> str:
    """The beginning of what the program says of errors; the rest is read and forgotten."""
    assert process.stderr is not None  # noqa: S101  # it was started with one
    said = b""
    while part := await process.stderr.read(4096):
        said += part[: _COMPLAINT_BYTES - len(said)]
    return " ".join(said.decode("utf-8", "replace").split())
