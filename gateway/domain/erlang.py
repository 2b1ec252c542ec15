"""How many operators a load of calls needs, by A. K. Erlang's formula for callers who wait (Erlang C).

Counterpart: `workload.py` works out the load; `coverage.py` holds the roster against the need.

The load A, in erlang, is how many operators would be talking on average: calls a second times seconds a call. With n
operators, n > A:

    B(0) = 1,  B(k) = A B(k-1) / (k + A B(k-1))     all n are busy where nobody waits (Erlang B, as a recursion)
    C = B(n) / (1 - A/n (1 - B(n)))                 a caller has to wait
    P(wait <= t) = 1 - C exp(-(n - A) t / h)        h: mean seconds of an operator's time for a call

Sources: A. K. Erlang, Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges, 1917; V. B. Iversen, Teletraffic Engineering and Network Planning (ITU-D), for the recursion, which has no
factorials and so never overflows. NENA-STA-020.1-2020: 90 of 100 calls answered within 15 s.

Erlang assumes that callers come one by one, independently, and wait for ever. A disaster is not like that.
"""

from functools import lru_cache
from math import exp

HALF_HOUR_S = 1800.0
SHARE = 0.90


def busy(operators: int, load: float) -> float:
    """The probability that all operators are busy where a caller who finds them so is gone (Erlang B)."""
    probability = 1.0
    for count in range(1, operators + 1):
        probability = load * probability / (count + load * probability)
    return probability


def answered_within(limit_s: float, operators: int, load: float, handling_s: float) -> float:
    """The share of calls that are answered within that time; 0 where the operators cannot keep up."""
    return _within(limit_s, operators, load, handling_s, busy(operators, load))


@lru_cache(maxsize=32768)  # a report asks for each half hour of the week, for each queue, again and again
def operators_needed(arrivals: float, handling_s: float, service_level_s: float, share: float = SHARE) -> int:
    """The fewest operators who answer that share of calls (0 to less than 1) within `service_level_s` seconds.

    `arrivals` come in half an hour, and each takes an operator `handling_s` seconds, on average. No call needs nobody;
    any other number needs one operator at least.
    """
    if arrivals <= 0:
        return 0
    load = arrivals * max(handling_s, 0.0) / HALF_HOUR_S
    operators, probability = 0, 1.0
    while True:
        operators += 1
        probability = load * probability / (operators + load * probability)
        if _within(service_level_s, operators, load, handling_s, probability) >= share:
            return operators


def _within(limit_s: float, operators: int, load: float, handling_s: float, busy: float) -> float:
    if load <= 0:
        return 1.0
    if operators <= load:
        return 0.0  # the line of those who wait grows for ever
    waits = busy / (1 - load / operators * (1 - busy))
    return 1 - waits * exp(-(operators - load) * limit_s / handling_s)
