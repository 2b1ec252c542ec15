"""A report's figures, each worked out by hand."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from gateway.domain.call import Outcome
from gateway.domain.definitions import DEFINITIONS
from gateway.domain.dispositions import Disposition, MinistryKind
from gateway.domain.report_groups import By, Stint, hour_key, offsets, pieces, spans, stints
from gateway.domain.reports import (
    LIMITS_S,
    NO_CALLBACKS,
    Became,
    CallbackCount,
    CallCount,
    Counts,
    DisposedCount,
    Figures,
    Share,
    Waits,
    report,
)
from gateway.domain.roster import Duty

BERLIN, JAKARTA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Jakarta")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
DAY = date(2026, 11, 23)
SIX = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
"""Six in the morning of DAY in Jakarta."""


def total(*calls: CallCount, disposed: tuple[DisposedCount, ...] = ()) -> Figures:
    return report([Counts(calls, disposed)]).total


def within(figures: Figures) -> dict[int, Share]:
    return {each.limit_s: each.share for each in figures.within}


# ---------------------------------------------------------------- figures


def test_a_morning_of_ten_calls() -> None:
    """Four answered after 4, 10, 10.1 and 61 s, two abandoned, one cancelled, one that a last resort answered, one
    lost, one that still waits after 12 s."""
    figures = total(
        CallCount(0, Became.ANSWERED, {40: 1, 100: 1, 101: 1}),
        CallCount(0, Became.TALKING, {610: 1}),
        CallCount(0, Became.ABANDONED, {}, 2),
        CallCount(0, Became.CANCELLED, {}, 1),
        CallCount(0, Became.FELL_BACK, {300: 1}),
        CallCount(0, Became.FAILED, {}, 1),
        CallCount(0, Became.WAITING, {120: 1}),
    )
    assert (figures.calls, figures.waiting, figures.presented) == (10, 1, 9)
    assert figures.outcomes == {
        **{Outcome.ANSWERED: 3, Outcome.ABANDONED: 2, Outcome.CANCELLED: 1},
        **{Outcome.FELL_BACK: 1, Outcome.FAILED: 1},
    }
    assert figures.going_on == 1
    assert (figures.answered, figures.relieved) == (Share(4, 9), Share(1, 9))
    assert (figures.abandoned, figures.cancelled) == (Share(2, 9), Share(1, 9))
    assert within(figures) == {
        5: Share(1, 10),  # who has waited for 12 s was not answered within 5
        10: Share(2, 10),
        15: Share(3, 9),
        20: Share(3, 9),
        60: Share(3, 9),
    }
    assert figures.waits == Waits(4, pytest.approx((4 + 10 + 10.1 + 61) / 4), 1, 61.0)


def test_the_slowest_tenth_is_rounded_up_and_shares_calls_of_the_same_wait() -> None:
    assert total(CallCount(0, Became.ANSWERED, {10: 10})).waits == Waits(10, 1.0, 1, 1.0)
    assert total(CallCount(0, Became.ANSWERED, {10: 10, 50: 1})).waits == Waits(11, pytest.approx(15 / 11), 2, 3.0)
    waits = total(CallCount(0, Became.ANSWERED, {10: 18, 50: 1, 90: 2})).waits
    assert (waits.slowest, waits.slowest_mean_s) == (3, pytest.approx((9 + 9 + 5) / 3))


def test_nobodys_share_is_none_and_not_nought() -> None:
    figures = total()
    assert figures.answered.share is None
    assert figures.waits == Waits(0, None, 0, None)
    assert figures.callbacks == NO_CALLBACKS


def test_false_calls_are_pranks_and_ghosts_and_the_four_kinds_hold_every_disposition() -> None:
    disposed = tuple(
        DisposedCount(0, disposition, count)
        for disposition, count in zip(Disposition, (1, 2, 4, 8, 16, 32, 64), strict=True)
    )
    figures = total(CallCount(0, Became.ANSWERED, {30: 200}), disposed=disposed)
    assert figures.disposed == Share(127, 200)
    assert figures.undisposed == 73
    assert figures.kinds == {
        MinistryKind.NORMAL: 1 + 64,
        MinistryKind.GHOST: 8,
        MinistryKind.PRANK: 4,
        MinistryKind.INFORMATION: 2 + 16 + 32,
    }
    assert (figures.false_of_disposed, figures.false_of_presented) == (Share(12, 127), Share(12, 200))


def test_pieces_of_a_report_are_one_and_a_group_without_calls_is_told_in_its_place() -> None:
    made = report(
        [
            Counts((CallCount("b", Became.ABANDONED, {}, 2), CallCount(None, Became.FAILED, {}, 1))),
            Counts((CallCount("b", Became.ANSWERED, {50: 1}), CallCount("a", Became.ANSWERED, {60: 1}))),
        ],
        ("c",),
    )
    assert [(key, figures.presented) for key, figures in made.groups] == [("c", 0), ("a", 1), ("b", 3), (None, 1)]
    assert made.total.presented == 5
    assert made.total.waits.count == 2


def test_callbacks_are_told_of_groups_only_where_they_can_be_told_apart() -> None:
    some = CallbackCount("a", 3, 2, 1, 1, 0, 1)
    apart = report([Counts(callbacks=(some,), all_callbacks=some)], ("a", "b"))
    assert [figures.callbacks and figures.callbacks.opened for _, figures in apart.groups] == [3, 0]
    together = report([Counts((CallCount("a", Became.FAILED, {}, 1),), callbacks=None, all_callbacks=some)])
    assert [figures.callbacks for _, figures in together.groups] == [None]
    assert together.total.callbacks
    assert together.total.callbacks.closed == 2
    assert report([Counts(callbacks=None, all_callbacks=None)]).total.callbacks is None


def test_every_limit_has_a_definition() -> None:
    assert {f"within_{limit_s}_s" for limit_s in LIMITS_S} <= DEFINITIONS.keys()


# ---------------------------------------------------------------- groups


def test_a_day_of_25_hours_has_25_groups_and_the_hour_that_comes_twice_is_two() -> None:
    found = list(spans(By.HOUR, date(2026, 10, 25), date(2026, 10, 25), BERLIN))
    assert len(found) == 25
    assert [span.starts_at.isoformat() for span in found[2:4]] == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
    ]
    assert len({span.key for span in found}) == 25
    assert len(list(spans(By.HOUR, date(2026, 3, 29), date(2026, 3, 29), BERLIN))) == 23


def test_where_clocks_change_by_half_an_hour_every_moment_is_in_one_group() -> None:
    day = date(2026, 4, 5)
    found = list(spans(By.HOUR, day, day, LORD_HOWE))
    assert all(one.ends_at == other.starts_at for one, other in pairwise(found))
    [piece] = pieces(By.HOUR, day, day, LORD_HOWE)
    keys = {span.key for span in found}
    at = piece.since
    while at < piece.until:
        offset = [each for each in piece.offsets if each.since <= at][-1]
        key = hour_key(at, offset.ahead_s)
        assert key in keys
        assert next(span for span in found if span.starts_at <= at < span.ends_at).key == key
        at += timedelta(minutes=15)


def test_a_zones_change_is_found_to_the_second() -> None:
    found = offsets(BERLIN, datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
    assert [(each.since, each.ahead_s) for each in found] == [
        (datetime(2026, 10, 1, tzinfo=UTC), 7200),
        (datetime(2026, 10, 25, 1, 0, tzinfo=UTC), 3600),
    ]
    assert len(offsets(JAKARTA, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))) == 1


def test_a_report_is_counted_a_month_at_once_and_by_month_each_piece_is_of_one_month() -> None:
    months = [2026 * 12 + 10, 2026 * 12 + 11, 2027 * 12]
    found = pieces(By.MONTH, date(2026, 11, 10), date(2027, 1, 2), JAKARTA)
    assert list(dict.fromkeys(each.month for each in found)) == months
    assert [span.key for span in spans(By.MONTH, date(2026, 11, 10), date(2027, 1, 2), JAKARTA)] == months
    year = pieces(By.DAY, date(2026, 1, 1), date(2026, 12, 31), JAKARTA)
    for each in (found, year):
        assert all(one.until == other.since for one, other in pairwise(each))
        assert all(one.until - one.since <= timedelta(days=31) for one in each)
    assert (year[0].since, year[-1].until) == (SIX.replace(2025, 12, 31, 17), SIX.replace(2026, 12, 31, 17))
    assert len(list(spans(By.DAY, date(2026, 1, 1), date(2026, 12, 31), JAKARTA))) == 365


def duty(operator_id: int, shift_id: int, start_h: float, end_h: float, overlap_h: float = 0.25) -> Duty:
    begins, ends = SIX + timedelta(hours=start_h), SIX + timedelta(hours=end_h)
    return Duty(operator_id, "emergency", 0, shift_id, DAY, begins, ends, ends + timedelta(hours=overlap_h))


def at(hours: float) -> datetime:
    return SIX + timedelta(hours=hours)


def test_an_operator_who_stays_for_the_next_shift_is_in_that_one_from_its_start() -> None:
    found, shifts = stints([duty(1, 7, 0, 8), duty(1, 8, 8, 16), duty(2, 7, 0, 8), duty(1, 7, 0, 8)])
    assert shifts == ((7, DAY), (8, DAY))
    assert sorted(found, key=lambda each: (each.operator_id, each.since)) == [
        Stint(1, at(0), at(8), 0),
        Stint(1, at(8), at(16.25), 1),
        Stint(2, at(0), at(8.25), 0),
    ]
