"""Overload: twice the calls that this machine carries, for a minute. Do operators get callers in the order in which
Asterisk took them, is no call lost, what does the gateway leave out for it, and how soon is all as it was?

Counterparts: `gateway/shedding.py` and `gateway/domain/overload.py`; docs/operations.md, *When there is too much*.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from math import inf, nan
from pathlib import Path

from bench import ground, plot
from bench.course import Course, Look, block, picture
from bench.enjoying import Enjoyed, enjoying
from bench.ground import Ground
from bench.listener import listening
from bench.load import once
from bench.measure import memory_bytes, percentile
from bench.report import Block
from bench.sides import Say
from chaos.conservation import Span, Troubles
from chaos.sightings import Seen, Talk
from chaos.traffic import MEDIA, Traffic
from gateway.asterisk import priority
from gateway.domain.overload import EASY
from gateway.settings import PROJECT
from tests import sip
from tests.ranks import ASTERISK, OTHER_MACHINES, real_time
from tests.sip import Sipp

PICTURE = PROJECT / "var/bench/overload.svg"
TALK_MS = 3000
PATIENCE_MS = 12_000
"""So long a caller waits for a person, from 112's answer on."""
RATES = (20, 40, 50, 60, 70, 80)
"""Tried in turn; the last one that is carried is doubled."""
TRIED_S = 30.0
CARRIED_WAIT_S = 2.0
"""A rate is carried where nine of ten callers have a person so soon after 112's answer, and the strain stays easy for
as long as is tried: with the same speakers beside it as under the load, whose recordings are sealed."""
SPEAKING = 1
"""So many callers a second speak, and have something to be sealed; the others are mute."""
CALM_S = 20.0
LOOK_S = 1.0
T1_LONGEST_S = 16.0
"""Between two INVITEs of one call at most; one that was not repeated for longer was given up."""
STRAIN = "gateway112_strain_ratio"
WHOLE_LIMIT_S = 120.0
LAST_CALLS_S = 60.0
"""So long SIPp itself may take over what nobody answers (RFC 3261: 32 s), after its callers' patience."""
STAYS_WHOLE_S = 5.0


async def measure(say: Say, *, seconds: float, carried: int | None, operators: int) -> Block:
    """Offers twice `carried` calls a second, or twice what is found to be carried, for `seconds`."""
    with tempfile.TemporaryDirectory(prefix="overload-", dir="/tmp") as name:
        folder = Path(name)
        async with (
            ground.ground(folder, say, operators=operators, longest_ms=0, talk_ms=TALK_MS) as on,
            listening(on.centre, folder / "stream.log"),
            enjoying(on.api) as enjoyed,
        ):
            comes_first = real_time(on.centre.asterisk_pid, ASTERISK)
            if comes_first:
                real_time(on.traffic.phones.pid, OTHER_MACHINES)
            rate = carried or await _carried(on, say)
            course = Course(rate, comes_first)
            async with _looking(on, enjoyed, course):
                await _load(on, say, course, seconds)
            await on.traffic.stop(LAST_CALLS_S)
            say("overload: holding the history against SIPp's logs")
            # the callers are mute: of them there is no sound to be missed
            troubles = Troubles(frozen=[Span(course.loaded_at, inf)], no_room=[Span(0, inf)])
            course.found, course.calls = await ground.counted(on, troubles, refuses=True)
            course.seen, course.talks = on.traffic.seen, on.traffic.talks
            course.told = tuple(enjoyed.told)
    plot.save(PICTURE, picture(course))
    return block(course, PATIENCE_MS / 1000)


async def _goes_on(on: Ground, carrier: Sipp) -> None:
    """Starts it. Where Asterisk comes before all others on this machine, carriers and phones come before it."""
    await on.traffic.goes_on(carrier)
    if priority.comes_first(on.centre.asterisk_pid):
        real_time(carrier.pid, OTHER_MACHINES)


# -------------------------------------------------------------------- the calls


async def _carried(on: Ground, say: Say) -> int:
    """The highest of RATES that is carried. Raises RuntimeError where not even the lowest is."""
    carried, speakers = 0, _speakers(on.traffic)
    await _goes_on(on, speakers)
    for rate in RATES:
        say(f"overload: are {rate} calls/s carried?")
        since, hardest = time.time(), 0.0
        await _goes_on(on, _callers(on.traffic, rate, TRIED_S))
        while time.time() < since + TRIED_S + CARRIED_WAIT_S:
            await asyncio.sleep(LOOK_S)
            hardest = max(hardest, (await ground.metrics(on.api)).get(STRAIN, inf))
        on.traffic.read()
        waits = list(_waits(on.traffic.seen, on.traffic.talks, since))
        if hardest >= EASY or not waits or percentile(waits, 90) > CARRIED_WAIT_S:
            break
        carried = rate
    speakers.call_no_more()
    if not carried:
        raise RuntimeError(f"not even {RATES[0]} calls/s are carried here: say which rate is, with --carried")
    return carried


def _waits(seen: Iterable[Seen], talks: Mapping[str, Sequence[Talk]], since: float) -> Iterator[float]:
    """From 112's answer until a person, of each who came since then: for ever, where one of the two did not come."""
    for each in seen:
        if each.invited_at >= since:
            with_him = talks.get(each.number)
            yield with_him[0].began_at - each.answered_at if with_him and each.answered_at is not None else inf


def _callers(traffic: Traffic, rate: int, seconds: float) -> Sipp:
    """So many mute callers a second, who wait for a person for PATIENCE_MS: however many there are by then, the next
    ones come."""
    scenario = sip.caller_loses_patience(patience_ms=PATIENCE_MS, caller="@CALLER@")
    calls = round(rate * seconds)
    return traffic.other(scenario, calls=calls, rate=rate, at_once=calls)


def _speakers(traffic: Traffic) -> Sipp:
    """SPEAKING callers a second who speak, until they are told to call no more."""
    mute = sip.caller_loses_patience(patience_ms=PATIENCE_MS, caller="@CALLER@", media=MEDIA)
    waits = '<recv request="BYE"'
    return traffic.other(once(mute, waits, traffic.speak() + waits), calls=10**6, rate=SPEAKING)


async def _load(on: Ground, say: Say, course: Course, seconds: float) -> None:
    """What is carried, for a while, then twice that; returns when all is whole again, or is not within the limit."""
    say("overload: until all is calm")
    while not course.looks or not course.looks[-1].is_well or course.looks[-1].in_flight:  # noqa: ASYNC110  # SIPp calls
        await asyncio.sleep(LOOK_S)
    course.looks.clear()
    course.began_at = time.time()
    speakers = _speakers(on.traffic)
    await _goes_on(on, speakers)
    say(f"overload: {course.rate} calls/s, {CALM_S:.0f} s")
    await _goes_on(on, _callers(on.traffic, course.rate, CALM_S))
    await asyncio.sleep(CALM_S)
    say(f"overload: {2 * course.rate} calls/s, {seconds:.0f} s")
    course.loaded_at = time.time()
    await _goes_on(on, _callers(on.traffic, 2 * course.rate, seconds))
    await asyncio.sleep(seconds)
    speakers.call_no_more()
    say("overload: until all is whole again")
    while time.time() < course.loaded_at + seconds + WHOLE_LIMIT_S:
        await asyncio.sleep(LOOK_S)
        on.traffic.read()
        course.seen, course.talks = on.traffic.seen, on.traffic.talks
        course.whole_at = _whole_at(course)
        # not before the last one is over: whoever still waits may have it be less than whole again
        if not course.looks[-1].in_flight and course.looks[-1].at - course.whole_at >= STAYS_WHOLE_S:
            break


def _whole_at(course: Course) -> float:
    """When all became whole after the load, and stayed so; NaN where it is not."""
    found = nan
    for look in reversed(course.between(course.sent_at, time.time())):
        if not look.is_well:
            break
        if not look.lag_bytes:
            found = look.at
    return found


# -------------------------------------------------------------------- what is seen


@asynccontextmanager
async def _looking(on: Ground, enjoyed: Enjoyed, course: Course) -> AsyncIterator[None]:
    """Looks once a second, while the block runs."""

    async def look() -> None:
        while True:
            began_s = time.monotonic()
            course.looks.append(await _look(on, enjoyed))
            await asyncio.sleep(max(0.0, LOOK_S - (time.monotonic() - began_s)))

    task = asyncio.create_task(look())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _look(on: Ground, enjoyed: Enjoyed) -> Look:
    told, health = await ground.metrics(on.api), await ground.health(on.api)
    on.traffic.read()
    now, seen = time.time(), on.traffic.seen
    return Look(
        at=now,
        status="away" if health is None else str(health["status"]),
        problems=() if health is None else tuple(health["problems"]),
        lag_bytes=told.get("gateway112_journal_lag_bytes", nan),
        strain=told.get(STRAIN, nan),
        shed=_shed(told),
        memory=memory_bytes(on.centre.gateway_pid),
        sent=len(seen),
        in_flight=sum(each.is_open(now) for each in seen if each.tried_at or now - each.last_invited_at < T1_LONGEST_S),
        spoken=len(on.traffic.talks),
        pictures=enjoyed.pictures,
        posts=enjoyed.posts,
        sealed=told.get('gateway112_recordings_told_total{what="sealed"}', nan),
    )


def _shed(told: Mapping[str, float]) -> tuple[str, ...]:
    lead = 'gateway112_luxury_wait_seconds{luxury="'
    return tuple(name.removeprefix(lead).rstrip('"}') for name, wait in told.items() if name.startswith(lead) and wait)
