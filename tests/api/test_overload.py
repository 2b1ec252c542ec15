"""What the API's luxuries do while there is too much to do: they wait, keep everything, and health says so."""

import asyncio
import time

import pytest

from gateway.api import courier
from gateway.domain.overload import LEVELS, Luxuries
from tests.api.house import START, House, until
from tests.api.listener import listening
from tests.api.receiver import receiving, subscribe

WAIT_S = 0.3


async def test_health_and_metrics_say_what_waits_and_since_when(house: House) -> None:
    house.status |= {"luxuries": LEVELS[2], "strain": 1.25, "overloaded_since": START}

    reply = await house.get("/v1/health", token=None)

    assert (reply.status, reply.json["status"]) == (200, "impaired")
    [reason] = reply.json["reasons"]
    assert (reason["code"], reason["since"]) == ("overloaded", "2026-08-17T03:00:00Z")
    assert "board, streams, waveforms" in reason["words"]
    told = (await house.get("/metrics")).text
    assert "gateway112_strain_ratio 1.25" in told
    assert 'gateway112_luxury_wait_seconds{luxury="board"} 2.0' in told
    assert 'gateway112_luxury_wait_seconds{luxury="webhooks"} 0.0' in told


async def test_a_picture_of_the_board_stays_as_long_as_it_is_told_to(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.context.pictures, "_luxuries", lambda: Luxuries(board=60))
    first = (await house.get("/v1/board")).json
    await house.answered_call()
    assert (await house.get("/v1/board")).json == first
    monkeypatch.undo()
    assert (await house.get("/v1/board")).json["as_of"] > first["as_of"]


async def test_a_streams_events_gather_and_none_is_missing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.context.streams, "_luxuries", lambda: Luxuries(streams=WAIT_S))
    async with listening(house) as listener:
        await house.answered_call("112-1.1")
        first = await listener.next()
        began_s = time.monotonic()
        heard = [first["seq"], *[(await listener.next())["seq"] for _ in range(7)]]
        await house.answered_call("112-2.1")
        heard += [(await listener.next())["seq"] for _ in range(8)]
    assert time.monotonic() - began_s >= WAIT_S * 0.9
    assert heard == list(range(heard[0], heard[0] + 16))


async def test_webhooks_are_posted_a_few_at_a_time_and_come_in_order_once_it_is_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "BATCH", 3)
    waits = Luxuries(webhooks=WAIT_S)
    monkeypatch.setattr(house.context.deliveries, "_luxuries", lambda: waits)
    async with receiving() as receiver:
        await subscribe(house, receiver)
        await house.answered_call()
        await asyncio.sleep(1.5 * WAIT_S)
        assert len(receiver.taken) <= 2 * 3
        waits = Luxuries()
        await until(lambda: len(receiver.taken) == 8)
    assert receiver.seqs == list(range(1, 9))
