"""Callbacks in the store: one open task a number, nothing changed unseen, and every one found page by page."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.callbacks import Callback, Dial, Flock, State, Try, Update, Why
from gateway.domain.change import Change
from gateway.domain.events import Event
from gateway.domain.facts import DialResult
from gateway.domain.picture import CallbacksOpen
from gateway.ports import Stale, Taken
from gateway.store.callback_reads import CallbackCounts, CallbackFilter
from gateway.store.cursors import BadCursor
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.store.test_round_trip import on_one_database
from tests.store.values import NOON, ids, keys, small, times, words

any_dial = st.builds(
    Dial,
    id=words,
    operator_id=ids,
    at=times,
    rung_at=st.none() | times,
    answered_at=st.none() | times,
    ended_at=st.none() | times,
    result=st.none() | st.sampled_from(DialResult),
    recording=st.none() | words,
)
any_closed = st.builds(
    Callback,
    number=keys,
    trunk=words,
    state=st.sampled_from(State),
    opened_at=times,
    due_at=times,
    first_due_at=times,
    tries=st.lists(st.builds(Try, words, times, st.sampled_from(Why), words), max_size=3).map(tuple),
    try_count=small,
    last_try_at=times,
    claimed_by=st.none() | ids,
    claimed_at=st.none() | times,
    first_dialled_at=st.none() | times,
    dials=st.lists(any_dial, max_size=3).map(tuple),
    closed_at=times,
    closed_by=words,
    reason=words,
)


def a_task(number: str = "0811", due_min: int = 10, **fields: Any) -> Callback:
    known: dict[str, Any] = {
        "number": number,
        "trunk": "telkomsel",
        "opened_at": NOON,
        "due_at": NOON + timedelta(minutes=due_min),
        "first_due_at": NOON + timedelta(minutes=10),
        "tries": (Try("112-1", NOON, Why.CANCELLED, "telkomsel"),),
        "try_count": 1,
        "last_try_at": NOON,
    }
    return Callback(**known | fields)


def over(task: Callback) -> Callback:
    return replace(task, state=State.REACHED, closed_at=NOON)


async def put(repository: Repository, *tasks: Callback) -> list[Callback]:
    return list((await repository.commit(Change(callbacks=tuple(Update(task) for task in tasks)))).callbacks)


@on_one_database
@given(task=any_closed)
async def test_every_task_comes_back_equal(repository: Repository, reads: Reads, task: Callback) -> None:
    [stored] = await put(repository, task)
    assert stored == replace(task, id=stored.id, version=1)
    assert await repository.callback(stored.id) == await reads.callbacks.one(stored.id) == stored
    assert (stored in await repository.dialling_callbacks()) == (stored.dialling is not None)


async def test_a_new_tasks_id_stands_in_its_events(repository: Repository, reads: Reads) -> None:
    opened = Update(a_task(), (Event("callback.opened", NOON, "112-1", {"number": "0811"}),))
    committed = await repository.commit(Change(events=(Event("call.ended", NOON, "112-1"),), callbacks=(opened,)))
    [task] = committed.callbacks
    told = [each.event for each in await reads.events(0, 10)]
    assert [event.type for event in told] == ["call.ended", "callback.opened"]
    assert told[1].data == {"callback_id": task.id, "number": "0811"}


async def test_of_two_who_change_a_task_the_second_is_told_and_nothing_of_his_is_stored(
    repository: Repository, reads: Reads
) -> None:
    [task] = await put(repository, a_task())
    [claimed] = await put(repository, replace(task, claimed_by=3))
    with pytest.raises(Stale, match=f"callback {task.id} was changed by somebody else"):
        await repository.commit(
            Change(callbacks=(Update(replace(task, claimed_by=4), (Event("callback.rung", NOON),)),))
        )
    assert await repository.callback(task.id) == claimed
    assert await reads.events(0, 10) == []


async def test_a_number_has_one_open_task_and_a_new_one_once_it_is_over(repository: Repository) -> None:
    [task] = await put(repository, a_task())
    with pytest.raises(Taken, match="number 0811 has an open callback"):
        await put(repository, a_task())
    assert await repository.open_callbacks({"0811", "0812"}) == [task]
    closed, fresh = await put(repository, over(task), a_task())
    assert await repository.open_callbacks([f"{number}" for number in range(1200)] + ["0811"]) == [fresh]
    assert await repository.callback(closed.id) == closed
    assert await repository.callback(4711) is None


async def test_open_tasks_come_the_soonest_due_first_and_others_the_newest_first(
    repository: Repository, reads: Reads
) -> None:
    a, b, c, d = await put(repository, a_task("1", 30), a_task("2", 10), a_task("3", 10), over(a_task("4", 5)))
    urgent = CallbackFilter(is_open=True)
    first, cursor = await reads.callbacks.page(urgent, after=None, limit=2)
    rest, end = await reads.callbacks.page(urgent, after=cursor, limit=2)
    assert ([*first, *rest], end) == ([b, c, a], None)
    # the one that the cursor names was dialled in vain meanwhile, or closed: neither passes over who comes after it
    [c] = await put(repository, replace(c, due_at=NOON + timedelta(minutes=40)))
    assert (await reads.callbacks.page(urgent, after=cursor, limit=2))[0] == [a, c]
    await put(repository, over(c))
    assert (await reads.callbacks.page(urgent, after=cursor, limit=2))[0] == [a]
    with pytest.raises(BadCursor):
        await reads.callbacks.page(urgent, after="4711", limit=2)

    newest, cursor = await reads.callbacks.page(CallbackFilter(), after=None, limit=2)
    older, _ = await reads.callbacks.page(CallbackFilter(), after=cursor, limit=5)
    assert [task.id for task in [*newest, *older]] == [d.id, c.id, b.id, a.id]


async def test_tasks_are_found_by_state_number_hands_and_lateness(repository: Repository, reads: Reads) -> None:
    late = NOON + timedelta(minutes=20)
    calling, ringing = Dial("2-a", 3, NOON, rung_at=NOON), Dial("5-a", 3, NOON)
    in_vain = replace(calling, result=DialResult.BUSY, ended_at=NOON)
    waiting, dialled, taken, closed, rung, tried = await put(
        repository,
        a_task("1"),
        a_task("2", first_dialled_at=NOON, dials=(in_vain, calling)),
        a_task("3", 60, state=State.CLAIMED, claimed_by=3),
        over(a_task("4")),
        a_task("5", 12, state=State.CLAIMED, claimed_by=4, dials=(ringing,)),
        a_task("6", 15, state=State.CLAIMED, claimed_by=4, first_dialled_at=NOON, dials=(in_vain,)),
    )
    assert [task for task in (waiting, dialled, taken, closed, rung, tried) if task.is_overdue(late)] == [
        *(waiting, rung, tried),
    ]

    async def found(**filter: Any) -> list[Callback]:
        return (await reads.callbacks.page(CallbackFilter(**filter), after=None, limit=10))[0]

    assert await found(state=State.OPEN) == [waiting, dialled]
    assert await found(state=State.REACHED) == [closed]
    assert await found(number="3") == [taken]
    assert await found(claimed_by=3) == [taken]
    assert await found(overdue_at=late) == [waiting, rung, tried]
    assert await found(state=State.REACHED, is_open=True) == []
    assert await repository.overdue_callbacks(late) == (3, waiting.due_at)
    assert await repository.overdue_callbacks(NOON) == (0, None)
    assert await repository.dialling_callbacks() == [dialled, rung]

    gone = Event("callback.impossible", NOON, "112-9", {"caller": "anonymous"})
    await repository.commit(Change(events=(gone, replace(gone, at=NOON - timedelta(days=2)))))
    assert await reads.callbacks.counts(late, NOON - timedelta(days=1)) == CallbackCounts(2, 3, 3, 1)
    assert await reads.callbacks.open_ones(late) == CallbacksOpen(5, 3)


async def test_tasks_are_found_by_what_all_their_tries_have_in_common_and_by_when_they_were_opened(
    repository: Repository, reads: Reads
) -> None:
    def tried(*tries: tuple[str, Why]) -> tuple[Try, ...]:
        return tuple(Try("112-1", NOON, why, trunk) for trunk, why in tries)

    forged = ("xlsmart", Why.ABANDONED)
    once, twice, mixed, elsewhere, message, late = await put(
        repository,
        a_task("1", trunk="xlsmart", tries=tried(forged)),
        a_task("2", trunk="xlsmart", tries=tried(forged, forged), try_count=2),
        a_task("3", trunk="xlsmart", tries=tried(forged, ("telkomsel", Why.CUT)), try_count=2),
        a_task("4", tries=tried(("telkomsel", Why.ABANDONED))),
        a_task("5", trunk="xlsmart", tries=tried(("xlsmart", Why.MESSAGE))),
        a_task("6", trunk="xlsmart", tries=tried(forged), opened_at=NOON + timedelta(hours=1)),
    )

    async def found(**filter: Any) -> list[Callback]:
        wanted = CallbackFilter(is_open=True, **filter)
        page = (await reads.callbacks.page(wanted, after=None, limit=10))[0]
        assert await reads.callbacks.count(wanted) == len(page)
        return page

    assert await found(trunk="xlsmart") == [once, twice, message, late]
    assert await found(why=Why.ABANDONED) == [once, twice, elsewhere, late]
    assert await found(least_tries=2) == [twice, mixed]
    assert await found(opened_since=NOON + timedelta(seconds=1)) == [late]
    assert await found(opened_until=NOON + timedelta(hours=1), most_tries=1) == [once, elsewhere, message]
    flock = Flock(opened_since=NOON, opened_until=NOON + timedelta(hours=1), trunk="xlsmart", most_tries=9)
    assert await repository.flock(flock, 2) == (3, [once, twice])
    assert await repository.flock(replace(flock, why=Why.MESSAGE), 2) == (1, [message])
