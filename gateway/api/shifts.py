"""Shifts, and who works them: assignments, absences, swaps, and the on-call list.

Counterparts: `gateway/domain/roster.py` for what they come to, `gateway/rulings.py` for what cannot be.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema

from gateway.api.auth import refuse_foreign
from gateway.api.context import Context
from gateway.api.models import PRINTABLE, Body, Day, Moment, OutsideNumber, PersonName, QueueName, Word, of_format
from gateway.api.problems import Problem
from gateway.api.resources import (
    GapQuery,
    KeptModel,
    ListQuery,
    MatchHeaders,
    Subject,
    ThingId,
    ThingPath,
    etag,
    routes_of,
    telling,
    version_of,
)
from gateway.api.routes import Answer, Route, route
from gateway.domain.audit import Actor
from gateway.domain.roster import Absence, Assignment, OnCall, Swap, SwapState
from gateway.domain.shifts import EVERY_DAY, Shift
from gateway.domain.tokens import May, Token
from gateway.store.kept_reads import Condition

_WALL = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


def _wall(value: object) -> object:
    if not isinstance(value, time) and not (isinstance(value, str) and _WALL.fullmatch(value)):
        raise ValueError("must be a wall-clock time in whole minutes, from 00:00 to 23:59")
    return value


def _of_our_time(value: datetime) -> datetime:
    if not 2000 <= value.year < 2200:
        raise ValueError("must lie between the years 2000 and 2199")
    return value.astimezone(UTC)


WallTime = Annotated[
    time,
    Field(strict=False),  # text is what a time is made of
    BeforeValidator(_wall),
    PlainSerializer(lambda wall: wall.strftime("%H:%M"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_WALL.pattern}$"}),
    Field(description="By the clock of the centre's zone."),
]
Note = Annotated[str, StringConstraints(max_length=500, pattern=PRINTABLE)]
UtcMoment = Annotated[
    Moment,
    Field(strict=False),
    AfterValidator(_of_our_time),
]

# ---------------------------------------------------------------- shifts


class NewShift(Body):
    name: PersonName
    start: WallTime
    end: Annotated[WallTime, Field(description="Before the start: on the next day. It is not the start itself.")]
    rule: Annotated[
        Word,
        StringConstraints(to_upper=True, strip_whitespace=True),
        AfterValidator(lambda rule: rule.removeprefix("RRULE:").strip()),
        of_format("rrule"),
        Field(description="The days, as an RRULE of RFC 5545: FREQ=WEEKLY;BYDAY=MO,TU."),
    ] = EVERY_DAY
    first_date: Day
    last_date: Day | None = None
    exceptions: Annotated[
        tuple[Day, ...], Field(max_length=400, description="Days on which it does not take place.")
    ] = ()
    overlap_min: Annotated[
        int, Field(ge=0, le=120, description="How long those of this shift stay after its end, to hand over.")
    ] = 0


class ShiftModel(KeptModel):
    name: str
    start: WallTime
    end: WallTime
    rule: str
    first_date: date
    last_date: date | None
    exceptions: list[date]
    overlap_min: int


# ---------------------------------------------------------------- assignments


class NewAssignment(Body):
    operator_id: ThingId
    shift_id: ThingId
    queue: QueueName
    penalty: Annotated[int, Field(ge=0, le=1000, description="Lower penalties are rung first.")] = 0
    first_date: Day
    last_date: Annotated[Day, Field(description="On each of the shift's days from the first to this one.")]


class AssignmentModel(KeptModel):
    operator_id: int
    shift_id: int
    queue: str
    penalty: int
    first_date: date
    last_date: date


class DatedQuery(ListQuery):
    operator_id: Annotated[ThingId | None, Field(description="Only this operator's.")] = None
    since: Annotated[Day | None, Field(description="Only what touches this day or later ones.")] = None
    until: Annotated[Day | None, Field(description="Only what touches this day or earlier ones.")] = None


class AssignmentQuery(DatedQuery):
    shift_id: ThingId | None = None
    queue: QueueName | None = None


def _of_assignments(query: AssignmentQuery) -> Mapping[str, Condition]:
    return _present(
        operator_id=("==", query.operator_id),
        shift_id=("==", query.shift_id),
        queue=("==", query.queue),
        last_date=(">=", query.since),
        first_date=("<=", query.until),
    )


# ---------------------------------------------------------------- absences


class NewAbsence(Body):
    operator_id: ThingId
    from_at: UtcMoment
    until_at: UtcMoment
    reason: Note = ""


class AbsenceModel(KeptModel):
    operator_id: int
    from_at: datetime
    until_at: datetime
    reason: str


class AbsenceQuery(ListQuery):
    operator_id: ThingId | None = None
    since: Annotated[Moment | None, Field(description="Only those that end after this time.")] = None
    until: Annotated[Moment | None, Field(description="Only those that begin before this time.")] = None


def _of_absences(query: AbsenceQuery) -> Mapping[str, Condition]:
    return _present(operator_id=("==", query.operator_id), until_at=(">", query.since), from_at=("<", query.until))


# ---------------------------------------------------------------- on call


class NewOnCall(Body):
    operator_id: ThingId
    place: Annotated[int, Field(ge=1, le=1000, description="The order of ringing: the lowest first.")]
    queues: Annotated[
        tuple[QueueName, ...], Field(max_length=32, description="For which queues; empty: for every one.")
    ] = ()
    number: Annotated[
        OutsideNumber | None,
        Field(description="A number that is rung over `trunk`; null: the operator's own phone."),
    ] = None
    trunk: Annotated[str | None, StringConstraints(max_length=32), Field(description="The trunk's name.")] = None
    from_at: UtcMoment | None = None
    until_at: UtcMoment | None = None


class OnCallModel(KeptModel):
    operator_id: int
    place: int
    queues: list[str]
    number: str | None
    trunk: str | None
    from_at: datetime | None
    until_at: datetime | None


# ---------------------------------------------------------------- swaps


class NewSwap(Body):
    operator_id: Annotated[ThingId, Field(description="Who asks to be relieved.")]
    shift_id: ThingId
    date: Annotated[Day, Field(description="The day on which the shift begins.")]
    note: Note = ""


class SwapModel(KeptModel):
    operator_id: int
    shift_id: int
    date: date
    state: SwapState
    taken_by: Annotated[int | None, Field(description="The colleague who takes the shift.")]
    note: str


class SwapQuery(ListQuery):
    operator_id: ThingId | None = None
    state: SwapState | None = None
    since: Annotated[Day | None, Field(description="Only of this day or later ones.")] = None


class TakeBody(Body):
    operator_id: Annotated[ThingId, Field(description="Who takes the shift.")]


def _of_swaps(query: SwapQuery) -> Mapping[str, Condition]:
    return _present(operator_id=("==", query.operator_id), state=("==", query.state), date=(">=", query.since))


async def create_swap(context: Context, body: NewSwap, token: Token, actor: Actor) -> Answer[SwapModel]:
    """Asks to be relieved of one shift on one day. A colleague takes it, a supervisor approves, and the roster
    changes."""
    refuse_foreign(token, body.operator_id)
    swap = Swap(
        operator_id=body.operator_id,
        shift_id=body.shift_id,
        date=body.date,
        note=body.note,
        created_at=context.clock(),
    )
    told = SwapModel.of(await context.office.create(swap, actor))
    return Answer(told, 201, {"Location": f"/v1/swaps/{told.id}", **etag(told)})


async def take_swap(
    context: Context, path: ThingPath, headers: MatchHeaders, body: TakeBody, token: Token, actor: Actor
) -> Answer[SwapModel]:
    """A colleague says yes. A supervisor must still approve."""
    refuse_foreign(token, body.operator_id)
    swap = await context.office.find(Swap, path.id, version_of(headers))
    return await _to(context, swap, SwapState.TAKEN, actor, taken_by=body.operator_id)


async def approve_swap(
    context: Context, path: ThingPath, headers: MatchHeaders, query: GapQuery, actor: Actor
) -> Answer[SwapModel]:
    """From now on the colleague has the shift, who may hand it on the same way. Where the colleague is away then, or is
    there already, that may leave a hole."""
    swap = await context.office.find(Swap, path.id, version_of(headers))
    return await _to(context, swap, SwapState.APPROVED, actor, allow_gaps=query.allow_gaps)


async def refuse_swap(context: Context, path: ThingPath, headers: MatchHeaders, actor: Actor) -> Answer[SwapModel]:
    """The roster stays as it is."""
    swap = await context.office.find(Swap, path.id, version_of(headers))
    return await _to(context, swap, SwapState.REFUSED, actor)


async def withdraw_swap(
    context: Context, path: ThingPath, headers: MatchHeaders, token: Token, actor: Actor
) -> Answer[SwapModel]:
    """Whoever asked does not want it any more; or whoever took it gives it back, and it is asked for again."""
    swap = await context.office.find(Swap, path.id, version_of(headers))
    if swap.taken_by is not None and token.operator_id == swap.taken_by:
        return await _to(context, swap, SwapState.ASKED, actor, taken_by=None)
    refuse_foreign(token, swap.operator_id)
    return await _to(context, swap, SwapState.WITHDRAWN, actor)


async def _to(
    context: Context, swap: Swap, state: SwapState, actor: Actor, *, allow_gaps: bool = True, **fields: Any
) -> Answer[SwapModel]:
    if swap.state is state:
        raise Problem(409, f"The swap is {state} already.")
    stored = await context.office.change(swap, replace(swap, state=state, **fields), actor, allow_gaps=allow_gaps)
    told = SwapModel.of(stored)
    return Answer(told, headers=etag(told))


def _present(**conditions: tuple[str, Any]) -> Mapping[str, Condition]:
    return {column: each for column, each in conditions.items() if each[1] is not None}


_SHIFTS = Subject(
    kind=Shift,
    path="/v1/shifts",
    noun="shift",
    model=ShiftModel,
    new=NewShift,
    tell=telling(ShiftModel),
    see=May.SEE_ROSTER,
    change=May.PLAN,
    is_of_roster=True,
)
_ASSIGNMENTS = Subject(
    kind=Assignment,
    path="/v1/assignments",
    noun="assignment",
    model=AssignmentModel,
    new=NewAssignment,
    tell=telling(AssignmentModel),
    see=May.SEE_ROSTER,
    change=May.PLAN,
    query=AssignmentQuery,
    conditions=_of_assignments,
    is_of_roster=True,
)
_ABSENCES = Subject(
    kind=Absence,
    path="/v1/absences",
    noun="absence",
    model=AbsenceModel,
    new=NewAbsence,
    tell=telling(AbsenceModel),
    see=May.SEE_ROSTER,
    change=May.PLAN,
    query=AbsenceQuery,
    conditions=_of_absences,
    is_of_roster=True,
)
_ON_CALL = Subject(
    kind=OnCall,
    path="/v1/on-call",
    noun="on-call person",
    model=OnCallModel,
    new=NewOnCall,
    tell=telling(OnCallModel),
    see=May.SEE_ROSTER,
    change=May.PLAN,
)
_SWAPS = Subject(
    kind=Swap,
    path="/v1/swaps",
    noun="swap",
    model=SwapModel,
    new=NewSwap,
    tell=telling(SwapModel),
    see=May.SEE_ROSTER,
    change=May.PLAN,
    query=SwapQuery,
    conditions=_of_swaps,
)


def _step(name: str, serve: Callable[..., Awaitable[object]], summary: str, may: May) -> Route:
    return route("POST", f"/v1/swaps/{{id}}/{name}", serve, summary, may=may, problems=(409, 412, 428), subject="swaps")


ROUTES = (
    *routes_of(_SHIFTS),
    *routes_of(_ASSIGNMENTS),
    *routes_of(_ABSENCES),
    *(each for each in routes_of(_SWAPS) if each.method == "GET"),
    route(
        "POST",
        "/v1/swaps",
        create_swap,
        "Ask for a swap",
        may=May.ACT_FOR_SELF,
        statuses=(201,),
        problems=(409,),
        subject="swaps",
    ),
    _step("take", take_swap, "Take the shift", May.ACT_FOR_SELF),
    _step("approve", approve_swap, "Approve the swap", May.PLAN),
    _step("refuse", refuse_swap, "Refuse the swap", May.PLAN),
    _step("withdraw", withdraw_swap, "Withdraw from it", May.ACT_FOR_SELF),
    *routes_of(_ON_CALL),
)
