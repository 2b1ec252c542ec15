"""The ledger of events, page by page and as a stream."""

import asyncio
import random
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.domain.change import Change
from gateway.domain.events import Event
from gateway.ports import Committed, StoreAway
from tests.api.house import START, House, answered, open_house, until
from tests.api.listener import listening


async def test_the_ledger_is_read_to_its_end(house: House) -> None:
    await house.answered_call()
    seqs: list[int] = []
    after: int | None = 0
    while after is not None:
        page = (await house.get(f"/v1/events?after={after}&limit=3", token="reader")).json
        seqs += [event["seq"] for event in page["items"]]
        after = page["next"]

    newest = house.begun + 8
    assert seqs == list(range(1, newest + 1))
    assert (await house.get(f"/v1/events?after={newest}")).json == {"items": [], "next": None}
    assert (await house.get(f"/v1/events?limit={newest}")).json["next"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [("?after=-1", "?after"), ("?after=x", "?after"), (f"?after={2**63}", "?after"), ("?limit=1001", "?limit")],
)
async def test_a_place_that_cannot_be_is_named(house: House, query: str, field: str) -> None:
    reply = await house.get(f"/v1/events{query}")

    assert (reply.status, reply.fields) == (422, [field])


async def test_a_listener_without_a_place_starts_now(house: House) -> None:
    await house.answered_call("112-1.1")

    async with listening(house) as listener:
        await house.answered_call("112-2.1")
        first = await listener.next()

    assert (first["seq"], first["type"], first["call_id"]) == (house.begun + 9, "call.arrived", "112-2.1")


async def test_a_listener_is_given_a_place_before_the_first_event(house: House) -> None:
    await house.answered_call("112-1.1")
    async with listening(house) as listener:
        await listener.until_beat()
        await house.answered_call("112-2.1")
        await listener.next()
    async with listening(house, str(house.begun + 8)) as again:
        assert (await again.next())["seq"] == house.begun + 9


async def test_a_place_may_be_given_in_the_query_and_the_header_goes_before_it(house: House) -> None:
    await house.answered_call()

    async with listening(house, query="?after=3") as listener:
        assert (await listener.next())["seq"] == 4
    async with listening(house, "5", query="?after=3") as listener:
        assert (await listener.next())["seq"] == 6


@pytest.mark.parametrize("feed_capacity", [5, 2000])
async def test_a_listener_that_comes_and_goes_misses_nothing_and_hears_nothing_twice(
    tmp_path: Path, feed_capacity: int
) -> None:
    rolls = random.Random(112)  # a test's dice
    async with open_house(tmp_path, feed_capacity=feed_capacity) as house:

        async def commit() -> None:
            for number in range(40):
                facts = answered(f"112-{number}.1", at=START + timedelta(seconds=number))
                cut = rolls.randrange(1, len(facts))
                await house.tell(*facts[:cut])
                await asyncio.sleep(rolls.random() / 100)
                await house.tell(*facts[cut:])

        writer = asyncio.create_task(commit())
        heard: list[int] = []
        while len(heard) < 40 * 8:
            async with listening(house, str(heard[-1]) if heard else "0") as listener:
                for _ in range(min(rolls.randrange(1, 25), 40 * 8 - len(heard))):
                    heard.append((await listener.next())["seq"])
        await writer

        assert heard == list(range(1, 40 * 8 + 1))


async def test_many_listeners_hear_the_same(house: House) -> None:
    async def hear() -> list[int]:
        async with listening(house, "0") as listener:
            return [(await listener.next())["seq"] for _ in range(80)]

    listeners = [asyncio.create_task(hear()) for _ in range(20)]
    for number in range(10):
        await house.answered_call(f"112-{number}.1")

    assert await asyncio.gather(*listeners) == [list(range(1, 81))] * 20


async def test_an_idle_stream_has_a_heartbeat(house: House) -> None:
    async with listening(house) as listener:
        await listener.until_beat()
        await listener.until_beat()


async def test_a_listener_that_does_not_read_is_dropped_and_holds_nobody_up(tmp_path: Path) -> None:
    async with open_house(tmp_path, write_timeout_s=0.3) as house:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", house.server.port))
            deaf.sendall(
                b"GET /v1/events/stream HTTP/1.1\r\nHost: centre\r\nAuthorization: Bearer reader\r\n\r\n",
            )
            streams = house.context.streams
            await until(lambda: streams.open_count == 1)
            async with listening(house) as listener:
                heard = asyncio.create_task(_hear(listener.next, 60))
                for _ in range(60):
                    event = Event("test.big", datetime.now(UTC), data={"text": "x" * 200_000})
                    house.context.feed.publish((await house.context.store.commit(Change(events=(event,)))).events)
                await until(lambda: streams.dropped_count == 1)
                assert await heard == list(range(house.begun + 1, house.begun + 61))
                assert streams.open_count == 1


async def _hear(listen: object, count: int) -> list[int]:
    assert callable(listen)
    return [(await listen())["seq"] for _ in range(count)]


async def test_a_stream_has_its_place_freed_when_the_listener_goes(house: House) -> None:
    async with listening(house):
        assert house.context.streams.open_count == 1

    await until(lambda: house.context.streams.open_count == 0)


async def test_there_are_only_so_many_streams(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path, stream_limit=3) as house,
        listening(house),
        listening(house),
        listening(house, token="supervisor"),
    ):
        reply = await house.get("/v1/events/stream")

        assert (reply.status, reply.headers["Retry-After"]) == (503, "10")


async def test_no_token_takes_more_than_half_of_the_streams(tmp_path: Path) -> None:
    async with open_house(tmp_path, stream_limit=4) as house, listening(house), listening(house):
        assert (await house.get("/v1/events/stream", token="reader")).status == 503
        async with listening(house, token="supervisor"):
            assert house.context.streams.open_count == 3


@pytest.mark.parametrize(
    ("headers", "query", "status", "field"),
    [
        ({"Last-Event-ID": "one"}, "", 422, "Last-Event-ID"),
        ({"Last-Event-ID": "-1"}, "", 422, "Last-Event-ID"),
        ({"Last-Event-ID": "99"}, "", 409, "Last-Event-ID"),
        ({}, "?after=99", 409, "?after"),
        ({}, "?from=1", 422, "?from"),
    ],
)
async def test_a_stream_from_a_place_that_cannot_be_is_refused(
    house: House, headers: dict[str, str], query: str, status: int, field: str
) -> None:
    reply = await house.get(f"/v1/events/stream{query}", headers=headers)

    assert (reply.status, reply.fields) == (status, [field])


async def test_a_stream_waits_through_an_absent_database(tmp_path: Path) -> None:
    async with open_house(tmp_path, feed_capacity=4) as house:
        await house.answered_call()
        async with listening(house) as listener:
            await house.take_database_away()
            await listener.until_beat()
            await house.bring_database_back()
            await house.answered_call("112-2.1")
            assert (await listener.next())["seq"] == house.begun + 9


async def test_an_event_that_was_stored_and_never_announced_is_told_all_the_same(house: House) -> None:
    event = Event("test.happened", datetime.now(UTC))
    store, feed = house.context.store, house.context.feed
    async with listening(house) as listener:
        feed.publish((await store.commit(Change(events=(event, event)))).events)
        await store.commit(Change(events=(event, event)))
        feed.publish((await store.commit(Change(events=(event,)))).events)

        assert [(await listener.next())["seq"] - house.begun for _ in range(5)] == [1, 2, 3, 4, 5]


async def test_an_event_whose_answer_was_lost_is_told_with_the_next_thing_that_is_stored(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a quiet night that may be an alarm, and no other event comes for hours."""
    saving, store = house.services.saving, house.context.store
    commit = store.commit

    async def lost(change: Change) -> Committed:
        await commit(change)
        raise StoreAway("it has not answered for 5 s")

    async with listening(house) as listener:
        with monkeypatch.context() as patched:
            patched.setattr(house.services.store, "commit", lost)
            with pytest.raises(StoreAway):
                await saving.save(Change(events=(Event("test.happened", datetime.now(UTC)),)))
        await saving.save(Change())
        assert (await listener.next())["seq"] == house.begun + 1


async def test_closing_ends_every_stream_at_once(house: House) -> None:
    async with listening(house) as listener:
        house.context.streams.close()
        with pytest.raises(EOFError):
            await listener.next()
        assert (await house.get("/v1/events/stream")).status == 503


async def test_head_of_a_stream_opens_none(house: House) -> None:
    assert (await house.ask("HEAD", "/v1/events/stream")).status == 200
    assert house.context.streams.open_count == 0


async def test_a_stream_ends_with_its_token(house: House) -> None:
    made = await house.post("/v1/tokens", {"name": "Dewi", "role": "supervisor"})
    async with listening(house, token=made.json["token"]) as listener:
        await house.delete(made.headers["Location"])
        assert (await listener.next())["type"] == "token.retired"
        with pytest.raises(EOFError):
            await listener.next()

    await until(lambda: house.context.streams.open_count == 0)
    assert house.context.streams.dropped_count == 0
