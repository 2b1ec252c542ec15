"""The reads: what the API asks of the history, page by page.

Counterpart: `gateway/api/`; `repository.py` writes what is read here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.domain.call import PROBE_TRUNK, Call, Outcome
from gateway.domain.events import StoredEvent
from gateway.domain.tokens import Token
from gateway.store import rows
from gateway.store.call_list import CallFilter, Page, page_of
from gateway.store.call_statements import ONE, Beside, found_by
from gateway.store.callback_reads import CallbackReads
from gateway.store.database import POOL_SIZE, QuickReads, in_turn, reading
from gateway.store.disposition_reads import DispositionReads
from gateway.store.flow_reads import FlowReads
from gateway.store.history_reads import HistoryReads
from gateway.store.kept_reads import KeptReads
from gateway.store.level_reads import LevelReads
from gateway.store.recording_reads import RecordingReads
from gateway.store.report_reads import ReportReads
from gateway.store.shelves import SHELVES
from gateway.store.tables import calls, events, set_aside
from gateway.store.workload_reads import WorkloadReads

CONNECTIONS_LEFT_TO_REPOSITORY = 5
"""However many ask the API, storing a call never waits for a connection, nor does the advice (`past_reads.AT_ONCE`)."""

_LARGEST_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TrunkSummary:
    """What came in on one trunk: calls ever, when the last one arrived, and how many run now."""

    trunk: str
    calls: int
    last_arrived_at: datetime
    running: int


class Reads:
    """The API's view of the store. Every call has the time limits of `database.py`, and then raises StoreAway."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        at_once = POOL_SIZE - CONNECTIONS_LEFT_TO_REPOSITORY
        self._places = asyncio.Semaphore(at_once)
        self._quick = QuickReads(engine, at_once, self._places)
        """For what nearly every request asks."""
        self._counting = asyncio.Lock()
        self._summaries: tuple[int, list[TrunkSummary]] | None = None
        self.kept = KeptReads(self._reading)
        self.levels = LevelReads(self._reading)
        self.flow = FlowReads(self._reading, self.levels)
        self.workload = WorkloadReads(self._reading)
        self.callbacks = CallbackReads(self._reading)
        self.dispositions = DispositionReads(self._reading)
        self.reports = ReportReads(self._reading)
        self.histories = HistoryReads(self._reading)
        self.recordings = RecordingReads(self._reading)

    async def calls(self, filter: CallFilter, cursor: str | None, limit: int) -> Page:
        """At most `limit` calls (1 or more), the newest first; those of the same moment by id, the greatest first.

        One with fewer, or none, may have a cursor all the same: the search goes on there (`call_list.py`). A call that
        arrives while pages are turned is in none of the later ones. Raises BadCursor, StoreAway.
        """
        return await self._quick.read(lambda connection: page_of(connection, filter, cursor, limit))

    async def call(self, call_id: str) -> Call | None:
        """The call with that id. Raises StoreAway."""
        query = select(calls).where(calls.c.id == call_id)
        row = await self._quick.read(lambda connection: connection.execute(query).mappings().one_or_none())
        return None if row is None else rows.call_of(row)

    async def call_and_beside(self, call_id: str) -> tuple[Call, Beside] | None:
        """The call with that id, and what stands elsewhere of it. Raises StoreAway."""
        found, beside = await self._quick.read(lambda connection: found_by(connection, ONE, {"call_id": call_id}))
        return (found[0], beside) if found else None

    async def events(self, after: int, limit: int, call_id: str | None = None) -> list[StoredEvent]:
        """At most `limit` events after that number, of one call or of all, oldest first. Raises StoreAway."""
        query = select(events).where(events.c.seq > max(0, min(after, _LARGEST_SEQ)))
        if call_id is not None:
            query = query.where(events.c.call_id == call_id)
        async with self._reading() as connection:
            found = await connection.execute(query.order_by(events.c.seq).limit(limit))
            return [rows.event_of(row) for row in found.mappings()]

    async def token(self, token_hash: str) -> Token | None:
        """The token in use of whose secret, or of whose secret before the last rotation, that is the SHA-256; None when
        there is none. It may have expired. Raises StoreAway."""
        shelf = SHELVES[Token]
        table = shelf.table
        is_its = (table.c.token_hash == token_hash) | (table.c.previous_hash == token_hash)
        query = select(table).where(is_its, table.c.retired_at.is_(None))
        row = await self._quick.read(lambda connection: connection.execute(query).mappings().first())
        return None if row is None else cast("Token", shelf.thing(row))

    async def trunk_summaries(self, as_of: int) -> list[TrunkSummary]:
        """One for each trunk that ever had a call, the probe's too, by name; as of that event of the ledger or later.
        All calls are counted for it: whoever asks for the same event again, or meanwhile, is told the same. Raises
        StoreAway."""
        async with in_turn(self._counting):
            if self._summaries is None or self._summaries[0] != as_of:
                self._summaries = as_of, await self._trunk_summaries()
            return self._summaries[1]

    async def _trunk_summaries(self) -> list[TrunkSummary]:
        each = select(calls.c.trunk, func.count(), func.max(calls.c.arrived_at)).group_by(calls.c.trunk)
        running = select(calls.c.trunk, func.count()).where(calls.c.ended_at.is_(None)).group_by(calls.c.trunk)
        async with self._reading() as connection:
            now = {row[0]: row[1] for row in await connection.execute(running)}
            return [
                TrunkSummary(trunk, count, last_arrived_at, now.get(trunk, 0))
                for trunk, count, last_arrived_at in await connection.execute(each.order_by(calls.c.trunk))
            ]

    async def outcome_counts(self) -> tuple[dict[str, int], int]:
        """How many calls ended in each way, with 0 where none did, without the probe's; and the number of the newest
        event as of then. Reads an index of all calls. Raises StoreAway."""
        query = (
            select(calls.c.outcome, func.count())
            .where(calls.c.outcome.is_not(None), calls.c.trunk != PROBE_TRUNK)
            .group_by(calls.c.outcome)
        )
        async with self._reading() as connection:
            if connection.dialect.name == "postgresql":
                # both as of one moment; SQLite's transactions are so anyway
                await connection.execution_options(isolation_level="REPEATABLE READ")
            newest: int = (await connection.execute(select(func.coalesce(func.max(events.c.seq), 0)))).scalar_one()
            ended = {row[0]: row[1] for row in await connection.execute(query)}
        return {outcome.value: ended.get(outcome.value, 0) for outcome in Outcome}, newest

    async def set_aside_count(self) -> int:
        """How many records could not be used. Raises StoreAway."""
        async with self._reading() as connection:
            count: int = (await connection.execute(select(func.count()).select_from(set_aside))).scalar_one()
            return count

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        async with in_turn(self._places), reading(self._engine) as connection:
            yield connection
