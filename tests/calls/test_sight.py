"""What a real gateway tells of itself: one id for a call in everything that is written of it, and for how long the
gateway saw nothing."""

import asyncio
import json
import signal
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import sip
from tests.calls.conftest import Api, RealCentre
from tests.centre import Json
from tests.sip import Sipp
from tests.test_watching import NAMED, rules

pytestmark = pytest.mark.asterisk
SETTINGS = {"logs": {"form": "json"}}
UNSEEN_S = 3.0


async def blind_times(api: Api, count: int, why: str) -> list[Json]:
    """What was told of so many blind times of that kind, once it is."""
    async with asyncio.timeout(20):
        while True:
            told = [each["data"] for each in await api.events() if each["type"] == "gateway.was_blind"]
            if len(found := [each for each in told if each["why"] == why]) >= count:
                return found
            await asyncio.sleep(0.2)


async def metric(api: Api, series: str) -> float:
    async with api.session.get("/metrics") as response:
        [line] = [line for line in (await response.text()).splitlines() if line.startswith(f"{series} ")]
    return float(line.rpartition(" ")[2])


async def test_a_calls_id_is_the_same_in_journal_ledger_log_and_recording(own_centre: RealCentre, own_api: Api) -> None:
    async with Sipp(sip.phone_answers(), address="127.0.0.21") as phone:
        await own_api.operator("1001", phone)
        assert (await sip.call(sip.caller_talks(hold_ms=1500), own_centre.sip_port)).failed == 0
        [call] = await own_api.ended_calls(1)
    one_id = call["id"]

    journal = (own_centre.settings.journal_dir / "journal.csv").read_text()
    assert [line for line in journal.splitlines() if one_id in line]
    events = [each["type"] for each in await own_api.events() if each["call_id"] == one_id]
    assert {"call.arrived", "call.answered", "call.ended"} <= set(events)
    lines = [json.loads(line) for line in own_centre.log().splitlines() if one_id in line]
    told = {line["event"]: line for line in lines}
    assert {line["call"] for line in lines} == {one_id}
    assert told["call_answered"]["phone"] == "1001"
    assert told["call_ended"]["outcome"] == "answered"
    [recording] = (await own_api.get("/v1/recordings", call=one_id))["items"]
    assert recording["id"] == one_id
    assert list(own_centre.settings.paths.recordings.rglob(f"{one_id}.*"))
    # and no line has the number that called
    assert call["caller"] not in own_centre.log()


async def test_a_real_gateway_serves_each_metric_that_the_alert_rules_ask_for(
    own_centre: RealCentre, own_api: Api
) -> None:
    async with own_api.session.get("/metrics") as response:
        told = await response.text()
    there = {sample.name for family in text_string_to_metric_families(told) for sample in family.samples}
    named = {name for rule in rules() for name in NAMED.findall(rule["expr"])}
    # these are there once a trunk is asked or its channels are known, and a webhook is set up
    assert named - there <= {
        "gateway112_trunk_up",
        "gateway112_trunk_channels",
        "gateway112_webhook_failing",
        "gateway112_webhook_lag_events",
    }


async def test_a_gateway_that_was_killed_tells_how_long_it_saw_nothing_and_how_many_calls_it_read_afterwards(
    own_centre: RealCentre, own_api: Api
) -> None:
    async with Sipp.caller(sip.caller_talks(hold_ms=6000), own_centre.sip_port, calls=5, rate=25) as running:
        async with asyncio.timeout(10):
            while len([each for each in await own_api.calls() if not each["outcome"]]) < 5:
                await asyncio.sleep(0.05)
        own_centre.stop_gateway(signal.SIGKILL)
        killed_s = time.monotonic()
        late = await sip.call(sip.caller_talks(hold_ms=300), own_centre.sip_port, calls=2, rate=20)
        await asyncio.sleep(max(0.0, UNSEEN_S - (time.monotonic() - killed_s)))
        own_centre.start_gateway()
        await own_centre.ready()
        [told] = await blind_times(own_api, 1, "down")
        unseen_s = time.monotonic() - killed_s
        assert ((await running.result()).failed, late.failed) == (0, 0)

    assert (told["calls"], told["calls_arrived"], told["calls_untold"]) == (7, 2, [])
    assert UNSEEN_S <= told["seconds"] <= unseen_s + 1
    health = await own_api.get("/v1/health")
    assert (health["sight"]["blind"], health["sight"]["last"]["seconds"]) == (False, told["seconds"])
    assert await metric(own_api, 'gateway112_blind_seconds_total{why="down"}') == told["seconds"]
    assert await metric(own_api, 'gateway112_blind_calls_total{why="down"}') == 7
    [line] = [json.loads(line) for line in own_centre.log().splitlines() if '"gateway_was_blind"' in line]
    assert (line["seconds"], line["calls"]) == (told["seconds"], 7)


async def test_a_journal_that_does_not_grow_while_asterisk_has_calls_is_told_with_the_calls_that_it_lacks(
    own_centre: RealCentre, own_api: Api
) -> None:
    folder = own_centre.settings.journal_dir
    gone = folder.with_name("gone")
    folder.rename(gone)
    assert (await sip.call(sip.caller_talks(hold_ms=300), own_centre.sip_port)).failed == 0
    async with asyncio.timeout(12):
        while "journal_silent" not in [each["code"] for each in (await health(own_api))["reasons"]]:
            await asyncio.sleep(0.2)
    gone.rename(folder)
    assert (await sip.call(sip.caller_talks(hold_ms=300), own_centre.sip_port)).failed == 0
    [told] = await blind_times(own_api, 1, "journal")
    assert len(told["calls_untold"]) == 1


async def health(api: Api) -> Json:
    async with api.session.get("/v1/health") as response:
        told: Json = await response.json()
        return told
