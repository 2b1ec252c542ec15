"""A report as a table for a spreadsheet: CSV with a line for each group, and one for all of them together at the end.

Counterparts: `counting.py` counts, `gateway/domain/exchange.py` keeps a cell from being taken for a formula.
"""

import csv
import io
from collections.abc import Iterable, Iterator

from gateway.api.counting import Counted, Label
from gateway.domain.exchange import guarded
from gateway.domain.reports import Figures, Share

TOTAL = "total"
Cell = str | int | float | None


def write(counted: Counted) -> str:
    """The report as CSV (RFC 4180). Shares are from 0 to 1; what there is none of is empty."""
    return text_of(rows(counted))


def text_of(lines: Iterable[Iterable[Cell]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    for line in lines:
        writer.writerow([_written(cell) for cell in line])
    return out.getvalue()


def rows(counted: Counted) -> Iterator[list[Cell]]:
    """A header, a row for each group, and the total's."""
    total = dict(_cells(counted.report.total))
    yield ["group", "name", "starts_at", "ends_at", *total]
    for label, figures in counted.groups:
        yield [*_label(label), *dict(_cells(figures)).values()]
    yield [TOTAL, "", "", "", *total.values()]


def _label(label: Label) -> list[Cell]:
    times = (None if at is None else at.isoformat() for at in (label.starts_at, label.ends_at))
    return [label.key, label.name, *times]


def _cells(figures: Figures) -> Iterator[tuple[str, Cell]]:
    yield "calls", figures.calls
    yield "waiting", figures.waiting
    yield "presented", figures.presented
    yield from _share("answered", figures.answered)
    yield from _share("relieved", figures.relieved)
    yield from _share("abandoned", figures.abandoned)
    yield from _share("cancelled", figures.cancelled)
    for outcome, count in figures.outcomes.items():
        yield f"outcome_{outcome.value}", count
    yield "going_on", figures.going_on
    for within in figures.within:
        yield f"within_{within.limit_s}_s", within.share.count
        yield f"within_{within.limit_s}_s_of", within.share.of
        yield f"within_{within.limit_s}_s_share", within.share.share
    waits = figures.waits
    yield "waits", waits.count
    yield "wait_mean_s", waits.mean_s
    yield "slowest_tenth", waits.slowest
    yield "slowest_tenth_mean_s", waits.slowest_mean_s
    yield from _share("disposed", figures.disposed)
    yield "undisposed", figures.undisposed
    for kind, count in figures.kinds.items():
        yield f"kind_{kind.value}", count
    for disposition, count in figures.dispositions.items():
        yield f"disposition_{disposition.value}", count
    yield "false_calls", figures.false_of_disposed.count
    yield "false_of_disposed_share", figures.false_of_disposed.share
    yield "false_of_presented_share", figures.false_of_presented.share
    callbacks = figures.callbacks
    for name in ("opened", "to_make", "in_time", "closed", "reached", "given_up", "got_through"):
        yield f"callbacks_{name}", None if callbacks is None else getattr(callbacks, name)
    in_time = None if callbacks is None else Share(callbacks.in_time, callbacks.to_make).share
    yield "callbacks_in_time_share", in_time


def _share(name: str, share: Share) -> Iterator[tuple[str, Cell]]:
    yield name, share.count
    yield f"{name}_share", share.share


def _written(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case float():
            return f"{cell:.4f}"
    return guarded(str(cell))
