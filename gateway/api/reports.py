"""Honest clocks over HTTP: what became of the calls and how long callers waited, as JSON or as a table.

Counterparts: `gateway/domain/reports.py` for the figures, `definitions.py` beside it for what each means,
`counting.py` counts; `monthly.py` tells a month of the same as a page.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Self

from aiohttp import hdrs, web
from pydantic import ConfigDict, Field

from gateway.api import report_table
from gateway.api.apart import apart
from gateway.api.context import Context
from gateway.api.counting import Counted, count
from gateway.api.days import checked_days
from gateway.api.known import refuse_unknown
from gateway.api.models import Day, KnownQueue, KnownTrunk, Parameters, Told
from gateway.api.routes import JSON, route
from gateway.domain.definitions import DEFINITIONS
from gateway.domain.report_groups import By
from gateway.domain.reports import CallbackCount, Figures, Share, Within
from gateway.domain.tokens import May

CSV = "text/csv"


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"


class ReportQuery(Parameters):
    """Days of the centre's zone; today if none are said."""

    first: Annotated[Day | None, Field(alias="from", description="The first day; today if not said.")] = None
    last: Annotated[
        Day | None,
        Field(
            alias="to",
            description=f"The last day; today, or the first day, if not said. {By.DAY.most_days} days at most in all, "
            f"and {By.HOUR.most_days} by hour or by shift.",
        ),
    ] = None
    by: Annotated[By, Field(description="What the calls are told apart by.")] = By.NONE
    queue: Annotated[KnownQueue | None, Field(description="Only calls that came to this queue.")] = None
    trunk: Annotated[KnownTrunk | None, Field(description="Only calls of this carrier's trunk.")] = None
    format: Annotated[Format | None, Field(description="Else what Accept asks for: JSON, or text/csv.")] = None


class ShareModel(Told):
    """So many of so many."""

    count: int
    of: int
    share: Annotated[float | None, Field(description="From 0 to 1; null of none.")]

    @classmethod
    def of_share(cls, share: Share) -> Self:
        return cls(count=share.count, of=share.of, share=share.share)


class WithinModel(ShareModel):
    """Calls that an operator answered within so many seconds."""

    limit_s: int

    @classmethod
    def of_within(cls, within: Within) -> Self:
        share = within.share
        return cls(limit_s=within.limit_s, count=share.count, of=share.of, share=share.share)


class WaitsModel(Told):
    """From the INVITE to the operator's answer."""

    count: int
    mean_s: float | None
    slowest: Annotated[int, Field(description="How many calls are the slowest tenth.")]
    slowest_mean_s: float | None


class CallbacksModel(Told):
    """Callbacks that were opened in that time."""

    opened: int
    in_time: Annotated[ShareModel, Field(description="Dialled in time, of those to be made.")]
    closed: int
    reached: int
    given_up: int
    got_through: int

    @classmethod
    def of(cls, count: CallbackCount) -> Self:
        return cls(
            opened=count.opened,
            in_time=ShareModel.of_share(Share(count.in_time, count.to_make)),
            closed=count.closed,
            reached=count.reached,
            given_up=count.given_up,
            got_through=count.got_through,
        )


class FiguresModel(Told):
    """Each figure with its count. The report's `definitions` say what each means."""

    calls: int
    waiting: int
    presented: int
    outcomes: Annotated[dict[str, int], Field(description="By outcome, and `going_on`: they add up to `presented`.")]
    answered: ShareModel
    relieved: ShareModel
    within: list[WithinModel]
    waits: WaitsModel
    abandoned: ShareModel
    cancelled: ShareModel
    disposed: ShareModel
    undisposed: int
    dispositions: dict[str, int]
    kinds: dict[str, int]
    false_of_disposed: ShareModel
    false_of_presented: ShareModel
    callbacks: Annotated[CallbacksModel | None, Field(description="Null where callbacks cannot be told apart so.")]

    @classmethod
    def of(cls, figures: Figures) -> Self:
        waits, callbacks = figures.waits, figures.callbacks
        return cls(
            calls=figures.calls,
            waiting=figures.waiting,
            presented=figures.presented,
            outcomes={**{each.value: count for each, count in figures.outcomes.items()}, "going_on": figures.going_on},
            answered=ShareModel.of_share(figures.answered),
            relieved=ShareModel.of_share(figures.relieved),
            within=[WithinModel.of_within(each) for each in figures.within],
            waits=WaitsModel(
                count=waits.count, mean_s=waits.mean_s, slowest=waits.slowest, slowest_mean_s=waits.slowest_mean_s
            ),
            abandoned=ShareModel.of_share(figures.abandoned),
            cancelled=ShareModel.of_share(figures.cancelled),
            disposed=ShareModel.of_share(figures.disposed),
            undisposed=figures.undisposed,
            dispositions={each.value: count for each, count in figures.dispositions.items()},
            kinds={each.value: count for each, count in figures.kinds.items()},
            false_of_disposed=ShareModel.of_share(figures.false_of_disposed),
            false_of_presented=ShareModel.of_share(figures.false_of_presented),
            callbacks=None if callbacks is None else CallbacksModel.of(callbacks),
        )


class GroupModel(Told):
    """One group of calls."""

    key: Annotated[str | None, Field(description="Null: the calls of no queue, of no operator, out of every shift.")]
    name: Annotated[str, Field(description="For people: a carrier, a person, a shift; else the key.")]
    starts_at: Annotated[datetime | None, Field(description="Where it is a time.")]
    ends_at: datetime | None
    figures: FiguresModel


class DefinitionModel(Told):
    text: str
    source: Annotated[str, Field(description="Whose measure it is; empty: this project's own.")]
    goal: Annotated[str, Field(description="What the source asks for, where it asks for something.")]


class ServiceLevelModel(Told):
    """A report of the days from the first to the last."""

    model_config = ConfigDict(populate_by_name=True)

    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]
    timezone: str
    as_of: Annotated[datetime, Field(description="When the calls were counted.")]
    by: By
    queue: str | None
    trunk: str | None
    total: FiguresModel
    groups: list[GroupModel]
    definitions: dict[str, DefinitionModel]


async def get_service_level(
    context: Context, query: ReportQuery, request: web.Request
) -> ServiceLevelModel | web.StreamResponse:
    """What became of the calls that arrived on those days, counted now: outcomes, answers within 5, 10, 15, 20 and 60
    seconds, waits, abandoned and false calls, callbacks. Time counts from the carrier's INVITE, and the centre's own
    test calls are left out. `definitions` say what each figure means.

    By hour, day or month each group is told, also where nothing came; an hour that the clocks go through twice is two.
    By operator the calls are those that he answered, by shift those that were answered by an operator who was on the
    roster for it at that moment; all others are in the group without a key, so that the groups add up to the total."""
    await refuse_unknown(context, trunk=query.trunk, queue=query.queue)
    first, last = _days(context, query)
    counted = await count(context, query.by, first, last, queue=query.queue, trunk=query.trunk)
    if wanted_media(request, query.format and {Format.JSON: JSON, Format.CSV: CSV}[query.format], (JSON, CSV)) == CSV:
        text = await apart(report_table.write, counted)
        return csv_response(text, f"service-level-{query.by}-{first}-{last}.csv")
    return await apart(_model, context, query, (first, last), counted)


def _days(context: Context, query: ReportQuery) -> tuple[date, date]:
    today = context.clock().astimezone(context.bookkeeper.zone).date()
    first = query.first or min(today, query.last or today)
    last = query.last or max(today, first)
    return checked_days(first, last, query.by.most_days)


def _model(context: Context, query: ReportQuery, days: tuple[date, date], counted: Counted) -> ServiceLevelModel:
    return ServiceLevelModel(
        first=days[0],
        last=days[1],
        timezone=context.bookkeeper.zone.key,
        as_of=counted.as_of,
        by=query.by,
        queue=query.queue,
        trunk=query.trunk,
        total=FiguresModel.of(counted.report.total),
        groups=[
            GroupModel(
                key=label.key,
                name=label.name,
                starts_at=label.starts_at,
                ends_at=label.ends_at,
                figures=FiguresModel.of(figures),
            )
            for label, figures in counted.groups
        ],
        definitions={
            name: DefinitionModel(text=each.english, source=each.source.english, goal=each.goal.english)
            for name, each in DEFINITIONS.items()
        },
    )


def wanted_media(request: web.Request, said: str | None, offered: Sequence[str]) -> str:
    """The media type to answer with: `said` where the query says it, else what Accept likes best (RFC 9110, 12.5.1), or
    the first of those offered where it likes none better."""
    if said is not None:
        return said
    weights: dict[str, float] = {}
    for part in ",".join(request.headers.getall(hdrs.ACCEPT, [])).split(","):
        name, *parameters = [each.strip().lower() for each in part.split(";")]
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        weights[name] = float(weight) if weight.replace(".", "", 1).isdigit() and weight.isascii() else 0.0

    def liking(media: str) -> float:
        ranges = (media, f"{media.partition('/')[0]}/*", "*/*")
        return next((weights[each] for each in ranges if each in weights), 0.0)

    return max(offered, key=liking)


def csv_response(text: str, name: str) -> web.Response:
    headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"'}
    return web.Response(body=text.encode(), content_type=CSV, charset="utf-8", headers=headers)


ROUTES = (
    route(
        "GET",
        "/v1/reports/service-level",
        get_service_level,
        "Service level, and what became of the calls",
        may=May.SEE_CALLS,
        also=(CSV,),
        subject="reports",
    ),
)
