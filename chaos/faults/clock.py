"""The wall clock leaps by an hour, and back. It is the gateway's and its worker's alone, by libfaketime: this machine's
clock is never touched, and Asterisk, whose clock the journal is told by, keeps the true one.

A clock that can leap is slow. So the gateway is started with it for this fault alone, and without it afterwards.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

from chaos.faults.fault import Fault
from chaos.ground import Ground
from tests.centre import clock_library

AN_HOUR = timedelta(hours=1)
LOOKS_BACK_S = 0.5
"""So long after the leap back the gateway has seen it."""


@asynccontextmanager
async def ahead(ground: Ground, luck: Random) -> AsyncIterator[None]:
    async with _leap(ground, AN_HOUR):
        yield


@asynccontextmanager
async def back(ground: Ground, luck: Random) -> AsyncIterator[None]:
    async with _leap(ground, -AN_HOUR):
        yield


@asynccontextmanager
async def _leap(ground: Ground, far: timedelta) -> AsyncIterator[None]:
    centre = ground.centre
    centre.with_clock()
    await ground.restart_gateway()
    centre.set_clock(far)
    try:
        yield
        centre.set_clock(timedelta())
        await asyncio.sleep(LOOKS_BACK_S)
    finally:
        centre.set_clock(timedelta())
        centre.without_clock()
        await ground.restart_gateway()


def _why_not(ground: Ground) -> str:
    return "" if clock_library() else "libfaketime is not installed (apt-get install faketime)"


FAULTS = (
    Fault("clock", "clock an hour ahead", ahead, 1, 8, _why_not),
    Fault("clock", "clock an hour back", back, 1, 8, _why_not),
)
