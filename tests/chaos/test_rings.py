"""How soon a person had each caller, and who is called late."""

from chaos.conservation import Kind, Span
from chaos.rings import Rings, had, had_nobody, late
from chaos.sightings import Seen, Talk

T0 = 1_795_000_000.0


def a_seen(number: str, invited_s: float, answered_s: float | None) -> Seen:
    answered_at = None if answered_s is None else T0 + answered_s
    return Seen(f"{number}@127.0.0.11", number, "telkomsel", T0 + invited_s, T0 + invited_s, answered_at=answered_at)


SEEN = [
    a_seen("1", 0, 0.01),
    a_seen("2", 10, 10.01),
    a_seen("3", 20, 20.01),
    a_seen("4", 30, None),
    a_seen("5", 40, 40.1),
]
TALKS = {
    "1": [Talk("1", T0 + 0.05)],
    "2": [Talk("2", T0 + 17), Talk("2", T0 + 12)],
    "3": [Talk("3", T0 + 29)],
    "4": [Talk("4", T0 + 30.05)],
}


def test_of_who_had_a_person_it_is_counted_how_soon_and_what_delays_any_asterisk_is_left_out() -> None:
    rings = had(SEEN, TALKS, [Span(T0 + 25, T0 + 28)])
    assert [(ring.seen.number, round(ring.took_s, 3)) for ring in rings] == [("1", 0.05), ("2", 2.0)]
    told = Rings.of(rings)
    assert (told.count, round(told.median_s, 3), round(told.worst_s, 3)) == (2, 0.05, 2.0)
    assert Rings.of(()).count == 0


def test_late_is_who_had_a_person_after_plain_asterisks_last_one_and_after_a_look_of_the_queue() -> None:
    rings = had(SEEN, TALKS, ())
    assert [(each.kind, each.about[0]) for each in late(rings, Rings(9, 0.03, 0.05, 0.06))] == [
        (Kind.WRONG, "2"),
        (Kind.WRONG, "3"),
    ]
    assert [each.about[0] for each in late(rings, Rings(9, 0.03, 0.05, 3.0))] == ["3"]


def test_whoever_waited_in_vain_is_late_too() -> None:
    gone = [a_seen("6", 50, 50.1), a_seen("7", 60, 60.1), a_seen("8", 70, 70.1), a_seen("9", 80, None)]
    for each, lasted_s in zip(gone, (12, 0.5, 12, 12), strict=True):
        each.left_at = each.invited_at + lasted_s
    alone = had_nobody([*SEEN, *gone], TALKS, [Span(T0 + 75, T0 + 76)])
    assert [(ring.seen.number, ring.took_s) for ring in alone] == [("6", 12), ("7", 0.5)]
    [finding] = late(alone, Rings(9, 0.03, 0.05, 0.06))
    assert finding.about.startswith("6")
    assert "nobody in 12.00 s" in finding.words
