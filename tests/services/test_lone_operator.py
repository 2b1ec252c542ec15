"""The watch: a lone operator is asked whether all is well, and silence is an alarm until there is a sign of life."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.facts import (
    CallerLeft,
    DialFact,
    DialResult,
    DialStep,
    LegConnected,
    LegLeft,
    LegRung,
    Side,
)
from gateway.domain.presence import NO_ANSWER
from gateway.ports import RecordingCounts, SwitchboardAway
from tests.domain.values import local
from tests.services.conftest import ANI
from tests.services.test_callbacks import newest, unheard
from tests.services.test_centre import a_call, told
from tests.services.test_office import hired
from tests.services.test_watch import after, alarms, away, rules, say
from tests.told import Services


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
    await after(services, 104)
    assert "lone_silent" not in await alarms(services)
    await after(services, 2)
    assert (await alarms(services))["lone_silent"] == "1001"
    await after(services, 30 * 60)
    await say(services, key=True, step="lone")
    await after(services, 1)
    assert "lone_silent" not in await alarms(services)


async def silent(services: Services) -> None:
    """1001 is alone and does not answer the question that was asked at 00:30."""
    await rules(services, lone_check_min=30)
    services.line.stand("1001", "free")
    await after(services, 0)
    services.clock.at = local(0.5)
    await after(services, 30 * 60)
    await after(services, 106)
    assert (await alarms(services))["lone_silent"] == "1001"


LEG = ("112-1.1", local(7.01), "leg", "1001")


@pytest.mark.parametrize("line", ["ringing", "talking"])  # Asterisk says that it talks where one call is the limit
async def test_a_call_that_rings_is_no_sign_of_life_and_one_that_is_answered_is(services: Services, line: str) -> None:
    await silent(services)
    await told(services, *a_call("112-1.1", LegRung(*LEG)))
    services.line.stand("1001", line)
    await after(services, 1)
    assert "lone_silent" in await alarms(services)
    await told(services, LegConnected(*LEG))
    await after(services, 1)
    assert "lone_silent" not in await alarms(services)


async def test_a_call_that_rings_does_not_put_the_next_question_off(services: Services) -> None:
    await silent(services)
    services.line.stand("1001", "ringing")
    await after(services, 30 * 60 - 106)
    assert len(services.switchboard.rings) == 1
    services.line.stand("1001", "free")
    await after(services, 1)
    assert len(services.switchboard.rings) == 2


async def test_a_line_that_is_busy_without_end_is_asked_all_the_same(services: Services) -> None:
    await rules(services, lone_check_min=30)
    services.line.stand("1001", "talking")
    await after(services, 0)
    await after(services, 30 * 60)
    assert services.switchboard.rings == []
    await after(services, 106)
    assert len(services.switchboard.rings) == 1


async def test_who_calls_somebody_back_is_alive_and_is_not_asked_meanwhile(services: Services) -> None:
    siti = await hired(services)
    await told(services, *unheard("112-9.1", hour=0.01))
    await silent(services)
    task = await services.callbacks.dial((await newest(services)).id, siti.id, ANI, None)
    await after(services, 1)
    assert "lone_silent" in await alarms(services)  # the phone only rings
    await told(services, DialFact(task.dialling or "", services.clock(), DialStep.RUNG))
    services.line.stand("1001", "talking")
    for seconds in (1, 30 * 60, 106):
        await after(services, seconds)
        assert "lone_silent" not in await alarms(services)
    services.clock.at = local(1.1)
    await told(services, DialFact(task.dialling or "", local(1.1), DialStep.ENDED, DialResult.ANSWERED))
    services.line.stand("1001", "free")
    await after(services, 1)
    await after(services, 30 * 60 - 2)
    assert len(services.switchboard.rings) == 1
    await after(services, 2)
    assert len(services.switchboard.rings) == 2


@pytest.mark.parametrize(("talked_at", "is_alive"), [(local(0.4), False), (local(0.6), True)])
async def test_a_talk_that_is_over_is_a_sign_of_life_if_it_was_after_the_question(
    services: Services, talked_at: Any, is_alive: bool
) -> None:
    await silent(services)
    at, second = talked_at, timedelta(seconds=1)
    await told(
        services,
        *a_call("112-1.1", at_h=0.3),
        LegRung("112-1.1", at, "leg", "1001"),
        LegConnected("112-1.1", at, "leg", "1001"),
        LegLeft("112-1.1", at + second, "leg", "1001", 16),
        CallerLeft("112-1.1", at + second, 16, Side.CALLER),
    )
    await after(services, 1)
    assert ("lone_silent" not in await alarms(services)) == is_alive


async def test_a_late_key_is_a_sign_of_life(services: Services) -> None:
    await silent(services)
    await say(services, key=True, step="lone")
    await after(services, 1)
    assert "lone_silent" not in await alarms(services)


async def test_who_is_silent_and_then_paused_for_it_stays_an_alarm_until_somebody_else_is_there(
    services: Services,
) -> None:
    await silent(services)
    services.line.stand("1001", "free", pause=NO_ANSWER)
    await after(services, 1)
    assert (await alarms(services))["lone_silent"] == "1001"
    again = Services(services.store, clock=services.clock, line=services.line)
    await after(again, 0)
    assert (await alarms(services))["lone_silent"] == "1001"
    services.line.stand("1002", "free")
    await after(again, 1)
    assert "lone_silent" not in await alarms(services)


async def test_who_is_paused_because_the_phone_was_not_picked_up_is_asked_on(services: Services) -> None:
    await rules(services, lone_check_min=30)
    services.line.stand("1001", "free")
    await after(services, 0)
    services.line.stand("1001", "free", pause=NO_ANSWER)
    await after(services, 30 * 60)
    assert [ring.phone for ring in services.switchboard.rings] == ["1001"]


async def test_a_line_that_is_lost_for_a_moment_puts_no_question_off(services: Services) -> None:
    """A phone on a weak network would never be asked."""
    await rules(services, lone_check_min=30)
    services.line.stand("1001", "free")
    await after(services, 0)
    services.line.stand("1001", "unavailable")
    await after(services, 15 * 60)
    services.line.stand("1001", "free")
    await after(services, 14 * 60)
    services.line.stand("1001", "unavailable")
    await after(services, 60)
    assert services.switchboard.rings == [], "nobody is there to hear it"
    services.line.stand("1001", "free")
    await after(services, 1)
    assert [ring.phone for ring in services.switchboard.rings] == ["1001"]


async def test_who_was_paused_because_the_phone_was_not_picked_up_and_says_that_all_is_well_is_rung_again(
    services: Services,
) -> None:
    """Nobody else would take the calls."""
    siti = await hired(services)
    await rules(services, lone_check_min=30, missed_rings_limit=1)
    services.line.stand("1001", "free")
    await after(services, 0)
    services.clock.at = local(7.5)
    missed = LegLeft("112-1.1", local(7.2), "leg", "1001", 19)
    await told(services, *a_call("112-1.1"), LegRung("112-1.1", local(7.1), "leg", "1001"), missed)
    assert (await services.bookkeeper.books()).presence(siti.id).pause == NO_ANSWER
    services.line.stand("1001", "free", pause=NO_ANSWER)
    await after(services, 30 * 60)
    await say(services, key=False, step="lone")
    assert (await services.bookkeeper.books()).presence(siti.id).pause == NO_ANSWER
    await say(services, key=True, step="lone")
    assert (await services.bookkeeper.books()).presence(siti.id).pause is None
    assert [each.deed.action for each in services.told] == ["operator.paused", "operator.resumed"]


async def test_whatever_asterisk_does_not_answer_all_else_that_is_wrong_is_told(services: Services) -> None:
    """It answers late when there is too much to do: that is when people must know."""
    await rules(services, lone_check_min=30)
    services.line.stand("1001", "free")
    await after(services, 0)
    await services.evidence.watch()
    services.evidence.standing.counts = RecordingCounts(failing=1)
    services.clock.now_s += 30 * 60
    with away(services.switchboard, "ring", error=SwitchboardAway), pytest.raises(SwitchboardAway):
        await services.watch.tick(services.clock())
    assert "recording_failed" in {each.kind for each in await services.store.standing_alarms()}


async def test_a_question_that_asterisk_did_not_take_is_asked_again_and_is_no_silence(services: Services) -> None:
    await rules(services, lone_check_min=30)
    services.line.stand("1001", "free")
    await after(services, 0)
    with away(services.switchboard, "ring", error=SwitchboardAway), pytest.raises(SwitchboardAway):
        await after(services, 30 * 60)
    await after(services, 106)
    assert "lone_silent" not in await alarms(services)
    assert len(services.switchboard.rings) == 1


async def test_who_is_not_alone_or_talks_is_not_asked(services: Services) -> None:
    await rules(services, lone_check_min=30)
    services.line.stand("1001", "talking")
    await after(services, 0)
    await told(services, *a_call("112-1.1", LegRung(*LEG), LegConnected(*LEG)))
    await after(services, 30 * 60)
    await told(services, LegLeft(*LEG, 16), CallerLeft("112-1.1", local(8), 16, Side.CALLER))
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
