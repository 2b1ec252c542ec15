"""Work that keeps a processor busy for long, such as a report or a calendar: apart from all else, one piece at a time.

Counterparts: `reports.py`, `calendars.py`, `coverage.py` and their like bring it. Python runs one thread at a time: six
such pieces at once are ready no sooner than one after the other, and slow down whatever else the gateway does by as
much (measured: five visits to the store's thread take 0.4 s beside six of them, 0.03 s beside one).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

from gateway.api.problems import Problem

P = ParamSpec("P")
T = TypeVar("T")

WAITING_AT_MOST = 16
"""Pieces that are being done or wait for that. Each holds what it is made of: a month's roster, a report's counts."""
RETRY_AFTER_S = 5

_thread = ThreadPoolExecutor(1, "apart")
_places = BoundedSemaphore(WAITING_AT_MOST)


async def apart(work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """What `work` returns, when its turn has come. Raises Problem (503) where too many wait, and what it raises."""
    if not _places.acquire(blocking=False):
        raise Problem(
            503,
            "As many reports, rosters and calendars are being worked out as may wait for that.",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )
    try:
        doing = _thread.submit(work, *given, **named)
    except BaseException:
        _places.release()
        raise
    doing.add_done_callback(lambda _: _places.release())
    return await asyncio.wrap_future(doing)
