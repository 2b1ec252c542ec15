"""A caller who was cut twice is one task of three tries, overtakes whoever waits, and once he is heard it is closed."""

from contextlib import AsyncExitStack

import pytest

from tests import sip
from tests.calls.phones import a_phone
from tests.calls.test_advice import calling, of, order, served, waiting
from tests.calls.test_callbacks import the_task
from tests.centre import Api, RealCentre

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(150)]

CALLER, HOLDER = "08120000001", "08140000001"
WAITING = [f"0813000000{place}" for place in range(5)]

SETTINGS = {"call": {"ring_before_answer_s": 1, "queue_max_wait_s": 60}}


@pytest.fixture
def api(own_api: Api) -> Api:
    return own_api


async def test_who_was_cut_twice_overtakes_five_who_wait_and_is_one_task_of_three_tries(
    own_centre: RealCentre, api: Api
) -> None:
    [queue] = (await api.get("/v1/queues"))["items"]
    await api.send("PATCH", f"/v1/queues/{queue['id']}", {"max_wait_s": 120})
    secret = (await api.operator("1001", None))["secret"]
    async with AsyncExitStack() as stack, a_phone(own_centre, "1001", secret) as phone:
        await calling(stack, own_centre, HOLDER)
        holder = await phone.take()
        for number in WAITING:
            await calling(stack, own_centre, number)
            await waiting(own_centre, number)
        await sip.call(sip.caller_cancels(after_ms=300, caller=of(CALLER)), own_centre.sip_port)
        task = await the_task(api, CALLER)
        await sip.call(sip.caller_talks(hold_ms=1000, caller=of(CALLER)), own_centre.sip_port)
        assert (await the_task(api, CALLER, tries=2))["id"] == task["id"]
        await calling(stack, own_centre, CALLER)
        await waiting(own_centre, *WAITING, CALLER)
        await holder.hangup()
        await served(phone, 1, talk_s=5.5)
        await served(phone, 5)
        answered = await order(api, "", 9)
    assert answered == [HOLDER, CALLER, *WAITING]
    closed = await the_task(api, CALLER, tries=3)
    assert (closed["id"], closed["state"]) == (task["id"], "got_through")
    assert [each["why"] for each in closed["tries"]] == ["cancelled", "abandoned", "heard"]
