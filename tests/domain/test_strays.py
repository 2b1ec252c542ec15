"""A phone that registers elsewhere again and again may not register for a while, unless it gets another secret."""

from dataclasses import replace

import pytest

from gateway.domain.holding import Holding, Phone
from gateway.domain.strays import SEEN, SHUT, SHUT_S, TIMES, TOLD_S, WITHIN_S, Strays

WANT = Holding(phones={number: Phone(number, f"d{number}") for number in ("1001", "1002")})


def taken(strays: Strays, *times_s: float, found: tuple[str, ...] = ("1001",), want: Holding = WANT) -> set[str]:
    """The phones that are shut once it was found so at these times."""
    for at_s in times_s:
        strays.take(found, want.phones, at_s)
    return {number for number, phone in strays.shut(want).phones.items() if phone.is_shut}


@pytest.mark.parametrize(
    ("times_s", "is_shut"),
    [
        ((0,), False),
        ((0, 1), False),
        ((0, 1, 2), True),
        ((0, WITHIN_S / 2, WITHIN_S), True),
        ((0, WITHIN_S / 2, WITHIN_S + 1), False),
        ((0, 50, 100, 150, 155, 159), True),
    ],
)
def test_often_within_a_minute_and_not_now_and_then(times_s: tuple[float, ...], is_shut: bool) -> None:
    assert taken(Strays(), *times_s) == ({"1001"} if is_shut else set())


def test_it_stays_shut_for_an_hour_after_it_was_seen_last() -> None:
    strays = Strays()
    assert taken(strays, 0, 1, 2, 5) == {"1001"}
    assert taken(strays, 5 + SHUT_S, found=()) == {"1001"}
    assert taken(strays, 6 + SHUT_S, found=()) == set()
    assert taken(strays, 7 + SHUT_S, 8 + SHUT_S) == set(), "it is counted anew"


def test_another_secret_opens_it_at_once_and_an_operator_who_goes_takes_it_along() -> None:
    strays = Strays()
    assert taken(strays, 0, 1, 2) == {"1001"}
    renewed = replace(WANT, phones={"1001": Phone("1001", "new")})
    assert taken(strays, 3, found=(), want=renewed) == set()
    assert strays.told() == {}

    assert taken(strays, 4, 5, 6, want=renewed) == {"1001"}
    assert taken(strays, 7, found=(), want=Holding()) == set()
    assert strays.told() == {}


def test_each_is_told_while_it_strays() -> None:
    strays = Strays()
    strays.take(["1001", "1002", "9999"], WANT.phones, 0)
    assert strays.told() == {"1001": SEEN, "1002": SEEN}, "a phone that nobody should have is none"
    for second in range(1, TIMES):
        strays.take(["1001"], WANT.phones, second)
    assert strays.told() == {"1001": SHUT, "1002": SEEN}
    strays.take([], WANT.phones, TOLD_S + 1)
    assert strays.told() == {"1001": SHUT}
