"""A flood on one trunk of a real centre: an alarm within seconds, the other trunks' calls are told meanwhile, and no
call is lost."""

import asyncio
import time
from collections import Counter

import pytest

from tests import sip
from tests.centre import Api, Json, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

INDOSAT = "127.0.0.12"
CALLS = 60
OPERATORS = ("2001", "2002", "2003", "2004", "2005")
ALARM_WITHIN_S = 5.0

SETTINGS = {"call": {"queue_max_wait_s": 60}}
"""A centre of its own has no memory of other modules' calls."""


@pytest.fixture
def api(own_api: Api) -> Api:
    return own_api


async def floods(api: Api, kind: str) -> list[Json]:
    alarms = (await api.get("/v1/alarms", standing="true"))["items"]
    return [alarm for alarm in alarms if alarm["kind"] == kind]


async def until_flood(api: Api, kind: str) -> Json:
    async with asyncio.timeout(20):
        while not (found := await floods(api, kind)):
            await asyncio.sleep(0.05)
    [alarm] = found
    return alarm


async def test_a_burst_on_one_trunk_is_an_alarm_within_seconds_and_costs_nobody_a_call(
    own_centre: RealCentre, api: Api
) -> None:
    burst = Sipp.caller(sip.caller_talks(hold_ms=2000), own_centre.sip_port, calls=CALLS, rate=10)
    other = Sipp.caller(sip.caller_talks(hold_ms=6000), own_centre.sip_port, address=INDOSAT)
    async with Sipp("uas", address="127.0.0.21") as phone:
        for number in OPERATORS:
            await api.operator(number, phone, name=f"Petugas {number}")
        async with burst:
            began = time.monotonic()
            alarm = await until_flood(api, "flood_trunk")
            took_s = time.monotonic() - began
            assert took_s < ALARM_WITHIN_S, alarm
            async with other:
                results = [await burst.result(), await other.result()]
        assert [(result.succeeded, result.failed) for result in results] == [(CALLS, 0), (1, 0)]
        calls = await api.ended_calls(CALLS + 1)
    assert alarm["subject"] == "telkomsel"
    assert alarm["detail"].endswith("calls in one minute; what is usual is not known yet; alarm above 20")
    assert len({call["id"] for call in calls}) == len(calls) == CALLS + 1
    assert Counter(call["trunk"] for call in calls) == {"telkomsel": CALLS, "indosat": 1}
    assert {call["outcome"] for call in calls} <= {"answered", "abandoned"}
    [outcome] = [call["outcome"] for call in calls if call["trunk"] == "indosat"]
    assert outcome == "answered", "the other trunk's caller has his turn while the flood goes on"
    [shown] = [each for each in (await api.get("/v1/board"))["alarms"] if each["kind"] == "flood_trunk"]
    assert shown["subject"] == "telkomsel"


async def test_one_number_that_calls_again_and_again_is_an_alarm(own_centre: RealCentre, api: Api) -> None:
    caller = sip.caller_talks(hold_ms=200, caller="<sip:0811999@[local_ip]>")
    result = await sip.call(caller, own_centre.sip_port, calls=11, rate=20)
    assert (result.succeeded, result.failed) == (11, 0)
    alarm = await until_flood(api, "flood_number")
    assert alarm["subject"] == "0811999"
    assert alarm["detail"] == (
        "11 calls in ten minutes, the last over telkomsel; 0 in the 28 days before; alarm above 10"
    )
