"""Hearings: whoever listens to a recording says why, and that stands in the audit log before the first sound is sent.

Counterpart: `gateway/api/sounds.py`, which sends nothing before this has stored who listens. What somebody listens to
in many requests, as players do, is one entry.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gateway.domain.audit import Actor, Deed
from gateway.domain.change import Change
from gateway.saving import Saving

ONE_HEARING = timedelta(minutes=10)
"""What the same person asks of the same recording for the same reason within that is one hearing, as long as
it does not go beyond what was noted."""
REMEMBERED = 1000
"""Hearings that are remembered at most; one that is forgotten is another entry."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What is listened to, and why. `form` is what it is sent as; a part of it is told in seconds. `range` is the
    range of bytes that was asked for; None where all of it was, or may have been, range by range."""

    recording_id: str
    call_id: str | None
    reason: str
    form: str
    from_s: float | None = None
    to_s: float | None = None
    range: str | None = field(default=None, compare=False)
    not_as_sealed: bool = False
    """Whether it was known to be changed since it was sealed, and was to be heard all the same."""
    not_proved: bool = False
    """Whether it was to be heard although it could not be held against its seal before."""


class Hearings:
    """`clock` returns the time now, in UTC."""

    def __init__(self, *, saving: Saving, clock: Callable[[], datetime]) -> None:
        self._saving = saving
        self._clock = clock
        self._noted: OrderedDict[tuple[int, Hearing], tuple[datetime, str | None]] = OrderedDict()

    async def note(self, hearing: Hearing, token_id: int, actor: Actor) -> None:
        """Stores who listens to what, if that is not in the log yet. Raises StoreAway: then nobody listens.

        One range is told as such. With another one of the same hearing there is an entry without a range, and that is
        the last one: players ask for hundreds."""
        key = token_id, hearing
        if self._is_noted(key, hearing.range):
            return
        async with self._saving.turn:
            if self._is_noted(key, hearing.range):  # by another request of the same player, meanwhile
                return
            now = self._clock()
            if self._noted_now(key) is not None:
                hearing = replace(hearing, range=None)
            await self._saving.save_in_turn(Change(deeds=(_deed(hearing, now, actor),)))
            self._noted[key] = now, hearing.range
            self._noted.move_to_end(key)
            if len(self._noted) > REMEMBERED:
                self._noted.popitem(last=False)

    def _is_noted(self, key: tuple[int, Hearing], range_: str | None) -> bool:
        noted = self._noted_now(key)
        return noted is not None and noted[1] in (None, range_)

    def _noted_now(self, key: tuple[int, Hearing]) -> tuple[datetime, str | None] | None:
        """When it was noted, and with which range, if it is still the same hearing."""
        now, noted = self._clock(), self._noted.get(key)
        return noted if noted is not None and noted[0] <= now < noted[0] + ONE_HEARING else None


def _deed(hearing: Hearing, at: datetime, actor: Actor) -> Deed:
    told = {
        "recording_id": hearing.recording_id,
        "call_id": hearing.call_id,
        "form": hearing.form,
        "from_s": hearing.from_s,
        "to_s": hearing.to_s,
        "range": hearing.range,
        **({"not_as_sealed": True} if hearing.not_as_sealed else {}),
        **({"not_proved": True} if hearing.not_proved else {}),
    }
    return Deed(
        at,
        actor,
        "recording.heard",
        subject=f"recording/{hearing.recording_id}",
        data={**told, "reason": hearing.reason},
        note=hearing.reason,
        call_id=hearing.call_id,
        became=told,
    )
