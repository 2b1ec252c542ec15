"""What a gateway that starts finds of the recordings of days past, on a real store: rows without sound, sound without
rows, and what died in between."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from gateway.domain.change import Change
from gateway.domain.facts import CallerLeft, FellBack, MessageBegun, QueueLeft, Side
from gateway.domain.recordings import Kind, State
from gateway.ports import LyingFile, Part, VaultAway, VaultHindered
from gateway.store import tables
from gateway.store.database import writing
from tests.domain.values import MONDAY
from tests.services.test_evidence import FILE, alarms, begins, ends, events, look, row, sealed, tell
from tests.told import Services


async def without_row(services: Services, recording_id: str = "112-1.0") -> None:
    async with writing(services.store._engine) as connection:
        await connection.execute(delete(tables.recordings).where(tables.recordings.c.id == recording_id))


async def one_that_is_missing(services: Services) -> None:
    """A sealed recording whose stored sound, with its manifest, is not there any more."""
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    await sealed(services)
    services.vault.sealed.clear()


async def test_calls_from_before_this_version_get_their_recordings_and_these_are_sealed(services: Services) -> None:
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    await without_row(services)
    assert await services.recovery.settle([MONDAY.date()]) == {"linked": 1}
    await sealed(services)
    assert (await row(services)).state is State.SEALED
    assert await services.recovery.settle([MONDAY.date()]) == {}


async def test_a_running_call_is_left_to_its_end(services: Services) -> None:
    await tell(services, *begins())
    services.sounds.write(FILE, 20)
    assert await services.recovery.settle([MONDAY.date()]) == {}
    await without_row(services)
    assert await services.recovery.settle([MONDAY.date()]) == {}


async def test_a_file_of_nobody_is_told_and_sealed_like_any(services: Services) -> None:
    stray = "2026/08/16/notes.raw"
    services.sounds.write(stray, 3)
    services.vault.changed_at = MONDAY
    services.clock.at = MONDAY + timedelta(minutes=1)
    assert await services.recovery.settle([MONDAY.date()]) == {}  # it may be of a call that is yet to be told
    services.clock.at = MONDAY + timedelta(minutes=11)
    assert await services.recovery.settle([MONDAY.date()]) == {"found": 1}
    assert await events(services) == [("found", None)]
    await sealed(services)
    done = await row(services, "notes")
    assert (done.kind, done.state, done.sound_s) == (Kind.STRAY, State.SEALED, 3.0)


async def test_a_file_of_nobody_that_is_of_a_time_to_come_is_found_too(services: Services) -> None:
    """The machine's clock was put back since."""
    services.sounds.write("2026/08/16/notes.raw", 3)
    services.vault.changed_at = MONDAY + timedelta(days=365)
    assert await services.recovery.settle([MONDAY.date()]) == {"found": 1}


async def test_a_sealed_recording_whose_stored_sound_is_gone_is_lost_and_back_when_it_is(services: Services) -> None:
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    await sealed(services)
    kept = services.vault.sealed.copy()
    services.vault.sealed.clear()
    assert await services.recovery.settle([MONDAY.date()]) == {"lost": 1}
    lost = await row(services)
    assert (lost.state, lost.problem) == (
        State.LOST,
        "its stored sound 2026/08/16/112-1.0.ogg is not there any more",
    )
    await look(services, 6)
    assert "recording_lost" in await alarms(services)

    services.vault.sealed = kept  # somebody brought it back
    assert await services.recovery.settle([MONDAY.date()]) == {"again": 1}


async def test_a_message_that_is_found_again_is_sealed_and_not_empty(services: Services) -> None:
    """Nobody knows how long it should be: without raw sound it would be taken for one that nobody left, which is not
    destroyed in time, nor erased with its caller."""
    message = "2026/08/16/112-1.0-1-message.sln"
    left = [
        QueueLeft("112-1.0", MONDAY + timedelta(seconds=3), "emergency", "timeout"),
        FellBack("112-1.0", MONDAY + timedelta(seconds=4), "chose", 1, "5"),
        MessageBegun("112-1.0", MONDAY + timedelta(seconds=5), message),
        CallerLeft("112-1.0", MONDAY + timedelta(seconds=9), 16, Side.CALLER),
    ]
    await tell(services, *begins(), *left)
    services.sounds.write(message, 4)
    await sealed(services)
    kept = services.vault.sealed.copy()
    services.vault.sealed.clear()
    message_id = "112-1.0-1-message"
    await services.recovery.settle([MONDAY.date()])
    assert (await row(services, message_id)).state is State.LOST
    services.vault.sealed = kept
    await services.recovery.settle([MONDAY.date()])
    await sealed(services)
    assert (await row(services, message_id)).state is State.SEALED

    await without_row(services, message_id)  # an older copy of the database was brought back
    services.clock.at = MONDAY + timedelta(hours=1)
    await services.recovery.settle([MONDAY.date()])
    await sealed(services)
    assert (await row(services, message_id)).state is State.SEALED


async def test_what_was_destroyed_when_the_gateway_died_is_not_told_as_lost(services: Services) -> None:
    await one_that_is_missing(services)
    known = await row(services)
    await services.store.commit(Change(recordings=(replace(known, destroyed_at=MONDAY),)))  # it was to be destroyed
    assert await services.recovery.settle([MONDAY.date()]) == {}
    await services.store.commit(Change(recordings=(known,)))  # an older copy of the database was brought back
    services.vault.destroyed.add("112-1.0")
    assert await services.recovery.settle([MONDAY.date()]) == {}
    assert (await row(services)).state is State.SEALED


async def test_a_certificate_that_somebody_planted_does_not_hide_that_sound_is_lost(services: Services) -> None:
    await one_that_is_missing(services)
    services.sounds.files["2026/08/16/112-1.0.destroyed.json"] = 300
    services.vault.doubtful["112-1.0"] = "112-1.0.destroyed.json does not stand in the chain"
    assert await services.recovery.settle([MONDAY.date()]) == {"lost": 1}
    assert (await row(services)).problem == (
        "its stored sound 2026/08/16/112-1.0.ogg is not there any more, and 112-1.0.destroyed.json does not stand in "
        "the chain"
    )


async def test_stored_sound_whose_manifest_is_gone_is_not_lost(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was sealed with stands in its record: it is heard and held against that. That a file is missing beside
    it is told by the night's look."""
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    await sealed(services)
    files = services.vault.files

    async def without_manifest(since: datetime, until: datetime, part: Part) -> list[LyingFile]:
        return [replace(each, is_sealed=False) for each in await files(since, until, part)]

    monkeypatch.setattr(services.vault, "files", without_manifest)
    assert await services.recovery.settle([MONDAY.date()]) == {}
    assert (await row(services)).state is State.SEALED
    services.vault.sealed.clear()
    assert await services.recovery.settle([MONDAY.date()]) == {"lost": 1}


async def test_what_nobody_can_look_for_is_not_told_to_be_lost_and_looked_for_again(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    """As where its bucket does not answer, and its manifest, which would say that it lies there, is gone."""
    await one_that_is_missing(services)
    services.vault.is_unseen = True
    day = MONDAY.date()
    with caplog.at_level("WARNING"):
        assert await services.recovery.settle([day]) == {}
    assert "recordings_not_seen" in caplog.messages
    assert (await row(services)).state is State.SEALED
    services.clock.at = services.clock() + timedelta(days=10)
    assert day in services.recovery._next_days()
    services.vault.is_unseen = False
    assert await services.recovery.settle(services.recovery._next_days()) == {"lost": 1}
    assert day not in services.recovery._next_days()


async def test_a_day_whose_folder_cannot_be_read_is_told_and_the_others_are_settled(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    await one_that_is_missing(services)
    services.vault.unreadable.add(MONDAY.date() - timedelta(days=1))
    days = [MONDAY.date() - timedelta(days=1), MONDAY.date()]
    assert await services.recovery.settle(days) == {"lost": 1}
    [told] = [each for each in caplog.records if each.message == "recordings_not_recovered"]
    assert "cannot be read" in told.__dict__["reason"]
    services.vault.unreadable.add(MONDAY.date())  # what cannot be listed is not told to be lost
    assert await services.recovery.settle([MONDAY.date()]) == {}


async def test_a_day_at_which_the_worker_gives_up_holds_up_no_other_and_is_tried_again(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where root has put a day's folder back: nothing in it can be deleted, and the worker says `away`."""
    monkeypatch.setattr("gateway.recovery.RETRY_S", 0.01)
    await one_that_is_missing(services)
    first, days = MONDAY.date(), [MONDAY.date() + timedelta(days=number) for number in range(31)]
    services.clock.at = MONDAY + timedelta(days=30)
    stuck, asked, files = set(days[10:14]), [], services.vault.files
    refusal: VaultAway = VaultHindered("the disk refuses: Permission denied")

    async def folder_refuses(since: datetime, until: datetime, part: Part) -> list[LyingFile]:
        asked.append(since.date())
        if since.date() in stuck:
            raise refusal
        return await files(since, until, part)

    monkeypatch.setattr(services.vault, "files", folder_refuses)
    running = asyncio.create_task(services.recovery.run())
    try:
        async with asyncio.timeout(5):
            while asked.count(days[10]) < 4:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert (await row(services)).state is State.LOST
    assert asked.count(first) == asked.count(days[20]) == 1, "what was settled is not gone through again and again"
    # where it answers for no day it is the vault: nothing is asked of all the others
    stuck, asked, refusal = set(days), [], VaultAway("the worker ended")
    with pytest.raises(VaultAway):
        await services.recovery.settle(days)
    assert asked == days[:3]


async def test_a_day_that_could_not_be_read_at_the_start_is_tried_again_until_it_can(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.recovery.EVERY_S", 0.01)
    await one_that_is_missing(services)
    services.vault.unreadable.add(MONDAY.date())
    services.clock.at = MONDAY + timedelta(days=30)
    running = asyncio.create_task(services.recovery.run())
    try:
        async with asyncio.timeout(5):
            while caplog.messages.count("recordings_not_recovered") < 2:
                await asyncio.sleep(0.01)
            assert (await row(services)).state is State.SEALED
            services.vault.unreadable.clear()
            while (await row(services)).state is not State.LOST:
                await asyncio.sleep(0.01)
            services.vault.unreadable.add(MONDAY.date())
            caplog.clear()
            await asyncio.sleep(0.05)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert "recordings_not_recovered" not in caplog.messages  # it is an old day again


async def test_a_day_of_many_callers_is_settled_part_by_part_each_file_once(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed sound that is gone, raw sound without a record before, between and after the others, and the rest is
    well."""
    monkeypatch.setattr("gateway.recovery.ROWS_AT_ONCE", 2)
    ids = [f"112-{number}.0" for number in range(1, 6)]
    for each in ids:
        file = f"2026/08/16/{each}.raw"
        await tell(services, *begins(each, file), *ends(call_id=each))
        services.sounds.write(file, 20)
    await sealed(services)
    del services.vault.sealed[ids[3]]
    strays = ["000", "112-2.5", "notes"]
    for stray in strays:
        services.sounds.write(f"2026/08/16/{stray}.raw", 3)
    services.vault.changed_at = MONDAY - timedelta(hours=1)
    asked = len(services.vault.parts)
    assert await services.recovery.settle([MONDAY.date()]) == {"lost": 1, "found": 3}
    assert services.vault.parts[asked:] == [Part("", ids[1]), Part(ids[1], ids[3]), Part(ids[3], None)]
    assert [(await row(services, each)).state is State.LOST for each in ids] == [False, False, False, True, False]
    assert {(await row(services, stray)).kind for stray in strays} == {Kind.STRAY}
    assert await services.recovery.settle([MONDAY.date()]) == {}


async def test_old_days_are_gone_through_at_leisure(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be thousands of them, after each start."""
    monkeypatch.setattr("gateway.recovery.LEISURE", 10)
    files, took_s, done = services.vault.files, 0.03, list[timedelta]()

    async def slow_files(*asked: Any, **more: Any) -> list[LyingFile]:
        await asyncio.sleep(took_s)
        return await files(*asked, **more)

    async def settle(back: timedelta) -> None:
        await services.recovery.settle([(services.clock.at - back).date()])
        done.append(back)

    monkeypatch.setattr(services.vault, "files", slow_files)
    old, yesterday, began_s = timedelta(days=9), timedelta(days=1), time.monotonic()
    await asyncio.gather(settle(old), settle(yesterday))
    assert done == [yesterday, old]
    assert time.monotonic() - began_s > 10 * took_s


async def test_what_the_worker_had_sealed_when_the_gateway_died_is_found_and_not_sealed_twice(
    services: Services,
) -> None:
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    await services.vault.seal(await row(services))
    seal = services.vault.sealed["112-1.0"].seal
    await sealed(services)
    assert (await row(services)).seal == seal
    await without_row(services)  # an older copy of the database was brought back
    services.sounds.files.clear()
    assert await services.recovery.settle([MONDAY.date()]) == {"linked": 1}
