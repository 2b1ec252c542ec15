"""Reputation: whether a number plays pranks, by what operators said of its calls. No machine's guess counts.

Counterparts: `dispositions.py` is what operators say; `advice_rules.py` weighs the score; `gateway/api/numbers.py`
shows what makes it.

A prank counts 1, and half as much after each HALF_LIFE. An emergency, or a call that was handed on to an agency, lifts
what was said of the calls before it, in whatever order people say it: whoever had a real one is believed again.

A number can be forged where a carrier lets it. So a prank weighs only against calls of the trunk that it came over;
an emergency lifts pranks on every trunk, because 112 is carried by whatever network has coverage.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.audit import CENTRE
from gateway.domain.dispositions import Disposition

HALF_LIFE = timedelta(days=14)
REMEMBERED = 10 * HALF_LIFE
"""What lies further back counts less than a thousandth, and is not looked at."""
SAID_AT_MOST = 50
"""The dispositions that are looked at: those that were said last."""
NUISANCE_SCORE = 2.5
"""Three pranks within some days, where no rule says otherwise."""

_LIFTING = frozenset({Disposition.EMERGENCY, Disposition.TRANSFERRED})


@dataclass(frozen=True, slots=True)
class Saying:
    """What an operator said of one call of the number. It is weighed by when that call arrived: nobody's note on an old
    call makes it a new one."""

    call_id: str
    disposition: Disposition
    said_by: str
    arrived_at: datetime
    said_at: datetime
    trunk: str | None = None
    """Where the call came in; None where that is not known, and then it counts on each."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """One saying, and how much it counts now."""

    saying: Saying
    weight: float


@dataclass(frozen=True, slots=True)
class Reputation:
    """What is known of a number at a moment. `weighed` begins with the newest call."""

    weighed: tuple[Weighed, ...] = ()

    def score_on(self, trunk: str | None) -> float:
        """What weighs against a call on that trunk: 0 is that of a number of which nothing bad is known."""
        return sum(each.weight for each in self.weighed if each.saying.trunk in (None, trunk))

    @property
    def score(self) -> float:
        """The same on the trunk where it weighs most."""
        return max((self.score_on(each.saying.trunk) for each in self.weighed), default=0.0)


def reputation(sayings: Iterable[Saying], at: datetime) -> Reputation:
    """What those sayings, in any order, come to at that time. What is said later is not known yet then."""
    weighed: list[Weighed] = []
    is_lifted = False
    known = [each for each in sayings if each.said_at <= at]
    for saying in sorted(known, key=lambda each: each.arrived_at, reverse=True):
        # a machine's word would be the centre's own
        is_lifted = is_lifted or (saying.disposition in _LIFTING and saying.said_by != CENTRE.name)
        weighed.append(Weighed(saying, 0.0 if is_lifted else _weight(saying, at)))
    return Reputation(tuple(weighed))


def _weight(saying: Saying, at: datetime) -> float:
    if saying.disposition is not Disposition.PRANK or saying.said_by == CENTRE.name:
        return 0.0
    age = max(at - saying.arrived_at, timedelta())  # the clock may have been put back in between
    return 0.0 if age > REMEMBERED else float(0.5 ** (age / HALF_LIFE))
