"""Carriers that misbehave: one that vanishes in the middle of calls, says BYE twice, never acknowledges, or floods.

Its calls are counted as all others are: each INVITE is one call.
"""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from bench.load import once
from chaos.faults.fault import Fault
from chaos.ground import Ground
from chaos.traffic import MEDIA, OTHER, over, playing
from tests import sip

CALLS, RATE = 3, 3
FLOOD_A_SECOND, FLOOD_AT_ONCE = 400, 20
LIMIT_S = 60.0


@asynccontextmanager
async def vanishes(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """It is gone in the middle of its calls, without a word. The operators notice, and hang up."""
    talk = sip.caller_talks(hold_ms=600_000, caller="@CALLER@", media=MEDIA)
    talk = once(talk, "<pause", f"{ground.traffic.speak()}<pause")
    async with playing(ground.traffic.other(talk, calls=CALLS, rate=RATE)):
        await asyncio.sleep(luck.uniform(2.0, 4.0))
    yield


@asynccontextmanager
async def says_bye_twice(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """A second BYE of its own after the first was answered: there is no such call any more."""
    talk = sip.caller_talks(hold_ms=luck.randint(2500, 4000), caller="@CALLER@", media=MEDIA)
    talk = once(talk, "<pause", f"{ground.traffic.speak()}<pause")
    start = talk.index('<send retrans="500"><![CDATA[\nBYE')
    bye = talk[start : talk.index("</send>", start) + len("</send>\n")].replace("CSeq: 2 BYE", "CSeq: 3 BYE")
    again = f'{bye}<recv response="481"/>\n</scenario>'
    async with playing(device := ground.traffic.other(once(talk, "</scenario>", again), calls=CALLS, rate=RATE)):
        yield
        await over(device, LIMIT_S)


@asynccontextmanager
async def never_acknowledges(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """112's answer is never acknowledged. Asterisk repeats it, and gives up after half a minute."""
    talk = sip.caller_waits(caller="@CALLER@", media=MEDIA)
    start = talk.index("<send><![CDATA[\nACK")
    silent = talk[:start] + ground.traffic.speak() + talk[talk.index("</send>", start) + len("</send>\n") :]
    again = '<recv response="200" optional="true" next="again"/>\n<recv request="BYE" timeout="60000"/>'
    silent = once(silent, '<recv request="BYE" timeout="60000"/>', f'<label id="again"/>\n{again}')
    await ground.traffic.goes_on(ground.traffic.other(silent, calls=CALLS, rate=RATE))
    yield


@asynccontextmanager
async def floods(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """OPTIONS, hundreds a second, from a carrier's own address."""
    flooding = asyncio.create_task(_flood(ground.centre.sip_port))
    try:
        yield
    finally:
        flooding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await flooding


async def _flood(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind((OTHER[0], 0))
        carrier.setblocking(False)
        near = f"{OTHER[0]}:{carrier.getsockname()[1]}"
        while True:
            for _ in range(FLOOD_AT_ONCE):
                each = secrets.token_hex(8)
                text = (
                    f"OPTIONS sip:112@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {near};branch=z9hG4bK{each}\r\n"
                    f"Max-Forwards: 70\r\nFrom: <sip:carrier@{near}>;tag={each}\r\n"
                    f"To: <sip:112@127.0.0.1:{port}>\r\nCall-ID: {each}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
                )
                with contextlib.suppress(BlockingIOError):
                    carrier.sendto(text.encode(), ("127.0.0.1", port))
            with contextlib.suppress(BlockingIOError):
                while carrier.recv(65535):
                    pass
            await asyncio.sleep(FLOOD_AT_ONCE / FLOOD_A_SECOND)


FAULTS = (
    Fault("carriers", "carrier vanishes", vanishes, 0, 1),
    Fault("carriers", "carrier says BYE twice", says_bye_twice, 4, 6),
    Fault("carriers", "carrier never ACKs", never_acknowledges, 1, 3),
    Fault("carriers", "carrier floods OPTIONS", floods, 2, 6),
)
