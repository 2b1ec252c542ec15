"""Operators' phones that misbehave: they vanish in the middle of talks, send every call to themselves (302), answer and
hang up at once.

They stand in the queue before the good ones while the fault lasts, so that every caller is rung to them first.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import aiohttp

from chaos.faults.fault import Fault
from chaos.ground import Ground
from chaos.traffic import BAD_PHONES_ADDRESS
from tests import sip
from tests.centre import Json

PHONES = "phones"
"""Their family."""
NUMBERS = ("2901", "2902", "2903")
TRY_S = 0.5
LIMIT_S = 30.0


@asynccontextmanager
async def vanish(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """Their device is gone, with the talks on it; they stay in the queue and ring no more. Their callers go back."""
    async with _in_queue(ground):
        async with ground.traffic.bad_phones(sip.phone_answers()):
            await asyncio.sleep(luck.uniform(1.5, 4.0))
        yield


@asynccontextmanager
async def loop(ground: Ground, luck: Random) -> AsyncIterator[None]:
    contact = f"sip:{NUMBERS[0]}@{BAD_PHONES_ADDRESS}:{ground.traffic.bad_phones_port}"
    async with _in_queue(ground), ground.traffic.bad_phones(sip.phone_sends_elsewhere(contact)):
        yield


@asynccontextmanager
async def hang_up_at_once(ground: Ground, luck: Random) -> AsyncIterator[None]:
    async with _in_queue(ground), ground.traffic.bad_phones(sip.phone_hangs_up(talk_ms=0)):
        yield


@asynccontextmanager
async def _in_queue(ground: Ground) -> AsyncIterator[None]:
    """The bad phones have a standing place in the queue while the block runs."""
    await _all(ground, "PUT")
    try:
        yield
    finally:
        await _all(ground, "DELETE")


async def _all(ground: Ground, method: str) -> None:
    async with asyncio.timeout(LIMIT_S), ground.centre.api() as api:
        for number in NUMBERS:
            while True:
                body: Json | None = {} if method == "PUT" else None
                try:
                    await api.send(method, f"/v1/queues/emergency/members/{number}", body)
                    break
                except (AssertionError, aiohttp.ClientError):
                    await asyncio.sleep(TRY_S)


FAULTS = (
    Fault(PHONES, "phones vanish", vanish, 1, 4),
    Fault(PHONES, "phones loop 302", loop, 2, 5),
    Fault(PHONES, "phones hang up at once", hang_up_at_once, 2, 5),
)
