"""Habits: what a trunk usually brings at an hour of the day, when its silence is no chance, and test calls that come by
the clock."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from gateway.domain.call import Outcome
from gateway.domain.habits import (
    QUIET_EXPECTED,
    Habit,
    HourOfTrunk,
    ProbeCall,
    is_too_quiet,
    probe_fault,
    probe_interval,
)
from tests.domain.values import JAKARTA, MONDAY, local

HOUR = timedelta(hours=1)
HALF_HOUR = timedelta(minutes=30)
EVER = MONDAY - timedelta(days=100)


def by_hour(calls: Callable[[int], int], days: int = 28) -> Habit:
    """The habit of a trunk that brought that many calls at each hour of the wall's day, for so many days up to Monday's
    midnight."""
    habit = Habit(JAKARTA)
    hours = [MONDAY - number * HOUR for number in range(24 * days, 0, -1)]
    habit.take([HourOfTrunk(at, calls(at.astimezone(JAKARTA).hour)) for at in hours], MONDAY)
    return habit


def test_a_habit_is_of_each_hour_of_the_day_by_the_centres_own_clock() -> None:
    habit = by_hour(lambda hour: 12 if hour == 8 else 1)
    assert [habit.per_hour(local(hours)) for hours in (7.99, 8, 8.99, 9, 32)] == [1, 12, 12, 1, 12]


def test_with_less_than_a_week_nothing_is_known() -> None:
    few, enough = by_hour(lambda _: 5, days=6), by_hour(lambda _: 5, days=7)
    assert (few.is_known, few.per_hour(MONDAY), few.expected(EVER, MONDAY)) == (False, None, 0)
    assert (enough.is_known, enough.per_hour(MONDAY)) == (True, 5)


def test_a_trunk_that_never_brought_a_call_has_no_habit() -> None:
    habit = Habit(JAKARTA)
    habit.take([], MONDAY)
    assert not habit.is_known


def test_a_few_floods_are_no_habit() -> None:
    habit = Habit(JAKARTA)
    habit.take([HourOfTrunk(MONDAY - day * HOUR * 24, 3000 if day % 10 == 1 else 6) for day in range(1, 29)], MONDAY)
    assert habit.per_hour(MONDAY) == 6


def test_hours_without_a_call_count() -> None:
    habit = Habit(JAKARTA)
    habit.take([HourOfTrunk(MONDAY - day * HOUR * 24, 6) for day in range(1, 29) if day % 2 == 0], MONDAY)
    assert habit.per_hour(MONDAY) == pytest.approx(11 * 6 / 25)
    assert habit.per_hour(MONDAY + HOUR) == 0


def test_a_habit_follows_the_days_and_forgets_those_of_long_ago() -> None:
    habit = by_hour(lambda _: 10)
    for day in range(28):
        end = MONDAY + timedelta(days=day + 1)
        habit.take([HourOfTrunk(end - number * HOUR, 2) for number in range(24, 0, -1)], end)
    assert habit.per_hour(MONDAY) == 2
    assert habit.until == MONDAY + timedelta(days=28)


def test_what_is_expected_is_added_up_over_the_hours_and_their_parts() -> None:
    habit = by_hour(lambda hour: 12 if hour == 8 else 1)
    assert habit.expected(local(7.5), local(9.25)) == pytest.approx(0.5 + 12 + 0.25)
    assert habit.expected(local(9), local(8)) == 0
    assert habit.expected(EVER, MONDAY) == pytest.approx(28 * 35)


# ---------------------------------------------------------------- silence


def test_a_silence_is_an_alarm_when_its_chance_is_one_in_ten_thousand() -> None:
    assert math.exp(-QUIET_EXPECTED) == pytest.approx(1e-4)
    habit = by_hour(lambda _: 4)
    long_enough = timedelta(hours=QUIET_EXPECTED / 4)
    assert not is_too_quiet(habit, MONDAY, MONDAY + long_enough - timedelta(seconds=1), HALF_HOUR)
    assert is_too_quiet(habit, MONDAY, MONDAY + long_enough + timedelta(seconds=1), HALF_HOUR)


def test_a_busy_trunk_may_be_quiet_for_half_an_hour() -> None:
    habit = by_hour(lambda _: 600)
    assert not is_too_quiet(habit, MONDAY, MONDAY + HALF_HOUR - timedelta(seconds=1), HALF_HOUR)
    assert is_too_quiet(habit, MONDAY, MONDAY + HALF_HOUR, HALF_HOUR)


def test_the_night_is_quiet_and_nobody_is_called_for_it() -> None:
    habit = by_hour(lambda hour: 20 if 6 <= hour < 22 else 0)
    assert not is_too_quiet(habit, local(22), local(30), HALF_HOUR)
    assert is_too_quiet(habit, local(22), local(30.5), HALF_HOUR)


def test_a_trunk_without_a_habit_is_never_too_quiet() -> None:
    assert not is_too_quiet(by_hour(lambda _: 0), EVER, MONDAY, HALF_HOUR)
    assert not is_too_quiet(by_hour(lambda _: 50, days=3), EVER, MONDAY, HALF_HOUR)


# ---------------------------------------------------------------- test calls


def probes(*minutes: float, last: Outcome | None = Outcome.ANSWERED) -> list[ProbeCall]:
    """Test calls that many minutes after Monday's beginning."""
    found = [ProbeCall(after(minute), Outcome.ANSWERED) for minute in minutes]
    return [*found[:-1], ProbeCall(found[-1].at, last)]


def after(minutes: float) -> datetime:
    return MONDAY + timedelta(minutes=minutes)


BY_CRON = (0, 5.02, 10, 15.01, 20, 25)


@pytest.mark.parametrize(
    ("minutes", "interval_min"),
    [
        (BY_CRON, 5),
        ((*BY_CRON, 600, 605, 610, 615), 5),
        (BY_CRON[1:], None),
        ((0, 1, 50, 60, 300, 2000), None),
        ((0, 0, 0, 0, 0, 0), None),
        (tuple(1440 * day for day in range(6)), 1440),
        (tuple(2880 * day for day in range(6)), None),
    ],
    ids=["cron", "a gap within", "too few", "by hand", "all at once", "daily", "every other day"],
)
def test_test_calls_that_come_by_the_clock_are_a_habit(minutes: tuple[float, ...], interval_min: float | None) -> None:
    found = probe_interval(probes(*minutes))
    assert (found and round(found.total_seconds() / 60)) == interval_min


def fault(at_min: float, *, heard_since: datetime = EVER, last: Outcome | None = Outcome.ANSWERED) -> str | None:
    return probe_fault(probes(*BY_CRON, last=last), heard_since, after(at_min), JAKARTA)


def test_a_test_call_that_does_not_come_is_missed() -> None:
    assert fault(34) is None
    assert fault(36) == "no test call since 2026-08-17 00:25; they came every 5 min"


def test_a_test_call_that_could_not_be_heard_is_not_missed() -> None:
    assert fault(500, heard_since=after(495)) is None
    assert fault(500, heard_since=after(485)) is not None


def test_a_test_call_that_was_not_answered_is_told_when_it_has_ended() -> None:
    assert fault(26, last=None) is None
    assert fault(26, last=Outcome.ABANDONED) == (
        "the test call of 2026-08-17 00:25 was not answered: it ended as abandoned"
    )


def test_in_the_first_minutes_nothing_is_said_of_a_test_call() -> None:
    assert fault(26, last=Outcome.FAILED, heard_since=after(25)) is None
    assert fault(28, last=Outcome.FAILED, heard_since=after(25)) is not None


def test_test_calls_that_are_given_up_are_missed_for_a_week() -> None:
    week = 7 * 1440
    assert fault(24 + week) == "no test call since 2026-08-17 00:25; they came every 5 min"
    assert fault(26 + week) is None
    assert fault(24 + week, last=Outcome.FAILED) is not None
    assert fault(26 + week, last=Outcome.FAILED) is None


def test_what_the_test_calls_did_a_week_before_the_last_one_is_no_habit_of_theirs() -> None:
    for day, is_missed in ((6, True), (8, False)):
        found = probe_fault(probes(*BY_CRON, day * 1440), EVER, after(day * 1440 + 60), JAKARTA)
        assert (found is not None) is is_missed


def test_one_test_call_a_day_is_missed_to_the_end_of_the_week() -> None:
    daily = probes(*(1440 * day for day in range(20)))
    for days, is_missed in ((1.4, False), (1.6, True), (6.9, True), (7.1, False)):
        assert (probe_fault(daily, EVER, daily[-1].at + timedelta(days=days), JAKARTA) is not None) is is_missed


def test_test_calls_by_hand_may_fail() -> None:
    assert probe_fault([], EVER, MONDAY, JAKARTA) is None
    assert probe_fault(probes(0, 7, last=Outcome.ABANDONED), EVER, after(500), JAKARTA) is None
