"""The regency's month over HTTP: a page to print, and the table behind it.

Counterparts: `monthly_page.py` draws the page, `counting.py` counts.
"""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from gateway.api import monthly_page, report_table
from gateway.api.apart import apart
from gateway.api.context import Context
from gateway.api.counting import DAY, count
from gateway.api.models import Parameters
from gateway.api.month_words import Language
from gateway.api.monthly_page import Month
from gateway.api.reports import CSV, csv_response, wanted_media
from gateway.api.routes import route
from gateway.domain.report_groups import By
from gateway.domain.tokens import May

HTML = "text/html"
MONTH_PATTERN = r"^2[01][0-9]{2}-(?:0[1-9]|1[0-2])$"


class PageFormat(StrEnum):
    HTML = "html"
    CSV = "csv"


class MonthQuery(Parameters):
    month: Annotated[
        str | None,
        StringConstraints(pattern=MONTH_PATTERN),
        Field(description="Such as 2026-11; the month that goes on now, as far as it has come, if not said."),
    ] = None
    lang: Annotated[Language, Field(description="Bahasa Indonesia, or English.")] = Language.INDONESIAN
    format: Annotated[PageFormat | None, Field(description="Else what Accept asks for: HTML, or text/csv.")] = None


async def get_monthly(context: Context, query: MonthQuery, request: web.Request) -> web.StreamResponse:
    """The month as a page to print on A4: the four kinds, outcomes, service level, day by day, hour by hour, by
    carrier, callbacks, and what each figure means. As CSV: the same tables one after the other, told apart by the
    column `table`."""
    zone = context.bookkeeper.zone
    today = context.clock().astimezone(zone).date()
    first = date.fromisoformat(f"{query.month or today.strftime('%Y-%m')}-01")
    last = _last_day(first)
    first_call = await context.reads.reports.first_arrival()
    month = Month(
        title=context.title,
        first=first,
        zone=zone,
        first_call=first_call and first_call.astimezone(zone).date(),
        days=await count(context, By.DAY, first, last),
        hours=await count(context, By.HOUR_OF_DAY, first, last),
        trunks=await count(context, By.TRUNK, first, last),
    )
    said = query.format and {PageFormat.HTML: HTML, PageFormat.CSV: CSV}[query.format]
    if wanted_media(request, said, (HTML, CSV)) == CSV:
        text = await apart(lambda: report_table.text_of(_table(month)))
        return csv_response(text, f"month-{first:%Y-%m}.csv")
    page = await apart(monthly_page.page, month, query.lang)
    headers = {"Content-Security-Policy": page.policy, "Referrer-Policy": "no-referrer"}
    return web.Response(text=page.text, content_type=HTML, headers=headers)


def _table(month: Month) -> Iterator[list[report_table.Cell]]:
    """One header; then the days, the hours, the carriers, and the total once."""
    header, *days, total = report_table.rows(month.days)
    yield ["table", *header]
    yield from (["day", *row] for row in days)
    for name, counted in (("hour_of_day", month.hours), ("trunk", month.trunks)):
        _, *rows, _ = report_table.rows(counted)
        yield from ([name, *row] for row in rows)
    yield ["month", *total]


def _last_day(first: date) -> date:
    return (first + 31 * DAY).replace(day=1) - DAY


ROUTES = (
    route(
        "GET",
        "/v1/reports/monthly",
        get_monthly,
        "The month as a page to print",
        may=May.SEE_CALLS,
        media_type=HTML,
        also=(CSV,),
        subject="reports",
    ),
)
