"""Trunks: what came in over each carrier's line.

Counterpart: `asterisk-config/pjsip.conf` lets them in; the store counts their calls.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from gateway.api.auth import Role
from gateway.api.context import Context
from gateway.api.models import Told
from gateway.api.routes import route
from gateway.domain.call import PROBE_TRUNK


class TrunkModel(Told):
    name: str
    calls: Annotated[int, Field(description="How many calls came in, ever.")]
    running: int
    last_arrived_at: Annotated[datetime | None, Field(description="Null before the first call.")]


class TrunkList(Told):
    items: list[TrunkModel]
    next: None = None


async def list_trunks(context: Context) -> TrunkList:
    """Every trunk that is set up or ever brought a call; not the probe's."""
    seen = {summary.trunk: summary for summary in await context.reads.trunk_summaries()}
    items = []
    for name in sorted({*context.trunks, *seen} - {PROBE_TRUNK}):
        summary = seen.get(name)
        items.append(
            TrunkModel(
                name=name,
                calls=summary.calls if summary else 0,
                running=summary.running if summary else 0,
                last_arrived_at=summary.last_arrived_at if summary else None,
            )
        )
    return TrunkList(items=items)


ROUTES = (route("GET", "/v1/trunks", list_trunks, "The carriers' trunks", role=Role.READER),)
