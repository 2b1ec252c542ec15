"""Queues, and the places in them that are kept whatever the roster says.

Counterpart: `gateway/office.py` stores a change and has Asterisk take it over; Asterisk keeps it when we are gone.
"""

from typing import Annotated, Any

from pydantic import Field

from gateway.api.context import Context
from gateway.api.models import Body, Parameters, PhoneNumber, QueueName, Told
from gateway.api.operators import trouble
from gateway.api.resources import KeptModel, Subject, routes_of
from gateway.api.routes import Answer, route
from gateway.domain.audit import Actor
from gateway.domain.holding import Member
from gateway.domain.queues import Queue, Strategy
from gateway.domain.tokens import May


class MemberPath(Parameters):
    name: QueueName
    phone: PhoneNumber


class MemberBody(Body):
    penalty: Annotated[
        int,
        Field(ge=0, le=1000, description="Lower penalties are rung first; in a caller's second round all are alike."),
    ] = 0


class MemberModel(Told):
    """A phone's place in a queue."""

    phone: str
    penalty: int
    standing: Annotated[bool, Field(description="Whether the place is kept at any hour, whatever the roster says.")]
    state: Annotated[
        str | None, Field(description="free, ringing, talking, paused, unavailable or unknown; null before it is seen.")
    ]
    applied: Annotated[bool, Field(description="Whether Asterisk holds the place as it stands here.")]
    problem: Annotated[str | None, Field(description="Why not, in Asterisk's words.")]


class _QueueFields(Body):
    strategy: Annotated[
        Strategy,
        Field(
            description="Who is rung next: rrmemory is one after the other, so that after a phone that is not picked "
            "up the next one rings; leastrecent is the operator whose last call is the longest ago, again and again "
            "while that phone is not picked up (until `missed_rings_limit` pauses it); ringall is all."
        ),
    ] = Strategy.ROUND_ROBIN
    ring_s: Annotated[int, Field(ge=3, le=120, description="How long a phone rings before the next is tried.")] = 15
    wrap_up_s: Annotated[int, Field(ge=0, le=600, description="How long an operator has after a call.")] = 0
    max_wait_s: Annotated[int, Field(ge=5, le=3600, description="After that the fallback speaks.")] = 60
    max_waiting: Annotated[
        int, Field(ge=0, le=10_000, description="Callers who may wait at once; more hear the fallback. 0: no limit.")
    ] = 0
    weight: Annotated[int, Field(ge=0, le=100, description="Callers of a heavier queue go first.")] = 0
    service_level_s: Annotated[int, Field(ge=1, le=600, description="Within how many seconds to answer.")] = 15
    minimum: Annotated[int, Field(ge=0, le=500, description="Operators who must be there at any time.")] = 0
    announces_position: Annotated[
        bool,
        Field(
            description="Callers hear their place in the queue, twice a minute at most. While one hears it, some 6 s, "
            "no operator who comes free is given him."
        ),
    ] = False
    music: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z0-9-]{1,40}$", description="What callers hear: a folder of dialplan/music; null: ringing."
        ),
    ] = None


class NewQueue(_QueueFields):
    name: Annotated[QueueName, Field(description="Small letters, digits and _; it stays.")]


class QueueModel(KeptModel):
    name: str
    strategy: Strategy
    ring_s: int
    wrap_up_s: int
    max_wait_s: int
    max_waiting: int
    weight: int
    service_level_s: int
    minimum: int
    announces_position: bool
    music: str | None
    members: Annotated[list[MemberModel], Field(description="Who should be in it now, by the roster and otherwise.")]
    applied: Annotated[bool, Field(description="Whether Asterisk holds the queue and its members as they stand here.")]
    problem: Annotated[str | None, Field(description="Why not, in Asterisk's words.")]


async def _tell(context: Context, queue: Queue) -> QueueModel:
    books = await context.bookkeeper.books()
    of_members = (each for each in context.level.applied.problems if each.startswith(f"{queue.name}/"))
    problem = trouble(context, queue.name, *of_members)
    standing = {member.key for member in books.standing}
    members = sorted(
        (member for member in books.places(context.clock()).values() if member.queue == queue.name),
        key=lambda member: (member.penalty, member.phone),
    )
    return QueueModel.of(
        queue,
        members=[_member(context, member, is_standing=member.key in standing) for member in members],
        applied=problem is None,
        problem=problem,
    )


async def put_member(context: Context, path: MemberPath, body: MemberBody, actor: Actor) -> Answer[MemberModel]:
    """Gives the phone a place in the queue at any hour, whatever the roster says, or changes its penalty."""
    member = Member(path.name, path.phone, body.penalty)
    is_new = await context.office.put_member(member, actor)
    return Answer(_member(context, member, is_standing=True), 201 if is_new else 200)


async def remove_member(context: Context, path: MemberPath, actor: Actor) -> None:
    """Takes that place away. Who is rostered stays; a call goes on."""
    await context.office.remove_member(path.name, path.phone, actor)


def _member(context: Context, member: Member, *, is_standing: bool) -> MemberModel:
    problem = trouble(context, member.phone, f"{member.queue}/{member.phone}")
    states: dict[tuple[str, str], Any] = {(place.queue, place.phone): place.state for place in context.board.places}
    return MemberModel(
        phone=member.phone,
        penalty=member.penalty,
        standing=is_standing,
        state=states.get(member.key),
        applied=problem is None,
        problem=problem,
    )


SUBJECT = Subject(
    kind=Queue,
    path="/v1/queues",
    noun="queue",
    model=QueueModel,
    new=NewQueue,
    tell=_tell,
    see=May.SEE_BOARD,
    change=May.SET_UP,
)

ROUTES = (
    *routes_of(SUBJECT),
    route(
        "PUT",
        "/v1/queues/{name}/members/{phone}",
        put_member,
        "Put a phone into a queue",
        may=May.SET_UP,
        statuses=(200, 201),
    ),
    route("DELETE", "/v1/queues/{name}/members/{phone}", remove_member, "Take a phone out of a queue", may=May.SET_UP),
)
