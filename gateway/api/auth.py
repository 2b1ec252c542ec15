"""Who may ask: bearer tokens (RFC 6750), of which only the SHA-256 is stored, and what each role may do.

Counterparts: `gateway/store/reads.py` knows the hashes; `gateway/domain/tokens.py` holds the one table of roles.
"""

from collections.abc import Collection

from aiohttp import web

from gateway.api.problems import Problem
from gateway.domain.audit import Actor
from gateway.domain.masking import NUMBER_FIELDS
from gateway.domain.tokens import MAY, May, Role, Token
from gateway.office import token_hash
from gateway.store.reads import Reads

REALM = 'Bearer realm="gateway112"'


async def admit(request: web.Request, reads: Reads, may: May) -> Token:
    """The bearer's token, when it may do that.

    Raises Problem (401 without a known token, 403 where the role may not) and StoreAway. Tokens are found by their
    hash, so the time of a look-up tells nothing about a token that is nearly right.
    """
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Problem(401, "A bearer token is needed.", headers={"WWW-Authenticate": REALM})
    token = await reads.token(token_hash(secret.strip()))
    if token is None:
        raise Problem(
            401, "This token is not known here.", headers={"WWW-Authenticate": f'{REALM}, error="invalid_token"'}
        )
    if not token.may(may):
        raise forbidden(token, f"{may}")
    return token


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
    return Actor(token.name, token.role, request.remote or "")


def roles_that(may: May) -> list[Role]:
    """The roles that may do it, in their order."""
    return [role for role in Role if may in MAY[role]]
