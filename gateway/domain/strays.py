"""Strays: phones that registered where a call to them would leave the centre. Each may not register for a while then,
and for a long one where it does so again and again.

Counterparts: `gateway/asterisk/elsewhere.py` knows such an address, and has Asterisk forget it;
`gateway/level.py` holds the phone shut as long as this says; `gateway/watch.py` makes each an alarm.
"""

from collections import deque
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
    carriers: frozenset[str] | None = None
    """The trunks' addresses then; None until they are known."""
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

    def take(self, held: Held, at_s: float) -> list[Phone]:
        """Counts those that were just found. Returns what is to be shut at once, whatever else there is to do."""
        before = {number for number, phone in held.phones.items() if phone.is_shut}
        found = held.astray if self._has_looked else held.astray | before
        self._has_looked = True
        of_these = [held.phones[number] for number in sorted(found & held.phones.keys())]
        for phone in of_these:
            if phone.contact is None:
                self._strays.setdefault(phone.number, _Stray(phone.digest)).see(at_s)
        return [replace(phone, is_shut=True) for phone in of_these if phone.contact is None and not phone.is_shut]

    def shut(self, want: Holding, at_s: float) -> Holding:
        """The same, with the phones shut that are to be. Those are forgotten whose time is over, that have another
        secret or a fixed contact, or are none any more; and all of them where other addresses are the carriers'."""
        if not self._strays:
            return want
        carriers = frozenset(address for trunk in want.trunks.values() for address in trunk.addresses)
        for number, stray in list(self._strays.items()):
            phone = want.phones.get(number)
            is_same = phone is not None and phone.contact is None and phone.digest == stray.digest
            if not is_same or stray.carriers not in (None, carriers) or stray.is_over(at_s):
                del self._strays[number]
            stray.carriers = carriers
        shut = self.told(at_s).keys()
        phones = {
            number: replace(phone, is_shut=True) if number in shut else phone for number, phone in want.phones.items()
        }
        return replace(want, phones=phones)

    def told(self, at_s: float) -> dict[str, str]:
        """What is to be said of each that is shut, by its number."""
        return {
            number: AGAIN if stray.is_again else SEEN for number, stray in self._strays.items() if at_s < stray.until_s
        }
