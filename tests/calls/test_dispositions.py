"""What a call was, as an operator says it on the phone in the wrap-up, on a real Asterisk."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests import sip
from tests.calls.ears import listening
from tests.calls.phones import Softphone, a_phone
from tests.calls.test_duty import told
from tests.calls.test_silent_calls import by_code, heard, hears_the_prompt
from tests.calls.test_stories import since, the_call
from tests.centre import Api, Json, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk


@pytest.fixture
async def phone(centre: RealCentre, api: Api) -> AsyncIterator[Softphone]:
    operator = await api.operator("1001", None)
    async with a_phone(centre, "1001", operator["secret"]) as phone:
        yield phone


async def talk(centre: RealCentre, phone: Softphone) -> None:
    """A call that the phone answers and the caller ends."""
    async with Sipp.caller(sip.caller_talks(hold_ms=1500), centre.sip_port) as caller:
        await phone.take()
        assert (await caller.result()).failed == 0


async def said(api: Api, call_id: str, what: str) -> Json:
    """The call, once that is said of it."""
    path = f"/v1/calls/{call_id}"
    return await told(api, lambda call: bool(call["disposition"]) and call["disposition"]["disposition"] == what, path)


async def test_a_phone_says_after_a_call_what_it_was_and_corrects_it_by_key(
    centre: RealCentre, api: Api, phone: Softphone
) -> None:
    mark = await since(api)
    await talk(centre, phone)
    call = await the_call(api, mark)
    await phone.dial("*483")
    assert (await said(api, call["id"], "prank"))["ministry_kind"] == "prank"
    asked = await phone.answered("*48")
    for key in "12":
        await asyncio.sleep(0.5)  # each key has a question of its own
        await asked.send_dtmf(key)
    corrected = await said(api, call["id"], "emergency")
    assert (corrected["disposition"]["category"], corrected["disposition"]["set_by"]) == ("medical", "Siti")

    entries = (await api.get("/v1/audit", subject=f"call/{call['id']}"))["items"]
    assert [(entry["actor"], entry["role"], entry["address"]) for entry in entries] == [
        ("Siti", "operator", "phone 1001")
    ] * 2
    assert (entries[0]["before"], entries[1]["before"]["disposition"]) == (None, "prank")
    for code in ("*489", "*4816", "*4831"):
        await phone.dial(code)  # is told that it means nothing
    assert len((await api.get("/v1/audit", subject=f"call/{call['id']}"))["items"]) == 2


async def test_with_the_gateway_dead_the_code_is_kept_and_lands_on_its_call_and_a_silent_caller_is_asked(
    centre: RealCentre, api: Api, phone: Softphone
) -> None:
    mark = await since(api)
    centre.stop_gateway(9)
    try:
        async with (
            listening() as ear,
            Sipp.caller(sip.caller_talks(hold_ms=4000, media=ear.media), centre.sip_port) as caller,
        ):
            call = await phone.take()
            await hears_the_prompt(ear, lambda: by_code(call), to_its_end=False)
            assert (await caller.result()).failed == 0
        await phone.dial("*483")
    finally:
        centre.start_gateway()  # while the next one calls
    await talk(centre, phone)
    await centre.ready()
    first, second = await api.ended_calls(2, after=mark)
    assert (await said(api, first["id"], "prank"))["disposition"]["set_by"] == "Siti"
    assert (await api.get(f"/v1/calls/{second['id']}"))["disposition"] is None
    entries = (await api.get("/v1/audit", subject=f"call/{first['id']}"))["items"]
    assert [(entry["action"], entry["address"]) for entry in entries] == [("call.disposed", "phone 1001")]
    asked = [data for name, data in await heard(api, first) if name == "call.asked_for_key"]
    assert asked == [{"by": "1001"}]
    assert first["spoke_at"] is None
