"""The roster as a file: CSV in and out, for whoever plans in a spreadsheet.

Counterparts: `gateway/domain/exchange.py` for the file's form, `gateway/office.py` takes a file over, `calendars.py`
tells the same roster to calendar programs.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from threading import BoundedSemaphore
from typing import Annotated, Self

from aiohttp import hdrs, web
from pydantic import Field

from gateway.api.apart import apart
from gateway.api.context import Context
from gateway.api.coverage import HoleModel
from gateway.api.days import checked_days
from gateway.api.models import Day, FieldFault, Parameters, TextBody, Told
from gateway.api.problems import Problem
from gateway.api.resources import GapQuery
from gateway.api.routes import route
from gateway.domain import exchange, takeover
from gateway.domain.audit import Actor
from gateway.domain.exchange import Fault
from gateway.domain.tokens import May
from gateway.importing import Faulty, Imported

CSV = "text/csv"
USUAL_DAYS, MOST_DAYS = 28, 400
SHOWN = 100
"""Faults, and warnings, that are told one by one."""
IMPORTS_AT_ONCE, RETRY_AFTER_S = 3, 5
"""Files that are being taken over, or wait for that."""
_places = BoundedSemaphore(IMPORTS_AT_ONCE)


class CsvBody(TextBody):
    MEDIA_TYPE = CSV
    LIMIT_BYTES = 4 * 2**20
    HOW_TO_SAVE = "Save it in the spreadsheet as CSV in UTF-8 (no workbook such as .xlsx)."


class SomeDaysQuery(Parameters):
    """Days of the centre's zone; today and four weeks in all where none are named."""

    first: Annotated[Day | None, Field(alias="from", description="The first day; today if not said.")] = None
    last: Annotated[
        Day | None,
        Field(alias="to", description=f"The last day; {USUAL_DAYS} days in all if not said."),
    ] = None


class ImportQuery(GapQuery):
    dry_run: Annotated[bool, Field(description="True stores nothing, and only tells what would be.")] = False
    replace: Annotated[
        bool,
        Field(
            description="True makes the file all that holds from its first day to its last for the queues that it "
            "names; else it only adds."
        ),
    ] = False


class ImportModel(Told):
    """What became of a file, or with dry_run would become of it."""

    dry_run: bool
    lines: int
    added: Annotated[int, Field(description="Assignments that are new.")]
    retired: Annotated[int, Field(description="Assignments that the file took away from its days.")]
    cut: Annotated[
        int,
        Field(description="How many of the retired reach over the file's days: what lies outside goes on, anew."),
    ]
    unchanged: Annotated[int, Field(description="Lines that held already, or were there twice.")]
    holes: Annotated[
        list[HoleModel],
        Field(description="Holes that are not there without it, as far ahead as the rules' gap_horizon_days."),
    ]
    warnings: Annotated[list[FieldFault], Field(description=f"What looks odd, the first {SHOWN}: another's name.")]

    @classmethod
    def of(cls, imported: Imported, *, dry_run: bool) -> Self:
        return cls(
            dry_run=dry_run,
            lines=imported.lines,
            added=imported.added,
            retired=imported.retired,
            cut=imported.cut,
            unchanged=imported.unchanged,
            holes=[HoleModel.of(hole) for hole in imported.holes],
            warnings=_told(imported.warnings, "warnings"),
        )


async def import_roster(context: Context, query: ImportQuery, body: CsvBody, actor: Actor) -> ImportModel:
    """Takes a roster over from CSV: all of it, or nothing where one line is wrong, and then every wrong line is named.

    The first line names the columns, in any order: `date`, `until`, `shift`, `phone`, `queue`, `penalty`, `name`.
    `until` (the same day if empty), `penalty` (0 if empty) and `name` (for people only) may be missing. Cells are
    separated by `,` or `;`; days are written 2026-12-01 or 01/12/2026. A line puts the operator with that phone on the
    shift of that name, on each of its days from `date` to `until`.

    A file that was imported already changes nothing: its lines are counted as unchanged. Of a file that leaves a hole
    in the roster nothing is taken, as with POST /v1/assignments, unless allow_gaps says so.

    The audit log gets one entry for all of it, `roster.imported`, and the ledger one event, with the counts and the
    file's SHA-256: each assignment that was ended has that entry's time as its retired_at and else stays as it was,
    each new one has it as its created_at.
    """
    with _one_of_few():
        sheet = await apart(exchange.parse, body.text)
        try:
            imported = await context.office.import_roster(
                sheet,
                actor,
                sha256=hashlib.sha256(body.raw).hexdigest(),
                replaces=query.replace,
                allow_gaps=query.allow_gaps,
                dry_run=query.dry_run,
            )
        except Faulty as error:
            raise _problem(error.faults) from None
    return ImportModel.of(imported, dry_run=query.dry_run)


@contextmanager
def _one_of_few() -> Iterator[None]:
    """One that is taken over keeps the journal waiting meanwhile. Raises Problem (503) where enough wait."""
    if not _places.acquire(blocking=False):
        said = "As many rosters are being taken over as may wait for that."
        raise Problem(503, said, headers={hdrs.RETRY_AFTER: str(RETRY_AFTER_S)})
    try:
        yield
    finally:
        _places.release()


async def export_roster(context: Context, query: SomeDaysQuery) -> web.StreamResponse:
    """The assignments of those days as CSV, each as it is kept; of one that reaches over them, what lies within.
    Whoever imports it again with replace changes nothing. 400 days at most."""
    first, last = days_of(context, query)
    books, plan = await context.bookkeeper.books(), await context.bookkeeper.plan(first, last)
    text = await apart(lambda: exchange.write(takeover.lines_of(books, plan, first, last)))
    name = f"roster-{first}-{last}.csv"
    headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"'}
    return web.Response(body=text.encode(), content_type=CSV, charset="utf-8", headers=headers)


def days_of(context: Context, query: SomeDaysQuery, most: int = MOST_DAYS) -> tuple[date, date]:
    """The days that are asked for. Raises Problem where they are in no order, or too many."""
    first = query.first or context.clock().astimezone(context.bookkeeper.zone).date()
    last = query.last or first + timedelta(days=USUAL_DAYS - 1)
    return checked_days(first, last, most)


def _problem(faults: Sequence[Fault]) -> Problem:
    lines = len({fault.line for fault in faults})
    are = "line is" if lines == 1 else "lines are"
    return Problem(422, f"Nothing was imported: {lines} {are} wrong.", errors=_told(faults, "faults"))


def _told(faults: Sequence[Fault], noun: str) -> list[FieldFault]:
    found = [FieldFault(field=fault.place, reason=fault.reason) for fault in faults[:SHOWN]]
    if len(faults) > SHOWN:
        found.append(FieldFault(field=noun, reason=f"and {len(faults) - SHOWN} more"))
    return found


ROUTES = (
    route(
        "POST",
        "/v1/roster/import",
        import_roster,
        "Import a roster",
        may=May.PLAN,
        problems=(409,),
        subject="roster",
    ),
    route(
        "GET",
        "/v1/roster.csv",
        export_roster,
        "The roster as a file",
        may=May.SEE_ROSTER,
        media_type=CSV,
        subject="roster",
    ),
)
