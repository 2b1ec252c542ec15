"""What is heard of callers: stored once, told to the operator, and never taken for more than it is."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest

from gateway import listening
from gateway.domain.facts import AskedForKey, CallerLeft, DispositionFact, LegConnected, LegLeft, LegRung, Side
from gateway.domain.hearing import Key, Voice
from gateway.listening import KEYS_TOLD, NobodyTalks
from gateway.notices import IN_VAIN, SILENT
from gateway.ports import StoreAway
from gateway.store.reads import Reads
from tests.domain.values import local
from tests.services.test_centre import a_call, told
from tests.services.test_dispositions import PRANK
from tests.services.test_office import hired
from tests.told import Services

CALL = "112-1.1"
ANSWERED = local(7.1)


async def talking(services: Services, call_id: str = CALL) -> None:
    """A call that phone 1001 answers at ANSWERED; somebody has listened since the night."""
    leg = f"{call_id}-1001"
    ring = LegRung(call_id, ANSWERED - timedelta(seconds=4), leg, "1001")
    await told(services, *a_call(call_id, ring, LegConnected(call_id, ANSWERED, leg, "1001")))
    services.listens_since = local(0)
    at(services, 0)
    await services.listening.look()


def at(services: Services, seconds: float) -> None:
    services.clock.at, services.clock.now_s = ANSWERED + timedelta(seconds=seconds), seconds


async def events(services: Services, call_id: str = CALL) -> list[tuple[str, Any]]:
    """What was heard of the call, as it was told."""
    found = await Reads(services.store._engine).events(0, 1000, call_id)
    names = {"call.spoke", "call.silent", "call.key_pressed", "call.asked_for_key"}
    return [(each.event.type, dict(each.event.data)) for each in found if each.event.type in names]


async def shown(services: Services) -> list[tuple[str, str]]:
    waiting = services.notices._waiting
    return [waiting.get_nowait() for _ in range(waiting.qsize())]


async def test_the_first_word_is_stored_once_whatever_follows(services: Services) -> None:
    await talking(services)
    at(services, 5)
    for seconds in (1, 2, 3):
        services.listening.hear(Voice(CALL, ANSWERED + timedelta(seconds=seconds), True))
    await services.listening.look()
    services.listening.hear(Voice(CALL, ANSWERED + timedelta(seconds=4), True))
    await services.listening.look()
    at(services, 30)
    await services.listening.look()

    call = await Reads(services.store._engine).call(CALL)
    assert call is not None
    assert call.spoke_at == ANSWERED + timedelta(seconds=1)
    assert await events(services) == [("call.spoke", {})]
    # and a gateway that was started anew knows it
    await services.centre.resume()
    assert services.centre.running_calls[CALL].spoke_at == call.spoke_at


async def test_a_silent_caller_is_told_once_to_the_operator_and_shown_until_he_speaks(services: Services) -> None:
    await talking(services)
    at(services, 9)
    await services.listening.look()
    assert await events(services) == []
    for seconds in (10, 11, 12):
        at(services, seconds)
        await services.listening.look()
    assert await events(services) == [("call.silent", {"phone": "1001"})]
    assert await shown(services) == [("1001", SILENT)]
    assert services.listening.silent_calls == {CALL}

    services.listening.hear(Voice(CALL, ANSWERED + timedelta(seconds=20), True))
    assert services.listening.silent_calls == frozenset()
    call = services.centre.running_calls[CALL]
    assert (call.ended_at, call.outcome) == (None, None)  # nobody closes it but people
    assert await services.store.disposition(CALL) is None


async def test_a_gap_in_the_listening_means_unknown_and_never_silent(services: Services) -> None:
    await talking(services)
    at(services, 60)
    for since in (None, ANSWERED + timedelta(seconds=1)):
        services.listens_since = since
        await services.listening.look()
    assert await events(services) == []


async def test_a_leap_of_the_clock_makes_nobody_silent(services: Services) -> None:
    await talking(services)
    services.clock.at = ANSWERED + timedelta(hours=1)
    await services.listening.look()
    assert await events(services) == []


async def test_a_carrier_is_shown_no_text(services: Services) -> None:
    leg = f"{CALL}-telkomsel"
    ring = LegRung(CALL, ANSWERED - timedelta(seconds=4), leg, "telkomsel")
    await told(services, *a_call(CALL, ring, LegConnected(CALL, ANSWERED, leg, "telkomsel")))
    services.listens_since = local(0)
    for seconds in (0, 10):
        at(services, seconds)
        await services.listening.look()
    assert await events(services) == [("call.silent", {"phone": "telkomsel"})]
    assert await shown(services) == []


async def test_a_voice_that_comes_before_its_call_waits_for_it(services: Services) -> None:
    at(services, 0)
    services.listening.hear(Voice(CALL, ANSWERED, True))
    await services.listening.look()
    await talking(services)
    await services.listening.look()
    assert await events(services) == [("call.spoke", {})]


async def test_keys_are_told_in_their_order_and_so_many_at_most(services: Services) -> None:
    await talking(services)
    at(services, 5)
    for number in range(KEYS_TOLD + 7):
        services.listening.hear(Key(CALL, ANSWERED + timedelta(milliseconds=number), str(number % 10)))
        if number in (3, 4, 40):
            await services.listening.look()
    await services.listening.look()
    await services.listening.look()
    assert [data["key"] for _, data in await events(services)] == [str(number % 10) for number in range(KEYS_TOLD)]


async def test_what_cannot_be_stored_now_is_stored_later(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    await talking(services)
    at(services, 20)
    services.listening.hear(Key(CALL, ANSWERED, "1"))
    commit = services.store.commit

    async def away(change: object) -> None:
        raise StoreAway("away")

    monkeypatch.setattr(services.store, "commit", away)
    with pytest.raises(StoreAway):
        await services.listening.look()
    assert await shown(services) == []
    monkeypatch.setattr(services.store, "commit", commit)
    await services.listening.look()
    assert [name for name, _ in await events(services)] == ["call.key_pressed", "call.silent"]


async def test_what_is_heard_of_no_call_is_forgotten(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "CALLS_HEARD", 3)
    at(services, 0)
    for number in range(5):
        services.listening.hear(Voice(f"112-{number}", ANSWERED, True))
    assert list(services.listening._ears) == ["112-2", "112-3", "112-4"]
    at(services, 61)
    await services.listening.look()
    assert services.listening._ears == {}


async def test_only_who_is_talked_with_is_asked_for_a_key(services: Services) -> None:
    await talking(services)
    call = services.centre.running_calls[CALL]
    await services.listening.ask_for_key(call, "Siti")
    assert services.switchboard.asked == [(CALL, "Siti")]
    await told(services, AskedForKey(CALL, ANSWERED + timedelta(seconds=2), by="Siti"))
    assert await events(services) == [("call.asked_for_key", {"by": "Siti"})]

    left = ANSWERED + timedelta(seconds=9)
    await told(services, LegLeft(CALL, left, f"{CALL}-1001", "1001", 16), CallerLeft(CALL, left, 16, Side.CALLER))
    with pytest.raises(NobodyTalks):
        await services.listening.ask_for_key(call, "Siti")


async def test_who_says_of_no_call_what_it_was_is_told_that_it_was_in_vain(services: Services) -> None:
    await hired(services)
    services.clock.at = local(8)
    await told(services, DispositionFact("1001", local(8), PRANK), DispositionFact("1002", local(7), PRANK))
    assert await shown(services) == [("1001", IN_VAIN)]


async def test_a_defect_of_the_listening_is_logged_once_and_ends_nothing(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listening, "LOOK_EVERY_S", 0.001)
    looks = 0

    async def broken_look() -> None:
        nonlocal looks
        looks += 1
        raise KeyError("nobody expected this")

    monkeypatch.setattr(services.listening, "look", broken_look)
    running = asyncio.create_task(services.listening.run())
    async with asyncio.timeout(20):
        while looks < 5:
            await asyncio.sleep(0.001)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["listening_broken"]
    assert "nobody expected this" in caplog.text
