"""Whose voice is in which channel of a recording, from the answer to the end: through hold, a third person, handing
over and fallback (callbacks: test_callbacks.py). Every line says a tone of its own; the journal says who was on the
line when, and the sound must agree."""

import asyncio
import os
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from math import log10
from pathlib import Path

import baresip
import pytest

from gateway.probe import tones
from tests import sip
from tests.calls.desks import Desk, Office, an_office
from tests.calls.test_roster import within
from tests.centre import Api, Json, RealCentre
from tests.ranks import ASTERISK, OTHER_MACHINES, real_time
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

SETTINGS: dict[str, dict[str, object]] = {}
TELKOM, XLSMART = "127.0.0.114", "127.0.0.113"
"""Addresses that no other test's carriers have, for these are called, and every centre calls the same port."""

CALLER_HZ, FIRST_HZ, SECOND_HZ, AGENCY_HZ = 700, 1000, 1300, 1700
"""None is a harmonic of another, nor a tone of Asterisk's; all of them fit whole into a window."""
ALL_HZ = (CALLER_HZ, FIRST_HZ, SECOND_HZ, AGENCY_HZ)
CROSSTALK_DB = 30
SOFTER_DB = 8
"""Two voices of the centre's may differ by so much: each has its own codec and its own way."""
EDGE_S = 0.4
"""About what happens in the journal and when it is heard: the phones' buffers, a re-INVITE, a window."""
WINDOW_S = tones.WINDOW_SAMPLES / tones.SAMPLE_RATE_HZ


@dataclass
class Talk:
    """An operator who has just answered a caller, and a colleague who is not in the queue."""

    first: Desk
    second: Desk
    call: baresip.Call


# ---------------------------------------------------------------- what operators do


async def holds(talk: Talk) -> None:
    await asyncio.sleep(1.2)
    await talk.call.hold()
    await asyncio.sleep(1.5)
    await talk.call.resume()
    await asyncio.sleep(1.5)
    await talk.call.hangup()


async def asks_a_colleague_meanwhile(talk: Talk) -> None:
    await asyncio.sleep(1)
    await talk.call.hold()
    async with asyncio.TaskGroup() as both:
        asked = both.create_task(talk.first.dial(talk.second.number))
        both.create_task(talk.second.take())
    await asyncio.sleep(1)
    await asked.result().hangup()
    await talk.call.resume()
    await asyncio.sleep(1.5)
    await talk.call.hangup()


async def tries_the_transfer_key(talk: Talk) -> None:
    """The phone is told no, and the call stays where it is."""
    await asyncio.sleep(1)
    for target in (talk.second.number, "081234567", "0811@telkom"):
        with pytest.raises(baresip.TransferFailed):
            await talk.call.transfer(talk.first.uri(target))
    await asyncio.sleep(1.5)
    await talk.call.hangup()


async def hands_over_to_a_colleague(talk: Talk) -> None:
    await asyncio.sleep(1)
    taken = await bring_in(talk)
    await asyncio.sleep(1.5)
    await talk.call.hangup()
    await asyncio.sleep(1.5)
    await taken.hangup()


async def hands_over_to_an_agency(talk: Talk) -> None:
    """Caller and agency go on until the caller hangs up."""
    await asyncio.sleep(1)
    await talk.first.press(talk.call, "*51")
    await asyncio.sleep(2)
    await talk.call.hangup()


async def hands_over_to_a_colleague_who_brings_in_an_agency(talk: Talk) -> None:
    """Whoever took the caller over has the same codes as who answered him."""
    await asyncio.sleep(1)
    taken = await bring_in(talk)
    await asyncio.sleep(1.5)
    await talk.call.hangup()
    await asyncio.sleep(1.5)
    await talk.second.press(taken, "*51")
    await asyncio.sleep(2)
    await taken.hangup()


async def brings_in_a_colleague_who_leaves_first(talk: Talk) -> None:
    await asyncio.sleep(1)
    taken = await bring_in(talk)
    await asyncio.sleep(1.5)
    await taken.hangup()
    await asyncio.sleep(1.5)
    await talk.call.hangup()


async def brings_in_nobody(talk: Talk) -> None:
    """There is no such phone: the operator alone hears so."""
    await asyncio.sleep(1)
    await talk.first.press(talk.call, "*50")
    await talk.first.press(talk.call, "4711#")
    await asyncio.sleep(2.5)
    await talk.call.hangup()


async def bring_in(talk: Talk) -> baresip.Call:
    await talk.first.press(talk.call, "*50")
    await talk.first.press(talk.call, f"{talk.second.number}#")
    return await talk.second.take()


@dataclass(frozen=True)
class Story:
    """What the operator does, how long the caller stays at most, whose voices are heard one after the other, and what
    the call's events tell beside the ringing and answering."""

    does: Callable[[Talk], Awaitable[None]]
    voices: list[set[int]]
    told: list[str]
    hold_ms: int = 20_000
    agency: str | None = None


A, B, DAMKAR = FIRST_HZ, SECOND_HZ, AGENCY_HZ
STORIES = (
    Story(holds, [{A}, {A}], ["held", "resumed"]),
    Story(asks_a_colleague_meanwhile, [{A}, {A}], ["held", "resumed"]),
    Story(tries_the_transfer_key, [{A}], []),
    Story(hands_over_to_a_colleague, [{A}, {A, B}, {B}], ["held", "resumed", "joined"]),
    Story(hands_over_to_an_agency, [{A}, {A, DAMKAR}, {DAMKAR}], ["joined"], 6500, "Damkar"),
    Story(
        hands_over_to_a_colleague_who_brings_in_an_agency,
        [{A}, {A, B}, {B}, {B, DAMKAR}, {DAMKAR}],
        ["held", "resumed", "joined", "joined"],
        19_000,
        "Damkar",
    ),
    Story(brings_in_a_colleague_who_leaves_first, [{A}, {A, B}, {A}], ["held", "resumed", "joined"]),
    Story(brings_in_nobody, [{A}, {A}], ["held", "resumed"]),
)


@pytest.fixture
async def office(own_centre: RealCentre, own_api: Api, tmp_path: Path) -> AsyncIterator[Office]:
    """A room of desks, an agency at the end of a trunk, and a trunk whose callers find nobody."""
    await own_api.send("POST", "/v1/queues", {"name": "nobody"}, status=201)
    fire = {"name": "Damkar", "service": "fire", "phones": [{"number": "0811", "trunk": "telkom"}], "ring_s": 5}
    trunks = {trunk["name"]: trunk["id"] for trunk in (await own_api.get("/v1/trunks"))["items"]}
    await own_api.send("PATCH", f"/v1/trunks/{trunks['telkom']}", {"addresses": [TELKOM]})
    await own_api.send("PATCH", f"/v1/trunks/{trunks['xlsmart']}", {"addresses": [XLSMART], "queue": "nobody"})
    made = await own_api.send("POST", "/v1/agencies", fire, status=201)
    real_time(own_centre.asterisk_pid, ASTERISK)
    phone = sip.phone_answers(sound=sip.tone(tmp_path / "agency", AGENCY_HZ))
    async with Sipp(phone, address=TELKOM, port=5060) as agency, an_office(own_centre, own_api) as office:
        real_time(agency.pid, OTHER_MACHINES)  # one that stands still for 0.13 s is 12 dB softer in a window
        yield office
    await own_api.send("DELETE", f"/v1/agencies/{made['id']}", status=204)


@pytest.mark.timeout(120)
async def test_each_voice_is_in_its_channel_from_the_answer_to_the_end(
    own_centre: RealCentre, own_api: Api, office: Office, tmp_path: Path
) -> None:
    voice = sip.tone(tmp_path / "caller", CALLER_HZ)
    desks: dict[str, tuple[Desk, Desk]] = {}
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as stories:
        for key, number, hold_ms in (("1", "0810101", 7000), ("5", "0810105", 11_500)):
            caller = sip.caller_presses(
                key, after_ms=700, hold_ms=hold_ms, caller=f"<sip:{number}@{XLSMART}>", sound=voice
            )
            speaks = await stack.enter_async_context(Sipp.caller(caller, own_centre.sip_port, address=XLSMART))
            real_time(speaks.pid, OTHER_MACHINES)
        for place, story in enumerate(STORIES):
            first = await office.desk(f"11{place:02}", FIRST_HZ, queue="emergency")
            second = await office.desk(f"12{place:02}", SECOND_HZ)
            number = f"08100{place:02}"
            caller = sip.caller_talks(hold_ms=story.hold_ms, caller=f"<sip:{number}@127.0.0.11>", sound=voice)
            speaks = await stack.enter_async_context(Sipp.caller(caller, own_centre.sip_port))
            real_time(speaks.pid, OTHER_MACHINES)
            call = await first.take()
            await own_api.send("DELETE", f"/v1/queues/emergency/members/{first.number}")
            desks[number] = first, second
            stories.create_task(story.does(Talk(first, second, call)))
        keep_sound(own_centre)
        await own_api.ended_calls(len(STORIES) + 2)
    calls = {call["caller"]: call for call in await own_api.ended_calls(len(STORIES) + 2)}
    for place, story in enumerate(STORIES):
        call = calls[f"08100{place:02}"]
        first, second = desks[call["caller"]]
        heard = await judged(own_centre, own_api, call, [*first.busy, *second.busy])
        assert heard == story.voices, story.does.__name__
        assert (call["outcome"], call["operator"]) == ("answered", f"11{place:02}"), story.does.__name__
        assert (call["agency"], call["relieved_by"]) == (story.agency, None), story.does.__name__
        assert await told(own_api, call) == story.told, story.does.__name__
        wanted = "caller" if story.hold_ms < 20_000 else "operator"
        assert call["hung_up_by"] == wanted, story.does.__name__
    by_agency, with_message = calls["0810101"], calls["0810105"]
    assert await judged(own_centre, own_api, by_agency, []) == [{DAMKAR}]
    assert await judged(own_centre, own_api, with_message, []) == []
    assert (by_agency["relieved_by"], bool(with_message["message"])) == ("telkom", True)
    assert [each for each in await own_api.calls() if each["caller"] not in calls] == []
    assert "set_aside" not in own_centre.log()


BEGINS_WITHIN_S = 0.6
"""SIPp speaks so soon after 112's answer, on busy processors."""
MAY_BE_TOLD = ("held", "resumed", "joined")


async def told(api: Api, call: Json) -> list[str]:
    events = (await api.get(f"/v1/calls/{call['id']}/events"))["items"]
    names = [event["type"].removeprefix("call.") for event in sorted(events, key=lambda event: moment(event["at"]))]
    return sorted((name for name in names if name in MAY_BE_TOLD), key=MAY_BE_TOLD.index)


# ---------------------------------------------------------------- what is heard


def keep_sound(centre: RealCentre) -> None:
    """The sound as Asterisk writes it stays at hand, whatever becomes of the file after the call."""
    kept = centre.folder / "kept"
    kept.mkdir(exist_ok=True)
    for file in centre.settings.paths.recordings.rglob("*.raw"):
        if not (kept / file.name).exists():
            os.link(file, kept / file.name)


async def judged(centre: RealCentre, api: Api, call: Json, busy: Iterable[tuple[float, float]]) -> list[set[int]]:
    """Whose voices of the centre's the right channel holds, one after the other, as the call's events say who was on
    the line. Fails where the sound does not agree, or the caller is not in the left channel over the whole length."""
    events = (await api.get(f"/v1/calls/{call['id']}/events"))["items"]
    samples = array("h", (centre.folder / "kept" / f"{call['id']}.raw").read_bytes())
    left, right = samples[0::2], samples[1::2]
    began = moment(call["greeted_at"])
    length_s = moment(call["ended_at"]) - began
    # what does not flow is not written (decision 7): on busy processors neither SIPp nor the phone speaks at once
    assert -0.3 <= length_s - len(left) / tones.SAMPLE_RATE_HZ <= BEGINS_WITHIN_S
    on_line: set[int] = set()
    changes: list[tuple[float, set[int]]] = []
    for event in sorted(events, key=lambda event: moment(event["at"])):
        name, phone = event["type"], event["data"].get("phone")
        if name in ("call.answered", "call.joined", "call.resumed"):
            on_line = on_line | {tone_of(phone)}
        elif name in ("call.operator_left", "call.held"):
            on_line = on_line - {tone_of(phone)}
        else:
            continue
        changes.append((moment(event["at"]) - began, on_line))
    heard: dict[int, set[int]] = {}
    has_begun = False
    for place, (ear, mouth) in enumerate(zip(tones.windows(left), tones.windows(right), strict=True)):
        start = place * WINDOW_S
        in_left = levels_db(ear)
        has_begun = has_begun or in_left[CALLER_HZ] > 60
        if has_begun or start >= BEGINS_WITHIN_S:
            assert in_left[CALLER_HZ] > 60, (call["caller"], start, in_left)
            assert is_clean(in_left, {CALLER_HZ}), (call["caller"], start, in_left)
        past = sum(at <= start for at, _ in changes)
        wanted = changes[past - 1][1] if past else set()
        near = any(abs(at - start - WINDOW_S / 2) < EDGE_S for at, _ in changes)
        pressed = any(start + WINDOW_S > since - began and start < until - began for since, until in busy)
        if not wanted or near or pressed:
            continue
        in_right = levels_db(mouth)
        assert is_clean(in_right, wanted), (call["caller"], start, wanted, in_right)
        heard[past] = wanted
    return list(heard.values())


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def tone_of(phone: str) -> int:
    return {"11": FIRST_HZ, "12": SECOND_HZ}.get(phone[:2], AGENCY_HZ)


def levels_db(window: Sequence[int]) -> dict[int, float]:
    return {hz: 10 * log10(tones.power(window, hz) + 0.001) for hz in ALL_HZ}


def is_clean(found: dict[int, float], wanted: set[int]) -> bool:
    """Whether the wanted tones are there, about equally loud, and no other one."""
    softest = min(found[hz] for hz in wanted)
    loudest = max(found.values())
    others = max((found[hz] for hz in ALL_HZ if hz not in wanted), default=-100.0)
    return softest > 60 and softest >= loudest - SOFTER_DB and others < softest - CROSSTALK_DB


@pytest.mark.timeout(60)
async def test_after_a_vanished_phone_the_next_operator_ends_the_call_by_hanging_up(
    own_centre: RealCentre, own_api: Api
) -> None:
    """What a phone leaves that vanishes is a line that Asterisk has ended by itself."""
    mark = (await own_api.calls())[-1:]
    caller = sip.caller_talks(hold_ms=20_000, caller="<sip:0810201@127.0.0.11>")
    async with (
        Sipp(sip.phone_answers(), address="127.0.0.115") as vanishing,
        Sipp(sip.phone_hangs_up(talk_ms=700), address="127.0.0.116") as living,
    ):
        await own_api.operator("1301", vanishing)
        async with Sipp.caller(caller, own_centre.sip_port):
            await within(lambda: "PJSIP/1301-" in own_centre.cli("core show channels concise"), 15)
            await asyncio.sleep(0.5)
            await own_api.operator("1302", living)
            await own_api.send("DELETE", "/v1/queues/emergency/members/1301")
            lines = own_centre.cli("core show channels concise").splitlines()
            [line] = [line.partition("!")[0] for line in lines if line.startswith("PJSIP/1301-")]
            own_centre.cli(f"channel request hangup {line}")
            [call] = await own_api.ended_calls(1, after=mark[0]["arrived_at"] if mark else "")
    rung = [(attempt["phone"], attempt["result"]) for attempt in call["attempts"]]
    assert rung == [("1301", "answered"), ("1302", "answered")]
    assert (call["outcome"], call["hung_up_by"], call["priority"]) == ("answered", "operator", 4)
