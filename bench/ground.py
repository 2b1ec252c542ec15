"""A centre of its own under steady traffic that SIPp logs, for what is looked at over time.

Counterparts: `overload.py` and `soak.py`; the traffic and the count of calls are the fault campaign's (`chaos/`).
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from bench.sides import Say, make_operators
from chaos import conservation
from chaos.conservation import Finding, Json, Kind, Told, Troubles
from chaos.traffic import Traffic
from tests.centre import Api, RealCentre, real_centre

RTP = {"first_port": 10_000, "last_port": 25_999}
"""As many as there can be: where none is left, Asterisk answers 488."""
TOLD_LIMIT_S = 60.0
LOOK_S = 2.0
UNAVAILABLE = 503
WAITING = "gateway112_recordings_waiting"
STILL_LIMIT_S = 90.0
"""The vault's worker is waited for as long as it still seals something."""
ANSWER_LIMIT_S = 3.0
"""A gateway that takes longer over health or metrics is told as away."""


@dataclass(frozen=True, slots=True)
class Ground:
    centre: RealCentre
    traffic: Traffic
    api: Api
    folder: Path


@asynccontextmanager
async def ground(
    folder: Path, say: Say, *, operators: int, longest_ms: int, talk_ms: int, shortest_ms: int = 0
) -> AsyncIterator[Ground]:
    """The centre with its gateway and so many operators, who talk for `talk_ms`; nobody calls yet."""
    with real_centre({"call": {"queue_max_wait_s": 60}, "rtp": RTP}) as centre:
        luck = random.Random(112)  # noqa: S311  # the same lengths each time
        lengths = {"shortest_ms": shortest_ms, "longest_ms": longest_ms}
        traffic = Traffic(folder, centre.sip_port, luck, **lengths, patience_ms=talk_ms)
        async with traffic.phones:
            say("starting a centre")
            await asyncio.to_thread(centre.start_asterisk)
            centre.start_gateway()
            await centre.ready()
            async with centre.api() as api:
                say(f"making {operators} operators")
                await make_operators(api, traffic.phones, operators)
                try:
                    yield Ground(centre, traffic, api, folder)
                finally:
                    await traffic.stop(0)


async def health(api: Api) -> Mapping[str, Any] | None:
    """What /v1/health says; None where it does not in time."""
    try:
        async with api.session.get("/v1/health", timeout=aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)) as response:
            told: Mapping[str, Any] = await response.json()
            return told
    except (aiohttp.ClientError, TimeoutError):
        return None


async def metrics(api: Api) -> Mapping[str, float]:
    """All that /metrics tells, by name and labels as they stand there; nothing where it does not in time."""
    try:
        async with api.session.get("/metrics", timeout=aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)) as response:
            lines = (await response.text()).splitlines() if response.ok else []
    except (aiohttp.ClientError, TimeoutError):
        return {}
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


async def recordings(api: Api) -> list[Json]:
    """All of them, as the API tells them."""
    items: list[Json] = []
    page = await api.get("/v1/recordings", limit=200)
    items += page["items"]
    while page["next"]:
        page = await api.get("/v1/recordings", limit=200, cursor=page["next"])
        items += page["items"]
    return items


async def sealed(api: Api, tell: Callable[[float], None]) -> None:
    """Returns once no recording waits to be sealed, or their number falls no more. The vault's worker takes only what
    the processor has to spare, and whoever asks for all of the history takes a part of that. `tell` hears how many
    wait."""
    fewest, limit = float("inf"), time.monotonic() + STILL_LIMIT_S
    while time.monotonic() < limit:
        waiting = (await metrics(api)).get(WAITING, float("inf"))
        if waiting < fewest:
            fewest, limit = waiting, time.monotonic() + STILL_LIMIT_S
            tell(waiting)
        if not waiting:
            return
        await asyncio.sleep(LOOK_S)


async def counted(on: Ground, troubles: Troubles, *, refuses: bool) -> tuple[Mapping[Kind, list[str]], Sequence[Json]]:
    """What the fault campaign's check finds wrong, in words, with all INVITEs that SIPp sent, and all calls: code that
    shares nothing with the gateway. SIPp must have ended. Where Asterisk `refuses`, for it was asked for more than it
    has, what it never answered or refused is no call, and recordings are not looked at; `troubles` say when it was late
    itself. What happened is told a moment after SIPp saw it: that is waited for."""
    if not refuses:
        await sealed(on.api, lambda waiting: None)
    until = time.monotonic() + TOLD_LIMIT_S
    while True:
        on.traffic.read()
        told = Told(await on.api.calls(), None if refuses else await recordings(on.api))
        findings = held_against(on.traffic, told, troubles, refuses=refuses)
        if not findings or time.monotonic() > until:
            found = {kind: [f"{each.about}: {each.words}" for each in findings if each.kind is kind] for kind in Kind}
            return found, told.calls
        await asyncio.sleep(LOOK_S)


def held_against(traffic: Traffic, told: Told, troubles: Troubles, *, refuses: bool) -> Sequence[Finding]:
    """What is found at one look."""
    none = {seen.call_id for seen in traffic.seen if refuses and (seen.tried_at is None or seen.status == UNAVAILABLE)}
    came = [seen for seen in traffic.seen if seen.call_id not in none]
    calls = [call for call in told.calls if call["sip_call_id"] not in none]
    return conservation.check(came, traffic.talks, replace(told, calls=calls), troubles, is_final=True).findings
