"""What keeping recordings as evidence needs of the store: those that wait, those of a day, and calls without one.

Counterparts: `gateway/ports.py` names it as `EvidenceReads`; `gateway/evidence.py` and `gateway/recovery.py` ask.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.call import Call
from gateway.domain.evidence import LONGEST_PAUSE_S
from gateway.domain.recordings import Kind, Recording, State
from gateway.ports import RecordingCounts
from gateway.store import rows
from gateway.store.database import QuickReads, reading
from gateway.store.tables import IS_LOST, IS_UNSEALED, IS_VERIFIED, calls, events, recordings

AROUND = timedelta(days=1)
"""A recording began so near to the day in its file's name: the two are told by two clocks."""


class StoredEvidence:
    """The port `EvidenceReads`. Every call has the time limits of `database.py`, and then raises StoreAway."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._often = QuickReads(engine, 1)
        """For what is asked each second."""

    async def unchecked(self, at_most: int) -> list[Recording]:
        """See ports.EvidenceReads."""
        return await self._waiting(recordings.c.sound_s.is_(None), at_most)

    async def sealable(self, now: datetime, at_most: int) -> list[Recording]:
        """See ports.EvidenceReads."""
        latest = now + timedelta(seconds=LONGEST_PAUSE_S)  # the clock was put back where one is to be tried after that
        is_due = or_(recordings.c.try_at.is_(None), recordings.c.try_at <= now, recordings.c.try_at > latest)
        return await self._waiting(recordings.c.sound_s.is_not(None) & is_due, at_most)

    async def _waiting(self, condition: Any, at_most: int) -> list[Recording]:
        query = select(recordings).where(IS_UNSEALED, recordings.c.state == State.OVER, condition)
        # by the time alone, as the index of these few has it: by the id too, SQLite would go through all recordings
        query = query.order_by(recordings.c.started_at).limit(at_most)
        found = await self._often.read(lambda connection: connection.execute(query).mappings().all())
        return [rows.recording_of(row) for row in found]

    async def counts(self, lost_since: datetime) -> RecordingCounts:
        """See ports.EvidenceReads."""
        is_over, is_failing = recordings.c.state == State.OVER, recordings.c.tries > 0
        unsealed = select(
            func.count().filter(is_over),
            func.count().filter(is_over & is_failing),
            func.min(recordings.c.ended_at).filter(is_over),
            func.count().filter(~is_over),
        ).where(IS_UNSEALED)
        lost = select(func.count()).where(IS_LOST, recordings.c.problem_at >= lost_since)
        async with reading(self._engine) as connection:
            over, failing, oldest_at, running = (await connection.execute(unsealed)).one()
            return RecordingCounts(over, failing, (await connection.execute(lost)).scalar_one(), oldest_at, running)

    async def verified_at(self) -> datetime | None:
        """See ports.EvidenceReads."""
        async with reading(self._engine) as connection:
            told = await connection.execute(select(func.max(events.c.at)).where(IS_VERIFIED))
            at: datetime | None = told.scalar_one()
            return at

    async def of_day(self, day: date, after: str, at_most: int) -> list[Recording]:
        """See ports.EvidenceReads."""
        since, until = _day(day)
        query = (
            select(recordings)
            .where(
                recordings.c.started_at >= since - AROUND,
                recordings.c.started_at < until + AROUND,
                recordings.c.file.startswith(f"{day:%Y/%m/%d}/", autoescape=True),
                recordings.c.id > after,
                recordings.c.state != State.DESTROYED,
            )
            .order_by(recordings.c.id)
            .limit(at_most)
        )
        async with reading(self._engine) as connection:
            return [rows.recording_of(row) for row in (await connection.execute(query)).mappings()]

    async def unfollowed(self, day: date, at_most: int) -> list[Call]:
        """See ports.EvidenceReads."""
        since, until = _day(day)
        its = recordings.c.call_id == calls.c.id
        has_sound = exists().where(its, recordings.c.kind == Kind.CALL)
        has_message = exists().where(its, recordings.c.kind == Kind.MESSAGE, recordings.c.file == calls.c.message)
        query = (
            select(calls)
            .where(
                calls.c.arrived_at >= since,
                calls.c.arrived_at < until,
                calls.c.ended_at.is_not(None),
                or_(
                    calls.c.recording.is_not(None) & ~has_sound,
                    calls.c.message.is_not(None) & ~has_message,
                ),
            )
            .order_by(calls.c.arrived_at, calls.c.id)
            .limit(at_most)
        )
        async with reading(self._engine) as connection:
            return [rows.call_of(row) for row in (await connection.execute(query)).mappings()]

    async def call(self, call_id: str) -> Call | None:
        """The call of that id; None where there is none. Raises StoreAway."""
        async with reading(self._engine) as connection:
            found = await connection.execute(select(calls).where(calls.c.id == call_id))
            row = found.mappings().one_or_none()
            return None if row is None else rows.call_of(row)

    async def first_day(self) -> date | None:
        """See ports.EvidenceReads."""
        firsts = (select(func.min(calls.c.arrived_at)), select(func.min(recordings.c.started_at)))
        async with reading(self._engine) as connection:
            found = [(await connection.execute(query)).scalar_one() for query in firsts]
        return min((at.astimezone(UTC).date() for at in found if at is not None), default=None)


def _day(day: date) -> tuple[datetime, datetime]:
    """Its first moment, and the first one after it (UTC)."""
    since = datetime.combine(day, time(), UTC)
    return since, since + timedelta(days=1)
