"""What Asterisk should hold against what it holds: the difference, and only that."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.advice import Advice, TrunkRule, advise
from gateway.domain.operators import (
    AddMember,
    BadContact,
    Command,
    Holding,
    Member,
    Operator,
    Phone,
    PutPhone,
    RemoveMember,
    RemovePhone,
    SetPenalty,
    contact_host,
    difference,
    wanted,
)

numbers = st.sampled_from(["1001", "1002", "1003"])
queues = st.sampled_from(["emergency", "probe"])
holdings = st.builds(
    lambda phones, members: Holding({p.number: p for p in phones}, {m.key: m for m in members}),
    st.lists(st.builds(Phone, numbers, st.sampled_from(["a", "b"]), st.sampled_from([None, "sip:1@h"]))),
    st.lists(st.builds(Member, queues, numbers, st.integers(0, 2))),
)


def carried_out(held: Holding, commands: list[Command]) -> Holding:
    phones: dict[str, Any] = dict(held.phones)
    members: dict[Any, Any] = dict(held.members)
    for command in commands:
        match command:
            case PutPhone(phone=phone, is_new=is_new):
                assert is_new == (phone.number not in phones)
                phones[phone.number] = phone
            case RemovePhone(number=number):
                del phones[number]
            case AddMember(member=member):
                assert member.key not in members
                members[member.key] = member
            case SetPenalty(member=member):
                assert member.key in members
                members[member.key] = member
            case RemoveMember(queue=queue, phone=phone):
                del members[queue, phone]
    return Holding(phones, members)


@given(want=holdings, held=holdings)
def test_carrying_out_the_difference_leaves_nothing_to_do(want: Holding, held: Holding) -> None:
    after = carried_out(held, difference(want, held))
    assert after == want
    assert difference(want, after) == []


def test_a_retired_operator_has_no_phone_and_no_place() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    siti = Operator(1, "Siti", "1001", "d1", None, now)
    budi = Operator(2, "Budi", "1002", "d2", None, now, retired_at=now)
    probe = Holding({"9112": Phone("9112", "d9")}, {("probe", "9112"): Member("probe", "9112")})
    want = wanted([siti, budi], [Member("emergency", "1001"), Member("emergency", "1002")], probe)
    assert set(want.phones) == {"1001", "9112"}
    assert set(want.members) == {("emergency", "1001"), ("probe", "9112")}


@pytest.mark.parametrize(
    "contact",
    [
        "",
        "1001",
        "sip:1001",
        "sip:1001@",
        "sip:1001@h:0",
        "sip:1001@h:70000",
        "sip:a@h\r\nX: y",
        "sip:a@h\n",
        "sip:a@h;transport=ws",
    ],
)
def test_a_contact_that_is_no_plain_sip_address_is_refused(contact: str) -> None:
    with pytest.raises(BadContact):
        contact_host(contact)


def test_a_contacts_host_is_found() -> None:
    assert contact_host("sip:1001@127.0.0.21:5070") == "127.0.0.21"


def test_a_trunks_rule_gives_advice_and_a_trunk_without_a_rule_gets_none() -> None:
    rules = {"telkom": TrunkRule(queue="night", priority=5), "indosat": TrunkRule()}
    assert advise("telkom", rules) == Advice("night", 5)
    assert advise("indosat", rules).is_empty
    assert advise("xlsmart", rules).is_empty
