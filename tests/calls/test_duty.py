"""Operators' own actions on a softphone, and what the centre does when nobody picks up or nobody is there."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from tests import sip
from tests.calls.phones import Softphone, a_phone
from tests.calls.test_roster import members, within
from tests.centre import Api, Json, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

SETTINGS = {"call": {"queue_max_wait_s": 30}}


@pytest.fixture
async def api(own_api: Api) -> AsyncIterator[Api]:
    yield own_api
    for person in (await own_api.get("/v1/on-call"))["items"]:
        await own_api.send("DELETE", f"/v1/on-call/{person['id']}", status=204)
    await own_api.send("PATCH", "/v1/rules", {"lone_check_min": None, "short_after_s": 3600})


@pytest.fixture
async def siti(own_centre: RealCentre, api: Api) -> AsyncIterator[tuple[Softphone, Json]]:
    """An operator without any shift, at a registered softphone."""
    operator = await api.operator("1001", None, queue="")
    async with a_phone(own_centre, "1001", operator["secret"]) as phone:
        yield phone, operator


async def duty(api: Api, operator: Json) -> Json:
    return await api.get(f"/v1/operators/{operator['id']}/duty")


async def told(api: Api, is_so: Callable[[Json], bool], path: str) -> Json:
    """What the path tells, once it is so."""
    async with asyncio.timeout(10):
        while True:
            answer = await api.get(path)
            if is_so(answer):
                return answer
            await asyncio.sleep(0.05)


async def audited(api: Api, operator: Json, count: int) -> list[str]:
    """The last actions in the audit log about the operator, once there are so many."""

    def of(answer: Json) -> list[Json]:
        return [entry for entry in answer["items"] if entry["action"].startswith("operator.") and not entry["after"]]

    path = f"/v1/audit?limit=1000&subject=operator/{operator['id']}"
    answer = await told(api, lambda answer: len(of(answer)) >= count, path)
    return [f"{entry['action'].removeprefix('operator.')} {entry['address'].partition(' ')[0]}" for entry in of(answer)]


async def test_a_softphones_codes_log_in_and_out_pause_and_come_back(
    own_centre: RealCentre, api: Api, siti: tuple[Softphone, Json]
) -> None:
    phone, operator = siti
    path = f"/v1/operators/{operator['id']}/duty"

    await phone.dial("*45")
    assert members(own_centre) == {"1001"}
    assert (await told(api, lambda duty: duty["said"] == "in", path))["places"][0]["queue"] == "emergency"

    await phone.dial("*461")
    assert "paused:Istirahat" in own_centre.cli("queue show emergency")
    await told(api, lambda duty: duty["pause"] == "Istirahat", path)

    await phone.dial("*47")
    assert "paused" not in own_centre.cli("queue show emergency")
    await told(api, lambda duty: duty["pause"] is None, path)

    await phone.dial("*469")  # names no reason
    assert "paused" not in own_centre.cli("queue show emergency")

    await phone.dial("*45")
    assert members(own_centre) == set()
    await told(api, lambda duty: duty["said"] == "out", path)

    assert await audited(api, operator, 4) == ["logged_in phone", "paused phone", "resumed phone", "logged_out phone"]
    # the gateway agrees with all of it at its next look
    await api.send("PATCH", "/v1/rules", {"least_rest_h": 11})
    await api.send("POST", f"/v1/operators/{operator['id']}/login")
    assert members(own_centre) == {"1001"}


async def test_the_reason_of_a_pause_can_be_chosen_by_key(
    own_centre: RealCentre, api: Api, siti: tuple[Softphone, Json]
) -> None:
    phone, operator = siti
    await api.send("POST", f"/v1/operators/{operator['id']}/login")
    call = await phone.answered("*46")
    await call.send_dtmf("2")
    await within(lambda: "paused:Makan" in own_centre.cli("queue show emergency"))
    await told(api, lambda duty: duty["pause"] == "Makan", f"/v1/operators/{operator['id']}/duty")


async def test_the_codes_work_while_the_gateway_is_dead_and_are_told_when_it_is_back(
    own_centre: RealCentre, api: Api, siti: tuple[Softphone, Json]
) -> None:
    phone, operator = siti
    own_centre.stop_gateway(9)
    await phone.dial("*45")
    assert members(own_centre) == {"1001"}
    own_centre.start_gateway()
    await own_centre.ready()
    assert (await told(api, lambda duty: duty["said"] == "in", f"/v1/operators/{operator['id']}/duty"))["places"]
    assert members(own_centre) == {"1001"}
    assert await audited(api, operator, 1) == ["logged_in phone"]


async def test_a_phone_may_dial_nothing_else(siti: tuple[Softphone, Json]) -> None:
    phone, _ = siti
    for number in ("112", "08123456789", "1002", "on-call", "lone", "in-or-out"):
        assert "404" in await phone.refused(number), number


async def test_a_phone_that_is_not_picked_up_twice_is_paused_and_its_operator_told(
    own_centre: RealCentre, api: Api
) -> None:
    queue = (await api.get("/v1/queues"))["items"][0]
    await api.send("PATCH", f"/v1/queues/{queue['id']}", {"ring_s": 3})
    async with Sipp(sip.phone_rings(), address="127.0.0.21") as phone:
        operator = await api.operator("1001", phone)
        async with Sipp.caller(sip.caller_talks(hold_ms=12_000), own_centre.sip_port) as caller:
            await within(lambda: "paused:no answer" in own_centre.cli("queue show emergency"), 12)
            assert (await caller.result()).failed == 0
    assert (await duty(api, operator))["pause"] == "no answer"
    assert await audited(api, operator, 1) == ["paused "]
    await api.send("PATCH", f"/v1/queues/{queue['id']}", {"ring_s": 15})


async def test_when_a_queue_is_short_the_on_call_person_is_rung_presses_1_and_is_in_it(
    own_centre: RealCentre, api: Api, siti: tuple[Softphone, Json]
) -> None:
    phone, operator = siti
    await api.send("POST", "/v1/on-call", {"operator_id": operator["id"], "place": 1}, status=201)
    await api.send("PATCH", "/v1/rules", {"short_after_s": 5, "on_call_ring_s": 20})
    call = await phone.take()
    assert members(own_centre) == set()
    await asyncio.sleep(1.5)  # the question is being asked
    await call.send_dtmf("1")
    await within(lambda: members(own_centre) == {"1001"}, 10)
    types = {event["type"] for event in await api.events()}
    assert {"on_call.rung", "on_call.accepted", "alarm.raised"} <= types
    # there now, so the alarm ends
    path = "/v1/alarms?standing=true"
    await told(api, lambda answer: "short" not in {each["kind"] for each in answer["items"]}, path)
    assert [
        call for call in await api.calls(include_probes="true") if call["trunk"] not in ("telkomsel", "probe")
    ] == []


async def test_who_hangs_up_without_a_key_does_not_come_and_the_next_one_is_rung(
    own_centre: RealCentre, api: Api, siti: tuple[Softphone, Json]
) -> None:
    phone, operator = siti
    for place in (1, 2):
        await api.send("POST", "/v1/on-call", {"operator_id": operator["id"], "place": place}, status=201)
    newest = (await api.events())[-1]["seq"]
    await api.send("PATCH", "/v1/rules", {"short_after_s": 5, "on_call_ring_s": 20})
    for _ in (1, 2):
        call = await phone.take()
        await call.hangup()
    await told(
        api,
        lambda answer: [each["type"] for each in answer["items"]].count("on_call.declined") == 2,
        f"/v1/events?limit=1000&after={newest}",
    )
    assert members(own_centre) == set()


async def test_a_lone_operator_who_does_not_press_a_key_is_an_alarm_until_there_is_a_sign_of_life(
    own_centre: RealCentre, api: Api, siti: tuple[Softphone, Json]
) -> None:
    phone, operator = siti
    await api.send("PATCH", "/v1/rules", {"lone_check_min": 1, "lone_answer_s": 20})
    await api.send("POST", f"/v1/operators/{operator['id']}/login")
    call = await phone.take(90)
    await call.hangup()

    def lone(answer: Json) -> list[str]:
        return [each["subject"] for each in answer["items"] if each["kind"] == "lone_silent"]

    path = "/v1/alarms?standing=true"
    assert lone(await told(api, lambda answer: bool(lone(answer)), path)) == ["1001"]
    async with Sipp.caller(sip.caller_talks(hold_ms=12_000), own_centre.sip_port) as caller:
        await phone.take()
        await told(api, lambda answer: not lone(answer), path)
        assert (await caller.result()).failed == 0
