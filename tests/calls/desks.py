"""Operators' desks: softphones that nobody here wrote (baresip), each with a tone of its own that it says whenever it
is on the line, and fingers that hold, transfer and dial.

Counterparts: `tests/calls/phones.py` has one phone with nothing to say; `tests/calls/test_voices.py` looks for the
tones.
"""

import asyncio
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import baresip

from gateway.probe import tones
from tests.calls.phones import answered
from tests.centre import Api, RealCentre

FRAME = 160
SAMPLE_BYTES = 2
AHEAD_BYTES = 6 * FRAME * SAMPLE_BYTES


@dataclass
class Desk:
    """`rung` holds the calls that came and were not yet taken; `busy` the times, in seconds since 1970, in which its
    fingers were at work and its voice is not to be counted on."""

    number: str
    agent: baresip.UserAgent
    centre: RealCentre
    voice: bytes
    rung: "asyncio.Queue[baresip.Call]" = field(default_factory=asyncio.Queue)
    busy: list[tuple[float, float]] = field(default_factory=list)
    speaking: set["asyncio.Task[None]"] = field(default_factory=set)

    def uri(self, code: str) -> str:
        return f"sip:{code}@127.0.0.1:{self.centre.sip_port}"

    async def take(self, limit_s: float = 20) -> baresip.Call:
        """Answers the next call that comes, and speaks."""
        async with asyncio.timeout(limit_s):
            call = await self.rung.get()
            await call.answer()
            await call.wait_established()
        self._speak(call)
        return call

    async def dial(self, code: str) -> baresip.Call:
        """Calls, waits for the answer, and speaks."""
        call = await answered(self.agent, self.uri(code))
        self._speak(call)
        return call

    async def press(self, call: baresip.Call, keys: str) -> None:
        began = time.time()
        await call.send_dtmf(keys)
        self.busy.append((began, time.time() + 0.3))

    def _speak(self, call: baresip.Call) -> None:
        task = asyncio.create_task(self._say(call))
        self.speaking.add(task)
        task.add_done_callback(self.speaking.discard)

    async def _say(self, call: baresip.Call) -> None:
        """A whole second, over and over; a little of it ahead, for the phone sends by its own clock."""
        place = 0
        while call.state is not baresip.CallState.CLOSED:
            try:
                while call.audio.info().tx_ready and call.audio.info().tx_buffered < AHEAD_BYTES:
                    taken = call.audio.write(self.voice[place : place + FRAME * SAMPLE_BYTES])
                    place = (place + taken) % len(self.voice)
                    if not taken:
                        break
            except (baresip.AudioNotActive, baresip.AudioRestarted, baresip.StaleHandleError):
                pass  # on hold, or just over
            await asyncio.sleep(0.02)


class Office:
    """A room of desks."""

    def __init__(self, centre: RealCentre, api: Api, runtime: baresip.Runtime) -> None:
        self._centre = centre
        self._api = api
        self._runtime = runtime
        self.desks: list[Desk] = []

    async def desk(self, number: str, tone_hz: float, *, queue: str = "") -> Desk:
        """A new operator at a phone that is registered, with a place in `queue` or in none."""
        made = await self._api.operator(number, None, name=f"Petugas {number}", queue="")
        domain = f"127.0.0.1:{self._centre.sip_port}"
        account = baresip.Account(number, domain, made["secret"], audio_codecs=("pcma",))
        agent = await baresip.UserAgent.create(self._runtime, account)
        voice = array("h", tones.sine(tone_hz, tones.SAMPLE_RATE_HZ)).tobytes()
        desk = Desk(number, agent, self._centre, voice)
        agent.on_incoming(desk.rung.put_nowait)
        await agent.register()
        if queue:
            await self._api.send("PUT", f"/v1/queues/{queue}/members/{number}", {})
        self.desks.append(desk)
        return desk


@asynccontextmanager
async def an_office(centre: RealCentre, api: Api) -> AsyncIterator[Office]:
    """The room; at the end it is empty."""
    runtime = baresip.Runtime()
    await runtime.start(baresip.Config(net_interface="127.0.0.1", max_concurrent_calls=None))
    office = Office(centre, api, runtime)
    try:
        yield office
    finally:
        speaking = [task for desk in office.desks for task in desk.speaking]
        for task in speaking:
            task.cancel()
        await asyncio.gather(*speaking, return_exceptions=True)
        await runtime.close()
