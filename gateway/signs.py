"""Signs of life: the last moments that are known of calls whose end nobody told, for Asterisk died under them.

Counterparts: `centre.py` ends such calls; `domain/life.py` takes the latest of all that is known.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime

from gateway.domain import evidence
from gateway.domain.recordings import Recording
from gateway.ports import RawSounds, Store

log = logging.getLogger(__name__)


async def last_signs(
    store: Store, sounds: RawSounds, running: Mapping[str, Collection[Recording]]
) -> dict[str, list[datetime]]:
    """When the last event of each of these calls was, and until when its recordings that ran go, by the call's id.
    Raises StoreAway."""
    if not running:
        return {}
    signs = {call_id: [at] for call_id, at in (await store.last_events(running)).items()}
    try:
        sizes = await sounds.sizes([each.file for its in running.values() for each in its])
    except OSError as error:  # what the journal told is something, too
        log.warning("sound_of_lost_calls_not_seen", extra={"reason": str(error)})
        sizes = {}
    for call_id, its in running.items():
        heard = [evidence.heard_until(each, sizes[each.file]) for each in its if each.file in sizes]
        signs[call_id] = signs.get(call_id, []) + heard
    return signs
