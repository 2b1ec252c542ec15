"""What the calls of the past weeks come to in a week: averages by half hour, young queues, clocks that change."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.domain.workload import (
    A_WEEK,
    ENOUGH_TALKS,
    Arrivals,
    Load,
    half_hour_of_week,
    half_hours,
    needs,
    start_of_half_hour,
    weekly_loads,
)
from tests.domain.values import JAKARTA, MONDAY, local, queue

WEEK = timedelta(weeks=1)
BERLIN = ZoneInfo("Europe/Berlin")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
SIX, SEVEN = 12, 14
"""Half hours of Monday: from 06:00, from 07:00."""


def came(hours: float, calls: int, talks: int = 0, talk_s: float = 0.0, name: str = "emergency") -> Arrivals:
    """What came in the half hour that begins so many hours after Monday's midnight."""
    return Arrivals(name, local(hours), calls, talks, talk_s)


def loads(
    *arrivals: Arrivals,
    since: datetime = MONDAY - 8 * WEEK,
    until: datetime = MONDAY,
    begun: Mapping[str, datetime] | None = None,
) -> Mapping[str, Sequence[Load | None]]:
    return weekly_loads(arrivals, since, until, JAKARTA, begun or {"emergency": since})


def test_half_hours_begin_at_whole_ones_of_utc_and_hold_every_moment() -> None:
    at = MONDAY + timedelta(minutes=44, seconds=59, microseconds=1)
    assert start_of_half_hour(at) == MONDAY + timedelta(minutes=30)
    assert start_of_half_hour(MONDAY.astimezone(KATHMANDU)) == MONDAY
    assert list(half_hours(at, MONDAY + timedelta(minutes=90))) == [
        MONDAY + timedelta(minutes=30),
        MONDAY + timedelta(minutes=60),
    ]
    assert list(half_hours(MONDAY, MONDAY)) == []


@pytest.mark.parametrize(("hours", "place"), [(0, 0), (6.75, 13), (24, 48), (7 * 24 - 0.5, A_WEEK - 1), (7 * 24, 0)])
def test_the_week_begins_on_monday_by_the_zones_clock(hours: float, place: int) -> None:
    assert half_hour_of_week(local(hours), JAKARTA) == place


def test_a_load_is_the_mean_of_its_half_hour_over_all_weeks() -> None:
    found = loads(*(came(6 - 168 * week, 3) for week in range(1, 5)), came(7 - 168, 8))["emergency"]
    assert [found[SIX], found[SEVEN], found[0]] == [Load(1.5, 0.0), Load(1.0, 0.0), Load(0.0, 0.0)]
    assert len(found) == A_WEEK


def test_a_young_queues_calls_are_not_spread_over_weeks_without_it_and_what_has_not_come_is_not_known() -> None:
    begun = local(5 - 168)  # on the Monday before
    found = loads(came(6 - 168, 3), until=local(9 - 168), begun={"emergency": begun})["emergency"]
    assert found[SIX] == Load(3.0, 0.0)
    assert [found[9], found[10], found[17], found[18]] == [None, Load(0.0, 0.0), Load(0.0, 0.0), None]


def test_a_queue_is_as_old_as_its_first_call_where_that_is_older_than_itself() -> None:
    found = loads(came(6 - 2 * 168, 3), begun={"emergency": local(-24)})["emergency"]
    assert found[SIX] == Load(1.5, 0.0)
    assert loads(came(6 - 168, 2, name="old"))["old"][SIX] == Load(2.0, 0.0)


def test_a_queue_without_any_call_is_not_known() -> None:
    assert loads() == {}


def test_talks_are_as_long_as_those_of_the_half_hour_where_these_are_enough_to_tell() -> None:
    few, many = ENOUGH_TALKS - 1, ENOUGH_TALKS
    found = loads(came(6 - 168, 40, many, many * 60.0), came(7 - 168, 40, few, few * 240.0))["emergency"]
    mean_s = (many * 60.0 + few * 240.0) / (many + few)
    assert [found[SIX], found[SEVEN]] == [Load(5.0, 60.0), Load(5.0, pytest.approx(mean_s))]


def test_a_queue_in_which_nobody_talked_yet_has_talks_as_long_as_the_others() -> None:
    since = MONDAY - 8 * WEEK
    found = loads(came(6 - 168, 8, 2, 200.0), came(6 - 168, 8, name="new"), begun={"emergency": since, "new": since})
    assert found["new"][SIX] == Load(1.0, 100.0)


def test_an_hour_that_clocks_bring_twice_counts_twice_and_one_that_they_skip_not_at_all() -> None:
    back = datetime(2026, 10, 26, tzinfo=BERLIN)  # the Monday after 25 October, 03:00 to 02:00
    at_two = 6 * 48 + 4
    twice = [datetime(2026, 10, 25, 2, tzinfo=BERLIN, fold=fold) for fold in (0, 1)]
    arrivals = [Arrivals("emergency", at.astimezone(MONDAY.tzinfo), 4, 0, 0.0) for at in twice]
    found = weekly_loads(arrivals, back - 2 * WEEK, back, BERLIN, {})
    begun = weekly_loads(arrivals, back - 2 * WEEK, back, BERLIN, {"emergency": back - 2 * WEEK})
    assert found["emergency"][at_two] == Load(4.0, 0.0)  # its history begins with its first call
    assert begun["emergency"][at_two] == Load(8 / 3, 0.0)
    forward = datetime(2027, 3, 29, tzinfo=BERLIN)  # 28 March, 02:00 to 03:00
    before = [Arrivals("emergency", (forward - WEEK).astimezone(MONDAY.tzinfo), 1, 0, 0.0)]
    assert weekly_loads(before, forward - WEEK, forward, BERLIN, {})["emergency"][at_two] is None


def test_a_need_counts_the_wrap_up_and_the_queues_own_service_level() -> None:
    week: list[Load | None] = [Load(100.0, 180.0), Load(0.0, 180.0), None]
    assert needs(week, queue(service_level_s=20)) == (15, 0, None)
    assert needs(week, queue(service_level_s=20, wrap_up_s=60)) == (19, 0, None)
    assert needs(week, queue(service_level_s=60)) == (14, 0, None)
