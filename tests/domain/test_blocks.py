"""Blocks: how long one may be, and the note that ends by itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.blocks import LONGEST, Block, check
from gateway.domain.books import wanted
from gateway.domain.holding import Holding
from gateway.domain.kept import Invalid, Unfitting
from tests.domain.values import MONDAY, books, plan

HOUR = timedelta(hours=1)
BLOCK = Block(id=1, version=1, number="08123456789", reason="200 calls", until=MONDAY + HOUR, created_at=MONDAY)


@pytest.mark.parametrize("number", ["112", "+112", "000", "0000000000"])
def test_the_number_of_every_phone_without_a_sim_is_never_blocked(number: str) -> None:
    with pytest.raises(Invalid, match="without a SIM") as refused:
        check(replace(BLOCK, number=number), (), MONDAY)
    assert refused.value.field == "number"


def test_a_block_is_not_prolonged_past_a_day_after_it_was_made() -> None:
    later = MONDAY + 20 * HOUR
    check(replace(BLOCK, until=MONDAY + LONGEST), (), later)
    with pytest.raises(Invalid, match="24 hours") as refused:
        check(replace(BLOCK, until=MONDAY + LONGEST + HOUR), (), later)
    assert refused.value.field == "until"


def test_a_block_that_was_made_while_the_clock_was_ahead_does_not_hold_once_it_is_right() -> None:
    ahead = replace(BLOCK, created_at=MONDAY + 3 * LONGEST, until=MONDAY + 4 * LONGEST)
    assert not ahead.is_in_force(MONDAY)
    assert wanted(books(plan([]), blocks=(ahead,)), Holding(), MONDAY).notes.get(f"block/{BLOCK.number}") is None
    with pytest.raises(Invalid):
        check(ahead, (), MONDAY)
    check(BLOCK, [ahead], MONDAY)


def test_a_block_lasts_a_day_at_most_from_now() -> None:
    check(replace(BLOCK, until=MONDAY + LONGEST), (), MONDAY)
    for until in (MONDAY, MONDAY + LONGEST + timedelta(seconds=1)):
        with pytest.raises(Invalid) as refused:
            check(replace(BLOCK, until=until), (), MONDAY)
        assert refused.value.field == "until"


def test_a_number_has_one_block_at_a_time() -> None:
    other = replace(BLOCK, id=0, until=MONDAY + 2 * HOUR)
    with pytest.raises(Unfitting):
        check(other, [BLOCK], MONDAY)
    check(replace(BLOCK, until=MONDAY + 2 * HOUR), [BLOCK], MONDAY)
    check(replace(other, until=MONDAY + 3 * HOUR), [BLOCK], MONDAY + HOUR)


def test_the_note_says_when_it_ends_and_goes_with_it() -> None:
    kept = books(plan([]), blocks=(BLOCK,))
    path = f"block/{BLOCK.number}"
    assert wanted(kept, Holding(), MONDAY).notes[path] == str(int(BLOCK.until.timestamp()))
    assert path not in wanted(kept, Holding(), BLOCK.until).notes
    assert kept.block_of(BLOCK.number, MONDAY) == BLOCK
    assert kept.block_of(BLOCK.number, BLOCK.until) is None


def test_a_block_holds_for_each_spelling_of_its_number() -> None:
    kept = books(plan([]), blocks=(BLOCK,))
    notes = wanted(kept, Holding(), MONDAY).notes
    for number in ("08123456789", "628123456789", "+628123456789"):
        assert notes[f"block/{number}"] == BLOCK.note
        with pytest.raises(Unfitting, match="blocked already"):
            check(replace(BLOCK, id=0, number=number), [BLOCK], MONDAY)
    assert kept.block_of("+62812.345-6789", MONDAY) == BLOCK
    assert kept.block_of("08123456780", MONDAY) is None


def test_of_two_blocks_of_one_number_the_longer_one_holds() -> None:
    longer = replace(BLOCK, id=2, number="+628123456789", until=MONDAY + 2 * HOUR)
    notes = wanted(books(plan([]), blocks=(longer, BLOCK)), Holding(), MONDAY).notes
    assert {notes[path] for path in notes if path.startswith("block/")} == {longer.note}
