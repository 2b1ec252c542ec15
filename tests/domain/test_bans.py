"""Bans: who is counted, who is kept out, and who never is, whatever stands on the list."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import knocks
from gateway.domain.bans import IN_FORCE_AT_MOST, LONGEST, Ban, banned_as, check, is_among
from gateway.domain.books import wanted
from gateway.domain.holding import ChangeBans, Held, Holding, difference
from gateway.domain.kept import Invalid, Unfitting
from gateway.domain.knocks import ADDRESSES_KNOWN, TRUSTED_S, Knock, Knocks
from gateway.domain.operators import Operator
from gateway.domain.trunks import Trunk
from tests.domain.values import MONDAY, books, plan

HOUR = timedelta(hours=1)
BAN = Ban(id=1, version=1, address="203.0.113.5", reason="a sweep", until=MONDAY + HOUR, created_at=MONDAY)
addresses = st.builds("203.0.113.{}".format, st.integers(0, 15))
networks = st.builds("203.0.113.{}/{}".format, st.sampled_from([0, 8]), st.integers(29, 32))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8::1:2", "2001:db8::/64"),
        ("2001:db8::/64", "2001:db8::/64"),
    ],
)
def test_an_address_has_one_name_on_the_list(host: str, address: str) -> None:
    assert banned_as(host) == address


@pytest.mark.parametrize(
    "host", ["", "pbx.example", "203.0.113.5/24", "2001:db8::/48", "::", "224.0.0.1", "203.0.113.5 deny", "1.2.3"]
)
def test_what_nobody_sends_from_is_not_banned(host: str) -> None:
    with pytest.raises(Invalid):
        banned_as(host)


def test_a_ban_has_an_end_and_there_are_only_so_many() -> None:
    check(BAN, (), MONDAY)
    many = [replace(BAN, id=place + 2, address=f"10.0.{place // 250}.{place % 250 + 1}") for place in range(1000)]
    for wrong, field in (
        (replace(BAN, address="203.0.113.0/24"), "address"),
        (replace(BAN, until=MONDAY), "until"),
        (replace(BAN, until=MONDAY + LONGEST + HOUR), "until"),
    ):
        with pytest.raises(Invalid) as refused:
            check(wrong, (), MONDAY)
        assert refused.value.field == field
    with pytest.raises(Unfitting, match="banned already"):
        check(BAN, [replace(BAN, id=2)], MONDAY)
    assert len(many) == IN_FORCE_AT_MOST
    with pytest.raises(Unfitting, match="one too many"):
        check(BAN, many, MONDAY)
    check(BAN, [replace(each, until=MONDAY) for each in many], MONDAY)


@given(
    banned=st.frozensets(addresses),
    trunk=networks,
    own=networks,
    phone=addresses,
    registered=st.frozensets(addresses),
    held=st.frozensets(addresses),
)
def test_no_trunk_no_phone_and_nothing_of_the_sites_own_is_ever_kept_out(
    banned: frozenset[str],
    trunk: str,
    own: str,
    phone: str,
    registered: frozenset[str],
    held: frozenset[str],
) -> None:
    kept = books(
        plan([]),
        Operator(id=1, name="S", phone="1001", digest="", contact=f"sip:1001@{phone}:5060", created_at=MONDAY),
        trunks={"t": Trunk(name="t", carrier="T", addresses=(trunk,), created_at=MONDAY)},
        bans=tuple(replace(BAN, id=place, address=each) for place, each in enumerate(sorted(banned))),
    )
    want = wanted(kept, Holding(never_banned=(own,)), MONDAY)
    told = [each for each in difference(want, Held(banned=held, registered=registered)) if isinstance(each, ChangeBans)]
    after = held.union(*(each.come for each in told)) - {address for each in told for address in each.go}
    for address in after:
        assert not is_among(address, [trunk, own, phone, *registered])
        assert address in banned
    assert after >= {address for address in banned if not is_among(address, [trunk, own, phone, *registered])}


def test_who_is_refused_often_enough_within_the_time_is_due_once() -> None:
    counted = Knocks(limit=3, within_s=10)
    for at_s in (0.0, 9.0, 18.0, 27.0):
        counted.take(Knock("203.0.113.5"), at_s)
    assert counted.pop_due(10) == []
    counted.take(Knock("203.0.113.5"), 28.0)
    for _ in range(5):
        counted.take(Knock("203.0.113.5"), 28.5)
    assert counted.pop_due(10) == ["203.0.113.5"]
    assert counted.pop_due(10) == []


def test_the_right_password_wipes_out_what_was_counted_and_is_remembered_for_a_day() -> None:
    counted = Knocks(limit=2, within_s=10)
    counted.take(Knock("203.0.113.5"), 0.0)
    counted.take(Knock("203.0.113.5", is_welcome=True), 1.0)
    counted.take(Knock("203.0.113.5"), 2.0)
    assert counted.pop_due(10) == []
    assert counted.is_trusted("203.0.113.5", 1.0 + TRUSTED_S)
    assert not counted.is_trusted("203.0.113.5", 2.0 + TRUSTED_S)
    assert not counted.is_trusted("203.0.113.6", 2.0)


def test_with_a_limit_of_nothing_nobody_is_due() -> None:
    counted = Knocks(limit=0, within_s=10)
    for _ in range(100):
        counted.take(Knock("203.0.113.5"), 0.0)
    assert counted.pop_due(10) == []
    assert counted.known == 0


def test_memory_is_bounded_however_many_addresses_knock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knocks, "ADDRESSES_KNOWN", 50)
    counted = Knocks(limit=2, within_s=10)
    for place in range(500):
        counted.take(Knock(f"10.0.{place // 250}.{place % 250}"), 0.0)
        counted.take(Knock(f"10.1.{place // 250}.{place % 250}", is_welcome=True), 0.0)
    assert counted.known == 50
    assert len(counted._trusted) == 50
    for place in range(500):
        for _ in range(2):
            counted.take(Knock(f"10.2.{place // 250}.{place % 250}"), 0.0)
    assert len(counted.pop_due(500)) == 50
    assert ADDRESSES_KNOWN >= 1000
