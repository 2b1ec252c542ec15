"""What calls were: stored by call, listed by what was said, missing where nobody said anything."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.call import PROBE_TRUNK, Attempt, Call, Outcome
from gateway.domain.change import Change
from gateway.domain.dispositions import Category, Disposition
from gateway.store import call_list
from gateway.store.call_list import CallFilter, Unsaid
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.store.values import NOON, a_call, disposed, ended

PRANK, GHOST = Disposition.PRANK, Disposition.GHOST


def taken(number: int, **fields: object) -> Call:
    """An ended call that phone 1001 of Siti's answered after 5 s."""
    at = NOON + timedelta(seconds=number + 5)
    known = {"operator": "1001", "operator_id": 7, "operator_name": "Siti", "answered_at": at}
    return ended(number, **known | fields)  # type: ignore[arg-type]


async def ids(reads: Reads, limit: int = 2, **filter: object) -> list[str]:
    """The calls of that filter, walked page by page."""
    page = await reads.calls(CallFilter(**filter), None, limit)  # type: ignore[arg-type]
    found = list(page.items)
    while page.next:
        page = await reads.calls(CallFilter(**filter), page.next, limit)  # type: ignore[arg-type]
        found += page.items
    return [call.id.removeprefix("112-") for call in found]


async def test_the_last_word_counts_and_a_page_is_told_at_once(repository: Repository, reads: Reads) -> None:
    one, two = taken(1), taken(2)
    said = disposed(one, GHOST)
    corrected = disposed(one, Disposition.EMERGENCY, category=Category.FIRE, note="asap")
    await repository.commit(Change(calls=(one, two)))
    await repository.commit(Change(dispositions=(said,)))
    await repository.commit(Change(dispositions=(corrected,)))
    assert await repository.disposition(one.id) == corrected
    assert await repository.disposition(two.id) is None
    assert await reads.dispositions.of_calls([one.id, two.id]) == {one.id: corrected}
    assert await reads.dispositions.of_calls([]) == {}


@pytest.mark.parametrize("looked_at", [call_list.LOOKED_AT, 3])
async def test_calls_are_listed_by_what_was_said_of_them_with_every_other_filter(
    repository: Repository, reads: Reads, monkeypatch: pytest.MonkeyPatch, looked_at: int
) -> None:
    monkeypatch.setattr(call_list, "LOOKED_AT", looked_at)
    calls = [taken(number, arrived_at=NOON + timedelta(seconds=number // 3)) for number in range(10, 22)]
    odd = [disposed(call, PRANK) for call in calls[1::2]]
    await repository.commit(Change(calls=tuple(calls), dispositions=(*odd, disposed(calls[0], GHOST))))
    await repository.commit(Change(calls=(taken(30, trunk=PROBE_TRUNK), taken(31, outcome=Outcome.ABANDONED))))

    assert await ids(reads, disposition=PRANK) == ["21", "19", "17", "15", "13", "11"]
    since = NOON + timedelta(seconds=5)
    assert await ids(reads, disposition=PRANK, since=since, until=since + timedelta(seconds=1)) == ["17", "15"]
    assert await ids(reads, disposition=PRANK, operator="1002") == []
    trunk, caller = calls[0].trunk, calls[0].caller
    assert await ids(reads, disposition=PRANK, operator="1001", trunk=trunk) == ["21", "19", "17", "15", "13", "11"]
    assert await ids(reads, disposition=GHOST, operator="1001", caller=caller, outcome=Outcome.ANSWERED) == ["10"]
    assert await ids(reads, disposition=GHOST) == ["10"]
    assert await ids(reads, disposition=Unsaid.NONE) == ["20", "18", "16", "14", "12"]
    assert await ids(reads, disposition=Unsaid.NONE, operator="1001") == ["20", "18", "16", "14", "12"]
    assert await ids(reads, disposition=Unsaid.NONE, outcome=Outcome.ABANDONED) == []
    assert await ids(reads, disposition=Unsaid.NONE, include_probes=True) == ["30", "20", "18", "16", "14", "12"]


async def test_what_is_missing_is_what_an_operator_answered_and_nobody_disposed_of(
    repository: Repository, reads: Reads
) -> None:
    other = {"operator": "1002", "operator_id": 8, "operator_name": "Budi"}
    calls = (taken(1), taken(2), taken(3, **other), taken(4, trunk=PROBE_TRUNK), a_call(5, operator="1001"), ended(6))
    left = taken(7, outcome=Outcome.ABANDONED, operator=None)
    await repository.commit(Change(calls=(*calls, left), dispositions=(disposed(calls[1], PRANK),)))
    since, until = NOON, NOON + timedelta(hours=1)

    found = await reads.dispositions.missing(since, until, None, 10)
    assert [(each.call_id, each.operator_name) for each in found] == [("112-3", "Budi"), ("112-1", "Siti")]
    assert [each.call_id for each in await reads.dispositions.missing(since, until, 7, 10)] == ["112-1"]
    assert [each.call_id for each in await reads.dispositions.missing(since, until, None, 1)] == ["112-3"]
    assert await reads.dispositions.missing(since - timedelta(hours=1), since, None, 10) == []


async def test_the_calls_that_rang_at_a_phone_are_found_whoever_answered_first(repository: Repository) -> None:
    def rung(call: Call, *phones: str) -> Call:
        attempts = tuple(Attempt("leg", phone, call.arrived_at) for phone in phones)
        return replace(call, operator=phones[0], attempts=attempts)

    calls = (rung(taken(1), "1001"), rung(taken(2), "1002", "1001"), rung(taken(3), "11001"), rung(taken(4), "1001"))
    await repository.commit(Change(calls=calls))
    until = calls[3].arrived_at - timedelta(microseconds=1)
    found = await repository.calls_rung_at("1001", NOON, until)
    assert [call.id for call in found] == ["112-2", "112-1"]
