"""The limits of the API: how often each address and each token may ask, and how often an address may be wrong.

Counterparts: `gateway/domain/allowances.py` counts; `[api]` of the settings says how many; `door.py` bounds
connections.

`/v1/health` and `/metrics` have allowances of their own: whatever else comes from an address, who watches 112 from
there is answered.
"""

import logging
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import islice
from typing import Self

from aiohttp import hdrs, web

from gateway.api.problems import Problem
from gateway.domain.allowances import MOST_KEYS, Allowances
from gateway.settings import ApiSettings

log = logging.getLogger(__name__)

Network = IPv4Network | IPv6Network

BURST_S = 5
"""So many seconds' worth may come at once."""
WATCHERS = frozenset({"/v1/health", "/metrics"})
WATCHES_PER_S = 10.0
TOLD_EVERY_S = 60.0
MOST_HOPS = 32
"""So many of our own proxies may stand one behind the other."""
ADDRESS = web.RequestKey("address", str)
"""The address of whoever asks, where proxies are told apart from those who ask through them."""


class Limits:
    """What may come in. `clock_s` is a clock that never leaps; 0 of anything is no limit. `refused` counts by reason:
    `address`, `token`, `wrong_token`."""

    def __init__(
        self,
        *,
        per_address_s: float,
        per_token_s: float,
        wrong_tokens_per_min: int,
        clock_s: Callable[[], float],
    ) -> None:
        self._addresses = Allowances(per_address_s, math.ceil(per_address_s * BURST_S))
        self._watchers = Allowances(WATCHES_PER_S, math.ceil(WATCHES_PER_S * BURST_S))
        self._tokens = Allowances(per_token_s, math.ceil(per_token_s * BURST_S))
        self._wrong = Allowances(wrong_tokens_per_min / 60, wrong_tokens_per_min)
        self._told = Allowances(1 / TOLD_EVERY_S, 1)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Addresses and the tokens that they came with, by their hashes: who guesses there does not keep these out."""
        self._clock_s = clock_s
        self.refused: Counter[str] = Counter()

    @classmethod
    def of(cls, api: ApiSettings, clock_s: Callable[[], float]) -> Self:
        """The limits as the settings have them."""
        return cls(
            per_address_s=api.requests_per_address,
            per_token_s=api.requests_per_token,
            wrong_tokens_per_min=api.wrong_tokens_per_min,
            clock_s=clock_s,
        )

    def take_request(self, request: web.Request) -> None:
        """Counts a request of an address. Raises Problem (429)."""
        allowances = self._watchers if request.path in WATCHERS else self._addresses
        if wait_s := allowances.take(_of(request), self._clock_s()):
            raise self._refusal("address", request, "Too many requests come from this address.", wait_s)

    def take_token(self, request: web.Request, token_id: int) -> None:
        """Counts a request of a token. Raises Problem (429)."""
        if request.path in WATCHERS:
            return
        if wait_s := self._tokens.take(token_id, self._clock_s()):
            raise self._refusal("token", request, "Too many requests come with this token.", wait_s)

    def refuse_guesses(self, request: web.Request, token_hash: str) -> None:
        """Raises Problem (429) where too many wrong tokens came from the address, and this one was not known there."""
        if (_of(request), token_hash) not in self._known:
            self._refuse_wrong(request, self._wrong.wait_s(_of(request), self._clock_s()))

    def take_wrong(self, request: web.Request) -> None:
        """Counts a wrong token of an address. Raises Problem (429) where there were too many before it."""
        self._refuse_wrong(request, self._wrong.take(_of(request), self._clock_s()))

    def remember(self, request: web.Request, token_hash: str) -> None:
        """Takes that the address came with a token that is right."""
        known = (_of(request), token_hash)
        self._known[known] = None
        self._known.move_to_end(known)
        if len(self._known) > MOST_KEYS:
            self._known.popitem(last=False)

    def _refuse_wrong(self, request: web.Request, wait_s: float) -> None:
        if wait_s:
            raise self._refusal("wrong_token", request, "Too many wrong tokens came from this address.", wait_s)

    def _refusal(self, reason: str, request: web.Request, detail: str, wait_s: float) -> Problem:
        self.refused[reason] += 1
        if not self._told.take((reason, _of(request)), self._clock_s()):
            log.warning("api_throttled", extra={"reason": reason, "address": address_of(request)})
        return Problem(429, detail, headers={hdrs.RETRY_AFTER: str(math.ceil(wait_s))})


def address_of(request: web.Request) -> str:
    """The address that asks, as the audit log names it; empty where there is none."""
    return request.get(ADDRESS) or request.remote or ""


def asker(remote: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """Who asks, where `remote` is connected and says in X-Forwarded-For for whom: the last one there that is none of
    our own proxies. What others say of themselves is not believed."""
    found = remote
    if not is_within(found, proxies):
        return found  # what it says is not even taken apart
    for hop in islice((hop.strip() for line in reversed(forwarded) for hop in reversed(line.split(","))), MOST_HOPS):
        if not is_within(found, proxies) or _parsed(hop) is None:
            break
        found = hop
    return found


def is_within(address: str, networks: Sequence[Network]) -> bool:
    found = _parsed(address)
    return found is not None and any(found in network for network in networks)


def by_network(address: str) -> str:
    """What an address is counted as: of IPv6 the /64, which one subscriber has to himself."""
    found = _parsed(address)
    return str(IPv6Network((found, 64), strict=False)) if isinstance(found, IPv6Address) else str(found or address)


def _of(request: web.Request) -> str:
    return by_network(address_of(request))


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
