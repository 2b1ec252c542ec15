"""Operators: the people who answer, their phones, and what they do about their duty.

Counterpart: `gateway/office.py` stores a change and has Asterisk take it over at once.
"""

import ipaddress
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from gateway.api.auth import refuse_foreign
from gateway.api.context import Context
from gateway.api.models import Body, PersonName, PhoneNumber, QueueName, Told, Word, of_format
from gateway.api.problems import unprocessable
from gateway.api.resources import (
    GapQuery,
    KeptModel,
    MatchHeaders,
    Subject,
    ThingPath,
    etag,
    given,
    patch_of,
    routes_of,
    version_of,
)
from gateway.api.routes import Answer, route
from gateway.domain.audit import Actor
from gateway.domain.duty import Step
from gateway.domain.encryption import SoundEncryption
from gateway.domain.holding import about
from gateway.domain.kept import Unfitting
from gateway.domain.operators import BadContact, Operator, contact_host
from gateway.domain.presence import Said
from gateway.domain.tokens import May, Token

NOT_YET = "Asterisk cannot be reached; it will be applied as soon as it can."

Contact = Annotated[
    str,
    StringConstraints(max_length=300),
    of_format("sip-uri"),
    Field(description="A fixed SIP address such as sip:1001@127.0.0.21:5070, for a phone that does not register."),
]
Skill = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]


class NewOperator(Body):
    name: PersonName
    phone: PhoneNumber
    contact: Contact | None = None
    skills: Annotated[tuple[Skill, ...], Field(max_length=32)] = ()
    languages: Annotated[tuple[Language, ...], Field(max_length=32, description="As ISO 639 writes them: id, jv.")] = ()
    home_queues: Annotated[
        tuple[QueueName, ...],
        Field(max_length=16, description="Where a login outside of any shift leads; empty: the centre's own queue."),
    ] = ()
    sound_encryption: Annotated[
        SoundEncryption, Field(strict=False, description="Of the phone: SRTP with SDES; it needs TLS to be of use.")
    ] = SoundEncryption.NONE


class _Renewable(NewOperator):
    renew_secret: Annotated[bool, Field(description="True makes a new secret; the old one ends.")] = False


OperatorPatch = patch_of(_Renewable)
OperatorPatch.__name__ = "OperatorPatch"


class OperatorModel(KeptModel):
    """A person who answers, and the phone."""

    name: str
    phone: str
    contact: Annotated[str | None, Field(description="A fixed SIP address; null for a phone that registers.")]
    skills: list[str]
    languages: list[str]
    home_queues: list[str]
    sound_encryption: SoundEncryption
    state: Annotated[
        str | None,
        Field(description="free, ringing, talking, paused, unavailable or unknown; null when it is in no queue."),
    ]
    applied: Annotated[bool, Field(description="Whether Asterisk holds the phone and its places as they stand here.")]
    problem: Annotated[str | None, Field(description="Why not, in Asterisk's words.")]


class OperatorWithSecret(OperatorModel):
    """An operator, and the phone's password where it is new: it is shown this once and never again."""

    secret: Annotated[str | None, Field(description="The phone's password; null where it did not change.")]


class PlaceModel(Told):
    """A place in a queue that the operator should have now."""

    queue: str
    penalty: int


class DutyModel(Told):
    """Whether an operator is on duty, and what was said about it last."""

    operator_id: int
    places: list[PlaceModel]
    said: Annotated[Said | None, Field(description="`in` or `out`, where a login or logout overrules the roster now.")]
    said_at: datetime | None
    until: Annotated[datetime | None, Field(description="When the roster has its say again.")]
    pause: Annotated[str | None, Field(description="Why the phone is not rung; null where it is.")]
    paused_at: datetime | None
    next_change: Annotated[datetime | None, Field(description="When the roster next brings or takes this operator.")]


class PauseBody(Body):
    reason: Annotated[Word, StringConstraints(min_length=1), Field(description="The name of a pause reason.")]


async def create_operator(context: Context, body: NewOperator, actor: Actor) -> Answer[OperatorWithSecret]:
    """Makes the phone known to Asterisk. `applied` tells whether Asterisk holds it already."""
    _check(body.contact)
    operator = Operator(
        **{name: getattr(body, name) for name in NewOperator.model_fields}, digest="", created_at=context.clock()
    )
    return _with_secret(context, *await context.office.create_operator(operator, actor), status=201)


async def change_operator(
    context: Context,
    path: ThingPath,
    headers: MatchHeaders,
    body: OperatorPatch,  # type: ignore[valid-type]
    actor: Actor,
) -> Answer[OperatorWithSecret]:
    """Changes what is named. The phone's number stays: make a new operator for another one."""
    named = given(body)
    _check(named.get("contact"))
    renews = bool(named.pop("renew_secret", False))
    before = await context.office.find(Operator, path.id, version_of(headers))
    changed = await context.office.change_operator(before, replace(before, **named), actor, renews_secret=renews)
    return _with_secret(context, *changed)


async def retire_operator(
    context: Context, path: ThingPath, headers: MatchHeaders, query: GapQuery, actor: Actor
) -> None:
    """Takes the phone, its places in queues and the person's tokens away. The history keeps the name."""
    operator = await context.office.find(Operator, path.id, version_of(headers))
    await context.office.retire(operator, actor, allow_gaps=query.allow_gaps)


async def get_duty(context: Context, path: ThingPath) -> DutyModel:
    """What the roster and the operator's own last word come to now."""
    return await _duty(context, await context.office.find(Operator, path.id))


async def log_in(context: Context, path: ThingPath, token: Token, actor: Actor) -> DutyModel:
    """On duty now, whatever the roster says, until it next brings or takes this operator; 16 hours at most. The same as
    `*45` on the phone."""
    return await _step(context, path, token, actor, Step.LOG_IN)


async def log_out(context: Context, path: ThingPath, token: Token, actor: Actor) -> DutyModel:
    """Off duty until the roster next brings this operator. A call that goes on is not cut. The same as `*45`."""
    return await _step(context, path, token, actor, Step.LOG_OUT)


async def pause(context: Context, path: ThingPath, body: PauseBody, token: Token, actor: Actor) -> DutyModel:
    """Not rung any more, for one of the reasons of /v1/pause-reasons. The same as `*46` and the reason's digit."""
    refuse_foreign(token, path.id)
    books = await context.bookkeeper.books()
    known = [each.name for each in books.pause_reasons]
    if body.reason not in known:
        there = f"is not among {', '.join(known)}" if known else "is not known: make one by POST /v1/pause-reasons"
        raise Unfitting("reason", there)
    return await _step(context, path, token, actor, Step.PAUSE, reason=body.reason)


async def resume(context: Context, path: ThingPath, token: Token, actor: Actor) -> DutyModel:
    """Rung again. The same as `*47`."""
    return await _step(context, path, token, actor, Step.RESUME)


async def _step(
    context: Context, path: ThingPath, token: Token, actor: Actor, step: Step, *, reason: str = ""
) -> DutyModel:
    refuse_foreign(token, path.id)
    operator = await context.office.find(Operator, path.id)
    await context.office.step(operator, step, actor, reason=reason)
    return await _duty(context, operator)


async def _duty(context: Context, operator: Operator) -> DutyModel:
    books, now = await context.bookkeeper.books(), context.clock()
    presence = books.presence(operator.id)
    said, next_change = books.said(operator.id, now), books.plan.own_next_change(operator.id, now)
    until = books.next_start(operator.id, now) if said is Said.OUT else None
    if said is Said.IN:
        until = min((each for each in (presence.until, next_change) if each is not None), default=None)
    return DutyModel(
        operator_id=operator.id,
        places=[
            PlaceModel(queue=member.queue, penalty=member.penalty)
            for member in books.places(now).values()
            if member.phone == operator.phone
        ],
        said=said,
        said_at=presence.said_at if said else None,
        until=until,
        pause=presence.pause,
        paused_at=presence.paused_at,
        next_change=next_change,
    )


def trouble(context: Context, *subjects: str) -> str | None:
    """Why Asterisk does not hold something as it should, by what it is about; None when it does."""
    applied = context.level.applied
    problems = (applied.problems.get(subject) for subject in subjects)
    return next(filter(None, problems), None) or (NOT_YET if applied.at is None else None)


async def _tell(context: Context, operator: Operator) -> OperatorModel:
    return OperatorModel.of(operator, **_now(context, operator))


def _with_secret(
    context: Context, operator: Operator, secret: str | None, *, status: int = 200
) -> Answer[OperatorWithSecret]:
    told = OperatorWithSecret.of(operator, secret=secret, **_now(context, operator))
    location = {"Location": f"/v1/operators/{operator.id}"} if status == 201 else {}
    return Answer(told, status, {**location, **etag(told)})


def _now(context: Context, operator: Operator) -> dict[str, Any]:
    places = f"/{operator.phone}"
    of_places = (each for each in context.level.applied.problems if each.endswith(places) and about(each) == each)
    problem = trouble(context, operator.phone, *of_places)
    return {"state": context.board.phone_states.get(operator.phone), "applied": problem is None, "problem": problem}


def _check(contact: str | None) -> None:
    """Raises Problem when no phone can be at that address."""
    if contact is None:
        return
    if any(not character.isprintable() for character in contact):
        raise unprocessable("/contact", "holds a character that cannot be printed")
    try:
        host = contact_host(contact)
        # looks like an address: then it is to be one, in its only form
        if not host.strip("0123456789."):
            ipaddress.IPv4Address(host)
    except BadContact as error:
        raise unprocessable("/contact", str(error)) from None
    except ValueError as error:
        raise unprocessable("/contact", f"has no usable address: {error}") from None


_LISTED = routes_of(
    Subject(
        kind=Operator,
        path="/v1/operators",
        noun="operator",
        model=OperatorModel,
        new=NewOperator,
        tell=_tell,
        see=May.SEE_ROSTER,
        change=May.SET_UP,
    )
)

ROUTES = (
    *(each for each in _LISTED if each.method == "GET"),
    route(
        "POST",
        "/v1/operators",
        create_operator,
        "A new operator and phone",
        may=May.SET_UP,
        statuses=(201,),
        problems=(409,),
    ),
    route(
        "PATCH",
        "/v1/operators/{id}",
        change_operator,
        "Change an operator",
        may=May.SET_UP,
        problems=(409, 412, 428),
    ),
    route(
        "DELETE",
        "/v1/operators/{id}",
        retire_operator,
        "Retire an operator",
        may=May.SET_UP,
        problems=(409, 412, 428),
    ),
    route("GET", "/v1/operators/{id}/duty", get_duty, "Is the operator on duty?", may=May.SEE_ROSTER),
    route("POST", "/v1/operators/{id}/login", log_in, "Log in", may=May.ACT_FOR_SELF, problems=(502,)),
    route("POST", "/v1/operators/{id}/logout", log_out, "Log out", may=May.ACT_FOR_SELF, problems=(502,)),
    route("POST", "/v1/operators/{id}/pause", pause, "Pause", may=May.ACT_FOR_SELF, problems=(409, 502)),
    route("POST", "/v1/operators/{id}/resume", resume, "Come back", may=May.ACT_FOR_SELF, problems=(502,)),
)
