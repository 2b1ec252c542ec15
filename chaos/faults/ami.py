"""AMI through a proxy of ours: cut, half-open, slow, with garbage in it, and with a wrong password."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from chaos.faults.fault import Fault
from chaos.ground import Ground

SLOW_BYTES_A_SECOND = 1000
GARBAGE_BYTES = 4096


@asynccontextmanager
async def cut(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """Every connection ends, and no new one is made while the fault lasts."""
    ground.ami.is_shut = True
    ground.ami.cut()
    try:
        yield
    finally:
        ground.ami.is_shut = False


@asynccontextmanager
async def half_open(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """The connection stays open and carries nothing ever more: the gateway has to find out by itself."""
    ground.ami.lose()
    yield


@asynccontextmanager
async def slow(ground: Ground, luck: Random) -> AsyncIterator[None]:
    ground.ami.bytes_a_second = SLOW_BYTES_A_SECOND
    try:
        yield
    finally:
        ground.ami.bytes_a_second = 0


@asynccontextmanager
async def garbage(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """Random bytes in the stream; half of the times lines that look like AMI and are not."""
    if luck.random() < 0.5:
        ground.ami.say(luck.randbytes(GARBAGE_BYTES))
    else:
        ground.ami.say(b"Event: Hangup\r\nUniqueid: \xff\xfe\r\n\r\n\r\n: \r\nResponse\r\n\r\n" * 20)
    yield


@asynccontextmanager
async def wrong_password(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """Asterisk refuses the gateway at each login."""
    ground.ami.rewrite = lambda data: re.sub(rb"(?m)^Secret: .*\r$", b"Secret: wrong\r", data)
    ground.ami.cut()
    try:
        yield
    finally:
        ground.ami.rewrite = None


FAULTS = (
    Fault("AMI", "AMI cut", cut, 0, 6),
    Fault("AMI", "AMI half-open", half_open, 0, 1),
    Fault("AMI", "AMI at 1 kB/s", slow, 3, 8),
    Fault("AMI", "garbage in AMI", garbage, 0, 1),
    Fault("AMI", "AMI password wrong", wrong_password, 1, 4),
)
