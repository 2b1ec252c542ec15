"""Recordings as they are listed: by what is known of them and of their calls, page by page."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.change import Change
from gateway.domain.dispositions import Disposition
from gateway.domain.recordings import Kind, Recording, Seal, State
from gateway.store import recording_reads
from gateway.store.cursors import BadCursor
from gateway.store.reads import Reads
from gateway.store.recording_reads import Listed, RecordingFilter
from gateway.store.repository import Repository
from tests.store.values import NOON, disposed, ended

SEAL = Seal(NOON, "2026/11/23/112-1.ogg", 1000, "a" * 64, "b" * 64, "c" * 64, 1, key="20261123-aa")


def a_recording(number: int, **what: Any) -> Recording:
    """Of the call of that number, which began so many seconds after noon."""
    known: dict[str, Any] = {"kind": Kind.CALL, "call_id": f"112-{number}", "state": State.OVER}
    at = NOON + timedelta(seconds=number // 2)
    return Recording(f"112-{number}", file=f"2026/11/23/112-{number}.raw", started_at=at, **known | what)


async def ids(reads: Reads, limit: int = 2, **filter: Any) -> list[str]:
    """The recordings of that filter, walked page by page."""
    found, cursor = await reads.recordings.page(RecordingFilter(**filter), None, limit)
    while cursor is not None:
        more, cursor = await reads.recordings.page(RecordingFilter(**filter), cursor, limit)
        found += more
    return [each.recording.id.removeprefix("112-") for each in found]


async def test_recordings_are_found_and_told_with_their_calls(repository: Repository, reads: Reads) -> None:
    call = ended(1, queue="emergency", operator="1001", operator_name="Siti")
    sealed = replace(a_recording(1), state=State.SEALED, seal=SEAL, sound_s=60.0)
    stray = a_recording(2, kind=Kind.STRAY, call_id=None, problem="nobody knows it")
    rest = [a_recording(number, call_id="112-9", problem=None) for number in range(3, 6)]
    await repository.commit(
        Change(calls=(call,), recordings=(sealed, stray, *rest), dispositions=(disposed(call, Disposition.PRANK),))
    )

    assert await reads.recordings.one("112-1") == Listed(
        sealed, call.caller, call.trunk, "emergency", "1001", "Siti", Disposition.PRANK
    )
    assert await reads.recordings.one("112-2") == Listed(stray)
    assert await reads.recordings.one("nothing") is None
    assert await reads.recordings.by_id(["112-1", "nothing"]) == {"112-1": sealed}
    assert await reads.recordings.by_id([]) == {}
    assert await ids(reads) == ["5", "4", "3", "2", "1"]
    for filter, found in (
        ({"kind": Kind.STRAY}, ["2"]),
        ({"state": State.SEALED}, ["1"]),
        ({"call_id": "112-9"}, ["5", "4", "3"]),
        ({"trunk": call.trunk, "queue": "emergency", "operator": "1001"}, ["1"]),
        ({"disposition": Disposition.PRANK}, ["1"]),
        ({"disposition": Disposition.GHOST}, []),
        ({"has_problem": True}, ["2"]),
        ({"has_problem": False}, ["5", "4", "3", "1"]),
        ({"since": NOON + timedelta(seconds=1), "until": NOON + timedelta(seconds=2)}, ["3", "2"]),
    ):
        assert await ids(reads, **filter) == found, filter
    with pytest.raises(BadCursor):
        await reads.recordings.page(RecordingFilter(), "x", 10)


async def test_a_page_looks_at_a_bounded_number_of_recordings_and_the_search_goes_on_there(
    repository: Repository, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue that hardly any call came to was looked for in all that there ever were, 0.4 s for each 100,000."""
    monkeypatch.setattr(recording_reads, "LOOKED_AT", 3)
    rare = ended(2, queue="rare")
    change = Change(calls=(rare, *(ended(each) for each in range(3, 10))))
    await repository.commit(replace(change, recordings=tuple(a_recording(number) for number in range(1, 10))))
    sizes, cursor = [], None
    for _ in range(4):
        found, cursor = await reads.recordings.page(RecordingFilter(queue="rare"), cursor, 2)
        sizes.append((len(found), cursor is not None))
    assert sizes == [(0, True), (0, True), (1, True), (0, False)]
    assert await ids(reads, queue="rare") == ["2"]
    assert await ids(reads) == [str(number) for number in range(9, 0, -1)]
    assert await ids(reads, queue="rare", since=NOON + timedelta(seconds=1)) == ["2"]
    assert await ids(reads, state=State.OVER) == [str(number) for number in range(9, 0, -1)]
