"""The board of a real centre: what a phone does is on it, as Asterisk and the journal tell it, and never a guess."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

import aiohttp
import pytest

from tests import sip
from tests.calls.phones import a_phone
from tests.centre import START_TIMEOUT_S, Api, Json, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

WRAP_UP_S = 4
LIMIT_S = 20.0

SETTINGS = {"call": {"queue_max_wait_s": 60}}


@pytest.fixture
async def api(own_api: Api) -> Api:
    await own_api.send("PATCH", "/v1/queues/1", {"wrap_up_s": WRAP_UP_S})
    return own_api


class Viewer:
    """Reads the stream of pictures; `seen` are the states of the one operator in all of them, each once in a row."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.picture: Json = {}
        self.seen: list[str] = []

    async def next(self) -> Json:
        async with asyncio.timeout(LIMIT_S):
            while not (line := await self._answer.content.readline()).startswith(b"data: "):
                assert line, "the stream ended"
        self.picture = json.loads(line.removeprefix(b"data: "))
        if self.seen[-1:] != [state(self.picture)]:
            self.seen.append(state(self.picture))
        return self.picture

    async def until(self, is_so: Callable[[Json], bool]) -> Json:
        """The first picture of which that is true; the one that is there, if it is true of that."""
        try:
            async with asyncio.timeout(LIMIT_S):
                while not self.picture or not is_so(self.picture):
                    await self.next()
        except TimeoutError:
            raise AssertionError(f"{self.seen}, at last {self.picture}") from None
        return self.picture

    async def until_state(self, wanted: str) -> Json:
        return await self.until(lambda picture: state(picture) == wanted)


@asynccontextmanager
async def viewing(api: Api) -> AsyncIterator[Viewer]:
    limits = aiohttp.ClientTimeout(total=None, sock_read=LIMIT_S)
    async with api.session.get("/v1/board/stream", timeout=limits) as answer:
        assert answer.status == 200, await answer.text()
        yield Viewer(answer)
        answer.close()


def state(picture: Json) -> str:
    return str(picture["operators"][0]["state"]) if picture["operators"] else ""


def queue(picture: Json) -> Json:
    found: Json = picture["queues"][0]
    return found


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_phones_whole_day_is_on_the_board(own_centre: RealCentre, api: Api) -> None:
    operator = await api.operator("1001", None)
    async with viewing(api) as viewer, AsyncExitStack() as phones:
        told = await viewer.until_state("unavailable")
        assert (queue(told)["free"], queue(told)["there"], queue(told)["waiting"]) == (0, 0, 0)

        phone = await phones.enter_async_context(a_phone(own_centre, "1001", operator["secret"]))
        told = await viewer.until_state("free")
        assert (queue(told)["free"], queue(told)["there"]) == (1, 1)
        assert told["operators"][0]["since"] > operator["created_at"]

        async with Sipp.caller(sip.caller_talks(hold_ms=60_000), own_centre.sip_port):
            told = await viewer.until(lambda told: state(told) == "ringing" and told["operators"][0]["call_id"])
            [call] = await api.calls()
            assert told["operators"][0]["call_id"] == call["id"]
            told = await viewer.until(lambda told: queue(told)["waiting"] == 1)
            assert queue(told)["waiting_since"] == call["arrived_at"]
            trunk = next(trunk for trunk in told["trunks"] if trunk["name"] == "telkomsel")
            assert (trunk["channels_used"], trunk["last_call_at"]) == (1, call["arrived_at"])

            talk = await phone.take()
            told = await viewer.until(lambda told: state(told) == "talking" and queue(told)["waiting"] == 0)
            assert told["operators"][0]["call_id"] == call["id"]
            assert queue(told)["free"] == 0

            await talk.hangup()
            told = await viewer.until_state("wrapping_up")
            ended_at = moment(told["operators"][0]["since"])
            told = await viewer.until_state("free")
            assert 0 <= (moment(told["as_of"]) - ended_at).total_seconds() - WRAP_UP_S < 3

        [call] = await api.ended_calls(1)
        told = await viewer.until(lambda told: queue(told)["hour"]["offered"] == 1)
        assert queue(told)["day"] == {"offered": 1, "answered": 1, "in_time": 1, "share": 1.0}
        await viewer.until(lambda told: all(trunk["channels_used"] == 0 for trunk in told["trunks"]))

        await phone.agent.unregister()
        told = await viewer.until_state("unavailable")
        assert moment(told["operators"][0]["since"]) > moment(call["ended_at"])
        turns = ["unavailable", "free", "ringing", "talking", "wrapping_up", "free", "unavailable"]
        assert [each for each in viewer.seen if each not in ("", "unknown")] == turns


async def test_after_a_restart_no_picture_says_what_is_not_so(own_centre: RealCentre, api: Api) -> None:
    operator = await api.operator("1001", None)
    async with a_phone(own_centre, "1001", operator["secret"]) as phone:
        async with viewing(api) as viewer:
            await viewer.until_state("free")
        async with Sipp.caller(sip.caller_talks(hold_ms=60_000), own_centre.sip_port):
            await phone.take()
            async with viewing(api) as viewer:
                before = await viewer.until(lambda told: state(told) == "talking" and queue(told)["waiting"] == 0)

            own_centre.stop_gateway(9)
            own_centre.start_gateway()
            async with asyncio.timeout(START_TIMEOUT_S):
                while not await _answers(api):
                    await asyncio.sleep(0.02)
            async with viewing(api) as viewer:
                told = await viewer.until(lambda told: bool(told["phones_seen"]))
                assert told["operators"] == before["operators"]
                assert set(viewer.seen) <= {"unknown", "talking"}

                own_centre.stop_asterisk(9)
                told = await viewer.until(lambda told: not told["asterisk"]["up"])
                assert (state(told), queue(told)["free"], told["phones_seen"]) == ("unknown", None, False)
                assert told["asterisk"]["reason"]
                assert told["asterisk"]["since"] <= told["as_of"]

                del viewer.seen[:]
                own_centre.start_asterisk()
                # Asterisk keeps the phone's registration; the call died with it
                told = await viewer.until_state("free")
                assert told["asterisk"]["up"]
                assert "talking" not in viewer.seen
                await viewer.until(lambda told: all(trunk["channels_used"] == 0 for trunk in told["trunks"]))


async def _answers(api: Api) -> bool:
    try:
        async with api.session.get("/v1/board") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
