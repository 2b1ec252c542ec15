"""The API's door under attack: what an attacker gets of it, and what a CAD at another address notices meanwhile.

Counterparts: `gateway/api/limits.py` and `gateway/api/door.py`, with the settings' own defaults.
"""

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from math import nan

import aiohttp

from bench.measure import cpu_s, memory_bytes, percentile
from bench.report import Block, Row
from bench.sides import Say
from gateway.settings import ApiSettings
from tests.centre import RealCentre, real_centre

CAD, ATTACKER = "127.0.0.3", "127.0.0.9"
ASKS_EVERY_S = 0.1
ANSWER_LIMIT_S = 20.0
"""What is not answered within that is not answered, whatever comes later."""
AT_ONCE = 20
CROWD, CROWD_ADDRESSES = 1000, 8
UNREAD = 100
"""Connections that ask for the documentation's page again and again, and read nothing of it."""

Attack = Callable[[RealCentre, float], Awaitable[Counter[str]]]


@dataclass(slots=True)
class Found:
    """What one attack got, in answers by status or in connections, and what the CAD had of its own requests."""

    got: Counter[str]
    good_ms: list[float] = field(default_factory=list)
    bad: Counter[str] = field(default_factory=Counter)
    cpu_percent: float = 0.0
    memory_mb: float = 0.0


async def measure(say: Say, *, attack_s: float) -> Block:
    """Each attack goes on for so many seconds, one after the other, on one centre."""
    default, found = ApiSettings(), {}
    limits = {"requests_per_address": default.requests_per_address, "requests_per_token": default.requests_per_token}
    with real_centre({"api": limits}) as centre:
        await asyncio.to_thread(centre.start_asterisk)
        centre.start_gateway()
        await centre.ready()
        for name, attack in ATTACKS.items():
            say(f"door: {name}")
            found[name] = await _during(centre, attack, attack_s)
    return Block(
        "the API's door under attack",
        tuple(ATTACKS),
        (
            _row(found, "answered", lambda each: sum(n for status, n in each.got.items() if status in "200 401 503")),
            _row(found, "told to wait (429)", lambda each: each.got["429"]),
            _row(found, "connections cut off", lambda each: each.got["cut"]),
            _row(found, "connections held to the end", lambda each: each.got["held"]),
            _row(found, "the CAD's requests", lambda each: len(each.good_ms) + each.bad.total()),
            Row(
                "of these not answered",
                {name: each.bad.total() for name, each in found.items()},
                target="none",
                is_met=not any(each.bad for each in found.values()),
            ),
            _row(found, "the CAD's p50", lambda each: percentile(each.good_ms, 50), "ms"),
            _row(found, "the CAD's worst", lambda each: max(each.good_ms, default=nan), "ms"),
            _row(found, "gateway's CPU, of one core", lambda each: each.cpu_percent, "%"),
            _row(found, "gateway's memory at the end", lambda each: each.memory_mb, "MB"),
        ),
        (
            f"{attack_s:g} s each; requests from {ATTACKER}, {AT_ONCE} at once",
            f"the crowd is {CROWD} connections from {CROWD_ADDRESSES} addresses, those who do not read {UNREAD}",
        ),
    )


def _row(found: Mapping[str, Found], what: str, figure: Callable[[Found], float], unit: str = "") -> Row:
    return Row(what, {name: figure(each) for name, each in found.items()}, unit)


async def _during(centre: RealCentre, attack: Attack, attack_s: float) -> Found:
    found, before_s, began = Found(Counter()), cpu_s(centre.gateway_pid), time.monotonic()
    is_over = asyncio.Event()
    asking = asyncio.create_task(_ask_as_a_cad(centre, found, is_over))
    found.got = await attack(centre, attack_s)
    is_over.set()
    await asking  # the last answer is waited for: of a door that answers nobody there would be none that is bad
    found.cpu_percent = 100 * (cpu_s(centre.gateway_pid) - before_s) / (time.monotonic() - began)
    found.memory_mb = memory_bytes(centre.gateway_pid) / 1e6
    return found


async def _ask_as_a_cad(centre: RealCentre, found: Found, is_over: asyncio.Event) -> None:
    token = (centre.settings.paths.var / "admin-token").read_text().strip()
    async with _session(CAD, {"Authorization": f"Bearer {token}"}) as session:
        while not is_over.is_set():
            began = time.monotonic()
            try:
                async with session.get(f"{centre.settings.api_url}/v1/calls?limit=20") as answer:
                    await answer.read()
                    if answer.status == 200:
                        found.good_ms.append(1000 * (time.monotonic() - began))
                    else:
                        found.bad[str(answer.status)] += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                found.bad[type(error).__name__] += 1
            await asyncio.sleep(ASKS_EVERY_S)


def _session(address: str, headers: Mapping[str, str] | None = None) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(local_addr=(address, 0))
    return aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)
    )


def _flood(path: str, *, guesses: bool = False) -> Attack:
    """Requests as fast as they are answered."""

    async def attack(centre: RealCentre, attack_s: float) -> Counter[str]:
        got: Counter[str] = Counter()
        end = time.monotonic() + attack_s

        async def one(session: aiohttp.ClientSession) -> None:
            while (now := time.monotonic()) < end:
                headers = {"Authorization": f"Bearer {now}"} if guesses else {}
                try:
                    async with session.get(f"{centre.settings.api_url}{path}", headers=headers) as answer:
                        await answer.read()
                        got[str(answer.status)] += 1
                except aiohttp.ClientError:
                    got["cut"] += 1

        async with _session(ATTACKER) as session:
            await asyncio.gather(*(one(session) for _ in range(AT_ONCE)))
        return got

    return attack


def _hold(count: int, said: tuple[bytes, ...], *, reads: bool) -> Attack:
    """Connections that say so much, and then nothing; those that do not read want answers, and have small windows."""

    async def attack(centre: RealCentre, attack_s: float) -> Counter[str]:
        loop = asyncio.get_running_loop()
        ends = []
        for number in range(count):
            end = socket.socket()
            if not reads:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            end.setblocking(False)
            end.bind((f"127.0.{1 + number % CROWD_ADDRESSES}.9", 0))
            await loop.sock_connect(end, ("127.0.0.1", centre.settings.api.port))
            with contextlib.suppress(OSError):  # cut off already: it is counted below
                await loop.sock_sendall(end, said[number % len(said)])
            ends.append(end)
        await asyncio.sleep(attack_s if reads else attack_s + 35)  # who does not read has 30 s
        got = Counter("held" if _is_held(end) else "cut" for end in ends)
        for end in ends:
            end.close()
        return got

    return attack


def _is_held(end: socket.socket) -> bool:
    """Whether the other side still holds the connection."""
    try:
        while end.recv(65536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


async def _nothing(_: RealCentre, attack_s: float) -> Counter[str]:
    await asyncio.sleep(attack_s)
    return Counter()


_PAGE = b"GET /docs HTTP/1.1\r\nHost: centre\r\n\r\n"

ATTACKS: Mapping[str, Attack] = {
    "nothing": _nothing,
    "requests": _flood("/v1/roles"),
    "health": _flood("/v1/health"),
    "wrong tokens": _flood("/v1/calls", guesses=True),
    "a silent crowd": _hold(CROWD, (b"", b"GET / HTTP/1.1\r\nX", b"POST /v1/operators HTTP/1.1\r\n"), reads=True),
    "unread answers": _hold(UNREAD, (_PAGE * 100,), reads=False),
}
