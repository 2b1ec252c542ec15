"""The live picture of the lines: how each phone stands now, and whether each carrier answers. It is a picture, not a
record.

Counterparts: `gateway/asterisk/board.py` keeps it by Asterisk's events; the watch and the API look at it.
"""

from collections.abc import Mapping
from typing import Protocol

from gateway.domain.places import Place


class Line(Protocol):
    """What is to be seen of the lines."""

    @property
    def places(self) -> list[Place]:
        """Every phone's every place."""

    @property
    def phone_states(self) -> Mapping[str, str]:
        """How each phone stands, by its number; one that is in no queue is not known."""

    @property
    def busy_phones(self) -> frozenset[str]:
        """Phones that ring or talk."""

    @property
    def trunks_up(self) -> Mapping[str, bool]:
        """Whether each trunk answers that is asked whether it is there."""

    @property
    def trunks_registered(self) -> Mapping[str, bool]:
        """Whether the carrier holds the registration of each trunk that has one."""

    @property
    def changes(self) -> int:
        """Grows with every change of the picture."""

    def phones_there(self, queue: str | None = None) -> frozenset[str]:
        """The phones with an operator who takes calls of that queue, or of any."""
