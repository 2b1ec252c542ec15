"""The roster as a file: what a spreadsheet may write, what it may not, and that nothing is lost on the way."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import exchange
from gateway.domain.exchange import Fault, Line, parse, write

HEADER = "date,until,shift,phone,queue,penalty,name\r\n"
DAY = date(2026, 12, 1)


def line(number: int = 2, **fields: object) -> Line:
    known: dict[str, object] = {"first": DAY, "last": DAY, "shift": "pagi", "phone": "1001", "queue": "emergency"}
    return Line(number=number, **known | fields)  # type: ignore[arg-type]


def places(text: str) -> list[str]:
    return [fault.place for fault in parse(text).faults]


# ---------------------------------------------------------------- what is read


def test_a_line_is_read_with_what_may_be_left_out() -> None:
    sheet = parse("date,shift,phone,queue\n2026-12-01,pagi,1001,emergency\n")

    assert sheet.faults == ()
    assert sheet.lines == (line(),)


@pytest.mark.parametrize(
    "text",
    [
        "queue;phone;shift;penalty;until;date\r\nemergency;1001;pagi;5;03/12/2026;1/12/2026\r\n",
        "\ufeffdate,until,shift,phone,queue,penalty\n2026-12-01,2026-12-03,pagi,1001,emergency,5\n",
        "\n,,\n DATE , Until ,shift,phone,queue,penalty,,\n\n,,,,,,\n2026-12-01, 2026-12-03 ,pagi,1001,emergency,5,,\n",
        'date,until,shift,phone,queue,penalty\r"2026-12-01","2026-12-03","pagi","1001","emergency","5"\r',
    ],
    ids=["semicolons", "byte order mark", "blanks", "quotes"],
)
def test_a_file_is_read_in_every_form_that_a_spreadsheet_gives_it(text: str) -> None:
    sheet = parse(text)

    assert sheet.faults == ()
    [read] = sheet.lines
    assert replace(read, number=2) == line(last=date(2026, 12, 3), penalty=5)


def test_a_line_is_named_by_where_it_begins_in_the_file() -> None:
    sheet = parse(HEADER + '\r\n2026-12-01,,"pa\r\ngi",1001,emergency,0,\r\n2026-12-01,,pagi,1002,emergency,0,\r\n')

    assert [each.number for each in sheet.lines] == [3, 5]


def test_day_and_month_are_never_taken_for_one_another() -> None:
    sheet = parse(HEADER + "02/12/2026,,pagi,1001,emergency,,\n31/12/2026,,pagi,1001,emergency,,\n")
    wrong = parse(HEADER + "12/31/2026,,pagi,1001,emergency,,\n")

    assert [each.first for each in sheet.lines] == [date(2026, 12, 2), date(2026, 12, 31)]
    assert [fault.place for fault in wrong.faults] == ["line 2, column date"]


def test_a_file_of_a_header_alone_is_an_empty_roster() -> None:
    assert parse(HEADER) == exchange.Sheet()
    assert parse(HEADER).span is None


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("header", "place", "reason"),
    [
        ("", "line 1", "is empty: the first line names the columns"),
        ("date,shift,phone,queue,wage", "line 1, column wage", "is not among date, until"),
        ("date,shift,phone,queue,date", "line 1, column date", "is there twice"),
        ("date,shift,phone", "line 1, column queue", "is missing"),
        ("date\tshift\tphone\tqueue", "line 1", "has its cells separated by tabs: separate them by , or ; instead"),
        ("date|shift|phone|queue", "line 1", "has its cells separated by |: separate them by , or ; instead"),
    ],
)
def test_a_header_that_cannot_be_is_named_and_no_line_is_read(header: str, place: str, reason: str) -> None:
    sheet = parse(f"{header}\n2026-12-01,pagi,1001,emergency,0\n" if header else "\n")

    [fault] = sheet.faults
    assert (fault.place, fault.reason[: len(reason)]) == (place, reason)
    assert sheet.lines == ()


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ("01-12-2026,,pagi,1001,emergency,,", "date", "01-12-2026 is not a date such as 2026-12-01 or 01/12/2026"),
        ("20261201,,pagi,1001,emergency,,", "date", "20261201 is not a date such as 2026-12-01 or 01/12/2026"),
        ("30/02/2026,,pagi,1001,emergency,,", "date", "30/02/2026 is no day of the calendar"),
        ("1999-12-31,,pagi,1001,emergency,,", "date", "1999-12-31 does not lie between 2000-01-01 and 2199-12-31"),
        (",,pagi,1001,emergency,,", "date", "is empty"),
        ("2026-12-01,2026-11-30,pagi,1001,emergency,,", "until", "is before the date"),
        ("2026-12-01,,,1001,emergency,,", "shift", "is empty"),
        ("2026-12-01,,pagi,1001,emergency,-1,", "penalty", "-1 is not a number from 0 to 1000"),
        ("2026-12-01,,pagi,1001,emergency,1001,", "penalty", "1001 is not a number from 0 to 1000"),
        ("2026-12-01,,pagi,1001,emergency,,Siti,x", "", "has 8 cells, and the header 7"),
    ],
)
def test_a_cell_that_cannot_be_is_named_with_the_reason(cells: str, column: str, reason: str) -> None:
    assert parse(HEADER + cells + "\n").faults == (Fault(2, column, reason),)


def test_every_wrong_line_is_named_at_once_and_the_others_are_read() -> None:
    text = HEADER + "x,,pagi,1001,emergency,y,\n2026-12-01,,pagi,1001,emergency,,\n2026-12-02,,,,emergency,,\n"

    assert places(text) == [
        "line 2, column date",
        "line 2, column penalty",
        "line 4, column shift",
        "line 4, column phone",
    ]
    assert [each.number for each in parse(text).lines] == [3]


def test_quotes_that_never_end_are_no_silent_end_of_the_file() -> None:
    [fault] = parse(HEADER + '2026-12-01,,"pagi,1001,emergency,,\n2026-12-02,,pagi,1001,emergency,,\n').faults

    assert (fault.line, fault.reason) == (2, "cannot be read from here on: unexpected end of data")


def test_what_is_repeated_of_a_cell_is_short_and_does_nothing_to_a_terminal() -> None:
    [fault] = parse(HEADER + "\x1b[2J" + "9" * 500 + ",,pagi,1001,emergency,,\n").faults

    assert fault.reason.startswith("?[2J999")
    assert len(fault.reason) < 120


def test_a_year_that_was_mistyped_is_a_fault_and_not_a_century_of_roster() -> None:
    sheet = parse(HEADER + "2026-12-01,,pagi,1001,emergency,,\n2126-12-02,,pagi,1001,emergency,,\n")

    assert sheet.is_too_long
    assert [fault.place for fault in sheet.faults] == ["line 3, column date"]


def test_more_lines_than_a_file_may_have_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MOST_LINES", 2)

    sheet = parse(HEADER + "x,,pagi,1001,emergency,,\n" * 4)

    assert [fault.line for fault in sheet.faults] == [2, 3, 4]
    assert sheet.faults[-1].reason == "is too many: a file has 2 lines at most"


# ---------------------------------------------------------------- what is written


def test_lines_are_written_as_rfc_4180_has_it() -> None:
    text = write([line(name="Siti"), line(last=DAY + timedelta(days=6), penalty=3, name='Budi, "kios"')])

    assert text == (
        HEADER
        + "2026-12-01,,pagi,1001,emergency,0,Siti\r\n"
        + '2026-12-01,2026-12-07,pagi,1001,emergency,3,"Budi, ""kios"""\r\n'
    )


@pytest.mark.parametrize("name", ["=1+1", "+62", "-x", "@home", "\tx", "\rx", "'=x"])
def test_no_cell_is_written_as_a_formula(name: str) -> None:
    text = write([line(shift=f"{name}.", name=name)])

    [cells] = list(exchange.csv.reader([text.partition("\r\n")[2]]))
    assert (cells[2], cells[6]) == (f"'{name}.", f"'{name}")
    [read] = parse(text).lines
    assert (read.shift, read.name) == (f"{name}.", name)


def test_an_apostrophe_that_guards_nothing_stays() -> None:
    [read] = parse(write([line(name="'t Hooft")])).lines

    assert read.name == "'t Hooft"


_WORDS = st.text(min_size=1, max_size=20).map(str.strip).filter(bool)
_LINES = st.builds(
    lambda first, days, **fields: line(0, first=first, last=first + timedelta(days=days), **fields),
    first=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    days=st.integers(0, 300),
    shift=_WORDS,
    phone=st.from_regex("[0-9]{3,6}", fullmatch=True),
    queue=st.from_regex("[a-z][a-z0-9_]{0,31}", fullmatch=True),
    penalty=st.integers(0, 1000),
    name=_WORDS,
)


@given(st.lists(_LINES, max_size=8))
def test_what_is_written_is_read_as_it_was(lines: list[Line]) -> None:
    sheet = parse(write(lines))

    assert sheet.faults == ()
    assert [replace(each, number=0) for each in sheet.lines] == lines


@given(st.text(max_size=200))
def test_whatever_comes_is_read_or_is_a_fault(text: str) -> None:
    for given_text in (text, HEADER + text, HEADER.replace(",", ";") + text):
        sheet = parse(given_text)
        assert all(fault.reason.isprintable() for fault in sheet.faults)
        assert all(each.number > 1 for each in sheet.lines)
