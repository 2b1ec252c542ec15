"""Every target of the fuzzing with what was kept, with what is near it, and with any bytes: a second each.

Counterpart: `make fuzz` goes on for as long as one likes.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import LIMIT_BYTES, SEEDS, TARGETS, seeds

EXAMPLES = 100

quickly = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large],
)


def near(target: str) -> st.SearchStrategy[bytes]:
    """Bytes that a target half understands: pieces of its seeds, mended together with others."""
    lines = [line for seed in seeds(target) for line in seed.splitlines(keepends=True)]
    words = sorted({piece for line in lines for piece in (line, *cells(line))})
    signs = [b"\r\n", b"\0", b",", b"%", b"\xff", b'"']
    piece = st.sampled_from(words) | st.binary(max_size=4) | st.sampled_from(signs)
    return st.lists(piece, max_size=30).map(b"".join).map(lambda data: data[:LIMIT_BYTES])


def cells(line: bytes) -> list[bytes]:
    return [cell + b"," for cell in line.split(b",")] if b"," in line else []


def test_every_target_has_seeds() -> None:
    assert {folder.name for folder in SEEDS.iterdir()} == set(TARGETS)
    assert all(seeds(target) for target in TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_kept_breaks_nothing(target: str) -> None:
    for seed in seeds(target):
        TARGETS[target](seed)
        for end in range(0, len(seed), max(1, len(seed) // 40)):
            TARGETS[target](seed[:end])


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_that_is_near_to_what_it_knows_breaks_it(target: str) -> None:
    tried(TARGETS[target], near(target))


@pytest.mark.parametrize("target", TARGETS)
def test_no_bytes_break_it(target: str) -> None:
    tried(TARGETS[target], st.binary(max_size=LIMIT_BYTES))


def tried(target: Callable[[bytes], None], strategy: st.SearchStrategy[bytes]) -> None:
    @quickly
    @given(strategy)
    def try_it(data: bytes) -> None:
        target(data)

    try_it()
