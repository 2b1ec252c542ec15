"""Signs of life: the last moments that are known of calls and dials whose end nobody told: Asterisk died under them.

Counterparts: `centre.py` ends them; `domain/life.py` takes the latest of all that is known.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime

from gateway.domain import evidence
from gateway.domain.recordings import Recording
from gateway.ports import RawSounds, Store

log = logging.getLogger(__name__)


async def heard_until(store: Store, sounds: RawSounds, dial_ids: Collection[str]) -> dict[str, datetime]:
    """Until when the recordings of these dials go, by the dial's id; of others nothing is known. Raises StoreAway."""
    if not dial_ids:
        return {}
    running = [each for each in await store.running_recordings() if each.dial_id in dial_ids]
    sizes = await _sizes(sounds, running)
    return {each.dial_id or "": evidence.heard_until(each, sizes[each.file]) for each in running if each.file in sizes}


async def last_signs(
    store: Store, sounds: RawSounds, running: Mapping[str, Collection[Recording]]
) -> dict[str, list[datetime]]:
    """When the last event of each of these calls was, and until when its recordings that ran go, by the call's id.
    Raises StoreAway."""
    if not running:
        return {}
    signs = {call_id: [at] for call_id, at in (await store.last_events(running)).items()}
    sizes = await _sizes(sounds, [each for its in running.values() for each in its])
    for call_id, its in running.items():
        heard = [evidence.heard_until(each, sizes[each.file]) for each in its if each.file in sizes]
        signs[call_id] = signs.get(call_id, []) + heard
    return signs


async def _sizes(sounds: RawSounds, recordings: Collection[Recording]) -> Mapping[str, int]:
    try:
        sizes = await sounds.sizes([each.file for each in recordings])
        return {file: size for file, size in sizes.items() if size is not None}
    except OSError as error:  # what the journal told is something, too
        log.warning("sound_of_lost_calls_not_seen", extra={"reason": str(error)})
        return {}
