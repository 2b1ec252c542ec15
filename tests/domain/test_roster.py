"""Who is to be there when: shifts by the wall clock, assignments, absences, swaps."""

from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import recurrence
from gateway.domain import shifts
from gateway.domain.kept import Invalid
from gateway.domain.roster import Absence, SwapState
from tests.domain.values import DAY, MONDAY, assigned, away, local, plan, shift, swapped

BERLIN = ZoneInfo("Europe/Berlin")
FORWARD = date(2027, 3, 28)
"""Berlin's clocks go from 02:00 to 03:00."""
BACK = date(2026, 10, 25)
"""And from 03:00 back to 02:00."""


def names(the_plan: object, at_h: float) -> set[int]:
    return {duty.operator_id for duty in the_plan.on_duty(local(at_h))}  # type: ignore[attr-defined]


def test_a_shift_covers_its_hours_on_its_days_and_no_others() -> None:
    morning = plan([shift()], assigned(1, last=2))
    assert names(morning, 5.99) == set()
    assert names(morning, 6) == {1}
    assert names(morning, 13.99) == {1}
    assert names(morning, 14) == set()
    assert names(morning, 54) == {1}
    assert names(morning, 78) == set()


def test_a_night_shift_crosses_midnight_and_belongs_to_the_day_it_begins_on() -> None:
    night = plan([shift(start="22:00", end="06:00")], assigned(1))
    assert names(night, 21.9) == set()
    assert names(night, 23) == names(night, 29.9) == {1}
    assert names(night, 30) == set()
    assert night.duties[0].date == DAY


def test_those_of_a_shift_with_an_overlap_stay_to_hand_over() -> None:
    both = plan([shift(overlap_min=15), shift(2, "14:00", "22:00")], assigned(1), assigned(2, shift_id=2))
    assert names(both, 13.9) == {1}
    assert names(both, 14.1) == {1, 2}
    assert names(both, 14.25) == {2}
    assert both.next_change(local(14)) == local(14.25)


def test_the_next_change_is_the_next_coming_or_going() -> None:
    both = plan([shift(), shift(2, "14:00", "22:00")], assigned(1), assigned(2, shift_id=2))
    assert both.next_change(local(0)) == local(6)
    assert both.next_change(local(6)) == local(14)
    assert both.own_next_change(2, local(6)) == local(14)
    assert both.next_change(local(22)) is None


def test_an_absence_takes_out_the_time_that_it_covers_and_no_more() -> None:
    whole = plan([shift()], assigned(1), away(1, 5, 15))
    assert whole.duties == ()
    late = plan([shift()], assigned(1), away(1, 5, 8))
    assert (names(late, 7), names(late, 8)) == (set(), {1})
    middle = plan([shift()], assigned(1), away(1, 8, 9))
    assert [names(middle, hour) for hour in (7, 8, 9, 13.9)] == [{1}, set(), {1}, {1}]
    assert plan([shift()], assigned(1), away(2, 0, 24)).duties != ()


def test_an_absence_that_begins_in_the_overlap_moves_no_end() -> None:
    [duty] = plan([shift(overlap_min=30)], assigned(1), away(1, 14.2, 20)).duties
    assert (duty.ends_at, duty.leaves_at) == (local(14), local(14.2))


def test_an_approved_swap_gives_the_shift_to_the_colleague_on_that_day_alone() -> None:
    two_days = (assigned(1, last=1), assigned(2, shift_id=2, last=1))
    roster = [shift(), shift(2, "14:00", "22:00")]
    approved = plan(roster, *two_days, swapped(1, taken_by=2))
    assert names(approved, 7) == {2}
    assert names(approved, 31) == {1}
    for state in set(SwapState) - {SwapState.APPROVED}:
        assert names(plan(roster, *two_days, swapped(1, taken_by=2, state=state)), 7) == {1}


@pytest.mark.parametrize(
    ("swaps", "holder"),
    [
        ([(1, 2), (2, 3)], 3),
        ([(1, 2), (2, 1)], 1),
        ([(1, 2), (2, 3), (3, 1), (1, 4)], 4),
        ([(2, 3), (1, 2)], 2),
        ([(3, 2)], 1),
    ],
)
def test_a_shift_that_was_taken_over_can_be_handed_on_and_comes_back(swaps: list[tuple[int, int]], holder: int) -> None:
    approved = [replace(swapped(giver, taker), id=number) for number, (giver, taker) in enumerate(swaps, 1)]
    for in_any_order in (approved, approved[::-1]):
        roster = plan([shift()], assigned(1, last=1), *in_any_order)
        assert (names(roster, 7), names(roster, 31)) == ({holder}, {1})
        assert (roster.holders(1, DAY), roster.holders(1, DAY + timedelta(days=1))) == ({holder}, {1})


def test_a_shift_is_nobodys_on_a_day_on_which_it_does_not_take_place_and_an_absence_takes_it_from_nobody() -> None:
    roster = plan([shift(rule="FREQ=DAILY;INTERVAL=2")], assigned(1, last=2), away(1, 0, 24))
    assert [roster.holders(1, DAY + timedelta(days=day)) for day in range(4)] == [{1}, set(), {1}, set()]
    assert roster.holders(2, DAY) == set()


def test_who_takes_a_swap_and_is_away_is_not_there() -> None:
    assert names(plan([shift()], assigned(1), swapped(1, taken_by=2), away(2, 0, 24)), 7) == set()


def test_a_roster_with_changes_is_what_it_would_be() -> None:
    there = plan([shift()], assigned(1))
    assert names(there.with_changes(assigned(2)), 7) == {1, 2}
    assert names(there.with_changes(replace(assigned(1), retired_at=MONDAY)), 7) == set()
    assert names(there.with_changes(replace(assigned(1), operator_id=3)), 7) == {3}
    assert names(there.with_changes(away(1, 0, 24)), 7) == set()
    assert names(there, 7) == {1}


# ---------------------------------------------------------------- the wall clock


def test_a_night_in_which_clocks_go_forward_is_an_hour_shorter_and_one_in_which_they_go_back_longer() -> None:
    night = shift(start="22:00", end="06:00")
    normal = shifts.occurrence(night, DAY, BERLIN)
    short = shifts.occurrence(night, FORWARD - timedelta(days=1), BERLIN)
    long = shifts.occurrence(night, BACK - timedelta(days=1), BERLIN)
    lengths = [each.ends_at - each.starts_at for each in (normal, short, long)]
    assert lengths == [timedelta(hours=8), timedelta(hours=7), timedelta(hours=9)]


def test_a_time_that_comes_twice_means_the_first_and_one_that_is_skipped_is_read_as_before_the_gap() -> None:
    at_half_past_two = shift(start="02:30", end="10:00")
    assert shifts.occurrence(at_half_past_two, BACK, BERLIN).starts_at.hour == 0
    assert shifts.occurrence(at_half_past_two, FORWARD, BERLIN).starts_at.hour == 1


@pytest.mark.parametrize(("start", "end", "field"), [("02:30", "10:00", "start"), ("20:00", "02:15", "end")])
def test_a_shift_at_a_time_that_the_zone_skips_is_refused_and_an_exception_mends_it(
    start: str, end: str, field: str
) -> None:
    nightly = shift(start=start, end=end)
    with pytest.raises(Invalid, match=r"does not exist on 2027-03-28 in Europe/Berlin") as refused:
        shifts.check(nightly, recurrence.look_ahead(nightly), BERLIN)
    assert refused.value.field == field
    mended = replace(
        nightly,
        last_date=date(2027, 12, 31),
        exceptions=(FORWARD, FORWARD - timedelta(days=1)),
    )
    shifts.check(mended, recurrence.look_ahead(mended), BERLIN)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"end": shift().start}, "end"),
        ({"last_date": DAY - timedelta(days=1)}, "last_date"),
        ({"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "rule"),
        ({"rule": "FREQ=DAILY;COUNT=1", "exceptions": (DAY,)}, "rule"),
    ],
)
def test_a_shift_that_cannot_be_is_refused(fields: dict[str, object], field: str) -> None:
    broken = replace(shift(), **fields)  # type: ignore[arg-type]
    with pytest.raises(Invalid) as refused:
        shifts.check(broken, recurrence.look_ahead(broken), plan([]).zone)
    assert refused.value.field == field


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "FREQ=SECONDLY",
        "FREQ=HOURLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=99999",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;BYHOUR=3",
        "FREQ=DAILY;BYWEEKNO=53;BYYEARDAY=100",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=DAILY;UNTIL=20270101T000000Z",
        "FREQ=DAILY;UNTIL=soon",
        "FREQ=DAILY\nDTSTART:20260101",
        "FREQ=DAILY;FREQ",
        "nonsense",
        "FREQ=DAILY;" + "BYMONTH=1;" * 50,
    ],
)
def test_a_rule_that_is_none_or_would_never_end_is_refused_in_words(rule: str) -> None:
    with pytest.raises(Invalid) as refused:
        recurrence.checked(rule)
    assert refused.value.field == "rule"
    assert len(str(refused.value)) > 10


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=DAILY", {0, 1, 2, 3, 4, 5, 6}),
        ("rrule:freq=weekly;byday=mo,we", {0, 2}),
        ("FREQ=DAILY;INTERVAL=3", {0, 3, 6}),
        ("FREQ=DAILY;COUNT=2", {0, 1}),
        ("FREQ=DAILY;UNTIL=20260819", {0, 1, 2}),
        ("FREQ=MONTHLY;BYMONTHDAY=20", {3}),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", set()),
    ],
)
def test_a_rule_names_its_days(rule: str, days: set[int]) -> None:
    weekly = shift(rule=recurrence.checked(rule))
    found = recurrence.days(weekly, DAY, DAY + timedelta(days=6))
    assert {(day - DAY).days for day in found} == days


def test_days_before_the_first_after_the_last_and_exceptions_are_none() -> None:
    bounded = shift(
        first_date=DAY + timedelta(days=1), last_date=DAY + timedelta(days=4), exceptions=(DAY + timedelta(days=2),)
    )
    found = recurrence.days(bounded, DAY, DAY + timedelta(days=9))
    assert {(day - DAY).days for day in found} == {1, 3, 4}


# ---------------------------------------------------------------- any roster


@settings(max_examples=60)
@given(
    spans=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(0, 5), st.integers(0, 3)), max_size=6),
    gone=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 140), st.integers(1, 30)), max_size=3),
    at_h=st.floats(-10, 170),
)
def test_who_is_on_duty_is_who_is_assigned_and_not_away(
    spans: list[tuple[int, int, int, int]], gone: list[tuple[int, int, int]], at_h: float
) -> None:
    roster = [shift(1, "06:00", "14:00", overlap_min=20), shift(2, "22:00", "06:00")]
    things = [
        assigned(person, which, first, first + length, id=number)
        for number, (person, which, first, length) in enumerate(spans, 1)
    ]
    absences = [
        Absence(id=number, operator_id=person, from_at=local(start), until_at=local(start + hours), created_at=MONDAY)
        for number, (person, start, hours) in enumerate(gone, 1)
    ]
    at = local(at_h)
    expected = set()
    for person, which, first, length in spans:
        for day in range(first, first + length + 1):
            starts, leaves = (6, 14 + 1 / 3) if which == 1 else (22, 30)
            if local(24 * day + starts) <= at < local(24 * day + leaves):
                expected.add(person)
    expected -= {each.operator_id for each in absences if each.from_at <= at < each.until_at}
    the_plan = plan(roster, *things, *absences)
    assert {duty.operator_id for duty in the_plan.on_duty(at)} == expected
    following = the_plan.next_change(at)
    if following is not None:
        just_before = the_plan.on_duty(following - timedelta(microseconds=1))
        assert {duty.operator_id for duty in just_before} == expected
