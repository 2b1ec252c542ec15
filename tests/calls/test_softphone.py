"""A phone that nobody here wrote: baresip registers with the secret from the API, is rung, hears and is heard."""

import asyncio
import time
from array import array
from pathlib import Path

import baresip
import pytest

from gateway.probe import tones
from gateway.probe.recording import Sound
from gateway.vault.recordings import HEADER_BYTES
from tests import sip
from tests.calls.phones import a_phone
from tests.calls.test_stories import since, the_call
from tests.centre import Api, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

CALLER_HZ, OPERATOR_HZ = 700, 1100
"""The probe's tones: its ear judges the recording."""
FRAME = 160
SAMPLE_BYTES = 2


@pytest.fixture
def callers_voice(tmp_path: Path) -> Path:
    return sip.tone(tmp_path / "caller.alaw", CALLER_HZ)


async def talk(call: baresip.Call, seconds: float) -> list[int]:
    """Speaks the operator's tone for so long; returns what the phone heard, at 8,000 samples a second."""
    heard = bytearray()
    said = 0
    for _ in range(round(seconds / 0.02)):
        while call.audio.info().tx_buffered < 4 * FRAME * SAMPLE_BYTES:
            call.audio.write(array("h", tones.sine(OPERATOR_HZ, FRAME, start=said)).tobytes())
            said += FRAME
        heard += call.audio.read(4 * FRAME * SAMPLE_BYTES)
        await asyncio.sleep(0.02)
    return list(array("h", bytes(heard[: len(heard) // 2 * 2])))


async def last_seconds(api: Api, seconds: int) -> Sound:
    """What was just said in the call that runs, as its operator would recall it."""
    [running] = [each for each in (await api.get("/v1/calls"))["items"] if each["stage"] == "talking"]
    asked = {"seconds": str(seconds), "reason": "what was the address?"}
    async with api.session.get(f"/v1/calls/{running['id']}/recall", params=asked) as response:
        assert response.status == 200, await response.text()
        return Sound.of((await response.read())[HEADER_BYTES:])


async def test_baresip_registers_answers_hears_and_is_heard(centre: RealCentre, api: Api, callers_voice: Path) -> None:
    mark = await since(api)
    operator = await api.operator("1001", None)
    runtime = baresip.Runtime()
    await runtime.start(baresip.Config(net_interface="127.0.0.1"))
    try:
        domain = f"127.0.0.1:{centre.sip_port}"
        account = baresip.Account("1001", domain, operator["secret"], audio_codecs=("pcma", "pcmu"))
        phone = await baresip.UserAgent.create(runtime, account)
        rung: asyncio.Queue[baresip.Call] = asyncio.Queue()
        phone.on_incoming(rung.put_nowait)
        await phone.register()
        caller = sip.caller_talks(hold_ms=6000, sound=callers_voice)
        async with Sipp.caller(caller, centre.sip_port) as carrier:
            call = await asyncio.wait_for(rung.get(), 20)
            await call.answer()
            await call.wait_established()
            heard = await talk(call, 3)
            recalled = await last_seconds(api, 3)
            assert (await carrier.result()).failed == 0
        told = await the_call(api, mark)
        await phone.unregister()
    finally:
        await runtime.close()
    assert (told["outcome"], told["operator"], told["hung_up_by"]) == ("answered", "1001", "caller")
    assert tones.seconds_of(heard, CALLER_HZ) > 1
    assert recalled.is_right, recalled.said
    async with api.session.get(told["recording"]["url"], params={"reason": "a test of the centre"}) as response:
        sound = Sound.of((await response.read())[HEADER_BYTES:])
    assert sound.is_right, sound.said


async def test_a_wrong_secret_does_not_register(centre: RealCentre, api: Api) -> None:
    await api.operator("1001", None)
    runtime = baresip.Runtime()
    await runtime.start(baresip.Config(net_interface="127.0.0.1"))
    try:
        account = baresip.Account("1001", f"127.0.0.1:{centre.sip_port}", "not the secret")
        phone = await baresip.UserAgent.create(runtime, account)
        with pytest.raises(baresip.RegistrationError):
            await phone.register()
    finally:
        await runtime.close()


async def test_an_answer_that_comes_while_the_tests_are_held_up_is_heard_of(centre: RealCentre, api: Api) -> None:
    operator = await api.operator("1001", None)
    async with a_phone(centre, "1001", operator["secret"]) as phone:
        asyncio.get_running_loop().call_soon(time.sleep, 1)
        call = await phone.answered("*48")
        assert call.state is baresip.CallState.ESTABLISHED


async def test_the_transfer_key_is_refused_at_once_and_the_talk_goes_on(centre: RealCentre, api: Api) -> None:
    """Asterisk has to say no: a phone that hears nothing ends the call after 32 s."""
    mark = await since(api)
    operator = await api.operator("1001", None)
    async with a_phone(centre, "1001", operator["secret"]) as phone:
        async with Sipp.caller(sip.caller_talks(hold_ms=3000), centre.sip_port) as carrier:
            call = await phone.take()
            with pytest.raises(baresip.TransferFailed) as refused:
                await call.transfer("0811000111")
            assert call.state is baresip.CallState.ESTABLISHED
            assert (await carrier.result()).failed == 0
        told = await the_call(api, mark)
    assert "603" in str(refused.value)
    assert (told["outcome"], told["operator"], told["hung_up_by"]) == ("answered", "1001", "caller")
