"""Rules of days, as people and attackers write them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway import recurrence
from gateway.domain.kept import Invalid
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
