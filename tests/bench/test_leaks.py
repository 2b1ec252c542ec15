"""The rule that judges a soak: a leak fails, and what is level does not, whatever noise there is on it."""

import math
import random

import pytest

from bench.leaks import Verdict, trend

EVERY_S, TWO_HOURS_S = 10, 7200
SIZE = 130e6
FLOOR = 2e6
CALLS_S = 5


def series(leak_bytes_a_call: float, seconds: int = TWO_HOURS_S, *, seed: int = 1) -> list[tuple[float, float]]:
    """Memory as it is: it fills for ten minutes, then stays, with noise and a step now and then."""
    luck = random.Random(seed)
    found = []
    for at in range(0, seconds, EVERY_S):
        filling = 20e6 * min(1.0, at / 600)
        noise = luck.gauss(0, 0.5e6) + (8e6 if luck.random() < 0.02 else 0.0)
        found.append((float(at), SIZE - 20e6 + filling + noise + leak_bytes_a_call * CALLS_S * at))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_what_is_level_is_level(seed: int) -> None:
    assert trend(series(0, seed=seed), floor=FLOOR).verdict is Verdict.LEVEL


@pytest.mark.parametrize("seed", range(5))
def test_a_leak_of_two_hundred_bytes_a_call_fails(seed: int) -> None:
    found = trend(series(200, seed=seed), floor=FLOOR)
    assert found.verdict is Verdict.GROWS
    assert found.slope_s == pytest.approx(200 * CALLS_S, rel=0.2)


def test_a_leak_of_one_file_in_ten_minutes_fails_and_one_more_file_does_not() -> None:
    leaking = [(float(at), 60.0 + at // 600) for at in range(0, TWO_HOURS_S, EVERY_S)]
    assert trend(leaking, floor=3).verdict is Verdict.GROWS
    step = [(float(at), 60.0 + (at > 4000)) for at in range(0, TWO_HOURS_S, EVERY_S)]
    assert trend(step, floor=3).verdict is Verdict.LEVEL


def test_what_was_not_known_at_a_look_hides_no_leak_and_makes_none() -> None:
    for leak, verdict in ((200, Verdict.GROWS), (0, Verdict.LEVEL)):
        points = [(at, math.nan if place % 20 == 7 else value) for place, (at, value) in enumerate(series(leak))]
        assert trend(points, floor=FLOOR).verdict is verdict


def test_what_was_hardly_ever_known_is_not_level() -> None:
    assert trend([(at, math.nan) for at, _ in series(0)], floor=FLOOR).verdict is Verdict.UNKNOWN
    half = [(at, value if place % 2 else math.nan) for place, (at, value) in enumerate(series(0))]
    assert trend(half, floor=FLOOR).verdict is Verdict.UNKNOWN


def test_what_shrinks_is_level() -> None:
    assert trend(series(-500), floor=FLOOR).verdict is Verdict.LEVEL


def test_a_short_look_is_not_judged() -> None:
    assert trend(series(1000, 600), floor=FLOOR).verdict is Verdict.TOO_SHORT
    assert trend([(0.0, 1.0)], floor=0).verdict is Verdict.TOO_SHORT
