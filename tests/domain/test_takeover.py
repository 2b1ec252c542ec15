"""What a file comes to in a roster: what it adds, what it takes away, and what it leaves alone."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.books import Books
from gateway.domain.exchange import Line, Sheet, parse
from gateway.domain.roster import Assignment
from gateway.domain.takeover import Stretch, Takeover, lines_of, profile, resolve, take_over
from tests.domain.values import DAY, MONDAY, assigned, books, operator, plan, queue, shift

QUEUES = (queue("emergency"), queue("medical"))


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def line(first: int, last: int | None = None, number: int = 2, **fields: object) -> Line:
    known: dict[str, object] = {"shift": "pagi", "phone": "1001", "queue": "emergency"}
    end = first if last is None else last
    return Line(number=number, first=day(first), last=day(end), **known | fields)  # type: ignore[arg-type]


def sheet(*lines: Line) -> Sheet:
    return Sheet(lines)


def numbered(*lines: Line) -> list[Line]:
    return [replace(each, number=place) for place, each in enumerate(lines, 2)]


def the_books(*kept: Assignment, rule: str = "FREQ=DAILY") -> Books:
    """Two operators, two shifts and two queues, with these assignments, from Monday on."""
    kept = tuple(replace(each, id=place) for place, each in enumerate(kept, 1))
    shifts = [shift(1, name="pagi", rule=rule, first_date=day(-100)), shift(2, "14:00", "22:00", name="Sore")]
    return books(plan(shifts, *kept, days=60), operator(1), operator(2), queues=QUEUES)


def taken(lines: Iterable[Line], known: Books, *, replaces: bool = False) -> Takeover:
    lines = list(lines)
    found = resolve(sheet(*lines), known, MONDAY)
    assert found.faults == []
    span = min(each.first for each in lines), max(each.last for each in lines)
    return take_over(
        found, known, replace(known.plan, first=span[0], last=span[1]), span, replaces=replaces, now=MONDAY
    )


def days_of(assignments: Iterable[Assignment]) -> list[tuple[int, int]]:
    """Their first and last days, in days after Monday."""
    return [((each.first_date - DAY).days, (each.last_date - DAY).days) for each in assignments]


def after(known: Books, made: Takeover) -> Books:
    """The books once that is stored."""
    gone = {each.id for each in made.ended}
    stay = [each for each in known.plan.assignments if each.id not in gone]
    every = tuple(replace(each, id=place) for place, each in enumerate([*stay, *made.added, *made.outside], 1))
    return replace(known, plan=replace(known.plan, assignments=every))


def held(known: Books) -> dict[tuple[int, int, str, date], int]:
    """The penalty of everybody in every shift and queue on every day."""
    found: dict[tuple[int, int, str, date], int] = {}
    for each in known.plan.assignments:
        for number in range((each.last_date - each.first_date).days + 1):
            key = (each.operator_id, each.shift_id, each.queue, each.first_date + timedelta(days=number))
            found[key] = min(each.penalty, found.get(key, each.penalty))
    return found


# ---------------------------------------------------------------- names


def test_names_are_found_whatever_their_case_and_every_unknown_one_is_told() -> None:
    known = the_books()

    found = resolve(sheet(line(0, shift="PAGI"), line(0, shift="sore", queue="Medical", number=3)), known, MONDAY)
    wrong = resolve(sheet(line(0, shift="malam", phone="1009", queue="fire")), known, MONDAY)

    assert [(each.shift_id, each.queue) for _, each in found.wanted] == [(1, "emergency"), (2, "medical")]
    assert [(fault.column, fault.reason) for fault in wrong.faults] == [
        ("shift", "there is no shift malam"),
        ("phone", "no operator has phone 1009"),
        ("queue", "there is no queue fire"),
    ]


def test_a_name_that_two_shifts_could_mean_is_refused_unless_it_is_exactly_one_of_theirs() -> None:
    both = books(plan([shift(1, name="pagi"), shift(2, name="Pagi")]), operator(1))

    assert [each.shift_id for _, each in resolve(sheet(line(0, shift="Pagi")), both, MONDAY).wanted] == [2]
    [fault] = resolve(sheet(line(0, shift="PAGI")), both, MONDAY).faults
    assert fault.reason == "PAGI may be pagi or Pagi"


def test_anothers_name_beside_a_phone_is_a_warning() -> None:
    found = resolve(
        sheet(line(0, name="petugas  1"), line(1, name="Budi", number=3), line(2, number=4)),
        the_books(),
        MONDAY,
    )

    assert [(each.place, each.reason) for each in found.warnings] == [
        ("line 3, column name", "phone 1001 is Petugas 1's")
    ]


def test_the_same_line_twice_is_once_and_another_word_on_the_same_day_is_a_fault() -> None:
    twice = resolve(sheet(*numbered(line(0, 3), line(5), line(0, 3))), the_books(), MONDAY)
    torn = resolve(
        sheet(*numbered(line(5), line(0, 5), line(5, phone="1002"), line(5, queue="medical"))),
        the_books(),
        MONDAY,
    )

    assert (len(twice.wanted), twice.repeated, twice.faults) == (2, 1, [])
    [fault] = torn.faults
    assert (fault.line, fault.reason) == (3, "1001 has the same shift and queue on the same day in line 2")


def test_of_a_line_with_a_cell_that_cannot_be_read_the_names_are_looked_up_all_the_same() -> None:
    read = parse("date,shift,phone,queue\n2026-13-01,malam,1009,\n")

    found = resolve(read, the_books(), MONDAY)

    assert [fault.column for fault in read.faults] == ["queue", "date"]
    assert [fault.column for fault in found.faults] == ["shift", "phone"]
    assert found.wanted == []


# ---------------------------------------------------------------- adding


def test_what_is_there_already_is_not_added_again() -> None:
    known = the_books(assigned(1, first=0, last=9))

    made = taken(numbered(line(0, 6), line(3, shift="sore"), line(7), line(8, 12)), known)

    assert days_of(made.added) == [(3, 3), (10, 12)]
    assert (made.unchanged, made.ended, made.faults) == (2, [], [])


def test_adding_alone_cannot_change_a_penalty() -> None:
    made = taken([line(2, 4, penalty=5)], the_books(assigned(1, first=3, last=9)))

    [fault] = made.faults
    assert (fault.column, fault.reason) == (
        "penalty",
        "1001 has that shift already on 2026-08-20, with penalty 0: only an import that replaces can change it",
    )


def test_a_line_without_a_day_of_its_shift_is_a_fault_and_one_that_is_there_is_not() -> None:
    mondays = the_books(assigned(2, first=0, last=20), rule="FREQ=WEEKLY;BYDAY=MO")

    made = taken(numbered(line(1, 6), line(8, 14), line(1, 6, phone="1002")), mondays)

    [fault] = made.faults
    assert (fault.line, fault.reason) == (2, "shift pagi does not take place on any day of this line")
    assert (days_of(made.added), made.unchanged) == ([(8, 14)], 1)


# ---------------------------------------------------------------- replacing


def test_the_file_is_all_that_holds_on_its_days_in_its_queues_and_nothing_else_changes() -> None:
    known = the_books(
        assigned(1, first=0, last=20),
        assigned(2, first=4, last=5),
        assigned(2, shift_id=2, first=6),
        assigned(2, first=5, queue="medical"),
        assigned(2, first=9),
    )

    made = taken(numbered(line(4), line(6, phone="1002")), known, replaces=True)

    assert [each.id for each in made.ended] == [1, 2, 3]
    assert all(each.retired_at == MONDAY for each in made.ended)
    assert days_of(made.outside) == [(0, 3), (7, 20)]
    assert days_of(made.added) == [(4, 4), (6, 6)]
    assert made.cut == 1


def test_a_file_that_says_the_same_in_other_words_changes_nothing() -> None:
    known = the_books(assigned(1, first=0, last=6), assigned(1, first=3, penalty=4))

    made = taken(numbered(*(line(number) for number in range(2, 6))), known, replaces=True)

    assert (made.unchanged, made.added, made.ended) == (4, [], [])


def test_a_penalty_is_replaced_where_the_file_has_another() -> None:
    known = the_books(assigned(1, first=0, last=6))

    made = taken(numbered(line(0, 2), line(3, 6, penalty=2)), known, replaces=True)

    assert [each.id for each in made.ended] == [1]
    assert [each.penalty for each in made.added] == [0, 2]


def test_what_holds_nobody_is_neither_written_nor_taken_away() -> None:
    known = the_books(assigned(9), assigned(1, shift_id=9), assigned(1, queue="gone"), assigned(1, first=1))

    made = taken([line(0, 3, phone="1002")], known, replaces=True)

    assert [each.id for each in made.ended] == [4]
    assert [each.first for each in lines_of(known, known.plan, day(0), day(9))] == [day(1)]


def test_lines_are_what_is_kept_within_the_days_in_the_order_of_a_roster() -> None:
    known = the_books(
        assigned(2, shift_id=2, first=0, last=1), assigned(2, first=0, penalty=3), assigned(1, first=-9, last=20)
    )

    told = lines_of(known, known.plan, day(0), day(6))

    assert [(each.shift, each.phone, each.first, each.last, each.penalty, each.name) for each in told] == [
        ("pagi", "1001", day(0), day(6), 0, "Petugas 1"),
        ("pagi", "1002", day(0), day(0), 3, "Petugas 2"),
        ("Sore", "1002", day(0), day(1), 0, "Petugas 2"),
    ]


_KEPT = st.lists(
    st.builds(
        lambda who, what, first, days, penalty, where: assigned(
            who, what, first, first + days, penalty=penalty, queue=where
        ),
        st.integers(1, 2),
        st.integers(1, 2),
        st.integers(0, 12),
        st.integers(0, 8),
        st.integers(0, 1),
        st.sampled_from(["emergency", "medical"]),
    ),
    max_size=7,
)


@given(_KEPT, _KEPT, st.integers(0, 12), st.integers(0, 8))
def test_after_replacing_the_file_holds_in_its_days_and_what_was_there_holds_elsewhere(
    kept: list[Assignment], other: list[Assignment], first: int, length: int
) -> None:
    known, source = the_books(*kept), the_books(*other)
    lines = numbered(*lines_of(source, source.plan, day(first), day(first + length)))
    if not lines:
        return
    span = min(each.first for each in lines), max(each.last for each in lines)
    queues = {each.queue for each in lines}
    expected = {
        key: penalty for key, penalty in held(known).items() if not span[0] <= key[3] <= span[1] or key[2] not in queues
    } | {key: penalty for key, penalty in held(source).items() if span[0] <= key[3] <= span[1]}

    made = taken(lines, known, replaces=True)
    stored = after(known, made)
    again = taken(lines, stored, replaces=True)

    assert held(stored) == expected
    assert (again.unchanged, again.added, again.ended) == (len(lines), [], [])


@given(_KEPT, st.integers(0, 12), st.integers(0, 8))
def test_what_is_exported_and_imported_again_changes_nothing(kept: list[Assignment], first: int, length: int) -> None:
    known = the_books(*kept)
    lines = numbered(*lines_of(known, known.plan, day(first), day(first + length)))
    if not lines:
        return

    for replaces in (True, False):
        made = taken(lines, known, replaces=replaces)
        assert (made.unchanged, made.added, made.ended, made.faults) == (len(lines), [], [], [])


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9), st.integers(0, 3)), max_size=9))
def test_a_profile_has_each_day_once_with_its_lowest_penalty(given_stretches: list[tuple[int, int, int]]) -> None:
    stretches = [Stretch(day(first), day(first + length), penalty) for first, length, penalty in given_stretches]
    lowest: dict[date, int] = {}
    for each in stretches:
        for number in range((each.last - each.first).days + 1):
            at = each.first + timedelta(days=number)
            lowest[at] = min(each.penalty, lowest.get(at, each.penalty))

    found = profile(stretches)

    told = {
        each.first + timedelta(days=number): each.penalty
        for each in found
        for number in range((each.last - each.first).days + 1)
    }
    assert told == lowest
    assert sum((each.last - each.first).days + 1 for each in found) == len(lowest)


@pytest.mark.parametrize("count", [1, 400])
def test_a_profile_is_as_short_as_can_be(count: int) -> None:
    assert len(profile(Stretch(day(number), day(number), 0) for number in range(count))) == 1
