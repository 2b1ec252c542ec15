"""Which rule decides how long recordings are kept, and when the clock is not believed."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.dispositions import Disposition
from gateway.domain.kept import Invalid, Unfitting
from gateway.domain.retention import Lasting, Retention, RetentionRule, Trusted, Uptime, check, distrust

NOW = datetime(2026, 11, 26, tzinfo=UTC)
DAY = timedelta(days=1)
UP = Uptime("first", 1000.0)


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
    before = Trusted(NOW, uptime=UP)
    doubt = distrust(before.then(NOW + apart, UP), before)
    assert doubt is None if words is None else words in (doubt or "")


def later(hours: float, boot: str = "first") -> Uptime:
    return Uptime(boot, UP.seconds + 3600 * hours)


def looks(*looked: tuple[timedelta, Uptime]) -> list[str | None]:
    """What is said of each look: the clock by so much later than the first one, and the machine's own."""
    trusted, said = Trusted(NOW, uptime=UP), []
    for apart, uptime in looked:
        then = trusted.then(NOW + apart, uptime)
        said.append(distrust(then, trusted))
        trusted = trusted if said[-1] else then
    return said


def test_a_clock_that_creeps_ahead_is_not_believed_for_having_done_so_in_small_steps() -> None:
    *first, last, still = looks(*((number * 2.9 * DAY, later(number)) for number in (1, 2, 3)))
    assert first == [None]
    assert (last, still) == (
        "the clock has run ahead by 5 days in all since somebody last said what time it is",
        "the clock is 5 days ahead of 2026-11-28 21:36 UTC, when it was last right",
    )


def test_time_that_passed_while_the_gateway_was_away_is_known_and_while_the_machine_was_off_is_not() -> None:
    assert looks((90 * DAY, later(90 * 24)), (91 * DAY, later(91 * 24))) == [None, None]
    assert looks((2 * DAY, later(1, "second")), (4 * DAY, later(1, "third")))[0] is None
    assert "4 days in all" in str(looks((2 * DAY, later(1, "second")), (4 * DAY, later(1, "third")))[1])


def test_a_clock_that_is_set_back_again_takes_back_what_it_had_leapt() -> None:
    minutes = [timedelta(minutes=59) if number % 2 else timedelta() for number in range(200)]
    assert set(looks(*((apart, UP) for apart in minutes))) == {None}
