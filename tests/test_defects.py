"""Exceptions that nobody expected: each kind is told, and none over and over."""

import pytest

from gateway.defects import KINDS_KNOWN, TOLD_AGAIN, Defects


def raised(by: str) -> Exception:
    try:
        exec(by)  # noqa: S102  # each text raises in a place of its own
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError


def test_each_kind_is_logged_whole_the_first_time_and_again_after_an_hour_of_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    defects = Defects("broken")
    for _ in range(TOLD_AGAIN):
        defects.tell(raised("1 / 0"))
    defects.tell(raised("\n1 / 0"))
    defects.tell(raised("{}['a']"))
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [
        *(ZeroDivisionError, ZeroDivisionError),
        KeyError,
    ]
    defects.tell(raised("1 / 0"))
    assert caplog.records[-1].__dict__["count"] == TOLD_AGAIN + 1


def test_what_is_remembered_of_them_is_bounded() -> None:
    defects = Defects("broken")
    for number in range(2 * KINDS_KNOWN):
        defects.tell(raised("\n" * number + "1 / 0"))
    assert len(defects._counts) == KINDS_KNOWN
