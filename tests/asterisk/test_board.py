"""The live board: what Asterisk's queue events make of the places, and since when each line has stood as it does."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.asterisk.board import Board
from gateway.asterisk.framing import Message
from gateway.domain.places import Place

START = datetime(2026, 8, 17, 3, tzinfo=UTC)
FREE, BUSY, LOST = "1", "3", "5"


@dataclass
class Clock:
    at: datetime = START

    def __call__(self) -> datetime:
        return self.at


def told(status: str, name: str = "QueueMemberStatus", queue: str = "emergency", **more: str) -> Message:
    fields = {"Queue": queue, "Interface": "PJSIP/1001", "Status": status, "Paused": "0", "LastCall": "0"} | more
    return Message((("Event", name), *fields.items()))


def listed(status: str, **more: str) -> Message:
    return told(status, "QueueMember", **more)


def the_place(board: Board) -> Place:
    [place] = board.places
    return place


def test_a_line_keeps_its_time_as_long_as_it_stands_the_same() -> None:
    clock = Clock()
    board = Board(clock)
    board.hear(told(FREE))
    clock.at += timedelta(seconds=10)
    board.hear(told(FREE, LastCall="1786935600"))
    assert (the_place(board).line, the_place(board).line_since) == ("free", START)
    board.hear(told(LOST))
    assert (the_place(board).line, the_place(board).line_since) == ("unavailable", clock.at)


def test_a_full_look_keeps_the_times_of_what_is_the_same_and_forgets_what_is_gone() -> None:
    clock = Clock()
    board = Board(clock)
    board.look([listed(FREE), listed(BUSY, Interface="PJSIP/1002"), told("", "QueueParams")])
    clock.at += timedelta(seconds=30)
    board.look([listed(FREE), listed(FREE, queue="fire")])
    since = {place.queue: place.line_since for place in board.places}
    assert since == {"emergency": START, "fire": clock.at}
    assert {place.phone for place in board.places} == {"1001"}


def test_what_is_heard_while_a_look_goes_on_is_newer_than_what_it_finds() -> None:
    board = Board(Clock())
    board.look([listed(LOST), listed(FREE, queue="fire")])
    board.begin_look()
    board.hear(told(FREE))
    board.hear(told(FREE, "QueueMemberRemoved", "fire"))
    board.hear(told(BUSY, "QueueMemberAdded", "flood"))
    board.look([listed(LOST), listed(FREE, queue="fire")])
    assert {place.queue: place.line for place in board.places} == {"emergency": "free", "flood": "talking"}
    board.begin_look()
    board.look([listed(LOST)])
    assert {place.queue: place.line for place in board.places} == {"emergency": "unavailable"}


def test_a_trunk_that_is_heard_of_while_a_look_goes_on_stands_as_it_was_heard() -> None:
    def contact(trunk: str, status: str) -> Message:
        return Message((("Event", "ContactStatusDetail"), ("AOR", trunk), ("Status", status)))

    board = Board(Clock())
    board.look_at_trunks([contact("telkomsel", "Unreachable"), contact("indosat", "Unreachable")])
    board.begin_look()
    board.hear(Message((("Event", "ContactStatus"), ("AOR", "telkomsel"), ("ContactStatus", "Reachable"))))
    board.look_at_trunks([contact("telkomsel", "Unreachable")])
    assert board.trunks_up == {"telkomsel": True}
    board.begin_look()
    board.look_at_trunks([contact("telkomsel", "Unreachable")])
    assert board.trunks_up == {"telkomsel": False}
    board.begin_look()
    board.look_at_trunks([contact("telkomsel", "NonQualified")])
    assert board.trunks_up == {}


def test_a_registration_is_the_trunks_whose_carrier_was_asked() -> None:
    def registration(name: str, status: str) -> Message:
        return Message((("Event", "OutboundRegistrationDetail"), ("ObjectName", name), ("Status", status)))

    board = Board(Clock())
    before = board.changes
    board.look_at_trunks([registration("telkom-reg-0", "Registered"), registration("a-reg-b-reg-0", "Rejected")])
    assert board.trunks_registered == {"telkom": True, "a-reg-b": False}
    assert board.changes > before
    board.look_at_trunks([], ["telkom"])
    assert board.trunks_registered == {"telkom": False}, "Asterisk could not make it"
    board.look_at_trunks([])
    assert board.trunks_registered == {}


def test_changes_grow_with_a_look_only_where_it_changes_something() -> None:
    board = Board(Clock())
    board.look([listed(FREE)])
    before = board.changes
    board.look([listed(FREE)])
    assert board.changes == before
    board.look([listed(BUSY)])
    assert board.changes == before + 1


def test_the_end_of_a_pause_is_kept() -> None:
    clock = Clock()
    board = Board(clock)
    board.hear(told(FREE, Paused="1", PausedReason="rapat", LastPause="1786935600"))
    assert (the_place(board).pause, the_place(board).resumed_at) == ("rapat", None)
    clock.at += timedelta(seconds=5)
    board.hear(told(FREE))
    resumed_at = clock.at
    clock.at += timedelta(seconds=5)
    board.look([listed(FREE)])
    assert (the_place(board).pause, the_place(board).resumed_at) == (None, resumed_at)
