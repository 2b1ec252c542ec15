"""The course of a probe: one call to 112, from the phone's registration to what the API tells of it.

Counterpart: all of the centre. Asterisk's part is shown without the gateway's (the journal, not the API, names the
recording), so that a failure says which of the two it is.
"""

import asyncio
import contextlib
import fcntl
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.asterisk import site
from gateway.probe import PHONE, QUEUE, tones
from gateway.probe.caller import Caller
from gateway.probe.order import Order
from gateway.probe.recording import Entry, JournalMark, Sound
from gateway.probe.report import Course, ProbeReport, StepFailed
from gateway.probe.rtp import ToneEndpoint
from gateway.probe.softphone import Softphone
from gateway.probe.story import Api, Expected, faults_of_call, faults_of_events
from gateway.settings import Settings

REGISTERS = "the phone registers"
ANSWERS = "112 answers the trunk"
HEARD = "the caller hears 112"
RINGS = "the phone rings"
PICKED_UP = "the phone answers"
OPERATOR_HEARS = "the operator hears the caller"
CALLER_HEARS = "the caller hears the operator"
HANGS_UP = "the caller hangs up"
RECORDED = "the recording has both sides"
TOLD = "the API tells the call"
EVENTS = "the API tells its events"

STEPS = (REGISTERS, ANSWERS, HEARD, RINGS, PICKED_UP, OPERATOR_HEARS, CALLER_HEARS, HANGS_UP, RECORDED, TOLD, EVENTS)

TOTAL_S = 60.0
"""No probe takes longer. A good one takes the greeting and about seven seconds."""
REGISTER_S = 8.0
ANSWER_S = 5.0
SOUND_S = 3.0
RING_S = 30.0
"""From 112's answer to the phone's ring: the greeting lies between."""
PICK_UP_S = 5.0
TALK_S = 3.0
HANG_UP_S = 3.0
RECORDING_S = 3.0
TOLD_S = 6.0
POLL_S = 0.02

_DOCTOR = "`gateway112 doctor` says more"


async def run(settings: Settings, token: str) -> ProbeReport:
    """Plays the call and reports each step. Takes at most TOTAL_S and a few seconds to clear up; every process and
    socket that it opens is ended. Raises nothing for a centre that does not work: that is what the report says."""
    course = Course(STEPS)
    began = time.monotonic()
    try:
        with _alone(settings.paths.var / "probe.lock"):
            async with asyncio.timeout(TOTAL_S):
                await _play(course, settings, token)
    except StepFailed as failure:
        course.broke(failure.said, failure.remedy)
    except TimeoutError:
        course.broke(f"the probe took longer than {TOTAL_S:g} s", f"is the machine overloaded? {_DOCTOR}")
    return course.report(time.monotonic() - began)


async def _play(course: Course, settings: Settings, token: str) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    async with Softphone(_order(settings)) as phone:
        await phone.await_event("ready", REGISTER_S, lambda: _not_registered(settings, phone), _DOCTOR)
        course.good(REGISTERS, phone.at("registered"), f"as {PHONE}")

        mark = JournalMark(settings)
        async with _caller_sound(settings) as sound, Caller(settings, sound.port) as caller:
            course.invite_at = await caller.invited(ANSWER_S)
            await _call(course, phone, caller, sound, ring_before_answer_s=settings.call.ring_before_answer_s)

    await _check_recording(course, mark, caller.call_id)
    await _check_story(course, settings, token, Expected(caller.call_id, since))


async def _call(
    course: Course, phone: Softphone, caller: Caller, sound: ToneEndpoint, *, ring_before_answer_s: int
) -> None:
    """The call itself, up to its end. Raises StepFailed where it cannot go on."""
    answer = await caller.answered(ANSWER_S + ring_before_answer_s)
    course.good(ANSWERS, answer.at, answer.first_line)
    if answer.sound_address is not None:
        sound.talk_to(answer.sound_address)

    if await _until(lambda: sound.first_sound_at is not None, SOUND_S):
        course.good(HEARD, sound.first_sound_at, "the first sound")
    else:
        course.bad(
            HEARD,
            f"no sound came for {SOUND_S:g} s ({sound.received} packets)",
            "are the prompts there (var/prompts/id)? Is the RTP port range open (rtp.first_port)?",
        )

    await phone.await_event(
        "rung",
        RING_S,
        lambda: "112 answered, and the phone was not rung",
        f"is {PHONE} in queue {QUEUE}? `gateway112 console queue show {QUEUE}`; the gateway puts it there at its start",
    )
    course.good(RINGS, phone.at("rung"), f"out of queue {QUEUE}")
    await phone.await_event("answered", PICK_UP_S, lambda: "the phone rang and could not answer", _DOCTOR)
    course.good(PICKED_UP, phone.at("answered"))

    began = time.monotonic()
    await _until(lambda: sound.tone_at is not None and phone.at("tone") is not None, TALK_S)
    _judge_hearing(course, phone, sound)
    await asyncio.sleep(max(0.0, began + TALK_S - time.monotonic()))

    course.good(HANGS_UP, await caller.hang_up(HANG_UP_S), "the BYE was answered")


def _judge_hearing(course: Course, phone: Softphone, sound: ToneEndpoint) -> None:
    one_way = "sound goes one way only: look at the RTP ports (rtp.first_port to rtp.last_port) and a firewall"
    if phone.at("tone") is not None:
        course.good(OPERATOR_HEARS, phone.at("tone"), f"{tones.CALLER_HZ:g} Hz")
    else:
        course.bad(OPERATOR_HEARS, f"the caller's {tones.CALLER_HZ:g} Hz did not reach the phone", one_way)
    if sound.tone_at is not None:
        course.good(CALLER_HEARS, sound.tone_at, f"{tones.OPERATOR_HZ:g} Hz")
    else:
        course.bad(CALLER_HEARS, f"the operator's {tones.OPERATOR_HZ:g} Hz did not reach the caller", one_way)


async def _check_recording(course: Course, mark: JournalMark, sip_call_id: str) -> None:
    """Listens to the recording as Asterisk left it on disk, once it holds what was sent."""
    entry: Entry | None = None
    listened: Sound | None = None
    deadline_s = time.monotonic() + RECORDING_S
    while time.monotonic() < deadline_s:
        entry = await asyncio.to_thread(mark.find, sip_call_id)
        if entry is not None and entry.file is not None:
            with contextlib.suppress(FileNotFoundError):
                listened = Sound.of(await asyncio.to_thread(entry.file.read_bytes))
                if listened.is_right:
                    course.good(RECORDED, None, f"{listened.duration_s:.1f} s, caller left, operator right")
                    return
        await asyncio.sleep(10 * POLL_S)
    if entry is None:
        course.bad(RECORDED, "the journal does not tell of the call", f"is cel_custom loaded? {_DOCTOR}")
    elif listened is None:
        course.bad(RECORDED, "there is no recording", "may Asterisk write to the recordings' folder? Is the disk full?")
    else:
        course.bad(
            RECORDED,
            listened.said,
            "each tone must be in its own channel (caller left, centre right) for a second: see MixMonitor in "
            "dialplan/emergency.conf",
        )


async def _check_story(course: Course, settings: Settings, token: str, expected: Expected) -> None:
    async with Api(settings, token) as api:
        call = await api.ended_call(expected, TOLD_S)
        if faults := faults_of_call(call):
            course.bad(TOLD, f"call {call['id']}: {'; '.join(faults)}", "compare the journal with the API's call")
        else:
            course.good(TOLD, None, f"{call['id']}, {call['outcome']}")
        events = await api.events(call["id"])
        if faults := faults_of_events(events):
            course.bad(EVENTS, "; ".join(faults), "compare the journal with the API's events")
        else:
            course.good(EVENTS, None, f"{len(events)} events, seq {events[0]['seq']} to {events[-1]['seq']}")


def _order(settings: Settings) -> Order:
    host = settings.probe.phone_host
    try:
        own_port, sound_port = _free_port(host), _free_port(host)
    except OSError as error:
        raise StepFailed(
            f"the phone's address {host} cannot be used here: {error.strerror}",
            "set probe.phone_host to an address of this machine that Asterisk can reach",
        ) from None
    return Order(
        host=settings.sip.near_host,
        port=settings.sip.port,
        number=PHONE,
        secret=site.kept_secret(settings.paths.var / "probe-secret"),
        own_host=host,
        own_port=own_port,
        sound_port=sound_port,
        send_hz=tones.OPERATOR_HZ,
        listen_hz=tones.CALLER_HZ,
    )


def _not_registered(settings: Settings, phone: Softphone) -> str:
    """Why the phone is not registered, and what to do, in words."""
    sip = settings.sip
    refused = phone.events.get("refused")
    if refused is None or "timed out" in str(refused["reason"]):  # pyVoIP's words
        return f"the phone could not register: Asterisk at {sip.host}:{sip.port} does not answer; is it running?"
    if "Invalid Username" in str(refused["reason"]):
        return (
            f"the phone could not register: Asterisk refuses {PHONE} and the password in var/probe-secret; "
            "the gateway writes both to Asterisk when it starts: is it running?"
        )
    return f"the phone could not register: {refused['reason']}"


@asynccontextmanager
async def _caller_sound(settings: Settings) -> AsyncIterator[ToneEndpoint]:
    """The caller's mouth and ear, on the probe's address. Raises StepFailed when that cannot be used."""
    host = settings.probe.host
    endpoint = ToneEndpoint(host, send_hz=tones.CALLER_HZ, listen_hz=tones.OPERATOR_HZ)
    try:
        await endpoint.__aenter__()
    except OSError as error:
        raise StepFailed(
            f"the address {host} cannot be used here: {error.strerror}", "set probe.host to a loopback address"
        ) from None
    try:
        yield endpoint
    finally:
        await endpoint.__aexit__()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One probe at a time: two would take each other's phone. Raises StepFailed."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        opened = lock.open("a")
    except OSError as error:  # the cron of root, say, which is refused now, has made it
        remedy = f"where it is another user's, rm -f {lock}; else look at its disk"
        raise StepFailed(f"{lock} cannot be opened: {error.strerror}", remedy) from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StepFailed("another probe is running", "wait until it has ended: it takes a minute at most") from None
        yield


async def _until(condition: Callable[[], bool], limit_s: float) -> bool:
    """Waits until the condition holds; False when it did not within the limit."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + limit_s
    while not condition():
        if loop.time() > deadline_s:
            return False
        await asyncio.sleep(POLL_S)
    return True


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        trial.bind((host, 0))
        return int(trial.getsockname()[1])
