"""Duty: what becomes of an operator's presence when he logs in or out, pauses or comes back, or misses rings; with the
deed that tells of it. The same by the API and by a code on the phone.

Counterparts: `presence.py` for the state itself, `gateway/centre.py` for facts from phones, `gateway/office.py` for
people who ask.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.domain.audit import CENTRE, Actor, Deed
from gateway.domain.books import Books
from gateway.domain.call import Result
from gateway.domain.events import Event
from gateway.domain.facts import RingFact
from gateway.domain.operators import Operator
from gateway.domain.presence import NO_ANSWER, Presence, Said

LONE = "lone"
"""The ring by which a lone operator is asked whether all is well."""


class Step(StrEnum):
    """What an operator does about his duty."""

    LOG_IN = "logged_in"
    LOG_OUT = "logged_out"
    PAUSE = "paused"
    RESUME = "resumed"


@dataclass(frozen=True, slots=True)
class Told:
    """A presence as it is to be, and the deed that tells of it."""

    presence: Presence
    deed: Deed


def step(
    books: Books,
    operator: Operator,
    what: Step,
    at: datetime,
    actor: Actor,
    *,
    reason: str = "",
    queues: Iterable[str] = (),
) -> Told:
    """What the step makes of the operator's presence. `queues` are where a login leads besides the roster's; without
    any they are the operator's own."""
    presence = books.presence(operator.id)
    next_change = books.plan.own_next_change(operator.id, at)
    match what:
        case Step.LOG_IN:
            places = tuple(dict.fromkeys((*queues, *books.places_if_in(operator, at))))
            after = presence.logged_in(at, places, next_change)
        case Step.LOG_OUT:
            after = presence.logged_out(at)
        case Step.PAUSE:
            after = presence.paused(at, reason)
        case Step.RESUME:
            after = presence.resumed()
    return _told(operator, after, what, at, actor, reason)


TELLS_OF_A_RING = frozenset({"call.operator_missed", "call.answered"})
"""The events that say whether a phone was picked up."""


def after_ring(books: Books, event: Event) -> Presence | Told | None:
    """What a ring that the event tells of makes of the operator's presence: only a count, a pause because the phone was
    not picked up again and again, the end of such a pause, or nothing."""
    operator = books.operator_at(str(event.data.get("phone", "")))
    if operator is None:
        return None
    before = books.presence(operator.id)
    if event.type == "call.answered":
        after = before.answered()
    elif event.data.get("result") == Result.NO_ANSWER:
        after = before.missed(event.at, books.rules.missed_rings_limit)
    else:
        return None
    if after.pause is not None and before.pause is None:
        return _told(operator, after, Step.PAUSE, event.at, CENTRE, NO_ANSWER)
    if after.pause is None and before.pause is not None:
        return _told(operator, after, Step.RESUME, event.at, CENTRE, "")
    return None if after is before else after


def after_key(books: Books, fact: RingFact) -> Told | None:
    """The end of a pause because the phone was not picked up, where a lone operator says by a key that all is well:
    whoever does is there. None where there is no such pause, or it began since."""
    operator = books.operator_at(fact.about) if fact.step == LONE and fact.has_agreed else None
    if operator is None:
        return None
    before = books.presence(operator.id)
    if before.pause != NO_ANSWER or (before.paused_at is not None and before.paused_at > fact.at):
        return None
    return _told(operator, before.resumed(), Step.RESUME, fact.at, CENTRE, "")


def without_place(books: Books, phones: Collection[str], at: datetime) -> list[Told]:
    """Lets the pauses end of those who have no place any more (`phones` are those that have one): nobody begins his
    next shift with the pause of the last."""
    return [
        step(books, operator, Step.RESUME, at, CENTRE)
        for operator in books.operators.values()
        if books.presence(operator.id).pause is not None and operator.phone not in phones
    ]


def told_by_now(books: Books, at: datetime) -> list[Presence]:
    """The presences of those who said something by a clock that has been put back since, as of now."""
    known = [each for each in books.presences.values() if each.operator_id in books.operators]
    now = [each.told_by_now(at, books.plan.own_next_change(each.operator_id, at)) for each in known]
    return [new for old, new in zip(known, now, strict=True) if new is not old]


def brought_back(books: Books, at: datetime) -> list[Presence]:
    """The presences of those who had logged out and whom the roster has brought back since."""
    return [
        presence.brought_back()
        for presence in books.presences.values()
        if presence.said is Said.OUT and books.said(presence.operator_id, at) is None
    ]


def _told(operator: Operator, presence: Presence, what: Step, at: datetime, actor: Actor, reason: str) -> Told:
    data = {"operator_id": operator.id, "phone": operator.phone, "name": operator.name}
    if reason:
        data["reason"] = reason
    action = f"operator.{what}"
    return Told(presence, Deed(at, actor, action, subject=f"operator/{operator.id}", data=data, note=reason))
