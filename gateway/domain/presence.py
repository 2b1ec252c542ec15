"""Presence: what an operator does about his own duty, by the API or by a code on the phone: log in and out, pause, come
back; and what the centre does when a phone is not picked up.

Counterpart: `dialplan/operators.conf` does the same in Asterisk at once, gateway or no gateway, and writes it to the
journal; `books.py` weighs it against the roster.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

LONGEST_LOGIN = timedelta(hours=16)
"""A login that no roster ends is over after that: nobody stays in the queue because he forgot."""

LEAP = timedelta(seconds=5)
"""What was said so far ahead was said by another clock."""

NO_ANSWER = "no answer"
"""Why the centre pauses a phone that was rung and not picked up."""


class Said(StrEnum):
    """What an operator said last about being there, against the roster."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Presence:
    """One operator's own state. A login holds until `until` at most, and until the roster next brings or takes this
    operator; a logout until it next brings him, which `books.py` knows."""

    operator_id: int
    said: Said | None = None
    said_at: datetime | None = None
    until: datetime | None = None
    queues: tuple[str, ...] = ()
    """Where a login leads, besides what the roster says."""
    pause: str | None = None
    paused_at: datetime | None = None
    misses: int = 0
    """Rings in a row that were not picked up."""

    def says(self, at: datetime) -> Said | None:
        """What still holds at that time."""
        return self.said if self.until is None or at < self.until else None

    def is_newer_than(self, at: datetime, now: datetime) -> bool:
        """Whether something was said, or a pause began, after that time. What is yet to come by the clock was said by
        one that has been put back since: whoever dials now has said that later."""
        return any(known is not None and at < known <= now for known in (self.said_at, self.paused_at))

    def told_by_now(self, at: datetime, next_change: datetime | None) -> "Presence":
        """The same, where it was said, or a pause began, by a clock that has been put back since: as of now, or the
        roster would have no say before that clock has come round."""
        if self.said_at is not None and self.said_at > at + LEAP:
            is_in = self.said is Said.IN and self.until is not None
            until = self.logged_in(at, self.queues, next_change).until if is_in else None
            return replace(self, said_at=at, until=until).told_by_now(at, next_change)
        is_paused_ahead = self.paused_at is not None and self.paused_at > at + LEAP
        return replace(self, paused_at=at) if is_paused_ahead else self

    def logged_in(self, at: datetime, queues: Sequence[str], next_change: datetime | None) -> "Presence":
        """There, until the roster has its say (`next_change`), and ready to be rung."""
        until = min(next_change or at + LONGEST_LOGIN, at + LONGEST_LOGIN)
        return Presence(self.operator_id, Said.IN, at, until, tuple(queues))

    def logged_out(self, at: datetime) -> "Presence":
        """Away from every place, also from standing ones, until the roster brings this operator anew. A login ends it
        before."""
        return Presence(self.operator_id, Said.OUT, at)

    def brought_back(self) -> "Presence":
        """The roster has its say again."""
        return replace(self, said=None, said_at=None, until=None, queues=())

    def paused(self, at: datetime, reason: str) -> "Presence":
        return replace(self, pause=reason, paused_at=at, misses=0)

    def resumed(self) -> "Presence":
        return replace(self, pause=None, paused_at=None, misses=0)

    def missed(self, at: datetime, limit: int) -> "Presence":
        """One more ring was not picked up; at the limit (0: never) the phone is paused."""
        if self.pause is not None:
            return self
        misses = self.misses + 1
        return self.paused(at, NO_ANSWER) if limit and misses >= limit else replace(self, misses=misses)

    def answered(self) -> "Presence":
        """A ring was picked up: whoever did so is there, whatever rings were missed before, as while no gateway was
        there to have the phone paused."""
        if self.pause == NO_ANSWER:
            return self.resumed()
        return self if self.misses == 0 else replace(self, misses=0)
