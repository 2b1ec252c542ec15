"""Tokens: whom somebody is taken for who asks the API, and what each role may do.

Counterpart: `gateway/api/auth.py` checks every request against `MAY`, and the documentation shows the same table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from gateway.domain.kept import Kept


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
        "change operators, queues, trunks, agencies, pause reasons, rules, advice and retention rules, blocks, webhooks"
    )
    HOLD_RECORDINGS = "set and lift legal holds"
    HAND_OUT = "export recordings for the police"
    ERASE = "ask for the data of one person to be erased, and confirm what somebody else asked for"
    GIVE_TOKENS = "make and take back tokens"
    SEE_AUDIT = "see the audit log"


_SEE = {May.SEE_BOARD, May.SEE_ROSTER, May.SEE_CALLS}
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
    """A person's way in. Only the SHA-256 of the secret is kept. `operator_id` says which operator the person is."""

    KIND: ClassVar[str] = "token"
    SECRET: ClassVar[frozenset[str]] = frozenset({"token_hash"})

    name: str
    role: Role
    token_hash: str
    operator_id: int | None = None

    def may(self, what: May) -> bool:
        return self.is_active and what in MAY[self.role]
