"""Reputation: pranks that people named, less with time, gone with an emergency."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.audit import CENTRE
from gateway.domain.dispositions import Disposition
from gateway.domain.reputation import HALF_LIFE, REMEMBERED, Saying, reputation
from tests.domain.values import MONDAY

PRANK, EMERGENCY = Disposition.PRANK, Disposition.EMERGENCY


def said(disposition: Disposition, days_ago: float, by: str = "Siti", *, said_days_ago: float | None = None) -> Saying:
    """Of a call of so many days ago, said at once if nothing else is given."""
    at = MONDAY - timedelta(days=days_ago)
    said_at = at if said_days_ago is None else MONDAY - timedelta(days=said_days_ago)
    return Saying(f"call-{days_ago}", disposition, by, at, said_at)


def test_a_number_of_which_nothing_was_said_has_no_score() -> None:
    assert reputation([], MONDAY).score == 0


def test_each_prank_counts_one_and_half_as_much_after_each_half_life() -> None:
    half = HALF_LIFE.days
    assert reputation([said(PRANK, 0)], MONDAY).score == 1
    assert reputation([said(PRANK, half), said(PRANK, 2 * half)], MONDAY).score == pytest.approx(0.75)
    assert reputation([said(PRANK, REMEMBERED.days + 1)], MONDAY).score == 0


@pytest.mark.parametrize("disposition", [each for each in Disposition if each is not PRANK])
def test_nothing_but_a_prank_counts(disposition: Disposition) -> None:
    assert reputation([said(disposition, 0)], MONDAY).score == 0


@pytest.mark.parametrize("lifting", [EMERGENCY, Disposition.TRANSFERRED])
def test_an_emergency_lifts_the_pranks_before_it_and_not_those_after_it(lifting: Disposition) -> None:
    sayings = [said(PRANK, 3), said(lifting, 2), said(PRANK, 1)]
    assert [each.weight > 0 for each in reputation(sayings, MONDAY).weighed] == [True, False, False]
    assert reputation([*sayings, said(lifting, 0.5)], MONDAY).score == 0


def test_a_prank_weighs_on_its_own_trunk_alone_and_one_of_an_unknown_trunk_on_each() -> None:
    trunks = ("xlsmart", "xlsmart", "telkomsel", None)
    found = reputation([replace(said(PRANK, 0), trunk=trunk) for trunk in trunks], MONDAY)
    assert [found.score_on(trunk) for trunk in ("xlsmart", "telkomsel", "indosat")] == [3, 2, 1]
    assert found.score == 3
    lifted = reputation([replace(said(PRANK, 1), trunk="xlsmart"), replace(said(EMERGENCY, 0), trunk="telkom")], MONDAY)
    assert lifted.score_on("xlsmart") == 0


def test_what_the_centre_itself_says_never_counts() -> None:
    assert reputation([said(PRANK, 0, by=CENTRE.name)] * 9, MONDAY).score == 0
    assert reputation([said(PRANK, 1), said(EMERGENCY, 0, by=CENTRE.name)], MONDAY).score > 0.9


def test_what_is_said_later_is_not_known_yet() -> None:
    assert reputation([said(PRANK, -1)], MONDAY).score == 0


def test_a_prank_is_as_old_as_its_call_whenever_somebody_corrects_what_was_said_of_it() -> None:
    assert reputation([said(PRANK, 4 * HALF_LIFE.days, said_days_ago=0)], MONDAY).score == pytest.approx(1 / 16)


def test_an_emergency_lifts_the_pranks_before_it_also_where_they_are_said_after_it() -> None:
    sayings = [said(PRANK, 2, said_days_ago=0), said(EMERGENCY, 1)]
    assert reputation(sayings, MONDAY).score == 0
    late_word = [said(PRANK, 1), said(EMERGENCY, 2, said_days_ago=0)]
    assert reputation(late_word, MONDAY).score > 0.9
    assert reputation(late_word, MONDAY - timedelta(hours=1)).score > 0.9


def test_a_call_that_came_before_the_clock_was_put_back_counts_one() -> None:
    assert reputation([said(PRANK, -1, said_days_ago=0)], MONDAY).score == 1
