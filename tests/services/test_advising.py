"""The advice on an arriving call: by rules and the past, and without either where they are late or broken."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway import advising
from gateway.advising import Advising, is_loaded
from gateway.domain.advice import Advice, TrunkRule
from gateway.domain.advice_rules import BURST, MOST_RULES, AdviceRule, Arrival, Condition, Effect, Past, PastCall
from gateway.domain.blocks import Block
from gateway.domain.call import PROBE_TRUNK, Call, Stage
from gateway.domain.change import Change
from gateway.domain.dispositions import Disposition
from gateway.domain.kept import Invalid, Kept, Unfitting
from gateway.domain.queues import Queue
from gateway.domain.reputation import Saying
from gateway.domain.trunks import Trunk
from gateway.ports import StoreAway, Taken
from tests.domain.values import MONDAY
from tests.services.conftest import ANI
from tests.told import Services

CALLER = "08123456789"
ARRIVAL = Arrival("112-9", "telkomsel", CALLER, MONDAY)
QUIET = {(BURST[0], True): 1}
CUT = Past(calls=[PastCall("112-1", MONDAY - timedelta(minutes=2), ended_at=MONDAY)], numbers=QUIET)
PRANKS = Past(sayings=[Saying(str(n), Disposition.PRANK, "Siti", MONDAY, MONDAY) for n in range(3)], numbers=QUIET)


class ToldPast:
    """A past that the test tells; `error` is raised instead, and `delay_s` waited before."""

    def __init__(self, past: Past | None = None) -> None:
        self.past_told = past or Past(numbers=QUIET)
        self.error: Exception | None = None
        self.delay_s = 0.0
        self.asked: list[tuple[datetime, frozenset[tuple[int, bool]]]] = []

    async def past(self, arrival: Arrival, since: datetime, windows: frozenset[tuple[int, bool]]) -> Past:
        self.asked.append((since, windows))
        await asyncio.sleep(self.delay_s)
        if self.error:
            raise self.error
        return self.past_told


def advisor(
    services: Services, past: ToldPast, *, loaded: str = "", deserted: str = "", **trunks: TrunkRule
) -> Advising:
    rules: Mapping[str, TrunkRule] = trunks
    return Advising(
        trunk_rules=rules,
        bookkeeper=services.bookkeeper,
        past=past,
        is_loaded=lambda queue: queue == loaded,
        is_deserted=lambda queue: queue == deserted,
    )


async def test_a_number_that_was_cut_is_advised_to_go_first_and_any_other_as_its_trunk_is(services: Services) -> None:
    past = ToldPast(CUT)
    found = await advisor(services, past).advise(ARRIVAL)
    assert found == Advice(priority=3, rules=("Cut a moment ago", "Second try"))
    assert past.asked == [(MONDAY - timedelta(minutes=10), frozenset({(3, True)}))]
    assert await advisor(services, ToldPast(), telkomsel=TrunkRule("medical", 2)).advise(ARRIVAL) == Advice(
        queue="medical", priority=2
    )
    assert (await advisor(services, ToldPast()).advise(ARRIVAL)).is_empty


async def test_who_hangs_up_and_redials_again_and_again_soon_waits_in_the_order_of_arrival(services: Services) -> None:
    """Three callers who did so for ever had every answer, and one who waited had none."""
    cut = [replace(CUT.calls[0], call_id=f"112-{n}", arrived_at=MONDAY - timedelta(seconds=20 * n)) for n in range(9)]
    told = [await advisor(services, ToldPast(replace(CUT, calls=cut[:count]))).advise(ARRIVAL) for count in range(5)]
    assert [advice.priority for advice in told] == [None, 3, 3, None, None]
    late = advisor(services, ToldPast(replace(CUT, calls=cut[:3])), telkomsel=TrunkRule(None, 0))
    assert (await late.advise(ARRIVAL)).priority == 0, "nor does it lift a call above its trunk's"


async def test_in_a_flood_of_numbers_its_second_wave_is_not_raised(services: Services) -> None:
    flood = ToldPast(replace(CUT, numbers={(BURST[0], True): BURST[1]}))
    assert (await advisor(services, flood).advise(ARRIVAL)).is_empty


async def test_the_centres_own_test_call_is_nobodys_second_try(services: Services) -> None:
    assert (await advisor(services, ToldPast(CUT)).advise(replace(ARRIVAL, trunk=PROBE_TRUNK))).is_empty


async def test_a_nuisance_number_hears_a_notice_and_is_asked_for_a_key_only_under_load(services: Services) -> None:
    calm = Advice(priority=0, notice="nuisance", rules=("Nuisance number",))
    assert await advisor(services, ToldPast(PRANKS)).advise(ARRIVAL) == calm
    assert await advisor(services, ToldPast(PRANKS), loaded="emergency").advise(ARRIVAL) == replace(calm, asks_key=True)


async def test_what_speaks_for_a_caller_puts_him_behind_no_other_call_of_his_trunk(services: Services) -> None:
    crowd = ToldPast(Past(numbers={(BURST[0], True): BURST[1]}))
    for priority, advised in ((3, 3), (2, 2), (1, 1), (0, 1)):
        found = await advisor(services, crowd, telkomsel=TrunkRule("medical", priority)).advise(ARRIVAL)
        if priority == 0:  # only there the burst changes anything
            assert found == Advice(queue="medical", priority=advised, rules=("Many numbers at once",))
        else:
            assert found == Advice(queue="medical", priority=None if advised == 1 else advised)
    assert (await advisor(services, crowd).advise(ARRIVAL)).is_empty
    located = replace(ARRIVAL, has_location=True)
    assert (await advisor(services, ToldPast(), telkomsel=TrunkRule(None, 3)).advise(located)).priority == 3
    assert (await advisor(services, ToldPast(PRANKS), telkomsel=TrunkRule(None, 3)).advise(ARRIVAL)).priority == 0


async def test_a_rules_queue_is_left_out_while_nobody_is_seen_there(services: Services) -> None:
    await put(services, Queue(name="medical", created_at=MONDAY))
    rule = {"name": "Doctors", "place": 1, "condition": Condition.TRUNK, "trunk": "telkomsel", "effect": Effect.FIRST}
    await put(services, AdviceRule(**rule, queue="medical", created_at=MONDAY))
    assert (await advisor(services, ToldPast()).advise(ARRIVAL)).queue == "medical"
    nobody = Advice(priority=3, rules=("Doctors",))
    assert await advisor(services, ToldPast(), deserted="medical").advise(ARRIVAL) == nobody
    trunks = {"telkomsel": TrunkRule("emergency")}
    found = await advisor(services, ToldPast(), deserted="medical", **trunks).advise(ARRIVAL)
    assert found == replace(nobody, queue="emergency")


def test_a_queue_is_loaded_by_its_own_callers_alone() -> None:
    def waits(number: int, queue: str, stage: Stage) -> Call:
        return Call(f"112-{number}", "telkomsel", CALLER, MONDAY, queue=queue, stage=stage)

    calls = [
        *(waits(number, "emergency", Stage.QUEUED) for number in range(5)),
        waits(5, "medical", Stage.QUEUED),
        waits(6, "medical", Stage.TALKING),
    ]
    assert not is_loaded("medical", calls, ["1001"])
    assert is_loaded("medical", [*calls, waits(7, "medical", Stage.FALLBACK)], ["1001"])
    assert is_loaded("emergency", calls, ["1001", "1002"])


async def test_a_past_that_is_late_or_away_leaves_the_advice_without_it(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.bookkeeper.books()  # whose reading takes its own time
    monkeypatch.setattr(advising, "LIMIT_S", 0.05)
    monkeypatch.setattr(advising, "ASK_AGAIN_S", 0.0)
    past = ToldPast(CUT)
    asked = advisor(services, past)
    past.delay_s = 5.0
    assert (await asked.advise(ARRIVAL)).is_empty
    assert (await asked.advise(replace(ARRIVAL, has_location=True))).rules == ("Location attached",)
    past.delay_s, past.error = 0.0, StoreAway("gone")
    assert (await asked.advise(ARRIVAL)).is_empty
    past.error = None
    assert (await asked.advise(ARRIVAL)).priority == 3
    past.error = ValueError("a defect")
    assert (await asked.advise(ARRIVAL)).is_empty
    assert asked.late == 4
    monkeypatch.setattr(advising, "ASK_AGAIN_S", 60.0)
    await asked.advise(ARRIVAL)
    past.error = None
    assert (await asked.advise(ARRIVAL)).is_empty, "a call that comes meanwhile does not wait for it"
    assert asked.late == 6


async def test_that_the_past_cannot_be_read_is_told_until_it_is_read_again_or_no_call_asked_for_long(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advising, "ASK_AGAIN_S", 0.0)
    past = ToldPast(CUT)
    asked = advisor(services, past)
    assert not asked.is_blind
    past.error = ValueError("too many terms in compound SELECT")
    await asked.advise(ARRIVAL)
    assert asked.is_blind
    past.error = None
    await asked.advise(ARRIVAL)
    assert not asked.is_blind
    monkeypatch.setattr(advising, "LATE_S", 0.0)
    past.error = StoreAway("gone")
    await asked.advise(ARRIVAL)
    assert not asked.is_blind
    monkeypatch.setattr(advising, "BLIND_S", 0.0)
    past.error = ValueError("too many terms in compound SELECT")
    await asked.advise(ARRIVAL)
    assert not asked.is_blind


async def test_while_the_database_is_away_the_rules_that_were_read_last_hold(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = advisor(services, ToldPast(CUT))
    await asked.advise(ARRIVAL)

    async def away() -> object:
        raise StoreAway("gone")

    monkeypatch.setattr(services.bookkeeper, "at_hand", away)
    assert (await asked.advise(ARRIVAL)).priority == 3
    fresh = advisor(services, ToldPast(CUT), telkomsel=TrunkRule("medical"))
    assert (await fresh.advise(ARRIVAL)).queue == "medical"


async def test_a_rule_that_somebody_broke_in_the_store_is_counted_and_the_call_goes_on(services: Services) -> None:
    broken = AdviceRule(
        name="Broken", place=1, condition=Condition.TRUNK, effect=Effect.FIRST, created_at=MONDAY, queue="emergency"
    )

    await services.saving.save(Change(kept=(broken,)))
    services.bookkeeper.forget()
    asked = advisor(services, ToldPast(CUT))
    assert [(await asked.advise(ARRIVAL)).priority for _ in range(2)] == [3, 3]
    assert asked.faults == 2


async def test_a_blocked_number_is_never_raised(services: Services) -> None:
    await put(services, Block(number=CALLER, reason="x", until=MONDAY + timedelta(hours=1), created_at=MONDAY))
    for caller in (CALLER, "+628123456789", "0812.345-6789"):
        assert await advisor(services, ToldPast(CUT)).advise(replace(ARRIVAL, caller=caller)) == Advice(priority=0)


# ---------------------------------------------------------------- what admins keep


async def put(services: Services, thing: Any) -> Any:
    return await services.office.create(thing, ANI)


async def test_a_block_is_in_asterisk_until_it_ends_or_is_retired_and_in_the_audit_log(services: Services) -> None:
    block = Block(number=CALLER, reason="200 calls", until=MONDAY + timedelta(hours=1), created_at=MONDAY)
    kept = await put(services, block)
    notes = services.switchboard.held.notes
    assert notes[f"block/{CALLER}"] == str(int(block.until.timestamp()))
    assert services.level.holds_until == block.until
    with pytest.raises(Unfitting, match="blocked already"):
        await put(services, block)
    with pytest.raises(Invalid, match="24 hours"):
        await services.office.change(kept, replace(kept, until=MONDAY + timedelta(hours=25)), ANI)
    services.clock.at = block.until
    await services.level.look()
    assert f"block/{CALLER}" not in services.switchboard.held.notes
    again = await put(services, replace(block, created_at=block.until, until=block.until + timedelta(hours=24)))
    await services.office.retire(again, ANI)
    assert f"block/{CALLER}" not in services.switchboard.held.notes


async def test_a_queue_or_trunk_that_a_rule_names_is_there_and_stays(services: Services) -> None:
    def named(**fields: Any) -> AdviceRule:
        known: dict[str, Any] = {"name": "Hospital", "place": 1, "condition": Condition.TRUNK, "effect": Effect.FIRST}
        return AdviceRule(**known | {"trunk": "telkom", "created_at": MONDAY} | fields)

    with pytest.raises(Unfitting) as refused:
        await put(services, named(queue="medical"))
    assert refused.value.field == "queue"
    with pytest.raises(Unfitting) as refused:
        await put(services, named(trunk="nobody"))
    assert refused.value.field == "trunk"
    medical = await put(services, Queue(name="medical", created_at=MONDAY))
    await put(services, named(queue="medical"))
    [telkom] = [each for each in await services.store.kept(Trunk) if each.name == "telkom"]
    things: list[Kept] = [medical, telkom]
    for thing in things:
        with pytest.raises(Taken, match="advice rule Hospital"):
            await services.office.retire(thing, ANI)


async def test_there_are_no_more_rules_than_one_read_of_the_past_can_answer(services: Services) -> None:
    """600 windows were more than the database takes in one statement, and all advice was without a past."""
    crowd: dict[str, Any] = {"condition": Condition.MANY_NUMBERS, "least_numbers": 9, "is_by_trunk": True}
    rules = [
        AdviceRule(name="Crowd", place=1, within_min=minutes, effect=Effect.NORMAL, created_at=MONDAY, **crowd)
        for minutes in range(1, MOST_RULES + 1)
    ]
    made = [await put(services, each) for each in rules[: MOST_RULES - len(await services.store.kept(AdviceRule))]]
    with pytest.raises(Taken, match="50 advice rules, as many as may be"):
        await put(services, rules[-1])
    changed = await services.office.change(made[0], replace(made[0], place=2), ANI)
    await services.office.retire(changed, ANI)
    await put(services, rules[-1])


async def test_the_first_rules_are_brought_once_and_stay_away_once_retired(services: Services) -> None:
    rules = await services.store.kept(AdviceRule)
    assert len(rules) == 6
    assert all(rule.is_on for rule in rules)
    for rule in rules:
        await services.office.retire(rule, ANI)
    await services.office.set_up("emergency", "admin")
    assert await services.store.kept(AdviceRule) == []
