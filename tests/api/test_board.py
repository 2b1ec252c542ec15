"""The board: one picture, its stream, and the page for the wall."""

import asyncio
import base64
import contextlib
import hashlib
import itertools
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.api import board_page, pictures
from gateway.domain.alarms import Alarm
from gateway.domain.change import Change
from gateway.domain.events import Event
from gateway.domain.facts import CallerLeft, Fact, FellBack, LegConnected, LegRung, QueueLeft, Side
from gateway.watch import KINDS
from tests.api.house import LIMIT_S, House, Json, answered, open_house, until
from tests.api.schema import check

WAITING, RINGING, TALKING, WHOLE = 4, 5, 6, 8
"""How many facts of `answered` bring a call so far."""


class Viewer:
    """Reads one stream of pictures."""

    def __init__(self, house: House, answer: aiohttp.ClientResponse) -> None:
        self._house = house
        self._answer = answer

    async def next(self) -> Json:
        """The next picture, held against the document. Raises EOFError at the end of the stream."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                line = (await self._answer.content.readuntil(b"\n", max_size=2**26)).decode()
                if not line:
                    raise EOFError
                if line.startswith("data: "):
                    picture: Json = json.loads(line.removeprefix("data: "))
                    check(picture, {"$ref": "#/components/schemas/BoardModel"}, self._house.document)
                    return picture

    async def until(self, is_so: Callable[[Json], bool]) -> Json:
        """The first picture of which that is true."""
        async with asyncio.timeout(LIMIT_S):
            while not is_so(picture := await self.next()):
                pass
        return picture


@contextlib.asynccontextmanager
async def viewing(house: House, token: str = "reader") -> AsyncIterator[Viewer]:  # noqa: S107
    headers = {"Authorization": f"Bearer {token}"}
    async with house.session.get(house.url("/v1/board/stream"), headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield Viewer(house, answer)
        answer.close()


@pytest.fixture
async def siti(house: House) -> int:
    """An operator with a standing place, at a phone that is free."""
    made = (await house.post("/v1/operators", {"name": "Siti", "phone": "1001"})).json
    await house.ask("PUT", "/v1/queues/emergency/members/1001", json={})
    house.services.line.stand("1001", "free")
    return int(made["id"])


def going_on(facts: int, *, began_s: float = 20, call_id: str = "112-1.1") -> list[Fact]:
    """The first so many facts of a call that came some seconds ago."""
    return answered(call_id, at=datetime.now(UTC) - timedelta(seconds=began_s))[:facts]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def state(picture: Json) -> str:
    return str(picture["operators"][0]["state"])


async def test_the_board_tells_of_a_call_from_its_arrival_to_its_end(house: House, siti: int) -> None:
    facts = going_on(WHOLE)
    await house.tell(*facts[:WAITING])
    told = (await house.get("/v1/board", token="reader")).json
    [queue] = told["queues"]
    assert (queue["name"], queue["waiting"], queue["free"], queue["there"]) == ("emergency", 1, 1, 1)
    assert moment(queue["waiting_since"]) == facts[0].at
    assert (queue["hour"]["offered"], queue["hour"]["share"]) == (1, 0.0)  # it waits for longer than 15 s
    trunks = {trunk["name"]: trunk for trunk in told["trunks"]}
    assert (trunks["telkomsel"]["channels_used"], trunks["telkomsel"]["up"]) == (1, None)
    assert moment(trunks["telkomsel"]["last_call_at"]) == facts[0].at
    assert trunks["indosat"]["last_call_at"] is None

    house.services.line.stand("1001", "ringing")
    await house.tell(facts[WAITING])
    [operator] = (await house.get("/v1/board")).json["operators"]
    assert operator == {
        "id": siti,
        "name": "Siti",
        "phone": "1001",
        "state": "ringing",
        "since": operator["since"],
        "pause": None,
        "queues": ["emergency"],
        "call_id": "112-1.1",
        "is_caller_silent": False,
    }
    house.services.line.stand("1001", "talking")
    await house.tell(facts[RINGING])
    told = (await house.get("/v1/board")).json
    assert (state(told), told["operators"][0]["call_id"], told["queues"][0]["waiting"]) == ("talking", "112-1.1", 0)
    await house.tell(*facts[TALKING:])
    house.services.line.stand("1001", "free")
    told = (await house.get("/v1/board")).json
    assert (state(told), told["operators"][0]["call_id"]) == ("free", None)


async def test_a_caller_in_the_fallback_waits_and_one_with_whom_an_agency_talks_does_not(house: House) -> None:
    arrived, *_ = facts = going_on(WAITING)
    at = facts[-1].at

    def after(seconds: float) -> datetime:
        return at + timedelta(seconds=seconds)

    async def waits() -> tuple[int, str | None]:
        [queue] = (await house.get("/v1/board")).json["queues"]
        return queue["waiting"], queue["waiting_since"]

    await house.tell(*facts)
    told = await waits()
    assert told[0] == 1
    assert moment(str(told[1])) == arrived.at
    call_id, agency = arrived.call_id, "Damkar"
    await house.tell(QueueLeft(call_id, after(1), "emergency", "JOINEMPTY"))
    assert await waits() == told
    await house.tell(FellBack(call_id, after(1), "nobody", 1, "", "", ""))
    await house.tell(FellBack(call_id, after(2), "agency", 1, "", agency, "1301"))
    await house.tell(LegRung(call_id, after(2), "leg", "1301"))
    assert await waits() == told
    await house.tell(LegConnected(call_id, after(3), "leg", "1301"))
    assert await waits() == (0, None)


async def test_open_callbacks_are_counted(house: House) -> None:
    assert (await house.get("/v1/board")).json["callbacks"] == {"open": 0, "overdue": 0}
    async with viewing(house) as viewer:
        await house.tell(*going_on(WAITING), CallerLeft("112-1.1", datetime.now(UTC), 16, Side.CALLER))
        told = await viewer.until(lambda told: told["callbacks"]["open"] == 1)
        assert told["callbacks"] == {"open": 1, "overdue": 0}


async def test_service_levels_are_those_of_the_hour_and_of_the_local_day(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        now = datetime(2026, 8, 17, 18, 0, tzinfo=UTC)  # 1 o'clock in Jakarta
        house.services.clock.at = now
        for number, minutes in enumerate((10, 50, 65, 90)):
            await house.answered_call(f"112-{number}.1", at=now - timedelta(minutes=minutes))
        [queue] = (await house.get("/v1/board")).json["queues"]
    assert queue["hour"] == {"offered": 2, "answered": 2, "in_time": 2, "share": 1.0}
    assert queue["day"] == {"offered": 2, "answered": 2, "in_time": 2, "share": 1.0}

    (tmp_path / "other").mkdir()
    async with open_house(tmp_path / "other") as house:
        house.services.clock.at = now + timedelta(hours=1)
        for number, minutes in enumerate((10, 50, 65, 90)):
            await house.answered_call(f"112-{number}.1", at=now - timedelta(minutes=minutes))
        [queue] = (await house.get("/v1/board")).json["queues"]
    assert (queue["hour"]["offered"], queue["day"]["offered"]) == (0, 2)
    assert queue["hour"]["share"] is None


async def test_standing_alarms_are_told(house: House) -> None:
    raised_at = datetime(2026, 8, 17, 3, tzinfo=UTC)
    over = Alarm("hole", "emergency", "over", raised_at, cleared_at=raised_at)
    await house.context.store.commit(Change(alarms=(Alarm("short", "emergency", "0 of 1", raised_at), over)))
    assert (await house.get("/v1/board")).json["alarms"] == [
        {"kind": "short", "subject": "emergency", "detail": "0 of 1", "raised_at": "2026-08-17T03:00:00Z"}
    ]


@pytest.mark.parametrize(
    "away",
    [
        {"asterisk_up": False, "asterisk_reason": "refused", "is_seeing": False},
        {"is_seeing": False},  # reached again, and not yet looked at
    ],
    ids=["away", "not yet looked at"],
)
async def test_a_phone_that_is_not_seen_is_never_free(house: House, siti: int, away: Json) -> None:
    async with viewing(house) as viewer:
        assert state(await viewer.next()) == "free"
        lost_at = datetime(2026, 8, 17, 3, tzinfo=UTC)
        house.status.update(away, asterisk_since=lost_at)
        told = await viewer.until(lambda told: not told["phones_seen"])
        assert (state(told), told["queues"][0]["free"], told["queues"][0]["there"]) == ("unknown", None, None)
        is_up = away.get("asterisk_up", True)
        reason = None if is_up else "refused"
        assert told["asterisk"] == {"up": is_up, "reason": reason, "since": "2026-08-17T03:00:00Z"}
        house.status.update(asterisk_up=True, is_seeing=True)
        assert state(await viewer.until(lambda told: told["phones_seen"])) == "free"


async def test_what_stood_before_asterisk_went_away_is_not_shown_where_it_is_looked_at_while_a_picture_is_made(
    house: House, siti: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.services.line.stand("1001", "talking")
    house.status.update(is_seeing=False)  # reached again, and not yet looked at

    async def meanwhile() -> bool:
        house.services.line.stand("1001", "unavailable")
        house.status.update(is_seeing=True)
        return True

    monkeypatch.setattr(house.context.pictures, "_catch_up", meanwhile)
    told = (await house.get("/v1/board")).json
    assert (state(told), told["phones_seen"]) == ("unknown", False)
    told = (await house.get("/v1/board")).json
    assert (state(told), told["phones_seen"]) == ("unavailable", True)


async def test_the_first_picture_comes_at_once_and_others_as_things_change(house: House, siti: int) -> None:
    async with viewing(house) as viewer:
        assert state(await viewer.next()) == "free"
        house.services.line.stand("1001", "unavailable", line_since=datetime(2026, 8, 17, 3, tzinfo=UTC))
        told = await viewer.until(lambda told: state(told) == "unavailable")
        assert told["operators"][0]["since"] == "2026-08-17T03:00:00Z"


async def test_time_alone_changes_the_picture(house: House, siti: int) -> None:
    await house.patch("/v1/queues/1", {"wrap_up_s": 2})
    async with viewing(house) as viewer:
        await viewer.next()
        house.services.line.stand("1001", "free", last_call_ended_at=datetime.now(UTC))
        resting = await viewer.until(lambda told: state(told) == "wrapping_up")
        rested = await viewer.until(lambda told: state(told) == "free")
        assert moment(rested["as_of"]) - moment(resting["operators"][0]["since"]) >= timedelta(seconds=2)


async def test_a_stream_where_nothing_changes_is_told_so(house: House, siti: int) -> None:
    async with viewing(house) as viewer:
        first = await viewer.next()
        later = await viewer.until(lambda told: told["as_of"] > first["as_of"])
        assert later | {"as_of": first["as_of"]} == first


async def test_however_much_happens_four_pictures_a_second_are_enough_and_one_serves_all(
    house: House, siti: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[float] = []
    true_picture = pictures.picture

    def counted(*given: Any) -> Any:
        made.append(time.monotonic())
        return true_picture(*given)

    monkeypatch.setattr(pictures, "picture", counted)
    async with contextlib.AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(viewing(house)) for _ in range(10)]

        async def change() -> None:
            for number in itertools.count():
                since = datetime(2026, 8, 17, tzinfo=UTC) + timedelta(seconds=number)
                house.services.line.stand("1001", "free", line_since=since)
                await asyncio.sleep(0.002)

        busy = asyncio.create_task(change())
        await asyncio.gather(*(_see(viewer, 6) for viewer in viewers))
        busy.cancel()
    assert len(made) >= 5
    assert made[-1] - made[0] >= (len(made) - 1) * pictures.LEAST_S * 0.95


async def much(house: House) -> None:
    """Makes pictures so large that no buffer on the way holds two."""
    alarms = (Alarm("hole", f"q{number}", "x" * 100_000, datetime.now(UTC)) for number in range(60))
    await house.context.store.commit(Change(alarms=tuple(alarms)))


async def _see(viewer: Viewer, count: int) -> None:
    for _ in range(count):
        await viewer.next()


async def test_a_viewer_who_reads_slowly_gets_the_newest_only(house: House, siti: int) -> None:
    await much(house)
    async with viewing(house) as viewer:
        await viewer.next()
        for day in range(1, 13):  # nothing of it is read meanwhile
            house.services.line.stand("1001", "free", resumed_at=datetime(2026, 8, day, tzinfo=UTC))
            await house.context.pictures.newest()
        seen = 0
        while (await viewer.next())["operators"][0]["since"] != "2026-08-12T00:00:00Z":
            seen += 1
        assert seen <= 4


async def test_a_viewer_who_does_not_read_is_cut_off(tmp_path: Path) -> None:
    async with open_house(tmp_path, write_timeout_s=0.3) as house:
        await much(house)
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", house.server.port))
            deaf.sendall(b"GET /v1/board/stream HTTP/1.1\r\nHost: centre\r\nAuthorization: Bearer reader\r\n\r\n")
            streams = house.context.streams
            await until(lambda: streams.open_count == 1)
            await until(lambda: streams.dropped_count == 1 and streams.open_count == 0)


async def test_streams_of_both_kinds_share_their_places_and_free_them(tmp_path: Path) -> None:
    async with open_house(tmp_path, stream_limit=1) as house:
        async with viewing(house):
            for path in ("/v1/board/stream", "/v1/events/stream"):
                reply = await house.get(path)
                assert (reply.status, reply.headers["Retry-After"]) == (503, "10")
        await until(lambda: house.context.streams.open_count == 0)


async def test_closing_ends_the_stream_at_once(house: House) -> None:
    async with viewing(house) as viewer:
        await viewer.next()
        house.context.streams.close()
        with pytest.raises(EOFError):
            await viewer.until(lambda _: False)


async def test_head_opens_no_stream(house: House) -> None:
    assert (await house.ask("HEAD", "/v1/board/stream")).status == 200
    assert house.context.streams.open_count == 0


async def test_without_a_token_there_is_no_board(house: House) -> None:
    for path in ("/v1/board", "/v1/board/stream"):
        assert (await house.get(path, token=None)).status == 401


async def test_a_stream_goes_on_without_the_database_and_says_so(
    house: House, siti: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "HISTORY_AGAIN_S", 0.5)
    async with viewing(house) as viewer:
        first = await viewer.next()
        assert first["history"]["up"]
        await house.take_database_away()
        told = await viewer.until(lambda told: not told["history"]["up"])
        assert told["history"]["reason"] == "The database does not answer."
        assert moment(told["history"]["since"]) > moment(first["as_of"])
        house.services.line.stand("1001", "unavailable")
        assert state(await viewer.until(lambda told: state(told) != "free")) == "unavailable"
        await house.bring_database_back()
        assert (await viewer.until(lambda told: told["history"]["up"]))["history"]["reason"] is None


async def test_a_journal_that_waits_is_told(house: House) -> None:
    house.status["journal_waits"] = "the disk is full"
    told = (await house.get("/v1/board")).json
    assert (told["history"]["up"], told["history"]["reason"]) == (False, "the disk is full")


async def test_the_store_is_asked_again_when_a_call_ends_and_not_with_every_event(
    house: House, siti: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    levels = house.context.reads.levels
    true_levels = levels.service_levels

    async def counted(*given: Any) -> Any:
        asked.append(time.monotonic())
        return await true_levels(*given)

    monkeypatch.setattr(levels, "service_levels", counted)
    async with viewing(house) as viewer:
        assert (await viewer.next())["queues"][0]["hour"]["offered"] == 0
        before = len(asked)
        for number in range(20):
            event = Event("test.happened", datetime.now(UTC), data={"number": number})
            house.context.feed.publish((await house.context.store.commit(Change(events=(event,)))).events)
        await house.tell(*going_on(WHOLE, began_s=60))
        told = await viewer.until(lambda told: told["queues"][0]["hour"]["offered"] == 1)
        assert told["queues"][0]["hour"]["in_time"] == 1
        times = asked[before:]
        assert len(times) == 2  # the hour's and the day's
        assert times[0] - asked[before - 1] >= pictures.HISTORY_LEAST_S * 0.95


async def test_the_page_runs_its_own_script_and_nothing_else(house: House) -> None:
    reply = await house.get("/board", token=None)
    policy, page = reply.headers["Content-Security-Policy"], reply.text
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    for element in ("style", "script"):
        [text] = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://|src=|<link|<img|@import|url\(", page)
    assert not re.search(r" on[a-z]+=| style=", page)


async def test_the_page_has_the_centres_title_and_speaks_the_language_that_is_asked_for(tmp_path: Path) -> None:
    async with open_house(tmp_path, title="112, <b>Sidoarjo</b> {lang}") as house:
        for query, lang in (("", ""), ("?lang=id", "id"), ("?lang=en", "en")):
            page = (await house.get(f"/board{query}", token=None)).text
            assert f'<html lang="{lang}">' in page
            assert page.count("112, &lt;b&gt;Sidoarjo&lt;/b&gt; {lang}") == 2
        assert (await house.get("/board?lang=fr", token=None)).status == 422


def test_the_page_has_words_in_both_languages_for_each_alarm_that_is_raised() -> None:
    told = re.search(r"const ALARMS = \{(.*?)\n\};", board_page.PAGE, re.DOTALL)
    assert told is not None
    worded = re.findall(r'^  (\w+): \["[^"]+", "[^"]+"\],$', told[1], re.MULTILINE)
    assert set(worded) == KINDS


async def test_the_page_sets_text_as_text_alone_and_sends_the_token_in_the_header_alone(house: House) -> None:
    page = (await house.get("/board", token=None)).text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|DOMParser|localStorage", page)
    assert 'fetch("/v1/board/stream"' in page
    assert "EventSource" not in page
