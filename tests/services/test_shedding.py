"""Shedding on a real store: an overload is told once when it begins and once when it ends, and what it asks of each
luxury is done."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.overload import LEVELS, MOST_LOOP_S, Luxuries
from gateway.domain.recordings import State
from gateway.ports import StoreAway
from gateway.shedding import LOOK_EVERY_S, Shedding
from tests.services import test_evidence
from tests.told import Services


class Load:
    """Looks at a gateway that is as late as the test says."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.shedding = Shedding(
            saving=services.saving,
            journal_s=lambda: 0.0,
            answer_s=lambda: 0.0,
            clock=services.clock,
            clock_s=services.clock.seconds,
        )

    async def lasts(self, seconds: float, loop_s: float) -> None:
        for _ in range(round(seconds / LOOK_EVERY_S)):
            self.services.clock.now_s += LOOK_EVERY_S
            self.services.clock.at = self.services.clock() + timedelta(seconds=LOOK_EVERY_S)
            await self.shedding.look(loop_s)

    def told(self) -> list[dict[str, Any]]:
        events = self.services.feed.after(0) or []
        return [dict(each.event.data) for each in events if each.event.type.startswith("gateway.overload")]


async def test_an_overload_is_told_when_it_begins_and_when_it_ends(services: Services) -> None:
    load, began = Load(services), services.clock()
    await load.lasts(20, 2 * MOST_LOOP_S)
    assert load.shedding.since is not None
    assert load.shedding.since - began < timedelta(seconds=4)
    assert load.shedding.luxuries() == LEVELS[-1]
    assert [each["shed"] for each in load.told()] == [["board", "streams"]]

    await load.lasts(30, 0.001)
    assert load.shedding.luxuries() == Luxuries()
    assert load.shedding.since is None
    [_, over] = load.told()
    assert over["shed"] == ["board", "streams", "waveforms", "webhooks"]
    assert 35 <= over["seconds"] <= 45


async def test_an_overload_is_told_once_the_store_is_back(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    load, save = Load(services), services.saving.save

    async def away(_: object) -> None:
        raise StoreAway("it does not answer")

    monkeypatch.setattr(services.saving, "save", away)
    for _ in range(10):
        with pytest.raises(StoreAway):
            await load.lasts(20, 2 * MOST_LOOP_S)
    assert load.told() == []
    monkeypatch.setattr(services.saving, "save", save)
    await load.lasts(1, 2 * MOST_LOOP_S)
    assert len(load.told()) == 1


async def test_sealing_waits_ten_minutes_and_no_more(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services.evidence.sealing, "_luxuries", lambda: LEVELS[2])
    await test_evidence.tell(services, *test_evidence.begins())
    services.sounds.write(test_evidence.FILE, 20)
    await test_evidence.tell(services, *test_evidence.ends())
    await test_evidence.sealed(services)
    assert (await test_evidence.row(services)).state is State.OVER
    assert services.vault.asked == []

    services.clock.at = services.clock() + timedelta(minutes=11)
    await test_evidence.sealed(services)
    assert (await test_evidence.row(services)).state is State.SEALED
