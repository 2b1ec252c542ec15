"""Floods and silences, as the journal tells of the calls: alarms that rise, stand and end, also over a restart."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.domain.alarms import Alarm
from gateway.domain.call import PROBE_TRUNK, Outcome
from gateway.domain.change import Change
from gateway.domain.facts import CallerLeft, Described, Entered, Side
from gateway.domain.trunks import Registration, Trunk
from gateway.store.flow_reads import FlowReads
from tests.domain.values import MONDAY
from tests.services.conftest import ANI
from tests.services.test_centre import told
from tests.services.test_watch import away, events, rules
from tests.store.values import a_call
from tests.told import Services

HOUR = timedelta(hours=1)


async def alarms(services: Services, lead: str = "") -> dict[tuple[str, str], Alarm]:
    """The alarms of floods and silences that stand, by kind and subject."""
    ours = ("flood_trunk", "flood_number", "quiet_trunk", "probe_failed")
    found = await services.store.standing_alarms()
    return {alarm.key: alarm for alarm in found if alarm.kind in ours and alarm.kind.startswith(lead)}


async def after(services: Services, seconds: float = 1) -> None:
    """So much later the watch looks around, by both clocks."""
    services.clock.at = services.clock() + timedelta(seconds=seconds)
    services.clock.now_s += seconds
    await services.watch.tick(services.clock())


async def hours_pass(services: Services, hours: float) -> None:
    """A centre that goes on hearing looks around every minute; here it is enough that it does now and then."""
    for _ in range(round(hours * 60)):
        await after(services, 60)


async def come(
    services: Services, count: int, trunk: str = "telkomsel", caller: str = "", described: str | None = None
) -> None:
    """Calls that come now, of a number each if not said, and that end at once."""
    at, facts = services.clock(), []
    for _ in range(count):
        call_id, number = f"112-{next(_numbers)}", caller or f"0812{next(_numbers)}"
        facts += [Entered(call_id, at, trunk, number)]
        facts += [
            Described(call_id, at, number if described is None else described, "", "112", "", "", "", "", ""),
            CallerLeft(call_id, at, 16, Side.CALLER),
        ]
    await told(services, *facts)


def _count() -> Any:
    number = 0
    while True:
        number += 1
        yield number


_numbers = _count()


async def a_past(services: Services, per_hour: int, trunk: str = "telkomsel", days: int = 7) -> datetime:
    """Calls of so many days until now, the same in each hour. Returns when the last one came."""
    now = services.clock()
    hours = [now - number * HOUR for number in range(24 * days, 0, -1)]
    times = [hour + timedelta(minutes=60 * number / per_hour) for hour in hours for number in range(per_hour)]
    there = [a_call(next(_numbers), trunk=trunk, arrived_at=at, ended_at=at, outcome=Outcome.ABANDONED) for at in times]
    for start in range(0, len(there), 200):
        await services.store.commit(Change(calls=tuple(there[start : start + 200])))
    return times[-1]


async def learnt(services: Services) -> None:
    """Once it was looked around for each trunk, all habits are known."""
    for _ in range(6):
        await after(services, 15)


# ---------------------------------------------------------------- floods


async def test_a_flood_on_one_trunk_is_an_alarm_at_the_next_look_and_of_that_trunk_alone(services: Services) -> None:
    await after(services)
    await come(services, 25)
    await come(services, 5, "indosat")
    await after(services)
    [alarm] = (await alarms(services)).values()
    assert alarm.key == ("flood_trunk", "telkomsel")
    assert alarm.detail == "25 calls in one minute; what is usual is not known yet; alarm above 20"
    assert (await events(services, "alarm."))[-1] == "alarm.raised"


async def test_a_flood_is_over_when_it_has_been_low_for_a_minute(services: Services) -> None:
    await after(services)
    await come(services, 25)
    await after(services)
    await after(services, 59)
    assert await alarms(services)
    await after(services, 62)
    assert not await alarms(services)
    assert (await events(services, "alarm."))[-1] == "alarm.cleared"


async def test_what_is_a_flood_is_told_by_habit_and_by_the_ceiling(services: Services) -> None:
    await a_past(services, 30, days=7)
    await rules(services, flood_factor=80.0)
    await learnt(services)
    await come(services, 39)
    await after(services)
    assert not await alarms(services)
    await come(services, 2)
    await after(services)
    [alarm] = (await alarms(services)).values()
    assert alarm.detail == "41 calls in one minute; usual at this hour: 0.5; alarm above 40"
    await rules(services, flood_trunk_per_min=5)
    await come(services, 6, "indosat")
    await after(services)
    assert ("flood_trunk", "indosat") in await alarms(services)


async def test_a_number_that_calls_again_and_again_is_an_alarm_with_how_often_it_called_before(
    services: Services,
) -> None:
    before = [a_call(next(_numbers), caller="08110001", arrived_at=MONDAY - day * 24 * HOUR) for day in range(1, 4)]
    await services.store.commit(Change(calls=tuple(before)))
    await after(services)
    for _ in range(11):
        await come(services, 1, caller="08110001")
        await after(services, 20)
    [alarm] = (await alarms(services)).values()
    assert alarm.key == ("flood_number", "08110001")
    assert alarm.detail == ("11 calls in ten minutes, the last over telkomsel; 3 in the 28 days before; alarm above 10")


async def test_a_number_with_many_callers_behind_it_may_call_some_times_its_habit(services: Services) -> None:
    times = [MONDAY - timedelta(minutes=5 * number) for number in range(4, 2004)]  # one in twenty minutes, over 28 days
    there = [a_call(next(_numbers), caller="021112", arrived_at=at) for at in times]
    await services.store.commit(Change(calls=tuple(there)))
    await rules(services, flood_number_per_10min=2, flood_factor=15.0)
    await after(services)
    for count, floods in ((3, {"0811"}), (5, {"0811"}), (1, {"0811", "021112"})):
        await come(services, count, caller="0811")
        await come(services, count, caller="021112")
        await after(services)
        assert {number for _, number in await alarms(services)} == floods
    assert (await alarms(services))["flood_number", "021112"].detail == (
        "9 calls in ten minutes, the last over telkomsel; 2000 in the 28 days before; alarm above 8"
    )


async def test_withheld_numbers_are_nobodys_and_the_trunk_counts_all_the_same(services: Services) -> None:
    await after(services)
    await come(services, 25, caller="anonymous", described="")
    await after(services)
    assert set(await alarms(services)) == {("flood_trunk", "telkomsel")}


async def test_the_number_that_the_dialplan_found_counts(services: Services) -> None:
    await after(services)
    await come(services, 11, caller="garbled", described="+62811")
    await after(services)
    assert set(await alarms(services)) == {("flood_number", "+62811")}


async def test_the_probes_calls_are_no_flood(services: Services) -> None:
    await after(services)
    await come(services, 40, PROBE_TRUNK, caller="112")
    await after(services)
    assert not await alarms(services)


async def test_calls_of_which_the_journal_tells_hours_later_are_no_flood_now(services: Services) -> None:
    await after(services)
    now = services.clock()
    services.clock.at = now - 3 * HOUR
    await come(services, 50, caller="0811")
    services.clock.at = now
    await after(services)
    assert not await alarms(services)


async def test_a_flood_goes_on_over_a_restart_and_is_counted_on(services: Services) -> None:
    await after(services)
    await come(services, 25)
    await after(services)
    again = Services(services.store, clock=services.clock)
    await again.centre.resume()
    before = await events(again, "alarm.")
    for _ in range(3):
        await come(again, 10)
        await after(again, 11)
    assert await events(again, "alarm.") == before
    [alarm] = (await alarms(again)).values()
    assert alarm.detail.startswith("45 calls") or alarm.detail.startswith("55 calls")
    await after(again, 130)
    await after(again, 61)
    assert not await alarms(again)


async def test_calls_that_the_feed_does_not_hold_any_more_are_read_from_the_store(services: Services) -> None:
    await after(services)
    await come(services, 900)  # 2,700 events
    await after(services)
    assert (await alarms(services))["flood_trunk", "telkomsel"].detail.startswith("900 calls")


async def test_while_the_store_is_away_a_flood_is_judged_by_what_is_known(services: Services) -> None:
    await after(services)
    await come(services, 11, caller="08110001")
    with away(FlowReads, "counts", "hours", "probes"):
        await after(services)
    detail = (await alarms(services))["flood_number", "08110001"].detail
    assert detail == "11 calls in ten minutes, the last over telkomsel; alarm above 10"


# ---------------------------------------------------------------- silent trunks


async def test_a_trunk_that_falls_silent_is_an_alarm_until_it_brings_a_call(services: Services) -> None:
    await a_past(services, 12)
    await a_past(services, 1, "indosat")
    await learnt(services)
    await hours_pass(services, 0.7)
    assert not await alarms(services)
    await hours_pass(services, 0.1)
    [alarm] = (await alarms(services)).values()
    assert alarm.key == ("quiet_trunk", "telkomsel")
    assert alarm.detail == "no call since 2026-08-17 00:00: in that time 9 are usual"
    await hours_pass(services, 0.5)
    assert (await alarms(services))[alarm.key] == alarm
    await come(services, 1)
    await after(services)
    assert not await alarms(services)


async def test_the_rule_says_how_long_even_a_busy_trunk_may_be_silent(services: Services) -> None:
    await rules(services, quiet_after_min=60)
    await a_past(services, 24, days=7)
    await learnt(services)
    await hours_pass(services, 0.9)
    assert not await alarms(services)
    await hours_pass(services, 0.1)
    assert await alarms(services)


@pytest.mark.parametrize("hears", [False, True], ids=["the journal is away", "the clock leaps"])
async def test_a_silence_in_which_the_centre_itself_did_not_hear_is_no_alarm(services: Services, hears: bool) -> None:
    await a_past(services, 24, days=7)
    await learnt(services)
    services.journal.knows_all = hears
    await after(services, 3 * 3600)
    services.journal.knows_all = True
    await hours_pass(services, 0.4)
    assert not await alarms(services)
    await hours_pass(services, 0.2)
    assert await alarms(services)


async def test_a_silence_that_stood_stands_while_nothing_is_heard_and_over_a_restart(services: Services) -> None:
    for trunk in ("telkomsel", "xlsmart"):
        await a_past(services, 24, trunk)
    await learnt(services)
    await hours_pass(services, 0.6)
    assert len(await alarms(services)) == 2
    services.journal.knows_all = False
    await after(services, 3600)
    assert len(await alarms(services)) == 2
    before = await events(services, "alarm.")
    again = Services(services.store, clock=services.clock)
    await again.centre.resume()
    with away(FlowReads, "hours", "last_calls", "probes", "arrivals"):
        await after(again)
    await after(again, 31)
    await learnt(again)
    assert await events(again, "alarm.") == before
    await come(again, 1)
    await after(again)
    assert set(await alarms(again)) == {("quiet_trunk", "xlsmart")}


async def test_a_silence_of_many_weeks_stands_until_a_call_comes_though_nothing_is_usual_any_more(
    services: Services,
) -> None:
    await a_past(services, 24)
    await learnt(services)
    await hours_pass(services, 0.6)
    stood = await alarms(services)
    assert set(stood) == {("quiet_trunk", "telkomsel")}
    for days in (20, 7, 7):
        await after(services, days * 24 * 3600)
        await learnt(services)
        assert await alarms(services) == stood
    again = Services(services.store, clock=services.clock)
    await again.centre.resume()
    await after(again)
    await learnt(again)
    assert await alarms(again) == stood
    await come(again, 1)
    await after(again)
    assert not await alarms(again)


async def test_a_silence_that_a_call_ended_while_the_gateway_was_away_is_over(services: Services) -> None:
    await a_past(services, 24)
    await learnt(services)
    await hours_pass(services, 0.6)
    assert await alarms(services)
    await services.store.commit(Change(calls=(a_call(next(_numbers), arrived_at=services.clock() + HOUR),)))
    services.clock.at = services.clock() + 40 * 24 * HOUR
    again = Services(services.store, clock=services.clock)
    await again.centre.resume()
    await learnt(again)
    assert not await alarms(again)


async def test_a_new_trunk_and_one_that_is_retired_are_not_silent(services: Services) -> None:
    await a_past(services, 24, days=7)
    await learnt(services)
    await hours_pass(services, 0.6)
    assert set(await alarms(services)) == {("quiet_trunk", "telkomsel")}
    trunk = next(each for each in await services.store.kept(Trunk) if each.name == "telkomsel")
    await services.office.retire(trunk, ANI)
    await after(services)
    assert not await alarms(services)


async def alarming_a_minute_after(services: Services, **becomes: Any) -> Alarm:
    """The alarm of Telkomsel, whose state nobody minds before its trunk `becomes` so, and everybody a minute after."""
    await after(services)
    await after(services, 61)
    assert not await alarms(services)
    trunk = next(each for each in await services.store.kept(Trunk) if each.name == "telkomsel")
    await services.office.change(trunk, replace(trunk, **becomes), ANI)
    await after(services)
    await after(services, 59)
    assert not await alarms(services)
    await after(services, 1)
    [alarm] = (await alarms(services)).values()
    assert alarm.key == ("quiet_trunk", "telkomsel")
    return alarm


async def test_a_carrier_that_does_not_answer_for_a_minute_is_an_alarm_if_it_is_asked(services: Services) -> None:
    services.line.trunks_up = {"telkomsel": False, "indosat": False}
    alarm = await alarming_a_minute_after(services, is_asked=True)
    assert alarm.detail == "Telkomsel has not answered since 2026-08-17 00:01 when asked (SIP OPTIONS)"
    services.line.trunks_up["telkomsel"] = True
    await after(services)
    assert not await alarms(services)


async def test_a_carrier_that_does_not_take_the_registration_for_a_minute_is_an_alarm(services: Services) -> None:
    services.line.trunks_registered = {"telkomsel": False, "indosat": False}
    alarm = await alarming_a_minute_after(services, registration=Registration("10.0.0.1", "sidoarjo", "secret"))
    assert alarm.detail.startswith("Telkomsel has not taken the registration since 2026-08-17 00:01: ")
    assert "secret" not in alarm.detail
    services.line.trunks_registered["telkomsel"] = True
    await after(services)
    assert not await alarms(services)


# ---------------------------------------------------------------- test calls


async def probed(services: Services, *minutes: float, last: Outcome = Outcome.ANSWERED) -> None:
    """Test calls of the past, that many minutes ago, the latest last."""
    times = [services.clock() - timedelta(minutes=minute) for minute in minutes]
    there = [
        a_call(
            next(_numbers),
            trunk=PROBE_TRUNK,
            arrived_at=at,
            ended_at=at,
            outcome=last if at == times[-1] else Outcome.ANSWERED,
        )
        for at in times
    ]
    await services.store.commit(Change(calls=tuple(there)))


async def test_a_test_call_that_came_by_the_clock_and_comes_no_more_is_an_alarm(services: Services) -> None:
    await probed(services, 75, 60, 45, 30, 15, 0)
    await after(services)
    await hours_pass(services, 0.4)
    assert not await alarms(services)
    await hours_pass(services, 0.05)
    [alarm] = (await alarms(services)).values()
    assert alarm.key == ("probe_failed", "probe")
    assert alarm.detail == "no test call since 2026-08-17 00:00; they came every 15 min"


async def test_test_calls_that_are_given_up_are_an_alarm_for_a_week(services: Services) -> None:
    await probed(services, 75, 60, 45, 30, 15, 0)
    await after(services)
    await hours_pass(services, 1.1)
    assert set(await alarms(services)) == {("probe_failed", "probe")}
    await after(services, 6 * 24 * 3600)
    assert set(await alarms(services)) == {("probe_failed", "probe")}
    await after(services, 24 * 3600)
    assert not await alarms(services)


@pytest.mark.parametrize("side", [Side.CALLER, Side.CENTRE])
async def test_a_test_call_that_is_not_answered_is_an_alarm_when_it_has_ended(services: Services, side: Side) -> None:
    await probed(services, 75, 60, 45, 30, 15)
    await hours_pass(services, 0.1)
    at = services.clock()
    await told(services, Entered("112-p", at, PROBE_TRUNK, "112"))
    await after(services)
    assert not await alarms(services)
    await told(services, CallerLeft("112-p", services.clock(), 16, side))
    await after(services)
    words = "cancelled" if side is Side.CALLER else "failed"
    alarm = (await alarms(services))["probe_failed", "probe"]
    assert alarm.detail == f"the test call of 2026-08-17 00:06 was not answered: it ended as {words}"


async def test_test_calls_that_nobody_makes_regularly_are_no_alarm(services: Services) -> None:
    await probed(services, 600, 400, 390, 20, 0, last=Outcome.ABANDONED)
    await hours_pass(services, 2)
    assert not await alarms(services)


async def test_test_calls_that_come_no_more_after_the_clock_was_put_back_are_an_alarm(services: Services) -> None:
    await probed(services, 75, 60, 45, 30, 15, 0)
    now = services.clock()
    services.clock.at = now + 7 * HOUR
    await probed(services, 0)
    await after(services)
    services.clock.at = now
    await hours_pass(services, 1.1)
    assert set(await alarms(services)) == {("probe_failed", "probe")}


async def test_a_trunk_that_falls_silent_after_the_clock_was_put_back_is_an_alarm(services: Services) -> None:
    """The last call came by the clock before: seven hours ahead."""
    await a_past(services, 30)
    await learnt(services)
    now = services.clock()
    services.clock.at = now + 7 * HOUR
    await come(services, 1)
    await after(services)
    services.clock.at = now + timedelta(minutes=5)
    await after(services)
    await hours_pass(services, 1)
    assert ("quiet_trunk", "telkomsel") in await alarms(services)
    await come(services, 1)
    await after(services)
    assert ("quiet_trunk", "telkomsel") not in await alarms(services)


async def silent_after_a_setback(services: Services) -> dict[tuple[str, str], Alarm]:
    """The alarm of Telkomsel, whose last call came by a clock that has been put back since, by seven hours."""
    await a_past(services, 30)
    await learnt(services)
    now = services.clock()
    services.clock.at = now + 7 * HOUR
    await come(services, 1)
    await after(services)
    services.clock.at = now + timedelta(minutes=5)
    await hours_pass(services, 1)
    stood = await alarms(services)
    assert set(stood) == {("quiet_trunk", "telkomsel")}
    return stood


async def test_a_trunk_that_falls_silent_is_an_alarm_also_where_the_clock_was_put_back_before_a_restart(
    services: Services,
) -> None:
    await a_past(services, 30)
    now = services.clock()
    services.clock.at = now + 7 * HOUR
    await come(services, 1)
    services.clock.at = now + timedelta(minutes=5)
    again = Services(services.store, clock=services.clock)
    await again.centre.resume()
    await learnt(again)
    assert not await alarms(again)
    await hours_pass(again, 1)
    assert set(await alarms(again)) == {("quiet_trunk", "telkomsel")}


async def test_a_call_that_is_told_of_by_the_clock_before_once_it_was_put_back_hides_no_silence(
    services: Services,
) -> None:
    await a_past(services, 30)
    await learnt(services)
    now = services.clock()
    services.clock.at = now + 7 * HOUR
    await come(services, 1)
    services.clock.at = now
    await hours_pass(services, 1)
    assert set(await alarms(services)) == {("quiet_trunk", "telkomsel")}


@pytest.mark.parametrize("hears", [True, False], ids=["it hears at once", "it hears later"])
async def test_a_silence_that_the_clock_before_raised_is_over_with_the_first_call_after_a_restart(
    services: Services, hears: bool
) -> None:
    await a_past(services, 24)
    now = services.clock()
    services.clock.at = now + 7 * HOUR
    await learnt(services)
    await hours_pass(services, 0.6)
    assert set(await alarms(services)) == {("quiet_trunk", "telkomsel")}
    services.clock.at = now + timedelta(minutes=20)
    again = Services(services.store, clock=services.clock)
    again.journal.knows_all = hears
    await again.centre.resume()
    await after(again)
    services.clock.at += timedelta(seconds=5)
    await come(again, 1)
    again.journal.knows_all = True
    await learnt(again)
    assert not await alarms(again)


async def test_a_silence_after_the_clock_was_put_back_stands_over_a_restart(services: Services) -> None:
    stood = await silent_after_a_setback(services)
    again = Services(services.store, clock=services.clock)
    await again.centre.resume()
    await learnt(again)
    assert await alarms(again) == stood
    await hours_pass(again, 1)
    assert await alarms(again) == stood


async def test_a_silence_after_the_clock_was_put_back_stands_where_the_feed_does_not_reach_back(
    services: Services,
) -> None:
    stood = await silent_after_a_setback(services)
    await come(services, 1, "indosat")
    services.feed.forget()
    await after(services)
    assert await alarms(services) == stood
