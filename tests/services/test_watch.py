"""The watch: short queues and the on-call list, holes to come; each an alarm while it lasts."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.alarms import Alarm
from gateway.domain.books import Rules
from gateway.domain.duty import Step
from gateway.domain.facts import RingFact
from gateway.domain.queues import Queue
from gateway.domain.roster import OnCall
from gateway.ports import Reading, StoreAway, SwitchboardAway
from gateway.store.reads import Reads
from tests.domain.values import MONDAY, assigned, local, queue, shift
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


async def say(services: Services, *, key: bool, step: str = "on-call", place: int = -1) -> None:
    """The person who is being rung presses the key, or does not; `place` says which of the rings, if not the last."""
    ring = services.switchboard.rings[place]
    fact = RingFact(ring.id, services.clock(), step, ring.about, has_agreed=key)
    await services.centre.record(Reading(facts=(fact,)))


def rung(services: Services) -> list[str]:
    return [ring.phone for ring in services.switchboard.rings]


@contextlib.contextmanager
def away(thing: object, *names: str, error: type[Exception] = StoreAway) -> Iterator[None]:
    """Has these of the thing's methods raise."""

    async def fail(*_: object, **__: object) -> None:
        raise error("nobody answers")

    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(thing, name, fail)
        yield


STORE = ("commit", "audit_head", "standing_alarms")
"""The store as the watch and the office know it."""


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
    await after(services, 25 + 46)
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


async def test_of_those_who_come_only_who_is_not_there_yet_counts(services: Services) -> None:
    [emergency] = await services.store.kept(Queue)
    await services.office.change(emergency, replace(emergency, minimum=2), ANI)
    await listed(services, "1001", "1002", "1003")
    await after(services, 0)
    await after(services, 61)
    await say(services, key=True)
    services.line.stand("1001", "free")
    await after(services, 1)
    assert rung(services) == ["1001", "1002"]
    await say(services, key=True)
    await after(services, 1)
    await after(services, 60)
    assert rung(services) == ["1001", "1002"]


async def test_a_yes_that_comes_after_its_ring_was_given_up_still_counts(services: Services) -> None:
    await listed(services, "1001", "1002", "1003")
    await after(services, 0)
    await after(services, 61)
    await after(services, 25 + 46)
    assert rung(services) == ["1001", "1002"]
    await say(services, key=True, place=0)
    await say(services, key=False)
    await after(services, 1)
    await after(services, 60)
    assert rung(services) == ["1001", "1002"]
    assert set(services.switchboard.held.members) == {("emergency", "1001")}


async def test_a_ring_of_which_nothing_is_heard_is_given_up_though_its_queue_is_not_short_any_more(
    services: Services,
) -> None:
    await put(services, queue("fire"))
    services.line.stand("1009", "free", queue="fire")
    await listed(services, "1001")
    await after(services, 0)
    await after(services, 61)
    assert [ring.about for ring in services.switchboard.rings] == ["1/emergency"]
    services.line.leave("1009")
    services.line.stand("1002", "free")
    await after(services, 1)
    await after(services, 25 + 46)
    assert [ring.about for ring in services.switchboard.rings] == ["1/emergency", "1/fire"]


async def test_while_the_store_is_away_the_list_is_rung_and_it_is_told_after(services: Services) -> None:
    await listed(services, "1001", "1002")
    await after(services, 0)
    with away(services.store, *STORE):
        with pytest.raises(StoreAway):
            await after(services, 61)
        services.watch.ring_failed(services.switchboard.rings[-1].id)
        with pytest.raises(StoreAway):
            await after(services, 1)
        assert rung(services) == ["1001", "1002"]
    await after(services, 1)
    assert (await events(services, "on_call."))[2:] == ["on_call.rung", "on_call.not_reached", "on_call.rung"]
    assert (await alarms(services))["short"] == "emergency"


@pytest.mark.parametrize("names", [("commit",), STORE])
async def test_who_said_yes_while_the_store_was_away_is_let_in_and_it_is_told_after(
    services: Services, names: tuple[str, ...]
) -> None:
    await listed(services, "1001", "1002")
    await after(services, 0)
    await after(services, 61)
    await after(services, 1)
    await say(services, key=True)
    with away(services.store, *names), contextlib.suppress(StoreAway):
        await after(services, 1)
    await after(services, 1)
    assert set(services.switchboard.held.members) == {("emergency", "1001")}
    assert (await events(services, "on_call."))[2:] == ["on_call.rung", "on_call.accepted"]
    await after(services, 60)
    assert rung(services) == ["1001"]


async def test_a_yes_that_cannot_be_taken_now_does_not_lose_the_others(services: Services) -> None:
    await put(services, queue("fire"))
    await listed(services, "1001", "1002")
    await after(services, 0)
    await after(services, 61)
    assert [ring.about for ring in services.switchboard.rings] == ["1/emergency", "2/fire"]
    await say(services, key=True, place=0)
    await say(services, key=True, place=1)
    with away(services.office, "step"):
        await after(services, 1)
    await after(services, 1)
    assert {("emergency", "1001"), ("fire", "1002")} <= set(services.switchboard.held.members)


async def test_who_could_not_be_rung_because_asterisk_was_away_is_not_passed_over(services: Services) -> None:
    await listed(services, "1001", "1002")
    await after(services, 0)
    with away(services.switchboard, "ring", error=SwitchboardAway), pytest.raises(SwitchboardAway):
        await after(services, 61)
    await after(services, 1)
    assert rung(services) == ["1001"]
    assert (await events(services, "on_call."))[2:] == ["on_call.rung"]


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


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (None, "at any time"),
        (("00:00", "06:00"), "2026-08-17 06:00 to 2026-08-18 00:00"),
        (("06:00", "14:00"), "until 2026-08-17 06:00"),
    ],
)
async def test_what_is_said_of_a_hole_that_goes_on_stays(
    services: Services, hours: tuple[str, str] | None, words: str
) -> None:
    await hired(services)
    if hours:
        await put(services, shift(start=hours[0], end=hours[1]))
        await put(services, assigned(1, 1, last=20))
        services.clock.at = local(7) if hours[0] == "00:00" else local(3)
    for _ in range(3):
        await after(services, 61)
        [alarm] = [each for each in await services.store.standing_alarms() if each.kind == "hole"]
        assert alarm.detail.startswith(f"{words}: 0 of at least 1 people")
        services.clock.at = services.clock() + timedelta(minutes=10)


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


async def test_a_phone_that_registers_elsewhere_is_shut_and_an_alarm_until_it_has_another_secret(
    services: Services,
) -> None:
    siti = await hired(services)
    switchboard = services.switchboard
    switchboard.held = replace(switchboard.held, astray=frozenset({"1001"}))
    await services.level.look()
    switchboard.held = replace(switchboard.held, astray=frozenset())
    assert switchboard.held.phones["1001"].is_shut
    await after(services, 1)
    assert (await alarms(services))["phone_leads_elsewhere"] == "1001"

    await services.level.look()
    assert switchboard.held.phones["1001"].is_shut
    await services.office.change_operator(siti, siti, ANI, renews_secret=True)
    assert not switchboard.held.phones["1001"].is_shut
    await after(services, 1)
    assert "phone_leads_elsewhere" not in await alarms(services)


async def test_a_phone_is_shut_also_where_the_look_that_finds_it_comes_to_nothing(services: Services) -> None:
    siti = await hired(services)
    switchboard = services.switchboard
    looks = (
        services.level.look,
        lambda: services.office.step(siti, Step.PAUSE, ANI, reason="lunch"),
    )
    with away(services.store, *STORE):
        services.bookkeeper.forget()
        for number, look in enumerate(looks):
            phones = {"1001": replace(switchboard.held.phones["1001"], is_shut=False)}
            switchboard.held = replace(switchboard.held, phones=phones, astray=frozenset({"1001"}))
            with pytest.raises(StoreAway):
                await look()
            assert switchboard.held.phones["1001"].is_shut, number
    switchboard.held = replace(switchboard.held, astray=frozenset())
    await services.level.look()
    assert switchboard.held.phones["1001"].is_shut
    await after(services, 1)
    assert "phone_leads_elsewhere" in await alarms(services)


async def test_a_phone_that_cannot_be_shut_is_an_alarm_all_the_same(services: Services) -> None:
    await hired(services)
    switchboard = services.switchboard
    switchboard.refuses["1001"] = "its disk is full"
    switchboard.held = replace(switchboard.held, astray=frozenset({"1001"}))
    await services.level.look()
    assert not switchboard.held.phones["1001"].is_shut
    await after(services, 1)
    assert "phone_leads_elsewhere" in await alarms(services)
    del switchboard.refuses["1001"]
    switchboard.held = replace(switchboard.held, astray=frozenset())
    await services.level.look()
    assert switchboard.held.phones["1001"].is_shut


async def test_a_receiver_that_takes_no_events_is_an_alarm_also_while_asterisk_is_away(services: Services) -> None:
    services.switchboard.is_away = True
    services.receivers = [Alarm("webhook_failing", "webhook/f5", "it takes nothing", services.clock())]
    await after(services, 1)
    assert (await alarms(services))["webhook_failing"] == "webhook/f5"

    services.receivers = []
    await after(services, 1)
    assert "webhook_failing" not in await alarms(services)
