"""Whether stored sound is as it was sealed: each file is read once as it is, and remembered until it is another one.

Counterparts: `playing.py` asks, for whoever listens; `sounds.py` says which file it is. A box needs no such proof: no
part of one that was changed can be opened.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from gateway.vault.ogg import Readable
from gateway.vault.shelf import ShelfAway

NEAR_AT_ONCE, FAR_AT_ONCE = 2, 4
"""So many files are read at once on the disk, and in a bucket."""
LOOKS_AT_ONCE = 8
"""So many may be asked for by name: an answer to that is small, and may still be long in coming."""
REMEMBERED = 10_000
"""Files of which it is remembered; one more, and the one that was asked for longest ago is read again."""
TRIES = 3
"""A file that is moved to its bucket, or back, while it is read is another one and the same sound."""
PIECE_BYTES = 1 << 20


class Sealed(Protocol):
    """Stored sound. `sha256` is that of its seal; `version` names the file that is there now, another one as soon as
    it was written to; None where whatever is read proves itself; `is_near` says whether it lies on the disk. Both
    block."""

    @property
    def sound(self) -> Readable: ...
    @property
    def sha256(self) -> str: ...
    @property
    def version(self) -> Callable[[], str | None]: ...
    @property
    def is_near(self) -> Callable[[], bool]: ...


class _Ended(Exception):
    """Nobody waits any more."""


class _Place:
    """Where sound lies: what is slow there keeps nothing waiting that lies elsewhere. `moved_at_s` is when something
    was read there last."""

    def __init__(self, name: str, at_once: int) -> None:
        self.reading = ThreadPoolExecutor(at_once, thread_name_prefix=f"proving-{name}")
        self.looking = ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix=f"proving-which-{name}")
        self.moved_at_s = time.monotonic()


class _Proof:
    """What comes of reading one file: None where it was another one by the end."""

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._moved_at_s: float | None = None
        self.came: asyncio.Future[bool | None]

    def moves(self) -> None:
        """Something of it was read."""
        self._moved_at_s = self._place.moved_at_s = time.monotonic()

    @property
    def moved_at_s(self) -> float:
        """When something of it was read last; as long as it waits for its turn, of those before it."""
        return self._place.moved_at_s if self._moved_at_s is None else self._moved_at_s

    async def end(self, still_s: float | None) -> bool | None:
        """Raises TimeoutError where nothing is read for so long, and what reading raises."""
        since_s = time.monotonic()
        while not self.came.done():
            wait_s = None if still_s is None else max(since_s, self.moved_at_s) + still_s - time.monotonic()
            if wait_s is not None and wait_s <= 0:
                raise TimeoutError
            await asyncio.wait([self.came], timeout=wait_s)
        return self.came.result()


class Proofs:
    """What is remembered of all stored sound. What is read, is read in threads of its own: whoever listens goes on."""

    def __init__(self) -> None:
        self._near, self._far = _Place("near", NEAR_AT_ONCE), _Place("far", FAR_AT_ONCE)
        self._known: OrderedDict[tuple[str, str], _Proof] = OrderedDict()
        self._is_over = False

    async def of(self, sealed: Sealed, still_s: float | None = None) -> bool:
        """Whether it is as it was sealed. What was begun goes on where the one who asks does not wait for it. Raises
        what reading it raises, ShelfAway where it is another file each time, and TimeoutError where nothing of it, or
        of what is read before it, is read for `still_s` seconds."""
        for _ in range(TRIES):
            async with asyncio.timeout(still_s):
                proof = await self._begun(sealed)
            if proof is None:
                return True
            is_as_sealed = await proof.end(still_s)
            if is_as_sealed is not None:
                return is_as_sealed
        raise ShelfAway("the sound was another file each time that it was held against its seal")

    async def known(self, sealed: Sealed) -> bool | None:
        """The same, as it is known by now. None where it is yet to be read, which is begun."""
        proof = await self._begun(sealed)
        if proof is None:
            return True
        return proof.came.result() if proof.came.done() else None

    async def _begun(self, sealed: Sealed) -> _Proof | None:
        """Its proof, which may have ended; None where it needs none."""
        loop = asyncio.get_running_loop()
        is_near = await loop.run_in_executor(self._near.looking, sealed.is_near)
        place = self._near if is_near else self._far
        version = await loop.run_in_executor(place.looking, sealed.version)
        if version is None:
            return None
        key = version, sealed.sha256
        proof = self._known.get(key)
        if proof is None:
            proof = self._known[key] = _Proof(place)
            proof.came = loop.run_in_executor(place.reading, self._read, proof, sealed, version)
            proof.came.add_done_callback(partial(self._forget_failed, key))
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return proof

    def close(self) -> None:
        """Ends what is being read. Does not wait for a disk that hangs."""
        self._is_over = True
        for place in (self._near, self._far):
            for threads in (place.reading, place.looking):
                threads.shutdown(wait=False, cancel_futures=True)

    def _read(self, proof: _Proof, sealed: Sealed, version: str) -> bool | None:
        """None where it is another file by the end: what was read is of neither. Blocking, for all of it."""
        sound, digest = sealed.sound, hashlib.sha256()
        for start in range(0, sound.size_bytes, PIECE_BYTES):
            if self._is_over:
                raise _Ended
            proof.moves()
            digest.update(sound.read(start, start + PIECE_BYTES))
        proof.moves()
        return digest.hexdigest() == sealed.sha256 if sealed.version() == version else None

    def _forget_failed(self, key: tuple[str, str], done: asyncio.Future[bool | None]) -> None:
        if done.cancelled() or done.exception() is not None or done.result() is None:
            self._known.pop(key, None)
