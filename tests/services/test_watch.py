"""The watch: short queues and the on-call list, lone operators, holes to come; each an alarm while it lasts."""

from dataclasses import replace
from typing import Any

from gateway.domain.books import Rules
from gateway.domain.facts import RingFact
from gateway.domain.roster import OnCall
from gateway.ports import Reading
from gateway.store.reads import Reads
from tests.domain.values import MONDAY, assigned, local, shift
from tests.services.conftest import ANI
from tests.services.test_office import hired, put
from tests.told import Services


async def alarms(services: Services) -> dict[str, str]:
    """The kinds of the alarms that stand, with what they are about."""
    return {alarm.kind: alarm.subject for alarm in await services.store.standing_alarms()}


async def after(services: Services, seconds: float) -> None:
    """So much later the watch looks around."""
    services.clock.now_s += seconds
    await services.watch.tick(services.clock())


async def rules(services: Services, **fields: Any) -> None:
    [there] = await services.store.kept(Rules)
    await services.office.change(there, replace(there, **fields), ANI)


async def events(services: Services, lead: str) -> list[str]:
    found = await Reads(services.store._engine).events(0, 1000)
    return [each.event.type for each in found if each.event.type.startswith(lead)]


async def say(services: Services, *, key: bool, step: str = "on-call") -> None:
    """The person who is being rung presses the key, or does not."""
    ring = services.switchboard.rings[-1]
    fact = RingFact(ring.id, services.clock(), step, ring.about, has_agreed=key)
    await services.centre.record(Reading(facts=(fact,)))


# ---------------------------------------------------------------- short of people


async def test_a_queue_that_is_short_for_a_while_is_an_alarm_until_it_is_not(services: Services) -> None:
    await after(services, 0)
    await after(services, 59)
    assert "short" not in await alarms(services)
    await after(services, 2)
    assert (await alarms(services))["short"] == "emergency"
    services.line.stand("1001", "unavailable")
    await after(services, 1)
    assert "short" in await alarms(services)
    services.line.stand("1001", "free")
    await after(services, 1)
    assert "short" not in await alarms(services)
    assert (await events(services, "alarm."))[-2:] == ["alarm.raised", "alarm.cleared"]


async def test_who_is_paused_or_whose_phone_is_lost_does_not_count_and_who_talks_does(services: Services) -> None:
    for line, pause, is_short in (("free", "lunch", True), ("unavailable", None, True), ("talking", None, False)):
        services.line.stand("1001", line, pause=pause)
        await after(services, 1)
        await after(services, 61)
        assert ("short" in await alarms(services)) == is_short


async def listed(services: Services, *people: str, **fields: Any) -> None:
    for place, phone in enumerate(people, 1):
        operator = await hired(services, phone)
        await put(services, OnCall(operator_id=operator.id, place=place, created_at=MONDAY, **fields))


async def test_the_on_call_list_is_rung_in_its_order_one_after_the_other(services: Services) -> None:
    await listed(services, "1001", "1002", "1003")
    await after(services, 0)
    await after(services, 61)
    assert [ring.phone for ring in services.switchboard.rings] == ["1001"]
    await after(services, 1)
    assert len(services.switchboard.rings) == 1
    await say(services, key=False)
    await after(services, 1)
    await after(services, 1)
    services.watch.ring_failed(services.switchboard.rings[-1].id)
    await after(services, 1)
    await after(services, 1)
    assert [ring.phone for ring in services.switchboard.rings] == ["1001", "1002", "1003"]
    assert await events(services, "on_call.") == [
        "on_call.created",
        "on_call.created",
        "on_call.created",
        "on_call.rung",
        "on_call.declined",
        "on_call.rung",
        "on_call.not_reached",
        "on_call.rung",
    ]


async def test_who_presses_the_key_at_his_own_phone_is_in_the_queue_and_nobody_else_is_rung(
    services: Services,
) -> None:
    await listed(services, "1001", "1002")
    await after(services, 0)
    await after(services, 61)
    await say(services, key=True)
    await after(services, 1)
    assert set(services.switchboard.held.members) == {("emergency", "1001")}
    await after(services, 60)
    assert len(services.switchboard.rings) == 1
    services.line.stand("1001", "free")
    await after(services, 1)
    assert "short" not in await alarms(services)


async def test_who_is_rung_at_another_number_is_on_the_way_and_not_yet_in(services: Services) -> None:
    await listed(services, "1001", number="08123456789", trunk="telkom")
    await after(services, 0)
    await after(services, 61)
    [ring] = services.switchboard.rings
    assert (ring.phone, ring.trunk, ring.ring_s) == ("08123456789", "telkom", 25)
    await say(services, key=True)
    await after(services, 1)
    assert not services.switchboard.held.members


async def test_the_list_begins_anew_after_a_while_when_nobody_came(services: Services) -> None:
    await listed(services, "1001")
    await after(services, 0)
    await after(services, 61)
    await say(services, key=False)
    await after(services, 1)
    await after(services, 9 * 60)
    assert len(services.switchboard.rings) == 1
    await after(services, 61)
    await after(services, 1)
    assert len(services.switchboard.rings) == 2


async def test_a_ring_of_which_nothing_is_heard_is_given_up(services: Services) -> None:
    await listed(services, "1001", "1002")
    await after(services, 0)
    await after(services, 61)
    await after(services, 25 + 31)
    await after(services, 1)
    assert [ring.phone for ring in services.switchboard.rings] == ["1001", "1002"]


async def test_only_who_is_ready_and_not_there_is_rung(services: Services) -> None:
    await listed(services, "1001", until_at=local(-1))
    await listed(services, "1002", queues=("emergency",))
    services.line.stand("1002", "free", queue="fire")
    await listed(services, "1003")
    await after(services, 0)
    await after(services, 61)
    assert [ring.phone for ring in services.switchboard.rings] == ["1003"]


async def test_a_number_that_asterisk_refuses_is_passed_over(services: Services) -> None:
    await listed(services, "1001", "1002")
    services.switchboard.refuses["1001"] = "Extension does not exist."
    await after(services, 0)
    await after(services, 61)
    await after(services, 1)
    assert [ring.phone for ring in services.switchboard.rings] == ["1002"]


async def test_a_yes_that_came_while_the_gateway_was_started_anew_counts(services: Services) -> None:
    await listed(services, "1001")
    fact = RingFact("of another life", services.clock(), "on-call", "1/emergency", has_agreed=True)
    await services.centre.record(Reading(facts=(fact,)))
    await after(services, 0)
    assert set(services.switchboard.held.members) == {("emergency", "1001")}


# ---------------------------------------------------------------- a lone operator


async def test_a_lone_operator_is_asked_at_the_interval_and_silence_is_an_alarm(services: Services) -> None:
    await rules(services, lone_check_min=30)
    services.line.stand("1001", "free")
    await after(services, 0)
    await after(services, 30 * 60)
    [ring] = services.switchboard.rings
    assert (ring.step, ring.phone, ring.ring_s) == ("lone", "1001", 60)
    await say(services, key=True, step="lone")
    await after(services, 1)
    assert "lone_silent" not in await alarms(services)
    await after(services, 30 * 60)
    await after(services, 91)
    assert (await alarms(services))["lone_silent"] == "1001"
    await after(services, 30 * 60)
    await say(services, key=True, step="lone")
    await after(services, 1)
    assert "lone_silent" not in await alarms(services)


async def test_who_is_not_alone_or_talks_is_not_asked(services: Services) -> None:
    await rules(services, lone_check_min=30)
    services.line.stand("1001", "talking")
    await after(services, 0)
    await after(services, 30 * 60)
    services.line.stand("1001", "free")
    services.line.stand("1002", "free")
    await after(services, 30 * 60)
    assert services.switchboard.rings == []
    services.line.leave("1002")
    await after(services, 1)
    await after(services, 29 * 60)
    assert services.switchboard.rings == []
    await after(services, 60)
    assert len(services.switchboard.rings) == 1


async def test_without_a_rule_nobody_is_asked(services: Services) -> None:
    services.line.stand("1001", "free")
    await after(services, 0)
    await after(services, 24 * 3600)
    assert services.switchboard.rings == []


# ---------------------------------------------------------------- holes, and what is not seen


async def test_a_hole_in_the_roster_to_come_is_an_alarm_until_somebody_fills_it(services: Services) -> None:
    await hired(services)
    await after(services, 0)
    assert (await alarms(services))["hole"] == "emergency"
    await put(services, shift(start="00:00", end="12:00"))
    await put(services, shift(2, start="12:00", end="00:00"))
    await put(services, assigned(1, 1, last=20))
    await after(services, 1)
    [alarm] = [each for each in await services.store.standing_alarms() if each.kind == "hole"]
    assert alarm.detail == "2026-08-17 12:00 to 2026-08-18 00:00: 0 of at least 1 people, and 6 more"
    await put(services, assigned(1, 2, last=20))
    await after(services, 1)
    assert "hole" not in await alarms(services)


async def test_while_asterisk_is_away_what_stood_stands_and_nobody_is_rung(services: Services) -> None:
    await listed(services, "1001")
    await after(services, 0)
    await after(services, 61)
    assert "short" in await alarms(services)
    services.switchboard.is_away = True
    services.line.stand("1002", "free")
    await after(services, 60)
    assert "short" in await alarms(services)
    assert len(services.switchboard.rings) == 1


async def test_an_alarm_that_stood_at_the_last_start_is_not_raised_again(services: Services) -> None:
    await after(services, 0)
    await after(services, 61)
    before = await events(services, "alarm.")
    again = Services(services.store, clock=services.clock)
    await again.watch.tick(services.clock())
    await after(again, 61)
    assert await events(services, "alarm.") == before
