"""What a dry run of advice rules asks of the past: the calls of some days in one pass, and what was said and open of
their numbers; and what is known of one number, for people.

Counterparts: `gateway/domain/dry_run.py` goes through it; `gateway/api/advice_rules.py` and `numbers.py` ask.
"""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CompoundSelect, Select, case, func, literal, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.advice_rules import Arrival, PastCall
from gateway.domain.call import Outcome
from gateway.domain.dry_run import History, OldCall
from gateway.domain.facts import Side
from gateway.domain.numbers import one_spelling, spellings
from gateway.domain.reputation import REMEMBERED, SAID_AT_MOST, Saying
from gateway.store.columns import Key
from gateway.store.tables import CAME_AT, NEWEST_CALL_FIRST, callbacks, calls, dispositions

_A_LOCATION = re.compile("<(cid|https?|sips?|pres|held):.+>")
"""What `dialplan/trunk.conf` takes for a location in the header Geolocation."""
EARLIER_AT_MOST = 20_000
"""Calls before the first one that a dry run reads at most, the newest."""
SAID_IN_ALL = 200_000
"""Dispositions and callbacks that one dry run reads at most, the newest."""


class HistoryReads:
    """`reading` opens a connection to read with, with the time limits of `database.py`; it may raise StoreAway."""

    def __init__(self, reading: Callable[[], AbstractAsyncContextManager[AsyncConnection]]) -> None:
        self._reading = reading

    async def history(self, since: datetime, until: datetime, limit: int, *, look_back: timedelta) -> History:
        """The first `limit` calls that arrived from `since` on and before `until`, the probe's too, after the calls of
        `look_back` before them (the newest EARLIER_AT_MOST); with what was said and open of their numbers before then.
        Raises StoreAway."""
        first = since - look_back
        query = _arrived(since, until).order_by(calls.c.arrived_at, calls.c.id).limit(limit)
        before = _arrived(first, since).order_by(*NEWEST_CALL_FIRST).limit(EARLIER_AT_MOST)
        async with self._reading() as connection:
            earlier = [_old_call(*row) for row in await connection.execute(before)]
            found = [*reversed(earlier), *(_old_call(*row) for row in await connection.execute(query))]
            last = found[-1].arrival.at if found else since
            said, waited = _said_of(first, last), _waited(first, last)
            sayings: dict[str, list[Saying]] = {}
            for call_id, caller, *saying in reversed((await connection.execute(said)).all()):
                sayings.setdefault(one_spelling(caller), []).append(Saying(call_id, *saying))
            spans: dict[str, list[tuple[datetime, datetime | None]]] = {}
            for number, opened_at, closed_at in await connection.execute(waited):
                spans.setdefault(one_spelling(number), []).append((opened_at, closed_at))
        return History(found, sayings, spans)

    async def sayings(self, number: str, since: datetime) -> list[Saying]:
        """What operators said since then of that number's calls, in any spelling, what was said last. Raises
        StoreAway."""
        query = (
            select(dispositions.c.call_id, *_SAID)
            .where(dispositions.c.caller.in_({number, *spellings(number)}), dispositions.c.set_at >= since)
            .order_by(dispositions.c.set_at.desc())
            .limit(SAID_AT_MOST)
        )
        async with self._reading() as connection:
            return [Saying(*row) for row in await connection.execute(query)]

    async def open_callback(self, number: str) -> tuple[int, datetime, datetime, int] | None:
        """The number's open callback, of several in its spellings the first that is due: its id, since when it is open
        and until when it is due, and how often the number tried. Raises StoreAway."""
        columns = (callbacks.c.id, callbacks.c.opened_at, callbacks.c.due_at, callbacks.c.try_count)
        query = (
            select(*columns)
            .where(callbacks.c.number.in_(spellings(number)), callbacks.c.closed_at.is_(None))
            .order_by(callbacks.c.due_at)
            .limit(1)
        )
        async with self._reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else (row.id, row.opened_at, row.due_at, row.try_count)


_SAID = (dispositions.c.disposition, dispositions.c.set_by, CAME_AT, dispositions.c.set_at, dispositions.c.trunk)


def _arrived(since: datetime, until: datetime) -> Select[Any]:
    return select(
        *(calls.c.id, calls.c.trunk, calls.c.caller, calls.c.arrived_at, calls.c.geolocation),
        *(calls.c.answered_at, calls.c.ended_at, calls.c.outcome, calls.c.hung_up_by),
    ).where(calls.c.arrived_at >= since, calls.c.arrived_at < until)


def _numbers(since: datetime, last: datetime) -> CompoundSelect[Any]:
    """The callers in between, as they were sent and in every spelling (`numbers.spellings`), without the separators
    that a trunk's filter leaves. One from abroad gets Indonesia's prefixes too: nobody has such a number."""
    came = select(calls.c.caller).where(calls.c.arrived_at >= since, calls.c.arrived_at <= last).distinct().cte("came")
    plain = func.replace(func.replace(came.c.caller, "-", "", type_=Key), ".", "", type_=Key)
    national = case(
        *((plain.like(f"{prefix}%"), func.substr(plain, len(prefix) + 1, type_=Key)) for prefix in ("+62", "62", "0")),
        else_=plain,
    )
    led = (literal(prefix, Key).concat(national) for prefix in ("0", "62", "+62"))
    return union(*map(select, (came.c.caller, plain, *led)))


def _said_of(since: datetime, last: datetime) -> Select[Any]:
    """What was said until then of the numbers that called in between, the newest first."""
    return (
        select(dispositions.c.call_id, dispositions.c.caller, *_SAID)
        .where(
            dispositions.c.set_at >= since - REMEMBERED,
            dispositions.c.set_at <= last,
            dispositions.c.caller.in_(_numbers(since, last)),
        )
        .order_by(dispositions.c.set_at.desc())
        .limit(SAID_IN_ALL)
    )


def _waited(since: datetime, last: datetime) -> Select[Any]:
    """The callbacks of those numbers that were opened until then."""
    return (
        select(callbacks.c.number, callbacks.c.opened_at, callbacks.c.closed_at)
        .where(callbacks.c.opened_at <= last, callbacks.c.number.in_(_numbers(since, last)))
        .order_by(callbacks.c.opened_at.desc())
        .limit(SAID_IN_ALL)
    )


def _old_call(
    call_id: str,
    trunk: str,
    caller: str,
    arrived_at: datetime,
    geolocation: str,
    answered_at: datetime | None,
    ended_at: datetime | None,
    outcome: str | None,
    hung_up_by: str | None,
) -> OldCall:
    return OldCall(
        Arrival(call_id, trunk, caller, arrived_at, has_location=_A_LOCATION.match(geolocation) is not None),
        PastCall(
            call_id,
            arrived_at,
            answered_at,
            ended_at,
            None if outcome is None else Outcome(outcome),
            None if hung_up_by is None else Side(hung_up_by),
        ),
    )
