"""How long recordings are kept: the rules, what they would destroy, and legal holds, which no rule overrides.

Counterparts: `gateway/domain/retention.py` says which rule decides, `gateway/destroying.py` destroys what is due.
"""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway import rulings
from gateway.api.context import Context
from gateway.api.models import IN_WORDS, PRINTABLE, Body, Moment, Parameters, PersonName, QueueName, Told, Word
from gateway.api.resources import (
    KeptModel,
    ListQuery,
    MatchHeaders,
    Subject,
    ThingPath,
    etag,
    routes_of,
    telling,
    version_of,
)
from gateway.api.routes import Answer, route
from gateway.api.tracks import callbacks_of
from gateway.domain.audit import Actor
from gateway.domain.dispositions import Disposition
from gateway.domain.recordings import Kind, State
from gateway.domain.retention import LONGEST_DAYS, LegalHold, RetentionRule
from gateway.domain.tokens import May

IDS_SHOWN = 10
LOOKED_AT_MOST = 500_000
"""Recordings that a dry run looks at: two years of a large centre's."""

Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=400, pattern=PRINTABLE),
    IN_WORDS,
    Field(description="Why; it stays in the audit log for ever."),
]


class NewRetentionRule(Body):
    name: Annotated[PersonName, Field(description="As certificates name it, such as Pranks.")]
    place: Annotated[
        int, Field(ge=1, le=10_000, description="Of the rules that fit a call the one with the least place decides.")
    ]
    disposition: Annotated[
        Disposition | None, Field(description="Only calls that were that; null for all, also those nobody said it of.")
    ] = None
    queue: Annotated[QueueName | None, Field(description="Only calls that waited in this queue; null for all.")] = None
    keep_days: Annotated[
        int, Field(ge=1, le=LONGEST_DAYS, description="For how many days their recordings are kept, from their end on.")
    ]


class RetentionRuleModel(KeptModel):
    """How long the recordings of some calls are kept. Where no rule fits, `keep_recordings_days` of /v1/rules says."""

    name: str
    place: int
    disposition: Disposition | None
    queue: str | None
    keep_days: int


class DueQuery(Parameters):
    at: Annotated[Moment | None, Field(description="What would be destroyed by then; now, where nothing is said.")] = (
        None
    )


class DueRuleModel(Told):
    """What one rule would destroy."""

    id: Annotated[int | None, Field(description="Null for the centre's own rule, where none of these fits.")]
    name: str
    keep_days: int
    count: Annotated[int, Field(description="How many recordings it would destroy.")]
    held: Annotated[int, Field(description="How many more it would, were there no legal hold.")]
    first_ids: Annotated[list[str], Field(description="The oldest of them.")]


class DueModel(Told):
    """What would be destroyed, by the rules, holds and dispositions of now. Nothing is destroyed for being asked."""

    at: datetime
    count: int
    held: int
    is_complete: Annotated[
        bool, Field(description=f"False where there are more than {LOOKED_AT_MOST} recordings: then it is at least so.")
    ]
    rules: Annotated[list[DueRuleModel], Field(description="In the order in which they decide; the centre's own last.")]


class ClockBody(Body):
    now: Annotated[Moment, Field(strict=False, description="The time that a clock shows which is not this machine's.")]


class NewLegalHold(Body):
    call_id: Annotated[Word, Field(description="The call whose recordings are kept, those of calls back too.")]
    reason: Reason


class Lift(Body):
    reason: Reason


class HeldRecording(Told):
    """A recording of the call, or of a call back after it, and where it is on its way: what was destroyed before cannot
    be held any more."""

    id: str
    kind: Kind
    state: State


class LegalHoldModel(KeptModel):
    """The recordings of one call are kept until this is retired, whatever the rules say."""

    call_id: str
    reason: str
    set_by: str
    lift_reason: Annotated[str, Field(description="Why it should be lifted; empty where nobody asked for that.")]
    lift_asked_by: str
    lift_confirm_until: Annotated[
        datetime | None, Field(description="Until when another person may confirm it; null: nothing waits for that.")
    ]
    lifted_by: Annotated[str, Field(description="Who confirmed it.")]
    recordings: list[HeldRecording]


class LegalHoldQuery(ListQuery):
    call_id: Annotated[Word | None, Field(description="Only holds on this call.")] = None


async def list_due(context: Context, query: DueQuery) -> DueModel:
    """What the retention rules would destroy: see it before it happens."""
    at = query.at or context.clock()
    found, is_complete = await context.destroying.due(at, ids_shown=IDS_SHOWN, look_at_most=LOOKED_AT_MOST)
    return DueModel(
        at=at,
        count=sum(each.count.due for each in found),
        held=sum(each.count.held for each in found),
        is_complete=is_complete,
        rules=[
            DueRuleModel(
                id=each.rule.id if each.rule else None,
                name=each.rule.name if each.rule else "",
                keep_days=each.keep_days,
                count=each.count.due,
                held=each.count.held,
                first_ids=each.count.ids,
            )
            for each in found
        ],
    )


async def confirm_clock(context: Context, body: ClockBody, actor: Actor) -> None:
    """After the alarm `retention_clock`: says what another clock shows, so that recordings are destroyed again by the
    centre's."""
    await context.destroying.confirm_clock(body.now, actor)


async def create_legal_hold(context: Context, body: NewLegalHold, actor: Actor) -> Answer[LegalHoldModel]:
    """Keeps the recordings of one call."""
    hold = LegalHold(call_id=body.call_id, reason=body.reason, set_by=actor.name, created_at=context.clock())
    told = await _tell_hold(context, await context.office.create(hold, actor))
    return Answer(told, 201, {"Location": f"/v1/legal-holds/{told.id}", **etag(told)})


async def ask_lift(
    context: Context, path: ThingPath, headers: MatchHeaders, body: Lift, actor: Actor
) -> Answer[LegalHoldModel]:
    """Asks for the hold to be lifted, and says why. It holds on before another person confirms that within 7 days."""
    hold = await context.office.find(LegalHold, path.id, version_of(headers))
    asked = replace(hold, lift_reason=body.reason, lift_asked_by=actor.name, lift_asked_at=context.clock())
    told = await _tell_hold(context, await context.office.change(hold, asked, actor))
    return Answer(told, headers=etag(told))


async def confirm_lift(
    context: Context, path: ThingPath, headers: MatchHeaders, actor: Actor
) -> Answer[LegalHoldModel]:
    """Lifts the hold, as another person asked: the rules decide about the recordings again, which may be destroyed
    within the hour, and erasures that wait for it go on."""
    hold = await context.office.find(LegalHold, path.id, version_of(headers))
    after = rulings.lifted(hold, actor, context.clock())
    told = await _tell_hold(context, await context.office.change(hold, after, actor))
    context.erasing.wake()
    return Answer(told, headers=etag(told))


async def _tell_hold(context: Context, hold: LegalHold) -> LegalHoldModel:
    call = await context.reads.call(hold.call_id)
    callbacks = [] if call is None else await callbacks_of(context, call)
    found = await context.custody.recordings_of((hold.call_id,), callbacks)
    return LegalHoldModel.of(
        hold,
        lift_confirm_until=hold.lift_until if hold.is_to_be_lifted(context.clock()) else None,
        recordings=[HeldRecording(id=each.id, kind=each.kind, state=each.state) for each in found],
    )


_HOLDS = Subject(
    kind=LegalHold,
    path="/v1/legal-holds",
    noun="legal hold",
    model=LegalHoldModel,
    new=NewLegalHold,
    tell=_tell_hold,
    see=May.SEE_AUDIT,
    change=May.HOLD_RECORDINGS,
    query=LegalHoldQuery,
    conditions=lambda query: {} if query.call_id is None else {"call_id": ("==", query.call_id)},
)

ROUTES = (
    route(
        "GET",
        "/v1/retention-rules/due",
        list_due,
        "What the retention rules would destroy",
        may=May.SEE_AUDIT,
        subject="retention rules",
    ),
    route(
        "POST",
        "/v1/retention-rules/clock",
        confirm_clock,
        "The centre's clock is right",
        may=May.SET_UP,
        subject="retention rules",
    ),
    *routes_of(
        Subject(
            kind=RetentionRule,
            path="/v1/retention-rules",
            noun="retention rule",
            model=RetentionRuleModel,
            new=NewRetentionRule,
            tell=telling(RetentionRuleModel),
            order=lambda rule: (rule.place, rule.id),
            see=May.SEE_AUDIT,
            change=May.SET_UP,
        )
    ),
    *(each for each in routes_of(_HOLDS) if each.method in ("GET", "PATCH")),
    route(
        "POST",
        "/v1/legal-holds",
        create_legal_hold,
        "A new legal hold",
        may=May.HOLD_RECORDINGS,
        statuses=(201,),
        problems=(409,),
        subject="legal holds",
    ),
    route(
        "POST",
        "/v1/legal-holds/{id}/lift",
        ask_lift,
        "Ask for the hold to be lifted",
        may=May.HOLD_RECORDINGS,
        problems=(409, 412, 428),
        subject="legal holds",
    ),
    route(
        "POST",
        "/v1/legal-holds/{id}/lift/confirm",
        confirm_lift,
        "Lift the hold, as the second person",
        may=May.HOLD_RECORDINGS,
        problems=(409, 412, 428),
        subject="legal holds",
    ),
)
