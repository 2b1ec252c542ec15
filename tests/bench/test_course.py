"""Whether callers had persons in the order of their arrival, as the overload's table tells it, and its picture."""

from xml.etree import ElementTree

from bench.course import overtaken
from bench.plot import Line, Marked, Panel, picture
from chaos.sightings import Seen, Talk


def caller(number: int, came: float, left: float | None = None) -> Seen:
    """One who was answered by 112 then."""
    return Seen(f"{number}", f"{number}", "indosat", came, came, answered_at=came, left_at=left)


def talks(**began: float) -> dict[str, list[Talk]]:
    """When a person spoke with each, by `n` and the number."""
    return {name[1:]: [Talk(name[1:], at)] for name, at in began.items()}


def test_whoever_had_a_person_as_he_came_overtook_nobody() -> None:
    seen = [caller(1, 0.0), caller(2, 1.0), caller(3, 2.0)]
    assert overtaken(seen, talks(n1=5.0, n2=6.0, n3=7.0)) == [0.0, 0.0, 0.0]


def test_whoever_had_a_person_before_one_who_came_earlier_and_still_waits_overtook_him() -> None:
    seen = [caller(1, 0.0), caller(2, 1.0), caller(3, 2.5)]
    assert overtaken(seen, talks(n3=5.0, n1=6.0, n2=7.0)) == [2.5, 0.0, 0.0]


def test_who_has_left_is_not_overtaken() -> None:
    seen = [caller(1, 0.0, left=4.0), caller(2, 1.0)]
    assert overtaken(seen, talks(n2=5.0)) == [0.0]
    assert overtaken([caller(1, 0.0, left=6.0), caller(2, 1.0)], talks(n2=5.0)) == [1.0]


def test_the_picture_is_whole_whatever_it_is_given() -> None:
    panels = (Panel("a < b & c", (Line("x", [(0.0, 1.0), (7200.0, 3.0)]), Line("none", []))), Panel("empty", ()))
    text = picture("T", panels, (Marked(10.0, "now"),), [(0.0, "ok"), (9.0, "down")])
    drawn = ElementTree.fromstring(text)  # noqa: S314  # our own
    words = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "a < b & c" in words
    assert "120 min" in words
    ElementTree.fromstring(picture("nothing", ()))  # noqa: S314
