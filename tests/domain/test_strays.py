"""A phone that registers elsewhere may not register for a while, and for a long one when it does so again and again."""

from dataclasses import replace

import pytest

from gateway.domain.holding import Held, Holding, Phone
from gateway.domain.strays import AGAIN, LONG_SHUT_S, SEEN, SHUT_S, WITHIN_S, Strays
from gateway.domain.trunks import Trunk
from tests.domain.values import MONDAY

WANT = Holding(phones={number: Phone(number, f"d{number}") for number in ("1001", "1002")})
OPEN = Held(phones=WANT.phones)


def shut(strays: Strays, at_s: float, *found: str, held: Held = OPEN, want: Holding = WANT) -> set[str]:
    """The phones that are shut at that time, when these were found astray."""
    strays.take(replace(held, astray=frozenset(found)), at_s)
    return {number for number, phone in strays.shut(want, at_s).phones.items() if phone.is_shut}


def test_it_is_shut_for_two_minutes_each_time() -> None:
    strays = Strays()
    assert shut(strays, 0) == set()
    assert shut(strays, 10, "1001") == {"1001"}
    assert shut(strays, 9 + SHUT_S) == {"1001"}
    assert shut(strays, 10 + SHUT_S) == set()
    assert shut(strays, 500, "1001", "1002", "9999") == {"1001", "1002"}, "what Asterisk does not hold is no phone"


def test_what_is_found_is_to_be_shut_at_once_unless_it_is_or_never_may_register() -> None:
    fixed = Phone("1003", "d", "sip:1003@10.0.0.7")
    phones = {**WANT.phones, "1002": replace(WANT.phones["1002"], is_shut=True), "1003": fixed}
    found = Strays().take(Held(phones=phones, astray=frozenset(phones)), 0)
    assert found == [replace(WANT.phones["1001"], is_shut=True)]


@pytest.mark.parametrize(("third_s", "is_long"), [(300, True), (WITHIN_S, True), (WITHIN_S + 1, False)])
def test_the_third_time_within_an_hour_is_for_an_hour(third_s: float, is_long: bool) -> None:
    strays = Strays()
    for at_s in (0, 150, third_s):
        assert shut(strays, at_s, "1001") == {"1001"}
    assert strays.told(third_s) == {"1001": AGAIN if is_long else SEEN}
    assert shut(strays, third_s + SHUT_S) == ({"1001"} if is_long else set())
    assert shut(strays, third_s + LONG_SHUT_S) == set()
    assert strays.told(third_s + LONG_SHUT_S) == {}
    again_s = third_s + LONG_SHUT_S + 1
    assert shut(strays, again_s, "1001") == {"1001"}
    assert shut(strays, again_s + SHUT_S) == set(), "an hour later it is counted anew"


@pytest.mark.parametrize("now", [Phone("1001", "new"), replace(WANT.phones["1001"], contact="sip:1001@10.0.0.7"), None])
def test_another_secret_or_a_fixed_contact_opens_it_at_once(now: Phone | None) -> None:
    strays = Strays()
    for at_s in (0, 1, 2):
        assert shut(strays, at_s, "1001") == {"1001"}
    want = replace(WANT, phones={} if now is None else {"1001": now})
    assert shut(strays, 3, want=want) == set()
    assert strays.told(3) == {}
    assert shut(strays, 4) == set(), "what it did before is forgotten"


def test_a_new_secret_is_not_shut_for_what_the_old_one_did() -> None:
    renewed = replace(WANT, phones={"1001": Phone("1001", "new")})
    assert shut(Strays(), 0, "1001", want=renewed) == set()


def test_when_an_admin_takes_an_address_back_from_a_trunk_no_phone_is_shut_for_it() -> None:
    wide, narrow = (
        Trunk(name="telkom", carrier="Telkom", addresses=(address,), created_at=MONDAY)
        for address in ("10.20.0.0/16", "10.20.0.1")
    )
    strays = Strays()
    assert shut(strays, 0, "1001", want=replace(WANT, trunks={"telkom": wide})) == {"1001"}
    assert shut(strays, 1, want=replace(WANT, trunks={"telkom": wide})) == {"1001"}
    assert shut(strays, 2, want=replace(WANT, trunks={"telkom": narrow})) == set()


def test_a_gateway_that_starts_anew_keeps_shut_what_was_shut() -> None:
    held = replace(OPEN, phones={**OPEN.phones, "1001": replace(OPEN.phones["1001"], is_shut=True)})
    strays = Strays()
    assert shut(strays, 1000, held=held) == {"1001"}
    assert strays.told(1000) == {"1001": SEEN}
    assert shut(strays, 1000 + SHUT_S, held=held) == set()
    assert shut(strays, 1001 + SHUT_S, held=held) == set(), "it is known to be shut until it was opened once"

    renewed = replace(WANT, phones={"1001": Phone("1001", "new")})
    assert shut(Strays(), 0, held=held, want=renewed) == set()
