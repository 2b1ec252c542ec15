"""Agencies (OPD): the regency's services that the fallback hands a caller on to, and their duty phones.

Counterparts: `gateway/domain/books.py` writes their phones into the notes that `dialplan/fallback.conf` reads.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from gateway.domain.kept import Kept


class Service(StrEnum):
    """What an agency is called for: one key of the fallback's menu each."""

    FIRE = "fire"
    MEDICAL = "medical"
    ORDER = "order"
    DISASTER = "disaster"


@dataclass(frozen=True, slots=True)
class DutyPhone:
    """One phone that is rung: an operator's phone of the centre's own, or, with a trunk, a number over that line."""

    number: str
    trunk: str | None = None

    @property
    def address(self) -> str:
        """What is dialled: the phone, or number@trunk."""
        return self.number if self.trunk is None else f"{self.number}@{self.trunk}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency(Kept):
    """An agency. There is one for each service at most."""

    KIND: ClassVar[str] = "agency"

    name: str
    service: Service
    phones: tuple[DutyPhone, ...]
    """Rung one after the other."""
    ring_s: int = 20
    """How long each of them rings."""
