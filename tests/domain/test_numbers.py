"""Numbers: which are one caller's own, and which are many callers'."""

import pytest

from gateway.domain.numbers import is_nobodys, is_number, one_spelling, spellings


@pytest.mark.parametrize("caller", ["0811000", "+62811000", "110", "0811-000.1"])
def test_a_number_is_one_callers(caller: str) -> None:
    assert is_number(caller)
    assert not is_nobodys(caller)


@pytest.mark.parametrize("caller", ["", "anonymous", "Anonymous", "unavailable", "+", "12", "08*1", "0812a", "٣٣٣٣"])
def test_what_is_withheld_is_nobodys_number(caller: str) -> None:
    assert not is_number(caller)


@pytest.mark.parametrize("caller", ["112", "+112", "000", "0000000000", "+000000", "000-000"])
def test_what_is_sent_of_phones_without_a_sim_is_nobodys(caller: str) -> None:
    assert is_nobodys(caller)
    assert not is_number(caller)


@pytest.mark.parametrize("caller", ["0811000111", "62811000111", "+62811000111", "0811.000-111", "+62 (811) 000 111"])
def test_an_indonesian_number_is_one_however_it_is_written(caller: str) -> None:
    assert spellings(caller) == ("0811000111", "62811000111", "+62811000111")
    assert one_spelling(caller) == "0811000111"


@pytest.mark.parametrize(
    "caller", ["110", "62123456", "0000000000", "+6581234567", "anonymous", "006581234567", "08*1"]
)
def test_a_short_a_foreign_and_no_number_have_one_spelling(caller: str) -> None:
    assert spellings(caller) == (caller,)
