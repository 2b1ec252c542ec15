"""Rules of days, as people and attackers write them."""

import random
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr

from gateway import recurrence
from gateway.domain.kept import Invalid
from gateway.domain.roster import LAST_DAY
from tests.domain.values import DAY, shift

MONTH = DAY + timedelta(days=30)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;BYDAY=99MO",
        "FREQ=DAILY;UNTIL=\uff12\uff10\uff12\uff17\uff11\uff12\uff13\uff11",
        "FREQ=DAILY;UNTIL=20271399",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=1",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=WEEKLY;BYSETPOS=2;BYDAY=MO",
        "FREQ=DAILY;BYSETPOS=2;COUNT=1",
        "FREQ=DAILY;COUNT=1;COUNT=2",
        "FREQ=DAILY;BYDAY=MO;FREQ=WEEKLY",
        "FREQ=DAILY;COUNT=3;UNTIL=20271231",
        "FREQ=DAILY;BYDAY=",
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_words(rule: str) -> None:
    with pytest.raises(Invalid) as refused:
        recurrence.checked(rule)
    assert refused.value.field == "rule"


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        ("FREQ=DAILY", 31),
        ("FREQ=DAILY;COUNT=5", 5),
        ("FREQ=WEEKLY;BYDAY=MO,TU;INTERVAL=2", 6),
        ("FREQ=MONTHLY;BYDAY=-1FR", 1),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE;BYSETPOS=1", 1),
    ],
)
def test_a_rule_names_its_days(rule: str, count: int) -> None:
    assert recurrence.checked(rule) == rule
    assert len(recurrence.days(replace(shift(), rule=rule), DAY, MONTH)) == count


def test_the_end_of_a_rule_holds_also_behind_the_word_rrule() -> None:
    rule = f"RRULE:UNTIL={DAY + timedelta(days=2):%Y%m%d};FREQ=DAILY"
    assert len(recurrence.days(replace(shift(), rule=rule), DAY, MONTH)) == 3


def test_a_count_begins_on_the_shifts_first_day_and_not_on_the_first_one_asked_for() -> None:
    counted = replace(shift(), rule="FREQ=DAILY;COUNT=5", first_date=DAY - timedelta(days=3))
    assert recurrence.days(counted, DAY, MONTH) == {DAY, DAY + timedelta(days=1)}


def test_a_rule_that_never_comes_true_names_no_day() -> None:
    never = replace(shift(), rule="FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1;COUNT=1")
    assert recurrence.look_ahead(never) == []


def test_days_far_from_the_start_are_those_that_the_whole_rule_comes_to() -> None:
    """They are worked out from a start near by. A year that was mistyped in a query made the gateway count each day of
    every shift until then, 0.15 s a shift, and do nothing else meanwhile."""
    chance = random.Random(112)
    for _ in range(300):
        freq = chance.choice(("DAILY", "WEEKLY", "WEEKLY", "MONTHLY", "YEARLY"))
        rule = f"FREQ={freq}"
        by_day = chance.random() < 0.5
        if freq != "DAILY" or not by_day:
            rule += f";INTERVAL={chance.choice((1, 1, 2, 3, 5, 13))}"
        if by_day:
            rule += f";BYDAY={','.join(chance.sample(('MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'), 3))}"
        if chance.random() < 0.3:
            rule += f";BYMONTH={chance.randint(1, 6)},{chance.randint(7, 12)}"
        if chance.random() < 0.3:
            rule += f";WKST={chance.choice(('MO', 'WE', 'SU'))}"
        rule += chance.choice(("", "", f";COUNT={chance.randint(1, 900)}", ";UNTIL=20291118"))
        start = DAY + timedelta(days=chance.randint(0, 40))
        first = start + timedelta(days=chance.randint(-50, 1200))
        last = first + timedelta(days=chance.randint(0, 40))
        whole = rrulestr(rule, dtstart=datetime(start.year, start.month, start.day))  # noqa: DTZ001
        came = whole.between(datetime(2000, 1, 1), datetime(last.year, last.month, last.day), inc=True)  # noqa: DTZ001
        expected = {each.date() for each in came if each.date() >= first}
        assert recurrence.days(shift(rule=rule, first_date=start), first, last) == expected, (rule, start, first, last)


@pytest.mark.parametrize("rule", ["FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU"])
def test_a_far_day_is_looked_for_from_near_by(rule: str) -> None:
    far = DAY + timedelta(days=60_000)
    named = dict(part.split("=") for part in rule.split(";"))
    near = recurrence._start_near(far, DAY, named)
    assert timedelta() < far - near <= timedelta(days=28)


def test_no_shift_takes_place_after_the_last_day_of_all_rosters() -> None:
    """Times in queries may lie as far as the year 9000: a monthly shift took a second until then."""
    monthly = shift(rule="FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU")
    assert recurrence.days(monthly, date(8999, 1, 1), date(8999, 1, 20)) == frozenset()
    assert recurrence.days(monthly, LAST_DAY, date(8999, 1, 20)) == {LAST_DAY}
