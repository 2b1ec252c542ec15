"""Who listens to recordings, and why: one entry of the audit log for one hearing."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway import hearings
from gateway.domain.audit import Actor
from gateway.hearings import Hearing, Hearings
from tests.told import Services

SITI = Actor("Siti", "supervisor", "10.0.0.7")
AT = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def of(recording_id: str = "112-1.0", reason: str = "complaint 12", **more: object) -> Hearing:
    return Hearing(recording_id, "112-1.0", reason, "wav", **more)  # type: ignore[arg-type]


async def told(services: Services) -> int:
    """How many hearings were told so far."""
    return sum(each.event.type == "recording.heard" for each in services.feed.after(0) or ())


@pytest.fixture
def noting(services: Services) -> Hearings:
    services.clock.at = AT
    return Hearings(saving=services.saving, clock=services.clock)


async def test_what_a_player_asks_in_many_ranges_is_one_hearing_of_two_entries(
    services: Services, noting: Hearings
) -> None:
    before = await told(services)
    await asyncio.gather(*(noting.note(of(range=f"bytes={number}-"), 3, SITI) for number in range(8)))
    services.clock.at = AT + timedelta(minutes=9)
    await noting.note(of(range="bytes=9-"), 3, SITI)
    assert await told(services) - before == 2  # the first one as it was asked, and that there was more
    for token_id, hearing in ((4, of()), (3, of(reason="another one")), (3, of("112-2.0")), (3, of(from_s=1.0))):
        await noting.note(hearing, token_id, SITI)
    services.clock.at = AT + timedelta(minutes=11)
    await noting.note(of(), 3, SITI)
    assert await told(services) - before == 7


async def test_a_clock_that_was_set_back_notes_once_more(services: Services, noting: Hearings) -> None:
    before = await told(services)
    await noting.note(of(), 3, SITI)
    services.clock.at = AT - timedelta(hours=1)
    await noting.note(of(), 3, SITI)
    assert await told(services) - before == 2


async def test_what_is_forgotten_is_noted_once_more(
    services: Services, noting: Hearings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearings, "REMEMBERED", 2)
    before = await told(services)
    for name in ("a", "b", "c", "c", "b", "a"):
        await noting.note(of(name), 3, SITI)
    assert await told(services) - before == 4
