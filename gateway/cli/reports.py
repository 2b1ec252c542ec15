"""`gateway112 report`: how soon callers were answered, and the regency's month as a page to print.

Counterpart: `gateway/api/reports.py` and `monthly.py`, which count.
"""

import re
import sys
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from rich.text import Text

from gateway.cli import tables
from gateway.cli.client import Failed
from gateway.cli.command import Commands, Desk, Reply, command, day, subject, write_file
from gateway.domain.report_groups import By

LIMITS_S = (10, 15, 20)
"""Those that a standard names: they fit into 80 columns."""


def add_to(commands: Commands) -> None:
    own = subject(commands, "report", "How soon callers were answered, and what became of their calls.")
    show = command(own, "show", show_report, example="report show --from 2026-11-01 --by day")
    show.add_argument("--from", type=day, dest="first", metavar="DATE", help="the first day (default: today)")
    show.add_argument("--to", type=day, dest="last", metavar="DATE", help="the last day (default: today)")
    show.add_argument(
        "--by",
        type=By,
        choices=By,
        default=By.NONE,
        metavar="WHAT",
        help=f"what calls are told apart by: {', '.join(By)} (default: none)",
    )
    show.add_argument("--queue", help="only calls of this queue")
    show.add_argument("--trunk", help="only calls of this trunk")
    show.add_argument("-o", "--output", type=Path, metavar="FILE", help="write every figure as CSV into this file")
    month = command(own, "month", write_month, example="report month 2026-11 -o november.html")
    month.add_argument("month", type=_month, nargs="?", metavar="MONTH", help="such as 2026-11 (default: this month)")
    month.add_argument("--csv", action="store_true", help="the tables behind the page, for a spreadsheet")
    month.add_argument("--lang", choices=("id", "en"), default="id", help="the page's language (default: id)")
    month.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where to write it (without: standard output, if no terminal)",
    )


async def show_report(desk: Desk, arguments: Namespace) -> Reply:
    """What became of the calls, counted now and from the carrier's INVITE on; with -o every figure as a CSV file."""
    query = {
        **{"from": arguments.first, "to": arguments.last, "by": arguments.by},
        **{"queue": arguments.queue, "trunk": arguments.trunk},
    }
    if arguments.output is not None:
        text = await desk.api.ask("GET", "/v1/reports/service-level", query={**query, "format": "csv"})
        write_file(arguments.output, text)
        return Reply(text, tables.plain(f"The report stands in {arguments.output}."))
    answer = await desk.api.ask("GET", "/v1/reports/service-level", query=query)
    groups = [(each["name"] or "(none)", each["figures"]) for each in answer["groups"]]
    rows = [_row(name, figures) for name, figures in [*groups, ("all", answer["total"])]]
    columns = ["", "Calls", "Answered", *(f"{limit_s} s" for limit_s in LIMITS_S), "Wait", "Slowest", "Left"]
    title = (
        f"Calls from {answer['from']} to {answer['to']} ({answer['timezone']}): answered by an operator, in time, and "
        "abandoned, in per cent of those presented; mean wait in seconds, and of the slowest tenth"
    )
    return Reply(answer, tables.table(title, columns, rows, empty="", whole=columns[:1]))


async def write_month(desk: Desk, arguments: Namespace) -> Reply:
    """Writes the regency's month as a page that a browser opens and prints, or as CSV."""
    query = {"month": arguments.month, "lang": arguments.lang, "format": "csv" if arguments.csv else "html"}
    if arguments.output is None and not arguments.csv and _is_terminal():
        month = arguments.month or f"{desk.today:%Y-%m}"
        raise Failed(
            f"A page for a browser is nothing for a terminal. Remedy: name a file, `gateway112 report month {month} -o "
            f"{month}.html`, or --csv."
        )
    text = await desk.api.ask("GET", "/v1/reports/monthly", query=query, also="text/html")
    if arguments.output is None:
        return Reply(text, text)
    write_file(arguments.output, text)
    return Reply(text, tables.plain(f"The month stands in {arguments.output}."))


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _row(name: str, figures: dict[str, Any]) -> list[str | Text]:
    within = {each["limit_s"]: each["share"] for each in figures["within"]}
    waits = figures["waits"]
    return [
        tables.plain(name),
        str(figures["presented"]),
        _share(figures["answered"]["share"]),
        *(_share(within[limit_s]) for limit_s in LIMITS_S),
        _seconds(waits["mean_s"]),
        _seconds(waits["slowest_mean_s"]),
        _share(figures["abandoned"]["share"]),
    ]


def _share(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}"


def _month(text: str) -> str:
    if not re.fullmatch(r"2[01][0-9]{2}-(0[1-9]|1[0-2])", text):
        raise ArgumentTypeError(f"{text} is not a month such as 2026-11")
    return text
