"""The feed: what came after a place, or the word to read the ledger; nobody is waited for."""

import asyncio

from gateway.domain.events import Event, StoredEvent
from gateway.feed import Feed
from tests.clock import NOW


def events(first: int, last: int) -> list[StoredEvent]:
    return [StoredEvent(seq, Event("call.arrived", NOW)) for seq in range(first, last + 1)]


def seqs(told: list[StoredEvent] | None) -> list[int] | None:
    return None if told is None else [event.seq for event in told]


def test_a_listener_gets_what_came_after_its_place() -> None:
    feed = Feed()
    feed.publish(events(1, 5))
    assert seqs(feed.after(0)) == [1, 2, 3, 4, 5]
    assert seqs(feed.after(3)) == [4, 5]
    assert seqs(feed.after(5)) == []


def test_one_who_fell_behind_is_sent_to_the_ledger() -> None:
    feed = Feed(capacity=3)
    feed.publish(events(1, 5))
    assert seqs(feed.after(1)) is None
    assert seqs(feed.after(2)) == [3, 4, 5]


def test_after_a_restart_the_past_is_in_the_ledger() -> None:
    feed = Feed()
    feed.start_at(7)
    assert feed.newest == 7
    assert seqs(feed.after(6)) is None
    assert seqs(feed.after(7)) == []
    feed.publish(events(8, 8))
    assert seqs(feed.after(7)) == [8]
    assert seqs(feed.after(6)) is None


def test_events_that_somebody_else_stored_in_between_are_not_skipped() -> None:
    feed = Feed()
    feed.publish(events(1, 2))
    feed.publish(events(5, 6))
    assert seqs(feed.after(2)) is None
    assert seqs(feed.after(4)) == [5, 6]


async def test_the_bell_rings_for_everybody_who_waits() -> None:
    feed = Feed()
    waiting = [asyncio.create_task(feed.wait(0, 5)) for _ in range(3)]
    await asyncio.sleep(0)
    feed.publish(events(1, 1))
    assert await asyncio.gather(*waiting) == [True, True, True]


async def test_waiting_has_an_end() -> None:
    assert await Feed().wait(0, 0.01) is False


def test_what_was_rewritten_in_the_ledger_is_read_there() -> None:
    feed = Feed()
    feed.publish(events(1, 5))
    feed.forget()
    assert (feed.newest, feed.rewritten) == (5, 1)
    assert seqs(feed.after(4)) is None
    feed.publish(events(6, 6))
    assert seqs(feed.after(5)) == [6]
    assert seqs(feed.after(4)) is None
