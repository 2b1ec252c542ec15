"""Floods: counts in a window that slides, what is too many, and when it is over."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.alarms import Alarm
from gateway.domain.books import Rules
from gateway.domain.flow import (
    FLOOD_TRUNK,
    Floods,
    Window,
    number_limit,
    number_words,
    trunk_limit,
    trunk_words,
)
from tests.domain.values import MONDAY

MINUTE = timedelta(minutes=1)


def after(seconds: float) -> datetime:
    return MONDAY + timedelta(seconds=seconds)


def rules(**fields: Any) -> Rules:
    return Rules(created_at=MONDAY, **fields)


# ---------------------------------------------------------------- counts


def a_window(capacity: int = 100) -> Window:
    return Window(MINUTE, step_s=1, capacity=capacity)


@given(st.lists(st.integers(0, 200), max_size=60), st.integers(0, 200))
def test_a_window_counts_what_came_within_its_length(seconds: list[int], now: int) -> None:
    window = a_window()
    for second in sorted(seconds):
        window.add("telkomsel", after(second))
    recent = [second for second in seconds if now - 60 < second <= now + 1]
    assert window.count("telkomsel", after(now)) == len(recent)


def test_each_key_has_a_count_of_its_own() -> None:
    window = a_window()
    for second in range(5):
        window.add("telkomsel", after(second))
    window.add("indosat", after(3))
    assert [window.count(key, after(5)) for key in ("telkomsel", "indosat", "xlsmart")] == [5, 1, 0]


def test_what_a_window_remembers_has_a_bound() -> None:
    window = a_window(capacity=10)
    for number in range(1000):
        window.add(f"0811{number}", after(0))
        window.add("0812", after(number / 100))
    assert len(window) == 10
    assert window.count("0812", after(10)) == 1000
    assert window.count("0811999", after(10)) == 1
    assert window.count("08110", after(10)) == 0


def test_a_clock_that_is_put_back_leaves_nothing_behind_that_would_count_for_ever() -> None:
    window = a_window()
    for second in range(300):
        window.add("telkomsel", after(3600 + second))
    assert window.count("telkomsel", after(0)) == 0
    window.add("telkomsel", after(1))
    assert window.count("telkomsel", after(2)) == 1


# ---------------------------------------------------------------- what is too many


@pytest.mark.parametrize(
    ("usual_per_hour", "fields", "limit"),
    [
        (None, {}, 20),
        (60, {}, 20),
        (1200, {}, 100),
        (1200, {"flood_factor": 2.5}, 50),
        (1200, {"flood_trunk_per_min": 40}, 40),
        (None, {"flood_trunk_per_min": 3}, 3),
        (60, {"flood_trunk_per_min": 500}, 20),
    ],
    ids=["no habit", "a quiet trunk", "a busy one", "factor", "ceiling", "ceiling alone", "a ceiling far above"],
)
def test_a_trunk_may_send_some_times_its_habit_and_never_more_than_the_ceiling(
    usual_per_hour: float | None, fields: dict[str, Any], limit: int
) -> None:
    assert trunk_limit(rules(**fields), usual_per_hour) == limit


def test_a_number_may_send_what_the_rule_says_and_one_of_many_callers_some_times_its_habit() -> None:
    assert number_limit(rules(), 0, 28) == 10
    assert number_limit(rules(flood_number_per_10min=4), 40, 28) == 4
    assert number_limit(rules(), 28 * 144 * 6, 28) == 30  # an exchange's number: 6 in ten minutes, day and night


# ---------------------------------------------------------------- floods


def looked(floods: Floods, second: float, count: int, limit: int = 20) -> list[str]:
    """What is said of the floods once there are so many, that many seconds after Monday's beginning."""
    floods.look("telkomsel", count, limit, after(second), partial(trunk_words, usual_per_hour=None, limit=limit))
    return [alarm.detail.partition(" ")[0] for alarm in floods.alarms()]


def test_a_flood_begins_above_its_limit_and_ends_when_it_has_been_low_for_a_minute() -> None:
    floods = Floods(FLOOD_TRUNK, most=9)
    assert looked(floods, 0, 20) == []
    assert looked(floods, 1, 21) == ["21"]
    assert looked(floods, 30, 11) == ["21"]
    assert looked(floods, 89, 10) == ["21"]
    assert looked(floods, 89.5, 11) == ["21"]  # it swells again
    assert looked(floods, 149, 0) == ["21"]
    assert looked(floods, 150, 0) == []


def test_what_is_said_of_a_flood_grows_with_it_and_not_with_each_call() -> None:
    floods = Floods(FLOOD_TRUNK, most=9)
    said = [looked(floods, second, 21 + second)[0] for second in range(25)]
    assert said == ["21"] * 10 + ["31"] * 10 + ["41"] * 5
    assert looked(floods, 40, 30) == ["41"]


def test_there_are_so_many_floods_at_once_and_no_more() -> None:
    floods = Floods(FLOOD_TRUNK, most=3)
    for number in range(100):
        floods.look(f"0811{number}", 50, 10, MONDAY, lambda count: f"{count}")
    assert [alarm.subject for alarm in floods.alarms()] == ["08110", "08111", "08112"]


def test_a_flood_that_stood_at_the_last_start_goes_on_or_ends_like_any_other() -> None:
    floods = Floods(FLOOD_TRUNK, most=9)
    floods.adopt(Alarm(FLOOD_TRUNK, "telkomsel", "99 calls", after(-500)), after(0))
    assert looked(floods, 1, 15) == ["99"]
    assert floods.alarms()[0].raised_at == after(-500)
    assert looked(floods, 59, 0) == ["99"]
    assert looked(floods, 61, 0) == []


def test_a_clock_that_is_put_back_does_not_keep_a_flood() -> None:
    floods = Floods(FLOOD_TRUNK, most=9)
    assert looked(floods, 3600, 50) == ["50"]
    assert looked(floods, 0, 0) == ["50"]
    assert looked(floods, 60, 0) == []


def test_a_flood_is_told_in_words() -> None:
    assert trunk_words(64, usual_per_hour=90, limit=20) == (
        "64 calls in one minute; usual at this hour: 1.5; alarm above 20"
    )
    assert trunk_words(64, usual_per_hour=None, limit=20) == (
        "64 calls in one minute; what is usual is not known yet; alarm above 20"
    )
    assert number_words(23, trunk="telkomsel", before=3, days=28, limit=10) == (
        "23 calls in ten minutes, the last over telkomsel; 3 in the 28 days before; alarm above 10"
    )
    assert number_words(23, trunk=None, before=None, days=28, limit=10) == "23 calls in ten minutes; alarm above 10"
