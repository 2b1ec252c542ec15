"""Queues, and which phones are rung for each.

Counterpart: `gateway/centre.py` stores a place and has Asterisk take it over; Asterisk keeps it when we are gone.
"""

from typing import Annotated

from pydantic import Field

from gateway.api.auth import Role
from gateway.api.context import Context
from gateway.api.models import Body, Parameters, PhoneNumber, QueueName, Told
from gateway.api.operators import trouble
from gateway.api.routes import Answer, route
from gateway.domain.operators import Member


class MemberPath(Parameters):
    name: QueueName
    phone: PhoneNumber


class MemberBody(Body):
    penalty: Annotated[int, Field(ge=0, le=1000, description="Lower penalties are rung first.")] = 0


class MemberModel(Told):
    """A phone's place in a queue."""

    phone: str
    penalty: int
    state: Annotated[
        str | None, Field(description="free, ringing, talking, paused, unavailable or unknown; null before it is seen.")
    ]
    applied: Annotated[bool, Field(description="Whether Asterisk holds the place as it stands here.")]
    problem: Annotated[str | None, Field(description="Why not, in Asterisk's words.")]


class QueueModel(Told):
    name: str
    members: list[MemberModel]


class QueueList(Told):
    items: list[QueueModel]
    next: None = None


async def list_queues(context: Context) -> QueueList:
    """Each queue with its phones, those that are rung first at the top."""
    members = sorted(await context.store.members(), key=lambda member: (member.penalty, member.phone))
    return QueueList(
        items=[
            QueueModel(name=name, members=[_model(context, member) for member in members if member.queue == name])
            for name in sorted(context.centre.queues)
        ]
    )


async def put_member(context: Context, path: MemberPath, body: MemberBody) -> Answer[MemberModel]:
    """Puts the phone into the queue, or changes its penalty."""
    is_new = (path.name, path.phone) not in {member.key for member in await context.store.members()}
    member = await context.centre.put_member(path.name, path.phone, body.penalty)
    return Answer(_model(context, member), 201 if is_new else 200)


async def remove_member(context: Context, path: MemberPath) -> None:
    """Takes the phone out of the queue. A call on it goes on."""
    await context.centre.remove_member(path.name, path.phone)


def _model(context: Context, member: Member) -> MemberModel:
    problem = trouble(context.centre, member.phone) or trouble(context.centre, f"{member.queue}/{member.phone}")
    return MemberModel(
        phone=member.phone,
        penalty=member.penalty,
        state=context.phone_states().get(member.phone),
        applied=problem is None,
        problem=problem,
    )


ROUTES = (
    route("GET", "/v1/queues", list_queues, "Queues and their phones", role=Role.READER),
    route(
        "PUT",
        "/v1/queues/{name}/members/{phone}",
        put_member,
        "Put a phone into a queue",
        role=Role.ADMIN,
        statuses=(200, 201),
    ),
    route("DELETE", "/v1/queues/{name}/members/{phone}", remove_member, "Take a phone out of a queue", role=Role.ADMIN),
)
