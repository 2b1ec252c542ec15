"""Strays: phones that registered where a call to them would leave the centre. Each may not register for a while then,
and for a long one where it does so again and again.

Counterparts: `gateway/asterisk/board.py` knows such an address; `switchboard.py` has Asterisk forget it, and shuts the
phone at once; `gateway/level.py` holds it shut as long as this says; `gateway/watch.py` makes each an alarm.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.domain.holding import Held, Holding, Phone

KIND = "phone_leads_elsewhere"
"""The alarm of a stray."""
SHUT_S = 120.0
"""How long it may not register. Whoever had it so by mistake is back by himself soon after he has mended it."""
TIMES, WITHIN_S, LONG_SHUT_S = 3, 3600.0, 3600.0
"""So often within so long, and it may not for longer."""

_WHERE = "it registered itself where a call to it would leave the centre, and is not rung. It may not register for"
SEEN = f"{_WHERE} 2 minutes: have it register one address, its own"
AGAIN = f"{_WHERE} an hour, for it did so again, or until it has another secret"


@dataclass(slots=True)
class _Stray:
    digest: str
    """That of the secret with which it strayed."""
    seen_s: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES))
    until_s: float = 0.0
    is_again: bool = False

    def see(self, at_s: float) -> None:
        self.seen_s.append(at_s)
        self.is_again = len(self.seen_s) == TIMES and at_s - self.seen_s[0] <= WITHIN_S
        self.until_s = at_s + (LONG_SHUT_S if self.is_again else SHUT_S)

    def is_over(self, at_s: float) -> bool:
        return at_s >= self.until_s and at_s - self.seen_s[-1] > WITHIN_S


class Strays:
    """Times are seconds of a clock that only goes forward. A gateway that starts anew knows those again that Asterisk
    holds shut, and counts them as found then."""

    def __init__(self) -> None:
        self._strays: dict[str, _Stray] = {}
        self._has_looked = False

    def take(self, held: Held, phones: Mapping[str, Phone], at_s: float) -> None:
        """Counts those that were just found, of all phones that there should be, and forgets those whose time is over,
        that have another secret or a fixed contact, or are none any more."""
        for number, stray in list(self._strays.items()):
            phone = phones.get(number)
            if phone is None or phone.contact is not None or phone.digest != stray.digest or stray.is_over(at_s):
                del self._strays[number]
        known = frozenset[str]() if self._has_looked else _shut_before(held, phones)
        self._has_looked = True
        for number in phones.keys() & (held.astray | known):
            if phones[number].contact is None:
                self._strays.setdefault(number, _Stray(phones[number].digest)).see(at_s)

    def shut(self, want: Holding, at_s: float) -> Holding:
        """The same, with the phones shut that are to be."""
        shut = self._shut(at_s)
        if not shut:
            return want
        phones = {
            number: replace(phone, is_shut=True) if number in shut else phone for number, phone in want.phones.items()
        }
        return replace(want, phones=phones)

    def told(self, at_s: float) -> dict[str, str]:
        """What is to be said of each that is shut, by its number."""
        return {number: AGAIN if stray.is_again else SEEN for number, stray in self._shut(at_s).items()}

    def _shut(self, at_s: float) -> dict[str, _Stray]:
        return {number: stray for number, stray in self._strays.items() if at_s < stray.until_s}


def _shut_before(held: Held, phones: Mapping[str, Phone]) -> frozenset[str]:
    """Those that an earlier gateway had shut, and that have the same secret still."""
    shut = {number for number, phone in held.phones.items() if phone.is_shut} - held.astray
    return frozenset(number for number in shut & phones.keys() if phones[number].digest == held.phones[number].digest)
