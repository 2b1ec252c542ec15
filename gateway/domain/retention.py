"""Retention: how long recordings are kept, and which are kept whatever the rules say.

Counterpart: `gateway/destroying.py` destroys what is due; the API is where admins write the rules and set holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from gateway.domain.dispositions import Disposition
from gateway.domain.kept import Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule(Kept):
    """How long the recordings of some calls are kept. A condition that is None fits every call; of the rules that fit
    the one with the least `place` decides, and the centre's own rule (`Rules.keep_recordings_days`) where none fits."""

    KIND: ClassVar[str] = "retention_rule"

    name: str
    place: int
    disposition: Disposition | None = None
    queue: str | None = None
    keep_days: int

    def fits(self, disposition: Disposition | None, queue: str | None) -> bool:
        """Whether it is about a call that was that, and waited in that queue."""
        return self.disposition in (None, disposition) and self.queue in (None, queue)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold(Kept):
    """The recordings of one call are kept until the hold is lifted, whatever the rules say."""

    KIND: ClassVar[str] = "legal_hold"

    call_id: str
    reason: str
    set_by: str


def deciding(
    rules: Iterable[RetentionRule], disposition: Disposition | None, queue: str | None
) -> RetentionRule | None:
    """The rule that decides how long the recordings of such a call are kept; None where the centre's own does."""
    fitting = (rule for rule in rules if rule.is_active and rule.fits(disposition, queue))
    return min(fitting, key=lambda rule: (rule.place, rule.id), default=None)
