"""When there is too much to do, what is left out, and that it does not flap."""

from collections.abc import Iterable
from itertools import pairwise

from gateway.domain.overload import LEVELS, MOST_JOURNAL_S, MOST_LOOP_S, Lag, Overload

LOOK_S = 0.5
EASE, TOO_MUCH = Lag(0.1, 0.005), Lag(0.2, 2 * MOST_LOOP_S)


def levels(lags: Iterable[Lag], start: Overload | None = None) -> list[int]:
    """The level after each look."""
    stands, now_s, found = start or Overload(), 1000.0, []
    for lag in lags:
        now_s += LOOK_S
        stands = stands.after(lag, now_s)
        found.append(stands.level)
    return found


def seconds(lag: Lag, count: float) -> list[Lag]:
    return [lag] * round(count / LOOK_S)


def test_a_whole_centre_sheds_nothing() -> None:
    assert set(levels(seconds(EASE, 3600))) == {0}


def test_either_lag_is_one() -> None:
    assert Lag(MOST_JOURNAL_S, 0).strain == Lag(0, MOST_LOOP_S).strain == 1


def test_what_is_too_much_sheds_one_luxury_more_every_two_seconds_the_pictures_first_and_webhooks_last() -> None:
    found = levels(seconds(TOO_MUCH, 10))
    assert found == sorted(found)
    assert found[-1] == len(LEVELS) - 1
    assert [found.count(level) for level in (1, 2)] == [4, 4]
    assert [LEVELS[level].shed for level in (0, 1)] == [(), ("board", "streams")]
    assert LEVELS[2].shed == ("board", "streams", "waveforms")
    assert LEVELS[3].shed == ("board", "streams", "waveforms", "webhooks")


def test_all_is_back_within_twenty_five_seconds() -> None:
    after = levels([*seconds(TOO_MUCH, 60), *seconds(EASE, 25)])[120:]
    assert after == sorted(after, reverse=True)
    assert after[0] == len(LEVELS) - 1
    assert after[-1] == 0


def test_one_long_breath_is_no_overload() -> None:
    assert set(levels([*seconds(EASE, 10), Lag(30, 30), Lag(20, 0), *seconds(EASE, 30)])) == {0}


def test_what_is_neither_too_much_nor_easy_changes_nothing() -> None:
    between = Lag(0, 0.75 * MOST_LOOP_S)
    assert set(levels(seconds(between, 600))) == {0}
    assert set(levels(seconds(between, 600), Overload(2, 0.75, 1000.0, 1000.0))) == {2}


def test_bursts_do_not_make_it_flap() -> None:
    """A load that comes and goes every few seconds is one overload, not hundreds."""
    bursts = (seconds(TOO_MUCH, 4) + seconds(EASE, 4)) * 100
    found = levels(bursts)
    begun = sum(before == 0 and after > 0 for before, after in pairwise(found))
    assert begun == 1
    assert min(found[100:]) > 0
