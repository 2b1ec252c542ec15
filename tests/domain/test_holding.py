"""What Asterisk should hold against what it holds: the difference, and only that, and nobody is disturbed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.advice import Advice, TrunkRule, advise
from gateway.domain.holding import (
    SHIFT_OVER,
    Held,
    Holding,
    Member,
    Phone,
    PutPhone,
    PutQueue,
    RemoveMember,
    RemovePhone,
    RemoveQueue,
    SetPause,
    difference,
)
from gateway.domain.operators import BadContact, contact_host
from gateway.domain.queues import Queue
from gateway.domain.trunks import Trunk
from tests.domain.values import MONDAY
from tests.told import carried_out

numbers = st.sampled_from(["1001", "1002", "1003"])
names = st.sampled_from(["emergency", "fire"])
parts = st.fixed_dictionaries(
    {
        "phones": st.lists(
            st.builds(Phone, numbers, st.sampled_from(["a", "b"]), st.sampled_from([None, "sip:1@h"]))
        ).map(lambda phones: {phone.number: phone for phone in phones}),
        "members": st.lists(
            st.builds(Member, names, numbers, st.integers(0, 2), st.sampled_from([None, "lunch", SHIFT_OVER]))
        ).map(lambda members: {member.key: member for member in members}),
        "trunks": st.lists(
            st.builds(
                Trunk, name=names, carrier=st.just(""), addresses=st.just(("10.0.0.1",)), created_at=st.just(MONDAY)
            )
        ).map(lambda trunks: {trunk.name: trunk for trunk in trunks}),
        "queues": st.lists(st.builds(Queue, name=names, ring_s=st.integers(10, 11), created_at=st.just(MONDAY))).map(
            lambda queues: {queue.name: queue for queue in queues}
        ),
        "notes": st.dictionaries(names, names),
        "banned": st.frozensets(st.sampled_from(["203.0.113.5", "203.0.113.6", "2001:db8::/64"])),
    }
)
wanted = parts.map(lambda given: Holding(**given))
holdings = parts.map(lambda given: Held(**given))


def after(want: Holding, held: Held) -> Held:
    for command in difference(want, held):
        held = carried_out(held, command)
    return held


@given(want=wanted, held=holdings)
def test_carrying_out_the_difference_leaves_nothing_to_do(want: Holding, held: Held) -> None:
    done = after(want, held)
    for part in ("phones", "members", "trunks", "queues", "notes", "banned"):
        assert getattr(done, part) == getattr(want, part)
    assert difference(want, done) == []


@given(want=wanted, held=holdings, busy=st.frozensets(numbers), occupied=st.frozensets(names))
def test_no_phone_that_rings_or_talks_loses_its_place_and_no_queue_goes_with_callers_in_it(
    want: Holding, held: Held, busy: frozenset[str], occupied: frozenset[str]
) -> None:
    now = replace(held, busy=busy, occupied=occupied)
    commands = difference(want, now)
    assert not any(isinstance(command, RemoveMember) and command.phone in busy for command in commands)
    assert not any(isinstance(command, RemovePhone) and command.number in busy for command in commands)
    assert not any(isinstance(command, RemoveQueue) and command.name in occupied for command in commands)
    done = after(want, now)
    # what had to wait goes once nobody is disturbed
    assert after(want, replace(done, busy=frozenset(), occupied=frozenset())).members == want.members


def test_who_talks_at_the_end_of_the_shift_is_rung_no_more_and_leaves_after_the_call() -> None:
    place = Member("emergency", "1001")
    held = Held(members={place.key: place}, busy=frozenset({"1001"}))
    [command] = difference(Holding(), held)
    assert command == SetPause(replace(place, pause=SHIFT_OVER))
    waiting = carried_out(held, command)
    assert difference(Holding(), waiting) == []
    assert difference(Holding(), replace(waiting, busy=frozenset())) == [RemoveMember("emergency", "1001")]


def test_a_phone_and_a_queue_are_new_or_changed() -> None:
    phone, queue = Phone("1001", "a"), Queue(name="fire", created_at=MONDAY)
    want = Holding(phones={"1001": phone}, queues={"fire": queue})
    assert difference(want, Held()) == [PutQueue(queue, is_new=True), PutPhone(phone, is_new=True)]
    there = Held(phones={"1001": Phone("1001", "b")}, queues={"fire": replace(queue, ring_s=9)})
    assert difference(want, there) == [PutQueue(queue, is_new=False), PutPhone(phone, is_new=False)]


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
