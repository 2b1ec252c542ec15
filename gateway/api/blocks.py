"""Blocks over HTTP: an admin has a number hear a notice before it reaches a person.

Counterparts: `gateway/domain/blocks.py` says how long one may be; `dialplan/notice.conf` plays the notice.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.api.context import Context
from gateway.api.models import IN_WORDS, PRINTABLE, Body, Moment
from gateway.api.operators import trouble
from gateway.api.resources import KeptModel, ListQuery, Subject, routes_of
from gateway.domain.blocks import LONGEST, NUMBER_PATTERN, Block
from gateway.domain.holding import BLOCK
from gateway.domain.numbers import spellings
from gateway.domain.tokens import May

_HOURS = int(LONGEST.total_seconds() // 3600)


class NewBlock(Body):
    number: Annotated[
        str,
        Field(
            pattern=NUMBER_PATTERN,
            description="The whole number, in any spelling (0811…, 62811… and +62811… are one); not 112 or zeros "
            "alone, which carriers send of every phone without a SIM.",
        ),
    ]
    reason: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=400, pattern=PRINTABLE),
        IN_WORDS,
        Field(description="Why; it stays in the audit log."),
    ]
    until: Annotated[Moment, Field(strict=False, description=f"When it ends: at most {_HOURS} hours after it is made.")]


class BlockModel(KeptModel):
    """A number that hears a notice first, and then waits behind the others."""

    number: str
    reason: str
    until: datetime
    in_force: Annotated[bool, Field(description="Whether it still holds.")]
    applied: Annotated[bool, Field(description="Whether Asterisk holds it as it stands here.")]
    problem: Annotated[str | None, Field(description="Why not, in Asterisk's words.")]


class BlockQuery(ListQuery):
    number: Annotated[
        str | None, Field(pattern=NUMBER_PATTERN, description="Only blocks of this number, in any spelling.")
    ] = None


async def tell_block(context: Context, block: Block) -> BlockModel:
    problem = trouble(context, *(f"{BLOCK}/{spelling}" for spelling in spellings(block.number)))
    in_force = block.is_in_force(context.clock())
    return BlockModel.of(block, in_force=in_force, applied=problem is None, problem=problem)


ROUTES = routes_of(
    Subject(
        kind=Block,
        path="/v1/blocks",
        noun="block",
        model=BlockModel,
        new=NewBlock,
        tell=tell_block,
        see=May.SEE_CALLS,
        change=May.SET_UP,
        query=BlockQuery,
        conditions=lambda query: {} if query.number is None else {"number": ("in", spellings(query.number))},
    )
)
