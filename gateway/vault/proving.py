"""Whether stored sound is as it was sealed: each file is read once as it is, and remembered until it is another one.

Counterparts: `playing.py` asks, for whoever listens; `sounds.py` says which file it is. A box needs no such proof: no
part of one that was changed can be opened.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from gateway.vault.ogg import Readable

AT_ONCE = 2
REMEMBERED = 10_000
"""Files of which it is remembered; one more, and the one that was asked for longest ago is read again."""
TRIES = 3
"""A file that is moved to its bucket, or back, while it is read is another one and the same sound."""
PIECE_BYTES = 1 << 20


class Sealed(Protocol):
    """Stored sound. `sha256` is that of its seal; `version` names the file that is there now, another one as soon as
    it was written to; None where whatever is read proves itself. It blocks."""

    @property
    def sound(self) -> Readable: ...
    @property
    def sha256(self) -> str: ...
    @property
    def version(self) -> Callable[[], str | None]: ...


class _Ended(Exception):
    """Nobody waits any more."""


class Proofs:
    """What is remembered of all stored sound. What is read, is read in threads of its own: whoever listens goes on."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="proving")
        self._looking = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="proving-which")
        self._known: OrderedDict[tuple[str, str], asyncio.Future[bool | None]] = OrderedDict()
        self._is_over = False

    async def of(self, sealed: Sealed) -> bool:
        """Whether it is as it was sealed. What was begun goes on where the one who asks does not wait for it. Raises
        what reading it raises."""
        loop = asyncio.get_running_loop()
        for _ in range(TRIES):
            version = await loop.run_in_executor(self._looking, sealed.version)
            if version is None:
                return True
            key = version, sealed.sha256
            proof = self._known.get(key)
            if proof is None:
                proof = self._known[key] = loop.run_in_executor(self._threads, self._read, sealed, version)
                proof.add_done_callback(partial(self._forget_failed, key))
                if len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            self._known.move_to_end(key)
            is_as_sealed = await asyncio.shield(proof)
            if is_as_sealed is not None:
                return is_as_sealed
        return False

    def close(self) -> None:
        """Ends what is being read. Does not wait for a disk that hangs."""
        self._is_over = True
        for threads in (self._threads, self._looking):
            threads.shutdown(wait=False, cancel_futures=True)

    def _read(self, sealed: Sealed, version: str) -> bool | None:
        """None where it is another file by the end: what was read is of neither. Blocking, for all of it."""
        sound, digest = sealed.sound, hashlib.sha256()
        for start in range(0, sound.size_bytes, PIECE_BYTES):
            if self._is_over:
                raise _Ended
            digest.update(sound.read(start, start + PIECE_BYTES))
        return digest.hexdigest() == sealed.sha256 if sealed.version() == version else None

    def _forget_failed(self, key: tuple[str, str], done: asyncio.Future[bool | None]) -> None:
        if done.cancelled() or done.exception() is not None or done.result() is None:
            self._known.pop(key, None)
