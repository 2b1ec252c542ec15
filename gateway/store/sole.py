"""One gateway at a time on a database: PostgreSQL's own lock, for as long as a connection lasts.

Counterpart: `gateway/charge.py`, which does the same for the folder. SQLite's file lies in that folder, so nothing more
is needed there. A PostgreSQL database can be reached from another folder, or another machine: two centres by mistake on
one database would end each other's calls, for each knows only its own Asterisk's.
"""

import asyncio
import logging

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ports import StoreAway
from gateway.store.database import TRANSACTION_LIMIT_S, answering, engine_for

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
_TRY = text("SELECT pg_try_advisory_lock(112, 1)")


class SoleUse:
    """The use of one database, as `open_database` names it."""

    def __init__(self, url: str) -> None:
        self._engine = engine_for(url).execution_options(isolation_level="AUTOCOMMIT")
        self._is_needed = self._engine.dialect.name == "postgresql"
        self._connection: AsyncConnection | None = None

    async def take(self) -> bool:
        """Whether it could be had; it is held from then on. Raises StoreAway."""
        if not self._is_needed:
            return True
        try:
            with answering():
                async with asyncio.timeout(TRANSACTION_LIMIT_S):
                    if self._connection is None:
                        self._connection = await self._engine.connect()
                    return bool((await self._connection.execute(_TRY)).scalar_one())
        except StoreAway:
            await self._let_go()
            raise

    async def keep(self, *, look_every_s: float = LOOK_EVERY_S) -> None:
        """Takes it anew where the connection was lost; returns when somebody else has it."""
        is_held = True
        while True:
            await asyncio.sleep(look_every_s)
            if not self._is_needed:
                continue
            try:
                if is_held:
                    await self._look()
                elif not await self.take():
                    log.error("database_taken_over", extra={"reason": "another gateway works on this database"})
                    return
                is_held = True
            except StoreAway as error:
                # the store itself says that it is away; here only the hold on it is at stake
                log.info("database_not_held", extra={"reason": str(error)})
                is_held = False
                await self._let_go()

    async def _look(self) -> None:
        if self._connection is None:
            raise StoreAway("there is no connection")
        with answering():
            # of a server that vanished without a word (its machine died, and another one took its address) nothing is
            # ever heard: the system itself would give such a connection up after a quarter of an hour
            async with asyncio.timeout(TRANSACTION_LIMIT_S):
                await self._connection.execute(text("SELECT 1"))

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                with answering():
                    async with asyncio.timeout(TRANSACTION_LIMIT_S):
                        await connection.invalidate()
                        await connection.close()
            except StoreAway:
                pass  # it is gone already

    async def give_up(self) -> None:
        """Lets it go to whoever waits."""
        await self._let_go()
        await self._engine.dispose()
