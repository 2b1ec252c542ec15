"""Destroying what is due: by rule, never what is held, and never by a clock that has leapt."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.destroying import KINDS
from gateway.domain.audit import CENTRE
from gateway.domain.call import Call
from gateway.domain.callbacks import Callback, Dial, Try, Update, Why
from gateway.domain.callbacks import State as TaskState
from gateway.domain.change import Change
from gateway.domain.dispositions import Disposition
from gateway.domain.events import Event
from gateway.domain.kept import Invalid
from gateway.domain.recordings import Kind, Recording, Seal, State
from gateway.domain.retention import LegalHold, RetentionRule, Trusted
from gateway.ports import Taken, VaultAway, VaultHindered
from gateway.store.database import writing
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from gateway.store.tables import events
from tests.domain.values import MONDAY
from tests.services.conftest import ANI
from tests.store.values import disposed, ended
from tests.told import Clock, Services
from tests.vaults import OwnVault

DAY = timedelta(days=1)
LONG_AGO = MONDAY - 400 * DAY


def a_recording(call: Call, root: Path, *, kind: Kind = Kind.CALL, **fields: object) -> Recording:
    """A sealed recording of that call with a small file of sound."""
    name = call.id if kind is Kind.CALL else f"{call.id}-1-{kind}"
    file = f"{call.arrived_at:%Y/%m/%d}/{name}.raw"
    over_at = call.ended_at or call.arrived_at
    seal = Seal(over_at, file.replace(".raw", ".ogg"), 3, "0" * 64, "1" * 64, "2" * 64, 1)
    folder = (root / file).parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.ogg").write_bytes(b"Ogg")
    recording = Recording(name, kind, file, call.arrived_at, call.id, state=State.SEALED, ended_at=over_at, seal=seal)
    return replace(recording, **fields)  # type: ignore[arg-type]


def a_call(number: int, at: datetime) -> Call:
    call = ended(number, queue="emergency")
    return replace(call, arrived_at=at, ended_at=at + timedelta(minutes=2))


async def rule(services: Services, name: str, keep_days: int, place: int = 1, **fields: object) -> RetentionRule:
    made = RetentionRule(name=name, place=place, keep_days=keep_days, created_at=MONDAY, **fields)  # type: ignore[arg-type]
    return await services.office.create(made, CENTRE)


async def states(services: Services) -> dict[str, State]:
    found = await services.custody.recordings_of([f"112-{number}" for number in range(20)], [1])
    return {each.id: each.state for each in found}


@pytest.fixture
async def services(tmp_path: Path, services: Services) -> Services:
    services.own_vault.root = tmp_path
    return services


async def test_a_recording_goes_when_the_rule_of_its_disposition_and_queue_says(
    services: Services, tmp_path: Path
) -> None:
    await rule(services, "Pranks", 30, place=1, disposition=Disposition.PRANK)
    await rule(services, "Queue", 60, place=2, queue="emergency")
    prank, other, elsewhere = (
        a_call(1, MONDAY - 31 * DAY),
        a_call(2, MONDAY - 31 * DAY),
        replace(a_call(3, MONDAY - 70 * DAY), queue="other"),
    )
    at_the_minute = a_call(4, MONDAY - 60 * DAY - timedelta(minutes=2))
    calls = (prank, other, elsewhere, at_the_minute)
    await services.store.commit(
        Change(
            calls=calls,
            recordings=tuple(a_recording(call, tmp_path) for call in calls),
            dispositions=(disposed(prank, Disposition.PRANK),),
        )
    )
    await services.custody.trust(Trusted(MONDAY))

    assert await services.destroying.look() == 2
    assert services.own_vault.destroyed == [
        ("112-4", "retention rule 2, Queue: 60 days"),
        ("112-1", "retention rule 1, Pranks: 30 days"),
    ]
    assert {name for name, state in (await states(services)).items() if state is State.DESTROYED} == {"112-1", "112-4"}
    assert not (tmp_path / f"{prank.arrived_at:%Y/%m/%d}/112-1.ogg").exists()
    gone = await services.store.recording("112-1")
    assert gone is not None
    assert (gone.certificate, gone.destroyed_at) == (f"{prank.arrived_at:%Y/%m/%d}/112-1.destroyed.json", MONDAY)
    assert gone.seal is not None
    assert await services.destroying.look() == 0


async def test_a_deed_and_an_event_tell_of_each_under_its_call(services: Services, tmp_path: Path) -> None:
    call = a_call(1, LONG_AGO)
    await services.store.commit(Change(calls=(call,), recordings=(a_recording(call, tmp_path),)))
    await services.custody.trust(Trusted(MONDAY))
    await services.destroying.look()

    [told] = [stored.event for stored in services.feed.after(0) or () if stored.event.type == "recording.destroyed"]
    assert told.call_id == "112-1"
    assert told.data["rule"] == "the centre's own rule: 365 days"
    assert told.data["by"] == "centre"
    assert await services.store.has_call("112-1")


async def test_what_is_held_stays_and_goes_once_the_hold_is_lifted(services: Services, tmp_path: Path) -> None:
    call = a_call(1, LONG_AGO)
    recordings = (a_recording(call, tmp_path), a_recording(call, tmp_path, kind=Kind.MESSAGE))
    await services.store.commit(Change(calls=(call,), recordings=recordings))
    hold = await services.office.create(
        LegalHold(call_id="112-1", reason="LP/B/112", set_by="Ani", created_at=MONDAY), ANI
    )
    await services.custody.trust(Trusted(MONDAY))
    assert await services.destroying.look() == 0
    await services.office.retire(replace(hold, lifted_by="Budi"), ANI)
    assert await services.destroying.look() == 2


async def test_a_hold_that_comes_between_the_look_and_the_turn_is_seen(services: Services, tmp_path: Path) -> None:
    calls = tuple(a_call(number, LONG_AGO + number * timedelta(hours=1)) for number in range(30))
    await services.store.commit(Change(calls=calls, recordings=tuple(a_recording(each, tmp_path) for each in calls)))
    await services.custody.trust(Trusted(MONDAY))
    pending = [LegalHold(call_id="112-29", reason="LP", set_by="Ani", created_at=MONDAY)]

    async def hold_the_last(_: Recording) -> None:  # while the first part of the look is destroyed
        if pending:
            await services.office.create(pending.pop(), ANI)

    services.own_vault.meanwhile = hold_the_last
    assert await services.destroying.look() == 29
    kept = await services.store.recording("112-29")
    assert kept is not None
    assert kept.state is State.SEALED


async def test_no_hold_is_taken_on_a_call_whose_recording_is_going_at_that_moment(
    services: Services, tmp_path: Path
) -> None:
    call = a_call(1, LONG_AGO)
    await services.store.commit(Change(calls=(call,), recordings=(a_recording(call, tmp_path),)))
    await services.custody.trust(Trusted(MONDAY))
    refused = []

    async def hold_it(_: Recording) -> None:
        hold = LegalHold(call_id="112-1", reason="LP", set_by="Ani", created_at=MONDAY)
        with pytest.raises(Taken, match="is being destroyed at this moment") as taken:
            await services.office.create(hold, ANI)
        refused.append(taken)

    services.own_vault.meanwhile = hold_it
    assert await services.destroying.look() == 1
    assert refused
    hold = await services.office.create(LegalHold(call_id="112-1", reason="LP", set_by="Ani", created_at=MONDAY), ANI)
    assert hold.is_active


async def test_a_call_back_follows_the_last_call_that_was_tried_and_any_of_them_holds_it(
    services: Services, tmp_path: Path
) -> None:
    first, last = a_call(1, MONDAY - 40 * DAY), a_call(2, MONDAY - 35 * DAY)
    await rule(services, "Pranks", 30, disposition=Disposition.PRANK)
    tries = tuple(Try(call.id, call.arrived_at, Why.ABANDONED, call.trunk) for call in (first, last))
    dial = Dial("1-a", 1, last.arrived_at)
    at = last.arrived_at
    task = Callback(
        number="0812",
        trunk="telkomsel",
        state=TaskState.REACHED,
        opened_at=at,
        due_at=at,
        first_due_at=at,
        tries=tries,
        try_count=2,
        last_try_at=at,
        dials=(dial,),
        closed_at=at,
    )
    recording = replace(a_recording(last, tmp_path), id="callback-1-a", kind=Kind.CALLBACK, call_id=None, dial_id="1-a")
    await services.store.commit(
        Change(
            calls=(first, last),
            callbacks=(Update(task),),
            recordings=(recording,),
            dispositions=(disposed(last, Disposition.PRANK),),
        )
    )
    hold = await services.office.create(LegalHold(call_id="112-1", reason="LP", set_by="Ani", created_at=MONDAY), ANI)
    await services.custody.trust(Trusted(MONDAY))
    assert await services.destroying.look() == 0
    await services.office.retire(replace(hold, lifted_by="Budi"), ANI)
    assert await services.destroying.look() == 1
    [told] = [stored.event for stored in services.feed.after(0) or () if stored.event.type == "recording.destroyed"]
    assert told.call_id == "112-2"


async def test_a_hold_keeps_the_call_back_though_its_call_is_not_among_the_tries_that_are_kept(
    services: Services, tmp_path: Path
) -> None:
    """Whoever calls more than fifty times is the one of whom the police will ask."""
    first, last = (
        replace(a_call(number, LONG_AGO + timedelta(minutes=minutes)), caller="0812-3456-7890")
        for number, minutes in ((1, 0), (2, 30))
    )
    task = Callback(
        number="+6281234567890",
        trunk="telkomsel",
        state=TaskState.REACHED,
        opened_at=first.ended_at or LONG_AGO,
        due_at=LONG_AGO,
        first_due_at=LONG_AGO,
        tries=(Try(last.id, last.arrived_at, Why.ABANDONED, last.trunk),),
        try_count=60,
        last_try_at=last.arrived_at,
        dials=(Dial("1-a", 1, last.arrived_at),),
        closed_at=LONG_AGO + timedelta(hours=1),
    )
    recording = replace(a_recording(last, tmp_path), id="callback-1-0", kind=Kind.CALLBACK, call_id=None, dial_id="1-0")
    await services.store.commit(Change(calls=(first, last), callbacks=(Update(task),), recordings=(recording,)))
    hold = await services.office.create(LegalHold(call_id=first.id, reason="LP", set_by="Ani", created_at=MONDAY), ANI)
    await services.custody.trust(Trusted(MONDAY))
    [(lasting, _)] = await services.custody.lasting_of([recording.id])
    assert (lasting.call_ids, lasting.is_held) == ((first.id, last.id), True)
    assert await services.destroying.look() == 0
    await services.office.retire(replace(hold, lifted_by="Budi"), ANI)
    assert await services.destroying.look() == 1


async def test_killed_between_the_vault_and_the_store_it_is_asked_again_and_found_done(
    services: Services, tmp_path: Path
) -> None:
    call = a_call(1, LONG_AGO)
    await services.store.commit(Change(calls=(call,), recordings=(a_recording(call, tmp_path),)))
    await services.custody.trust(Trusted(MONDAY))
    row = await services.store.recording("112-1")
    assert row is not None
    await services.own_vault.destroy(row, "the centre's own rule: 365 days", MONDAY)  # and here it was killed

    assert await services.destroying.look() == 1
    assert (await states(services))["112-1"] is State.DESTROYED


async def test_what_was_begun_when_it_was_killed_is_settled_although_a_hold_came_meanwhile(
    services: Services, tmp_path: Path
) -> None:
    calls = tuple(a_call(number, LONG_AGO) for number in range(3))
    await services.store.commit(Change(calls=calls, recordings=tuple(a_recording(each, tmp_path) for each in calls)))
    await services.custody.trust(Trusted(MONDAY))
    destroyed = 0

    async def die_at_the_second(_: Recording) -> None:
        nonlocal destroyed
        destroyed += 1
        if destroyed == 2:
            raise RuntimeError("killed")

    services.own_vault.meanwhile = die_at_the_second
    with pytest.raises(RuntimeError):
        await services.destroying.look()
    anew = Services(services.store, clock=services.clock, own_vault=services.own_vault)
    anew.own_vault.meanwhile = None
    for call_id in ("112-0", "112-1"):
        hold = LegalHold(call_id=call_id, reason="LP", set_by="Ani", created_at=MONDAY)
        await anew.office.create(hold, ANI)
    anew.own_vault.is_away = True
    assert await anew.destroying.look() == 0
    anew.own_vault.is_away = False
    assert await anew.destroying.look() == 1
    assert await states(anew) == {"112-0": State.DESTROYED, "112-1": State.SEALED, "112-2": State.DESTROYED}
    kept = await anew.store.recording("112-1")
    assert kept is not None
    assert kept.destroyed_at is None


async def test_sound_that_nobody_can_see_in_its_bucket_is_not_taken_for_gone_once_it_is_held(
    services: Services, tmp_path: Path
) -> None:
    call = a_call(1, LONG_AGO)
    recording = a_recording(call, tmp_path)
    await services.store.commit(Change(calls=(call,), recordings=(recording,)))
    await services.custody.trust(Trusted(MONDAY))
    sound = tmp_path / recording.file.replace(".raw", ".ogg")
    in_bucket = sound.rename(tmp_path / "moved")
    vault = services.own_vault

    async def bucket_away(_: Recording) -> None:
        vault.is_unlisted = True
        raise VaultAway("the bucket does not answer")

    vault.meanwhile = bucket_away
    assert await services.destroying.look() == 0
    await services.office.create(LegalHold(call_id=call.id, reason="LP", set_by="Ani", created_at=MONDAY), ANI)
    vault.meanwhile = None  # by now it would delete again
    assert await services.destroying.look() == 0
    assert vault.destroyed == []
    assert "does not answer" in services.destroying.alarms(())[0].detail
    vault.is_unlisted = False
    in_bucket.rename(sound)
    assert await services.destroying.look() == 0
    kept = await services.store.recording(recording.id)
    assert kept is not None
    assert (kept.state, kept.destroyed_at, sound.exists()) == (State.SEALED, None, True)


async def test_raw_sound_that_could_not_be_sealed_and_what_is_lost_go_too_and_a_running_one_never(
    services: Services, tmp_path: Path
) -> None:
    calls = [a_call(number, LONG_AGO) for number in range(3)]
    recordings = [
        a_recording(call, tmp_path, state=state, seal=None)
        for call, state in zip(calls, (State.OVER, State.LOST, State.RUNNING), strict=True)
    ]
    for each in recordings:
        (tmp_path / each.file).write_bytes(b"raw")
    await services.store.commit(Change(calls=tuple(calls), recordings=tuple(recordings)))
    await services.custody.trust(Trusted(MONDAY))
    assert await services.destroying.look() == 2
    assert [(tmp_path / each.file).exists() for each in recordings] == [False, False, True]


async def test_what_cannot_be_destroyed_is_an_alarm_and_the_next_one_goes_on(
    services: Services, tmp_path: Path
) -> None:
    calls = tuple(a_call(number, LONG_AGO) for number in range(3))
    await services.store.commit(Change(calls=calls, recordings=tuple(a_recording(each, tmp_path) for each in calls)))
    await services.custody.trust(Trusted(MONDAY))
    services.own_vault.refuses["112-1"] = "its file is another one's"
    assert await services.destroying.look() == 2
    [alarm] = services.destroying.alarms(())
    assert (alarm.kind, alarm.detail) == ("not_destroyed", "112-1: its file is another one's")
    services.own_vault.is_away = True
    assert await services.destroying.look() == 0
    assert await services.custody.begun()  # whether it is gone nobody knows
    assert "the vault does not answer" in services.destroying.alarms(())[0].detail
    services.own_vault.is_away, services.own_vault.refuses = False, {}
    assert await services.destroying.look() == 1
    assert services.destroying.alarms(()) == []


async def test_what_the_disk_does_not_let_go_holds_up_no_other_and_a_vault_that_is_away_is_asked_thrice(
    services: Services, tmp_path: Path
) -> None:
    """As in a day's folder that root has put back: nothing in it can be deleted."""
    calls = tuple(a_call(number, LONG_AGO + number * DAY) for number in range(12))
    await services.store.commit(Change(calls=calls, recordings=tuple(a_recording(each, tmp_path) for each in calls)))
    await services.custody.trust(Trusted(MONDAY))
    refuses: dict[str, VaultAway] = {f"112-{number}": VaultHindered("Permission denied") for number in range(5)}
    asked: list[str] = []

    async def refuse(recording: Recording) -> None:
        asked.append(recording.id)
        if recording.id in refuses:
            raise refuses[recording.id]

    services.own_vault.meanwhile = refuse
    assert await services.destroying.look() == 7
    assert {key for key, state in (await states(services)).items() if state is State.SEALED} == refuses.keys()
    [alarm] = services.destroying.alarms(())
    assert alarm.detail == "112-0: the vault does not answer: Permission denied, and 4 more"
    refuses = dict.fromkeys(refuses, VaultAway("the bucket does not answer"))
    asked.clear()
    assert await services.destroying.look() == 0
    assert asked == ["112-0", "112-1", "112-2"]
    refuses = {}
    assert await services.destroying.look() == 5
    assert services.destroying.alarms(()) == []


async def test_what_is_being_destroyed_on_a_persons_request_is_not_settled_by_a_look_meanwhile(
    services: Services, tmp_path: Path
) -> None:
    """No rule has it go yet: a look that finds it half gone would take it for left over from a crash."""
    call = a_call(1, MONDAY - DAY)
    await services.store.commit(Change(calls=(call,), recordings=(a_recording(call, tmp_path),)))
    await services.custody.trust(Trusted(MONDAY))
    looking: list[asyncio.Task[int]] = []

    async def look_meanwhile(_: Recording) -> None:
        looking.append(asyncio.create_task(services.destroying.look()))
        await asyncio.wait(looking, timeout=0.3)

    services.own_vault.meanwhile = look_meanwhile
    assert await services.destroying.destroy(["112-1"], lambda _: "request of the person, erasure 1") == (1, "")
    await asyncio.wait_for(looking[0], 5)
    gone = await services.store.recording("112-1")
    assert gone is not None
    assert (gone.state, gone.destroyed_at) == (State.DESTROYED, MONDAY)


async def test_a_defect_that_keeps_all_from_being_destroyed_is_an_alarm(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> list[object]:
        raise RuntimeError("nobody expected this")

    await services.custody.trust(Trusted(MONDAY))
    monkeypatch.setattr(services.custody, "lasting", broken)
    running = asyncio.create_task(services.destroying.run())
    services.destroying.wake()
    async with asyncio.timeout(5):
        while not services.destroying.alarms([]):
            await asyncio.sleep(0.01)
    running.cancel()
    [alarm] = services.destroying.alarms([])
    assert (alarm.kind, alarm.detail) == ("not_destroyed", "a defect, which is in the gateway's log: RuntimeError")


async def test_a_clock_that_leaps_a_year_ahead_destroys_nothing_before_a_person_confirms_it(
    services: Services, tmp_path: Path
) -> None:
    calls = tuple(a_call(number, MONDAY - 100 * DAY) for number in range(3))
    await services.store.commit(Change(calls=calls, recordings=tuple(a_recording(each, tmp_path) for each in calls)))
    await services.custody.trust(Trusted(MONDAY))
    assert await services.destroying.look() == 0

    services.clock.at = MONDAY + 365 * DAY
    for _ in range(3):  # it is not believed for having been seen before
        assert await services.destroying.look() == 0
    [alarm] = services.destroying.alarms(())
    assert alarm.kind == "retention_clock"
    assert alarm.detail == (
        f"the clock is 365 days ahead of {MONDAY:%Y-%m-%d %H:%M} UTC, when it was last right: no recording is "
        "destroyed until an admin confirms the time"
    )
    with pytest.raises(Invalid, match="is not what the centre's clock shows"):
        await services.destroying.confirm_clock(MONDAY, ANI)

    services.clock.at = MONDAY + timedelta(hours=2)  # it was wrong, and is set right
    assert await services.destroying.look() == 0
    assert services.destroying.alarms(()) == []

    services.clock.at = MONDAY + 365 * DAY  # and this time a year has gone by indeed
    await services.destroying.confirm_clock(services.clock.at + timedelta(minutes=3), ANI)
    assert await services.destroying.look() == 3


async def test_a_clock_that_creeps_ahead_destroys_nothing_early_through_restarts_either(
    services: Services, tmp_path: Path
) -> None:
    call = a_call(1, MONDAY - 300 * DAY)
    await services.store.commit(Change(calls=(call,), recordings=(a_recording(call, tmp_path),)))
    assert await services.custody.trusted() is not None  # the newest recording stands for it
    await services.destroying.confirm_clock(services.clock(), ANI)
    clock = services.clock
    for number in range(1, 40):
        clock.at, clock.now_s = MONDAY + number * 2.5 * DAY, 3600.0 * number
        anew = Services(services.store, clock=clock, own_vault=services.own_vault)
        assert await anew.destroying.look() == 0
    assert [each.kind for each in anew.destroying.alarms(())] == ["retention_clock"]
    await anew.destroying.confirm_clock(clock(), ANI)
    assert await anew.destroying.look() == 1


async def test_what_was_recorded_while_the_clock_was_behind_is_not_as_old_as_it_says(
    services: Services, tmp_path: Path
) -> None:
    """A machine that comes back from a power cut shows a year ago, until a time service sets it: its calls of then are
    of today, and stand in the ledger after those of today."""
    old = [a_call(number, LONG_AGO) for number in range(3)]
    today = [a_call(number, MONDAY - DAY) for number in range(3, 15)]
    behind = [a_call(number, LONG_AGO) for number in range(15, 20)]
    async with writing(services.store._engine) as connection:  # of the centre's first start
        await connection.execute(update(events).values(at=LONG_AGO - DAY))
    for call in (*old, *today, *behind):
        told = Event("call.arrived", call.arrived_at, call.id)
        await services.store.commit(Change(calls=(call,), recordings=(a_recording(call, tmp_path),), events=(told,)))
    await services.custody.trust(Trusted(MONDAY))
    assert await services.destroying.look() == 3
    kept = {key for key, state in (await states(services)).items() if state is State.SEALED}
    assert kept == {call.id for call in (*today, *behind)}
    assert services.destroying.alarms(()) == []
    services.clock.at = MONDAY + 365 * DAY
    await services.custody.trust(Trusted(services.clock.at))
    assert await services.destroying.look() == 17


async def test_a_gateway_that_was_away_for_weeks_goes_on_where_the_machine_was_not(
    services: Services, tmp_path: Path
) -> None:
    call = a_call(1, MONDAY - 360 * DAY)
    await services.store.commit(Change(calls=(call,), recordings=(a_recording(call, tmp_path),)))
    await services.destroying.confirm_clock(services.clock(), ANI)
    services.clock.at, services.clock.now_s = MONDAY + 30 * DAY, 30 * 86400.0
    anew = Services(services.store, clock=services.clock, own_vault=services.own_vault)
    assert await anew.destroying.look() == 1


async def test_a_clock_that_was_ahead_at_the_first_look_is_held_against_the_newest_recording(
    services: Services, tmp_path: Path
) -> None:
    call = a_call(1, MONDAY - 2 * DAY)
    await services.store.commit(Change(calls=(call,), recordings=(a_recording(call, tmp_path),)))
    services.clock.at = MONDAY + 700 * DAY
    assert await services.destroying.look() == 0
    assert services.destroying.alarms(())[0].kind == "retention_clock"
    services.clock.at = MONDAY - 3 * DAY
    assert await services.destroying.look() == 0
    assert "behind" in services.destroying.alarms(())[0].detail


async def test_of_a_thousand_recordings_two_on_hold_stay_and_each_other_one_has_its_certificate(
    tmp_path: Path, engine_of_both: AsyncEngine
) -> None:
    services = Services(Repository(engine_of_both), clock=Clock(LONG_AGO - DAY), own_vault=OwnVault(tmp_path))
    await services.set_up()
    services.clock.at = MONDAY
    calls = tuple(a_call(number, LONG_AGO + timedelta(seconds=number)) for number in range(1000))
    history = tuple(Event("call.arrived", each.arrived_at, each.id, {"caller": each.caller}) for each in calls)
    recordings = await asyncio.to_thread(lambda: tuple(a_recording(each, tmp_path) for each in calls))
    await services.store.commit(Change(calls=calls, events=history, recordings=recordings))
    for call_id in ("112-111", "112-999"):
        hold = LegalHold(call_id=call_id, reason="LP/B/112/2026", set_by="Ani", created_at=MONDAY)
        await services.office.create(hold, ANI)
    await services.custody.trust(Trusted(MONDAY))

    assert await services.destroying.look() == 998

    rows = await services.custody.recordings_of([each.id for each in calls])
    assert {each.id for each in rows if each.state is State.SEALED} == {"112-111", "112-999"}
    certified = {str(each.certificate) for each in rows if each.state is State.DESTROYED}
    lying = await asyncio.to_thread(lambda: {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")})
    assert {name for name in lying if name.endswith(".destroyed.json")} == certified
    assert len(certified) == 998
    assert {name.rpartition("/")[2] for name in lying if name.endswith(".ogg")} == {"112-111.ogg", "112-999.ogg"}
    reads = Reads(engine_of_both)
    told = Counter(stored.event.type for stored in await reads.events(0, 5000))
    assert (told["call.arrived"], told["recording.destroyed"]) == (1000, 998)
    assert await reads.kept.verify_audit() == (*await services.store.audit_head(), None)
    assert await services.destroying.look() == 0
    await services.store.close()


async def test_the_alarm_stands_through_a_restart_and_is_cleared_when_the_clock_is_right(services: Services) -> None:
    await services.custody.trust(Trusted(MONDAY - 30 * DAY))
    await services.destroying.look()
    await services.watch.tick(services.clock())
    assert await standing(services) == ["retention_clock"]

    anew = Services(services.store, clock=services.clock, own_vault=services.own_vault)
    await anew.watch.tick(services.clock())
    assert await standing(services) == ["retention_clock"]
    await anew.destroying.confirm_clock(MONDAY, ANI)
    await anew.destroying.look()
    await anew.watch.tick(services.clock())
    assert await standing(services) == []


async def standing(services: Services) -> list[str]:
    """The alarms of this kind that stand."""
    return [each.kind for each in await services.store.standing_alarms() if each.kind in KINDS]
