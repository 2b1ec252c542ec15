"""Alarms: what is wrong now and needs somebody, and what was.

Counterpart: `gateway/watch.py` raises and clears them.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from gateway.api.context import Context
from gateway.api.models import Parameters, Told
from gateway.api.resources import ThingId
from gateway.api.routes import route
from gateway.domain.tokens import May


class AlarmQuery(Parameters):
    standing: Annotated[bool, Field(description="Only those that are not over.")] = False
    cursor: Annotated[ThingId | None, Field(description="The `next` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="How many items at most.")] = 200


class AlarmModel(Told):
    id: int
    kind: Annotated[
        str,
        Field(
            description="hole, short, lone_silent, flood_trunk, flood_number, quiet_trunk, probe_failed …: "
            "docs/operations.md says of each what to do."
        ),
    ]
    subject: Annotated[str, Field(description="With whom or what: a queue, a phone, a trunk, a caller's number.")]
    detail: str
    raised_at: datetime
    cleared_at: Annotated[datetime | None, Field(description="Null while it stands.")]


class AlarmList(Told):
    items: list[AlarmModel]
    next: Annotated[int | None, Field(description="The cursor of the next page; null on the last one.")]


async def list_alarms(context: Context, query: AlarmQuery) -> AlarmList:
    """The newest first."""
    found = await context.kept.alarms(only_standing=query.standing, before=query.cursor, limit=query.limit + 1)
    shown = found[: query.limit]
    return AlarmList(
        items=[
            AlarmModel(
                id=alarm_id,
                kind=alarm.kind,
                subject=alarm.subject,
                detail=alarm.detail,
                raised_at=alarm.raised_at,
                cleared_at=alarm.cleared_at,
            )
            for alarm_id, alarm in shown
        ],
        next=shown[-1][0] if len(found) > query.limit else None,
    )


ROUTES = (route("GET", "/v1/alarms", list_alarms, "Alarms", may=May.SEE_BOARD),)
