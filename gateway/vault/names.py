"""Names that were seen, in a little memory that does not grow: a Bloom filter.

Counterpart: `chain.py`, which reads a whole chain only where it may speak of a file.
"""

import hashlib
from collections.abc import Iterator

_BITS = 1 << 19
"""64 kB. Of 40,000 names one in two hundred others is taken for one of them."""
_MARKS = 4


class Names:
    """Whoever was put in is there; of the others nearly nobody seems to be."""

    def __init__(self) -> None:
        self._bits = bytearray(_BITS // 8)

    def add(self, name: str) -> None:
        for place in _places(name):
            self._bits[place >> 3] |= 1 << (place & 7)

    def may_hold(self, name: str) -> bool:
        return all(self._bits[place >> 3] >> (place & 7) & 1 for place in _places(name))


def _places(name: str) -> Iterator[int]:
    digest = hashlib.blake2b(name.encode(), digest_size=4 * _MARKS).digest()
    for start in range(0, len(digest), 4):
        yield int.from_bytes(digest[start : start + 4]) % _BITS
