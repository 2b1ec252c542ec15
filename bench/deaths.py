"""Kill -9 of the gateway, the vault's worker and Asterisk, each many times at random moments of calls: what was found,
repaired and lost of their sound.

Counterparts: `tests/calls/killing.py`, which does it; `gateway/evidence.py` and `gateway/recovery.py`, which settle it.
"""

import asyncio
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.report import Block, Row
from bench.sides import Say
from tests import sip
from tests.calls import killing
from tests.calls.killing import Found, Victim
from tests.centre import real_centre

SPAN_S, LATE_S = 3.0, 7.0
"""Calls come for so long, and for so long after that it is killed: their sound is written, looked at, sealed then."""
MOST_LOST_S = 2.0
"""Asterisk writes sound out each second; and the journal tells of the answer a moment before the first sound."""


Figure = Callable[[list[Found]], float | int]


async def measure(say: Say, *, moments: int, seed: int) -> Block:
    """Each of the three is killed `moments` times, in a centre of its own."""
    found: dict[Victim, list[Found]] = {}
    with tempfile.TemporaryDirectory(prefix="deaths-") as folder:
        tone = sip.tone(Path(folder) / "tone.alaw", 700)
        for victim in Victim:
            found[victim] = await _rounds(victim, moments, random.Random(f"{seed} {victim}"), tone, say)  # noqa: S311
    faults = [f"{victim}: {fault}" for victim, rounds in found.items() for each in rounds for fault in each.faults]
    whole = "each call has one recording"
    return Block(
        f"killed {moments} times each",
        tuple(Victim),
        (
            _row(found, "moments", lambda rounds: len(rounds)),
            _row(found, "calls", lambda rounds: sum(each.calls for each in rounds)),
            _row(found, "found running or waiting at the kill", lambda rounds: sum(each.open for each in rounds)),
            _row(found, "of these repaired: sealed after it", lambda rounds: sum(each.repaired for each in rounds)),
            _row(found, "sealed in all", lambda rounds: sum(each.sealed for each in rounds)),
            _row(found, "empty: no sound was expected", lambda rounds: sum(each.empty for each in rounds)),
            _row(found, "lost whole", lambda rounds: sum(each.lost for each in rounds)),
            _row(
                found,
                "sound lost, all calls together",
                lambda rounds: sum(each.lost_s for each in rounds),
                unit="s",
            ),
            _row(
                found,
                "sound lost, the worst call",
                lambda rounds: max(each.worst_s for each in rounds),
                unit="s",
                target=f"at most {MOST_LOST_S:.0f} s",
                is_met=all(each.worst_s <= MOST_LOST_S for rounds in found.values() for each in rounds),
            ),
            _row(
                found,
                "faults: no call, no record, sound missing, sealed twice",
                lambda rounds: sum(len(each.faults) for each in rounds),
                target=whole,
                is_met=not faults,
            ),
        ),
        (f"seed {seed}", *faults[:20]),
    )


def _row(found: dict[Victim, list[Found]], what: str, figure: Figure, **more: Any) -> Row:
    return Row(what, {victim: figure(rounds) for victim, rounds in found.items()}, **more)


async def _rounds(victim: Victim, moments: int, luck: random.Random, tone: Path, say: Say) -> list[Found]:
    done = []
    with real_centre() as centre:
        await asyncio.to_thread(centre.start_asterisk)
        centre.start_gateway()
        await centre.ready()
        async with centre.api() as api:
            for number in range(moments):
                say(f"deaths: {victim}, {number + 1} of {moments}")
                if victim is Victim.WORKER and number:
                    # a worker that dies again and again is started after longer and longer pauses: not here
                    centre.stop_gateway()
                    centre.start_gateway()
                    await centre.ready()
                kill_by_s = SPAN_S + LATE_S
                done.append(
                    await killing.a_round(centre, api, [victim], tone, luck, span_s=SPAN_S, kill_by_s=kill_by_s)
                )
    return done
