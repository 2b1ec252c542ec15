"""Callers who do not speak, on a real Asterisk, with real sound and real keys."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import baresip
import pytest

from tests import sip
from tests.calls.desks import Desk, an_office
from tests.calls.ears import Ear, listening
from tests.calls.phones import a_phone
from tests.calls.test_duty import told
from tests.calls.test_roster import within
from tests.calls.test_stories import since
from tests.centre import Api, Json, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

HEARD = ("call.spoke", "call.silent", "call.asked_for_key", "call.key_pressed")


async def hears_the_prompt(ear: Ear, ask: Callable[[], Awaitable[object]], *, to_its_end: bool = True) -> None:
    """Asks, and returns once the caller has heard more than a second of speech, and quiet after it."""
    mark_s = ear.heard_s
    await ask()
    await within(lambda: sum(ear.loud(mark_s)) > 5, 8)
    if to_its_end:
        await within(lambda: not any(ear.loud(ear.heard_s - 0.7)), 8)


async def by_code(call: baresip.Call) -> None:
    """The operator dials *9 in the talk."""
    for key in "*9":
        await call.send_dtmf(key)
        await asyncio.sleep(0.1)


async def heard(api: Api, call: Json) -> list[tuple[str, Json]]:
    """What was heard of the call, in its order."""
    events = (await api.get(f"/v1/calls/{call['id']}/events"))["items"]
    return [(each["type"], each["data"]) for each in events if each["type"] in HEARD]


async def test_a_silent_caller_is_told_and_asked_and_answers_by_keys_and_one_who_talks_is_heard(
    centre: RealCentre, api: Api, tmp_path: Path
) -> None:
    mark = await since(api)
    siti = await api.operator("1001", None)
    mute, talker = (f"<sip:{number}@[local_ip]>" for number in ("0811000", "0811999"))
    async with listening() as ear, a_phone(centre, "1001", siti["secret"]) as phone:
        silent = sip.caller_presses("7", after_ms=6000, hold_ms=7500, media=ear.media_with_events, caller=mute)
        async with Sipp.caller(silent, centre.sip_port) as first:
            call = await phone.take()
            [running] = [each for each in await api.calls() if each["arrived_at"] > mark]

            async with Sipp(sip.phone_answers(), address="127.0.0.21") as other:
                await api.operator("1002", other, "Budi")
                sound = sip.tone(tmp_path / "caller.alaw", 700)
                talks = sip.caller_talks(hold_ms=2500, sound=sound, caller=talker)
                async with Sipp.caller(talks, centre.sip_port) as second:
                    await hears_the_prompt(ear, lambda: by_code(call))
                    assert (await second.result()).failed == 0
            await hears_the_prompt(ear, lambda: api.send("POST", f"/v1/calls/{running['id']}/ask-for-key"))
            await ear.press("5")
            await told(api, lambda board: any(each["is_caller_silent"] for each in board["operators"]), "/v1/board")
            assert (await first.result()).failed == 0

    calls = {each["caller"]: each for each in await api.ended_calls(2, after=mark)}
    assert {each["outcome"] for each in calls.values()} == {"answered"}
    was_silent, spoke = calls["0811000"], calls["0811999"]
    found = await heard(api, was_silent)
    assert [data["by"] for name, data in found if name == "call.asked_for_key"] == ["1001", "admin"]
    # by RFC 4733, and by SIP INFO
    assert sorted(data["key"] for name, data in found if name == "call.key_pressed") == ["5", "7"]
    assert [data for name, data in found if name == "call.silent"] == [{"phone": "1001"}]
    assert (was_silent["spoke_at"], was_silent["disposition"]) == (None, None)
    assert [name for name, _ in await heard(api, spoke)] == ["call.spoke"]
    assert spoke["greeted_at"] < spoke["spoke_at"] < spoke["ended_at"]
    missing = await api.get("/v1/dispositions/missing")
    assert {was_silent["id"], spoke["id"]} <= {call_id for group in missing["groups"] for call_id in group["call_ids"]}
    assert "notice_not_shown" not in centre.log()


async def test_whoever_took_a_silent_caller_over_asks_him_for_a_key_by_the_same_code(
    centre: RealCentre, api: Api
) -> None:
    mark = await since(api)
    mute = "<sip:0811002@[local_ip]>"
    async with listening() as ear, an_office(centre, api) as office:
        first = await office.desk("1001", 1000, queue="emergency")
        second = await office.desk("1003", 1300)
        caller = sip.caller_presses("7", after_ms=16_000, hold_ms=17_000, media=ear.media_with_events, caller=mute)
        async with Sipp.caller(caller, centre.sip_port) as carrier:
            call = await silently(first)
            await first.press(call, "*50")
            await first.press(call, f"{second.number}#")
            taken = await silently(second)
            await asyncio.sleep(0.5)
            await call.hangup()
            await asyncio.sleep(0.5)
            await hears_the_prompt(ear, lambda: by_code(taken))
            assert (await carrier.result()).failed == 0
    [ended] = await api.ended_calls(1, after=mark)
    asked = [data["by"] for name, data in await heard(api, ended) if name == "call.asked_for_key"]
    assert (ended["caller"], asked) == ("0811002", ["1003"])


async def silently(desk: Desk) -> baresip.Call:
    """Answers the next call that comes, and says nothing."""
    async with asyncio.timeout(20):
        call = await desk.rung.get()
        await call.answer()
        await call.wait_established()
    return call
