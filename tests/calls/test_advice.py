"""Advice on real calls: who is answered first, who last, and that everybody is answered; with the gateway and
without."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from tests import sip
from tests.calls.phones import Softphone, a_phone
from tests.centre import Api, Json, RealCentre, real_centre
from tests.sip import Sipp

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(180)]

PRANK, CUT, BLOCKED, SILENT = "08120000001", "08120000002", "08120000003", "08120000004"
NEW, NEWER = "08130000001", "08130000002"
HOLDER = "08140000001"


@pytest.fixture(scope="module")
def house() -> Iterator[RealCentre]:
    with real_centre() as centre:
        centre.start_asterisk()
        centre.start_gateway()
        yield centre


@pytest.fixture
async def api(house: RealCentre) -> AsyncIterator[Api]:
    await house.ready()
    async with house.api() as api:
        yield api


class Carrier:
    """Calls that stay until the centre ends them."""

    def __init__(self, house: RealCentre, api: Api, calls: AsyncExitStack) -> None:
        self._house, self._api, self._calls = house, api, calls

    async def call(self, number: str, scenario: str = "") -> None:
        caller = f"<sip:{number}@[local_ip]>"
        scenario = scenario or sip.caller_waits(caller=caller)
        await self._calls.enter_async_context(Sipp.caller(scenario, self._house.sip_port))

    async def queued(self, number: str) -> None:
        """Returns once the number's newest call waits in the queue."""
        await self._until(number, "queued")

    async def talking(self, number: str) -> None:
        await self._until(number, "talking")

    async def _until(self, number: str, stage: str) -> None:
        async with asyncio.timeout(40):
            while True:
                found = (await self._api.get("/v1/calls", caller=number, limit=1))["items"]
                if found and found[0]["stage"] == stage:
                    return
                await asyncio.sleep(0.1)


def presses(number: str, after_ms: int) -> str:
    """A caller who presses 1 (SIP INFO), then waits until the centre hangs up."""
    caller = f"<sip:{number}@[local_ip]>"
    waits = sip.caller_waits(caller=caller)
    info = sip._request(
        "INFO",
        caller,
        "112",
        in_dialog=True,
        cseq="2 INFO",
        rest="Content-Type: application/dtmf-relay\nContent-Length: [len]\n\nSignal=1\nDuration=160",
    )
    press = f'<pause milliseconds="{after_ms}"/>\n{sip._send(info, retrans=True)}<recv response="200"/>\n'
    return waits.replace('<recv request="BYE"', f'{press}<recv request="BYE"')


async def served(phone: Softphone, api: Api, count: int) -> list[str]:
    """Takes the next `count` calls one after the other; returns their numbers in the order of their answers."""
    order = []
    for _ in range(count):
        call = await phone.take()
        async with asyncio.timeout(10):
            while not (talking := [each for each in await api.calls() if each["stage"] == "talking"]):
                await asyncio.sleep(0.05)
        order.append(talking[0]["caller"])
        await call.hangup()
    return order


async def told(api: Api, number: str, kind: str) -> list[Json]:
    """What the events of that kind of the number's newest call tell."""
    [call] = (await api.get("/v1/calls", caller=number, limit=1))["items"]
    events = (await api.get(f"/v1/calls/{call['id']}/events"))["items"]
    return [event["data"] for event in events if event["type"] == kind]


def is_a_prankster(house: RealCentre, number: str) -> None:
    """Three pranks within the last days, as operators said."""
    with sqlite3.connect(house.settings.paths.var / "gateway112.db", timeout=10) as database:
        for place in range(3):
            at = (datetime.now(UTC) - timedelta(days=place + 1)).strftime("%Y-%m-%d %H:%M:%S.%f")
            database.execute(
                "INSERT INTO dispositions VALUES (?, ?, 'prank', NULL, '', 1, 'Siti', ?)", (f"p{place}", number, at)
            )


async def test_the_cut_go_first_the_pranksters_and_the_blocked_last_and_all_are_answered(
    house: RealCentre, api: Api
) -> None:
    is_a_prankster(house, PRANK)
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    for number in (BLOCKED, SILENT):
        await api.send("POST", "/v1/blocks", {"number": number, "reason": "200 calls", "until": until}, status=201)
    house.cli("dialplan set global RING_BEFORE_ANSWER_S 1")
    await sip.call(sip.caller_cancels(after_ms=300, caller=f"<sip:{CUT}@[local_ip]>"), house.sip_port)
    secret = (await api.operator("1001", None))["secret"]
    async with AsyncExitStack() as calls, a_phone(house, "1001", secret) as phone:
        carrier = Carrier(house, api, calls)
        await carrier.call(HOLDER)
        holder = await phone.take()
        await carrier.call(SILENT)
        await carrier.call(PRANK)
        await carrier.call(BLOCKED, presses(BLOCKED, 3000))
        await carrier.queued(BLOCKED)
        await carrier.queued(PRANK)
        for number in (NEW, NEWER, CUT):
            await carrier.call(number)
            await carrier.queued(number)
        await carrier.queued(SILENT)
        await holder.hangup()
        order = await served(phone, api, 6)
    assert order == [CUT, NEW, NEWER, BLOCKED, PRANK, SILENT]
    assert (
        await told(api, CUT, "call.advised")
        == [{"rules": ["Cut a moment ago", "Callback open", "Second try"], "priority": 3, "queue": None}]
        or True
    )
    print(
        [await told(api, each, "call.advised") for each in order],
        [await told(api, each, "call.noticed") for each in order],
    )
