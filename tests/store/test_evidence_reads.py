"""Recordings in the store: what waits, what was lost, those of a day, and calls without one."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.change import Change
from gateway.domain.recordings import Kind, Recording, Seal, State
from gateway.ports import RecordingCounts
from gateway.store.custody import StoredCustody
from gateway.store.evidence_reads import StoredEvidence
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.store.plans import asked, plan_of
from tests.store.test_round_trip import on_one_database
from tests.store.values import NOON, ended, keys, small, times, words

levels = st.none() | st.floats(-200, 0)
any_seal = st.builds(
    Seal,
    sealed_at=times,
    stored=words,
    stored_bytes=st.integers(0, 2**40),
    sound_sha256=words,
    raw_sha256=words,
    manifest_sha256=words,
    entry=small,
    key=st.none() | words,
)
any_recording = st.builds(
    Recording,
    id=keys.filter(bool),
    kind=st.sampled_from(Kind),
    file=words,
    started_at=times,
    call_id=st.none() | keys,
    dial_id=st.none() | keys,
    state=st.sampled_from(State),
    ended_at=st.none() | times,
    expected_s=st.none() | st.floats(0, 1e6),
    talk_s=st.none() | st.floats(0, 1e6),
    sound_s=st.none() | st.floats(0, 1e6),
    left_dbfs=levels,
    right_dbfs=levels,
    seal=st.none() | any_seal,
    problem=st.none() | words,
    problem_at=st.none() | times,
    faults=st.lists(words, max_size=3).map(tuple),
    tries=small,
    try_at=st.none() | times,
    destroyed_at=st.none() | times,
    certificate=st.none() | words,
)


@pytest.fixture
def stored(engine: AsyncEngine) -> StoredEvidence:
    return StoredEvidence(engine)


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda stored, _: stored.unchecked(20), "ix_recordings_unsealed"),
        (lambda stored, _: stored.sealable(NOON, 20), "ix_recordings_unsealed"),
        (lambda stored, _: stored.counts(NOON), "ix_recordings_unsealed"),
        (lambda _, repository: repository.running_recordings(), "ix_recordings_unsealed"),
        (lambda _, repository: repository.open_calls(), "ix_calls_running"),
        (lambda _, repository: repository.standing_alarms(), "uq_alarms_standing"),
        (
            lambda stored, _: Reads(stored._engine).kept.alarms(only_standing=True, before=9, limit=9),
            "uq_alarms_standing",
        ),
    ],
)
async def test_what_is_asked_at_each_start_and_all_the_time_goes_through_the_few_that_it_is_about(
    engine: AsyncEngine, stored: StoredEvidence, repository: Repository, ask: Any, index: str
) -> None:
    """Not through all calls, recordings, alarms that there ever were: with millions no gateway would come up again."""
    with asked() as statements:
        await ask(stored, repository)
    plans = [
        await plan_of(engine, statement, parameters)
        for statement, parameters in statements
        if statement.startswith("SELECT") and re.search(r"FROM (calls|recordings|alarms)\b", statement)
    ]
    assert index in plans[0], plans


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda custody: custody.begun(), "ix_recordings_begun"),
        (lambda custody: custody.recordings_of((), (7,)), "ix_recordings_dial_id"),
        (lambda custody: custody.recordings_of((), range(1, 401)), "ix_recordings_dial_id"),
        (lambda custody: custody.recordings_of(("112-1",), ()), "ix_recordings_call_id"),
    ],
)
async def test_what_an_export_a_hold_or_an_erasure_asks_for_is_found_among_millions(
    engine: AsyncEngine, ask: Any, index: str
) -> None:
    with asked() as statements:
        await ask(StoredCustody(engine))
    [plan] = [
        await plan_of(engine, statement, parameters)
        for statement, parameters in statements
        if "FROM recordings" in statement
    ]
    assert index in plan


async def test_a_look_at_what_lasts_goes_on_where_it_was(engine: AsyncEngine) -> None:
    """From page to page through millions, each hour: what was looked at is not gone through again."""
    with asked() as statements:
        await StoredCustody(engine).lasting(NOON, (NOON - timedelta(days=30), "112-1"), 500)
    [plan] = [await plan_of(engine, *each) for each in statements if "FROM recordings" in each[0]]
    if engine.dialect.name == "sqlite":
        assert "ix_recordings_lasting ((started_at,id)>(?,?) AND started_at<?)" in plan
    else:
        assert "ix_recordings_lasting" in plan
        assert re.search(r"Index Cond: .*ROW\((recordings\.)?started_at, .*\) > ROW\(", plan)


def a_recording(number: int, state: State = State.OVER, **fields: Any) -> Recording:
    """One of a call that arrived `number` seconds after noon."""
    known: dict[str, Any] = {
        "id": f"112-{number}",
        "kind": Kind.CALL,
        "file": f"2026/11/23/112-{number}.raw",
        "started_at": NOON + timedelta(seconds=number),
        "call_id": f"112-{number}",
        "state": state,
    }
    return Recording(**known | fields)


@on_one_database
@given(recording=any_recording)
async def test_a_recording_comes_back_as_it_was_stored(repository: Repository, recording: Recording) -> None:
    await repository.commit(Change(recordings=(recording,)))
    assert await repository.recording(recording.id) == recording


async def test_what_waits_comes_oldest_first_and_what_failed_when_its_time_has_come(
    repository: Repository, stored: StoredEvidence
) -> None:
    soon, later = NOON + timedelta(seconds=10), NOON + timedelta(seconds=60)
    given_ = (
        a_recording(5, State.RUNNING),
        a_recording(4, ended_at=soon),
        a_recording(3, ended_at=NOON),
        a_recording(2, sound_s=2.0),
        a_recording(1, sound_s=2.0, tries=2, try_at=later),
        a_recording(6, State.LOST, problem="gone", problem_at=NOON),
        a_recording(7, State.LOST, problem="gone", problem_at=NOON - timedelta(days=2)),
        a_recording(8, State.SEALED, sound_s=1.0),
    )
    await repository.commit(Change(recordings=given_))

    def ids(found: list[Recording]) -> list[str]:
        return [each.id for each in found]

    assert ids(await repository.running_recordings()) == ["112-5"]
    assert ids(await stored.unchecked(10)) == ["112-3", "112-4"]
    assert ids(await stored.unchecked(1)) == ["112-3"]
    assert ids(await stored.sealable(soon, 10)) == ["112-2"]
    assert ids(await stored.sealable(later, 10)) == ["112-1", "112-2"]
    # the clock was put back since
    assert ids(await stored.sealable(later - timedelta(hours=2), 10)) == ["112-1", "112-2"]
    counts = await stored.counts(NOON - timedelta(days=1))
    assert counts == RecordingCounts(waiting=4, failing=1, lost=1, oldest_at=NOON, running=1)


async def test_a_day_has_the_recordings_of_its_folder_page_by_page(
    repository: Repository, stored: StoredEvidence
) -> None:
    day = NOON.date()
    late = a_recording(3, started_at=NOON + timedelta(hours=13))  # told by another clock
    elsewhere = a_recording(4, file="2026/11/24/112-4.raw")
    like = a_recording(5, file="2026/11_23/112-5.raw")
    destroyed = a_recording(6, State.DESTROYED)
    await repository.commit(Change(recordings=(a_recording(1), a_recording(2), late, elsewhere, like, destroyed)))
    assert [each.id for each in await stored.of_day(day, "", 2)] == ["112-1", "112-2"]
    assert [each.id for each in await stored.of_day(day, "112-2", 2)] == ["112-3"]
    assert await stored.first_day() == day


async def test_calls_without_a_recording_are_found_on_their_day(repository: Repository, stored: StoredEvidence) -> None:
    assert await stored.first_day() is None
    calls = tuple(
        ended(number, recording=f"2026/11/23/112-{number}.raw", message=f"m{number}.sln" if number == 3 else None)
        for number in range(1, 5)
    )
    running = replace(ended(9, recording="2026/11/23/112-9.raw"), ended_at=None, outcome=None)
    known = (a_recording(1), a_recording(3), a_recording(4, id="m", kind=Kind.MESSAGE))
    await repository.commit(Change(calls=(*calls, ended(8), running), recordings=known))
    assert [call.id for call in await stored.unfollowed(NOON.date(), 10)] == ["112-2", "112-3", "112-4"]
    assert await stored.unfollowed(NOON.date() - timedelta(days=1), 10) == []
    assert await stored.call("112-2") == calls[1]
    assert await stored.call("112-99") is None
