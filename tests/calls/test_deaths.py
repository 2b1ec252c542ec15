"""Processes that die in the middle of calls: nothing is lost, nothing is told twice."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from tests import sip
from tests.centre import Json, RealCentre, real_centre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk


@pytest.fixture
def own_centre() -> Iterator[RealCentre]:
    with real_centre() as centre:
        centre.start_asterisk()
        centre.start_gateway()
        yield centre


@pytest.fixture
def centre_on_each_database(database_url: str) -> Iterator[RealCentre]:
    """Once on SQLite, once on PostgreSQL."""
    url = "sqlite" if database_url.startswith("sqlite") else database_url.replace("+asyncpg", "")
    # longer than any caller of these tests waits: Queue() counts whole seconds, and may leave up to one too early
    with real_centre({"database": {"url": url}, "call": {"queue_max_wait_s": 30}}) as centre:
        centre.start_asterisk()
        centre.start_gateway()
        yield centre
        centre.stop()


def assert_whole(events: list[Json]) -> None:
    """The sequence has no hole and no repetition, and no call's step is told twice."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    told = [(event["call_id"], event["type"], event["at"], str(event["data"])) for event in events if event["call_id"]]
    assert len(told) == len(set(told))


def heard_s(centre: RealCentre) -> list[float]:
    """How much raw sound there is of each call."""
    return [path.stat().st_size / 32_000 for path in centre.settings.paths.recordings.rglob("*.raw")]


async def test_the_gateway_is_killed_in_the_middle_of_calls_and_all_of_them_are_told(
    centre_on_each_database: RealCentre,
) -> None:
    """50 calls run when it is killed, 20 more come while it is down."""
    centre = centre_on_each_database
    await centre.ready()
    async with centre.api() as api, Sipp(sip.phone_answers(), address="127.0.0.21") as phone:
        await api.operator("1001", phone)
        before = len(await api.calls())
        async with Sipp.caller(sip.caller_talks(hold_ms=8000), centre.sip_port, calls=50, rate=25) as running:
            await asyncio.sleep(4)
            centre.stop_gateway(signal.SIGKILL)
            late = await sip.call(sip.caller_talks(hold_ms=500), centre.sip_port, calls=20, rate=20)
            assert (await running.result()).failed == 0
        assert late.failed == 0
        centre.start_gateway()
        await centre.ready()
        calls = (await api.ended_calls(before + 70))[before:]
        assert len(calls) == 70
        assert {call["outcome"] for call in calls} <= {"answered", "abandoned"}
        assert sum(call["outcome"] == "answered" for call in calls) >= 1
        assert all(call["hung_up_by"] == "caller" for call in calls)
        assert_whole(await api.events())


async def test_asterisk_is_killed_under_running_calls_and_they_are_settled_as_failed(own_centre: RealCentre) -> None:
    centre = own_centre
    await centre.ready()
    async with (
        centre.api() as api,
        Sipp.caller(sip.caller_waits(), centre.sip_port, calls=3),
    ):
        async with asyncio.timeout(10):
            while len(heard_s(centre)) < 3 or min(heard_s(centre)) < 2.0:
                await asyncio.sleep(0.1)
        centre.stop_asterisk(signal.SIGKILL)
        centre.start_asterisk()
        calls = await api.ended_calls(3, timeout_s=40)
        assert [call["outcome"] for call in calls] == ["failed"] * 3
        # nobody told their ends: each is as late as its sound goes
        assert all(call["has_vanished"] for call in calls)
        lasted_s = [call["recording"]["duration_s"] for call in calls]
        assert min(lasted_s) >= 1.9
        assert_whole(await api.events())
        # and 112 answers again
        result = await sip.call(sip.caller_talks(hold_ms=300), centre.sip_port)
        assert result.failed == 0
        assert (await api.ended_calls(4))[-1]["outcome"] == "abandoned"


async def test_without_the_gateway_a_call_is_answered_by_a_person_and_told_later(own_centre: RealCentre) -> None:
    centre = own_centre
    await centre.ready()
    async with Sipp(sip.phone_answers(), address="127.0.0.21") as phone:
        async with centre.api() as api:
            await api.operator("1001", phone)
        assert centre.stop_gateway() == 0
        result = await sip.call(sip.caller_talks(hold_ms=1500), centre.sip_port)
        assert result.failed == 0
        centre.start_gateway()
        await centre.ready()
        async with centre.api() as api:
            (call,) = await api.ended_calls(1)
            assert (call["outcome"], call["operator"]) == ("answered", "1001")


async def test_after_asterisk_starts_anew_phones_and_members_are_there_at_once(own_centre: RealCentre) -> None:
    """Persistent in Asterisk itself: the gateway is not running when Asterisk starts."""
    centre = own_centre
    await centre.ready()
    async with Sipp(sip.phone_answers(), address="127.0.0.21") as phone:
        async with centre.api() as api:
            await api.operator("1001", phone)
        centre.stop_gateway()
        centre.stop_asterisk()
        centre.start_asterisk()
        assert "PJSIP/1001" in centre.cli("queue show emergency")
        result = await sip.call(sip.caller_talks(hold_ms=1500), centre.sip_port)
        assert result.failed == 0
        centre.start_gateway()
        await centre.ready()
        async with centre.api() as api:
            assert (await api.ended_calls(1))[0]["outcome"] == "answered"
