"""Blindness: for how long the gateway did not see, why, and how many calls went on meanwhile."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.blindness import Blindness
from gateway.domain.alarms import Alarm
from gateway.domain.facts import CallerLeft, Entered, Fact, Side
from gateway.domain.sight import Why
from gateway.ports import Reading, StoreAway
from gateway.store.reads import Reads
from gateway.store.sight_reads import StoredSight
from tests.domain.values import MONDAY
from tests.services.test_watch import STORE, away
from tests.told import Services

LINK = (Why.ASTERISK, "127.0.0.1:5038: Connection refused.")


async def pass_by(services: Services, seconds: float, blindness: Blindness | None = None) -> None:
    """So much later it is looked."""
    services.clock.now_s += seconds
    services.clock.at = services.clock() + timedelta(seconds=seconds)
    await (blindness or services.blindness).look()


async def told(services: Services) -> list[dict[str, Any]]:
    events = await Reads(services.store._engine).events(0, 1000)
    return [dict(each.event.data) for each in events if each.event.type == "gateway.was_blind"]


async def journal(services: Services, *facts: Fact) -> None:
    await services.centre.record(Reading(facts=facts))


def anew(services: Services) -> Blindness:
    """What sees once the gateway is started anew."""
    return Blindness(
        store=services.store,
        reads=StoredSight(services.store._engine),
        saving=services.saving,
        zone=services.zone,
        why_blind=lambda: services.why_blind,
        lost_s=lambda: services.lost_s,
        is_drained=lambda: services.journal.knows_all,
        running_calls=lambda: services.centre.running_calls,
        clock=services.clock,
        clock_s=services.clock.seconds,
    )


async def test_a_first_start_and_a_quick_one_are_no_blindness(services: Services) -> None:
    await services.blindness.begin()
    services.why_blind = LINK
    await pass_by(services, 20)
    services.why_blind = None
    await pass_by(services, 1)
    again = anew(services)
    await again.begin()
    await pass_by(services, 2, again)
    assert await told(services) == []
    assert again.why is None


async def test_a_gateway_that_takes_over_from_one_that_goes_on_was_not_blind(services: Services) -> None:
    await services.blindness.begin()
    await pass_by(services, 1)
    services.clock.at = services.clock() + timedelta(seconds=30)  # the one before has not said so for a while
    again = anew(services)
    await again.begin()
    assert again.lasts_s == 30
    await pass_by(services, 4)
    await pass_by(services, 1, again)
    assert await told(services) == []
    assert again.why is None


async def test_a_gateway_that_did_not_run_tells_how_long_and_how_many_calls_it_read_afterwards(
    services: Services,
) -> None:
    """One call went on before it ended, one came while it was away, one came and went; one was over long before."""
    before = MONDAY - timedelta(hours=1)
    await journal(services, Entered("112-0.1", before, "telkomsel", "0811"), _left("112-0.1", before))
    await journal(services, Entered("112-1.1", MONDAY, "telkomsel", "0811"))
    await services.blindness.begin()
    await pass_by(services, 1)
    at = services.clock() + timedelta(seconds=30)
    services.clock.at = services.clock() + timedelta(seconds=60)
    services.journal.knows_all = False
    again = anew(services)
    await again.begin()
    await pass_by(services, 1, again)
    assert (again.why, again.since) == (Why.DOWN, MONDAY + timedelta(seconds=1))
    await journal(services, Entered("112-2.1", at, "indosat", "0812"), Entered("112-3.1", at, "telkom", "0813"))
    await journal(services, _left("112-3.1", at), Entered("112-4.1", at, "probe", "99"))
    services.journal.knows_all = True
    await pass_by(services, 1, again)
    [event] = await told(services)
    assert event == {
        "why": "down",
        "reason": "the gateway did not run",
        "since": "2026-08-16T17:00:01Z",
        "seconds": 62.0,
        "calls": 3,
        "calls_arrived": 2,
        "calls_untold": [],
    }
    assert (again.why, again.seconds[Why.DOWN], again.times[Why.DOWN], again.calls[Why.DOWN]) == (None, 62.0, 1, 3)
    # who starts after that still knows
    third = anew(services)
    await third.begin()
    assert third.last == again.last
    assert third.seconds == again.seconds


async def test_what_could_not_be_stored_is_counted_once_the_journal_is_read_to_its_end(services: Services) -> None:
    """The first part of it is stored a while before the last."""
    await services.blindness.begin()
    await pass_by(services, 1)
    services.why_blind = (Why.STORE, "the disk is full")
    await pass_by(services, 60)
    at = services.clock()
    services.why_blind, services.journal.knows_all = None, False
    await journal(services, Entered("112-1.1", at, "telkomsel", "0811"))
    await pass_by(services, 1)
    assert (services.blindness.why, await told(services)) == (Why.STORE, [])
    await journal(services, Entered("112-2.1", at, "indosat", "0812"), Entered("112-3.1", at, "telkom", "0813"))
    services.journal.knows_all = True
    await pass_by(services, 1)
    [event] = await told(services)
    assert (event["why"], event["calls"], event["calls_arrived"]) == ("store", 3, 3)
    assert services.blindness.why is None


def _left(call_id: str, at: Any) -> CallerLeft:
    return CallerLeft(call_id, at, 16, Side.CALLER)


async def test_a_gateway_that_comes_back_without_asterisk_says_what_is_missing_now(services: Services) -> None:
    """It said, as long as Asterisk was away, that it did not run itself."""
    await services.blindness.begin()
    await pass_by(services, 1)
    services.clock.at = services.clock() + timedelta(seconds=30)
    services.why_blind = LINK
    again = anew(services)
    await again.begin()
    await pass_by(services, 9, again)
    assert again.why is Why.DOWN
    await pass_by(services, 1, again)
    assert (again.why, again.since) == (Why.ASTERISK, services.clock())
    [event] = await told(services)
    assert (event["why"], event["seconds"]) == ("down", 40.0)
    await pass_by(services, 3600, again)
    [alarm] = again.alarms(services.clock())
    assert alarm.detail.endswith("the gateway was not in touch with Asterisk")


async def test_a_link_that_is_cut_is_an_alarm_while_it_lasts_and_a_while_after(services: Services) -> None:
    await services.blindness.begin()
    await pass_by(services, 1)
    services.why_blind = LINK
    await pass_by(services, 1)
    assert services.blindness.alarms(services.clock()) == []
    await pass_by(services, 10)
    assert services.blindness.alarms(MONDAY) == [
        Alarm("blind", "asterisk", "blind since 00:00:01: the gateway was not in touch with Asterisk", MONDAY)
    ]
    services.why_blind = None
    await pass_by(services, 1)
    [alarm] = services.blindness.alarms(services.clock())
    assert (alarm.subject, alarm.detail) == (
        "asterisk",
        "blind from 00:00:01 to 00:00:13 (12 s): the gateway was not in touch with Asterisk. "
        "0 calls were under way, 0 of them arrived then",
    )
    await services.watch.tick(services.clock())
    assert [each.kind for each in await services.store.standing_alarms() if each.kind == "blind"] == ["blind"]
    assert services.blindness.alarms(services.clock() + timedelta(minutes=15)) == []


async def test_a_link_that_fell_silent_counts_from_its_last_word_on(services: Services) -> None:
    await services.blindness.begin()
    await pass_by(services, 30)
    services.why_blind, services.lost_s = LINK, 12.0
    await pass_by(services, 1)
    assert services.blindness.lasts_s == 19
    assert services.blindness.since == services.clock() - timedelta(seconds=19)


async def test_while_the_store_is_away_the_time_goes_on_and_is_told_once_it_is_back(services: Services) -> None:
    await services.blindness.begin()
    await pass_by(services, 6)
    services.why_blind = (Why.STORE, "the disk is full")
    await pass_by(services, 1)
    services.why_blind = None
    with away(services.store, *STORE):
        for _ in range(3):
            with pytest.raises(StoreAway):
                await pass_by(services, 5)
    await pass_by(services, 1)
    [event] = await told(services)
    assert (event["why"], event["reason"], event["seconds"]) == ("store", "the disk is full", 17.0)


async def test_a_call_that_asterisk_announced_and_its_journal_does_not_tell_is_missed_after_seconds(
    services: Services,
) -> None:
    await services.blindness.begin()
    await pass_by(services, 1)
    services.blindness.announce("112-1.1")
    services.blindness.announce("112-2.1")
    await journal(services, Entered("112-1.1", MONDAY, "telkomsel", "0811"))
    await pass_by(services, 1)
    services.blindness.announce("112-3.1")
    await pass_by(services, 4)
    assert services.blindness.why is Why.JOURNAL
    await pass_by(services, 10)
    assert services.blindness.alarms(services.clock())[0].subject == "journal"
    services.blindness.announce("112-4.1")
    await journal(services, Entered("112-4.1", MONDAY, "telkomsel", "0811"))
    await pass_by(services, 1)
    [event] = await told(services)
    assert event["calls_untold"] == ["112-2.1", "112-3.1"]
    assert (services.blindness.why, event["why"], event["seconds"]) == (None, "journal", 16.0)


async def test_short_calls_that_are_told_late_are_not_missed(services: Services) -> None:
    await services.blindness.begin()
    await pass_by(services, 1)
    services.blindness.announce("112-1.1")
    services.journal.knows_all = False
    await pass_by(services, 8)
    await journal(services, Entered("112-1.1", MONDAY, "telkomsel", "0811"), _left("112-1.1", MONDAY))
    services.journal.knows_all = True
    await pass_by(services, 1)
    assert services.blindness.why is None


async def test_no_number_of_announced_calls_is_too_many(services: Services) -> None:
    await services.blindness.begin()
    await pass_by(services, 1)
    for place in range(3000):
        services.blindness.announce(f"112-{place}.1")
    await pass_by(services, 10)
    assert services.blindness.why is Why.JOURNAL
    for _ in range(100):
        await pass_by(services, 1)
    assert len(services.blindness._untold) <= 1000


async def test_a_clock_that_is_put_back_makes_no_time_negative(services: Services) -> None:
    await services.blindness.begin()
    await pass_by(services, 6)
    services.clock.at = MONDAY - timedelta(hours=1)
    again = anew(services)
    await again.begin()
    await pass_by(services, 1, again)
    assert await told(services) == []
    assert again.seconds[Why.DOWN] == 0
