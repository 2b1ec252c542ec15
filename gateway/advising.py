"""Advising: what the rules say about one arriving call, by what the books and the history tell of it. It may be late,
or fail: the dialplan has its own defaults.

Counterparts: `domain/advice_rules.py` holds the rules, `gateway/store/past_reads.py` reads the past,
`gateway/asterisk/advisor.py` tells the call.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta

from gateway.bookkeeper import Bookkeeper
from gateway.domain.advice import AS_THEY_COME, Advice, TrunkRule, advise
from gateway.domain.advice_rules import (
    PRIORITIES,
    AdviceRule,
    Arrival,
    Counsel,
    Effect,
    Past,
    counsel,
    in_order,
    longest_min,
    windows,
)
from gateway.domain.books import Books
from gateway.domain.call import PROBE_TRUNK, Call, Stage
from gateway.ports import PastReads, StoreAway

log = logging.getLogger(__name__)

LIMIT_S = 1.0
"""How long books and past may take together. What is not known by then is left out of the advice."""
ASK_AGAIN_S = 5.0
"""How long after a past that was not known in time none is asked for: calls that come then do not wait in vain."""
BLIND_S = 600.0
"""So long a past that could not be read is told of where none was read since: at night perhaps no call comes."""
LATE_S = 20.0
"""So long one that was not there in time: that the database is away, or slow, others tell as long as it is."""
NUISANCE = "nuisance"
_NOT_LOWERED = (None, PRIORITIES[Effect.EARLIER], PRIORITIES[Effect.FIRST])


class Advising:
    """`trunk_rules` are the settings' own; `is_loaded` says of a queue whether more callers wait than operators are
    there, `is_deserted` whether it is seen that no operator is."""

    def __init__(
        self,
        *,
        trunk_rules: Mapping[str, TrunkRule],
        bookkeeper: Bookkeeper,
        past: PastReads,
        is_loaded: Callable[[str], bool],
        is_deserted: Callable[[str], bool],
    ) -> None:
        self._trunk_rules = trunk_rules
        self._bookkeeper = bookkeeper
        self._past = past
        self._is_loaded = is_loaded
        self._is_deserted = is_deserted
        self._books: Books | None = None
        """As they were read last: rules hold on while the database is away."""
        self._ask_again_s = 0.0
        self._blind_until_s = 0.0
        self._faulty: set[tuple[int, str, str]] = set()
        self.faults = 0
        """How often a rule failed."""
        self.late = 0
        """How often the past was not known in time."""

    @property
    def is_blind(self) -> bool:
        """Whether the past could not be read when it was asked for last, some minutes ago at most: nobody is raised or
        lowered by it then."""
        return asyncio.get_running_loop().time() < self._blind_until_s

    async def advise(self, arrival: Arrival) -> Advice:
        """The advice for that call. Raises nothing that a database or a rule can raise."""
        of_trunk = advise(arrival.trunk, self._trunk_rules)
        limit_s = asyncio.get_running_loop().time() + LIMIT_S
        books = await self._books_at_hand(limit_s)
        if books is None or arrival.trunk == PROBE_TRUNK:
            return of_trunk
        if books.block_of(arrival.caller, arrival.at) is not None:
            # the dialplan has the block in its own notes; nothing is to raise what it puts behind
            return Advice(queue=of_trunk.queue, priority=PRIORITIES[Effect.LATER])
        rules = in_order(books.advice_rules)
        past = await self._past_of(arrival, rules, limit_s) if rules else None
        found = counsel(rules, arrival, past)
        self._note_faults(found)
        return self._told(found, of_trunk, books, arrival)

    def _told(self, found: Counsel, of_trunk: Advice, books: Books, arrival: Arrival) -> Advice:
        priority = found.priority
        if priority is None or (found.is_idle and of_trunk.priority in _NOT_LOWERED):
            return of_trunk  # in a burst that is most calls, and each telling is work
        if found.effect is not Effect.LATER:
            # what speaks for a caller leaves him no later than his trunk's other calls
            priority = max(priority, of_trunk.priority or AS_THEY_COME)
        # a queue that is gone since (somebody wrote past the office), or where nobody is now, leaves the call where its
        # trunk puts it
        queue = found.queue
        if queue is None or queue not in books.queues or self._is_deserted(queue):
            queue = of_trunk.queue
        return Advice(
            queue=queue,
            priority=priority,
            notice=NUISANCE if found.is_nuisance else None,
            asks_key=found.is_nuisance and self._is_loaded(queue or _own_queue(books, arrival.trunk)),
            rules=found.rules,
        )

    async def _books_at_hand(self, limit_s: float) -> Books | None:
        try:
            async with asyncio.timeout_at(limit_s):
                self._books = await self._bookkeeper.at_hand()
        except (StoreAway, TimeoutError) as error:
            log.warning("advice_without_new_books", extra={"reason": str(error) or "no answer in time"})
        return self._books

    async def _past_of(self, arrival: Arrival, rules: list[AdviceRule], limit_s: float) -> Past | None:
        since = arrival.at - timedelta(minutes=longest_min(rules))
        clock_s = asyncio.get_running_loop().time
        if clock_s() < self._ask_again_s:
            self.late += 1
            return None
        try:
            async with asyncio.timeout_at(limit_s):
                past = await self._past.past(arrival, since, windows(rules))
                self._blind_until_s = 0.0
                return past
        except Exception as error:  # whatever it is, the trunk's own advice and the rules that need no past are given
            self.late += 1
            is_late = isinstance(error, StoreAway | TimeoutError)
            self._ask_again_s = clock_s() + ASK_AGAIN_S
            self._blind_until_s = clock_s() + (LATE_S if is_late else BLIND_S)
            if not is_late:
                log.exception("past_not_read")
            reason = str(error) or "no answer in time"
            log.warning("advice_without_past", extra={"call": arrival.call_id, "reason": reason})
            return None

    def _note_faults(self, found: Counsel) -> None:
        self.faults += len(found.faults)
        for fault in found.faults:
            if fault not in self._faulty:  # each is told once, not with every call
                self._faulty.add(fault)
                log.error("advice_rule_failed", extra={"rule_id": fault[0], "rule": fault[1], "reason": fault[2]})


def is_loaded(queue: str, calls: Iterable[Call], phones_there: Collection[str]) -> bool:
    """Whether more of these callers wait in that queue, or in the fallback after it, than operators are there."""
    waiting = sum(call.queue == queue and call.stage in (Stage.QUEUED, Stage.FALLBACK) for call in calls)
    return waiting > len(phones_there)


def _own_queue(books: Books, trunk: str) -> str:
    known = books.trunks.get(trunk)
    return (known.queue if known else None) or books.default_queue
