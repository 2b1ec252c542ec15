"""What admins decide once for all: the centre's rules, and the reasons for which operators pause.

Counterpart: `gateway/domain/books.py`, which weighs them.
"""

from dataclasses import replace
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.api.context import Context
from gateway.api.models import Body
from gateway.api.resources import (
    KeptModel,
    MatchHeaders,
    Subject,
    etag,
    given,
    patch_of,
    routes_of,
    telling,
    version_of,
)
from gateway.api.routes import Answer, route
from gateway.domain.audit import Actor
from gateway.domain.books import PauseReason
from gateway.domain.tokens import May
from gateway.ports import Stale


class NewPauseReason(Body):
    digit: Annotated[str, StringConstraints(pattern=r"^[0-9]$"), Field(description="Dialled after *46.")]
    name: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{0,39}$"), Field(description="As the board shows it.")
    ]


class PauseReasonModel(KeptModel):
    digit: str
    name: str


class _Rules(Body):
    missed_rings_limit: Annotated[
        int, Field(ge=0, le=20, description="Rings in a row that a phone may miss before it is paused; 0: never.")
    ]
    least_rest_h: Annotated[float, Field(ge=0, le=48, description="Hours between two shifts of one operator.")]
    gap_horizon_days: Annotated[int, Field(ge=1, le=60, description="How far ahead a hole is an alarm.")]
    short_after_s: Annotated[int, Field(ge=5, le=3600, description="How long short before the on-call list is rung.")]
    on_call_ring_s: Annotated[int, Field(ge=5, le=120, description="How long each person of the list is rung.")]
    on_call_again_min: Annotated[int, Field(ge=1, le=240, description="When the list is begun anew.")]
    lone_check_min: Annotated[
        int | None, Field(ge=1, le=720, description="How often a lone operator is asked for a key; null: never.")
    ]
    lone_answer_s: Annotated[int, Field(ge=10, le=300, description="How long the phone of that operator rings.")]
    callback_target_min: Annotated[
        int, Field(ge=1, le=1440, description="Within how many minutes a caller whom nobody heard is called back.")
    ]
    callback_abroad: Annotated[
        bool, Field(description="Whether numbers abroad may be called back: whoever forges one has the centre pay.")
    ]
    flood_trunk_per_min: Annotated[
        int | None,
        Field(ge=1, le=6000, description="More calls a minute on one trunk are an alarm; null: only its habit says."),
    ]
    flood_factor: Annotated[float, Field(ge=1.5, le=100, description="How many times the usual is a flood.")]
    flood_number_per_10min: Annotated[
        int, Field(ge=2, le=1000, description="More calls of one number in ten minutes are an alarm.")
    ]
    quiet_after_min: Annotated[
        int, Field(ge=5, le=1440, description="A trunk that is quiet for less is no alarm, however busy it usually is.")
    ]
    keep_recordings_days: Annotated[
        int, Field(ge=1, le=36500, description="How long a recording is kept where no retention rule fits.")
    ]


RulesPatch = patch_of(_Rules)
RulesPatch.__name__ = "RulesPatch"


class RulesModel(KeptModel):
    missed_rings_limit: int
    least_rest_h: float
    gap_horizon_days: int
    short_after_s: int
    on_call_ring_s: int
    on_call_again_min: int
    lone_check_min: int | None
    lone_answer_s: int
    callback_target_min: int
    callback_abroad: bool
    flood_trunk_per_min: int | None
    flood_factor: float
    flood_number_per_10min: int
    quiet_after_min: int
    keep_recordings_days: int


async def get_rules(context: Context) -> Answer[RulesModel]:
    """How the centre is staffed, as admins decided."""
    told = RulesModel.of((await context.bookkeeper.books()).rules)
    return Answer(told, headers=etag(told))


async def change_rules(
    context: Context,
    headers: MatchHeaders,
    body: RulesPatch,  # type: ignore[valid-type]
    actor: Actor,
) -> Answer[RulesModel]:
    """Changes what is named."""
    before = (await context.bookkeeper.books()).rules
    if (version := version_of(headers)) is not None and version != before.version:
        raise Stale("the rules were changed by somebody else")
    told = RulesModel.of(await context.office.change(before, replace(before, **given(body)), actor))
    return Answer(told, headers=etag(told))


ROUTES = (
    route("GET", "/v1/rules", get_rules, "The centre's rules", may=May.SEE_ROSTER),
    route("PATCH", "/v1/rules", change_rules, "Change the rules", may=May.SET_UP, problems=(409, 412, 428)),
    *routes_of(
        Subject(
            kind=PauseReason,
            path="/v1/pause-reasons",
            noun="pause reason",
            model=PauseReasonModel,
            new=NewPauseReason,
            tell=telling(PauseReasonModel),
            see=May.SEE_ROSTER,
            change=May.SET_UP,
        )
    ),
)
