"""Erasing one person's data on request (UU 27/2022), as two people's act: one asks, a second one confirms.

Counterparts: `gateway/erasing.py` carries it out; `gateway/domain/erasing.py` says what goes and what stays.
"""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from gateway.api.context import Context
from gateway.api.models import Body, Told
from gateway.api.resources import KeptModel, MatchHeaders, Subject, ThingPath, etag, routes_of, version_of
from gateway.api.retention import Reason
from gateway.api.routes import Answer, route
from gateway.domain.audit import Actor
from gateway.domain.erasing import CONFIRM_WITHIN, NUMBER_PATTERN, Erasure, State
from gateway.domain.tokens import May
from gateway.erasing import hindrance

IDS_SHOWN = 20


class NewErasure(Body):
    number: Annotated[
        str,
        Field(
            pattern=NUMBER_PATTERN,
            description="The whole number, with or without its country: other ways to write it are found, too.",
        ),
    ]
    reason: Reason


class LeftOut(Told):
    """A call that stays as it is."""

    call_id: str
    why: Annotated[str, Field(description="The reason of the legal hold.")]


class Touches(Told):
    """What the erasure touches, as things are now."""

    calls: int
    call_ids: Annotated[list[str], Field(description="The oldest of them.")]
    recordings: Annotated[int, Field(description="How many are to be destroyed.")]
    recording_ids: list[str]
    callbacks: int
    dispositions: int
    blocks: Annotated[int, Field(description="Blocks of the number that are over; one in force is a hindrance.")]
    left_out: Annotated[list[LeftOut], Field(description="Calls that a legal hold keeps.")]
    hindrance: Annotated[
        str | None, Field(description="Why it cannot be confirmed yet: the person waits for the centre. Null: it can.")
    ]


class ErasureModel(KeptModel):
    """A request to erase one person's data."""

    number: Annotated[str, Field(description="Empty once it is over.")]
    reason: str
    state: State
    asked_by: str
    confirm_until: datetime
    confirmed_by: str
    confirmed_at: datetime | None
    done_at: datetime | None
    pseudonym: Annotated[str, Field(description="What stands for the number afterwards, in every place the same.")]
    calls: Annotated[int, Field(description="How many calls were made nobody's by now.")]
    recordings: Annotated[int, Field(description="How many recordings were destroyed by now.")]
    left_out: Annotated[
        int, Field(description="How many calls a legal hold keeps, once all else is erased: they go when it is lifted.")
    ]
    touches: Annotated[Touches | None, Field(description="Null once it is over.")]


async def ask_erasure(context: Context, body: NewErasure, actor: Actor) -> Answer[ErasureModel]:
    """Asks for it, and tells what it would touch. Nothing comes of it before another person confirms it."""
    told = await _tell(context, await context.erasing.ask(body.number, body.reason, actor))
    return Answer(told, 201, {"Location": f"/v1/erasures/{told.id}", **etag(told)})


async def confirm_erasure(
    context: Context, path: ThingPath, headers: MatchHeaders, actor: Actor
) -> Answer[ErasureModel]:
    """Confirms what another person asked for. It is carried out at once, and cannot be taken back."""
    erasure = await context.office.find(Erasure, path.id, version_of(headers))
    told = await _tell(context, await context.erasing.confirm(erasure, actor))
    return Answer(told, headers=etag(told))


async def withdraw_erasure(context: Context, path: ThingPath, headers: MatchHeaders, actor: Actor) -> None:
    """Takes a request back that nobody has confirmed; the number is forgotten."""
    await context.erasing.withdraw(await context.office.find(Erasure, path.id, version_of(headers)), actor)


async def _tell(context: Context, erasure: Erasure) -> ErasureModel:
    state = erasure.state(context.clock())
    touches = None
    if state in (State.ASKED, State.CONFIRMED, State.HELD):
        found = await context.erasing.touched(erasure)
        person = found.person
        touches = Touches(
            calls=len(person.free_calls),
            call_ids=list(person.free_calls[:IDS_SHOWN]),
            recordings=len(found.recordings),
            recording_ids=[each.id for each in found.recordings[:IDS_SHOWN]],
            callbacks=len(person.free_callbacks),
            dispositions=person.dispositions,
            blocks=len(person.blocks),
            left_out=[LeftOut(call_id=call_id, why=why) for call_id, why in person.held.items()],
            hindrance=hindrance(person) if state is State.ASKED else None,
        )
    until: timedelta = CONFIRM_WITHIN
    return ErasureModel.of(erasure, state=state, confirm_until=erasure.created_at + until, touches=touches)


_ERASURES = Subject(
    kind=Erasure,
    path="/v1/erasures",
    noun="erasure",
    model=ErasureModel,
    new=NewErasure,
    tell=_tell,
    see=May.ERASE,
    change=May.ERASE,
)

ROUTES = (
    *(each for each in routes_of(_ERASURES) if each.method == "GET"),
    route(
        "POST",
        "/v1/erasures",
        ask_erasure,
        "Ask to erase one person's data",
        may=May.ERASE,
        statuses=(201,),
        problems=(409,),
    ),
    route(
        "DELETE",
        "/v1/erasures/{id}",
        withdraw_erasure,
        "Withdraw it",
        may=May.ERASE,
        problems=(409, 412, 428),
    ),
    route(
        "POST",
        "/v1/erasures/{id}/confirm",
        confirm_erasure,
        "Confirm it, as the second person",
        may=May.ERASE,
        problems=(409, 412, 428),
    ),
)
