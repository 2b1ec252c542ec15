"""Tokens: whom somebody is taken for who asks the API, and what each role may do.

Counterpart: `gateway/api/auth.py` checks every request against `MAY`, and the documentation shows the same table.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from gateway.domain.kept import Kept

LONGEST_DAYS = 3650
WARNED_AHEAD = timedelta(days=14)
"""How long before its end a token is warned of; one that is not valid for so long, in the last tenth of its time."""


class Role(StrEnum):
    """What a token's bearer is in the centre."""

    ADMIN = "admin"
    SUPERVISOR = "supervisor"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class May(StrEnum):
    """What can be allowed. Each route of the API names one of these."""

    SEE_BOARD = "see the board, queues, trunks and alarms"
    SEE_ROSTER = "see operators, shifts and the roster"
    SEE_CALLS = "see calls and events"
    SEE_NUMBERS = "see whole numbers of callers, and look for calls by number"
    HEAR_CALLS = "hear recordings, with a reason"
    ACT_FOR_SELF = "log in and out, pause, say what calls were, ask for or take a swap, and call back, as oneself"
    ACT_FOR_OTHERS = "do the same for any operator"
    PLAN = "change shifts, assignments, absences, swaps and the on-call list"
    SET_UP = (
        "change operators, queues, trunks, agencies, pause reasons, rules, advice and retention rules, blocks, bans, "
        "webhooks"
    )
    HOLD_RECORDINGS = "set legal holds, and as two people lift them"
    HAND_OUT = "export recordings for the police"
    ERASE = "ask for the data of one person to be erased, and confirm what somebody else asked for"
    GIVE_TOKENS = "make and take back tokens"
    RENEW_OWN = "take a new secret for the token that one asks with"
    SEE_AUDIT = "see the audit log"


_SEE = {May.SEE_BOARD, May.SEE_ROSTER, May.SEE_CALLS, May.RENEW_OWN}
_ANSWER = {*_SEE, May.SEE_NUMBERS, May.ACT_FOR_SELF}

MAY: Mapping[Role, frozenset[May]] = {
    Role.ADMIN: frozenset(May),
    Role.SUPERVISOR: frozenset(
        {
            *_ANSWER,
            *(May.HEAR_CALLS, May.ACT_FOR_OTHERS, May.PLAN, May.SEE_AUDIT),
            *(May.HOLD_RECORDINGS, May.HAND_OUT, May.ERASE),
        }
    ),
    Role.OPERATOR: frozenset(_ANSWER),
    Role.AUDITOR: frozenset({*_SEE, May.HEAR_CALLS, May.SEE_AUDIT}),
}
"""The one table of who may do what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token(Kept):
    """A person's way in. Only the SHA-256 of the secret is kept. `operator_id` says which operator the person is.

    One that is rotated has a new secret; the one before opens the same until `previous_until`, so that whoever uses it
    can be given the new one in peace.
    """

    KIND: ClassVar[str] = "token"
    SECRET: ClassVar[frozenset[str]] = frozenset({"token_hash", "previous_hash"})

    name: str
    role: Role
    token_hash: str
    operator_id: int | None = None
    valid_days: int | None = None
    """For how long from its making, and from each rotation; None: it does not expire."""
    expires_at: datetime | None = None
    previous_hash: str | None = None
    previous_until: datetime | None = None

    def ends_at(self, token_hash: str) -> datetime | None:
        """When the secret of that hash opens nothing any more; None where no time is set."""
        return self.expires_at if token_hash == self.token_hash else self.previous_until

    def is_open_to(self, token_hash: str, now: datetime) -> bool:
        """Whether the secret of that hash, which is this token's, still opens something."""
        ends_at = self.ends_at(token_hash)
        return self.is_active and (ends_at is None or now < ends_at)

    def valid_from(self, now: datetime) -> "Token":
        """The token with its time running from now."""
        return replace(self, expires_at=None if self.valid_days is None else now + timedelta(days=self.valid_days))

    def rotated(self, token_hash: str, now: datetime, overlap: timedelta, valid_days: int | None) -> "Token":
        """The token with another secret, valid anew for so many days."""
        return replace(self.renewed(token_hash, now, overlap), valid_days=valid_days).valid_from(now)

    def renewed(self, token_hash: str, now: datetime, overlap: timedelta) -> "Token":
        """The token with another secret, valid to the same end. The secret before opens the same for `overlap`, and no
        longer than it would have; the one before that opens nothing any more."""
        until = now + overlap if self.expires_at is None else min(now + overlap, self.expires_at)
        return replace(self, token_hash=token_hash, previous_hash=self.token_hash, previous_until=until)

    def may(self, what: May) -> bool:
        return self.is_active and what in MAY[self.role]


def about_to_expire(tokens: Iterable[Token], now: datetime) -> list[Token]:
    """Those whose end is near enough to be warned of, the next one first. What has expired is not among them."""
    found = [
        (token.expires_at, token)
        for token in tokens
        if token.is_active and token.expires_at is not None and now < token.expires_at <= now + _ahead(token)
    ]
    return [token for _, token in sorted(found, key=lambda each: each[0])]


def _ahead(token: Token) -> timedelta:
    return min(WARNED_AHEAD, timedelta(days=token.valid_days or 0) / 10)
