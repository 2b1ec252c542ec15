"""A hundred calls, ten a second: each is answered, told and recorded."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import sip
from tests.calls.test_deaths import assert_whole
from tests.centre import Api, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

CALLS = 100
PHONES = 60
"""A phone takes one call at a time: four-second calls at ten a second need forty, and some to spare."""
STASIS_THREADS = 2


@pytest.fixture
async def staffed(centre: RealCentre, api: Api) -> AsyncIterator[Api]:
    """SIPp's own `uas` behind sixty numbers."""
    async with Sipp("uas", address="127.0.0.21") as phone:
        for number in range(2001, 2001 + PHONES):
            await api.operator(str(number), phone, name=f"Petugas {number}")
        yield api


async def test_sipps_own_uac_gets_through_untouched(centre: RealCentre, staffed: Api) -> None:
    """Its built-in scenario knows nothing but INVITE, ACK and BYE, and sends no sound: where any was played to it the
    recording is as long as the call all the same, and where none was there is nothing to record."""
    mark = (await staffed.events())[-1]["at"]
    result = await sip.call("uac", centre.sip_port, calls=CALLS, rate=10, options=("-d", "2000"))
    assert (result.succeeded, result.failed) == (CALLS, 0), result.output
    calls = await staffed.ended_calls(CALLS, after=mark)
    assert [call["outcome"] for call in calls] == ["answered"] * CALLS
    lengths = [call["recording"]["duration_s"] for call in calls if call["recording"]]
    assert lengths == pytest.approx([2.0] * len(lengths), abs=0.1)
    assert_whole(await staffed.events())


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    return sip.tone(tmp_path / "tone.alaw", 700)


async def test_every_recording_holds_sound_over_its_whole_call(centre: RealCentre, staffed: Api, tone: Path) -> None:
    mark = (await staffed.events())[-1]["at"]
    talk = sip.caller_talks(hold_ms=4000, sound=tone)
    result = await sip.call(talk, centre.sip_port, calls=CALLS, rate=10)
    assert (result.succeeded, result.failed) == (CALLS, 0), result.output
    for call in await staffed.ended_calls(CALLS, after=mark):
        assert call["outcome"] == "answered"
        sound_s = call["recording"]["duration_s"] - call["recording"]["silence_s"]
        assert sound_s == pytest.approx(4.0, abs=0.4)
    threads = await asyncio.to_thread(centre.cli, "core show taskprocessors like taskpool/s:stasis")
    assert threads.count("taskpool/s:stasis-") == STASIS_THREADS, "Asterisk's message bus takes no more (decision 45)"
