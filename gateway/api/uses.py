"""When each token was last used, so that an admin sees which ones nobody needs any more.

Counterpart: `gateway/store/repository.py` keeps it, written once in a minute for all tokens together.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from gateway.ports import StoreAway
from gateway.store.repository import Repository

log = logging.getLogger(__name__)

SAVED_EVERY_S = 60.0


class Uses:
    """The last use of every token. What is not saved yet when the gateway dies is forgotten: a minute at most."""

    def __init__(self, store: Repository, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._unsaved: dict[int, datetime] = {}
        self._saved: dict[int, datetime] | None = None

    def note(self, token_id: int) -> None:
        """Takes that the token is used now."""
        self._unsaved[token_id] = self._clock()

    async def all(self) -> Mapping[int, datetime]:
        """When each token was last used, by its id. Raises StoreAway."""
        if self._saved is None:
            self._saved = await self._store.token_uses()
        return {**self._saved, **self._unsaved}

    async def save(self) -> None:
        """Saves what is not saved yet. Raises StoreAway: then it is still to be saved."""
        saving, self._unsaved = self._unsaved, {}
        try:
            if saving:
                await self._store.put_token_uses(saving)
        except StoreAway:
            self._unsaved = {**saving, **self._unsaved}
            raise
        if self._saved is not None:
            self._saved |= saving

    async def run(self) -> None:
        """Saves once in a minute, for ever."""
        while True:
            await asyncio.sleep(SAVED_EVERY_S)
            try:
                await self.save()
            except StoreAway as away:
                log.info("token_uses_not_saved", extra={"reason": str(away)})
