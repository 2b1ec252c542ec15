"""Conservation: each INVITE that a carrier sent is exactly one call, with the outcome that SIPp saw and with its
recording, and nothing is told twice.

Counterparts: `sightings.py`, what SIPp saw; the REST API's calls, events and recordings, as JSON. This is code of its
own on purpose: it imports nothing of `gateway/`, and knows only what the API promises and what SIP means.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from chaos.sightings import Seen, Talk

Json = Mapping[str, Any]

CLEAR_S = 0.5
"""A talk of less may or may not have become one: phone and caller hung up while it began."""
CUT_S = 1.5
"""What happened so shortly before Asterisk was killed may not have been written down: it writes once a second what was
said, and a moment later what happened."""
SLACK_S = 3.0
"""So far the history's times may lie from SIPp's on a busy machine."""
BOOT_S = 5.0
"""So long after its boot an Asterisk may still refuse."""
SPOKEN_S = 0.5
"""Callers speak for two seconds: so much of it must be in the recording, also where Asterisk was killed."""
LASTED_S = 2.0
"""A call that was shorter need not have sound."""


class Kind(StrEnum):
    LOST = "lost"
    WRONG = "wrong"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be. `since` and `until` say when its call was in flight."""

    kind: Kind
    about: str
    words: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Span:
    since: float
    until: float

    def holds(self, since: float, until: float) -> bool:
        """Whether it meets the time from `since` to `until`."""
        return self.since <= until and self.until >= since


@dataclass(slots=True)
class Troubles:
    """What no history can undo, and when: the only excuses there are."""

    dead: list[Span] = field(default_factory=list)
    """Asterisk was killed, until it had booted anew."""
    frozen: list[Span] = field(default_factory=list)
    """Asterisk stood still."""
    no_room: list[Span] = field(default_factory=list)
    """There was no room for recordings."""

    def death_of(self, seen: Seen) -> Span | None:
        """The death of Asterisk under that call."""
        return next((span for span in self.dead if seen.is_open(span.since)), None)

    def has_cut(self, at: float) -> bool:
        """Whether what happened then may not have been written down, for Asterisk was killed a moment later."""
        return self.is_near(self.dead, at, at + CUT_S)

    def is_near(self, spans: Sequence[Span], since: float, until: float) -> bool:
        return any(span.holds(since, until) for span in spans)


@dataclass(frozen=True, slots=True)
class Told:
    """What the centre tells."""

    calls: Sequence[Json]
    recordings: Sequence[Json] | None = None
    """None where nobody asked for them."""


@dataclass(slots=True)
class Verdict:
    """What was found, and how many INVITEs there were of which kind."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


BEGINS, ENDS = "call.arrived", "call.ended"
"""What each call has once, whenever that is told."""


class Ledger:
    """The events, page after page: they have no hole, tell no step of a call twice, and no call ends twice."""

    def __init__(self) -> None:
        self.newest = 0
        self.findings: list[Finding] = []
        self._steps: set[int] = set()
        self._had: dict[str, set[str]] = {BEGINS: set(), ENDS: set()}

    def take(self, events: Iterable[Json]) -> None:
        """The next page."""
        for event in events:
            at = _at(event["at"])
            if event["seq"] != self.newest + 1:
                words = f"after event {self.newest} comes {event['seq']}"
                self.findings.append(Finding(Kind.WRONG, "the ledger", words, at, at))
            self.newest = event["seq"]
            if event["call_id"] is None:
                continue
            had = self._had.get(event["type"], set())
            step = hash((event["call_id"], event["type"], event["at"], str(event["data"])))
            if step in self._steps or event["call_id"] in had:
                words = f"{event['type']} of {event['call_id']} is told twice"
                self.findings.append(Finding(Kind.REPEATED, f"event {event['seq']}", words, at, at))
            self._steps.add(step)
            had.add(event["call_id"])

    def lacking(self, calls: Iterable[Json]) -> Iterable[Finding]:
        """What it does not tell of calls that are in the history: whoever follows it never hears of them."""
        for call in calls:
            for step in (BEGINS, *([ENDS] if call["outcome"] else ())):
                if call["id"] not in self._had[step]:
                    yield _of_call(Kind.LOST, call, f"the ledger has no {step} of it")


def check(
    seen: Iterable[Seen],
    talks: Mapping[str, Sequence[Talk]],
    told: Told,
    troubles: Troubles,
    *,
    is_final: bool,
) -> Verdict:
    """Holds each INVITE against the history. Before the end, `is_final` False, only calls that are over are looked at,
    and neither their recordings nor what the history has besides."""
    verdict = Verdict()
    by_call_id: dict[str, list[Json]] = defaultdict(list)
    for call in told.calls:
        by_call_id[str(call["sip_call_id"])].append(call)
    for each in seen:
        if is_final or each.ended_at is not None or troubles.death_of(each):
            _judge(each, by_call_id.pop(each.call_id, []), talks.get(each.number, ()), troubles, verdict, is_final)
    if is_final:
        for sip_call_id, calls in by_call_id.items():
            for call in calls:
                verdict.findings.append(_of_call(Kind.WRONG, call, f"no carrier sent its INVITE {sip_call_id!r}"))
        if told.recordings is not None:
            _judge_recordings(told.calls, told.recordings, verdict)
    return verdict


def _judge(
    seen: Seen, calls: Sequence[Json], talks: Sequence[Talk], troubles: Troubles, verdict: Verdict, is_final: bool
) -> None:
    verdict.counts["invited"] += 1

    def find(kind: Kind, words: str) -> None:
        until = seen.ended_at or seen.last_invited_at
        verdict.findings.append(Finding(kind, f"{seen.number} ({seen.call_id})", words, seen.invited_at, until))

    if not calls:
        excuse = _why_no_call(seen, troubles)
        verdict.counts[excuse or "lost"] += 1
        if not excuse:
            find(Kind.LOST, f"the history does not have it; {_saw(seen)}")
        return
    if len(calls) > 1:
        find(Kind.REPEATED, f"it is {len(calls)} calls: {', '.join(str(call['id']) for call in calls)}")
    call = calls[0]
    verdict.counts[str(call["outcome"] or "running")] += 1
    for words in (
        *_wrong_identity(seen, call),
        *_wrong_outcome(seen, call, talks, troubles),
        *_wrong_times(seen, call, troubles),
        *_wrong_answer(call, talks, troubles),
        *(_wrong_sound(seen, call, troubles) if is_final else ()),
    ):
        find(Kind.WRONG, f"call {call['id']}: {words}; {_saw(seen)}")


def _saw(seen: Seen) -> str:
    """What SIPp saw of it, in words, in seconds since the INVITE."""
    steps = {
        "first answer": seen.tried_at,
        "200": seen.answered_at,
        str(seen.status): seen.refused_at,
        "caller left": seen.left_at,
        "centre left": seen.was_left_at,
    }
    told = [f"{name} after {at - seen.invited_at:.2f} s" for name, at in steps.items() if at is not None]
    return "SIPp saw: " + (", ".join(told) or "no answer at all")


def _why_no_call(seen: Seen, troubles: Troubles) -> str:
    """Why the history need not have it; empty where it must."""
    # one that was sent again to an Asterisk that had long booted, and had no answer, did reach a living one
    deaths = [span for span in troubles.dead if seen.last_invited_at <= span.until + BOOT_S]
    if seen.tried_at is None and troubles.is_near(deaths, seen.invited_at, seen.last_invited_at + 1):
        return "never reached a living Asterisk"
    death = troubles.death_of(seen)
    if death and seen.answered_at is None and death.since - seen.invited_at <= CUT_S:
        return "Asterisk was killed as it came"
    if seen.refused_at is not None and seen.answered_at is None:
        booting = [Span(span.since, span.until + BOOT_S) for span in troubles.dead]
        if troubles.is_near(booting, seen.invited_at, seen.refused_at):
            return "refused by an Asterisk that booted"
    return ""


def _wrong_identity(seen: Seen, call: Json) -> Iterable[str]:
    for name, expected in (("trunk", seen.trunk), ("caller", seen.number)):
        if call[name] != expected:
            yield f"its {name} is {call[name]!r}, and was {expected!r}"


def _wrong_outcome(seen: Seen, call: Json, talks: Sequence[Talk], troubles: Troubles) -> Iterable[str]:
    outcome, death = call["outcome"], troubles.death_of(seen)
    if outcome is None:
        yield "it still runs"
        return
    until = min(at for at in (seen.ended_at, death.since if death else None, float("inf")) if at is not None)
    has_talked = any(_is_clear(talk, until, death, troubles) for talk in talks)
    if has_talked and outcome != "answered":
        yield f"it was {outcome}, and an operator's phone talked"
    if not talks and outcome == "answered":
        yield "it was answered, and no operator's phone has talked"
    # an operator's phone that answers and hangs up at once has talked with nobody: the centre has lost the caller
    if outcome == "failed" and not death and not (talks and seen.was_left_at is not None):
        yield "it failed, and Asterisk lived"
    side = call["hung_up_by"]
    # who never acknowledged 112's answer was no party to it, and either side may be said to have ended it
    is_whole = (
        death is None
        and seen.acked_at is not None
        and seen.ended_at is not None
        and not troubles.has_cut(seen.ended_at)
    )
    if is_whole and not _at_once(seen.left_at, seen.was_left_at):
        if (
            seen.left_at is not None
            and seen.left_at == seen.ended_at
            and side != "caller"
            and not (side == "operator" and _has_hung_up(talks, by=_freed(seen.left_at, troubles)))
        ):
            yield f"{side} hung up, and it was the caller"
        if seen.was_left_at == seen.ended_at and side == "caller":
            yield "the caller hung up, and it was the centre"


def _has_hung_up(talks: Iterable[Talk], by: float) -> bool:
    """Whether a phone has by then: an Asterisk that stood still finds both ends, and sees one of them first."""
    return any(talk.left_at is not None and talk.left_at <= by for talk in talks)


def _is_clear(talk: Talk, until: float, death: Span | None, troubles: Troubles) -> bool:
    """Whether that talk cannot but have been one."""
    end = min(until, talk.left_at or until)
    if troubles.is_near(troubles.frozen, talk.began_at - CLEAR_S, talk.began_at + CLEAR_S):
        return False
    if death and death.since - talk.began_at < CUT_S:
        return False
    return end - talk.began_at >= CLEAR_S


def _at_once(one: float | None, other: float | None) -> bool:
    """Whether both hung up, so shortly after one another that either may have been first."""
    return one is not None and other is not None and abs(one - other) <= CLEAR_S


def _wrong_times(seen: Seen, call: Json, troubles: Troubles) -> Iterable[str]:
    """Times that lie elsewhere than SIPp's. While Asterisk stands still or is dead, it sees everything later."""
    arrived = _at(call["arrived_at"])
    latest = _freed(seen.last_invited_at, troubles)
    if not seen.invited_at - SLACK_S <= arrived <= latest + SLACK_S:
        yield f"it arrived {arrived - seen.invited_at:+.1f} s from its INVITE"
    if call["ended_at"] is None or seen.ended_at is None:
        return
    for step in ("greeted_at", "queued_at", "answered_at", "spoke_at"):
        if call[step] is not None and not arrived - SLACK_S <= _at(call[step]) <= _at(call["ended_at"]) + SLACK_S:
            yield f"its {step} is {_at(call[step]) - arrived:+.1f} s from its arrival, which is not in it"
    ended, death = _at(call["ended_at"]), troubles.death_of(seen)
    if death is not None:
        if not arrived <= ended <= death.until + SLACK_S:
            yield f"it ended {ended - death.since:+.1f} s from the death of Asterisk"
    elif troubles.has_cut(seen.ended_at):
        # nobody knows but that Asterisk died: such a call ends where its sound does
        if not arrived <= ended <= _freed(seen.ended_at, troubles) + SLACK_S:
            yield f"it ended {ended - seen.ended_at:+.1f} s from its end, and Asterisk was killed after it"
    elif not _soonest_end(seen) - SLACK_S <= ended <= _freed(seen.ended_at, troubles) + SLACK_S:
        yield f"it ended {ended - seen.ended_at:+.1f} s from its end"


def _wrong_answer(call: Json, talks: Sequence[Talk], troubles: Troubles) -> Iterable[str]:
    """A person is told to have answered when a phone's talk with him began: how long he waited is counted by that."""
    if call["answered_at"] is None or not talks:
        return
    answered = _at(call["answered_at"])
    if not any(talk.began_at - SLACK_S <= answered <= _freed(talk.began_at, troubles) + SLACK_S for talk in talks):
        yield f"it was answered {answered - talks[0].began_at:+.1f} s from the talk at a phone"


def _soonest_end(seen: Seen) -> float:
    """When it may have been over for the centre. To a caller who never acknowledged its answer it must not say BYE
    before half a minute of repeating it is over, whenever the operator hung up (RFC 3261, 15)."""
    ends = [at for at in (seen.left_at, seen.refused_at) if at is not None]
    if seen.acked_at is None and seen.answered_at is not None and not ends:
        return seen.answered_at
    return seen.ended_at if seen.ended_at is not None else float("inf")


def _freed(at: float, troubles: Troubles) -> float:
    """When Asterisk could see what was sent then."""
    spans = [*troubles.frozen, *troubles.dead]
    return max([at, *(span.until for span in spans if span.since <= at <= span.until)])


def _wrong_sound(seen: Seen, call: Json, troubles: Troubles) -> Iterable[str]:
    """An answered call has its recording, with what the caller said: he speaks at its beginning."""
    if seen.answered_at is None or seen.ended_at is None or call["ended_at"] is None:
        return
    lasted = seen.ended_at - seen.answered_at
    death = troubles.death_of(seen)
    is_excused = (
        lasted < LASTED_S
        or (death is not None and death.since - seen.answered_at < CUT_S + 1)
        or troubles.is_near(troubles.frozen, seen.answered_at, seen.answered_at + LASTED_S)
        or troubles.is_near(troubles.no_room, seen.invited_at, seen.ended_at)
    )
    if is_excused:
        return
    recording = call["recording"]
    if recording is None:
        yield f"it has no recording, and lasted {lasted:.1f} s"
    elif recording["duration_s"] - recording["silence_s"] < SPOKEN_S:
        yield f"its recording has {recording['duration_s'] - recording['silence_s']:.1f} s of sound"


def _judge_recordings(told: Sequence[Json], recordings: Sequence[Json], verdict: Verdict) -> None:
    """One recording a call, and each of them settled."""
    of_calls = Counter(str(each["call_id"]) for each in recordings if each["kind"] == "call")
    calls = {str(call["id"]): call for call in told}
    for call_id, count in of_calls.items():
        if count > 1 and call_id in calls:
            verdict.findings.append(_of_call(Kind.REPEATED, calls[call_id], f"it has {count} recordings"))
    for each in recordings:
        verdict.counts[f"recordings {each['state']}"] += 1
        if each["state"] in ("running", "over") and str(each["call_id"]) in calls:
            words = f"its recording is not settled: {each['state']}, {each['problem'] or 'no problem is told'}"
            verdict.findings.append(_of_call(Kind.WRONG, calls[str(each["call_id"])], words))
    for call in told:
        if call["greeted_at"] is not None and str(call["id"]) not in of_calls:
            verdict.findings.append(_of_call(Kind.LOST, call, "there is no record of its sound"))


def _of_call(kind: Kind, call: Json, words: str) -> Finding:
    since = _at(call["arrived_at"])
    until = since if call["ended_at"] is None else _at(call["ended_at"])
    return Finding(kind, f"{call['caller']} ({call['id']})", words, since, until)


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
