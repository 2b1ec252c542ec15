"""Allowances: so many at once, and so many a second afterwards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.allowances import Allowances


def test_so_many_may_come_at_once_and_then_one_in_a_while() -> None:
    allowances = Allowances(2.0, 3)

    assert [allowances.take("a", 100.0) for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    assert allowances.take("a", 100.4) == pytest.approx(0.1)
    assert [allowances.take("a", 100.5), allowances.take("a", 100.5)] == [0, 0.5]
    assert [allowances.take("a", 200.0) for _ in range(4)] == [0, 0, 0, 0.5]


def test_what_one_takes_no_other_lacks_and_looking_takes_nothing() -> None:
    allowances = Allowances(1.0, 1)
    assert allowances.take("a", 0.0) == 0
    assert [allowances.wait_s("b", 0.0) for _ in range(3)] == [0, 0, 0]
    assert [allowances.take("b", 0.0), allowances.take("a", 0.0)] == [0, 1]


def test_without_a_limit_nobody_waits_and_nothing_is_kept() -> None:
    allowances = Allowances(0, 0)
    assert {allowances.take(key % 7, 0.0) for key in range(1000)} == {0}
    assert len(allowances) == 0


def test_a_crowd_of_addresses_takes_no_more_room_than_there_is() -> None:
    allowances = Allowances(1.0, 5, most=100)
    for key in range(10_000):
        allowances.take(key, 0.0)
    assert len(allowances) == 100
    allowances.take("much later", 1e6)
    assert len(allowances) == 1, "those that are whole again take none"


@given(
    per_s=st.floats(0.1, 50),
    burst=st.integers(1, 20),
    gaps=st.lists(st.floats(0, 5), max_size=200),
)
def test_in_any_time_no_more_is_taken_than_the_burst_and_the_rate_allow(
    per_s: float, burst: int, gaps: list[float]
) -> None:
    allowances, now_s, taken = Allowances(per_s, burst), 0.0, []
    for gap in gaps:
        now_s += gap
        wait_s = allowances.take("a", now_s)
        assert wait_s <= 1 / per_s + 1e-6
        if not wait_s:
            taken.append(now_s)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - taken[first]) * per_s + 1e-3
