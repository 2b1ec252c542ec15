"""Which rule decides how long recordings are kept, and when the clock is not believed."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.dispositions import Disposition
from gateway.domain.kept import Invalid, Unfitting
from gateway.domain.retention import Lasting, Retention, RetentionRule, check, distrust

NOW = datetime(2026, 11, 26, tzinfo=UTC)
DAY = timedelta(days=1)


def rule(number: int, keep_days: int = 30, place: int | None = None, **fields: object) -> RetentionRule:
    return RetentionRule(
        id=number,
        name=f"rule {number}",
        place=number if place is None else place,
        keep_days=keep_days,
        created_at=NOW,
        **fields,  # type: ignore[arg-type]
    )


def lasting(age_days: float, *, is_held: bool = False, **fields: object) -> Lasting:
    over_at = NOW - age_days * DAY
    known: dict[str, object] = {"disposition": None, "queue": "emergency"}
    return Lasting("112-1", ("112-1",), over_at, over_at, is_held=is_held, **known | fields)  # type: ignore[arg-type]


def test_of_the_rules_that_fit_the_least_place_decides_and_else_the_centres_own() -> None:
    prank, queue = rule(1, 30, place=2, disposition=Disposition.PRANK), rule(2, 60, place=1, queue="second")
    retention = Retention((prank, queue), 365)
    assert retention.of(lasting(1, disposition=Disposition.PRANK)) == (prank, 30)
    assert retention.of(lasting(1, disposition=Disposition.PRANK, queue="second")) == (queue, 60)
    assert retention.of(lasting(1)) == (None, 365)
    assert retention.shortest_days == 30


def test_a_recording_is_due_to_the_second_and_never_while_it_is_held() -> None:
    retention = Retention((), 30)
    assert retention.due(lasting(30), NOW) == "the centre's own rule: 30 days"
    assert retention.due(lasting(30), NOW - timedelta(seconds=1)) is None
    assert retention.due(lasting(3000, is_held=True), NOW) is None


@pytest.mark.parametrize("keep_days", [0, -1, 36_501])
def test_a_time_that_is_none_is_refused(keep_days: int) -> None:
    with pytest.raises(Invalid, match="must lie between 1 and 36500"):
        check(rule(1, keep_days), ())


def test_two_rules_of_one_place_and_rules_that_never_decide_are_refused() -> None:
    everything, prank = rule(1, place=1), rule(2, place=2, disposition=Disposition.PRANK)
    with pytest.raises(Unfitting, match="is that of rule rule 1"):
        check(rule(2, place=1, queue="second"), (everything,))
    with pytest.raises(Unfitting, match="rule 2 never decide"):
        check(prank, (everything,))
    with pytest.raises(Unfitting, match="rule 2 never decide"):
        check(everything, (prank,))
    check(prank, (rule(1, place=3), prank))
    check(rule(3, place=1, queue="second"), (prank,))


@pytest.mark.parametrize(
    ("apart", "words"),
    [
        (timedelta(hours=1), None),
        (3 * DAY, None),
        (-timedelta(minutes=59), None),
        (365 * DAY, "the clock is 365 days ahead of 2026-11-26 00:00 UTC"),
        (3 * DAY + timedelta(seconds=1), "the clock is 3 days ahead"),
        (-timedelta(hours=2), "the clock is 2 hours behind"),
    ],
)
def test_a_clock_that_leaps_is_not_believed(apart: timedelta, words: str | None) -> None:
    doubt = distrust(NOW + apart, NOW)
    assert doubt is None if words is None else words in (doubt or "")
