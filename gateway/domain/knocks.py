"""Knocks: requests that the SIP door did not let in, counted by address over the last moments. Memory is bounded,
however many addresses knock.

Counterparts: `gateway/asterisk/knocking.py` hears them of Asterisk; `gateway/banning.py` bans whose time has come.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

ADDRESSES_KNOWN = 10_000
"""One more, and the address that has been quiet for the longest is forgotten."""
TRUSTED_S = 24 * 3600.0
"""How long an address is trusted after a phone gave the right password from it."""


@dataclass(frozen=True, slots=True)
class Knock:
    """A request from `address` that was refused; or, where it `is_welcome`, one with the right password."""

    address: str
    """As `bans.banned_as` writes it."""
    is_welcome: bool = False


@dataclass(slots=True)
class Knocks:
    """Counts. An address is due for a ban once `limit` of its requests were refused within `within_s` seconds; with a
    limit of 0 it never is. Times are seconds of a clock that only goes forward."""

    limit: int
    within_s: float
    _times: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)
    _trusted: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _due: dict[str, None] = field(default_factory=dict)

    def take(self, knock: Knock, at_s: float) -> None:
        """Counts it."""
        address = knock.address
        if knock.is_welcome:
            self._trusted[address] = at_s
            self._trusted.move_to_end(address)
            self._times.pop(address, None)
            self._due.pop(address, None)
            _shorten(self._trusted)
            return
        if self.limit == 0 or address in self._due:
            return
        times = self._times.setdefault(address, deque(maxlen=self.limit))
        times.append(at_s)
        self._times.move_to_end(address)
        _shorten(self._times)
        if len(times) == self.limit and at_s - times[0] <= self.within_s:
            del self._times[address]
            if len(self._due) < ADDRESSES_KNOWN:
                self._due[address] = None

    def is_trusted(self, address: str, at_s: float) -> bool:
        """Whether a phone gave the right password from there lately."""
        since_s = self._trusted.get(address)
        return since_s is not None and at_s - since_s <= TRUSTED_S

    def pop_due(self, most: int) -> list[str]:
        """The addresses whose time has come, the first ones first; they are counted anew from now on."""
        found = list(self._due)[:most]
        for address in found:
            del self._due[address]
        return found

    @property
    def known(self) -> int:
        """How many addresses are being counted."""
        return len(self._times)


def _shorten(known: "OrderedDict[str, deque[float]] | OrderedDict[str, float]") -> None:
    while len(known) > ADDRESSES_KNOWN:
        known.popitem(last=False)
