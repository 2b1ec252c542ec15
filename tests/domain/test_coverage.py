"""Whether a roster has enough people: holes, half hours, two shifts at once, short rests, nights alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import coverage
from gateway.domain.books import Books, Rules
from gateway.domain.coverage import DoubleBooking, Hole, LoneNight, Staffing, worse
from gateway.domain.holding import Member
from gateway.domain.roster import Absence, Assignment, Duty, Plan, Swap
from gateway.domain.shifts import Shift
from gateway.domain.workload import half_hours
from tests.domain.values import DAY, MONDAY, assigned, away, books, local, operator, plan, queue, shift, swapped

LONG_SINCE = DAY - timedelta(days=10)
THREE = tuple(
    shift(number, start, end, first_date=LONG_SINCE)
    for number, (start, end) in enumerate([("06:00", "14:00"), ("14:00", "22:00"), ("22:00", "06:00")], 1)
)
PEOPLE = tuple(operator(number) for number in range(1, 6))
BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST, TWO_DAYS = local(0), local(24), local(48)


def kept(*things: Assignment | Absence | Swap, shifts: Sequence[Shift] = THREE, **fields: object) -> Books:
    """A centre with five people and that roster."""
    return books(plan(shifts, *things), *PEOPLE, **fields)  # type: ignore[arg-type]


def holes(the_books: Books, since: datetime = FIRST, until: datetime = LAST) -> list[Hole]:
    return coverage.holes(the_books, the_books.plan, since, until)


def spans(the_books: Books) -> list[tuple[float, float, int]]:
    """Monday's holes, in hours, and how many are there."""
    return [(_hours(hole.starts_at), _hours(hole.ends_at), hole.rostered) for hole in holes(the_books)]


def _hours(at: datetime) -> float:
    return (at - MONDAY) / timedelta(hours=1)


# ---------------------------------------------------------------- holes


def test_where_everybody_comes_there_is_no_hole() -> None:
    assert holes(kept(assigned(1, 1, -1, 1), assigned(2, 2, -1, 1), assigned(3, 3, -1, 1))) == []


def test_a_time_in_which_fewer_are_rostered_than_the_minimum_is_a_hole() -> None:
    assert holes(kept(assigned(1), assigned(3, 3, -1, 1))) == [Hole("emergency", local(14), local(22), 0, 1)]


def test_a_hole_is_as_deep_as_few_are_there_and_each_depth_is_one() -> None:
    two = kept(assigned(1), assigned(2), assigned(3, 2), queues=[queue(minimum=2)])
    assert spans(two) == [(0, 6, 0), (14, 22, 1), (22, 24, 0)]


def test_a_hole_goes_on_over_a_change_of_people_who_are_too_few_before_and_after() -> None:
    """One hole for each stretch of the same people."""
    found = kept(assigned(1), assigned(2, 2), queues=[queue(minimum=2)])
    assert spans(found) == [(0, 6, 0), (6, 14, 1), (14, 22, 1), (22, 24, 0)]


def test_an_overlap_does_not_count() -> None:
    late = (shift(1, overlap_min=30), shift(2, "14:15", "22:00"))
    assert spans(kept(assigned(1), assigned(2, 2), shifts=late)) == [(0, 6, 0), (14, 14.25, 0), (22, 24, 0)]


def test_an_absence_makes_a_hole_of_just_its_time() -> None:
    found = kept(assigned(1), assigned(2, 2), assigned(3, 3, -1), assigned(4, 3), away(1, 8, 9.5))
    assert spans(found) == [(8, 9.5, 0)]


def test_who_takes_a_swap_fills_the_place_and_only_once() -> None:
    two = [queue(minimum=2)]
    assert spans(kept(assigned(1), swapped(1, taken_by=2))) == spans(kept(assigned(2)))
    both = kept(assigned(1), assigned(2), swapped(1, taken_by=2), queues=two)
    assert (6, 14, 1) in spans(both), "the same person twice is one person"


def test_a_standing_place_counts_at_any_hour_and_a_duty_of_the_same_person_adds_nobody() -> None:
    found = kept(assigned(1), standing=(Member("emergency", "1001"),), queues=[queue(minimum=2)])
    assert spans(found) == [(0, 6, 1), (6, 14, 1), (14, 24, 1)]
    assert spans(kept(assigned(2), standing=(Member("emergency", "1001"),))) == []
    assert spans(kept(standing=(Member("emergency", "1999"),))) == [(0, 24, 0)], "a phone of nobody is nobody"


def test_each_queue_has_its_own_people_and_one_without_a_minimum_has_no_hole() -> None:
    three = [queue(), queue("fire"), queue("quiet", minimum=0)]
    found = kept(assigned(1), assigned(2, queue="fire"), queues=three)
    assert {(hole.queue, _hours(hole.starts_at)) for hole in holes(found)} == {
        ("emergency", 0),
        ("emergency", 14),
        ("fire", 0),
        ("fire", 14),
    }
    assert [hole.queue for hole in holes(found)[:2]] == ["emergency", "fire"]


def test_one_who_is_unknown_or_had_retired_before_is_nobody() -> None:
    assert spans(kept(assigned(9))) == [(0, 24, 0)]
    retired = replace(PEOPLE[0], retired_at=local(12))
    last_days = books(plan(THREE, assigned(1, last=1)), retired)
    assert spans(last_days) == [(0, 6, 0), (12, 24, 0)]
    assert holes(last_days, local(24), local(48)) == [Hole("emergency", local(24), local(48), 0, 1)]
    stands = books(plan(THREE), retired, standing=(Member("emergency", "1001"),))
    assert spans(stands) == [(0, 24, 0)]


def test_a_change_is_blamed_only_for_what_it_makes_worse() -> None:
    def hole(start: float, end: float, rostered: int = 0) -> Hole:
        return Hole("emergency", local(start), local(end), rostered, 2)

    assert worse([hole(0, 10)], []) == [hole(0, 10)]
    assert worse([hole(0, 10)], [hole(0, 10)]) == []
    assert worse([hole(0, 10)], [hole(2, 4), hole(8, 12)]) == [hole(0, 2), hole(4, 8)]
    assert worse([hole(0, 10)], [hole(0, 10, rostered=1)]) == [hole(0, 10)], "it is deeper now"
    assert worse([hole(0, 10, rostered=1)], [hole(0, 10)]) == []
    assert worse([hole(0, 10)], [replace(hole(0, 10), queue="fire")]) == [hole(0, 10)]


# ---------------------------------------------------------------- half hours


def staffing(the_books: Books, since: datetime = FIRST, until: datetime = LAST) -> list[Staffing]:
    found = coverage.staffing(the_books, the_books.plan, list(half_hours(since, until)))
    return found["emergency"]


def test_each_half_hour_of_a_day_names_who_is_there() -> None:
    found = staffing(kept(assigned(1), assigned(2), assigned(3, 2)))
    assert len(found) == 48
    assert found[:12] == [Staffing((), 0)] * 12
    assert found[12:28] == [Staffing((1, 2), 2)] * 16
    assert found[28:44] == [Staffing((3,), 1)] * 16
    assert found[44:] == [Staffing((), 0)] * 4


def test_in_a_half_hour_with_a_change_those_are_named_who_stay_and_as_many_counted_as_at_its_worst() -> None:
    meets = (shift(1, "06:00", "14:10"), shift(2, "14:10", "22:00"), shift(3, "13:00", "22:00"))
    found = staffing(kept(assigned(1), assigned(2, 2), shifts=meets))
    assert found[28] == Staffing((), 1), "one leaves as the other comes"
    assert staffing(kept(assigned(1), assigned(2, 2), assigned(3, 3), shifts=meets))[28] == Staffing((3,), 2)
    gap = (shift(1, "06:00", "14:10"), shift(2, "14:20", "22:00"))
    assert staffing(kept(assigned(1), assigned(2, 2), shifts=gap))[28] == Staffing((), 0)


def test_a_short_absence_is_seen_in_its_half_hour_alone() -> None:
    found = staffing(kept(assigned(1), assigned(2), away(1, 8.6, 8.7)))
    assert found[16:19] == [Staffing((1, 2), 2), Staffing((2,), 1), Staffing((1, 2), 2)]


def test_standing_places_are_there_and_a_queue_without_anybody_is_told_too() -> None:
    found = kept(assigned(1), standing=(Member("emergency", "1002"),), queues=[queue(), queue("fire")])
    told = coverage.staffing(found, found.plan, list(half_hours(local(5.5), local(6.5))))
    assert told == {"emergency": [Staffing((2,), 1), Staffing((1, 2), 2)], "fire": [Staffing((), 0)] * 2}
    assert coverage.staffing(found, found.plan, []) == {"emergency": [], "fire": []}


@pytest.mark.parametrize(("day", "count"), [("2026-10-25", 50), ("2027-03-28", 46), ("2026-08-18", 48)])
def test_a_day_on_which_clocks_change_has_an_hour_more_or_less(day: str, count: int) -> None:
    at = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    following = (at + timedelta(days=1)).astimezone(UTC)
    night = shift(3, "22:00", "06:00")
    there = plan([night], assigned(1, 3, first=-1, last=300), zone=BERLIN, days=300)
    found = staffing(books(there, *PEOPLE), at.astimezone(UTC), following)
    assert len(found) == count
    # the night until 06:00 by the wall, and from 22:00: as many half hours more or less as the day has
    assert sum(each.rostered for each in found) == count - 32
    assert found[count - 48 + 11].rostered == 1
    assert found[count - 48 + 12].rostered == 0


# ---------------------------------------------------------------- fair to people


def test_two_shifts_at_once_are_told_with_the_time_in_which_they_are() -> None:
    long = (*THREE, shift(4, "12:00", "20:00"))
    found = kept(assigned(1), assigned(1, 4), assigned(2, 2), shifts=long)
    [booking] = coverage.double_bookings(found, found.plan, FIRST, LAST)
    assert (booking.operator_id, booking.starts_at, booking.ends_at) == (1, local(12), local(14))
    assert [(stint.shift_id, stint.starts_at) for stint in booking.shifts] == [(1, local(6)), (4, local(12))]


def test_one_shift_in_two_queues_or_cut_by_an_absence_is_no_double_booking_and_an_overlap_makes_none() -> None:
    def bookings(*things: Assignment | Absence, shifts: Sequence[Shift] = THREE) -> list[DoubleBooking]:
        found = kept(*things, shifts=shifts, queues=[queue(), queue("fire")])
        return coverage.double_bookings(found, found.plan, FIRST, LAST)

    assert bookings(assigned(1), assigned(1, queue="fire", id=7), away(1, 8, 9)) == []
    assert bookings(assigned(1), assigned(1, 2), shifts=(shift(1, overlap_min=60), THREE[1])) == []
    assert bookings(assigned(1), assigned(1, id=7)) == []


def test_three_shifts_at_once_are_three_bookings_and_only_those_of_the_time_are_told() -> None:
    three = (shift(1, "06:00", "14:00"), shift(2, "07:00", "15:00"), shift(3, "08:00", "16:00"))
    found = kept(assigned(1, last=2), assigned(1, 2, last=2), assigned(1, 3, last=2), shifts=three)
    told = coverage.double_bookings(found, found.plan, local(24), local(48))
    assert [(_hours(each.starts_at), _hours(each.ends_at)) for each in told] == [(31, 38), (32, 38), (32, 39)]


def test_a_swap_that_gives_somebody_a_second_shift_is_a_double_booking() -> None:
    twice = (shift(1), shift(2, "13:00", "21:00"))
    found = kept(assigned(1), assigned(2, 2), swapped(1, taken_by=2), shifts=twice)
    assert [each.operator_id for each in coverage.double_bookings(found, found.plan, FIRST, LAST)] == [2]


def rests(the_books: Books, since: datetime = FIRST, until: datetime = LAST) -> list[tuple[int, float, float]]:
    return [
        (rest.operator_id, _hours(rest.ends_at), rest.rest / timedelta(hours=1))
        for rest in coverage.short_rests(the_books, the_books.plan, since, until)
    ]


def test_a_rest_is_short_where_it_is_less_than_the_rules_have_it() -> None:
    night_then_afternoon = kept(assigned(1, 3, -1), assigned(1, 2))
    assert rests(night_then_afternoon) == [(1, 14, 8)]
    enough = replace(night_then_afternoon, rules=Rules(created_at=MONDAY, least_rest_h=8))
    assert rests(enough) == []


def test_a_rest_begins_when_the_overlap_is_over() -> None:
    over = (shift(1, overlap_min=60), shift(2, "22:00", "06:00"))
    assert rests(kept(assigned(1), assigned(1, 2), shifts=over)) == [(1, 22, 7)]
    at_once = (shift(1, overlap_min=60), THREE[1])
    assert rests(kept(assigned(1), assigned(1, 2), shifts=at_once)) == [(1, 14, 0)]


def test_only_rests_that_end_in_the_time_are_told() -> None:
    daily = kept(assigned(1, 3, -1, 5), assigned(1, 2, 0, 5))
    assert rests(daily, local(24), local(48)) == [(1, 38, 8), (1, 46, 0)]


def test_the_rest_follows_the_longer_of_two_shifts_at_once_and_an_absence_in_a_shift_is_none() -> None:
    two = (shift(1, "06:00", "20:00"), shift(2, "07:00", "10:00"), shift(3, "22:00", "23:00"))
    assert rests(kept(assigned(1), assigned(1, 2), assigned(1, 3), shifts=two)) == [(1, 22, 2)]
    assert rests(kept(assigned(1), away(1, 8, 9))) == []


def nights(the_books: Books, since: datetime = FIRST, until: datetime = TWO_DAYS) -> list[tuple[int, float, float]]:
    found: list[LoneNight] = coverage.lone_nights(the_books, the_books.plan, since, until)
    return [(each.operator_id, _hours(each.starts_at), _hours(each.ends_at)) for each in found]


def test_who_is_alone_at_night_is_told_and_by_day_is_not() -> None:
    assert nights(kept(assigned(1), assigned(2, 3))) == [(2, 22, 30)]
    assert nights(kept(assigned(2, 3), assigned(3, 3))) == []
    assert nights(kept(assigned(2, 3)), local(23), local(25)) == [(2, 23, 25)]


def test_alone_is_over_all_queues() -> None:
    two = [queue(), queue("fire")]
    assert nights(kept(assigned(1, 3), assigned(2, 3, queue="fire"), queues=two)) == []
    assert nights(kept(assigned(1, 3), assigned(1, 3, queue="fire", id=7), queues=two)) == [(1, 22, 30)]


def test_part_of_a_night_is_told_as_that_part() -> None:
    early = (*THREE, shift(4, "18:00", "02:00"))
    assert nights(kept(assigned(1, 3), assigned(2, 4), shifts=early)) == [(1, 26, 30)]
    assert nights(kept(assigned(1, 3), assigned(2, 3), away(2, 23, 24))) == [(1, 23, 24)]


def test_who_stands_in_a_queue_at_any_hour_is_alone_too_and_once() -> None:
    stands = (Member("emergency", "1001"),)
    assert nights(kept(assigned(1, 3), standing=stands)) == [(1, 0, 6), (1, 22, 30), (1, 46, 48)]
    assert nights(kept(assigned(2, 3), standing=stands)) == [(1, 0, 6), (1, 46, 48)]


def test_a_night_is_by_the_wall_where_clocks_change() -> None:
    there = plan([shift(3, "20:00", "08:00")], assigned(1, 3, last=100), zone=BERLIN, days=100)
    since, until = (datetime(2026, 10, day, 12, tzinfo=BERLIN).astimezone(UTC) for day in (24, 25))
    [night] = coverage.lone_nights(books(there, *PEOPLE), there, since, until)
    assert (night.ends_at - night.starts_at) == timedelta(hours=9)


# ---------------------------------------------------------------- against a count by the minute


def _there(the_plan: Plan, standing: set[int], at: datetime) -> set[int]:
    def works(duty: Duty) -> bool:
        return duty.starts_at <= at < duty.ends_at and duty.queue == "emergency"

    return standing | {duty.operator_id for duty in the_plan.duties if works(duty)}


quarters = st.integers(0, 95)
some_shifts = st.lists(st.tuples(quarters, st.integers(1, 60)), min_size=1, max_size=4)
some_work = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(-2, 2)), max_size=12)
some_absences = st.lists(st.tuples(st.integers(1, 5), quarters, st.integers(1, 40)), max_size=3)


@settings(max_examples=60)
@given(patterns=some_shifts, work=some_work, absences=some_absences, stands=st.booleans(), minimum=st.integers(1, 3))
def test_holes_and_half_hours_are_what_a_look_at_each_quarter_finds(
    patterns: list[tuple[int, int]],
    work: list[tuple[int, int, int]],
    absences: list[tuple[int, int, int]],
    stands: bool,
    minimum: int,
) -> None:
    made = [
        shift(number, _wall(start), _wall(start + length), first_date=LONG_SINCE)
        for number, (start, length) in enumerate(patterns, 1)
    ]
    things = [
        *(assigned(who, 1 + which % len(made), day, id=number) for number, (who, which, day) in enumerate(work, 1)),
        *(away(who, start / 4, (start + length) / 4) for who, start, length in absences),
    ]
    found = books(
        plan(made, *things),
        *PEOPLE,
        queues=[queue(minimum=minimum)],
        standing=(Member("emergency", "1005"),) if stands else (),
    )
    quarter = timedelta(minutes=15)
    looks = [len(_there(found.plan, {5} if stands else set(), FIRST + place * quarter)) for place in range(96)]
    told = holes(found)
    for place, count in enumerate(looks):
        at = FIRST + place * quarter
        here = [hole.rostered for hole in told if hole.starts_at <= at < hole.ends_at]
        assert here == ([count] if count < minimum else [])
    assert [each.rostered for each in staffing(found)] == [
        min(looks[place], looks[place + 1]) for place in range(0, 96, 2)
    ]


def _wall(quarter: int) -> str:
    return time(quarter // 4 % 24, quarter % 4 * 15).isoformat("minutes")
