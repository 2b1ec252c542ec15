"""Advice on real calls: who is answered first, who last, and that everybody is answered; with the gateway and
without."""

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from tests import sip
from tests.calls.phones import Softphone, a_phone
from tests.centre import Api, Json, RealCentre, real_centre
from tests.sip import Sipp

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(150)]

PRANK, CUT, BLOCKED, SILENT = "08120000001", "08120000002", "08120000003", "08120000004"
BLOCKED_WRITTEN = ("+628120000003", "0812.0000003")
"""The blocked number as other carriers write it."""
NEW, NEWER, HOLDER = "08130000001", "08130000002", "08140000001"
HOLD_MS = 90_000
PUT = (
    "INSERT INTO dispositions (call_id, caller, disposition, category, note, operator_id, set_by, set_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


@pytest.fixture(scope="module")
def own_centre() -> Iterator[RealCentre]:
    with real_centre({"call": {"ring_before_answer_s": 1}}) as centre:
        centre.start_asterisk()
        shorten_notices(centre)
        centre.start_gateway()
        yield centre


@pytest.fixture
async def api(own_api: Api) -> AsyncIterator[Api]:
    yield own_api
    for block in (await own_api.get("/v1/blocks"))["items"]:
        await own_api.send("DELETE", f"/v1/blocks/{block['id']}", status=204)


def shorten_notices(centre: RealCentre) -> None:
    """What is said before the queue is a word here, so that nobody waits for the test."""
    sounds = centre.settings.asterisk_dir / "lib/sounds/id"
    spoken = sounds.resolve()
    sounds.unlink()
    sounds.mkdir()
    for file in spoken.iterdir():
        is_notice = file.name.startswith("notice-")
        (sounds / file.name).symlink_to(spoken / "digits" / f"1{file.suffix}" if is_notice else file)


def of(number: str) -> str:
    return f"<sip:{number}@[local_ip]>"


async def calling(stack: AsyncExitStack, centre: RealCentre, number: str, *, presses: bool = False) -> None:
    """A call that stays until the centre ends it, or one in which a key is pressed 1.5 s after 112 answered."""
    scenario = sip.caller_waits(caller=of(number))
    if presses:
        scenario = sip.caller_presses("1", after_ms=1500, hold_ms=HOLD_MS, caller=of(number))
    await stack.enter_async_context(Sipp.caller(scenario, centre.sip_port))


async def waiting(centre: RealCentre, *numbers: str) -> None:
    """Returns once those callers wait in the queue, whoever else does."""
    shown = channels = ""
    try:
        async with asyncio.timeout(40):
            while not _callers(channels, shown) >= set(numbers):
                await asyncio.sleep(0.1)
                channels = await asyncio.to_thread(centre.cli, "core show channels concise")
                shown = await asyncio.to_thread(centre.cli, "queue show emergency")
    except TimeoutError:
        raise AssertionError(f"not {numbers} in the queue:\n{shown}\n{channels}") from None


def _callers(channels: str, queue: str) -> set[str]:
    """The numbers of the channels that stand in the queue: the eighth field of each line of the console's."""
    lines = [line.split("!") for line in channels.splitlines()]
    return {fields[7] for fields in lines if len(fields) > 7 and f" {fields[0]} (wait" in queue}


async def served(phone: Softphone, count: int, talk_s: float = 0.2) -> None:
    """Takes the next `count` calls, one after the other."""
    for _ in range(count):
        call = await phone.take()
        await asyncio.sleep(talk_s)
        await call.hangup()


async def order(api: Api, mark: str, count: int) -> list[str]:
    """The callers since then in the order of their answers, once all of them are over."""
    calls = await api.ended_calls(count, after=mark)
    answered = [call for call in calls if call["operator"]]
    return [call["caller"] for call in sorted(answered, key=lambda call: str(call["answered_at"]))]


async def told(api: Api, number: str, kind: str) -> list[Json]:
    """What the events of that kind of the number's newest call tell."""
    [call] = (await api.get("/v1/calls", caller=number, limit=1))["items"]
    events = (await api.get(f"/v1/calls/{call['id']}/events"))["items"]
    return [event["data"] for event in events if event["type"] == kind]


def plays_pranks(centre: RealCentre, number: str) -> None:
    """Operators said so of three calls, of the last days."""
    with sqlite3.connect(centre.settings.paths.var / "gateway112.db", timeout=10) as database:
        for day in (1, 2, 3):
            at = (datetime.now(UTC) - timedelta(days=day)).strftime("%Y-%m-%d %H:%M:%S.%f")
            row = (f"prank-{day}-{number}-{at}", number, "prank", None, "", 1, "Siti", at)
            database.execute(PUT, row)


async def blocked(api: Api, number: str) -> None:
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    await api.send("POST", "/v1/blocks", {"number": number, "reason": "200 calls", "until": until}, status=201)


async def test_who_was_cut_goes_first_who_plays_pranks_or_is_blocked_last_and_all_reach_a_person(
    own_centre: RealCentre, api: Api
) -> None:
    plays_pranks(own_centre, PRANK)
    for number in (BLOCKED, SILENT):
        await blocked(api, number)
    secret = (await api.operator("1001", None))["secret"]
    async with AsyncExitStack() as stack, a_phone(own_centre, "1001", secret) as phone:
        await calling(stack, own_centre, SILENT)  # hears the notice twice, and waits through it
        await calling(stack, own_centre, HOLDER)
        await sip.call(sip.caller_cancels(after_ms=300, caller=of(CUT)), own_centre.sip_port)
        holder = await phone.take()
        await calling(stack, own_centre, PRANK)
        await calling(stack, own_centre, BLOCKED, presses=True)
        await waiting(own_centre, PRANK, BLOCKED)
        for number in (NEW, NEWER, CUT):
            await calling(stack, own_centre, number)
            await waiting(own_centre, number)
        await waiting(own_centre, SILENT)
        await holder.hangup()
        await served(phone, 6)
        answered = await order(api, "", 8)
    assert answered[:4] == [HOLDER, CUT, NEW, NEWER]
    assert set(answered[4:]) == {PRANK, BLOCKED, SILENT}
    [advised] = await told(api, CUT, "call.advised")
    assert (advised["rules"][0], advised["priority"]) == ("Cut a moment ago", 3)
    assert await told(api, PRANK, "call.advised") == [{"rules": ["Nuisance number"], "priority": 0, "queue": None}]
    assert await told(api, NEW, "call.advised") == []
    notices = [await told(api, number, "call.noticed") for number in (PRANK, BLOCKED, SILENT, NEW)]
    assert notices == [
        [{"notice": "nuisance", "key": None}],
        [{"notice": "blocked", "key": "1"}],
        [{"notice": "blocked", "key": None}],
        [],
    ]


async def test_with_the_gateway_dead_all_are_answered_in_the_order_of_their_arrival_but_the_blocked(
    own_centre: RealCentre, api: Api
) -> None:
    plays_pranks(own_centre, PRANK)
    await blocked(api, BLOCKED)
    await sip.call(sip.caller_cancels(after_ms=300, caller=of(CUT)), own_centre.sip_port)
    mark = datetime.now(UTC).isoformat()
    secret = (await api.operator("1001", None))["secret"]
    own_centre.stop_gateway(signal.SIGKILL)
    try:
        async with AsyncExitStack() as stack, a_phone(own_centre, "1001", secret) as phone:
            await calling(stack, own_centre, HOLDER)
            holder = await phone.take()
            for number in BLOCKED_WRITTEN:
                await calling(stack, own_centre, number, presses=True)
            await waiting(own_centre, *BLOCKED_WRITTEN)
            for number in (PRANK, NEW, CUT):
                await calling(stack, own_centre, number)
                await waiting(own_centre, number)
            await holder.hangup()
            await served(phone, 5)
    finally:
        own_centre.start_gateway()
        await own_centre.ready()
    answered = await order(api, mark, 6)
    assert answered[:4] == [HOLDER, PRANK, NEW, CUT]
    assert sorted(answered[4:]) == sorted(BLOCKED_WRITTEN)
