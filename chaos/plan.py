"""The plan: the seed alone says which fault comes when, and how long it lasts.

Counterpart: `campaign.py`, which carries it out.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from chaos.faults import Fault


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault. `at_s` counts from the beginning; `hold_s` is how long it lasts; `seed` is for whatever else it
    chooses."""

    number: int
    fault: Fault
    at_s: float
    hold_s: float
    seed: str

    def from_the(self, start_s: float) -> "Planned":
        """The same, with its time counted from then."""
        return replace(self, at_s=self.at_s - start_s)


def make(seed: int, faults: Sequence[Fault], *, seconds: float, every_s: float) -> list[Planned]:
    """One fault every `every_s`. Families take turns, in an order that is new with each round, and each family brings
    all its faults before one of them comes again: however short a campaign is, it shows as much as it can."""
    planned = []
    for number, fault in zip(range(int(seconds // every_s)), _in_turns(seed, faults), strict=False):
        luck = random.Random(f"{seed} {number} {fault.name}")
        at_s = every_s * (number + luck.uniform(0, 0.3))
        hold_s = round(luck.uniform(fault.shortest_s, fault.longest_s), 2)
        planned.append(Planned(number + 1, fault, round(at_s, 2), hold_s, f"{seed} {number}"))
    return planned


def _in_turns(seed: int, faults: Sequence[Fault]) -> Iterator[Fault]:
    luck = random.Random(seed)
    families = sorted({fault.family for fault in faults})
    bags: dict[str, list[Fault]] = {family: [] for family in families}
    while families:
        luck.shuffle(families)
        for family in families:
            if not bags[family]:
                bags[family] = [fault for fault in faults if fault.family == family]
                luck.shuffle(bags[family])
            yield bags[family].pop()
