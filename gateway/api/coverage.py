"""The roster over HTTP: who is to be there when, and whether that is enough.

Counterparts: `gateway/domain/coverage.py` finds what is wrong with a roster, `workload.py` knows what the calls need;
`shifts.py` is where people change it.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Annotated, Self

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from gateway.api.apart import apart
from gateway.api.context import Context
from gateway.api.models import Day, Parameters, Told
from gateway.api.routes import route
from gateway.api.workload import Loads
from gateway.domain import coverage
from gateway.domain.books import Books
from gateway.domain.coverage import DoubleBooking, Hole, LoneNight, ShortRest, Stint
from gateway.domain.operators import Operator
from gateway.domain.roster import LONGEST_SHIFT
from gateway.domain.shifts import moment
from gateway.domain.tokens import May
from gateway.domain.workload import A_WEEK, half_hour_of_week, half_hours, needs

MOST_DAYS = 62
"""Two months."""
DAY = timedelta(days=1)
_NOT_KNOWN = (None,) * A_WEEK


class DaysQuery(Parameters):
    """Days of the centre's zone."""

    first: Annotated[Day, Field(alias="from", description="The first day.")]
    last: Annotated[Day, Field(alias="to", description=f"The last day; {MOST_DAYS} days at most in all.")]

    @field_validator("last")
    @classmethod
    def _in_order(cls, last: date, others: ValidationInfo) -> date:
        first = others.data.get("first")
        if first is not None and last < first:
            raise ValueError("must not be before from")
        if first is not None and last - first >= MOST_DAYS * DAY:
            raise ValueError(f"must be less than {MOST_DAYS} days after from")
        return last


class _OfDays(Told):
    """What is told of some days of the centre's zone."""

    model_config = ConfigDict(populate_by_name=True)

    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to", description="The last day, which is told too.")]
    timezone: Annotated[str, Field(description="The zone whose days and nights they are.")]


# ---------------------------------------------------------------- the roster


class DutyModel(Told):
    """One operator in one queue for one stretch of one shift."""

    operator_id: int
    name: str
    phone: str
    queue: str
    penalty: int
    shift_id: int
    shift: Annotated[str, Field(description="The shift's name.")]
    date: Annotated[date, Field(description="The day on which the shift begins.")]
    starts_at: datetime
    ends_at: datetime
    leaves_at: Annotated[datetime, Field(description="The end, and the overlap after it in which to hand over.")]


class RosterModel(_OfDays):
    items: Annotated[list[DutyModel], Field(description="Of the shifts that begin on those days, in order of start.")]


async def get_roster(context: Context, query: DaysQuery) -> RosterModel:
    """Who is to be there when: the assignments, without absences, and with swaps that were approved."""
    books = await _books(context, query.first, query.last)
    return await apart(_roster, books, query)


def _roster(books: Books, query: DaysQuery) -> RosterModel:
    plan, people = books.plan, books.operators
    return RosterModel(
        first=query.first,
        last=query.last,
        timezone=plan.zone.key,
        items=[
            DutyModel(
                operator_id=duty.operator_id,
                name=people[duty.operator_id].name,
                phone=people[duty.operator_id].phone,
                queue=duty.queue,
                penalty=duty.penalty,
                shift_id=duty.shift_id,
                shift=plan.shifts[duty.shift_id].name,
                date=duty.date,
                starts_at=duty.starts_at,
                ends_at=duty.ends_at,
                leaves_at=duty.leaves_at,
            )
            for duty in plan.duties
            if coverage.serves(books, duty)
        ],
    )


# ---------------------------------------------------------------- whether it is enough


class QueueCoverageModel(Told):
    """One queue. The first number of each list is of the first of the report's `half_hours`, and so on."""

    queue: str
    minimum: Annotated[int, Field(description="How many operators must be there at any time.")]
    rostered: Annotated[
        list[int], Field(description="How many are on the roster; in a half hour with a change, when the fewest are.")
    ]
    need: Annotated[
        list[int | None],
        Field(
            description="How many it takes to answer 90 of 100 calls within the queue's service level (Erlang C), by "
            "the calls of the last eight weeks; null where they do not tell."
        ),
    ]
    operators: Annotated[list[list[int]], Field(description="The ids of those who are there all of the half hour.")]


class HoleModel(Told):
    """A time in which a queue has fewer people on the roster than its minimum."""

    queue: str
    starts_at: datetime
    ends_at: datetime
    rostered: int
    minimum: int

    @classmethod
    def of(cls, hole: Hole) -> Self:
        return cls(
            queue=hole.queue,
            starts_at=hole.starts_at,
            ends_at=hole.ends_at,
            rostered=hole.rostered,
            minimum=hole.minimum,
        )


class StintModel(Told):
    """An operator's time in one shift, in however many queues."""

    shift_id: int
    date: Annotated[date, Field(description="The day on which the shift begins.")]
    starts_at: datetime
    ends_at: datetime
    leaves_at: datetime

    @classmethod
    def of(cls, stint: Stint) -> Self:
        return cls(
            shift_id=stint.shift_id,
            date=stint.date,
            starts_at=stint.starts_at,
            ends_at=stint.ends_at,
            leaves_at=stint.leaves_at,
        )


class DoubleBookingModel(Told):
    """A time in which an operator is to work two shifts at once."""

    operator_id: int
    starts_at: datetime
    ends_at: datetime
    shifts: list[StintModel]

    @classmethod
    def of(cls, booking: DoubleBooking) -> Self:
        return cls(
            operator_id=booking.operator_id,
            starts_at=booking.starts_at,
            ends_at=booking.ends_at,
            shifts=[StintModel.of(each) for each in booking.shifts],
        )


class ShortRestModel(Told):
    """A time between two shifts of one operator that is shorter than the rules' least_rest_h."""

    operator_id: int
    starts_at: Annotated[datetime, Field(description="When the operator leaves the shift before.")]
    ends_at: datetime
    rest_h: Annotated[float, Field(description="Its hours.")]
    before: StintModel
    after: StintModel

    @classmethod
    def of(cls, rest: ShortRest) -> Self:
        return cls(
            operator_id=rest.operator_id,
            starts_at=rest.starts_at,
            ends_at=rest.ends_at,
            rest_h=rest.rest / timedelta(hours=1),
            before=StintModel.of(rest.before),
            after=StintModel.of(rest.after),
        )


class LoneNightModel(Told):
    """A time between 22:00 and 06:00 in which one operator alone is rostered over all queues."""

    operator_id: int
    starts_at: datetime
    ends_at: datetime

    @classmethod
    def of(cls, night: LoneNight) -> Self:
        return cls(operator_id=night.operator_id, starts_at=night.starts_at, ends_at=night.ends_at)


class CoverageModel(_OfDays):
    """Whether the roster has enough people. An overlap after a shift does not count."""

    need_as_of: Annotated[datetime, Field(description="When the calls' history was read: once an hour at most.")]
    half_hours: Annotated[
        list[datetime], Field(description="The starts of the half hours that the queues' lists are of.")
    ]
    queues: list[QueueCoverageModel]
    holes: list[HoleModel]
    double_bookings: list[DoubleBookingModel]
    short_rests: list[ShortRestModel]
    lone_nights: list[LoneNightModel]


async def get_coverage(context: Context, query: DaysQuery) -> CoverageModel:
    """Whether the roster has enough people: for each queue and half hour who is there, the queue's minimum and what its
    calls need; where it has holes; and what is wrong with it for people: two shifts at once, too little rest, nights
    alone."""
    rules = (await context.bookkeeper.books()).rules
    before = LONGEST_SHIFT.days + math.ceil(rules.least_rest_h / 24)  # the rest after a shift of then may end now
    books = await _books(context, query.first - before * DAY, query.last)
    loads = await context.workload.loads({queue.name: queue.created_at for queue in books.queues.values()})
    return await apart(_report, books, loads, query)


def _report(books: Books, loads: Loads, query: DaysQuery) -> CoverageModel:
    plan = books.plan
    since, until = (moment(day, time(0), plan.zone) for day in (query.first, query.last + DAY))
    times = list(half_hours(since, until))
    return CoverageModel(
        first=query.first,
        last=query.last,
        timezone=plan.zone.key,
        need_as_of=loads.as_of,
        half_hours=times,
        queues=_queues(books, loads, times),
        holes=[HoleModel.of(each) for each in coverage.holes(books, plan, since, until)],
        double_bookings=[DoubleBookingModel.of(each) for each in coverage.double_bookings(books, plan, since, until)],
        short_rests=[ShortRestModel.of(each) for each in coverage.short_rests(books, plan, since, until)],
        lone_nights=[LoneNightModel.of(each) for each in coverage.lone_nights(books, plan, since, until)],
    )


def _queues(books: Books, loads: Loads, times: Sequence[datetime]) -> list[QueueCoverageModel]:
    places = [half_hour_of_week(at, books.plan.zone) for at in times]
    found = []
    for name, staffing in coverage.staffing(books, books.plan, times).items():
        queue = books.queues[name]
        of_week = needs(loads.by_queue.get(name, _NOT_KNOWN), queue)
        found.append(
            QueueCoverageModel(
                queue=name,
                minimum=queue.minimum,
                rostered=[each.rostered for each in staffing],
                need=[of_week[place] for place in places],
                operators=[list(each.operators) for each in staffing],
            )
        )
    return found


async def _books(context: Context, first: date, last: date) -> Books:
    """The books with the roster of those days, and with those who worked then and have retired since. Raises
    StoreAway."""
    books = await context.bookkeeper.books()
    everybody = await context.store.kept(Operator, include_retired=True)
    return replace(
        books,
        plan=await context.bookkeeper.plan(first, last),
        operators={operator.id: operator for operator in everybody},
    )


ROUTES = (
    route("GET", "/v1/roster", get_roster, "The roster", may=May.SEE_ROSTER, subject="roster"),
    route("GET", "/v1/coverage", get_coverage, "The roster's coverage", may=May.SEE_ROSTER, subject="roster"),
)
