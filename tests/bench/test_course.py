"""Whether callers had persons in the order of their arrival, as the overload's table tells it, and its picture."""

from xml.etree import ElementTree

from bench.course import Course, Look, Waiter, block, overtaken
from bench.plot import Line, Marked, Panel, picture
from chaos.conservation import Kind
from chaos.sightings import Seen


def test_whoever_was_served_as_he_came_overtook_nobody() -> None:
    assert overtaken([Waiter(0, 0, 5, None), Waiter(1, 1, 6, None), Waiter(2, 2, 7, None)]) == [0, 0, 0]


def test_whoever_was_served_before_one_who_came_earlier_and_still_waits_overtook_him() -> None:
    assert overtaken([Waiter(0, 0, 6, None), Waiter(1, 1, 7, None), Waiter(2.5, 2.5, 5, None)]) == [2.5, 0, 0]


def test_who_has_left_is_not_overtaken() -> None:
    assert overtaken([Waiter(0, 0, None, 4), Waiter(1, 1, 5, None)]) == [0]
    assert overtaken([Waiter(0, 0, None, 6), Waiter(1, 1, 5, None)]) == [1]


def test_who_is_on_his_way_to_the_queue_is_not_overtaken_and_has_his_own_place_in_it() -> None:
    assert overtaken([Waiter(0, 6, 7, None), Waiter(1, 2, 5, None)]) == [0, 0]
    assert overtaken([Waiter(0, 4, 7, None), Waiter(1, 2, 5, None)]) == [1, 0]


def test_the_picture_is_whole_whatever_it_is_given() -> None:
    panels = (Panel("a < b & c", (Line("x", [(0.0, 1.0), (7200.0, 3.0)]), Line("none", []))), Panel("empty", ()))
    text = picture("T", panels, (Marked(10.0, "now"),), [(0.0, "ok"), (9.0, "down")])
    drawn = ElementTree.fromstring(text)  # noqa: S314  # our own
    words = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "a < b & c" in words
    assert "120 min" in words
    ElementTree.fromstring(picture("nothing", ()))  # noqa: S314


def a_look(at: float, sent: int) -> Look:
    return Look(at, "ok", (), 0, 0.1, (), 1e8, sent, 0, sent, 0, 0, 0)


def test_an_overload_that_was_not_sent_is_told_as_none() -> None:
    def is_met(sent_a_second: int) -> bool | None:
        seen = [Seen(str(n), str(n), "indosat", 20 + n / 10, 20 + n / 10, answered_at=21 + n / 10) for n in range(600)]
        looks = [a_look(at, 40 * at if at < 20 else 800 + sent_a_second * (at - 20)) for at in range(90)]
        course = Course(40, True, 0.0, 20.0, 85.0, looks, seen, found={kind: [] for kind in Kind})
        [row] = [row for row in block(course, 12).rows if row.what == "calls sent a second"]
        return row.is_met

    assert is_met(80) is True
    assert is_met(53) is False
