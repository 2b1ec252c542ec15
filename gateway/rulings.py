"""The rulings: what a change to the books must not do. Each says which field is at fault, and why.

Counterpart: `office.py` asks before it stores anything; `gateway/api/` turns a ruling into a problem document.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from gateway import recurrence
from gateway.bookkeeper import Bookkeeper
from gateway.domain import advice_rules, retention, shifts, trunks
from gateway.domain.advice_rules import AdviceRule
from gateway.domain.agencies import Agency, DutyPhone
from gateway.domain.audit import Actor
from gateway.domain.books import Books, Rules
from gateway.domain.coverage import Hole, holes, worse
from gateway.domain.erasing import Erasure
from gateway.domain.holding import Member
from gateway.domain.kept import Invalid, Kept, Unfitting
from gateway.domain.operators import BadContact, Operator, contact_host
from gateway.domain.queues import Queue
from gateway.domain.retention import LegalHold, RetentionRule
from gateway.domain.roster import (
    FIRST_DAY,
    LAST_DAY,
    LONGEST_RANGE,
    LONGEST_SHIFT,
    SWAP_STEPS,
    Absence,
    Assignment,
    OnCall,
    Plan,
    Swap,
    SwapState,
)
from gateway.domain.shifts import Shift
from gateway.domain.tokens import Role, Token
from gateway.domain.trunks import Trunk
from gateway.ports import Taken

AFTER_ALL = LAST_DAY + timedelta(days=1)


@dataclass  # not frozen: a context that an exception leaves writes to it
class LeavesGaps(Exception):
    """The change would leave holes in the roster that are not there now."""

    holes: tuple[Hole, ...]


def check(books: Books, before: Kept | None, after: Kept) -> None:
    """Raises Invalid or Taken when the thing cannot be as it is to be."""
    if not after.is_active:
        _check_retired(books, after)
        return
    ruling = _RULINGS.get(type(after))
    if ruling:
        ruling(books, before, after)


def places_that_end(books: Books, after: Kept) -> list[Member]:
    """The standing places that end with this thing."""
    if after.is_active:
        return []
    return [
        member
        for member in books.standing
        if (isinstance(after, Operator) and member.phone == after.phone)
        or (isinstance(after, Queue) and member.queue == after.name)
    ]


def matters_to_asterisk(thing: Kept) -> bool:
    """Whether Asterisk may have to hold something else because of it."""
    return not isinstance(thing, Token | Rules | OnCall | AdviceRule | RetentionRule | LegalHold | Erasure)


def touches_roster(thing: Kept) -> bool:
    """Whether it changes who is rostered when. Not asked about are a queue's minimum that is raised, and a standing
    place that ends: the hole that they make is an alarm at once."""
    ends_duties = isinstance(thing, Operator) and not thing.is_active
    return ends_duties or isinstance(thing, Shift | Assignment | Absence | Swap)


async def refuse_gaps(
    bookkeeper: Bookkeeper, books: Books, changes: Sequence[tuple[Kept | None, Kept]], now: datetime
) -> None:
    """Raises LeavesGaps when the changes make a hole within the horizon that is not there now."""
    if new := await new_holes(bookkeeper, books, changes, now):
        raise LeavesGaps(new)


async def new_holes(
    bookkeeper: Bookkeeper, books: Books, changes: Sequence[tuple[Kept | None, Kept]], now: datetime
) -> tuple[Hole, ...]:
    """The holes within the horizon that the changes make, and that are not there now."""
    if not any(touches_roster(after) for _, after in changes):
        return ()
    until = now + timedelta(days=books.rules.gap_horizon_days)
    first = (now - LONGEST_SHIFT).astimezone(bookkeeper.zone).date()
    plan = await bookkeeper.plan(first, until.astimezone(bookkeeper.zone).date())
    gone = [
        Absence(operator_id=after.id, from_at=now, until_at=until + LONGEST_SHIFT, created_at=now)
        for _, after in changes
        if isinstance(after, Operator) and not after.is_active
    ]
    changed = with_changes(plan, [*(after for _, after in changes), *gone])
    return tuple(worse(holes(books, changed, now, until), holes(books, plan, now, until)))


def with_changes(plan: Plan, changes: Iterable[Kept]) -> Plan:
    """The plan as it would be with these things put, or retired."""
    changes = list(changes)
    shifts = dict(plan.shifts)
    for thing in changes:
        if isinstance(thing, Shift):
            shifts.pop(thing.id, None)
            if thing.is_active:
                shifts[thing.id] = thing
    days = recurrence.days_of_all(shifts.values(), plan.first, plan.last)
    return replace(plan.with_changes(*changes), shifts=shifts, days=days)


def refuse_first_person(asked_by: str, actor: Actor) -> None:
    """What two people decide is not confirmed by the one who asked for it. Raises Taken."""
    if actor.name == asked_by:
        raise Taken("who asked for it cannot confirm it: a second person must")


def lifted(hold: LegalHold, actor: Actor, now: datetime) -> LegalHold:
    """The hold as a second person lifts it. Raises Taken where nobody asked for that in time, or the first one does."""
    if not hold.is_to_be_lifted(now):
        raise Taken(f"nobody has asked for it to be lifted within the last {retention.LIFT_WITHIN.days} days")
    refuse_first_person(hold.lift_asked_by, actor)
    return replace(hold, lifted_by=actor.name, retired_at=now)


def _check_retired(books: Books, thing: Kept) -> None:
    """Raises Taken when others still need it."""
    match thing:
        case Queue(name=books.default_queue):
            raise Taken(f"queue {thing.name} is the centre's own: calls come to it")
        case Queue() if users := [trunk.name for trunk in books.trunks.values() if trunk.queue == thing.name]:
            raise Taken(f"queue {thing.name} is where the calls of trunk {users[0]} wait")
        case Queue():
            _refuse_while_worked(books, thing, lambda each: each.queue == thing.name)
            if homes := [each.name for each in books.operators.values() if thing.name in each.home_queues]:
                raise Taken(f"queue {thing.name} is a home queue of {homes[0]}: change that first")
            _refuse_while_on_call(books, thing, lambda each: thing.name in each.queues)
            _refuse_while_advised(books, thing, lambda each: each.queue == thing.name)
            if keeping := next((each for each in books.retention_rules if each.queue == thing.name), None):
                raise Taken(f"retention rule {keeping.name} names queue {thing.name}: change that first")
        case Trunk():
            _refuse_while_on_call(books, thing, lambda each: each.trunk == thing.name)
            _refuse_while_of_agency(books, lambda phone: phone.trunk == thing.name)
            _refuse_while_advised(books, thing, lambda each: each.trunk == thing.name)
        case Operator():
            _refuse_while_of_agency(books, lambda phone: phone.trunk is None and phone.number == thing.phone)
        case Shift():
            _refuse_while_worked(books, thing, lambda each: each.shift_id == thing.id)
        case LegalHold(lifted_by=""):
            raise Taken("two people lift a hold: one asks for it and says why, another one confirms")
        case Erasure() if thing.confirmed_at is not None:
            raise Taken("two people have decided it: it cannot be taken back")


def _refuse_while_worked(books: Books, thing: Queue | Shift, needs: Callable[[Assignment], bool]) -> None:
    working = [each for each in books.plan.assignments if needs(each) and each.operator_id in books.operators]
    if working:
        last = max(each.last_date for each in working)
        raise Taken(f"{thing.KIND} {thing.name} has {len(working)} assignments until {last}: retire them first")


def _refuse_while_on_call(books: Books, thing: Queue | Trunk, needs: Callable[[OnCall], bool]) -> None:
    if needing := next((each for each in books.on_call if needs(each)), None):
        raise Taken(f"on-call person {needing.id} is rung for or over {thing.KIND} {thing.name}: change that first")


def _refuse_while_of_agency(books: Books, needs: Callable[[DutyPhone], bool]) -> None:
    for agency in books.agencies:
        if any(needs(phone) for phone in agency.phones):
            raise Taken(f"agency {agency.name} is called there: change that first")


def _refuse_while_advised(books: Books, thing: Queue | Trunk, needs: Callable[[AdviceRule], bool]) -> None:
    if needing := next((each for each in books.advice_rules if needs(each)), None):
        raise Taken(f"advice rule {needing.name} names {thing.KIND} {thing.name}: change that first")


def _check_operator(books: Books, before: Operator | None, after: Operator) -> None:
    if before is not None and before.phone != after.phone:
        raise Unfitting("phone", "stays: make a new operator for another one")
    _known_queues(books, "home_queues", after.home_queues)
    refuse_contact(books.trunks.values(), after)


def refuse_contact(others: Iterable[Trunk], after: Operator) -> None:
    """Raises Unfitting where the phone's fixed address is one of these trunks': what it dials would come in as 112. A
    host's name is not looked up."""
    if after.contact is None:
        return
    try:
        host = contact_host(after.contact)
    except BadContact as error:
        raise Invalid("contact", str(error)) from None
    if any(trunks.has_address(trunk.addresses, host) for trunk in others):
        raise Unfitting("contact", f"{host} is the address of a trunk")


def refuse_addresses(others: Iterable[Trunk], after: Trunk) -> None:
    """Raises Unfitting where an address of the trunk belongs to another of these."""
    for other in others:
        if other.name != after.name and (shared := trunks.overlap(after.addresses, other.addresses)):
            raise Unfitting("addresses", f"{shared} belongs to trunk {other.name}: calls could not be told apart")


def _check_queue(books: Books, before: Queue | None, after: Queue) -> None:
    if before is not None and before.name != after.name:
        raise Unfitting("name", "stays: calls of the past carry it")


def _check_trunk(books: Books, before: Trunk | None, after: Trunk) -> None:
    if before is not None and before.name != after.name:
        raise Unfitting("name", "stays: calls of the past carry it")
    if not after.addresses:
        raise Invalid("addresses", "must name one address at least")
    if unknown := sorted(set(after.codecs) - set(trunks.CODECS)):
        raise Invalid("codecs", f"{unknown[0]} is not among {', '.join(trunks.CODECS)}")
    if after.queue is not None:
        _known_queues(books, "queue", (after.queue,))
    trunks.networks(after.addresses)
    refuse_addresses(books.trunks.values(), after)
    for operator in books.operators.values():
        if operator.contact is not None and trunks.has_address(after.addresses, contact_host(operator.contact)):
            raise Unfitting("addresses", f"phone {operator.phone} is there: what it dials would come in as 112")


def _check_shift(books: Books, before: Shift | None, after: Shift) -> None:
    recurrence.checked(after.rule)
    _in_range("first_date", after.first_date)
    if after.last_date is not None:
        _in_range("last_date", after.last_date)
    shifts.check(after, recurrence.look_ahead(after), books.plan.zone)


def _check_assignment(books: Books, before: Assignment | None, after: Assignment) -> None:
    _known_operator(books, "operator_id", after.operator_id)
    shift = books.plan.shifts.get(after.shift_id)
    if shift is None:
        raise Unfitting("shift_id", f"there is no shift {after.shift_id}")
    _known_queues(books, "queue", (after.queue,))
    _in_range("first_date", after.first_date)
    _in_range("last_date", after.last_date)
    if after.last_date < after.first_date:
        raise Invalid("last_date", "is before the first date")
    if after.last_date - after.first_date > LONGEST_RANGE:
        raise Invalid("last_date", f"is more than {LONGEST_RANGE.days} days after the first date")
    days = recurrence.days(shift, after.first_date, after.last_date)
    if not days:
        raise Unfitting("first_date", f"shift {shift.name} does not take place on any day from it to the last date")
    is_given = before is None or before.operator_id != after.operator_id
    if is_given and books.plan.is_handed_on(after, days):
        raise Unfitting("operator_id", "handed that shift on in a swap, which holds: only a swap back undoes it")


def _check_absence(books: Books, before: Absence | None, after: Absence) -> None:
    _known_operator(books, "operator_id", after.operator_id)
    if after.until_at <= after.from_at:
        raise Invalid("until_at", "is not after from_at")
    if after.until_at - after.from_at > LONGEST_RANGE:
        raise Invalid("until_at", f"is more than {LONGEST_RANGE.days} days after from_at")
    _in_range("from_at", after.from_at.date())
    _in_range("until_at", after.until_at.date())


def _check_swap(books: Books, before: Swap | None, after: Swap) -> None:
    if before is not None and after.state is not before.state and after.state not in SWAP_STEPS[before.state]:
        raise Taken(f"the swap is {before.state}: it cannot become {after.state}")
    if before is None:
        _known_operator(books, "operator_id", after.operator_id)
        if after.operator_id not in books.plan.holders(after.shift_id, after.date):
            raise Unfitting("date", "the operator does not work that shift on that day")
        _refuse_asked_twice(books, after)
    elif after.state in (SwapState.TAKEN, SwapState.APPROVED):
        _check_handed_on(books, after)


def _refuse_asked_twice(books: Books, after: Swap) -> None:
    """Raises Taken while the operator has another open swap of that shift: so swaps are approved in the order in which
    they were asked for, and the plan can follow them."""
    about = (after.operator_id, after.shift_id, after.date)
    for other in books.plan.swaps:
        if SWAP_STEPS[other.state] and (other.operator_id, other.shift_id, other.date) == about:
            raise Taken(f"swap {other.id} asks for that already")


def _check_handed_on(books: Books, after: Swap) -> None:
    """Raises Unfitting or Taken where the colleague cannot have the shift, or would not get it: the roster may be
    another one than when the swap was asked for."""
    if after.taken_by is None:
        raise Invalid("taken_by", "is needed: a colleague takes the shift")
    _known_operator(books, "taken_by", after.taken_by)
    if after.taken_by == after.operator_id:
        raise Unfitting("taken_by", "is the operator who asks")
    if after.operator_id not in books.plan.holders(after.shift_id, after.date):
        raise Taken("the operator who asks does not work that shift on that day any more")
    approved = books.plan.with_changes(replace(after, state=SwapState.APPROVED))
    holders = approved.holders(after.shift_id, after.date)
    if after.taken_by not in holders or after.operator_id in holders:
        raise Taken("the roster of that day was changed since this was asked for: withdraw it and ask anew")


def _check_on_call(books: Books, before: OnCall | None, after: OnCall) -> None:
    _known_operator(books, "operator_id", after.operator_id)
    _known_queues(books, "queues", after.queues)
    if (after.number is None) != (after.trunk is None):
        raise Invalid("trunk", "and number go together: a number is rung over a trunk")
    if after.trunk is not None and after.trunk not in books.trunks:
        raise Unfitting("trunk", f"there is no trunk {after.trunk}")
    if after.from_at and after.until_at and after.until_at <= after.from_at:
        raise Invalid("until_at", "is not after from_at")


def _check_agency(books: Books, before: Agency | None, after: Agency) -> None:
    if not after.phones:
        raise Invalid("phones", "must name one phone at least")
    for phone in after.phones:
        if phone.trunk is not None and phone.trunk not in books.trunks:
            raise Unfitting("phones", f"there is no trunk {phone.trunk}")
        if phone.trunk is None and books.operator_at(phone.number) is None:
            raise Unfitting("phones", f"no operator has phone {phone.number}: a number outside needs a trunk")


def _check_token(books: Books, before: Token | None, after: Token) -> None:
    if after.operator_id is not None:
        _known_operator(books, "operator_id", after.operator_id)
    elif after.role is Role.OPERATOR:
        raise Invalid("operator_id", "is needed: a token of an operator says which one")


def _check_advice_rule(books: Books, before: AdviceRule | None, after: AdviceRule) -> None:
    advice_rules.check(after)
    if before is None and len(books.advice_rules) >= advice_rules.MOST_RULES:
        raise Taken(f"there are {len(books.advice_rules)} advice rules, as many as may be: retire one first")
    if after.queue is not None:
        _known_queues(books, "queue", (after.queue,))
    if after.trunk is not None and after.trunk not in books.trunks:
        raise Unfitting("trunk", f"there is no trunk {after.trunk}")


def _check_retention_rule(books: Books, before: RetentionRule | None, after: RetentionRule) -> None:
    if after.queue is not None:
        _known_queues(books, "queue", (after.queue,))
    retention.check(after, books.retention_rules)


def _check_legal_hold(books: Books, before: LegalHold | None, after: LegalHold) -> None:
    if before is not None and before.call_id != after.call_id:
        raise Unfitting("call_id", "stays: set another hold for another call")


def _known_operator(books: Books, field: str, operator_id: int) -> None:
    if operator_id not in books.operators:
        raise Unfitting(field, f"there is no operator {operator_id}")


def _known_queues(books: Books, field: str, names: Iterable[str]) -> None:
    for name in names:
        if name not in books.queues:
            raise Unfitting(field, f"there is no queue {name}")


def _in_range(field: str, day: date) -> None:
    if not FIRST_DAY <= day < AFTER_ALL:
        raise Invalid(field, f"must lie between {FIRST_DAY} and {AFTER_ALL}")


_RULINGS: dict[type[Kept], Callable[[Books, Any, Any], None]] = {
    Operator: _check_operator,
    Queue: _check_queue,
    Trunk: _check_trunk,
    Shift: _check_shift,
    Assignment: _check_assignment,
    Absence: _check_absence,
    Swap: _check_swap,
    OnCall: _check_on_call,
    Agency: _check_agency,
    AdviceRule: _check_advice_rule,
    RetentionRule: _check_retention_rule,
    LegalHold: _check_legal_hold,
    Token: _check_token,
}
