"""How soon a person had each caller, beside plain Asterisk: whatever is broken around Asterisk, no call waits for it.

Counterparts: `sightings.py`, what SIPp saw; `bench/plain/`, plain Asterisk, which has the same traffic for a while
before the campaign. Like `conservation.py` this imports nothing of `gateway/`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.measure import percentile
from chaos.conservation import Finding, Kind, Span
from chaos.sightings import Seen, Talk

LOOK_S = 1.0
"""Whether a caller's turn has come app_queue looks once a second: so late may be whom no phone was free for."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A caller who was answered by 112: `took_s` from his INVITE to the talk with a person, or, where he `had_nobody`,
    to the end of his call."""

    seen: Seen
    took_s: float
    had_nobody: bool = False


@dataclass(frozen=True, slots=True)
class Rings:
    """How soon, of so many calls; NaN of none."""

    count: int
    median_s: float
    p99_s: float
    worst_s: float

    @classmethod
    def of(cls, rings: Iterable[Ring]) -> "Rings":
        took = [ring.took_s for ring in rings]
        return cls(len(took), *(percentile(took, percent) for percent in (50, 99, 100)))

    def __str__(self) -> str:
        return f"median {self.median_s:.3f} s, p99 {self.p99_s:.3f} s, worst {self.worst_s:.3f} s of {self.count} calls"


def had(seen: Iterable[Seen], talks: Mapping[str, Sequence[Talk]], excused: Sequence[Span]) -> list[Ring]:
    """Of all who had a person, save in the time of what delays any Asterisk: its own death, phones that misbehave."""
    found = []
    for each in seen:
        began_at = min((talk.began_at for talk in talks.get(each.number, ())), default=None)
        if began_at is None or each.answered_at is None:
            continue
        if not any(span.holds(each.invited_at, began_at) for span in excused):
            found.append(Ring(each, began_at - each.invited_at))
    return found


def had_nobody(seen: Iterable[Seen], talks: Mapping[str, Sequence[Talk]], excused: Sequence[Span]) -> list[Ring]:
    """Of all whom 112 answered and who were gone before a person came, save in the time of what delays any Asterisk."""
    return [
        Ring(each, each.ended_at - each.invited_at, had_nobody=True)
        for each in seen
        if each.answered_at is not None
        and each.ended_at is not None
        and not talks.get(each.number)
        and not any(span.holds(each.invited_at, each.ended_at) for span in excused)
    ]


def late(rings: Iterable[Ring], plain: Rings) -> list[Finding]:
    """Those who had a person later than the last one of plain Asterisk's, and later than app_queue's own look, or who
    waited as long for one in vain."""
    most_s = max(plain.worst_s, LOOK_S) if plain.count else LOOK_S
    return [
        Finding(
            Kind.WRONG,
            f"{ring.seen.number} ({ring.seen.call_id})",
            f"he had {'nobody in' if ring.had_nobody else 'a person after'} {ring.took_s:.2f} s; "
            f"plain Asterisk's last one had after {plain.worst_s:.2f} s",
            ring.seen.invited_at,
            ring.seen.invited_at + ring.took_s,
        )
        for ring in rings
        if ring.took_s > most_s
    ]
