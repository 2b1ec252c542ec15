"""The roster's table, drawn of a roster that never changes, and read as text."""

import io
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from gateway.cli.week import Sheet, abbreviations, render
from gateway.domain.coverage import Hole
from gateway.domain.roster import Duty
from gateway.domain.shifts import Shift, moment, occurrence

JAKARTA = ZoneInfo("Asia/Jakarta")
MONDAY, SUNDAY = date(2026, 11, 23), date(2026, 11, 29)
DAY = timedelta(days=1)
MADE = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = {
    1: ("Siti Aminah", "1001"),
    2: ("Agus", "1002"),
    3: ("Muhammad Rizki", "1003"),
    4: ("Muhammad Hasan", "1004"),
    5: ("Siti Nurhaliza", "1005"),
    6: ("Wulandariningsih", "1006"),
}


def shift(shift_id: int, name: str, start: str, end: str, **fields: Any) -> Shift:
    begin, finish = time.fromisoformat(start), time.fromisoformat(end)
    known: dict[str, Any] = {"first_date": date(2026, 1, 1), "created_at": MADE}
    return Shift(id=shift_id, name=name, start=begin, end=finish, **known | fields)


MORNING = shift(1, "morning", "06:00", "14:00")
AFTERNOON = shift(2, "afternoon", "14:00", "22:00")
NIGHT = shift(3, "night", "22:00", "06:00")
THREE = (MORNING, AFTERNOON, NIGHT)


def at(day: date, wall: str = "00:00") -> datetime:
    return moment(day, time.fromisoformat(wall), JAKARTA)


def duty(operator_id: int, worked: Shift, day: date, **fields: Any) -> Duty:
    there = occurrence(worked, day, JAKARTA)
    known: dict[str, Any] = {"starts_at": there.starts_at, "ends_at": there.ends_at, "leaves_at": there.leaves_at}
    known |= {"queue": "emergency", "penalty": 0}
    return Duty(operator_id=operator_id, shift_id=worked.id, date=day, **known | fields)


def hole(start: datetime, end: datetime, rostered: int = 0, minimum: int = 1, queue: str = "emergency") -> Hole:
    return Hole(queue, start, end, rostered, minimum)


def sheet(*things: Duty | Hole, shifts: Iterable[Shift] = THREE, **fields: Any) -> Sheet:
    known: dict[str, Any] = {"people": PEOPLE, "minimums": {"emergency": 1}}
    return Sheet(
        zone=JAKARTA,
        duties=[each for each in things if isinstance(each, Duty)],
        holes=[each for each in things if isinstance(each, Hole)],
        shifts={each.id: each for each in shifts},
        **known | fields,
    )


def drawn(
    what: Sheet, first: date = MONDAY, last: date = SUNDAY, *, today: date = date(2027, 1, 1), width: int = 80
) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(render(what, first, last, today=today, width=width))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def row(text: str, name: str) -> list[list[str]]:
    """The cells of the row that begins so, each as its lines."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(name))
    found = []
    for line in lines[start:]:
        if "─┼─" in line or not line:
            break
        found.append([cell.strip() for cell in line.split("│")])
    return [[cell for cell in column if cell] for column in zip(*found, strict=True)]


def test_a_week_is_read_at_a_glance() -> None:
    days = [MONDAY + DAY * number for number in range(7)]
    things: list[Duty | Hole] = []
    for day in days:
        things += [duty(1, MORNING, day), duty(3, AFTERNOON, day, penalty=5), duty(2, AFTERNOON, day)]
        if day.day == 27:  # Siti is alone in the morning
            things.append(hole(at(day, "06:00"), at(day, "14:00"), 1, 2))
        else:
            things.append(duty(5, MORNING, day))
        if day.day == 28:  # and nobody comes in the night of Saturday
            things.append(hole(at(day, "22:00"), at(day + DAY, "06:00"), 0, 2))
        else:
            things += [duty(4, NIGHT, day), duty(6, NIGHT, day)]

    text = drawn(sheet(*things, minimums={"emergency": 2}), today=date(2026, 11, 25))

    assert text == (
        "Roster, week 2026-W48, 23 to 29 November 2026 (times of Asia/Jakarta)\n"
        "\n"
        "Queue emergency: at least 2 at any time, BELOW THAT for 16 h\n"
        "          │Mon 23   │Tue 24   │Wed 25   │Thu 26   │Fri 27   │Sat 28   │Sun 29\n"
        "          │         │         │today    │         │         │         │\n"
        "──────────┼─────────┼─────────┼─────────┼─────────┼─────────┼─────────┼─────────\n"
        "morning   │Siti A.  │Siti A.  │Siti A.  │Siti A.  │Siti A.  │Siti A.  │Siti A.\n"
        "06-14     │Siti N.  │Siti N.  │Siti N.  │Siti N.  │1 MISSING│Siti N.  │Siti N.\n"
        "──────────┼─────────┼─────────┼─────────┼─────────┼─────────┼─────────┼─────────\n"
        "afternoon │Agus     │Agus     │Agus     │Agus     │Agus     │Agus     │Agus\n"
        "14-22     │M. Rizki │M. Rizki │M. Rizki │M. Rizki │M. Rizki │M. Rizki │M. Rizki\n"
        "──────────┼─────────┼─────────┼─────────┼─────────┼─────────┼─────────┼─────────\n"
        "night     │M. Hasan │M. Hasan │M. Hasan │M. Hasan │M. Hasan │NOBODY   │M. Hasan\n"
        "22-06     │Wulandar…│Wulandar…│Wulandar…│Wulandar…│Wulandar…│         │Wulandar…\n"
    )


@pytest.mark.parametrize("width", [20, 40, 60, 79, 80, 100, 132, 250])
def test_it_fits_a_terminal_of_any_width_and_shows_every_day_once(width: int) -> None:
    things = [duty(2, MORNING, MONDAY + DAY * number) for number in range(7)]

    text = drawn(sheet(*things), width=width)

    table = [line for line in text.splitlines() if "│" in line or "┼" in line]
    assert max(map(len, table)) <= width
    assert [text.count(f"{name} {day}") for name, day in (("Mon", 23), ("Thu", 26), ("Sun", 29))] == [1, 1, 1]
    assert text.count("Agus") == 7


def test_a_wide_terminal_has_room_for_whole_names() -> None:
    assert row(drawn(sheet(duty(3, MORNING, MONDAY)), width=140), "morning")[1] == ["Muhammad Rizki"]


def test_queues_stand_apart_and_one_without_people_or_holes_is_left_out() -> None:
    text = drawn(
        sheet(
            duty(1, MORNING, MONDAY),
            duty(2, MORNING, MONDAY, queue="medical"),
            minimums={"emergency": 1, "medical": 0, "sales": 0},
        )
    )

    assert text.index("Queue emergency: at least 1") < text.index("Siti") < text.index("Queue medical: no minimum")
    assert text.index("Queue medical") < text.index("Agus")
    assert "sales" not in text


def test_a_new_centre_shows_its_empty_shifts() -> None:
    text = drawn(sheet(hole(at(MONDAY), at(SUNDAY + 2 * DAY))))

    assert "BELOW THAT for 168 h" in text
    for name in ("morning", "afternoon", "night"):
        assert row(text, name)[1:] == [["NOBODY"]] * 7


def test_a_shift_that_nobody_is_needed_for_is_not_shown() -> None:
    training = shift(4, "training", "09:00", "10:00")

    text = drawn(sheet(hole(at(MONDAY), at(SUNDAY + 2 * DAY)), shifts=(training, *THREE)))

    assert "training" not in text


def test_a_shift_that_is_over_or_retired_is_shown_only_where_somebody_worked_it() -> None:
    old = shift(4, "old", "06:00", "14:00", last_date=MONDAY)
    gone = shift(5, "gone", "14:00", "22:00", retired_at=MADE)
    text = drawn(sheet(duty(1, old, MONDAY), hole(at(MONDAY, "14:00"), at(SUNDAY + DAY)), shifts=(old, gone)))

    assert row(text, "old")[1:] == [["Siti A."], [], [], [], [], [], []]
    assert "gone" not in text


def test_a_hole_outside_of_every_shift_has_a_row_of_its_own() -> None:
    text = drawn(
        sheet(duty(1, MORNING, MONDAY), hole(at(MONDAY, "22:30"), at(MONDAY + DAY, "02:00")), shifts=[MORNING])
    )

    assert row(text, "no shift")[1:4] == [["NOBODY", "22:30-", "00:00"], ["NOBODY", "00-02"], []]


def test_a_hole_of_some_hours_and_a_part_of_a_shift_say_which() -> None:
    late = duty(1, MORNING, MONDAY, starts_at=at(MONDAY, "08:00"))

    text = drawn(sheet(late, hole(at(MONDAY, "06:00"), at(MONDAY, "08:00"))))

    assert row(text, "morning")[1] == ["Siti A.", "08-14", "NOBODY", "06-08"]


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    nights = [duty(1, NIGHT, MONDAY + DAY * number) for number in range(6)]
    of_last_week = hole(at(MONDAY), at(MONDAY, "06:00"))
    of_this_week = hole(at(SUNDAY, "22:00"), at(SUNDAY + DAY, "06:00"))

    text = drawn(sheet(*nights, of_last_week, of_this_week, shifts=[NIGHT]))

    assert row(text, "night")[1] == ["Siti A."]
    assert row(text, "night")[7] == ["NOBODY"]
    assert "no shift" not in text


def test_more_than_a_week_goes_on_below() -> None:
    text = drawn(sheet(duty(1, MORNING, MONDAY), duty(2, MORNING, SUNDAY + DAY)), MONDAY, SUNDAY + 2 * DAY)

    assert "Roster, week 2026-W48, 23 to 29 November 2026" in text
    assert "Roster, 30 November to 1 December 2026" in text
    assert row(text[text.index("1 December") :], "morning")[1:] == [["Agus"], []]


def test_days_without_anybody_or_any_minimum_say_so() -> None:
    assert "Nobody is on the roster in these days, and no queue has a minimum." in drawn(sheet(minimums={"sales": 0}))


def test_a_name_cannot_do_anything_to_the_terminal() -> None:
    text = drawn(sheet(duty(1, MORNING, MONDAY), people={1: ("[red]\x9b31m", "1001")}))

    assert row(text, "morning")[1] == ["[red]?31m"]


def test_names_are_as_full_as_there_is_room_and_nobody_elses() -> None:
    people = {
        **PEOPLE,
        7: ("Siti Aminah", "1007"),
        8: ("Dewi", "1008"),
        9: ("Dewi Lestari", "1009"),
        10: ("Sri  Rahayu Ningsih", "1010"),
    }

    short = abbreviations(people, 9)

    assert short == {
        1: "1001",
        2: "Agus",
        3: "M. Rizki",
        4: "M. Hasan",
        5: "Siti N.",
        6: "Wulandar…",
        7: "1007",
        8: "1008",
        9: "Dewi L.",
        10: "Sri",
    }
    assert len(set(short.values())) == len(people)
