"""Erlang's formulas, held against printed tables and worked examples, and against what must be true of any load."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.erlang import answered_within, busy, operators_needed

loads = st.floats(0.01, 80)
crews = st.integers(1, 120)
handlings = st.floats(10, 900)
TINY = 1e-300
"""Below it a float has not all of its digits."""
ROUNDING = 1e-12


@pytest.mark.parametrize(
    ("operators", "load"),
    [(1, 0.0101), (5, 1.361), (10, 4.461), (20, 12.03), (30, 20.34), (50, 37.90), (100, 84.06)],
)
def test_the_loads_of_erlang_bs_table_for_one_lost_call_in_a_hundred(operators: int, load: float) -> None:
    """The column of 0.01 in any printed table of Erlang B."""
    assert busy(operators, load) == pytest.approx(0.01, abs=2e-5)


def test_erlang_b_by_its_sum() -> None:
    terms = [3.0**count / math.factorial(count) for count in range(6)]
    assert busy(5, 3.0) == pytest.approx(terms[-1] / sum(terms))
    assert busy(0, 3.0) == 1.0
    assert busy(4, 0.0) == 0.0


def test_it_does_not_overflow_where_factorials_would() -> None:
    assert 0.0 < busy(2000, 1990.0) < 0.05


def test_worked_examples_of_erlang_c() -> None:
    """360 calls in half an hour of 240 s: of 55 agents' callers 23.9 % wait, and 84.6 % do so for at most 15 s (the
    example of the usual introduction to Erlang C). 100 calls of 180 s, 14 agents: 17.4 %, and 88.8 % within 20 s."""
    assert 1 - answered_within(0, 55, 48.0, 240) == pytest.approx(0.239, abs=5e-4)
    assert answered_within(15, 55, 48.0, 240) == pytest.approx(0.846, abs=5e-4)
    assert 1 - answered_within(0, 14, 10.0, 180) == pytest.approx(0.174, abs=5e-4)
    assert answered_within(20, 14, 10.0, 180) == pytest.approx(0.888, abs=5e-4)


def test_the_fewest_operators_of_worked_examples() -> None:
    assert operators_needed(100, 180, 20, 0.8) == 14  # 13 reach 79.6 %
    assert operators_needed(360, 240, 15, 0.8) == 55


def test_one_operator_waits_as_a_queue_with_one_server_does() -> None:
    """M/M/1: the share that waits is the load itself."""
    assert 1 - answered_within(0, 1, 0.4, 120) == pytest.approx(0.4)
    assert answered_within(60, 1, 0.4, 120) == pytest.approx(1 - 0.4 * math.exp(-0.6 * 60 / 120))


def test_no_call_needs_nobody_and_the_rarest_call_needs_somebody() -> None:
    assert operators_needed(0, 180, 15) == 0
    assert operators_needed(0.001, 180, 15) == 1
    assert operators_needed(0.5, 0, 15) == 1


@given(load=loads, operators=crews)
def test_more_operators_are_less_often_all_busy(load: float, operators: int) -> None:
    one_fewer = busy(operators, load)
    assert 0 <= busy(operators + 1, load) <= one_fewer <= 1
    if one_fewer > TINY:
        assert busy(operators + 1, load) < one_fewer


@given(load=loads, operators=crews, handling_s=handlings, limit_s=st.floats(0, 120))
def test_the_share_grows_with_operators_and_with_patience(
    load: float, operators: int, handling_s: float, limit_s: float
) -> None:
    share = answered_within(limit_s, operators, load, handling_s)
    assert 0 <= share <= 1
    assert answered_within(limit_s, operators + 1, load, handling_s) >= share - ROUNDING
    assert answered_within(limit_s + 5, operators, load, handling_s) >= share - ROUNDING
    if operators <= load:
        assert share == 0


@given(arrivals=st.floats(0.01, 300), handling_s=handlings, limit_s=st.floats(1, 60), share=st.floats(0.5, 0.99))
def test_it_is_enough_and_one_fewer_is_not(arrivals: float, handling_s: float, limit_s: float, share: float) -> None:
    needed = operators_needed(arrivals, handling_s, limit_s, share)
    load = arrivals * handling_s / 1800
    assert answered_within(limit_s, needed, load, handling_s) >= share
    assert needed == 1 or answered_within(limit_s, needed - 1, load, handling_s) < share
    assert operators_needed(arrivals + 10, handling_s, limit_s, share) >= needed
    assert operators_needed(arrivals, handling_s + 30, limit_s, share) >= needed
