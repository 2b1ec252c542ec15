"""Strays: phones that registered where a call to them would leave the centre. One that does so again and again is rung
there in between, and may not register any more for a while.

Counterparts: `gateway/asterisk/board.py` knows such an address, and `switchboard.py` has Asterisk forget it;
`gateway/level.py` holds the phones shut that `shut` names; `gateway/watch.py` makes each an alarm.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from gateway.domain.holding import Holding, Phone

KIND = "phone_leads_elsewhere"
"""The alarm of a stray."""
TIMES = 3
WITHIN_S = 60.0
"""So often within so long no phone strays by itself: each registers about once a minute."""
SHUT_S = 3600.0
"""How long it may not register then, unless it gets another secret."""
TOLD_S = 180.0
"""For how long one that strayed is told: it registers anew within two minutes."""

_WHERE = "it registered itself where a call to it would leave the centre, and is not rung there"
SEEN = f"{_WHERE}: have it register one address, its own"
SHUT = f"{_WHERE}; it did so again and again, and may not register for an hour, or until it has another secret"


@dataclass(slots=True)
class _Stray:
    digest: str
    """That of the secret with which it strayed."""
    seen_s: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES))
    shut_s: float | None = None
    """When it was shut, if it is."""

    def is_over(self, at_s: float) -> bool:
        return at_s - self.seen_s[-1] > TOLD_S if self.shut_s is None else at_s - self.shut_s > SHUT_S


class Strays:
    """Times are seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        self._strays: dict[str, _Stray] = {}

    def take(self, found: Collection[str], phones: Mapping[str, Phone], at_s: float) -> None:
        """Counts the phones that were just found astray, of all that there should be, and forgets those that are over,
        are none any more or have another secret."""
        for number, stray in list(self._strays.items()):
            if number not in phones or phones[number].digest != stray.digest or stray.is_over(at_s):
                del self._strays[number]
        for number in phones.keys() & set(found):
            stray = self._strays.setdefault(number, _Stray(phones[number].digest))
            stray.seen_s.append(at_s)
            if len(stray.seen_s) == TIMES and at_s - stray.seen_s[0] <= WITHIN_S:
                stray.shut_s = at_s

    def shut(self, want: Holding) -> Holding:
        """The same, with the phones shut that are to be."""
        are_shut = {number for number, stray in self._strays.items() if stray.shut_s is not None}
        if not are_shut:
            return want
        phones = {
            number: replace(phone, is_shut=True) if number in are_shut else phone
            for number, phone in want.phones.items()
        }
        return replace(want, phones=phones)

    def told(self) -> dict[str, str]:
        """What is to be said of each stray, by its number."""
        return {number: SEEN if stray.shut_s is None else SHUT for number, stray in self._strays.items()}
