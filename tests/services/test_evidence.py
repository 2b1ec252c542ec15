"""Recordings on a real store: rows with their calls, the looks at their sound, sealing, and alarms."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain import evidence
from gateway.domain.callbacks import Callback, Dial, Try, Update, Why
from gateway.domain.change import Change
from gateway.domain.events import Event
from gateway.domain.evidence import Verification
from gateway.domain.facts import (
    CallerLeft,
    Described,
    DialFact,
    DialResult,
    DialStep,
    Entered,
    Fact,
    FellBack,
    LegConnected,
    LegLeft,
    LegRung,
    Queued,
    QueueLeft,
    RecordingStarted,
    Side,
    TrunkAnswered,
)
from gateway.domain.recordings import Kind, Recording, State
from gateway.ports import Moving, Reading, StoreAway, VaultAway, VaultDown
from gateway.store.reads import Reads
from tests.domain.values import MONDAY
from tests.told import Services

FILE = "2026/08/16/112-1.0.raw"


def begins(call_id: str = "112-1.0", file: str = FILE) -> list[Fact]:
    """A call up to its place in the queue."""
    return [
        Entered(call_id, MONDAY, "telkomsel", "0811"),
        Described(call_id, MONDAY, "0811", "", "112", "", "", "", "", ""),
        RecordingStarted(call_id, MONDAY, file),
        TrunkAnswered(call_id, MONDAY),
        Queued(call_id, MONDAY, "emergency", 1, 1),
    ]


def ends(seconds: float = 20.0, call_id: str = "112-1.0") -> list[Fact]:
    """A talk of all but the first two seconds, and the end."""
    end, leg = MONDAY + timedelta(seconds=seconds), f"{call_id}-1001"
    return [
        LegRung(call_id, MONDAY + timedelta(seconds=1), leg, "1001"),
        LegConnected(call_id, MONDAY + timedelta(seconds=2), leg, "1001"),
        LegLeft(call_id, end, leg, "1001", 16),
        CallerLeft(call_id, end, 16, Side.CALLER),
    ]


async def tell(services: Services, *facts: Fact) -> None:
    await services.centre.record(Reading(facts=facts))


async def row(services: Services, recording_id: str = "112-1.0") -> Recording:
    found = await services.store.recording(recording_id)
    assert found is not None
    return found


async def look(services: Services, seconds: float = 0.0) -> None:
    """One look at what runs, `seconds` after the last one."""
    services.clock.now_s += seconds
    await services.evidence.watch()


async def checked(services: Services) -> None:
    """The looks at what is over, until nothing of it grows any more."""
    for _ in range(2):
        await services.evidence.check()
        services.clock.now_s += 2


async def sealed(services: Services) -> None:
    await look(services)
    await checked(services)
    await services.evidence.sealing.seal()


async def events(services: Services, kind: str = "recording.") -> list[tuple[str, object]]:
    told = services.feed.after(0) or []
    return [
        (each.event.type.removeprefix("recording."), each.event.data.get("reason"))
        for each in told
        if each.event.type.startswith(kind)
    ]


async def alarms(services: Services) -> dict[str, str]:
    await services.watch.tick(services.clock())
    standing = await services.store.standing_alarms()
    return {each.kind: each.detail for each in standing if each.kind in evidence.KINDS}


async def two_are_over(services: Services) -> None:
    """112-1.0 and 112-2.0, each with its sound."""
    other = "2026/08/16/112-2.0.raw"
    await tell(services, *begins(), *ends(), *begins("112-2.0", other), *ends(20, "112-2.0"))
    services.sounds.write(FILE, 20)
    services.sounds.write(other, 20)


async def test_a_recording_is_stored_with_its_call_and_sealed_once_it_is_over(services: Services) -> None:
    await tell(services, *begins())
    assert (await row(services)).state is State.RUNNING
    assert [each.id for each in await services.store.running_recordings()] == ["112-1.0"]
    services.sounds.write(FILE, 20)

    await tell(services, *ends())
    over = await row(services)
    assert (over.state, over.expected_s, over.talk_s, over.sound_s) == (State.OVER, 20.0, 18.0, None)
    await sealed(services)

    done = await row(services)
    assert (done.state, done.sound_s, done.left_dbfs, done.problem) == (State.SEALED, 20.0, -20.0, None)
    assert done.seal == services.vault.sealed["112-1.0"].seal
    assert services.sounds.files == {}
    assert await events(services) == [("sealed", None)]
    assert await alarms(services) == {}


async def test_a_file_that_still_grows_is_not_looked_at_and_not_sealed(services: Services) -> None:
    await tell(services, *begins(), *ends())
    for seconds in (5, 10, 20):
        services.sounds.write(FILE, seconds)
        await services.evidence.check()
        services.clock.now_s += 1
        await services.evidence.sealing.seal()
    assert (await row(services)).sound_s is None
    assert services.vault.asked == []


async def test_recordings_that_ran_are_taken_up_by_the_next_gateway(services: Services) -> None:
    await tell(services, *begins())
    after = Services(services.store, clock=services.clock)
    await after.centre.resume()
    await tell(after, *ends())
    over = await row(after)
    assert (over.state, over.started_at, over.expected_s) == (State.OVER, MONDAY, 20.0)


async def test_a_call_that_asterisk_died_under_ends_where_its_sound_does(services: Services) -> None:
    services.clock.at = MONDAY + timedelta(seconds=60)
    await tell(services, *begins(), *begins("112-1.1", "2026/08/16/112-1.1.raw"))
    fell_back = FellBack("112-1.1", MONDAY + timedelta(seconds=9), "busy", 1)
    await tell(services, QueueLeft("112-1.1", MONDAY + timedelta(seconds=8), "emergency", "timeout"), fell_back)
    services.sounds.write(FILE, 5.12)
    await services.centre.settle()
    await services.centre.settle()
    heard = await row(services)
    assert (heard.ended_at, heard.expected_s) == (MONDAY + timedelta(seconds=5.12), 5.12)
    # of the other there is no sound: the journal's last word of it is the best that is known
    assert (await row(services, "112-1.1")).ended_at == MONDAY + timedelta(seconds=9)
    ends = [each.event for each in services.feed.after(0) or [] if each.event.type == "call.ended"]
    assert [(each.at, each.data["has_vanished"]) for each in ends] == [
        (MONDAY + timedelta(seconds=5.12), True),
        (MONDAY + timedelta(seconds=9), True),
    ]


async def test_the_end_of_a_lost_call_is_never_in_the_time_to_come_and_needs_no_disk(services: Services) -> None:
    services.clock.at = MONDAY + timedelta(seconds=4)
    await tell(services, *begins(), *begins("112-1.1", "2026/08/16/112-1.1.raw"))
    services.sounds.write(FILE, 60)
    await services.centre.settle()
    await services.centre.settle()
    assert (await row(services)).ended_at == MONDAY + timedelta(seconds=4)
    assert (await row(services, "112-1.1")).ended_at == MONDAY

    await tell(services, *begins("112-1.2", "2026/08/16/112-1.2.raw"))
    services.sounds.is_gone = True
    await services.centre.settle()
    await services.centre.settle()
    assert (await row(services, "112-1.2")).ended_at == MONDAY


async def test_a_running_call_whose_sound_is_not_written_is_an_alarm_until_it_is(services: Services) -> None:
    await tell(services, *begins())
    services.sounds.write(FILE, 1)
    await look(services)
    await look(services, 4)
    assert await alarms(services) == {}
    await look(services, 1)
    assert await alarms(services) == {"recording_stalled": "running call 112-1.0 is not being recorded"}
    await look(services, 1)
    assert await events(services) == [("failed", "its sound is not being written: nothing for 5 s")]
    assert services.evidence.standing.stalled == ("112-1.0",)

    services.sounds.write(FILE, 2)
    await look(services, 1)
    assert await alarms(services) == {}


async def test_no_file_at_all_is_told_as_such_and_a_disk_that_is_gone_is_none(services: Services) -> None:
    await tell(services, *begins())
    services.sounds.is_gone = True
    for _ in range(7):
        await look(services, 1)
    assert await events(services) == [("failed", "no sound is being written: nothing for 5 s")]
    assert set(await alarms(services)) == {"recording_stalled", "disk_low"}


async def test_nothing_is_said_of_growth_while_nobody_tells_whether_the_call_is_over(services: Services) -> None:
    await tell(services, *begins())
    services.switchboard.is_away = True
    for _ in range(10):
        await look(services, 1)
    assert services.evidence.standing.stalled == ()


async def test_while_records_come_all_the_time_a_sound_that_is_not_written_is_seen_all_the_same(
    services: Services,
) -> None:
    """In a busy hour many looks fall between a record and its being stored: that began the count anew each time."""
    await tell(services, *begins())
    services.sounds.write(FILE, 1)
    for place in range(8):
        services.journal.knows_all = place % 3 == 0
        await look(services, 1)
    assert services.evidence.standing.stalled == ("112-1.0",)


async def test_what_happened_while_the_journal_was_not_read_to_its_end_for_longer_is_counted_from_then_on(
    services: Services,
) -> None:
    await tell(services, *begins())
    services.sounds.write(FILE, 1)
    await look(services, 1)
    services.journal.knows_all = False
    for _ in range(6):
        await look(services, 1)
    services.journal.knows_all = True
    for _ in range(5):
        await look(services, 1)
        assert services.evidence.standing.stalled == ()
    await look(services, 1)
    assert services.evidence.standing.stalled == ("112-1.0",)


async def test_a_caller_who_was_not_heard_in_a_talk_is_told_and_the_sound_is_sealed(services: Services) -> None:
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    services.sounds.silent[FILE] = (False, True)
    await sealed(services)
    reason = "nothing is heard of the caller in 18.0 s of talk"
    assert await events(services) == [("failed", reason), ("sealed", None)]
    assert ((await row(services)).state, (await row(services)).problem) == (State.SEALED, reason)


async def test_a_call_that_was_cancelled_before_any_sound_is_no_failure(services: Services) -> None:
    left = CallerLeft("112-1.0", MONDAY + timedelta(seconds=1), 16, Side.CALLER)
    await tell(services, *begins()[:3], left)
    services.sounds.write(FILE, 0)
    await sealed(services)
    assert (await row(services)).state is State.EMPTY
    assert services.sounds.files == {}  # no file without a byte stays behind
    assert await events(services) == []
    assert services.vault.asked == []


async def test_what_cannot_be_sealed_is_told_once_a_reason_and_tried_again_later(services: Services) -> None:
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    services.vault.refuses["112-1.0"] = ("ffmpeg said: no", False)
    services.clock.at = MONDAY
    await sealed(services)
    await services.evidence.sealing.seal()
    assert services.vault.asked == ["112-1.0"]
    await look(services)
    assert await alarms(services) == {"recording_failed": "1 recording cannot be sealed, and will be tried again"}

    services.clock.at = MONDAY + timedelta(seconds=11)
    await services.evidence.sealing.seal()
    assert (await row(services)).tries == 2
    assert await events(services) == [("failed", "ffmpeg said: no")]
    assert services.sounds.files

    services.vault.refuses.clear()
    services.clock.at = MONDAY + timedelta(seconds=60)
    await services.evidence.sealing.seal()
    assert ((await row(services)).state, (await row(services)).problem) == (State.SEALED, None)
    await look(services, 6)
    assert await alarms(services) == {}


async def test_a_sound_that_was_never_there_is_lost_and_an_alarm_for_a_day(services: Services) -> None:
    await tell(services, *begins(), *ends())
    await sealed(services)
    await look(services)
    assert (await row(services)).state is State.LOST
    assert await events(services) == [("failed", "there is no file of its sound"), ("failed", "there is no raw sound")]
    assert await alarms(services) == {"recording_lost": "1 recording found to be lost in the last 24 hours"}

    services.clock.at = MONDAY + timedelta(hours=25)
    await look(services, 6)
    assert "recording_lost" not in await alarms(services)


async def test_a_worker_that_does_not_answer_is_an_alarm_after_ten_seconds_and_sealing_goes_on_after(
    services: Services,
) -> None:
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    services.vault.is_away = True
    with pytest.raises(VaultAway):
        await sealed(services)
    assert await alarms(services) == {}
    services.clock.now_s += 10
    assert await alarms(services) == {"vault_away": "nothing is sealed: the worker does not answer"}
    assert (await row(services)).state is State.OVER

    services.vault.is_away = False
    await services.evidence.sealing.seal()
    assert (await row(services)).state is State.SEALED
    assert await alarms(services) == {}


async def test_a_sound_at_which_the_worker_dies_does_not_keep_the_others_waiting(services: Services) -> None:
    await two_are_over(services)
    services.vault.gives_up.add("112-1.0")
    with pytest.raises(VaultAway):
        await sealed(services)
    await services.evidence.sealing.seal()
    assert (await row(services, "112-2.0")).state is State.SEALED
    services.clock.now_s += 11
    with pytest.raises(VaultAway):
        await services.evidence.sealing.seal()
    failed = await row(services)
    assert (failed.state, failed.problem, failed.tries) == (State.OVER, "the worker ended", 1)


async def test_a_sound_at_which_the_worker_dies_is_told_however_long_the_others_take(services: Services) -> None:
    await two_are_over(services)
    services.vault.gives_up.add("112-1.0")
    with pytest.raises(VaultAway):
        await sealed(services)
    await services.evidence.sealing.seal()
    services.clock.now_s += 300  # the round through many others
    with pytest.raises(VaultAway):
        await services.evidence.sealing.seal()
    assert (await row(services)).problem == "the worker ended"


async def test_a_worker_that_does_not_run_is_held_against_no_recording(services: Services) -> None:
    await two_are_over(services)
    await look(services)
    await checked(services)
    services.vault.is_down = True
    with pytest.raises(VaultDown):
        await services.evidence.sealing.seal()
    services.vault.is_down = False
    await services.evidence.sealing.seal()
    assert [(await row(services, each)).state for each in ("112-1.0", "112-2.0")] == [State.SEALED] * 2


async def test_a_call_that_is_told_again_after_a_restore_has_the_sound_that_was_sealed(services: Services) -> None:
    """Its raw sound is gone, and that is no fault."""
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    await services.vault.seal(await row(services))
    services.sounds.files.clear()
    services.clock.at = MONDAY + timedelta(hours=1)
    await sealed(services)
    assert ((await row(services)).state, (await row(services)).problem) == (State.SEALED, None)
    assert [name for name, _ in await events(services)] == ["sealed"]


@pytest.mark.parametrize("hindrance", ["is_away", "is_unseen"])
async def test_sound_that_may_be_sealed_and_that_nobody_can_see_now_holds_no_check_up(
    services: Services, hindrance: str
) -> None:
    await two_are_over(services)
    await services.vault.seal(await row(services))
    del services.sounds.files[FILE]
    services.clock.at = MONDAY + timedelta(hours=1)
    setattr(services.vault, hindrance, True)
    await checked(services)
    assert (await row(services, "112-2.0")).sound_s == 20.0
    setattr(services.vault, hindrance, False)
    await look(services)
    await services.evidence.sealing.seal()
    done = await row(services)
    assert (done.state, done.problem, done.faults) == (State.SEALED, None, ())
    assert {name for name, _ in await events(services)} == {"sealed"}


async def test_a_worker_that_does_not_run_is_an_alarm_though_nothing_waits(services: Services) -> None:
    services.vault.problem = "it cannot be started: no such file"
    await look(services)
    await look(services, 10)
    words = "nothing is sealed: the vault's worker does not run: it cannot be started: no such file"
    assert await alarms(services) == {"vault_away": words}
    services.vault.problem = None
    await look(services, 1)
    assert await alarms(services) == {}


async def test_an_almost_full_disk_is_an_alarm_and_then_stops_the_sealing_but_not_the_discarding(
    services: Services,
) -> None:
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    services.sounds.free = 1_900_000_000
    await look(services)
    assert await alarms(services) == {"disk_low": "less than 2000 MB are left"}

    await checked(services)
    services.vault.is_away = True
    with pytest.raises(VaultAway):
        await services.evidence.sealing.seal()
    services.vault.is_away = False
    services.sounds.free = 900_000_000
    await look(services)
    await services.evidence.sealing.seal()
    assert (await row(services)).state is State.OVER
    words = "less than 1000 MB are left: nothing is sealed, recording goes on"
    assert await alarms(services) == {"disk_low": words}

    services.sounds.free = 3_000_000_000
    await look(services, 11)
    await services.evidence.sealing.seal()
    assert (await row(services)).state is State.SEALED
    assert await alarms(services) == {}


async def test_raw_sound_that_could_not_be_discarded_is_discarded_while_the_disk_is_full(services: Services) -> None:
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    await look(services)
    await checked(services)
    await services.vault.seal(await row(services))  # the gateway died before it could store that
    await services.evidence.sealing.seal()
    assert services.vault.asked == ["112-1.0", "112-1.0"]
    services.sounds.write(FILE, 20)  # it died before the raw sound was discarded
    services.sounds.free = 1
    await look(services)
    await services.recovery.settle([MONDAY.date()])
    assert services.sounds.files == {}


async def test_alarms_stand_until_the_next_gateway_has_looked(services: Services) -> None:
    services.sounds.free = 1
    await look(services)
    assert set(await alarms(services)) == {"disk_low"}
    after = Services(services.store, clock=services.clock)
    assert set(await alarms(after)) == {"disk_low"}
    await look(after)
    assert await alarms(after) == {}


DIALLED = "2026/08/16/callback-1-ab.raw"


async def dialling(services: Services) -> None:
    """A caller whom nobody heard is being called back."""
    task = Callback(
        number="0811",
        trunk="telkomsel",
        opened_at=MONDAY,
        due_at=MONDAY,
        first_due_at=MONDAY,
        tries=(Try("112-1.0", MONDAY, Why.ABANDONED, "telkomsel"),),
        try_count=1,
        last_try_at=MONDAY,
        dials=(Dial("1-ab", 1, MONDAY, recording=DIALLED),),
    )
    await services.saving.save(Change(callbacks=(Update(task),)))
    await services.centre.resume()


async def test_a_call_back_is_recorded_as_it_is_dialled(services: Services) -> None:
    await dialling(services)

    def step(which: DialStep, seconds: float, result: DialResult | None = None) -> DialFact:
        return DialFact("1-ab", MONDAY + timedelta(seconds=seconds), which, result)

    await services.centre.record(Reading(facts=(step(DialStep.RUNG, 5),)))
    running = await row(services, "callback-1-ab")
    assert (running.state, running.kind, running.dial_id) == (State.RUNNING, Kind.CALLBACK, "1-ab")
    answered = step(DialStep.ANSWERED, 8)
    await services.centre.record(Reading(facts=(answered, step(DialStep.ENDED, 38, DialResult.ANSWERED))))
    over = await row(services, "callback-1-ab")
    assert (over.state, over.expected_s, over.talk_s) == (State.OVER, 30.0, 30.0)


async def test_a_call_back_under_which_asterisk_died_ends_where_its_sound_does(services: Services) -> None:
    rung, answered = MONDAY + timedelta(seconds=5), MONDAY + timedelta(seconds=8)
    await dialling(services)
    await services.centre.record(Reading(facts=(DialFact("1-ab", rung, DialStep.RUNG),)))
    await services.centre.record(Reading(facts=(DialFact("1-ab", answered, DialStep.ANSWERED),)))
    services.sounds.write(DIALLED, 20)
    services.clock.at = MONDAY + timedelta(seconds=90)
    await services.centre.settle()
    await services.centre.settle()
    over = await row(services, "callback-1-ab")
    assert (over.state, over.ended_at, over.talk_s) == (State.OVER, MONDAY + timedelta(seconds=25), 17.0)


# ---------------------------------------------------------------- recovery


async def test_the_store_is_away_for_a_moment_and_nothing_is_told_twice(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    await look(services)
    await checked(services)
    commit = services.store.commit

    async def away(change: object) -> None:
        raise StoreAway("it is away")

    monkeypatch.setattr(services.store, "commit", away)
    with pytest.raises(StoreAway):
        await services.evidence.sealing.seal()
    monkeypatch.setattr(services.store, "commit", commit)
    await services.evidence.sealing.seal()
    assert await events(services) == [("sealed", None)]


async def test_sound_that_a_bucket_does_not_take_for_a_minute_is_an_alarm_and_nothing_else_stops(
    services: Services,
) -> None:
    services.moving = Moving(3, "the bucket is full. Remedy: raise its quota")
    await look(services)
    await look(services, 30)
    assert await alarms(services) == {}
    await look(services, 40)
    said = "sealed sound stays where it is: the bucket is full. Remedy: raise its quota"
    assert await alarms(services) == {evidence.NOT_MOVED: said}
    await tell(services, *begins())
    services.sounds.write(FILE, 20)
    await tell(services, *ends())
    await sealed(services)
    assert (await row(services)).state is State.SEALED
    services.moving = Moving()
    await look(services, 10)
    assert await alarms(services) == {}


async def test_each_night_in_which_the_vault_was_verified_is_told_once_whoever_runs(services: Services) -> None:
    await look(services)
    assert await events(services, "vault.") == []
    services.verification = Verification(since=MONDAY)
    await look(services, 6)
    assert await events(services, "vault.") == []  # not once yet
    services.verification = Verification(MONDAY, MONDAY + timedelta(hours=1), 3, 9, 1, ("a.ogg: changed: why",))
    for _ in range(2):
        await look(services, 6)
    after = Services(services.store, clock=services.clock)
    after.verification = services.verification
    await look(after, 6)
    after.verification = replace(services.verification, at=MONDAY + timedelta(days=1), findings=0, first=())
    await look(after, 6)
    told = [each.event for each in await Reads(services.store._engine).events(0, 100)]
    nights = [(each.at, dict(each.data)) for each in told if each.type == "vault.verified"]
    found = {"days": 3, "recordings": 9, "findings": 1, "first": ["a.ogg: changed: why"]}
    assert nights == [
        (MONDAY + timedelta(hours=1), found),
        (MONDAY + timedelta(days=1), found | {"findings": 0, "first": []}),
    ]


async def test_a_night_is_told_also_where_the_last_one_was_told_by_a_clock_that_was_put_back_since(
    services: Services,
) -> None:
    services.verification = Verification(MONDAY, MONDAY + timedelta(days=365))
    services.clock.at = MONDAY + timedelta(days=365)
    await look(services, 6)
    services.clock.at = MONDAY + timedelta(days=2)
    services.verification = Verification(MONDAY, MONDAY + timedelta(days=1))
    await look(services, 6)
    assert len(await events(services, "vault.")) == 2


async def test_what_is_found_beside_what_stands_is_told_and_the_alarm_anew_once_whoever_runs(
    services: Services,
) -> None:
    async def told(kind: str) -> list[Event]:
        found = [each.event for each in await Reads(services.store._engine).events(0, 100)]
        return [each for each in found if each.type == kind and each.data.get("kind") in (None, evidence.CHANGED)]

    services.verification = Verification(MONDAY, MONDAY, findings=1, first=("a: changed: why",), found_at=MONDAY)
    await look(services)
    await alarms(services)
    assert len(await told("alarm.raised")) == 1
    later = MONDAY + timedelta(hours=3)
    services.verification = replace(services.verification, findings=2, first=("b: added: why", "a"), found_at=later)
    await look(services, 6)
    after = Services(services.store, clock=services.clock)
    after.verification = services.verification
    await look(after, 6)
    raised = [each.data["detail"] for each in await told("alarm.raised")]
    said = "2 findings where all should be as it was sealed, the first: b: added: why"
    assert (len(raised), raised[1]) == (2, said)
    assert await alarms(services) == {evidence.CHANGED: said}
    assert [each.at for each in await told("vault.verified")] == [MONDAY, later]
    # a night that finds no more tells of itself alone
    after.verification = replace(services.verification, at=MONDAY + timedelta(days=1))
    await look(after, 6)
    assert len(await told("alarm.raised")) == 2
    assert len(await told("vault.verified")) == 3


async def test_what_the_night_found_and_a_night_that_does_not_come_are_alarms_until_they_are_over(
    services: Services,
) -> None:
    services.clock.at = MONDAY + timedelta(days=2)
    services.verification = Verification(MONDAY, findings=2, first=("2026/08/16/a.ogg: changed: why", "b"))
    await look(services)
    said = "2 findings where all should be as it was sealed, the first: 2026/08/16/a.ogg: changed: why"
    assert await alarms(services) == {evidence.CHANGED: said}
    services.clock.at += timedelta(seconds=1)
    services.verification = Verification(MONDAY, due=7)
    await look(services, 6)
    late = f"not verified since {MONDAY:%Y-%m-%d %H:%M} UTC: 7 days were left when the night was over"
    assert await alarms(services) == {evidence.NOT_VERIFIED: late}
    services.verification = Verification(MONDAY, at=services.clock())
    await look(services, 6)
    assert await alarms(services) == {}


# ---------------------------------------------------------------- many at a time


def file_of(number: int) -> str:
    return f"2026/08/16/112-{number}.0.raw"


async def many_are_over(services: Services, count: int) -> None:
    facts = [
        (begins(f"112-{number}.0", file_of(number)), ends(20, f"112-{number}.0")) for number in range(1, count + 1)
    ]
    await tell(services, *(fact for begun, ended in facts for fact in (*begun, *ended)))


async def test_calls_are_looked_at_as_fast_as_the_worst_hour_ends_them(services: Services) -> None:
    await many_are_over(services, 120)
    for number in range(1, 121):
        services.sounds.write(file_of(number), 20)
    await look(services)
    await checked(services)
    there = await services.store.recordings([f"112-{number}.0" for number in range(1, 121)])
    assert {each.sound_s for each in there.values()} == {20.0}


async def test_those_that_are_sealed_and_those_that_cannot_be_are_stored_together_and_each_is_told(
    services: Services,
) -> None:
    await many_are_over(services, 4)
    for number in range(1, 5):
        services.sounds.write(file_of(number), 20)
    services.vault.refuses = {"112-1.0": ("ffmpeg said: no", False), "112-3.0": ("it is empty", True)}
    await sealed(services)
    states = [(await row(services, f"112-{number}.0")).state for number in range(1, 5)]
    assert states == [State.OVER, State.SEALED, State.LOST, State.SEALED]
    assert sorted(await events(services), key=str) == [
        ("failed", "ffmpeg said: no"),
        ("failed", "it is empty"),
        ("sealed", None),
        ("sealed", None),
    ]
    assert services.evidence.standing.told == {"failed": 1, "lost": 1, "sealed": 2}


async def test_other_raw_sound_beside_what_is_sealed_takes_nothing_from_it(services: Services) -> None:
    """Somebody laid it there, or a backup's half of it came back: what is heard is what was sealed."""
    await tell(services, *begins(), *ends())
    services.sounds.write(FILE, 20)
    services.vault.others.add("112-1.0")
    await sealed(services)
    done = await row(services)
    assert (done.state, done.problem) == (State.SEALED, None)
    assert done.seal is not None
    assert FILE in services.sounds.files


async def test_raw_sound_that_may_not_be_discarded_keeps_no_other_from_it(services: Services) -> None:
    await many_are_over(services, 3)
    for number in range(1, 4):
        services.sounds.write(file_of(number), 20)
    services.vault.keeps.add("112-2.0")
    await sealed(services)
    assert set(services.sounds.files) == {file_of(2)}
    kept = await row(services, "112-2.0")
    assert (kept.state, kept.problem) == (State.OVER, "the stored sound is gone")
    assert (await row(services, "112-3.0")).state is State.SEALED
