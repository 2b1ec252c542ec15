"""The newest picture of the centre, worked out once for all who look at it, and only while somebody does.

Counterparts: `gateway/domain/picture.py` knows how; `board.py` shows it to whoever asks.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from gateway.api.board_models import BoardModel, PartSeen
from gateway.api.health import Status
from gateway.api.telling import told_json
from gateway.bookkeeper import Bookkeeper
from gateway.centre import Centre
from gateway.domain.books import Books
from gateway.domain.overload import Luxuries
from gateway.domain.picture import History, Picture, Seen, picture
from gateway.feed import Feed
from gateway.line import Line
from gateway.ports import StoreAway
from gateway.store.reads import Reads

log = logging.getLogger(__name__)

LEAST_S = 0.25
"""Between two pictures, however much happens."""
AGAIN_S = 1.0
"""A picture is older than that only while nobody looks: time alone changes it too (the rest after a call)."""
HISTORY_AGAIN_S = 5.0
HISTORY_LEAST_S = 1.0
"""The store is asked again that soon where a call ended, and after HISTORY_AGAIN_S in any case."""
STORE_WAIT_S = 1.0
"""How long a picture waits for a slow store; then it shows what the store said before."""
CLOSE_LIMIT_S = 5.0
ALARMS_SHOWN = 100

_CHANGES_HISTORY = frozenset(
    {
        *("call.answered", "call.ended", "alarm.raised", "alarm.cleared"),
        *("callback.opened", "callback.got_through", "callback.reached", "callback.given_up"),
    }
)


@dataclass(frozen=True)
class Shown:
    """One picture. `number` grows where anything but the time is another than in the one before."""

    number: int
    as_of: datetime
    timezone: str
    picture: Picture
    asterisk: PartSeen
    history: PartSeen
    is_seeing: bool

    def shows_the_same(self, other: "Shown | None") -> bool:
        return other is not None and self == replace(other, number=self.number, as_of=self.as_of)

    @cached_property
    def model(self) -> BoardModel:
        return BoardModel.of(
            self.picture,
            as_of=self.as_of,
            timezone=self.timezone,
            asterisk=self.asterisk,
            history=self.history,
            phones_seen=self.is_seeing,
        )

    @cached_property
    def frame(self) -> bytes:
        """As it goes over a stream, made once for all listeners who see callers' numbers whole."""
        return _frame(self.model, hides_numbers=False)

    @cached_property
    def masked_frame(self) -> bytes:
        """The same for those who do not."""
        return _frame(self.model, hides_numbers=True)


def _frame(model: BoardModel, *, hides_numbers: bool) -> bytes:
    return b"event: board\ndata: " + told_json(model, hides_numbers=hides_numbers) + b"\n\n"


class Pictures:
    """`status` says how Asterisk and the journal stand; `catch_up` returns once what Asterisk had written to its
    journal is stored, or after a moment; `silent_calls` are those whose caller does not speak; `luxuries` says how
    long a picture must stay; `clock` returns the time now, in UTC."""

    def __init__(
        self,
        *,
        centre: Centre,
        bookkeeper: Bookkeeper,
        line: Line,
        reads: Reads,
        feed: Feed,
        status: Callable[[], Status],
        catch_up: Callable[[], Awaitable[bool]],
        silent_calls: Callable[[], frozenset[str]],
        clock: Callable[[], datetime],
        luxuries: Callable[[], Luxuries] = Luxuries,
        store_wait_s: float = STORE_WAIT_S,
    ) -> None:
        self._centre = centre
        self._bookkeeper = bookkeeper
        self._line = line
        self._reads = reads
        self._feed = feed
        self._status = status
        self._catch_up = catch_up
        self._silent_calls = silent_calls
        self._clock = clock
        self._luxuries = luxuries
        self._store_wait_s = store_wait_s
        self._turn = asyncio.Lock()
        self._shown: Shown | None = None
        self._state: object = None
        """What the newest picture was made of, as far as that can be told without making it."""
        self._made_s = 0.0
        self._books: Books | None = None
        self._history: History | None = None
        self._history_s = 0.0
        self._history_seq = 0
        self._reading: asyncio.Task[None] | None = None
        self._store_up = True
        self._history_part: PartSeen | None = None

    async def newest(self) -> Shown:
        """The picture as things are now; of what has just changed, after LEAST_S at most. While there is too much to do
        it may be as old as the luxuries say: `as_of` tells.

        Raises StoreAway where the store has not answered since the start.
        """
        async with self._turn:
            age_s = time.monotonic() - self._made_s
            if self._shown is not None and age_s < self._luxuries().board:
                return self._shown
            if self._shown is not None and self._state == self._state_now() and age_s < AGAIN_S:
                return self._shown
            if self._shown is not None and age_s < LEAST_S:
                await asyncio.sleep(LEAST_S - age_s)
            shown = await self._make()
            if shown.shows_the_same(self._shown):
                shown = replace(shown, number=shown.number - 1)
            self._shown = shown
            return shown

    async def close(self) -> None:
        """Asks the store nothing more, and returns once that is so: what is asked when the store is closed would wait
        for ever."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading}, timeout=CLOSE_LIMIT_S)

    async def _make(self) -> Shown:
        state, made_s = self._state_now(), time.monotonic()
        books = await self._books_now()
        history = await self._history_now(books)
        places, trunks_up, before = tuple(self._line.places), dict(self._line.trunks_up), self._status()
        if not before.journal_waits:
            await self._catch_up()  # a line that rings was seen: of what call, the journal tells
        status, at = self._status(), self._clock()
        last_talks, silent_calls = dict(self._centre.last_talks), self._silent_calls()
        # where Asterisk was looked at only meanwhile, those are the places of before it went away
        is_seeing = before.is_seeing and status.is_seeing and before.asterisk_since == status.asterisk_since
        seen = Seen(places, trunks_up, last_talks, silent_calls) if is_seeing else None
        self._state, self._made_s = state, made_s
        return Shown(
            number=self._shown.number + 1 if self._shown else 1,
            as_of=at,
            timezone=self._bookkeeper.zone.key,
            picture=picture(books, seen, self._centre.running_calls.values(), history, at),
            asterisk=PartSeen(
                up=status.asterisk_up,
                reason=None if status.asterisk_up else status.asterisk_reason,
                since=status.asterisk_since,
            ),
            history=self._history_seen(status, at),
            is_seeing=is_seeing,
        )

    def _state_now(self) -> object:
        status = self._status()
        return status.asterisk_up, status.is_seeing, status.journal_waits, self._line.changes, self._feed.newest

    async def _books_now(self) -> Books:
        """The books, or those of before where the store keeps them from being read."""
        try:
            async with asyncio.timeout(self._store_wait_s):
                self._books = await self._bookkeeper.at_hand()
        except (StoreAway, TimeoutError) as error:
            self._store_up = False
            if self._books is None:
                raise StoreAway(str(error) or "the database does not answer in time") from error
        return self._books

    async def _history_now(self, books: Books) -> History:
        """What the store says, or said before where it takes long."""
        wait_s = 0.0
        if self._reading is None and self._is_history_due():
            self._reading = asyncio.create_task(self._read_history(books))
            wait_s = self._store_wait_s
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=wait_s)
            if self._reading.done():
                done, self._reading = self._reading, None
                done.result()
            else:
                self._store_up = False
        if self._history is None:
            raise StoreAway("the database does not answer")
        return self._history

    def _is_history_due(self) -> bool:
        age_s = time.monotonic() - self._history_s
        if self._history is None or age_s >= HISTORY_AGAIN_S:
            return True
        return age_s >= HISTORY_LEAST_S and self._has_history_changed()

    def _has_history_changed(self) -> bool:
        told = self._feed.after(self._history_seq)
        return told is None or any(each.event.type in _CHANGES_HISTORY for each in told)

    async def _read_history(self, books: Books) -> None:
        self._history_s, self._history_seq = time.monotonic(), self._feed.newest
        now = self._clock()
        midnight = now.astimezone(self._bookkeeper.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        within_s = {queue.name: queue.service_level_s for queue in books.queues.values()}
        levels = self._reads.levels
        try:
            alarms = await self._reads.kept.alarms(only_standing=True, before=None, limit=ALARMS_SHOWN)
            self._history = History(
                hour=await levels.service_levels(now - timedelta(hours=1), now, within_s),
                day=await levels.service_levels(midnight, now, within_s),
                last_calls=await levels.last_calls(books.trunks),
                alarms=tuple(alarm for _, alarm in alarms),
                callbacks=await self._reads.callbacks.open_ones(now),
            )
        except StoreAway as error:
            log.warning("board_history_not_read", extra={"reason": str(error)})
            self._store_up = False
        else:
            self._store_up = True

    def _history_seen(self, status: Status, at: datetime) -> PartSeen:
        reason = status.journal_waits or (None if self._store_up else "The database does not answer.")
        before = self._history_part
        if before is not None and before.up is (reason is None):
            since = before.since
        else:
            since = status.started_at if before is None and reason is None else at
        self._history_part = PartSeen(up=reason is None, reason=reason, since=since)
        return self._history_part
