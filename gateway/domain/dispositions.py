"""Dispositions: what a call was, in the words of the person who took it. No machine says it.

Counterparts: `disposing.py` sets them; `reputation.py` learns from them which numbers play pranks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.domain.kept import Invalid


class Disposition(StrEnum):
    """What the call was."""

    EMERGENCY = "emergency"
    INFORMATION = "information"
    PRANK = "prank"
    GHOST = "ghost"
    """Nobody meant to call: a pocket, a child's play, a line with nothing on it."""
    TEST = "test"
    WRONG_REGION = "wrong_region"
    TRANSFERRED = "transferred"
    """Handed on to an agency, which knows more."""


class Category(StrEnum):
    """What an emergency is about: the services that 112 stands for."""

    FIRE = "fire"
    MEDICAL = "medical"
    ORDER = "order"
    ACCIDENT = "accident"
    DISASTER = "disaster"


class MinistryKind(StrEnum):
    """The four kinds in which the ministry counts 112 calls."""

    NORMAL = "normal"
    GHOST = "ghost"
    PRANK = "prank"
    INFORMATION = "information"


MINISTRY_KINDS: Mapping[Disposition, MinistryKind] = {
    Disposition.EMERGENCY: MinistryKind.NORMAL,
    Disposition.TRANSFERRED: MinistryKind.NORMAL,
    Disposition.INFORMATION: MinistryKind.INFORMATION,
    Disposition.WRONG_REGION: MinistryKind.INFORMATION,
    Disposition.TEST: MinistryKind.INFORMATION,
    Disposition.PRANK: MinistryKind.PRANK,
    Disposition.GHOST: MinistryKind.GHOST,
}


@dataclass(frozen=True, slots=True)
class Disposed:
    """What one call was, and who said so. The last word counts; the audit log has those before. `caller` is the call's
    own, so that a number's past is found without its calls."""

    call_id: str
    caller: str
    disposition: Disposition
    category: Category | None
    note: str
    operator_id: int | None
    """The operator who took the call, whoever said what it was."""
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody says that a call was."""

    disposition: Disposition
    category: Category | None = None
    note: str = ""


def check(verdict: Verdict) -> None:
    """Raises Invalid for an emergency without its category, or a category of anything else."""
    if verdict.disposition is Disposition.EMERGENCY and verdict.category is None:
        raise Invalid("category", f"must say what the emergency is about: {', '.join(Category)}")
    if verdict.disposition is not Disposition.EMERGENCY and verdict.category is not None:
        raise Invalid("category", f"is for an emergency only, and this is {verdict.disposition}")
