"""Callers whom nobody heard: each a task, whatever dies meanwhile; and an operator calls them back."""

import asyncio
import signal
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.probe import tones
from tests import sip
from tests.calls.ears import listening
from tests.calls.phones import a_phone
from tests.calls.test_roster import within
from tests.calls.test_silent_calls import by_code, hears_the_prompt
from tests.centre import Api, Json, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

PHONE, CARRIER = "127.0.0.21", "127.0.0.11"
CALLER = "<sip:081234567@127.0.0.11>"
NUMBER = "081234567"

SETTINGS: dict[str, dict[str, object]] = {}


@pytest.fixture
async def centre(own_centre: RealCentre) -> RealCentre:
    await own_centre.ready()
    return own_centre


@pytest.fixture
def api(own_api: Api) -> Api:
    return own_api


async def the_task(api: Api, number: str, *, tries: int = 1, limit_s: float = 20) -> Json:
    """The newest task of that number, once it has so many tries."""
    task: Json = {}
    try:
        async with asyncio.timeout(limit_s):
            while task.get("try_count") != tries:
                await asyncio.sleep(0.1)
                task = next(iter((await api.get("/v1/callbacks", number=number))["items"]), {})
    except TimeoutError:
        raise AssertionError(f"no task of {number} with {tries} tries: {task}") from None
    return task


async def over(api: Api, task: Json, limit_s: float = 30) -> tuple[Json, Json]:
    """The task and its last dial, once that is over."""
    told = task
    try:
        async with asyncio.timeout(limit_s):
            while not told["dials"] or not told["dials"][-1]["result"]:
                await asyncio.sleep(0.1)
                told = await api.get(f"/v1/callbacks/{task['id']}")
    except TimeoutError:
        raise AssertionError(f"the dial is not over: {told}") from None
    return told, told["dials"][-1]


async def dial_in_vain(api: Api, task: Json, operator: Json) -> None:
    """Dials from a phone that cannot be rung: Asterisk may know that before it has answered."""
    path = f"/v1/callbacks/{task['id']}/dial"
    async with api.session.post(path, json={"operator_id": operator["id"]}, headers={"If-Match": "*"}) as response:
        assert response.status in (202, 502), await response.text()


async def events(api: Api, task: Json) -> list[str]:
    told = [each for each in await api.events() if each["data"].get("callback_id") == task["id"]]
    return [each["type"].removeprefix("callback.") for each in told]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def a_task(centre: RealCentre, api: Api, number: str) -> Json:
    """A task: the caller hung up at once."""
    await sip.call(sip.caller_talks(hold_ms=0, caller=f"<sip:{number}@127.0.0.11>"), centre.sip_port)
    return await the_task(api, number)


async def test_three_tries_of_one_caller_are_one_task_which_closes_when_he_is_heard_though_the_gateway_was_dead(
    centre: RealCentre, api: Api
) -> None:
    centre.stop_gateway(signal.SIGKILL)
    centre.cli("dialplan set global RING_BEFORE_ANSWER_S 5")
    try:
        cancelled = await sip.call(sip.caller_cancels(after_ms=0, caller=CALLER), centre.sip_port)
    finally:
        centre.cli("dialplan set global RING_BEFORE_ANSWER_S 0")
    cut = await sip.call(sip.caller_talks(hold_ms=700, caller=CALLER), centre.sip_port)
    hidden = await sip.call(sip.caller_talks(hold_ms=0, caller="<sip:anonymous@127.0.0.11>"), centre.sip_port)
    assert (cancelled.failed, cut.failed, hidden.failed) == (0, 0, 0)
    centre.start_gateway()
    await centre.ready()

    task = await the_task(api, NUMBER, tries=2)
    assert (task["state"], [each["why"] for each in task["tries"]]) == ("open", ["cancelled", "abandoned"])
    calls = await api.ended_calls(3)
    assert task["opened_at"] == calls[0]["ended_at"]
    summary = (await api.get("/v1/callbacks"))["summary"]
    assert (summary["open"], summary["impossible"]) == (1, 1)

    # they talk for longer than callbacks.HEARD_S, however long it takes until the phone is rung
    async with Sipp(sip.phone_hangs_up(talk_ms=5300), address=PHONE) as phone:
        await api.operator("1001", phone)
        heard = await sip.call(sip.caller_waits(caller=CALLER), centre.sip_port)
    assert heard.failed == 0, heard.output
    closed = await the_task(api, NUMBER, tries=3)
    assert (closed["id"], closed["state"], closed["tries"][-1]["why"]) == (task["id"], "got_through", "heard")
    assert await events(api, task) == ["opened", "tried_again", "got_through"]
    impossible = [each for each in await api.events() if each["type"] == "callback.impossible"]
    assert [(each["call_id"], each["data"]["caller"]) for each in impossible] == [(calls[2]["id"], "anonymous")]


async def test_a_caller_is_called_back_over_his_trunk_as_a_psap_callback_once_the_operator_has_picked_up(
    centre: RealCentre, api: Api, tmp_path: Path
) -> None:
    task = await a_task(centre, api, "+628155512345")
    operators_tone, callers_tone = sip.tone(tmp_path / "o", 700), sip.tone(tmp_path / "c", 1100)
    carrier = sip.phone_hangs_up(
        talk_ms=5500, sound=callers_tone, invited={"Priority": "psap-callback", "From": "&lt;sip:112@"}
    )
    async with (
        Sipp(sip.phone_answers(after_ms=800, sound=operators_tone), address=PHONE) as phone,
        Sipp(carrier, address=CARRIER, port=5060, options=("-m", "1")) as line,
    ):
        siti = await api.operator("1001", phone, queue="")
        rung = await api.send("POST", f"/v1/callbacks/{task['id']}/dial", {"operator_id": siti["id"]}, status=202)
        assert (rung["state"], rung["claimed_by"], rung["first_dialled_at"]) == ("claimed", siti["id"], None)
        told, dial = await over(api, task)
        result = await line.result()
    assert (result.succeeded, result.failed) == (1, 0), result.output
    assert (told["state"], told["closed_by"], dial["result"]) == ("reached", "Siti", "answered")
    assert dial["talk_s"] == pytest.approx(5.5, abs=0.5)
    assert told["first_dialled_at"] == dial["rung_at"]
    assert await events(api, task) == ["opened", "dialled", "rung", "answered", "dial_ended", "reached"]
    at = {each["type"]: each["at"] for each in await api.events() if each["data"].get("callback_id") == task["id"]}
    # the operator's phone rang for 0.8 s before the carrier heard of it
    assert moment(at["callback.rung"]) - moment(at["callback.dialled"]) >= timedelta(seconds=0.75)
    async with api.session.get(dial["recording"], params={"reason": "a test of the centre"}) as response:
        sound = await response.read()
    assert response.status == 200
    samples = memoryview(sound[44:]).cast("h").tolist()
    assert tones.seconds_of(samples[0::2], 1100) > 3
    assert tones.seconds_of(samples[1::2], 700) > 3
    # it is no call of a caller's
    assert all(call["caller"] != "112" for call in await api.calls())


@pytest.mark.parametrize(
    ("number", "status", "result"),
    [
        ("0812345010", "486 Busy Here", "busy"),
        ("0812345020", "480 Temporarily Unavailable", "no_answer"),
        ("0812345030", "404 Not Found", "failed"),
        # a carrier that would send the centre elsewhere: a call that is followed there would come back as one to 112
        ("0812345090", "302 Moved Temporarily\n      Contact: <sip:0899@127.0.0.11:5060>", "busy"),
    ],
)
async def test_who_is_busy_does_not_answer_or_cannot_be_called_stays_a_task(
    centre: RealCentre, api: Api, number: str, status: str, result: str
) -> None:
    task = await a_task(centre, api, number)
    async with (
        Sipp(sip.phone_answers(), address=PHONE) as phone,
        Sipp(sip.phone_refuses(status), address=CARRIER, port=5060),
    ):
        siti = await api.operator("1001", phone, queue="")
        await api.send("POST", f"/v1/callbacks/{task['id']}/dial", {"operator_id": siti["id"]}, status=202)
        told, dial = await over(api, task)
    assert (told["state"], dial["result"], dial["answered_at"]) == ("claimed", result, None)
    assert told["first_dialled_at"] is not None


async def test_who_is_called_back_and_does_not_speak_is_asked_for_a_key(centre: RealCentre, api: Api) -> None:
    """Over a trunk whose name has an x in it, too."""
    carrier = "127.0.0.213"
    [trunk] = [each["id"] for each in (await api.get("/v1/trunks"))["items"] if each["name"] == "xlsmart"]
    await api.send("PATCH", f"/v1/trunks/{trunk}", {"addresses": [carrier]})
    caller = sip.caller_talks(hold_ms=0, caller="<sip:0812345100@127.0.0.11>")
    await sip.call(caller, centre.sip_port, address=carrier)
    task = await the_task(api, "0812345100")
    siti = await api.operator("1001", None, queue="")
    async with (
        listening(carrier) as ear,
        Sipp(sip.phone_answers(media=ear.media), address=carrier, port=5060),
        a_phone(centre, "1001", siti["secret"]) as phone,
    ):
        await api.send("POST", f"/v1/callbacks/{task['id']}/dial", {"operator_id": siti["id"]}, status=202)
        call = await phone.take()
        await within(lambda: ear.heard_s > 0.2, 5)
        await hears_the_prompt(ear, lambda: by_code(call), to_its_end=False)
        await call.hangup()
        await over(api, task)


async def test_an_operator_who_does_not_pick_up_has_called_nobody(centre: RealCentre, api: Api) -> None:
    task = await a_task(centre, api, "0812345040")
    async with Sipp(sip.phone_refuses("486 Busy Here"), address=PHONE) as phone:
        siti = await api.operator("1001", phone, queue="")
        await dial_in_vain(api, task, siti)
        told, dial = await over(api, task)
    assert (dial["result"], dial["rung_at"], told["first_dialled_at"]) == ("operator_missed", None, None)
    # one whose phone is not even there: no line is begun, and the journal has nothing of it
    nobody = await api.operator("1002", None, queue="")
    await api.send("POST", f"/v1/callbacks/{task['id']}/release")
    await dial_in_vain(api, task, nobody)
    told, dial = await over(api, task)
    assert (dial["operator_id"], dial["result"], len(told["dials"])) == (nobody["id"], "operator_missed", 2)


async def test_an_operator_who_hangs_up_while_it_rings_has_withdrawn_the_call(centre: RealCentre, api: Api) -> None:
    task = await a_task(centre, api, "0812345060")
    async with (
        Sipp(sip.phone_hangs_up(talk_ms=500), address=PHONE) as phone,
        Sipp(sip.phone_rings(), address=CARRIER, port=5060),
    ):
        siti = await api.operator("1001", phone, queue="")
        await api.send("POST", f"/v1/callbacks/{task['id']}/dial", {"operator_id": siti["id"]}, status=202)
        told, dial = await over(api, task)
    assert (told["state"], dial["result"], dial["answered_at"]) == ("claimed", "withdrawn", None)


async def test_a_dial_that_asterisk_dies_under_is_told_as_failed_and_one_without_the_gateway_as_it_went(
    centre: RealCentre, api: Api
) -> None:
    task = await a_task(centre, api, "0812345050")
    async with (
        Sipp(sip.phone_answers(), address=PHONE) as phone,
        Sipp(sip.phone_hangs_up(talk_ms=1200), address=CARRIER, port=5060),
    ):
        siti = await api.operator("1001", phone, queue="")
        await api.send("POST", f"/v1/callbacks/{task['id']}/dial", {"operator_id": siti["id"]}, status=202)
        centre.stop_gateway(signal.SIGKILL)
        await asyncio.sleep(2)
        centre.start_gateway()
        await centre.ready()
        _, dial = await over(api, task)
        assert (dial["result"], dial["talk_s"]) == ("answered", pytest.approx(1.2, abs=0.4))
    async with Sipp(sip.phone_rings(), address=PHONE, port=phone.port):
        await api.send("POST", f"/v1/callbacks/{task['id']}/dial", {"operator_id": siti["id"]}, status=202)
        await asyncio.sleep(0.5)
        centre.stop_asterisk(signal.SIGKILL)
        centre.start_asterisk()
        async with asyncio.timeout(30):
            while (await api.get(f"/v1/callbacks/{task['id']}"))["dials"][-1]["result"] is None:
                await asyncio.sleep(0.2)
        told, dial = await over(api, task)
    assert (told["state"], dial["result"], len(told["dials"])) == ("claimed", "failed", 2)
