"""Tokens: who may ask, as whom; and the audit log of what was done with them.

Counterparts: `gateway/domain/tokens.py` for the table of roles, `gateway/domain/audit.py` for the chain.
"""

import json
import secrets
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from gateway.api.context import Context
from gateway.api.models import AfterQuery, Body, PersonName, Told, Word
from gateway.api.resources import KeptModel, Subject, ThingId, etag, routes_of, telling
from gateway.api.routes import Answer, route
from gateway.domain.audit import Actor, Entry
from gateway.domain.kept import Unfitting
from gateway.domain.tokens import MAY, May, Role, Token
from gateway.office import ADMIN, token_hash


class NewToken(Body):
    name: Annotated[PersonName, Field(description="The person's name, as the audit log is to show it.")]
    role: Role
    operator_id: Annotated[ThingId | None, Field(description="Which operator this is; needed for that role.")] = None


class TokenModel(KeptModel):
    name: str
    role: Role
    operator_id: int | None


class TokenWithSecret(TokenModel):
    """A new token. Its secret is shown this once and never again."""

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
    next: Annotated[int | None, Field(description="What to pass as `after`; null at the end of the log.")]


class AuditQuery(AfterQuery):
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
    secret = secrets.token_urlsafe(24)
    token = Token(
        name=body.name,
        role=body.role,
        operator_id=body.operator_id,
        token_hash=token_hash(secret),
        created_at=context.clock(),
    )
    told = TokenWithSecret.of(await context.office.create(token, actor), token=secret)
    return Answer(told, 201, {"Location": f"/v1/tokens/{told.id}", **etag(told)})


async def list_roles(context: Context) -> RoleList:
    """Who may do what: the table that every request is held against."""
    return RoleList(items=[RoleModel(role=role, may=[str(may) for may in May if may in MAY[role]]) for role in Role])


async def list_audit(context: Context, query: AuditQuery) -> EntryPage:
    """The audit log, oldest first. Nobody can change it: the database refuses, and the chain would break."""
    found = await context.kept.audit(query.after, query.limit + 1, actor=query.actor, subject=query.subject)
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
    tell=telling(TokenModel),
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
    route("GET", "/v1/roles", list_roles, "Who may do what", may=May.SEE_ROSTER, subject="tokens"),
    route("GET", "/v1/audit", list_audit, "The audit log", may=May.SEE_AUDIT, subject="audit"),
    route("GET", "/v1/audit/verify", verify_audit, "Is the audit log whole?", may=May.SEE_AUDIT, subject="audit"),
)
