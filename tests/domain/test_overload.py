"""When there is too much to do, what is left out, and that it does not flap."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise

from gateway.domain.call import Call
from gateway.domain.overload import LEVELS, MOST_ANSWER_S, MOST_JOURNAL_S, MOST_LOOP_S, Lag, Overload, answer_s
from tests.domain.values import MONDAY

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


def test_each_lag_is_one() -> None:
    assert Lag(MOST_JOURNAL_S).strain == Lag(loop_s=MOST_LOOP_S).strain == Lag(answer_s=MOST_ANSWER_S).strain == 1


def came(seconds: float, answered_after: float | None = None) -> Call:
    """A call that came so long after the first, and was answered by 112 so long after that."""
    at = MONDAY + timedelta(seconds=seconds)
    answered_at = None if answered_after is None else at + timedelta(seconds=answered_after)
    return Call(f"112-{seconds}", "telkomsel", "0811", at, greeted_at=answered_at)


def test_asterisk_is_as_late_as_the_answer_to_whom_it_has_taken_by_its_own_clock() -> None:
    assert answer_s([], 0) == 0
    assert answer_s([came(0, 0.1), came(1, 0.2)], 0) == 0
    assert answer_s([came(0, 0.1), came(0.5)], 0) == 0
    assert answer_s([came(0, 0.1), came(0.5), came(3, 0.2)], 0) == 2.7
    # 112 that rings for 4 s before it answers is not late
    assert answer_s([came(0, 0.1), came(0.5), came(3, 0.2)], 4) == 0
    assert answer_s([came(0, 4.1), came(0.5), came(5, 4.25)], 4) == 4.75
    # what hangs for longer than any carrier waits tells of itself alone
    assert answer_s([came(0), came(60, 0.1), came(61)], 0) == 0


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
