"""The ledger has no hole, no event twice, and goes together with the journal's positions, whoever writes and dies."""

import asyncio
import signal
import sys

import pytest

from gateway.domain.change import Change
from gateway.ports import Committed, StoreAway
from gateway.store.database import open_database
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.store.values import a_call, an_event, at, ended, numbers, told

KEEPS_WRITING = """
import asyncio, sys
from gateway.domain.change import Change
from gateway.store.database import open_database
from gateway.store.repository import Repository
from tests.store.values import a_call, at, told

async def main(url):
    repository = Repository(await open_database(url))
    for turn in range(1, 100_000):
        change = told(7, calls=(a_call(turn),), positions=at(journal=turn))
        print((await repository.commit(change)).events[-1].seq, flush=True)

asyncio.run(main(sys.argv[1]))
"""
"""Seven events, one call and one step of the journal's position at a time; says each number once it is stored."""


async def test_numbers_start_at_one_and_go_on(repository: Repository, reads: Reads) -> None:
    assert await repository.newest_seq() == 0
    assert numbers(await repository.commit(told(3))) == [1, 2, 3]
    assert (await repository.commit(Change(calls=(a_call(1),)))).events == ()
    assert numbers(await repository.commit(told(2))) == [4, 5]
    assert await repository.newest_seq() == 5
    assert numbers(await reads.events(2, 2)) == [3, 4]


async def test_commits_at_the_same_time_leave_no_hole(repository: Repository, reads: Reads) -> None:
    await repository.open_calls()
    answers = await asyncio.gather(
        *(repository.commit(told(size % 5, calls=(a_call(size),), positions=at(a=1))) for size in range(40))
    )
    assert sorted(seq for stored in answers for seq in numbers(stored)) == list(range(1, 81))
    assert all(numbers(stored) == sorted(numbers(stored)) for stored in answers)
    assert numbers(await reads.events(0, 1000)) == list(range(1, 81))


async def test_a_change_that_fails_half_way_changes_nothing(repository: Repository, reads: Reads) -> None:
    first = await repository.commit(told(1, calls=(a_call(1),), positions=at(a=100)))
    with pytest.raises(StoreAway, match="read again"):
        await repository.commit(told(5, calls=(ended(1), a_call(2)), positions=at(a=50, b=7)))
    assert await reads.events(0, 100) == list(first.events)
    assert await repository.open_calls() == [a_call(1)]
    assert await repository.journal_positions() == at(a=100)
    assert numbers(await repository.commit(told(1))) == [2]


async def test_positions_move_on_each_for_itself(repository: Repository) -> None:
    await repository.commit(Change(positions=at(a=10, b=5)))
    await repository.commit(Change(positions=at(a=2**40)))
    await repository.commit(Change(positions=at(a=2**40, c=0)))
    assert await repository.journal_positions() == at(a=2**40, b=5, c=0)


async def test_of_two_gateways_that_read_the_same_journal_only_one_stores_it(
    database_url: str, repository: Repository, reads: Reads
) -> None:
    other = Repository(await open_database(database_url))
    change = told(3, calls=(a_call(1),), positions=at(journal=100))
    try:
        await repository.open_calls()
        await other.open_calls()
        answers = await asyncio.gather(repository.commit(change), other.commit(change), return_exceptions=True)
        assert {type(answer) for answer in answers} == {StoreAway, Committed}

        loser = repository if isinstance(answers[0], StoreAway) else other
        # what an admin orders does not hang on the journal, and does not cure it either
        assert numbers(await loser.commit(told(1))) == [4]
        with pytest.raises(StoreAway, match="read again"):
            await loser.commit(change)
        assert await loser.open_calls() == [a_call(1)]
        assert numbers(await loser.commit(told(2, positions=at(journal=200)))) == [5, 6]
    finally:
        await other.close()
    assert numbers(await reads.events(0, 100)) == [1, 2, 3, 4, 5, 6]


async def test_two_gateways_writing_as_fast_as_they_can_leave_no_hole(
    database_url: str, repository: Repository, reads: Reads
) -> None:
    async def insist(writer: Repository, name: str) -> list[int]:
        seen: list[int] = []
        while len(seen) < 30:
            try:
                seen += numbers(await writer.commit(told(3, calls=(a_call(1),), positions=at(**{name: len(seen)}))))
            except StoreAway:
                await writer.open_calls()
        return seen

    other = Repository(await open_database(database_url))
    try:
        await repository.open_calls()
        await other.open_calls()
        mine, others = await asyncio.gather(insist(repository, "a"), insist(other, "b"))
    finally:
        await other.close()
    assert sorted(mine + others) == list(range(1, 61))
    assert numbers(await reads.events(0, 1000)) == list(range(1, 61))


async def test_a_gateway_killed_while_it_writes_leaves_whole_changes_and_all_that_it_announced(
    database_url: str, repository: Repository, reads: Reads
) -> None:
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KEEPS_WRITING, database_url, stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    async with asyncio.timeout(30):
        for _ in range(20):
            await writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        announced = [*range(140, 141), *map(int, (await writer.stdout.read()).split())]
        await writer.wait()
        # the server may still be at the last commit: our own waits for its end
        await repository.commit(Change(members_removed=(("emergency", "1001"),)))

    newest = await repository.newest_seq()
    assert newest >= announced[-1]
    assert numbers(await reads.events(0, newest + 10)) == list(range(1, newest + 1))
    assert await repository.journal_positions() == at(journal=newest // 7)
    assert len(await repository.open_calls()) == newest // 7


async def test_one_calls_events_are_found_in_order(repository: Repository, reads: Reads) -> None:
    await repository.commit(Change(events=tuple(an_event(f"c{number % 3}", n=number) for number in range(30))))
    assert numbers(await reads.events(0, 3, "c1")) == [2, 5, 8]
    assert numbers(await reads.events(20, 100, "c1")) == [23, 26, 29]
    assert await reads.events(0, 3, "nobody") == []
    assert await reads.events(2**70, 3) == []
    assert len(await reads.events(-(2**70), 100)) == 30
