"""Tokens: who may ask, as whom; and the audit log of what was done with them.

Counterparts: `gateway/domain/tokens.py` for the table of roles, `gateway/domain/audit.py` for the chain.
"""

import json
from datetime import datetime, timedelta
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from gateway import new_secrets
from gateway.api.auth import CAME_WITH
from gateway.api.context import Context
from gateway.api.models import AfterQuery, Body, PersonName, Seq, Told, Word
from gateway.api.resources import KeptModel, MatchHeaders, Subject, ThingId, ThingPath, etag, routes_of, version_of
from gateway.api.routes import Answer, route
from gateway.domain.audit import Actor, Entry
from gateway.domain.kept import Unfitting
from gateway.domain.tokens import LONGEST_DAYS, MAY, May, Role, Token
from gateway.office import ADMIN, token_hash
from gateway.ports import Taken

OVERLAP_H, LONGEST_OVERLAP_H = 24, 720

ValidDays = Annotated[
    int | None,
    Field(ge=1, le=LONGEST_DAYS, description="For how many days it opens the API; null: until it is taken back."),
]


class NewToken(Body):
    name: Annotated[PersonName, Field(description="The person's name, as the audit log is to show it.")]
    role: Role
    operator_id: Annotated[ThingId | None, Field(description="Which operator this is; needed for that role.")] = None
    valid_days: ValidDays = None


class OwnRotation(Body):
    """What a rotation of one's own token may say."""

    overlap_h: Annotated[
        int, Field(ge=0, le=LONGEST_OVERLAP_H, description="For how many hours the secret before opens the same.")
    ] = OVERLAP_H


class Rotation(OwnRotation):
    """What a rotation may say. Where it does not say for how long, the token is valid for as long as before."""

    valid_days: ValidDays = None


class TokenModel(KeptModel):
    name: str
    role: Role
    operator_id: int | None
    valid_days: int | None
    expires_at: Annotated[datetime | None, Field(description="From then on it opens nothing; null: no time is set.")]
    previous_until: Annotated[
        datetime | None, Field(description="Until when the secret before the last rotation opens the same.")
    ]
    last_used_at: Annotated[datetime | None, Field(description="To within a minute; null: never.")]


class TokenWithSecret(TokenModel):
    """A token with its new secret, which is shown this once and never again."""

    token: str


class RoleModel(Told):
    """A role, and what its bearers may do."""

    role: Role
    may: list[str]


class RoleList(Told):
    items: list[RoleModel]
    next: None = None


class EntryModel(Told):
    """One change: who did what, when and from where; each entry holds the hash of the one before."""

    seq: int
    at: datetime
    actor: str
    role: str
    address: str
    action: str
    subject: str
    before: Annotated[dict[str, Any] | None, Field(description="How it was; null for what is new.")]
    after: Annotated[dict[str, Any] | None, Field(description="How it is; null where nothing that is kept came of it.")]
    note: str
    previous: Annotated[str, Field(description="The hash of the entry before.")]
    hash: Annotated[str, Field(description="SHA-256 of this entry and of that hash.")]

    @classmethod
    def of(cls, entry: Entry) -> "EntryModel":
        values = {name: getattr(entry, name) for name in cls.model_fields}
        for name in ("before", "after"):
            values[name] = json.loads(values[name]) if values[name] else None
        return cls(**values)


class EntryPage(Told):
    items: list[EntryModel]
    next: Annotated[
        int | None, Field(description="What to pass as `after`, or as `before` where that was said; null at the end.")
    ]


class AuditQuery(AfterQuery):
    before: Annotated[Seq | None, Field(description="Only entries before this number, and then the newest first.")] = (
        None
    )
    actor: Annotated[Word | None, Field(description="Only what this person did.")] = None
    subject: Annotated[Word | None, Field(description="Only what is about this: shift/3.")] = None


class VerifiedModel(Told):
    """The whole chain, gone through."""

    ok: bool
    entries: Annotated[int, Field(description="How many are in order, from the first one on.")]
    head: Annotated[str, Field(description="The hash of the last of them: keep it elsewhere, and compare it later.")]
    broken_at: Annotated[int | None, Field(description="The first entry that does not follow from the one before it.")]


async def create_token(context: Context, body: NewToken, actor: Actor) -> Answer[TokenWithSecret]:
    """A person's way in, for a role."""
    if body.name == ADMIN:
        raise Unfitting("name", "is that of the token in var/admin-token")
    secret, now = new_secrets.for_machines(), context.clock()
    token = Token(
        name=body.name,
        role=body.role,
        operator_id=body.operator_id,
        token_hash=token_hash(secret),
        valid_days=body.valid_days,
        created_at=now,
    ).valid_from(now)
    told = TokenWithSecret.of(await context.office.create(token, actor), token=secret, last_used_at=None)
    return Answer(told, 201, {"Location": f"/v1/tokens/{told.id}", **etag(told)})


async def rotate_token(
    context: Context, path: ThingPath, headers: MatchHeaders, body: Rotation, actor: Actor
) -> Answer[TokenWithSecret]:
    """A new secret for a token, valid for as long again. The one before opens the same for 24 hours, or as many as are
    named, and never longer than it would have; of two rotations within that time only the last one's is left. A token
    that has expired is rotated alike."""
    before = await context.office.find(Token, path.id, version_of(headers))
    _refuse_admins(before)
    secret = new_secrets.for_machines()
    valid_days = body.valid_days if "valid_days" in body.model_fields_set else before.valid_days
    after = before.rotated(token_hash(secret), context.clock(), timedelta(hours=body.overlap_h), valid_days)
    stored = await context.office.change(before, after, actor)
    told = TokenWithSecret.of(stored, token=secret, last_used_at=(await context.uses.all()).get(stored.id))
    return Answer(told, headers=etag(told))


async def rotate_own_token(
    context: Context, body: OwnRotation, request: web.Request, token: Token, actor: Actor
) -> Answer[TokenWithSecret]:
    """A new secret for the token that this is asked with, valid to the same end: for how long is an admin's to say. The
    one before opens the same for 24 hours, or as many as are named. It cannot be rotated with: whoever has found an old
    secret cannot take the token away from its bearer, and a repeated request takes nothing away."""
    _refuse_admins(token)
    if request[CAME_WITH] != token.token_hash:
        raise Taken("this token has a new secret already: rotate it with that one, or have an admin do it")
    secret = new_secrets.for_machines()
    after = token.renewed(token_hash(secret), context.clock(), timedelta(hours=body.overlap_h))
    stored = await context.office.change(token, after, actor)
    return Answer(TokenWithSecret.of(stored, token=secret, last_used_at=(await context.uses.all()).get(stored.id)))


def _refuse_admins(token: Token) -> None:
    if token.name == ADMIN:
        raise Taken("token admin lies in var/admin-token: for another one remove that file, and start the gateway anew")


async def tell_token(context: Context, token: Token) -> TokenModel:
    return TokenModel.of(token, last_used_at=(await context.uses.all()).get(token.id))


async def list_roles(context: Context) -> RoleList:
    """Who may do what: the table that every request is held against."""
    return RoleList(items=[RoleModel(role=role, may=[str(may) for may in May if may in MAY[role]]) for role in Role])


async def list_audit(context: Context, query: AuditQuery) -> EntryPage:
    """The audit log, oldest first; newest first before a number. Nobody can change it: the database refuses, and the
    chain would break."""
    found = await context.kept.audit(
        query.after, query.limit + 1, before=query.before, actor=query.actor, subject=query.subject
    )
    shown = found[: query.limit]
    return EntryPage(
        items=[EntryModel.of(entry) for entry in shown], next=shown[-1].seq if len(found) > query.limit else None
    )


async def verify_audit(context: Context) -> VerifiedModel:
    """Goes through the whole chain. An entry that was altered, removed or put in breaks it, and is named."""
    entries, head, broken_at = await context.kept.verify_audit()
    return VerifiedModel(ok=broken_at is None, entries=entries, head=head, broken_at=broken_at)


_TOKENS = Subject(
    kind=Token,
    path="/v1/tokens",
    noun="token",
    model=TokenModel,
    new=NewToken,
    tell=tell_token,
    see=May.GIVE_TOKENS,
    change=May.GIVE_TOKENS,
)

ROUTES = (
    *(each for each in routes_of(_TOKENS) if each.method in ("GET", "DELETE")),
    route(
        "POST",
        "/v1/tokens",
        create_token,
        "A new token",
        may=May.GIVE_TOKENS,
        statuses=(201,),
        problems=(409,),
    ),
    route(
        "POST",
        "/v1/tokens/{id}/rotate",
        rotate_token,
        "A new secret for the token",
        may=May.GIVE_TOKENS,
        problems=(409, 412, 428),
    ),
    route(
        "POST",
        "/v1/tokens/mine/rotate",
        rotate_own_token,
        "A new secret for one's own token",
        may=May.RENEW_OWN,
        problems=(409, 412),
    ),
    route("GET", "/v1/roles", list_roles, "Who may do what", may=May.SEE_ROSTER, subject="tokens"),
    route("GET", "/v1/audit", list_audit, "The audit log", may=May.SEE_AUDIT, subject="audit"),
    route("GET", "/v1/audit/verify", verify_audit, "Is the audit log whole?", may=May.SEE_AUDIT, subject="audit"),
)
