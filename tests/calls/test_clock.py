"""The machine's clock is set by an hour while calls run. Asterisk measures its waits by that clock: they go on in a
second all the same, and no call ends."""

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests import sip
from tests.calls.test_duty import told
from tests.centre import RealCentre, real_centre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def centre_in_time() -> Iterator[RealCentre]:
    """A centre whose clock is the test's, Asterisk's too."""
    with real_centre({"call": {"greeting": "", "queue_max_wait_s": 300}}) as centre:
        centre.with_clock()
        for _ in range(5):
            with contextlib.suppress(AssertionError):  # now and then a program with such a clock does not start
                centre.start_asterisk(**centre.gateway_environ)
                break
        centre.start_gateway()
        yield centre


async def test_callers_who_wait_while_the_clock_is_set_back_are_answered_in_their_turn(
    centre_in_time: RealCentre,
) -> None:
    centre = centre_in_time
    await centre.ready()
    async with centre.api() as api, Sipp(sip.phone_answers(), address="127.0.0.21") as phone:
        await api.operator("1001", phone)
        first = Sipp.caller(sip.caller_talks(hold_ms=4000, caller="<sip:0811001@127.0.0.11>"), centre.sip_port)
        others = [
            Sipp.caller(sip.caller_talks(hold_ms=9000, caller=f"<sip:081100{number}@127.0.0.11>"), centre.sip_port)
            for number in (2, 3)
        ]
        async with first:
            await told(api, lambda page: [each["stage"] for each in page["items"]] == ["talking"], "/v1/calls")
            async with others[0], others[1]:
                waiting = ["queued", "queued", "talking"]
                await told(api, lambda page: sorted(each["stage"] for each in page["items"]) == waiting, "/v1/calls")
                centre.set_clock(timedelta(hours=-1))
                began = time.monotonic()
                assert (await first.result()).failed == 0
                await told(
                    api, lambda page: sum(each["stage"] == "talking" for each in page["items"]) == 1, "/v1/calls"
                )
                assert time.monotonic() - began < 8
    assert "callers_woken" in centre.log()


async def test_a_clock_that_is_set_ahead_ends_no_call(centre_in_time: RealCentre) -> None:
    """A caller who sends no sound, as one who hides, has sent none for an hour then."""
    centre = centre_in_time
    await centre.ready()
    async with centre.api() as api:
        await api.retire_everybody()
        silent = Sipp.caller(sip.caller_talks(hold_ms=6000, caller="<sip:0811004@127.0.0.11>"), centre.sip_port)
        async with silent:
            await told(api, lambda page: any(each["stage"] == "fallback" for each in page["items"]), "/v1/calls")
            centre.set_clock(timedelta(hours=1))
            # another call has Asterisk look at all that is due by its clock
            assert (await sip.call(sip.caller_talks(hold_ms=1000), centre.sip_port)).failed == 0
            result = await silent.result()
        assert result.failed == 0, result.output
        page = await told(api, lambda page: bool(page["items"][0]["outcome"]), "/v1/calls?caller=0811004")
        assert page["items"][0]["hung_up_by"] == "caller"
