"""Callbacks: the callers whom nobody heard, each a task that an operator takes and dials.

Counterpart: `gateway/callbacks.py` opens and closes them with the calls, and has Asterisk dial.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, Self
from urllib.parse import quote

from aiohttp import web
from pydantic import Field, StringConstraints

from gateway.api.auth import refuse_foreign
from gateway.api.context import Context
from gateway.api.known import refuse_unknown
from gateway.api.models import IN_WORDS, PRINTABLE, Body, KnownTrunk, Moment, Parameters, Told, Word, of_format
from gateway.api.problems import conflict
from gateway.api.resources import MatchHeaders, ThingId, ThingPath, version_of
from gateway.api.routes import Answer, Route, route
from gateway.api.sounds import PROBLEMS, STATUSES, ReasonQuery, SoundHeaders, listener, sending, serve_sound
from gateway.api.tracks import of_dial, opened
from gateway.domain.audit import Actor
from gateway.domain.books import Rules
from gateway.domain.callbacks import Callback, Dial, Flock, OutOfTurn, State, Why, dial_problem, number_of
from gateway.domain.facts import DialResult
from gateway.domain.tokens import May, Token
from gateway.ports import Unknown
from gateway.store.callback_reads import CallbackFilter
from gateway.vault.playing import Form

IMPOSSIBLE_WITHIN = timedelta(hours=24)
"""How far back callers without a number are counted in the list's summary."""

Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=PRINTABLE), IN_WORDS
]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500, pattern=PRINTABLE)]
TaskCursor = Annotated[Word, of_format("callback-cursor")]


class CallbacksQuery(Parameters):
    state: State | None = None
    open: Annotated[bool, Field(description="True: only those that are not over, the soonest due first.")] = False
    overdue: Annotated[bool, Field(description="True: only those whose time has passed.")] = False
    number: Annotated[Word | None, Field(description="Only this number's, in any spelling.")] = None
    claimed_by: Annotated[ThingId | None, Field(description="Only those in this operator's hands.")] = None
    trunk: Annotated[KnownTrunk | None, Field(description="Only those all of whose tries came on this trunk.")] = None
    why: Annotated[Why | None, Field(description="Only those all of whose tries were this.")] = None
    opened_since: Annotated[Moment | None, Field(description="Only those opened at this time or later.")] = None
    opened_until: Annotated[Moment | None, Field(description="Only those opened before this time.")] = None
    least_tries: Annotated[int | None, Field(ge=1, le=100_000, description="Only who tried so often or more.")] = None
    most_tries: Annotated[int | None, Field(ge=1, le=100_000, description="Only who tried so often or less.")] = None
    cursor: Annotated[TaskCursor | None, Field(description="The `next` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=200, description="How many items at most.")] = 50


class DialPath(Parameters):
    id: ThingId
    dial: Word


class ForOperator(Body):
    operator_id: Annotated[
        ThingId | None,
        Field(description="Who will call; the token's own operator if not said. Supervisors name anybody."),
    ] = None


class DialBody(ForOperator):
    trunk: Annotated[
        Word | None, Field(description="The trunk to call over, one that the number tried on; the first if not said.")
    ] = None


class ReachedBody(Body):
    note: Annotated[Note, Field(description="What came of it, in words.")] = ""


class GiveUpBody(Body):
    reason: Annotated[Reason, Field(description="Why the caller is not called any more.")]


class GiveUpManyBody(Body):
    """Which: those in nobody's hands that came alike."""

    opened_since: Annotated[Moment, Field(strict=False, description="Only those opened at this time or later.")]
    opened_until: Annotated[Moment, Field(strict=False, description="Only those opened before this time.")]
    trunk: Annotated[Word | None, Field(description="Only those all of whose tries came on this trunk.")] = None
    why: Annotated[Why | None, Field(description="Only those all of whose tries were this.")] = None
    most_tries: Annotated[
        int, Field(ge=1, le=100_000, description="Only who tried so often or less: persons try again.")
    ] = 1
    expected: Annotated[
        int,
        Field(ge=1, le=10_000_000, description="How many there are: the `total` of the list with the same filter."),
    ]
    reason: Annotated[Reason, Field(description="Why the callers are not called any more.")]


class GivenUpModel(Told):
    given_up: int
    left: Annotated[int, Field(description="Of the same sort, and still open: ask again, expecting these.")]


class TryModel(Told):
    """One call of the number."""

    call_id: str
    at: Annotated[datetime, Field(description="When it arrived.")]
    why: Annotated[
        Why,
        Field(
            description="`heard` is the last one: a person spoke with the caller. `heard_elsewhere`: with whoever "
            "called with his number over another trunk than his tries came on, and may have forged it."
        ),
    ]
    trunk: Annotated[str, Field(description="The trunk that it came on.")]


class DialModel(Told):
    """One call of the centre's own to the number. A time is null until it happened."""

    id: str
    operator_id: int
    at: Annotated[datetime, Field(description="When the operator's phone began to ring.")]
    rung_at: Annotated[datetime | None, Field(description="From when the number was called.")]
    answered_at: datetime | None
    ended_at: datetime | None
    talk_s: Annotated[float | None, Field(description="Seconds with the caller on the line; null while it lasts.")]
    result: Annotated[DialResult | None, Field(description="Null while it goes on.")]
    recording: Annotated[str | None, Field(description="Where its sound is: caller left, centre right.")]

    @classmethod
    def of(cls, dial: Dial, callback_id: int) -> Self:
        sound = dial.recording is not None and dial.rung_at is not None
        return cls(
            id=dial.id,
            operator_id=dial.operator_id,
            at=dial.at,
            rung_at=dial.rung_at,
            answered_at=dial.answered_at,
            ended_at=dial.ended_at,
            talk_s=dial.talk_s,
            result=dial.result,
            recording=f"/v1/callbacks/{callback_id}/dials/{quote(dial.id, safe='')}/recording" if sound else None,
        )


class CallbackModel(Told):
    """A number that called 112 and was not heard. Each number has one open task, however often it calls."""

    id: int
    version: Annotated[int, Field(description="Its ETag: counts its changes.")]
    number: str
    dial_problem: Annotated[
        str | None, Field(description="Why `dial` refuses the number, and what to do; null where it does not.")
    ]
    trunk: Annotated[
        str,
        Field(
            description="The trunk of the first try: the number is called over it, unless `dial` names that of another."
        ),
    ]
    state: State
    opened_at: datetime
    due_at: Annotated[
        datetime,
        Field(
            description="By when the number should be called: callback_target_min after the first try, and again after "
            "a dial in vain. A further try makes it no later."
        ),
    ]
    first_due_at: Annotated[
        datetime, Field(description="By when it should have been called first: what reports count.")
    ]
    is_overdue: Annotated[bool, Field(description="`due_at` has passed, and the number is not being called.")]
    try_count: int
    last_try_at: datetime
    tries: Annotated[list[TryModel], Field(description="The latest 50 and the last of each trunk, oldest first.")]
    claimed_by: Annotated[int | None, Field(description="The operator who has it, until the number tries again.")]
    claimed_at: datetime | None
    first_dialled_at: Annotated[datetime | None, Field(description="When the number was first called.")]
    dials: Annotated[list[DialModel], Field(description="The latest 20, oldest first.")]
    closed_at: datetime | None
    closed_by: str
    reason: Annotated[str, Field(description="Why it was given up, or what came of it.")]

    @classmethod
    def of(cls, task: Callback, now: datetime, rules: Rules) -> Self:
        made = ("is_overdue", "tries", "dials", "dial_problem")
        own = {name: getattr(task, name) for name in cls.model_fields if name not in made}
        return cls(
            **own,
            dial_problem=dial_problem(task.number, abroad=rules.callback_abroad),
            is_overdue=task.is_overdue(now),
            tries=[TryModel(call_id=each.call_id, at=each.at, why=each.why, trunk=each.trunk) for each in task.tries],
            dials=[DialModel.of(dial, task.id) for dial in task.dials],
        )


class CallbackSummary(Told):
    """How things stand, whatever the list shows."""

    open: Annotated[int, Field(description="In nobody's hands.")]
    claimed: int
    overdue: Annotated[int, Field(description="Of both: past their time, and not being called.")]
    impossible: Annotated[
        int, Field(description="Callers of the last 24 hours whom nobody heard, and who have no number to call.")
    ]


class CallbackList(Told):
    items: list[CallbackModel]
    next: Annotated[str | None, Field(description="The cursor of the next page; null on the last one.")]
    total: Annotated[int, Field(description="How many the filter fits, on all pages.")]
    summary: CallbackSummary


async def list_callbacks(context: Context, query: CallbacksQuery) -> CallbackList:
    """Callers whom nobody heard: who left before anybody spoke to them, left a message, or were cut off. The newest
    first; where only open ones are asked for, the soonest due first."""
    await refuse_unknown(context, trunk=query.trunk)
    now = context.clock()
    number = query.number if query.number is None else number_of(query.number) or query.number
    filter = CallbackFilter(
        state=query.state,
        number=number,
        claimed_by=query.claimed_by,
        is_open=query.open,
        overdue_at=now if query.overdue else None,
        trunk=query.trunk,
        why=query.why,
        opened_since=query.opened_since,
        opened_until=query.opened_until,
        least_tries=query.least_tries,
        most_tries=query.most_tries,
    )
    rules = (await context.bookkeeper.books()).rules
    found, following = await context.reads.callbacks.page(filter, after=query.cursor, limit=query.limit)
    counts = await context.reads.callbacks.counts(now, now - IMPOSSIBLE_WITHIN)
    return CallbackList(
        items=[CallbackModel.of(task, now, rules) for task in found],
        next=following,
        total=await context.reads.callbacks.count(filter),
        summary=CallbackSummary(
            open=counts.open, claimed=counts.claimed, overdue=counts.overdue, impossible=counts.impossible
        ),
    )


async def get_callback(context: Context, path: ThingPath) -> Answer[CallbackModel]:
    return await _told(context, await _task(context, path.id))


async def claim_callback(
    context: Context, path: ThingPath, headers: MatchHeaders, body: ForOperator, token: Token, actor: Actor
) -> Answer[CallbackModel]:
    """An operator takes it: nobody else calls the number meanwhile. It is anybody's again once the caller tries once
    more and is not heard, unless a dial goes on."""
    version = version_of(headers)
    return await _told(context, await context.callbacks.claim(path.id, _operator_id(body, token), actor, version))


async def release_callback(
    context: Context, path: ThingPath, headers: MatchHeaders, token: Token, actor: Actor
) -> Answer[CallbackModel]:
    """The operator gives it back, or a supervisor takes it away."""
    return await _told(context, await context.callbacks.release(path.id, actor, version_of(headers), _allow(token)))


async def reach_callback(
    context: Context, path: ThingPath, headers: MatchHeaders, body: ReachedBody, token: Token, actor: Actor
) -> Answer[CallbackModel]:
    """Somebody spoke with the caller, by whatever way: the task is over. A dial that the caller answered for 5 seconds
    or more says so by itself. An operator claims it first."""
    task = await context.callbacks.reach(path.id, actor, version_of(headers), _allow_end(token), body.note)
    return await _told(context, task)


async def give_up_callback(
    context: Context, path: ThingPath, headers: MatchHeaders, body: GiveUpBody, token: Token, actor: Actor
) -> Answer[CallbackModel]:
    """The caller is not called any more. Who calls 112 again and is not heard has a new task. An operator claims it
    first."""
    task = await context.callbacks.give_up(path.id, actor, version_of(headers), _allow_end(token), body.reason)
    return await _told(context, task)


async def give_up_many_callbacks(context: Context, body: GiveUpManyBody, actor: Actor) -> GivenUpModel:
    """Gives up many at once that came alike, after a flood of forged calls: the oldest first, 1000 at most, never one
    that somebody has or dials. It is refused where there are not about as many as whoever asks saw in the list, and is
    one entry of the audit log; each task tells of it by its own event."""
    if body.opened_since >= body.opened_until:
        raise conflict("/opened_until", "must be after opened_since")
    flock = Flock(
        opened_since=body.opened_since,
        opened_until=body.opened_until,
        trunk=body.trunk,
        why=body.why,
        most_tries=body.most_tries,
    )
    given_up, left = await context.callbacks.give_up_many(flock, body.expected, actor, body.reason)
    return GivenUpModel(given_up=given_up, left=left)


async def dial_callback(
    context: Context, path: ThingPath, headers: MatchHeaders, body: DialBody, token: Token, actor: Actor
) -> Answer[CallbackModel]:
    """Rings the operator's own phone for 25 s and then, once it is picked up, the number for 45 s, over the trunk that
    the caller came on first, as 112 and marked as a call back (RFC 7090). It is recorded. Only an ordinary Indonesian
    subscriber's number is called, one abroad where the rules let it (`dial_problem`), and an operator calls one at a
    time. The task is in that operator's
    hands from now on; what comes of it stands in its `dials`."""
    version = version_of(headers)
    task = await context.callbacks.dial(path.id, _operator_id(body, token), actor, version, body.trunk)
    return await _told(context, task, status=202)


async def get_callback_recording(
    context: Context,
    path: DialPath,
    query: ReasonQuery,
    headers: SoundHeaders,
    request: web.Request,
    token: Token,
) -> web.StreamResponse:
    """The dial's sound as WAV: the caller left, the centre right. It begins with what the carrier lets one hear before
    anybody answers. Listening needs a reason, which stands in the audit log."""
    who = listener(request, query, headers, token)
    task = await _task(context, path.id)
    dial = next((each for each in task.dials if each.id == path.dial), None)
    if dial is None:
        raise Unknown(f"callback {task.id} has no dial {path.dial}")
    recording = await of_dial(context, dial)
    async with opened(context, recording) as track:
        return await serve_sound(context, who, recording, sending(context, track, Form.WAV))


async def _task(context: Context, callback_id: int) -> Callback:
    task = await context.reads.callbacks.one(callback_id)
    if task is None:
        raise Unknown(f"there is no callback {callback_id}")
    return task


async def _told(context: Context, task: Callback, status: int = 200) -> Answer[CallbackModel]:
    rules = (await context.bookkeeper.books()).rules
    return Answer(CallbackModel.of(task, context.clock(), rules), status, {"ETag": f'"{task.version}"'})


def _operator_id(body: ForOperator, token: Token) -> int:
    """Raises Problem where nobody is named, or somebody for whom the token may not act."""
    operator_id = body.operator_id or token.operator_id
    if operator_id is None:
        raise conflict("/operator_id", "must be said: this token is no operator's")
    refuse_foreign(token, operator_id)
    return operator_id


def _allow(token: Token) -> Callable[[Callback], None]:
    """A task in somebody's hands is that one's, and the supervisors'."""

    def allow(task: Callback) -> None:
        if task.claimed_by is not None:
            refuse_foreign(token, task.claimed_by)

    return allow


def _allow_end(token: Token) -> Callable[[Callback], None]:
    """The same; and in nobody's hands it is the supervisors': so the log says who took it before it was over."""

    def allow(task: Callback) -> None:
        if task.is_open and task.claimed_by is None and not token.may(May.ACT_FOR_OTHERS):
            raise OutOfTurn("nobody has it: claim it first")
        _allow(token)(task)

    return allow


def _act(
    name: str,
    serve: Callable[..., Awaitable[object]],
    summary: str,
    *,
    statuses: tuple[int, ...] = (),
    problems: tuple[int, ...] = (),
) -> Route:
    return route(
        "POST",
        f"/v1/callbacks/{{id}}/{name}",
        serve,
        summary,
        may=May.ACT_FOR_SELF,
        statuses=statuses,
        problems=(409, 412, 428, *problems),
    )


ROUTES = (
    route("GET", "/v1/callbacks", list_callbacks, "Callers whom nobody heard", may=May.SEE_CALLS),
    route(
        "POST",
        "/v1/callbacks/give-up-many",
        give_up_many_callbacks,
        "Many callers are not to be called",
        may=May.ACT_FOR_OTHERS,
        problems=(409,),
    ),
    route("GET", "/v1/callbacks/{id}", get_callback, "One callback", may=May.SEE_CALLS),
    _act("claim", claim_callback, "Take it"),
    _act("release", release_callback, "Give it back"),
    _act("reached", reach_callback, "The caller was spoken with"),
    _act("give-up", give_up_callback, "The caller is not to be reached"),
    _act("dial", dial_callback, "Call the number", statuses=(202,), problems=(502,)),
    route(
        "GET",
        "/v1/callbacks/{id}/dials/{dial}/recording",
        get_callback_recording,
        "The sound of one dial",
        may=May.HEAR_CALLS,
        statuses=STATUSES,
        problems=PROBLEMS,
        media_type="audio/wav",
    ),
)
