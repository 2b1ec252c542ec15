"""A box: stored sound encrypted at rest, in chunks, so that any part of it can be read without the rest.

Counterparts: `storing.py` writes boxes, `sounds.py` reads them; `keys.py` has the keys. Each chunk of 64 KiB is
AES-256-GCM of its own. Its nonce is a random prefix, its number, and whether it is the last; the header goes into each
tag. So no chunk can be changed, moved, left out, or taken from another box. Each box has a key of its own, made
from the ring's by HKDF (RFC 5869) with a random salt and the recording's id.

    header, 64 bytes: "G112BOX1", chunk bytes (4, big-endian), salt (16), prefix (7), length of the key's name (1),
    the key's name, zeros; then each chunk with its tag of 16 bytes
"""

import os
import struct
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.vault.keys import Key

MAGIC = b"G112BOX1"
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
HEADER = struct.Struct(">8sI16s7sB28s")
MOST_CHUNK_BYTES = 16 * 1024 * 1024


class Unopenable(Exception):
    """The box cannot be opened: the message says why in plain words."""


class BoxWriter:
    """Encrypts what is written to it, and hands it on chunk by chunk. `about` is the recording's id."""

    def __init__(self, out: Callable[[bytes], object], key: Key, about: str, chunk_bytes: int = CHUNK_BYTES) -> None:
        name = key.name.encode()
        salt, self._prefix = os.urandom(16), os.urandom(7)
        self._header = HEADER.pack(MAGIC, chunk_bytes, salt, self._prefix, len(name), name)
        self._cipher = _cipher(key, salt, about)
        self._chunk_bytes = chunk_bytes
        self._out = out
        self._waiting = bytearray()
        self._number = 0
        out(self._header)

    def write(self, data: bytes) -> None:
        self._waiting += data
        # one chunk always waits: whether it is the last is known only at the end
        while len(self._waiting) > self._chunk_bytes:
            self._seal(bytes(self._waiting[: self._chunk_bytes]), is_last=False)
            del self._waiting[: self._chunk_bytes]

    def close(self) -> None:
        """Writes the last chunk."""
        self._seal(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _seal(self, chunk: bytes, *, is_last: bool) -> None:
        self._out(self._cipher.encrypt(_nonce(self._prefix, self._number, is_last=is_last), chunk, self._header))
        self._number += 1


class Box:
    """A box that is read. `size_bytes` is what is in it."""

    def __init__(
        self, read: Callable[[int, int], bytes], stored_bytes: int, key: Callable[[str], Key], about: str
    ) -> None:
        """`read` gives the bytes [start, stop) of the box, `key` the ring's key of a name. Raises Unopenable, and what
        those two raise. Its last chunk is opened, so that one which was cut off is found at once."""
        self._read = read
        self._header = read(0, HEADER.size)
        name, self._chunk_bytes, salt, self._prefix = _parts(self._header)
        self._stride = self._chunk_bytes + TAG_BYTES
        body = stored_bytes - HEADER.size
        self._chunks = -(-body // self._stride)
        if self._chunks < 1 or body - (self._chunks - 1) * self._stride < TAG_BYTES:
            raise Unopenable("it was cut off")
        self.size_bytes = body - self._chunks * TAG_BYTES
        self.key_name = name
        self._cipher = _cipher(key(name), salt, about)
        self._open(self._chunks - 1)

    def version(self) -> None:
        """What was changed in it does not open."""

    def is_near(self) -> bool:
        """Nobody need read it for a proof, wherever it lies."""
        return True

    def read(self, start: int, stop: int) -> bytes:
        """The bytes [start, stop) of what is in it; shorter only at its end. Raises Unopenable."""
        start, stop = max(0, start), min(stop, self.size_bytes)
        if stop <= start:
            return b""
        first, last = start // self._chunk_bytes, (stop - 1) // self._chunk_bytes
        found = b"".join(self._open(number) for number in range(first, last + 1))
        return found[start - first * self._chunk_bytes : stop - first * self._chunk_bytes]

    def _open(self, number: int) -> bytes:
        at = HEADER.size + number * self._stride
        nonce = _nonce(self._prefix, number, is_last=number == self._chunks - 1)
        try:
            return self._cipher.decrypt(nonce, self._read(at, at + self._stride), self._header)
        except InvalidTag:
            raise Unopenable(
                f"it does not open with the key {self.key_name}: that key is another one than it was made with, or "
                f"the file was changed or cut, or it belongs to another recording"
            ) from None


def _parts(header: bytes) -> tuple[str, int, bytes, bytes]:
    """The key's name, the bytes of a chunk, the salt, the nonces' prefix."""
    if len(header) != HEADER.size:
        raise Unopenable("it was cut off")
    magic, chunk_bytes, salt, prefix, length, name = HEADER.unpack(header)
    if magic != MAGIC or not 0 < chunk_bytes <= MOST_CHUNK_BYTES or length > len(name):
        raise Unopenable("it is no box of this software")
    return name[:length].decode(errors="replace"), chunk_bytes, salt, prefix


def _cipher(key: Key, salt: bytes, about: str) -> AESGCM:
    derived = HKDF(SHA256(), 32, salt, b"gateway112 box 1 " + about.encode()).derive(key.secret)
    return AESGCM(derived)


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + (b"\1" if is_last else b"\0")
