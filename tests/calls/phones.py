"""A softphone that nobody here wrote (baresip), registered at a real centre.

Counterpart: `tests/sip.py`, whose phones follow a script; this one is dialled on, rung, and presses keys.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import baresip

from tests.centre import RealCentre


@dataclass
class Softphone:
    """`rung` holds the calls that came and were not yet taken."""

    agent: baresip.UserAgent
    centre: RealCentre
    rung: "asyncio.Queue[baresip.Call]"

    async def dial(self, code: str) -> None:
        """Dials a code of the centre's and listens until it hangs up."""
        async with asyncio.timeout(30):
            call = await self.answered(code)
            while call.state is not baresip.CallState.CLOSED:
                await asyncio.sleep(0.05)

    async def answered(self, code: str) -> baresip.Call:
        """Dials a code of the centre's; the call, once it is answered."""
        return await answered(self.agent, f"sip:{code}@127.0.0.1:{self.centre.sip_port}")

    async def refused(self, code: str) -> str:
        """Dials a code that is not answered; returns with what words the call ended."""
        # a refusal may come before `dial` returns, and then the call itself does not hear of it: the agent does
        ended: asyncio.Queue[baresip.StackEvent] = asyncio.Queue()
        self.agent.on(ended.put_nowait)
        try:
            async with asyncio.timeout(30):
                await self.agent.dial(f"sip:{code}@127.0.0.1:{self.centre.sip_port}")
                while True:
                    event = await ended.get()
                    assert event.event is not baresip.Event.CALL_ESTABLISHED
                    if event.event is baresip.Event.CALL_CLOSED:
                        return event.text or ""
        finally:
            self.agent.off(ended.put_nowait)

    async def take(self, limit_s: float = 30) -> baresip.Call:
        """Answers the next call that comes."""
        async with asyncio.timeout(limit_s):
            call = await self.rung.get()
            await call.answer()
            await call.wait_established()
        return call


async def answered(agent: baresip.UserAgent, uri: str) -> baresip.Call:
    """Dials; the call, once it is answered.

    Raises: CallFailed, CallTimeout (after 30 s)
    """
    # what came of it may come before `dial` returns (this process was held up), and then the call itself does not hear
    # of it, and waits until it is over: the agent does
    early: list[baresip.StackEvent] = []
    agent.on(early.append)
    try:
        call = await agent.dial(uri)
        for event in early:
            call._on_stack_event(event)
    finally:
        agent.off(early.append)
    await call.wait_established()
    return call


@asynccontextmanager
async def a_phone(
    centre: RealCentre, number: str, secret: str, *, authority: Path | None = None, encrypts: bool = False
) -> AsyncIterator[Softphone]:
    """The phone, registered; at the end it is gone, unregistered or not. With an `authority` (PEM) over TLS, and only
    where that vouches for the centre; one that `encrypts` takes no call without SRTP."""
    runtime = baresip.Runtime()
    safe = f"sip_cafile {authority}\nsip_verify_server yes\n" if authority else ""
    await runtime.start(baresip.Config(net_interface="127.0.0.1", extra_config_text=safe))
    try:
        port = centre.settings.sip.tls_port if authority else centre.sip_port
        account = baresip.Account(
            number,
            f"127.0.0.1:{port}",
            secret,
            transport="tls" if authority else "udp",
            audio_codecs=("pcma", "pcmu"),
            extra_params=("mediaenc=srtp-mand",) if encrypts else (),
        )
        agent = await baresip.UserAgent.create(runtime, account)
        rung: asyncio.Queue[baresip.Call] = asyncio.Queue()
        agent.on_incoming(rung.put_nowait)
        await agent.register()
        yield Softphone(agent, centre, rung)
    finally:
        await runtime.close()
