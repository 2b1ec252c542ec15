"""Allowances: how often something may be done by each of many, a few times at once and then no faster than so.

Counterpart: `gateway/api/limits.py`. Elsewhere this is called a token bucket. It is kept as GCRA keeps it (ATM Forum
TM 4.1, 4.4.2): one number for each key, the time at which its allowance will be whole again.
"""

from collections import OrderedDict
from collections.abc import Hashable

MOST_KEYS = 10_000


class Allowances:
    """One allowance for each key: `burst` times at once, `per_s` times a second afterwards; 0 `per_s`: no limit.

    At most `most` are kept: where there are more, the one that was used the longest ago is whole again. Times are
    seconds of a clock that never leaps.
    """

    def __init__(self, per_s: float, burst: int, *, most: int = MOST_KEYS) -> None:
        self._gap_s = 1 / per_s if per_s else 0.0
        self._slack_s = self._gap_s * (burst - 1)
        self._most = most
        self._whole_at_s: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._whole_at_s)

    def wait_s(self, key: Hashable, now_s: float) -> float:
        """How long until it may be done; 0 for now."""
        wait_s = self._whole_at_s.get(key, now_s) - now_s - self._slack_s
        return wait_s if wait_s > 1e-9 else 0.0

    def take(self, key: Hashable, now_s: float) -> float:
        """Takes one time of the allowance, and returns 0; where none is left, how long until one is."""
        wait_s = self.wait_s(key, now_s)
        if wait_s or not self._gap_s:
            return wait_s
        self._whole_at_s[key] = max(now_s, self._whole_at_s.get(key, now_s)) + self._gap_s
        self._whole_at_s.move_to_end(key)
        while len(self._whole_at_s) > self._most or next(iter(self._whole_at_s.values())) <= now_s:
            self._whole_at_s.popitem(last=False)
        return 0.0
