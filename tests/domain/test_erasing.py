"""A person's number in all the ways in which carriers write it, and what was written without it."""

import pytest

from gateway.domain.erasing import Redaction, forms

NUMBER = "08123456789"


@pytest.mark.parametrize("written", ["08123456789", "628123456789", "+628123456789"])
def test_a_number_is_found_however_carriers_write_it(written: str) -> None:
    assert forms(written) == ("08123456789", "628123456789", "+628123456789")


def test_a_number_of_another_country_is_found_with_and_without_its_sign() -> None:
    assert forms("+4915112345678") == ("4915112345678", "+4915112345678")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (NUMBER, "X"),
        ("sip:+628123456789@carrier", "sip:X@carrier"),
        (f"{NUMBER} called 12 times", "X called 12 times"),
        (f"{NUMBER}0 and 1{NUMBER}", f"{NUMBER}0 and 1{NUMBER}"),
        ("", ""),
    ],
)
def test_only_the_whole_number_is_taken_out(text: str, redacted: str) -> None:
    assert Redaction(forms(NUMBER), "X").of_text(text) == redacted


def test_of_the_persons_own_events_what_else_is_personal_goes_too() -> None:
    redaction = Redaction(forms(NUMBER), "X")
    data = {"caller": NUMBER, "caller_name": "Siti", "location": "Jl. 1", "tries": [{"number": NUMBER}], "at_s": 3}
    assert redaction.of_data(data, is_theirs=False) == data | {"caller": "X", "tries": [{"number": "X"}]}
    assert redaction.of_data(data, is_theirs=True) == {
        **{"caller": "X", "caller_name": "", "location": "", "tries": [{"number": "X"}], "at_s": 3}
    }
    task = {"callback_id": 1, "number": NUMBER, "reason": "Bu Siti"}
    assert redaction.of_data(task, is_theirs=True) == {"callback_id": 1, "number": "X", "reason": ""}
