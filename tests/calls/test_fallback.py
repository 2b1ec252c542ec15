"""The fallback's menu on a real Asterisk: whatever a caller presses or not, he reaches a person, or leaves a message
and still reaches one. The same with the gateway killed."""

import asyncio
import io
import re
import wave
from array import array
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from gateway.probe import tones
from tests import sip
from tests.calls.ears import Ear, listening
from tests.calls.test_roster import within
from tests.centre import Api, Json, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

PHONES = ("1001", "1002", "1003", "1004", "1005", "1006", "1007")
TELKOM, INDOSAT, XLSMART = "127.0.0.14", "127.0.0.12", "127.0.0.13"
HOLD_MS = 70_000

SETTINGS = {"trunks.xlsmart": {"queue": "medical"}}


@pytest.fixture
async def api(own_api: Api) -> AsyncIterator[Api]:
    await own_api.retire_advice()  # the same numbers call again and again here
    yield own_api
    for agency in (await own_api.get("/v1/agencies"))["items"]:
        await own_api.send("DELETE", f"/v1/agencies/{agency['id']}", status=204)


async def set_up_agencies(api: Api) -> None:
    """Fire: its first phone is busy, its second answers. Medical: nobody is at its only phone. Order: there is none."""
    fire = [{"number": "0811", "trunk": "telkom"}, {"number": "0812", "trunk": "indosat"}]
    damkar = {"name": "Damkar & Co.", "service": "fire", "phones": fire, "ring_s": 5}
    assert (await api.send("POST", "/v1/agencies", damkar, status=201))["applied"]
    medical = [{"number": "0813", "trunk": "xlsmart"}]
    puskesmas = {"name": "Puskesmas", "service": "medical", "phones": medical, "ring_s": 5}
    assert (await api.send("POST", "/v1/agencies", puskesmas, status=201))["applied"]


class Caller:
    """A caller with an ear; `number` says who it is."""

    def __init__(self, number: str, ear: Ear) -> None:
        self.number = number
        self.ear = ear

    @classmethod
    async def calling(cls, stack: AsyncExitStack, centre: RealCentre, number: str) -> "Caller":
        ear = await stack.enter_async_context(listening())
        media = ear.media if number[-1] == "8" else ear.media_with_events
        scenario = sip.caller_talks(hold_ms=HOLD_MS, caller=f"<sip:{number}@127.0.0.11>", media=media)
        await stack.enter_async_context(Sipp.caller(scenario, centre.sip_port))
        return cls(number, ear)

    async def hears_the_menu(self) -> None:
        """Returns a second after the first sound: the menu has begun, and is not over."""
        await within(lambda: self.ear.heard_s > 1, 15)

    async def press(self, key: str) -> None:
        await self.hears_the_menu()
        await self.ear.press(key)

    async def press_in_sound(self, key: str) -> None:
        await self.hears_the_menu()
        await self.ear.press_in_sound(key)


async def leave_a_message(caller: Caller) -> None:
    await caller.press("5")
    begun = caller.ear.heard_s
    await within(lambda: caller.ear.heard_s > begun + 7.5, 20)  # what to say
    await asyncio.sleep(1)  # the tone
    await caller.ear.say(tones.CALLER_HZ, 2)
    await caller.ear.press("#")


def steps(events: list[Json]) -> list[str]:
    """What the fallback did, in a word each, with keys and agencies."""
    found = []
    for event in events:
        data = event["data"]
        if event["type"] == "call.fell_back" and data["step"] == "chose":
            found.append(f"key {data.get('key', 'none')}")
        elif event["type"] == "call.fell_back":
            found.append(" ".join([data["step"], *(data[name] for name in ("agency", "phone") if name in data)]))
        elif event["type"] in ("call.agency_left", "call.message_left", "call.queued", "call.answered"):
            found.append(event["type"].removeprefix("call."))
    return found


FIRE = ["agency Damkar & Co. 0811@telkom", "agency_left", "agency Damkar & Co. 0812@indosat", "answered"]
WAYS = {
    "0810001": ["key 1", *FIRE],
    "0810002": ["key 2", "agency Puskesmas 0813@xlsmart", "agency_left", "queued"],
    "0810003": ["key 3", "queued"],
    "0810004": ["key 1", *FIRE],
    "0810005": ["key 5", "message_left", "queued"],
    "0810007": ["key none", "queued"],
    "0810008": ["key 1", *FIRE],
    "0810009": ["key 9", "queued"],
}
"""What follows the first prompt. The last digit is the key; 4 presses 1 by SIP INFO, 8 in the sound, 7 nothing."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("gateway", ["alive", "dead"])
async def test_every_choice_and_every_non_choice_leads_to_a_person(
    own_centre: RealCentre, api: Api, gateway: str
) -> None:
    await set_up_agencies(api)
    mark = datetime.now(UTC).isoformat()
    async with AsyncExitStack() as stack:
        for place, phone in enumerate(PHONES):
            device = await stack.enter_async_context(Sipp(sip.phone_answers(), address=f"127.0.0.{31 + place}"))
            operator = await api.operator(phone, device)
            await api.send("POST", f"/v1/operators/{operator['id']}/pause", {"reason": "Rapat"})
        await stack.enter_async_context(Sipp(sip.phone_refuses("486 Busy Here"), address=TELKOM, port=5060))
        await stack.enter_async_context(Sipp(sip.phone_answers(), address=INDOSAT, port=5060))
        if gateway == "dead":
            own_centre.stop_gateway(9)
        await press_all_keys(stack, own_centre)

        await until_talking(own_centre, "indosat", 3)
        if gateway == "alive":
            await all_others_wait_on_the_board(api, len(WAYS) - 3)
        if gateway == "dead":
            for phone in PHONES:
                own_centre.cli(f"queue unpause member PJSIP/{phone} queue emergency")
        else:
            for operator in (await api.get("/v1/operators"))["items"]:
                await api.send("POST", f"/v1/operators/{operator['id']}/resume", {})
        await until_talking(own_centre, "10", 5)
        own_centre.cli("channel request hangup all")
        if gateway == "dead":
            own_centre.start_gateway()
            await own_centre.ready()
    calls = {call["caller"]: call for call in await api.ended_calls(len(WAYS), after=mark)}
    assert calls.keys() == WAYS.keys()
    for number, way in WAYS.items():
        call = calls[number]
        told = steps((await api.get(f"/v1/calls/{call['id']}/events"))["items"])
        print(f"{gateway} {number}: {' > '.join(told)} > {call['outcome']}")  # seen with -rP
        assert told[: len(way) + 2] == ["queued", "nobody", *way], number
        assert "answered" in told, (number, told)
        by_agency = "answered" in way
        assert call["outcome"] == ("fell_back" if by_agency else "answered"), number
        assert (call["relieved_by"], call["agency"]) == (("indosat", "Damkar & Co.") if by_agency else (None, None))
        assert bool(call["operator"]) is not by_agency
    await hear_the_message(api, calls["0810005"])


async def press_all_keys(stack: AsyncExitStack, centre: RealCentre) -> None:
    """Eight callers at once, each with his own choice, until all of them have chosen."""
    by_ear = [number for number in WAYS if number[-1] != "4"]
    callers = {number[-1]: await Caller.calling(stack, centre, number) for number in by_ear}
    info = sip.caller_presses("1", after_ms=1500, hold_ms=HOLD_MS, caller="<sip:0810004@127.0.0.11>")
    await stack.enter_async_context(Sipp.caller(info, centre.sip_port))
    async with asyncio.TaskGroup() as fingers:
        for key in ("1", "2", "3", "9"):
            fingers.create_task(callers[key].press(key))
        fingers.create_task(leave_a_message(callers["5"]))
        fingers.create_task(callers["8"].press_in_sound("1"))


async def until_talking(centre: RealCentre, endpoint: str, count: int) -> None:
    """Returns once so many lines of endpoints whose name begins so are up."""
    lines = ""

    def is_so() -> bool:
        nonlocal lines
        lines = centre.cli("core show channels concise")
        return sum(line.startswith(f"PJSIP/{endpoint}") and "!Up!" in line for line in lines.splitlines()) == count

    try:
        await within(is_so, 40)
    except AssertionError as late:
        raise AssertionError(lines) from late


async def all_others_wait_on_the_board(api: Api, count: int) -> None:
    """Whether they are in the queue or hear the menu: with three of the callers an agency talks."""

    async def told() -> int:
        return sum(queue["waiting"] for queue in (await api.get("/v1/board"))["queues"])

    async with asyncio.timeout(5):
        while await told() != count:
            await asyncio.sleep(0.1)
    assert [await told() for _ in range(5)] == [count] * 5


async def hear_the_message(api: Api, call: Json) -> None:
    async with api.session.get(call["message"]["url"], params={"reason": "a test of the centre"}) as response:
        sound = await response.read()
    assert response.status == 200
    assert len(sound) == call["message"]["size_bytes"]
    with wave.open(io.BytesIO(sound)) as opened:
        assert (opened.getnchannels(), opened.getframerate()) == (1, 8000)
        samples = array("h", opened.readframes(opened.getnframes()))
    assert tones.seconds_of(samples, tones.CALLER_HZ) == pytest.approx(2, abs=0.5)
    assert call["message"]["duration_s"] == pytest.approx(len(samples) / 8000, abs=0.001)


async def waiting_line(centre: RealCentre) -> list[str]:
    """The callers' channels in the order in which they wait."""
    shown = await asyncio.to_thread(centre.cli, "queue show emergency")
    return re.findall(r"\d+\. (PJSIP/\S+) \(wait", shown)


@pytest.fixture
async def slow_operator(own_centre: RealCentre, api: Api) -> AsyncIterator[None]:
    """Somebody is there, and does not pick up: callers wait."""
    [queue] = (await api.get("/v1/queues"))["items"]
    async with Sipp(sip.phone_rings(), address="127.0.0.41") as device:
        await api.operator("1001", device)
        await api.send("PATCH", "/v1/rules", {"missed_rings_limit": 0})
        await api.send("PATCH", f"/v1/queues/{queue['id']}", {"max_wait_s": 8, "ring_s": 3})
        yield
        own_centre.cli("channel request hangup all")
        as_it_was = {name: queue[name] for name in ("max_wait_s", "max_waiting", "ring_s")}
        await api.send("PATCH", f"/v1/queues/{queue['id']}", as_it_was)
        await api.send("PATCH", "/v1/rules", {"missed_rings_limit": 2})


@pytest.mark.usefixtures("slow_operator")
async def test_who_comes_back_from_the_menu_has_kept_his_place(own_centre: RealCentre) -> None:
    async with AsyncExitStack() as stack:
        first = await Caller.calling(stack, own_centre, "0810001")
        await within(lambda: first.ear.heard_s > 4, 10)
        await Caller.calling(stack, own_centre, "0810002")
        await until_waiting(own_centre, 2)
        [one, two] = await waiting_line(own_centre)
        shown = await asyncio.to_thread(own_centre.cli, "queue show emergency")
        [earlier, later] = map(int, re.findall(r"prio: (-?\d+)", shown))
        assert earlier - later in (4, 5, 6), "of two callers whoever came a second sooner is before the other"
        await until_waiting(own_centre, 1)
        assert await waiting_line(own_centre) == [two]
        await asyncio.sleep(0.5)
        await first.ear.press("0")
        await until_waiting(own_centre, 2)
        assert await waiting_line(own_centre) == [one, two]


@pytest.mark.usefixtures("slow_operator")
async def test_calls_over_what_their_trunk_carries_hear_the_menu_and_wait_behind_those_of_others(
    own_centre: RealCentre, api: Api
) -> None:
    trunks = {trunk["name"]: trunk["id"] for trunk in (await api.get("/v1/trunks"))["items"]}
    await api.send("PATCH", f"/v1/trunks/{trunks['telkomsel']}", {"channels": 1})
    async with AsyncExitStack() as stack:
        await Caller.calling(stack, own_centre, "0810001")
        await until_waiting(own_centre, 1)
        second = await Caller.calling(stack, own_centre, "0810002")
        await second.press("0")
        await until_waiting(own_centre, 2)
        other = sip.caller_talks(hold_ms=HOLD_MS, caller="<sip:0810003@127.0.0.12>")
        await stack.enter_async_context(Sipp.caller(other, own_centre.sip_port, address=INDOSAT))
        await until_waiting(own_centre, 3)
        line = await waiting_line(own_centre)
        assert [channel.rpartition("-")[0] for channel in line] == [
            "PJSIP/telkomsel",
            "PJSIP/indosat",
            "PJSIP/telkomsel",
        ]
    await api.send("PATCH", f"/v1/trunks/{trunks['telkomsel']}", {"channels": None})
    [call] = (await api.get("/v1/calls", caller="0810002", limit=1))["items"]
    events = (await api.get(f"/v1/calls/{call['id']}/events"))["items"]
    assert steps(events)[:3] == ["crowded", "key 0", "queued"]
    assert call["priority"] == 0


@pytest.mark.usefixtures("slow_operator")
async def test_where_the_queue_is_full_callers_hear_the_menu(own_centre: RealCentre, api: Api) -> None:
    [queue] = (await api.get("/v1/queues"))["items"]
    await api.send("PATCH", f"/v1/queues/{queue['id']}", {"max_waiting": 1})
    async with AsyncExitStack() as stack:
        await Caller.calling(stack, own_centre, "0810001")
        await until_waiting(own_centre, 1)
        late = await Caller.calling(stack, own_centre, "0810002")
        await late.hears_the_menu()
        [call] = (await api.get("/v1/calls", caller="0810002", limit=1))["items"]
        assert steps((await api.get(f"/v1/calls/{call['id']}/events"))["items"]) == ["queued", "full"]


@pytest.mark.usefixtures("slow_operator")
async def test_who_comes_back_to_a_full_queue_has_kept_his_place(own_centre: RealCentre, api: Api) -> None:
    [queue] = (await api.get("/v1/queues"))["items"]
    await api.send("PATCH", f"/v1/queues/{queue['id']}", {"max_waiting": 1})
    async with AsyncExitStack() as stack:
        first = await Caller.calling(stack, own_centre, "0810001")
        await within(lambda: first.ear.heard_s > 4, 10)
        [one] = await waiting_line(own_centre)
        await Caller.calling(stack, own_centre, "0810002")
        async with asyncio.timeout(20):  # once the first one hears the menu
            while await waiting_line(own_centre) in ([one], []):
                await asyncio.sleep(0.1)
        await first.ear.press("0")
        await until_waiting(own_centre, 2)
        assert (await waiting_line(own_centre))[0] == one


async def test_a_phone_whose_sound_cannot_be_joined_with_the_callers_ends_no_call(
    own_centre: RealCentre, api: Api
) -> None:
    mark = (await api.events())[-1]["at"]
    own_centre.cli("module unload codec_opus_open_source.so")
    try:
        async with Sipp(sip.phone_answers(media=sip.OPUS), address="127.0.0.42") as device:
            await api.operator("1001", device)
            caller = sip.caller_talks(hold_ms=3000, caller="<sip:0810009@127.0.0.11>")
            result = await sip.call(caller, own_centre.sip_port)
    finally:
        own_centre.cli("module load codec_opus_open_source.so")
    assert result.failed == 0, result.output
    [call] = await api.ended_calls(1, after=mark)
    assert (call["outcome"], call["hung_up_by"]) == ("fell_back", "caller")


async def test_who_was_advised_to_a_queue_with_nobody_in_it_waits_in_his_own_the_next_time(
    own_centre: RealCentre, api: Api
) -> None:
    made = await api.send("POST", "/v1/queues", {"name": "medical"}, status=201)
    own_centre.cli("dialplan set global RING_BEFORE_ANSWER_S 1")
    async with Sipp(sip.phone_answers(), address="127.0.0.42") as device:
        await api.operator("1001", device)
        caller = sip.caller_presses("0", after_ms=700, hold_ms=4000, caller="<sip:0810001@127.0.0.13>")
        result = await sip.call(caller, own_centre.sip_port, address=XLSMART)
    own_centre.cli("dialplan set global RING_BEFORE_ANSWER_S 0")
    assert result.failed == 0, result.output
    [call] = (await api.get("/v1/calls", trunk="xlsmart", limit=1))["items"]
    events = (await api.get(f"/v1/calls/{call['id']}/events"))["items"]
    assert [event["data"]["queue"] for event in events if event["type"] == "call.queued"] == ["medical", "emergency"]
    assert call["operator"] == "1001"
    await api.send("DELETE", f"/v1/queues/{made['id']}", status=204)


async def until_waiting(centre: RealCentre, count: int) -> None:
    async with asyncio.timeout(15):
        while len(await waiting_line(centre)) != count:
            await asyncio.sleep(0.1)
