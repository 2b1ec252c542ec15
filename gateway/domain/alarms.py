"""Alarms: what is wrong now and needs somebody. An alarm is a state: it stands until what it tells of is over.

Counterpart: `gateway/watch.py` compares what should be alarming with the alarms that stand, and announces the
difference.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm. There is at most one that stands for each kind and subject."""

    kind: str
    """What is wrong, in one word: `hole`, `short`, `lone_silent`, `flood_trunk`, `callbacks_overdue`, `disk_low`."""
    subject: str
    """With whom or what: a queue's name, a phone, a trunk, a number."""
    detail: str
    raised_at: datetime
    cleared_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.subject


def changes(should: Iterable[Alarm], standing: Mapping[tuple[str, str], Alarm], at: datetime) -> list[Alarm]:
    """The alarms to store so that exactly those of `should` stand: new ones, and standing ones cleared. One that stands
    already keeps the time at which it was raised; its detail may change."""
    wanted = {alarm.key: alarm for alarm in should}
    found = [replace(alarm, cleared_at=at) for key, alarm in standing.items() if key not in wanted]
    for key, alarm in wanted.items():
        there = standing.get(key)
        if there is None:
            found.append(alarm)
        elif there.detail != alarm.detail:
            found.append(replace(there, detail=alarm.detail))
    return found
