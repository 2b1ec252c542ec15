"""Advice rules over HTTP, and what they would have done to calls of the past.

Counterparts: `gateway/domain/advice_rules.py` holds what they mean, `gateway/advising.py` asks them for each call.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from gateway import rulings
from gateway.api.apart import apart
from gateway.api.context import Context
from gateway.api.models import Body, Moment, QueueName, Told
from gateway.api.resources import KeptModel, Subject, routes_of, telling
from gateway.api.routes import route
from gateway.domain import dry_run as dry
from gateway.domain.advice_rules import MOST_RULES, NAME_PATTERN, AdviceRule, Arrival, Condition, Effect
from gateway.domain.blocks import NUMBER_PATTERN
from gateway.domain.books import Books
from gateway.domain.dry_run import DryRun
from gateway.domain.kept import Invalid
from gateway.domain.tokens import May
from gateway.domain.trunks import NAME_PATTERN as TRUNK_PATTERN

MOST_CALLS = 20_000
MOST_DAYS = 31


class NewAdviceRule(Body):
    name: Annotated[str, StringConstraints(pattern=NAME_PATTERN), Field(description="As the call's events tell it.")]
    place: Annotated[int, Field(ge=0, le=1000, description="Rules are gone through from the lowest place on.")]
    is_on: bool = True
    condition: Annotated[
        Condition,
        Field(
            description="What must be true of the call: cut_recently and tried_again need within_min; many_numbers "
            "needs within_min, least_numbers and is_by_trunk; nuisance needs least_score; number needs number and "
            "is_prefix; trunk needs trunk; open_callback and location_attached need none. Others must be null."
        ),
    ]
    within_min: Annotated[int | None, Field(ge=1, le=1440, description="How many minutes it looks back.")] = None
    least_numbers: Annotated[int | None, Field(ge=2, le=200, description="How many different numbers are many.")] = None
    is_by_trunk: Annotated[
        bool | None, Field(description="Whether only numbers on the call's own trunk count; else all do.")
    ] = None
    least_score: Annotated[
        float | None, Field(ge=0.5, le=50, description="From which score on a number plays pranks (/v1/numbers).")
    ] = None
    number: Annotated[str | None, Field(pattern=NUMBER_PATTERN, description="As the carrier sends it.")] = None
    is_prefix: Annotated[bool | None, Field(description="Whether `number` is only how numbers begin.")] = None
    trunk: Annotated[str | None, Field(pattern=TRUNK_PATTERN, description="Calls on this trunk.")] = None
    effect: Annotated[
        Effect,
        Field(
            description="The first match that raises (first, earlier) counts; else one that says normal; else one that "
            "lowers (later). later is for nuisance, number and trunk alone, and never for a call with a location or in "
            "a burst of other numbers. first, earlier and normal put no call behind the others of its trunk."
        ),
    ]
    queue: Annotated[
        QueueName | None,
        Field(description="Where the caller waits, while anybody is there; null leaves it as it is."),
    ] = None


class AdviceRuleModel(KeptModel):
    name: str
    place: int
    is_on: bool
    condition: Condition
    within_min: int | None
    least_numbers: int | None
    is_by_trunk: bool | None
    least_score: float | None
    number: str | None
    is_prefix: bool | None
    trunk: str | None
    effect: Effect
    queue: str | None


class DryRunBody(Body):
    """Which calls, and which rules."""

    since: Annotated[Moment, Field(alias="from", strict=False, description="The first calls that count.")]
    until: Annotated[
        Moment, Field(alias="to", strict=False, description=f"The first after them; {MOST_DAYS} days later at most.")
    ]
    rules: Annotated[
        list[NewAdviceRule] | None,
        Field(min_length=1, max_length=MOST_RULES, description="Rules that are not kept; null: those that are."),
    ] = None
    beside_kept: Annotated[bool, Field(description="Whether the kept rules are asked beside those.")] = False

    @field_validator("until")
    @classmethod
    def _in_order(cls, until: datetime, others: ValidationInfo) -> datetime:
        since = others.data.get("since")
        if since is not None and until <= since:
            raise ValueError("must be after from")
        if since is not None and until - since > timedelta(days=MOST_DAYS):
            raise ValueError(f"must be at most {MOST_DAYS} days after from")
        return until


class ExampleModel(Told):
    call_id: str
    arrived_at: datetime
    trunk: str
    caller: str

    @classmethod
    def of(cls, arrival: Arrival) -> "ExampleModel":
        return cls(call_id=arrival.call_id, arrived_at=arrival.at, trunk=arrival.trunk, caller=arrival.caller)


class RuleRunModel(Told):
    """What one rule would have done."""

    id: Annotated[int | None, Field(description="Null of one that is not kept.")]
    name: str
    place: int
    effect: Effect
    matched: Annotated[int, Field(description="Calls of which its condition was true.")]
    decided: Annotated[int, Field(description="Calls for which it was the one that counted.")]
    faults: Annotated[int, Field(description="Calls for which it could not be asked.")]
    examples: Annotated[list[ExampleModel], Field(description="The first of those that it decided.")]


class DryRunModel(Told):
    model_config = ConfigDict(populate_by_name=True)

    since: Annotated[datetime, Field(alias="from")]
    until: Annotated[datetime, Field(alias="to")]
    calls: Annotated[int, Field(description="How many calls were looked at, without the probe's.")]
    is_complete: Annotated[
        bool,
        Field(description=f"False where there are more calls than {MOST_CALLS}: the later ones were not looked at."),
    ]
    first: Annotated[int, Field(description="Calls that would have been first.")]
    earlier: int
    normal: int
    later: int
    unadvised: Annotated[int, Field(description="Calls that no rule would have said anything about.")]
    rules: Annotated[list[RuleRunModel], Field(description="Those that are on, in the order of their places.")]


async def dry_run_advice_rules(context: Context, body: DryRunBody) -> DryRunModel:
    """What rules would have done to the calls of a past time: the kept ones, or one or some that are only tried.
    Nothing is changed. What operators said of a call counts from when they said it last."""
    books = await context.bookkeeper.books()
    rules = list(books.advice_rules)
    if body.rules is not None:
        tried = [_tried(books, given, number, context.clock()) for number, given in enumerate(body.rules)]
        rules = [*rules, *tried] if body.beside_kept else tried
    history = await context.reads.histories.history(
        body.since, body.until, MOST_CALLS + 1, look_back=dry.look_back(rules)
    )
    is_complete = sum(call.arrival.at >= body.since for call in history.calls) <= MOST_CALLS
    told = await apart(dry.dry_run, rules, history, body.since)
    return _told(body, rules, told, is_complete=is_complete)


def _tried(books: Books, given: NewAdviceRule, number: int, now: datetime) -> AdviceRule:
    """A rule that is not kept, with an id of its own below all others. Raises what the office would for a kept one."""
    rule = AdviceRule(**given.model_dump(), id=number - MOST_RULES, created_at=now)
    try:
        rulings.check(replace(books, advice_rules=()), None, rule)  # beside as many as there are: it is not kept
    except Invalid as error:
        raise type(error)(f"rules/{number}/{error.field}", str(error)) from None
    return rule


def _told(body: DryRunBody, rules: list[AdviceRule], run: DryRun, *, is_complete: bool) -> DryRunModel:
    known = {rule.id: rule for rule in rules}
    return DryRunModel(
        since=body.since,
        until=body.until,
        calls=run.calls,
        is_complete=is_complete,
        first=run.effects.get(Effect.FIRST, 0),
        earlier=run.effects.get(Effect.EARLIER, 0),
        normal=run.effects.get(Effect.NORMAL, 0),
        later=run.effects.get(Effect.LATER, 0),
        unadvised=run.effects.get(None, 0),
        rules=[
            RuleRunModel(
                id=rule_id if rule_id > 0 else None,
                name=known[rule_id].name,
                place=known[rule_id].place,
                effect=known[rule_id].effect,
                matched=count.matched,
                decided=count.decided,
                faults=count.faults,
                examples=[ExampleModel.of(each) for each in count.examples],
            )
            for rule_id, count in run.rules.items()
        ],
    )


ROUTES = (
    route(
        "POST",
        "/v1/advice-rules/dry-run",
        dry_run_advice_rules,
        "What advice rules would have done",
        may=May.SET_UP,
        problems=(409,),
        subject="advice rules",
    ),
    *routes_of(
        Subject(
            kind=AdviceRule,
            path="/v1/advice-rules",
            noun="advice rule",
            model=AdviceRuleModel,
            new=NewAdviceRule,
            tell=telling(AdviceRuleModel),
            see=May.SEE_CALLS,
            change=May.SET_UP,
        )
    ),
)
