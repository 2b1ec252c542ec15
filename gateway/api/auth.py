"""Who may ask: bearer tokens (RFC 6750), of which only the SHA-256 is stored, and what each role may do.

Counterparts: `gateway/store/reads.py` knows the hashes; `gateway/domain/tokens.py` holds the one table of roles.
"""

from collections.abc import Collection

from aiohttp import web

from gateway.api.context import Context
from gateway.api.limits import address_of
from gateway.api.problems import Problem
from gateway.domain.audit import Actor
from gateway.domain.masking import NUMBER_FIELDS
from gateway.domain.tokens import MAY, May, Role, Token
from gateway.office import token_hash

REALM = 'Bearer realm="gateway112"'
CAME_WITH = web.RequestKey("came_with", str)
"""The hash of the secret that a request came with, once it is known to be right."""


async def admit(request: web.Request, context: Context, may: May) -> Token:
    """The bearer's token, when it may do that.

    Raises Problem (401 without a token that is known and has not expired, 403 where the role may not, 429 where it
    comes too often, or too many wrong ones do) and StoreAway. Tokens are found by their hash, so the time of a look-up
    tells nothing about a token that is nearly right.
    """
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Problem(401, "A bearer token is needed.", headers={"WWW-Authenticate": REALM})
    hashed, now = token_hash(secret.strip()), context.clock()
    context.limits.refuse_guesses(request, hashed)
    token = await context.reads.token(hashed)
    if token is None or not token.is_open_to(hashed, now):
        context.limits.take_wrong(request)
        raise _invalid(token, hashed)
    request[CAME_WITH] = hashed
    context.limits.remember(request, hashed)
    context.uses.note(token.id)
    context.limits.take_token(request, token.id)
    if not token.may(may):
        raise forbidden(token, f"{may}")
    return token


def _invalid(token: Token | None, hashed: str) -> Problem:
    """The problem of a token that opens nothing. Of one that did once, its bearer is told until when."""
    detail = "This token is not known here."
    if token is not None and (ended_at := token.ends_at(hashed)) is not None:
        detail = f"This token opened the API until {ended_at:%Y-%m-%dT%H:%M:%SZ}: an admin can give another one."
    return Problem(401, detail, headers={"WWW-Authenticate": f'{REALM}, error="invalid_token"'})


def forbidden(token: Token, what: str) -> Problem:
    """The problem of a token that may not do something."""
    return Problem(
        403,
        f"The token {token.name} has the role {token.role}, which may not {what}.",
        headers={"WWW-Authenticate": f'{REALM}, error="insufficient_scope"'},
    )


def refuse_foreign(token: Token, operator_id: int) -> None:
    """Raises Problem when somebody acts for another operator who may not."""
    if token.operator_id != operator_id and not token.may(May.ACT_FOR_OTHERS):
        raise forbidden(token, str(May.ACT_FOR_OTHERS))


def refuse_numbers(token: Token, asked: Collection[str]) -> None:
    """Raises Problem where a query names callers by their numbers, and the bearer may not see these: by trying numbers
    one could be found that is masked."""
    if not NUMBER_FIELDS.isdisjoint(asked):
        raise forbidden(token, str(May.SEE_NUMBERS))


def actor(token: Token, request: web.Request) -> Actor:
    """Whom the audit log names for what is done with this token."""
    return Actor(token.name, token.role, address_of(request))


def roles_that(may: May) -> list[Role]:
    """The roles that may do it, in their order."""
    return [role for role in Role if may in MAY[role]]
