"""Dispositions: what a call was, set or corrected by a person, and the calls of which nobody has said it.

Counterparts: `gateway/office.py` stores them, `gateway/domain/disposing.py` says what comes of it; `*48` on a phone
does the same (`dialplan/operators.conf`).
"""

from datetime import date, datetime, timedelta
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from gateway.api.apart import apart
from gateway.api.auth import forbidden
from gateway.api.calls import CallPath, call_of, has_taken
from gateway.api.context import Context
from gateway.api.models import PRINTABLE, Body, DispositionModel, Moment, Parameters, Told
from gateway.api.problems import unprocessable
from gateway.api.resources import ThingId
from gateway.api.routes import route
from gateway.domain import disposing
from gateway.domain.audit import Actor
from gateway.domain.disposing import Missing
from gateway.domain.dispositions import Category, Disposition, Verdict
from gateway.domain.shifts import Shift
from gateway.domain.tokens import May, Token

USUAL_SPAN = timedelta(days=7)
LONGEST_SPAN = timedelta(days=31)
CALLS_AT_MOST = 20_000
IDS_SHOWN = 100


class DispositionBody(Body):
    """What the call was."""

    disposition: Annotated[Disposition, Field(strict=False)]
    category: Annotated[
        Category | None, Field(strict=False, description="What an emergency is about; required there, and only there.")
    ] = None
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500, pattern=PRINTABLE)] = ""


class MissingQuery(Parameters):
    since: Annotated[
        Moment | None, Field(description="Calls that arrived at this time or later; a week before `until` by itself.")
    ] = None
    until: Annotated[
        Moment | None, Field(description="Calls that arrived before this time; now by itself. 31 days later at most.")
    ] = None
    operator_id: Annotated[ThingId | None, Field(description="Only calls that this operator answered.")] = None


class MissingShift(Told):
    """The shift in which the calls were answered: that of the roster as it stands."""

    id: int
    name: str
    date: Annotated[date, Field(description="The day on which it begins.")]


class MissingGroup(Told):
    """What is missing of one operator in one shift."""

    operator_id: Annotated[int | None, Field(description="Null where nobody had that phone.")]
    operator_name: str | None
    phone: str
    shift: Annotated[MissingShift | None, Field(description="Null outside of every shift of that operator's.")]
    count: int
    call_ids: Annotated[list[str], Field(description=f"The newest of them; {IDS_SHOWN} at most.")]

    @classmethod
    def of(cls, group: Missing, shifts: dict[int, Shift]) -> Self:
        shift = None
        if group.shift_id is not None and group.date is not None:
            shift = MissingShift(id=group.shift_id, name=shifts[group.shift_id].name, date=group.date)
        return cls(
            operator_id=group.operator_id,
            operator_name=group.operator_name,
            phone=group.phone,
            shift=shift,
            count=group.count,
            call_ids=list(group.call_ids),
        )


class MissingList(Told):
    since: datetime
    until: datetime
    count: Annotated[int, Field(description="Calls that were looked at and have no disposition.")]
    is_whole: Annotated[
        bool, Field(description=f"False where there are more than {CALLS_AT_MOST}: the newest of them count here.")
    ]
    groups: Annotated[list[MissingGroup], Field(description="By operator; the newest shift of each first.")]


async def put_disposition(
    context: Context, path: CallPath, body: DispositionBody, token: Token, actor: Actor
) -> DispositionModel:
    """Says what the call was, or corrects that; the last word counts, and the audit log has those before. It is about
    the caller: it may be said while the call goes on. Operators say it of calls that they answered themselves,
    supervisors and admins of any. The same as `*48` on the phone."""
    call = await call_of(context, path.id)
    if not token.may(May.ACT_FOR_OTHERS) and not await has_taken(context, token, call):
        raise forbidden(token, "say what a call was that somebody else answered")
    verdict = Verdict(body.disposition, body.category, body.note)
    return DispositionModel.of(await context.office.dispose(call, verdict, actor))


async def list_missing_dispositions(context: Context, query: MissingQuery) -> MissingList:
    """The calls that an operator answered, that are over, and of which nobody has said what they were, silent ones too;
    by operator and by the shift in which they were answered."""
    until = query.until or context.clock()
    since = query.since or until - USUAL_SPAN
    if since > until:
        raise unprocessable("?since", "must not be later than until")
    if until - since > LONGEST_SPAN:
        raise unprocessable("?since", f"must be at most {LONGEST_SPAN.days} days before until")
    found = await context.reads.dispositions.missing(since, until, query.operator_id, CALLS_AT_MOST + 1)
    counted = found[:CALLS_AT_MOST]
    zone = context.bookkeeper.zone
    # a shift may begin a day before the call, and a call may be answered after midnight
    plan = await context.bookkeeper.plan(
        since.astimezone(zone).date() - timedelta(days=2), until.astimezone(zone).date() + timedelta(days=1)
    )
    shifts = dict(plan.shifts)

    def grouped() -> list[MissingGroup]:
        return [MissingGroup.of(group, shifts) for group in disposing.missing(counted, plan.duties, IDS_SHOWN)]

    return MissingList(
        since=since,
        until=until,
        count=len(counted),
        is_whole=len(found) <= CALLS_AT_MOST,
        groups=await apart(grouped),
    )


ROUTES = (
    route(
        "PUT",
        "/v1/calls/{id}/disposition",
        put_disposition,
        "Say what a call was",
        may=May.ACT_FOR_SELF,
    ),
    route(
        "GET",
        "/v1/dispositions/missing",
        list_missing_dispositions,
        "Calls of which nobody has said what they were",
        may=May.SEE_CALLS,
    ),
)
