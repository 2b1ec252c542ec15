"""What is known of a caller's number: its reputation and what makes it, whether it waits for a callback or is blocked,
and its last calls.

Counterparts: `gateway/domain/reputation.py` weighs what operators said; `advice_rules.py` is where that has effect.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from gateway.api.blocks import BlockModel, tell_block
from gateway.api.context import Context
from gateway.api.models import Parameters, Told
from gateway.api.routes import route
from gateway.domain.call import Call, Outcome
from gateway.domain.callbacks import number_of
from gateway.domain.dispositions import Disposition
from gateway.domain.numbers import is_number
from gateway.domain.reputation import REMEMBERED, Reputation, reputation
from gateway.domain.tokens import May
from gateway.store.call_list import CallFilter

LAST_CALLS = 10
CALLER_PATTERN = r"^[+0-9A-Za-z*#._-]{1,64}$"
"""What a trunk's filter leaves of a caller's number (`dialplan/trunk.conf`)."""


class NumberPath(Parameters):
    number: Annotated[str, Field(pattern=CALLER_PATTERN, description="As the carrier sends it.")]


class SayingModel(Told):
    """What an operator said of one of its calls."""

    call_id: str
    trunk: Annotated[str | None, Field(description="Where it came in: a prank weighs only there. Null: everywhere.")]
    disposition: Disposition
    said_by: str
    arrived_at: Annotated[datetime, Field(description="When the call came: it is weighed by that.")]
    at: Annotated[datetime, Field(description="When it was said.")]
    weight: Annotated[float, Field(description="How much of the score it is now.")]


class ReputationModel(Told):
    """A prank counts 1, half as much after each 14 days, and nothing once an emergency came after it. It weighs only
    against calls of the trunk that it came over."""

    score: Annotated[
        float,
        Field(description="0 where nothing bad is known; on the trunk where it weighs most, if there are several."),
    ]
    dispositions: Annotated[list[SayingModel], Field(description="All that were looked at, the newest first.")]

    @classmethod
    def of(cls, found: Reputation) -> "ReputationModel":
        return cls(
            score=round(found.score, 3),
            dispositions=[
                SayingModel(
                    call_id=each.saying.call_id,
                    trunk=each.saying.trunk,
                    disposition=each.saying.disposition,
                    said_by=each.saying.said_by,
                    arrived_at=each.saying.arrived_at,
                    at=each.saying.said_at,
                    weight=round(each.weight, 3),
                )
                for each in found.weighed
            ],
        )


class OpenCallbackModel(Told):
    id: int
    opened_at: datetime
    due_at: datetime
    try_count: Annotated[int, Field(description="How often the number has tried since.")]


class LastCallModel(Told):
    """One of its calls; `/v1/calls/{id}` tells all of it."""

    id: str
    trunk: str
    arrived_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    outcome: Outcome | None
    operator: str | None
    wait_s: float | None
    talk_s: float | None

    @classmethod
    def of(cls, call: Call) -> "LastCallModel":
        return cls(**{name: getattr(call, name) for name in cls.model_fields})


class NumberModel(Told):
    number: str
    is_withheld: Annotated[bool, Field(description="No number of one caller's own: advice has no past for it.")]
    reputation: ReputationModel
    open_callback: Annotated[OpenCallbackModel | None, Field(description="Null where nobody is to call it back.")]
    block: Annotated[BlockModel | None, Field(description="The block that is in force; null where there is none.")]
    last_calls: Annotated[list[LastCallModel], Field(description=f"The newest {LAST_CALLS}, the newest first.")]


async def get_number(context: Context, path: NumberPath) -> NumberModel:
    """All of it as it is now, worked out anew. A number that never called has nothing."""
    number, now = path.number, context.clock()
    is_known = is_number(number)
    sayings = await context.reads.histories.sayings(number, now - REMEMBERED) if is_known else []
    callback = await context.reads.histories.open_callback(number_of(number) or number)
    block = (await context.bookkeeper.books()).block_of(number, now)
    page = await context.reads.calls(CallFilter(caller=number, include_probes=True), None, LAST_CALLS)
    return NumberModel(
        number=number,
        is_withheld=not is_known,
        reputation=ReputationModel.of(reputation(sayings, now)),
        open_callback=None
        if callback is None
        else OpenCallbackModel(id=callback[0], opened_at=callback[1], due_at=callback[2], try_count=callback[3]),
        block=None if block is None else await tell_block(context, block),
        last_calls=[LastCallModel.of(call) for call in page.items],
    )


ROUTES = (route("GET", "/v1/numbers/{number}", get_number, "What is known of a number", may=May.SEE_NUMBERS),)
