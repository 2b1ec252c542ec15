"""The meter: counts what is stored, where it is stored, for whoever watches the centre from outside.

Counterparts: `saving.py` tells it of every commit; `gateway/api/metrics.py` shows it. It never asks the store: what has
been before the start is asked once by `gateway/api/metrics.py`, and what is told here comes on top of it.
"""

import asyncio
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from gateway.domain.change import Change
from gateway.domain.events import StoredEvent

ANSWER_BOUNDS_S = (2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 120.0, 300.0, 600.0)
"""NENA-STA-020 counts calls that are answered within 10, 15, 20 and 40 s."""
WRITE_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
DELAY_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
DELAY_EVERY_S = 1.0
ENDED_KEPT = 2000
"""Ends of calls that are kept in mind while what was before them is read."""


class Histogram:
    """How many values there were up to each bound, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def take(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """Each bound in words (the last one is `+Inf`), with how many values were not greater: as Prometheus has it."""
        total, found = 0, []
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            found.append(("+Inf" if bound == float("inf") else str(float(bound)), float(total)))
        return found


class Meter:
    """Counts since the start. The probe's calls are not counted."""

    def __init__(self) -> None:
        self.write_s = Histogram(WRITE_BOUNDS_S)
        self.failed_writes = 0
        self.is_store_up = True
        """Whether the last write was stored."""
        self.arrived: Counter[str] = Counter()
        """Calls by the trunk that brought them."""
        self.answered: dict[str, Histogram] = {}
        """Seconds to the first person's voice, by queue; empty for a call that was in none."""
        self.delays = Histogram(DELAY_BOUNDS_S)
        """How late the gateway itself came to what it was to do at a given time, in seconds."""
        self._newest = 0
        self._before: Counter[str] | None = None
        """Calls that had ended before, by outcome; None until it was read."""
        self._ended: deque[tuple[int, str]] = deque(maxlen=ENDED_KEPT)
        """What ended since, with the event's number."""

    def failed(self) -> None:
        """Something was not stored, because the store is away."""
        self.failed_writes += 1
        self.is_store_up = False

    def stored(self, change: Change, events: Sequence[StoredEvent], seconds: float) -> None:
        """All of the change is stored; it took so long."""
        self.is_store_up = True
        self.write_s.take(seconds)
        if not events:
            return
        if events[0].seq != self._newest + 1:
            self._before = None  # somebody else has stored something, too
            self._ended.clear()
        self._newest = events[-1].seq
        calls = {call.id: call for call in change.calls}
        for stored in events:
            event = stored.event
            call = calls.get(event.call_id or "")
            if call is None or call.is_probe:
                continue
            if event.type == "call.arrived":
                self.arrived[call.trunk] += 1
            elif event.type == "call.answered" and call.answered_at == event.at:
                histogram = self.answered.setdefault(call.queue or "", Histogram(ANSWER_BOUNDS_S))
                histogram.take(float(event.data["wait_s"]))
            elif event.type == "call.ended":
                self._end(stored.seq, str(event.data["outcome"]))

    def _end(self, seq: int, outcome: str) -> None:
        if self._before is not None:
            self._before[outcome] += 1
        else:
            self._ended.append((seq, outcome))

    @property
    def ended(self) -> Mapping[str, int] | None:
        """Calls that have ended, ever, by outcome; None until it is known what was before: see `begin`."""
        return self._before

    def begin(self, ended: Mapping[str, int], seq: int) -> None:
        """Takes what the store holds as of the event of that number. Of two that read it at the same time the first
        counts: what ended since is known to that one alone."""
        if self._before is not None:
            return
        self._before = Counter(ended)
        for at, outcome in self._ended:
            if at > seq:
                self._before[outcome] += 1
        self._ended.clear()


async def watch_delays(meter: Meter) -> None:
    """Notes how late the gateway comes to what was to be done after a second, for ever."""
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + DELAY_EVERY_S
        await asyncio.sleep(DELAY_EVERY_S)
        meter.delays.take(max(0.0, loop.time() - due_s))
