"""Lists are walked by key: each call once, whatever arrives meanwhile, and never by looking at every call."""

import random
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.call import PROBE_TRUNK, Call, Outcome
from gateway.domain.change import Change, SetAside
from gateway.domain.dispositions import Disposed, Disposition
from gateway.domain.recordings import Kind, Recording
from gateway.domain.tokens import Role, Token
from gateway.store import call_list
from gateway.store.call_list import CallFilter, Page, Unsaid
from gateway.store.call_statements import Beside
from gateway.store.cursors import BadCursor
from gateway.store.reads import Reads, TrunkSummary
from gateway.store.repository import Repository
from tests.store.plans import asked, plan_of
from tests.store.values import NOON, a_call, ended

EVERY = CallFilter()


async def _walk(reads: Reads, filter: CallFilter, limit: int) -> list[Call]:
    page = await reads.calls(filter, None, limit)
    found = list(page.items)
    while page.next is not None:
        page = await reads.calls(filter, page.next, limit)
        assert len(page.items) <= limit
        found += page.items
    return found


def _newest_first(calls: Sequence[Call]) -> list[Call]:
    return sorted(calls, key=lambda call: (call.arrived_at, call.id), reverse=True)


def _varied(count: int) -> list[Call]:
    """Calls of several kinds, four in each second, so that the id must decide."""
    chance = random.Random(112)
    return [
        a_call(
            number,
            arrived_at=NOON + timedelta(seconds=number // 4),
            trunk=chance.choice(["telkomsel", "indosat", PROBE_TRUNK]),
            caller=chance.choice(["0811", "0812"]),
            operator=chance.choice([None, "1001", "1002"]),
            outcome=chance.choice([None, *Outcome]),
        )
        for number in range(count)
    ]


async def test_what_stands_beside_calls_comes_with_them_and_takes_no_place_of_a_call(
    repository: Repository, reads: Reads
) -> None:
    """A call may have several sounds: its own, and messages of several rounds. Those of other calls stay away."""
    one, two, three = (ended(number, Outcome.ANSWERED, operator="1001") for number in (1, 2, 3))
    ids = {three.id: ("", "-1-message", "-2-message"), two.id: (), one.id: ("",)}
    sounds = {
        f"{call_id}{each}": Recording(
            f"{call_id}{each}", Kind.MESSAGE if each else Kind.CALL, f"{call_id}{each}.raw", NOON, call_id=call_id
        )
        for call_id, endings in ids.items()
        for each in endings
    }
    strays = (Recording("stray", Kind.STRAY, "stray.raw", NOON), Recording("112-9", Kind.CALL, "x", NOON, call_id="x"))
    said = {
        call.id: Disposed(call.id, call.caller, Disposition.PRANK, None, "laughs", 1, "Siti", NOON)
        for call in (one, three)
    }
    await repository.commit(Change(calls=(one, two, three), recordings=(*sounds.values(), *strays)))
    await repository.commit(Change(dispositions=tuple(said.values())))
    page = await reads.calls(EVERY, None, 2)
    assert page.items == [three, two]
    assert page.beside == Beside(said, sounds)  # it was seen that there is one more call
    last = await reads.calls(EVERY, page.next, 2)
    assert last == Page([one], None, Beside({one.id: said[one.id]}, {one.id: sounds[one.id]}))
    assert await reads.call_and_beside(one.id) == (one, last.beside)
    assert await reads.call_and_beside(two.id) == (two, Beside())
    assert await reads.call_and_beside("x") is None


async def test_pages_visit_each_call_once_while_new_ones_arrive(repository: Repository, reads: Reads) -> None:
    there = [a_call(number, arrived_at=NOON + timedelta(seconds=number // 4)) for number in range(50)]
    await repository.commit(Change(calls=tuple(there)))
    seen: list[Call] = []
    page = Page([], None)
    for turn in range(100):
        page = await reads.calls(EVERY, page.next, 7)
        seen += page.items
        if page.next is None:
            break
        assert page.next == page.next.strip("=+/&? ")
        await repository.commit(Change(calls=(a_call(1000 + turn), ended(turn, arrived_at=there[turn].arrived_at))))
    assert [call.id for call in seen] == [call.id for call in _newest_first(there)]


async def test_the_last_page_says_so(repository: Repository, reads: Reads) -> None:
    assert await reads.calls(EVERY, None, 5) == Page([], None)
    await repository.commit(Change(calls=tuple(a_call(number) for number in range(10))))
    first = await reads.calls(EVERY, None, 5)
    assert [call.id for call in first.items] == [f"112-{number}" for number in (9, 8, 7, 6, 5)]
    assert first.next is not None
    assert (await reads.calls(EVERY, first.next, 5)).next is None


async def test_filters_combine(repository: Repository, reads: Reads) -> None:
    calls = _varied(200)
    await repository.commit(Change(calls=tuple(calls)))
    for filter in (
        EVERY,
        CallFilter(include_probes=True),
        CallFilter(trunk="indosat"),
        CallFilter(trunk=PROBE_TRUNK),
        CallFilter(trunk=PROBE_TRUNK, include_probes=True),
        CallFilter(outcome=Outcome.FELL_BACK, caller="0812"),
        CallFilter(operator="1002", outcome=Outcome.ANSWERED, trunk="telkomsel"),
        CallFilter(since=NOON + timedelta(seconds=10), until=NOON + timedelta(seconds=20)),
        CallFilter(caller="nobody\0"),
    ):
        assert await _walk(reads, filter, 9) == _newest_first(_that_pass(filter, calls))


async def test_no_page_looks_further_than_it_may_and_none_is_left_out_for_it(
    repository: Repository, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_list, "LOOKED_AT", 7)
    calls = _varied(200)
    await repository.commit(Change(calls=tuple(calls)))
    for filter in (
        EVERY,
        CallFilter(outcome=Outcome.FELL_BACK, trunk="indosat"),
        CallFilter(operator="1002", outcome=Outcome.ANSWERED, trunk="telkomsel"),
        CallFilter(caller="0812", operator="1001", until=NOON + timedelta(seconds=20)),
        CallFilter(caller="0812", operator="1001", outcome=Outcome.FAILED, trunk="nobody's"),
    ):
        assert await _walk(reads, filter, 3) == _newest_first(_that_pass(filter, calls))


async def test_of_several_filters_the_one_that_few_calls_pass_is_walked(
    repository: Repository, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_list, "LOOKED_AT", 20)
    many = [a_call(number, outcome=Outcome.ANSWERED, operator="1001") for number in range(300)]
    few = [replace(many[number], trunk="desa") for number in (0, 150, 299)]
    await repository.commit(Change(calls=tuple({call.id: call for call in [*many, *few]}.values())))
    page = await reads.calls(CallFilter(outcome=Outcome.ANSWERED, operator="1001", trunk="desa"), None, 50)

    assert page == Page(_newest_first(few), None)


def _that_pass(filter: CallFilter, calls: list[Call]) -> list[Call]:
    return [
        call
        for call in calls
        if (filter.trunk is None or call.trunk == filter.trunk)
        and (filter.outcome is None or call.outcome is filter.outcome)
        and (filter.operator is None or call.operator == filter.operator)
        and (filter.caller is None or call.caller == filter.caller)
        and (filter.since is None or call.arrived_at >= filter.since)
        and (filter.until is None or call.arrived_at < filter.until)
        and (filter.include_probes or not call.is_probe)
    ]


def _encoded(place: str) -> str:
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(cursor=st.text(max_size=30) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(_encoded))
@example(cursor="")
@example(cursor=_encoded("2026-11-23T12:00:00 112-1"))
@example(cursor=_encoded("0001-01-01T00:00:00+23:00 112-1"))
@example(cursor=_encoded("2026-11-23T12:00:00+00:00 112-1") + "=")
async def test_a_cursor_that_was_never_given_out_is_refused(reads: Reads, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await reads.calls(EVERY, cursor, 5)


async def test_a_cursor_holds_any_id(repository: Repository, reads: Reads) -> None:
    calls = [a_call(1, id=name) for name in ("a b", "ü/?&=🚒", "\x01", "Z")]
    await repository.commit(Change(calls=tuple(calls)))
    assert await _walk(reads, EVERY, 1) == _newest_first(calls)


@pytest.mark.parametrize(
    ("filter", "index"),
    [
        (CallFilter(include_probes=True), "ix_calls_arrived_at_id"),
        (EVERY, "ix_calls_arrived_at_id"),
        (CallFilter(trunk="telkom"), "ix_calls_trunk_arrived_at_id_caller"),
        (CallFilter(outcome=Outcome.FAILED), "ix_calls_outcome_arrived_at_id_trunk"),
        (CallFilter(operator="1001"), "ix_calls_operator_arrived_at_id"),
        (CallFilter(caller="0811"), "ix_calls_caller_arrived_at_id"),
        (CallFilter(disposition=Disposition.PRANK), "ix_dispositions_disposition_arrived_at_call_id"),
        (CallFilter(disposition=Unsaid.NONE), "ix_calls_outcome_arrived_at_id_trunk"),
    ],
    ids=lambda value: value.removeprefix("ix_") if isinstance(value, str) else "",
)
async def test_each_filter_walks_its_index(
    engine: AsyncEngine, repository: Repository, reads: Reads, filter: CallFilter, index: str
) -> None:
    await repository.commit(Change(calls=tuple(ended(number, Outcome.FAILED) for number in range(30))))
    [call] = (await reads.calls(CallFilter(include_probes=True), None, 1)).items
    await repository.commit(
        Change(calls=tuple(replace(call, id=f"x{number}", operator="1001", caller="0811") for number in range(9)))
    )
    page = await reads.calls(CallFilter(include_probes=True), None, 1)
    with asked() as statements:
        await reads.calls(filter, page.next, 5)
    [*_, (statement, parameters)] = [each for each in statements if "ORDER BY" in each[0]]
    words = await plan_of(engine, statement, parameters, without=("seqscan", "bitmapscan"))
    assert index in words
    assert "SORT" not in words.upper().replace("INCREMENTAL SORT", "")
    assert "TEMP B-TREE" not in words.upper()


async def test_trunks_and_outcomes_are_counted(repository: Repository, reads: Reads) -> None:
    await repository.commit(
        Change(
            calls=(
                a_call(1),
                ended(2, Outcome.ANSWERED),
                ended(3, Outcome.CANCELLED, trunk="indosat"),
                ended(4, Outcome.ANSWERED, trunk=PROBE_TRUNK),
                a_call(5, trunk=PROBE_TRUNK),
            ),
            set_aside=(SetAside(NOON, "journal", "torn", "x"),) * 3,
        )
    )
    at = [NOON + timedelta(seconds=number) for number in range(6)]
    assert await reads.trunk_summaries(1) == [
        TrunkSummary("indosat", 1, at[3], 0),
        TrunkSummary("probe", 2, at[5], 1),
        TrunkSummary("telkomsel", 2, at[2], 1),
    ]
    counts, _ = await reads.outcome_counts()
    assert counts == {"answered": 1, "abandoned": 0, "cancelled": 1, "fell_back": 0, "failed": 0}
    assert await reads.set_aside_count() == 3


async def test_a_token_is_found_by_its_hash_while_it_is_in_use(repository: Repository, reads: Reads) -> None:
    token = Token(name="Siti", role=Role.AUDITOR, token_hash="hash1", created_at=NOON)
    [stored] = (await repository.commit(Change(kept=(token,)))).kept
    assert await reads.token("hash1") == stored
    assert await reads.token("hash2") is None
    assert await reads.token("never\0") is None
    await repository.commit(Change(kept=(replace(stored, retired_at=NOON),)))
    assert await reads.token("hash1") is None


async def test_what_is_not_there_is_none(reads: Reads) -> None:
    assert await reads.call("112-1") is None
    assert await reads.events(0, 10) == []
    assert await reads.trunk_summaries(0) == []
    assert await reads.set_aside_count() == 0
