"""What people change: checked, stored with its audit entry, told, and in Asterisk."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.books import PauseReason
from gateway.domain.duty import Step
from gateway.domain.holding import Holding, Member
from gateway.domain.kept import Invalid, Kept, Unfitting
from gateway.domain.operators import Operator
from gateway.domain.queues import Queue
from gateway.domain.roster import OnCall, Swap, SwapState
from gateway.domain.tokens import Role, Token
from gateway.domain.trunks import Trunk
from gateway.office import NotOnDuty
from gateway.ports import Refused, Stale, SwitchboardAway, Taken, Unknown
from gateway.rulings import LeavesGaps
from tests.domain.values import DAY, MONDAY, assigned, away, local, queue, shift, swapped
from tests.services.conftest import ANI
from tests.told import Services


async def hired(services: Services, phone: str = "1001", **fields: Any) -> Operator:
    new = Operator(name=f"Petugas {phone}", phone=phone, digest="", created_at=MONDAY, **fields)
    return (await services.office.create_operator(new, ANI))[0]


async def put(services: Services, thing: Any, **options: Any) -> Any:
    """A new thing; whatever id a builder gave it."""
    return await services.office.create(replace(thing, id=0, version=0), ANI, **options)


async def test_a_new_operators_phone_is_in_asterisk_and_its_secret_is_told_once(services: Services) -> None:
    new = Operator(name="Siti", phone="1001", digest="", created_at=MONDAY)
    siti, secret = await services.office.create_operator(new, ANI)
    assert services.switchboard.held.phones["1001"].digest == siti.digest
    assert secret not in repr(siti)
    assert "login/1001" in services.switchboard.held.notes


async def test_what_a_first_start_brings_is_brought_once(services: Services) -> None:
    before = await services.store.newest_seq()
    await services.office.set_up("emergency", "admin")
    assert await services.store.newest_seq() == before
    assert {trunk.name for trunk in await services.store.kept(Trunk)} == {"telkomsel", "indosat", "xlsmart", "telkom"}
    await services.office.set_up("emergancy", "another secret")
    assert [each.name for each in await services.store.kept(Queue)] == ["emergency"], "nobody would be in a second one"
    [token] = await services.store.kept(Token)
    assert (token.name, token.version) == ("admin", 2)


async def test_a_retired_operator_takes_phone_places_tokens_and_on_call_with_him(services: Services) -> None:
    siti = await hired(services)
    await services.office.put_member(Member("emergency", "1001"), ANI)
    await put(services, Token(name="Siti", role=Role.OPERATOR, token_hash="x", operator_id=siti.id, created_at=MONDAY))
    await put(services, OnCall(operator_id=siti.id, place=1, created_at=MONDAY))
    await services.office.retire(siti, ANI)
    held = services.switchboard.held
    assert not held.phones
    assert not held.members
    assert "login/1001" not in held.notes
    assert [token.name for token in await services.store.kept(Token)] == ["admin"]
    assert await services.store.kept(OnCall) == []
    assert await services.store.members() == []


async def test_a_token_that_is_made_while_its_operator_is_being_retired_goes_with_him(services: Services) -> None:
    siti = await hired(services)
    token = Token(name="Siti", role=Role.OPERATOR, token_hash="x", operator_id=siti.id, created_at=MONDAY)
    async with services.saving.turn:
        making = asyncio.create_task(put(services, token))
        await asyncio.sleep(0)
        retiring = asyncio.create_task(services.office.retire(siti, ANI))
        await asyncio.sleep(0.05)
    await asyncio.gather(making, retiring)
    assert [token.name for token in await services.store.kept(Token)] == ["admin"]


async def test_two_who_change_the_same_version_do_not_overwrite_each_other(services: Services) -> None:
    siti = await hired(services)
    await services.office.change(siti, replace(siti, name="Siti A"), ANI)
    with pytest.raises(Stale):
        await services.office.change(siti, replace(siti, name="Siti B"), ANI)
    with pytest.raises(Stale):
        await services.office.find(Operator, siti.id, version=1)
    assert (await services.office.find(Operator, siti.id, version=2)).name == "Siti A"


async def test_where_asterisk_is_away_the_change_is_stored_and_applied_at_the_next_look(services: Services) -> None:
    services.switchboard.is_away = True
    await hired(services)
    assert services.level.applied.at is None
    services.switchboard.is_away = False
    await services.level.look()
    assert "1001" in services.switchboard.held.phones


async def test_of_many_changes_all_are_stored_or_none(services: Services) -> None:
    before = await services.store.newest_seq()
    with pytest.raises(Taken):
        await services.office.put(
            [(None, replace(queue("fire"), version=0)) for _ in range(2)],
            ANI,
        )
    assert await services.store.newest_seq() == before


REFUSED: list[tuple[Kept, str]] = [
    (assigned(9), "operator_id"),
    (assigned(1, shift_id=9), "shift_id"),
    (assigned(1, queue="water"), "queue"),
    (assigned(1, first=2, last=1), "last_date"),
    (assigned(1, first=-9, last=-5), "first_date"),
    (assigned(1, last=2000), "last_date"),
    (away(9, 0, 1), "operator_id"),
    (away(1, 1, 1), "until_at"),
    (away(1, 0, 24 * 2000), "until_at"),
    (replace(swapped(1, taken_by=2), state=SwapState.ASKED, taken_by=None), "date"),
    (OnCall(operator_id=9, place=1, created_at=MONDAY), "operator_id"),
    (OnCall(operator_id=1, place=1, queues=("water",), created_at=MONDAY), "queues"),
    (OnCall(operator_id=1, place=1, number="0811", created_at=MONDAY), "trunk"),
    (OnCall(operator_id=1, place=1, number="0811", trunk="bolt", created_at=MONDAY), "trunk"),
    (shift(end="06:00"), "end"),
    (shift(rule="FREQ=SECONDLY"), "rule"),
    (shift(first_date=DAY.replace(year=1990)), "first_date"),
    (Trunk(name="bolt", carrier="Bolt", addresses=(), created_at=MONDAY), "addresses"),
    (Trunk(name="bolt", carrier="Bolt", addresses=("x",), created_at=MONDAY), "addresses"),
    (Trunk(name="bolt", carrier="Bolt", addresses=("0.0.0.0/0",), created_at=MONDAY), "addresses"),
    (Trunk(name="bolt", carrier="Bolt", addresses=("127.0.0.11/32",), created_at=MONDAY), "addresses"),
    (Trunk(name="bolt", carrier="Bolt", addresses=("10.0.0.1",), codecs=("g729",), created_at=MONDAY), "codecs"),
    (Trunk(name="bolt", carrier="Bolt", addresses=("10.0.0.1",), queue="water", created_at=MONDAY), "queue"),
    (Operator(name="x", phone="1009", digest="", home_queues=("water",), created_at=MONDAY), "home_queues"),
    (Token(name="x", role=Role.OPERATOR, token_hash="h", created_at=MONDAY), "operator_id"),
    (Token(name="x", role=Role.OPERATOR, token_hash="h", operator_id=9, created_at=MONDAY), "operator_id"),
]


@pytest.mark.parametrize(("thing", "field"), REFUSED, ids=lambda each: each if isinstance(each, str) else each.KIND)
async def test_what_cannot_be_is_refused_with_its_field_and_nothing_is_stored(
    services: Services, thing: Kept, field: str
) -> None:
    await hired(services)
    await put(services, shift())
    before = await services.store.newest_seq()
    with pytest.raises(Invalid) as refused:
        await put(services, thing)
    assert refused.value.field == field
    assert await services.store.newest_seq() == before


async def test_what_others_still_need_is_not_retired(services: Services) -> None:
    await hired(services)
    morning = await put(services, shift())
    await put(services, assigned(1))
    with pytest.raises(Taken, match="has 1 assignments"):
        await services.office.retire(morning, ANI)
    [emergency] = await services.store.kept(Queue)
    with pytest.raises(Taken, match="centre's own"):
        await services.office.retire(emergency, ANI)
    fire = await put(services, queue("fire", minimum=0))
    telkom = next(trunk for trunk in await services.store.kept(Trunk) if trunk.name == "telkom")
    await services.office.change(telkom, replace(telkom, queue="fire"), ANI)
    with pytest.raises(Taken, match="trunk telkom"):
        await services.office.retire(fire, ANI)


async def test_a_shift_is_not_retired_while_somebody_is_to_work_it_however_far_ahead(services: Services) -> None:
    siti = await hired(services)
    morning = await put(services, shift())
    far = await put(services, assigned(1, first=300))
    with pytest.raises(Taken, match="has 1 assignments until 2027-06-13"):
        await services.office.retire(morning, ANI)
    await services.office.retire(far, ANI)
    later = await put(services, assigned(1, first=400))
    await services.office.retire(siti, ANI)
    await services.office.retire(morning, ANI)
    assert later.is_active, "it is nobody's any more"


async def test_a_queue_is_not_retired_while_a_roster_a_home_or_the_on_call_list_names_it(services: Services) -> None:
    siti = await hired(services)
    await put(services, shift())
    fire = await put(services, queue("fire", minimum=0))
    needs: list[tuple[Any, str]] = [
        (await put(services, assigned(1, first=300, queue="fire")), "has 1 assignments until 2027-06-13"),
        (await put(services, OnCall(operator_id=1, place=1, queues=("fire",), created_at=MONDAY)), "on-call person 1"),
    ]
    for thing, words in needs:
        with pytest.raises(Taken, match=words):
            await services.office.retire(fire, ANI)
        await services.office.retire(thing, ANI)
    siti = await services.office.change(siti, replace(siti, home_queues=("fire",)), ANI)
    with pytest.raises(Taken, match="is a home queue of Petugas 1001"):
        await services.office.retire(fire, ANI)
    await services.office.change(siti, replace(siti, home_queues=()), ANI)
    await services.office.retire(fire, ANI)


async def test_a_trunk_is_not_retired_while_the_on_call_list_is_rung_over_it(services: Services) -> None:
    await hired(services)
    telkom = next(trunk for trunk in await services.store.kept(Trunk) if trunk.name == "telkom")
    person = OnCall(operator_id=1, place=1, number="0811", trunk="telkom", created_at=MONDAY)
    person = await put(services, person)
    with pytest.raises(Taken, match="on-call person 1 is rung for or over trunk telkom"):
        await services.office.retire(telkom, ANI)
    await services.office.retire(person, ANI)
    await services.office.retire(telkom, ANI)


# ---------------------------------------------------------------- one address, one caller


@pytest.mark.parametrize("addresses", [("10.0.0.0/24",), ("10.9.0.1", "10.0.0.7")])
async def test_no_trunk_is_put_over_the_address_of_a_phone(services: Services, addresses: tuple[str, ...]) -> None:
    await hired(services, contact="sip:1001@10.0.0.7:5070")
    await hired(services, "1002", contact="sip:1002@phone.example")
    bolt = Trunk(name="bolt", carrier="Bolt", addresses=addresses, created_at=MONDAY)
    with pytest.raises(Unfitting, match="phone 1001 is there") as refused:
        await put(services, bolt)
    assert refused.value.field == "addresses"
    stored = await put(services, replace(bolt, addresses=("10.0.1.0/24",)))
    with pytest.raises(Unfitting, match="phone 1001"):
        await services.office.change(stored, replace(stored, addresses=addresses), ANI)


async def test_no_phone_is_put_at_the_address_of_a_trunk_and_nothing_at_the_probes(services: Services) -> None:
    probe = Trunk(name="probe", carrier="", addresses=("127.0.0.15",), created_at=MONDAY)
    named = replace(probe, name="named", addresses=("probe.example",))
    services.office._always = Holding(trunks={"named": named, "probe": probe})
    for host in ("127.0.0.11", "127.0.0.15"):
        with pytest.raises(Unfitting, match=f"{host} is the address of a trunk") as refused:
            await hired(services, contact=f"sip:1001@{host}")
        assert refused.value.field == "contact"
    with pytest.raises(Unfitting, match="belongs to trunk probe"):
        await put(services, Trunk(name="bolt", carrier="Bolt", addresses=("127.0.0.15/32",), created_at=MONDAY))


async def test_a_name_a_number_and_a_phone_stay(services: Services) -> None:
    siti = await hired(services)
    with pytest.raises(Invalid, match="make a new operator"):
        await services.office.change(siti, replace(siti, phone="1002"), ANI)
    [emergency] = await services.store.kept(Queue)
    with pytest.raises(Invalid, match="calls of the past"):
        await services.office.change(emergency, replace(emergency, name="fire"), ANI)


# ---------------------------------------------------------------- holes


async def full_roster(services: Services) -> Any:
    """One person at every hour for the days that are looked ahead."""
    await hired(services)
    await put(services, shift(start="00:00", end="12:00"))
    await put(services, shift(2, start="12:00", end="00:00"))
    await put(services, assigned(1, 1, last=20))
    return await put(services, assigned(1, 2, last=20))


async def test_a_change_that_makes_a_hole_is_refused_unless_it_is_allowed(services: Services) -> None:
    afternoons = await full_roster(services)
    with pytest.raises(LeavesGaps) as refused:
        await put(services, away(1, 13, 14), allow_gaps=False)
    [hole] = refused.value.holes
    assert (hole.queue, hole.starts_at, hole.ends_at, hole.rostered) == ("emergency", local(13), local(14), 0)
    with pytest.raises(LeavesGaps):
        await services.office.retire(afternoons, ANI, allow_gaps=False)
    await put(services, away(1, 13, 14))


async def test_a_change_that_leaves_the_holes_as_they_are_is_no_matter(services: Services) -> None:
    await hired(services)
    await put(services, shift(), allow_gaps=False)
    first = await put(services, assigned(1), allow_gaps=False)
    await put(services, away(1, 20, 22), allow_gaps=False)
    with pytest.raises(LeavesGaps):
        await services.office.retire(first, ANI, allow_gaps=False)


async def test_a_hole_beyond_the_horizon_is_not_yet_looked_at(services: Services) -> None:
    await full_roster(services)
    await put(services, away(1, 24 * 9, 24 * 9 + 2), allow_gaps=False)


async def test_who_is_needed_is_retired_only_where_the_hole_is_allowed(services: Services) -> None:
    await full_roster(services)
    siti = await services.office.find(Operator, 1)
    budi = await hired(services, "1002")
    await services.office.retire(budi, ANI, allow_gaps=False)
    with pytest.raises(LeavesGaps) as refused:
        await services.office.retire(siti, ANI, allow_gaps=False)
    assert refused.value.holes[0].starts_at == MONDAY
    await services.office.retire(siti, ANI)


# ---------------------------------------------------------------- swaps


async def asked_to_swap(services: Services, operator_id: int = 1) -> Swap:
    swap: Swap = await put(services, Swap(operator_id=operator_id, shift_id=1, date=DAY, created_at=MONDAY))
    return swap


async def took(services: Services, swap: Swap, taken_by: int) -> Swap:
    return await services.office.change(swap, replace(swap, state=SwapState.TAKEN, taken_by=taken_by), ANI)


async def approved(services: Services, swap: Swap, *, allow_gaps: bool = False) -> Swap:
    after = replace(swap, state=SwapState.APPROVED)
    return await services.office.change(swap, after, ANI, allow_gaps=allow_gaps)


async def three_and_a_shift(services: Services) -> None:
    for phone in ("1001", "1002", "1003"):
        await hired(services, phone)
    await put(services, shift())
    await put(services, assigned(1))


async def test_whoever_took_a_shift_hands_it_on_and_back(services: Services) -> None:
    await three_and_a_shift(services)
    for giver, taker in ((1, 2), (2, 3), (3, 1), (1, 2)):
        swap = await asked_to_swap(services, giver)
        await approved(services, await took(services, swap, taker))
        plan = (await services.bookkeeper.books()).plan
        assert [duty.operator_id for duty in plan.on_duty(local(7))] == [taker]
    with pytest.raises(Invalid, match="does not work that shift"):
        await asked_to_swap(services, 1)


async def test_whoever_handed_a_shift_on_has_it_again_by_a_swap_alone_and_is_told_so(services: Services) -> None:
    """An assignment would be there, and change nothing: nobody would come."""
    await three_and_a_shift(services)
    await approved(services, await took(services, await asked_to_swap(services), 2))
    with pytest.raises(Unfitting, match="only a swap back undoes it"):
        await put(services, assigned(1))
    await put(services, assigned(1, last=1))  # of two days one is his own
    await put(services, assigned(3))
    [mine] = [each for each in await services.store.assignments(DAY, DAY) if each.last_date > DAY]
    await services.office.change(mine, replace(mine, last_date=DAY), ANI)


async def test_of_one_shift_there_is_one_open_swap(services: Services) -> None:
    await three_and_a_shift(services)
    first = await took(services, await asked_to_swap(services), 2)
    with pytest.raises(Taken, match=f"swap {first.id} asks for that already"):
        await asked_to_swap(services)
    await services.office.change(first, replace(first, state=SwapState.WITHDRAWN), ANI)
    await asked_to_swap(services)


async def test_what_is_not_the_askers_any_more_is_neither_taken_nor_approved(services: Services) -> None:
    await three_and_a_shift(services)
    [mine] = await services.store.assignments(DAY, DAY)
    asked = await asked_to_swap(services)
    taken = await took(services, asked, 2)
    await services.office.change(mine, replace(mine, operator_id=3), ANI)
    with pytest.raises(Taken, match="does not work that shift on that day any more"):
        await approved(services, taken)
    again = await services.office.change(taken, replace(taken, state=SwapState.ASKED, taken_by=None), ANI)
    with pytest.raises(Taken, match="any more"):
        await took(services, again, 2)
    await services.office.change(again, replace(again, state=SwapState.REFUSED), ANI)


async def test_a_swap_by_which_the_colleague_would_not_get_the_shift_is_not_approved(services: Services) -> None:
    await three_and_a_shift(services)
    [mine] = await services.store.assignments(DAY, DAY)
    taken = await took(services, await asked_to_swap(services), 2)
    await services.office.change(mine, replace(mine, operator_id=3), ANI)
    await approved(services, await took(services, await asked_to_swap(services, 3), 1))
    with pytest.raises(Taken, match="withdraw it and ask anew"):
        await approved(services, taken)


async def test_who_was_retired_takes_no_shift_and_the_swap_can_still_be_refused(services: Services) -> None:
    await three_and_a_shift(services)
    taken = await took(services, await asked_to_swap(services), 2)
    await services.office.retire(await services.office.find(Operator, 2), ANI)
    with pytest.raises(Unfitting, match="there is no operator 2"):
        await approved(services, taken)
    await services.office.change(taken, replace(taken, state=SwapState.REFUSED), ANI)


async def test_a_swap_with_one_who_is_away_then_leaves_a_hole(services: Services) -> None:
    await three_and_a_shift(services)
    await put(services, away(2, 8, 9))
    taken = await took(services, await asked_to_swap(services), 2)
    with pytest.raises(LeavesGaps) as refused:
        await approved(services, taken)
    assert [(hole.starts_at, hole.ends_at) for hole in refused.value.holes] == [(local(8), local(9))]
    await approved(services, taken, allow_gaps=True)


async def test_a_swap_is_asked_taken_and_approved_and_then_the_colleague_works(services: Services) -> None:
    await hired(services)
    await hired(services, "1002")
    await put(services, shift())
    await put(services, assigned(1))
    asked = await put(services, Swap(operator_id=1, shift_id=1, date=DAY, created_at=MONDAY))
    with pytest.raises(Taken, match="is asked: it cannot become approved"):
        await services.office.change(asked, replace(asked, state=SwapState.APPROVED), ANI)
    taken = await services.office.change(asked, replace(asked, state=SwapState.TAKEN, taken_by=2), ANI)
    approved = await services.office.change(taken, replace(taken, state=SwapState.APPROVED), ANI)
    plan = (await services.bookkeeper.books()).plan
    assert [duty.operator_id for duty in plan.on_duty(local(7))] == [2]
    with pytest.raises(Taken):
        await services.office.change(approved, replace(approved, state=SwapState.WITHDRAWN), ANI)


async def test_a_swap_of_a_day_far_ahead_is_checked_against_that_day(services: Services) -> None:
    await hired(services)
    await put(services, shift())
    await put(services, assigned(1, first=60))
    await put(services, Swap(operator_id=1, shift_id=1, date=DAY + timedelta(days=60), created_at=MONDAY))
    with pytest.raises(Invalid):
        await put(services, Swap(operator_id=1, shift_id=1, date=DAY + timedelta(days=61), created_at=MONDAY))


# ---------------------------------------------------------------- duty


async def test_a_pause_is_in_asterisk_first_and_where_asterisk_refuses_nothing_is_stored(services: Services) -> None:
    siti = await hired(services)
    with pytest.raises(NotOnDuty):
        await services.office.step(siti, Step.PAUSE, ANI, reason="lunch")
    await services.office.put_member(Member("emergency", "1001"), ANI)
    before = await services.store.newest_seq()
    services.switchboard.refuses["emergency/1001"] = "Interface not found"
    with pytest.raises(Refused, match="Interface not found"):
        await services.office.step(siti, Step.PAUSE, ANI, reason="lunch")
    services.switchboard.refuses.clear()
    services.switchboard.is_away = True
    with pytest.raises(SwitchboardAway):
        await services.office.step(siti, Step.PAUSE, ANI, reason="lunch")
    services.switchboard.is_away = False
    assert await services.store.newest_seq() == before
    await services.office.step(siti, Step.PAUSE, ANI, reason="lunch")
    assert services.switchboard.held.members["emergency", "1001"].pause == "lunch"
    await services.office.step(siti, Step.RESUME, ANI)
    assert services.switchboard.held.members["emergency", "1001"].pause is None


async def test_a_login_and_a_logout_are_in_asterisk_at_once(services: Services) -> None:
    siti = await hired(services)
    await services.office.step(siti, Step.LOG_IN, ANI)
    assert set(services.switchboard.held.members) == {("emergency", "1001")}
    await services.office.step(siti, Step.LOG_OUT, ANI)
    assert not services.switchboard.held.members
    await services.level.look()
    assert not services.switchboard.held.members


async def test_who_talks_and_logs_out_keeps_the_call(services: Services) -> None:
    siti = await hired(services)
    await services.office.step(siti, Step.LOG_IN, ANI)
    services.switchboard.held = replace(services.switchboard.held, busy=frozenset({"1001"}))
    await services.office.step(siti, Step.LOG_OUT, ANI)
    assert services.switchboard.held.members["emergency", "1001"].pause == "shift over"
    services.switchboard.held = replace(services.switchboard.held, busy=frozenset())
    await services.level.look()
    assert not services.switchboard.held.members


async def test_a_standing_place_needs_a_queue_and_an_operator(services: Services) -> None:
    await hired(services)
    assert await services.office.put_member(Member("emergency", "1001"), ANI)
    assert not await services.office.put_member(Member("emergency", "1001", 5), ANI)
    for member in (Member("water", "1001"), Member("emergency", "1009")):
        with pytest.raises(Unknown):
            await services.office.put_member(member, ANI)
    await services.office.remove_member("emergency", "1001", ANI)
    with pytest.raises(Unknown):
        await services.office.remove_member("emergency", "1001", ANI)


async def test_the_pause_of_one_whose_shift_is_over_is_over(services: Services) -> None:
    siti = await hired(services)
    await put(services, shift())
    await put(services, assigned(1))
    await put(services, PauseReason(digit="9", name="lunch", created_at=MONDAY))
    services.clock.at = local(13)
    await services.office.step(siti, Step.PAUSE, ANI, reason="lunch")
    services.clock.at = local(14)
    await services.level.look()
    await services.level.look()
    assert (await services.bookkeeper.books()).presence(siti.id).pause is None
