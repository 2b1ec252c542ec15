"""Whether something grows for ever: the rule by which a soak is judged.

Counterpart: `soak.py`, which samples; `tests/bench/test_leaks.py` shows that a leak fails and what is level does not.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

WARM_UP_PART = 0.25
"""The first quarter is warm-up: the newest events, SQLite's caches and the interpreter's own fill in it."""
LONGEST_WARM_UP_S = 1200.0
LEAST_S = 1200.0
"""What was looked at for less is not judged: a step of the allocator would be a slope."""
MOST_GROWTH = 0.03
"""In two hours at 5 calls/s a leak of 200 bytes a call is more than that of 130 MB."""
KNOWN_PART = 0.9
"""What was known at fewer looks than that is not level because nobody knows."""
MOST_POINTS = 400
"""So many are compared with one another at most."""


class Verdict(StrEnum):
    LEVEL = "level"
    GROWS = "GROWS"
    TOO_SHORT = "too short to say"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Trend:
    """How something went after the warm-up. `growth` is in its own unit, over the time that was looked at."""

    began: float
    ended: float
    slope_s: float
    """In its unit a second."""
    looked_s: float
    verdict: Verdict

    @property
    def growth(self) -> float:
        return self.slope_s * self.looked_s


def trend(points: Sequence[tuple[float, float]], *, floor: float) -> Trend:
    """The trend of (seconds, value), by the median of the slopes between any two of them (Theil and Sen): a few spikes,
    a garbage collection, one step weigh nothing. It grows where that comes to more than MOST_GROWTH of the median, and
    to more than `floor`, in its own unit. A value that is NaN was not known then: of too many nothing is said."""
    looks, points = len(points), [(at, value) for at, value in points if not math.isnan(value)]
    if looks < 3 or len(points) < max(3, KNOWN_PART * looks):
        verdict = Verdict.TOO_SHORT if looks < 3 else Verdict.UNKNOWN
        return Trend(float("nan"), float("nan"), float("nan"), 0.0, verdict)
    warm = points[0][0] + min(WARM_UP_PART * (points[-1][0] - points[0][0]), LONGEST_WARM_UP_S)
    after = [(at, value) for at, value in points if at >= warm]
    few = after[:: max(1, len(after) // MOST_POINTS)]
    slope = statistics.median((later - value) / (then - at) for (at, value), (then, later) in combinations(few, 2))
    values, looked_s = [value for _, value in after], after[-1][0] - after[0][0]
    third = max(1, len(values) // 3)
    most = max(MOST_GROWTH * abs(statistics.median(values)), floor)
    verdict = Verdict.GROWS if slope * looked_s > most else Verdict.LEVEL
    return Trend(
        began=statistics.median(values[:third]),
        ended=statistics.median(values[-third:]),
        slope_s=slope,
        looked_s=looked_s,
        verdict=verdict if looked_s >= LEAST_S else Verdict.TOO_SHORT,
    )
