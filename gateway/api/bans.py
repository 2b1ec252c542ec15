"""Bans at the SIP door over HTTP: who is kept out, why and until when. The gateway makes them; an admin lifts one
(DELETE), or makes one by hand.

Counterparts: `gateway/banning.py` bans whoever hammers at the door; `gateway/domain/bans.py` says whom nobody can ban.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.api.context import Context
from gateway.api.models import IN_WORDS, PRINTABLE, Body, Moment
from gateway.api.operators import trouble
from gateway.api.resources import KeptModel, Subject, routes_of
from gateway.domain.bans import LONGEST, Ban
from gateway.domain.holding import BANS
from gateway.domain.tokens import May


class NewBan(Body):
    address: Annotated[
        str,
        Field(
            pattern=r"^[0-9A-Fa-f.:/]{3,64}$",
            description="An IPv4 address, or an IPv6 network of 64 bits. A trunk's, a phone's and those of "
            "`sip.never_banned` are refused.",
        ),
    ]
    reason: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=400, pattern=PRINTABLE),
        IN_WORDS,
        Field(description="Why; it stays in the audit log."),
    ]
    until: Annotated[Moment, Field(strict=False, description=f"When it ends: at most {LONGEST.days} days from now.")]


class BanModel(KeptModel):
    """An address that the SIP door does not let in."""

    address: str
    reason: str
    until: datetime
    in_force: Annotated[bool, Field(description="Whether it still holds.")]
    applied: Annotated[bool, Field(description="Whether Asterisk holds all bans as they stand here.")]
    problem: Annotated[str | None, Field(description="Why not, in Asterisk's words.")]


async def _tell(context: Context, ban: Ban) -> BanModel:
    problem = trouble(context, BANS)
    in_force = ban.is_in_force(context.clock())
    return BanModel.of(ban, in_force=in_force, applied=problem is None, problem=problem)


ROUTES = routes_of(
    Subject(
        kind=Ban,
        path="/v1/bans",
        noun="ban",
        model=BanModel,
        new=NewBan,
        tell=_tell,
        see=May.SEE_AUDIT,
        change=May.SET_UP,
    )
)
