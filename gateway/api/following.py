"""What comes next in the ledger: from memory where the feed has it, from the database where it has not.

Counterparts: `streams.py` and `courier.py`, whose listeners each keep a place of their own.
"""

import asyncio

from gateway.domain.events import StoredEvent
from gateway.feed import Feed
from gateway.ports import StoreAway
from gateway.store.reads import Reads

STORE_AWAY_PAUSE_S = 1.0


async def following(feed: Feed, reads: Reads, seq: int, limit: int) -> list[StoredEvent]:
    """At most `limit` events after `seq`, in order and without a hole; empty when there is none.

    Where the ledger cannot tell now it is empty too, after a pause: whoever asks keeps the place and asks again.
    """
    recent = feed.after(seq)
    # a commit whose answer was lost is in the ledger and was never announced: then the feed has a hole
    if recent is not None and len(recent) == max(0, feed.newest - seq):
        return recent[:limit]
    try:
        events = await reads.events(seq, limit)
    except StoreAway:
        events = []
    if not events:
        await asyncio.sleep(STORE_AWAY_PAUSE_S)
    return events
