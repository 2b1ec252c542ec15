"""Numbers: which are one caller's own, and which are many callers'."""

import pytest

from gateway.domain.numbers import is_nobodys, is_number, may_be_dialled, one_spelling, spellings


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


@pytest.mark.parametrize(
    "number",
    [
        *("081234567", "0811222333", "081234567890", "0895012345678", "628123456789", "+628123456789"),
        *("+62 812-3456-789", "0318921111", "+62318921111", "62217654321", "0274512345", "036123456", "0411871234"),
        *("081234567112", "0318921112", "+62811121122"),
    ],
)
def test_an_ordinary_subscriber_is_called_back(number: str) -> None:
    assert may_be_dialled(number) is None


@pytest.mark.parametrize(
    ("number", "why"),
    [
        *((number, "is 112 itself") for number in ("112", "+112", "+62112", "62112", "0112", "031112", "+6231112")),
        *((number, "is 112 itself") for number in ("021112", "0274112", "0062112", "+620112", "031-112", "0310112")),
        *((number, "short code") for number in ("14022", "118", "1001", "110", "150000", "+14022", "0811")),
        *((number, "tariff of its own") for number in ("08091234567", "+628091234567", "08001234567", "08041234567")),
        *((number, "satellite") for number in ("+88213123456", "+870773112345", "+8816123456", "+979123456789")),
        *((number, "satellite") for number in ("086812345678", "+6286812345678", "+19001234567")),
        *((number, "is abroad") for number in ("+6561234567", "+12025550123", "+886212345678", "+8801712345678")),
        *((number, "as it is written") for number in ("006561234567", "01017628123456", "88213123456", "8123456789")),
        *((number, "as it is written") for number in ("+6208123456789", "0311121234", "0211500123", "1500123")),
        *((number, "as it is written") for number in ("08123456789012", "+628123456789012", "0812345", "081*1234567")),
    ],
)
def test_what_is_no_ordinary_subscribers_number_is_not_dialled(number: str, why: str) -> None:
    assert why in (may_be_dialled(number) or "")


def test_abroad_is_dialled_where_the_rules_let_it_and_a_premium_number_or_a_short_code_never() -> None:
    assert may_be_dialled("+6561234567", abroad=True) is None
    assert may_be_dialled("+886212345678", abroad=True) is None
    for number in ("+88213123456", "+979123456789", "+19001234567", "08091234567", "14022", "+62112", "006561234567"):
        assert may_be_dialled(number, abroad=True) is not None
