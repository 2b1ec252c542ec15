"""Retention: how long recordings are kept, and which are kept whatever the rules say.

Counterpart: `gateway/destroying.py` destroys what is due; the API is where admins write the rules and set holds.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from gateway.domain.dispositions import Disposition
from gateway.domain.kept import Invalid, Kept, Unfitting

LONGEST_DAYS = 36_500
LIFT_WITHIN = timedelta(days=7)
"""Within how long a second person confirms that a hold is lifted; after that it is to be asked for anew."""
LONGEST_LEAP = timedelta(days=3)
"""A clock that has run further ahead of what is known to have passed, in one leap or in many, is not believed before a
person has looked."""
LONGEST_STEP_BACK = timedelta(hours=1)
CLOCKS_APART = timedelta(minutes=10)
"""How far the clock that a person reads may differ from the centre's, to be the same time."""


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
    """The recordings of one call are kept until the hold is lifted, whatever the rules say. One person alone sets it;
    to lift it one asks and another confirms: what it kept may be destroyed within the hour."""

    KIND: ClassVar[str] = "legal_hold"

    call_id: str
    reason: str
    set_by: str
    lift_reason: str = ""
    """Why it should be lifted, as the person said who asked last."""
    lift_asked_by: str = ""
    lift_asked_at: datetime | None = None
    lifted_by: str = ""
    """The second person."""

    @property
    def lift_until(self) -> datetime | None:
        """Until when another person may confirm that it is lifted; None where nobody asked for it."""
        return None if self.lift_asked_at is None else self.lift_asked_at + LIFT_WITHIN

    def is_to_be_lifted(self, at: datetime) -> bool:
        """Whether somebody asked for that, and it waits for another person."""
        return self.is_active and self.lift_until is not None and at < self.lift_until


def deciding(
    rules: Iterable[RetentionRule], disposition: Disposition | None, queue: str | None
) -> RetentionRule | None:
    """The rule that decides how long the recordings of such a call are kept; None where the centre's own does."""
    fitting = (rule for rule in rules if rule.is_active and rule.fits(disposition, queue))
    return min(fitting, key=lambda rule: (rule.place, rule.id), default=None)


@dataclass(frozen=True, slots=True)
class Lasting:
    """A recording that is not destroyed, with all that decides how long it is kept."""

    id: str
    call_ids: tuple[str, ...]
    """The call whose sound it is; of a call back the calls that were tried before it, the last one decides. A hold on
    any of them keeps it."""
    started_at: datetime
    over_at: datetime
    """When its sound was complete."""
    disposition: Disposition | None
    queue: str | None
    is_held: bool

    def is_due(self, at: datetime, keep_days: int) -> bool:
        return not self.is_held and at - self.over_at >= timedelta(days=keep_days)


@dataclass(frozen=True, slots=True)
class Retention:
    """All rules as they are now, the centre's own too."""

    rules: tuple[RetentionRule, ...]
    keep_days: int

    @property
    def shortest_days(self) -> int:
        return min((self.keep_days, *(rule.keep_days for rule in self.rules if rule.is_active)))

    def of(self, lasting: Lasting) -> tuple[RetentionRule | None, int]:
        """The rule that decides about it, None for the centre's own, and for how many days it is kept."""
        rule = deciding(self.rules, lasting.disposition, lasting.queue)
        return rule, self.days_of(rule)

    def days_of(self, rule: RetentionRule | None) -> int:
        return self.keep_days if rule is None else rule.keep_days

    def due(self, lasting: Lasting, at: datetime) -> str | None:
        """The rule under which it is to be destroyed at that time, as the certificate names it; None where it is to be
        kept."""
        return self.named(lasting) if lasting.is_due(at, self.of(lasting)[1]) else None

    def named(self, lasting: Lasting) -> str:
        """The rule that decides about it, as certificates name it."""
        return named(*self.of(lasting))


def named(rule: RetentionRule | None, days: int) -> str:
    """The rule in words, with what it says now: it may be changed later."""
    name = "the centre's own rule" if rule is None else f"retention rule {rule.id}, {rule.name}"
    return f"{name}: {days} {'day' if days == 1 else 'days'}"


def check(rule: RetentionRule, others: Collection[RetentionRule]) -> None:
    """Raises Invalid for a time that is none, Unfitting where the rule, or another because of it, would never
    decide."""
    if not 1 <= rule.keep_days <= LONGEST_DAYS:
        raise Invalid("keep_days", f"must lie between 1 and {LONGEST_DAYS}")
    for other in others:
        if other.id == rule.id or not other.is_active:
            continue
        if other.place == rule.place:
            raise Unfitting("place", f"is that of rule {other.name}: nobody could tell which of the two comes first")
        first, second = (other, rule) if other.place < rule.place else (rule, other)
        if first.fits(second.disposition, second.queue):
            raise Unfitting(
                "place",
                f"lets rule {second.name} never decide: rule {first.name} comes before it and fits all of its calls",
            )


@dataclass(frozen=True, slots=True)
class Uptime:
    """How long the machine has been running, by a clock that nobody sets. `boot` names the start it counts from."""

    boot: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Trusted:
    """A time at which the clock was believed. `ahead` is how much further it had gone by then than is known to have
    passed, since a person last said what time it is; `uptime` is what the machine showed then."""

    at: datetime
    ahead: timedelta = timedelta()
    uptime: Uptime | None = None

    def then(self, now: datetime, uptime: Uptime) -> "Trusted":
        """The same by the next look. What passed while the machine was off nobody knows: it counts as a leap. A clock
        that is set back again takes back what it had leapt."""
        is_known = self.uptime is not None and self.uptime.boot == uptime.boot
        passed_s = max(0.0, uptime.seconds - self.uptime.seconds) if self.uptime and is_known else 0.0
        ahead = self.ahead + (now - self.at) - timedelta(seconds=passed_s)
        return Trusted(now, max(timedelta(), ahead), uptime)


def distrust(then: Trusted, before: Trusted) -> str | None:
    """Why the clock cannot be believed as it is `then`, after it was `before`; None where it can."""
    if then.ahead > LONGEST_LEAP:
        leapt = then.ahead - before.ahead
        if leapt > LONGEST_LEAP:
            return f"the clock is {_days(leapt)} ahead of {before.at:%Y-%m-%d %H:%M} UTC, when it was last right"
        return f"the clock has run ahead by {_days(then.ahead)} in all since somebody last said what time it is"
    if before.at - then.at > LONGEST_STEP_BACK:
        return (
            f"the clock is {_days(before.at - then.at)} behind {before.at:%Y-%m-%d %H:%M} UTC, which it has shown "
            f"before"
        )
    return None


def _days(length: timedelta) -> str:
    return f"{length.days} days" if length.days > 1 else f"{length // timedelta(hours=1)} hours"
