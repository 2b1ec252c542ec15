"""Who may ask: bearer tokens (RFC 6750), of which only the SHA-256 is stored.

Counterpart: `gateway/store/reads.py` knows the hashes; `gateway112 token` makes tokens.
"""

import hashlib
from enum import StrEnum

from aiohttp import web

from gateway.api.problems import Problem
from gateway.store.reads import Reads

REALM = 'Bearer realm="gateway112"'


class Role(StrEnum):
    """What a token's bearer may do. An admin may do all that a reader may."""

    READER = "reader"
    ADMIN = "admin"


def token_hash(token: str) -> str:
    """The hexadecimal SHA-256 under which a token is stored. A token is random and long: it needs no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


async def admit(request: web.Request, reads: Reads, role: Role) -> None:
    """Returns when the bearer has that role.

    Raises Problem (401 without a known token, 403 without the role) and StoreAway. Tokens are found by their hash,
    so the time of a look-up tells nothing about a token that is nearly right.
    """
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Problem(401, "A bearer token is needed.", headers={"WWW-Authenticate": REALM})
    token = await reads.token(token_hash(secret.strip()))
    if token is None:
        raise Problem(
            401, "This token is not known here.", headers={"WWW-Authenticate": f'{REALM}, error="invalid_token"'}
        )
    if token.role not in (role, Role.ADMIN):
        raise Problem(
            403,
            f"The token {token.name} is not for the role {role}.",
            headers={"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{role}"'},
        )
