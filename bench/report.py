"""What the blocks hand over, and how it is shown: a table a block, and `var/bench/latest.json`.

Counterpart: `bench/__main__.py` prints it. Nothing here judges more than a row's own target.
"""

import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from gateway.asterisk import installation


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of each side, in the same unit. `ratio` says what it is the ratio of by the block's notes; `target`
    is the issue's, in words, and `is_met` whether this run met it. Neither is given where there is no target."""

    what: str
    figures: Mapping[str, float | int]
    unit: str = ""
    ratio: float | None = None
    target: str = ""
    is_met: bool | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A table: `sides` are its columns, `notes` say what a reader must know."""

    title: str
    sides: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())


def table(block: Block) -> Table:
    """The block as a table for people."""
    shown = Table(title=block.title, title_justify="left")
    shown.add_column("what", no_wrap=True)
    for heading in (*block.sides, "ratio"):
        shown.add_column(heading, justify="right", no_wrap=heading == "ratio")
    shown.add_column("target")
    shown.add_column("met")
    for row in block.rows:
        cells = [_number(row.figures.get(side), row.unit) for side in block.sides]
        ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
        met = {None: "", True: "yes", False: "NO"}[row.is_met]
        shown.add_row(row.what, *cells, ratio, row.target, met, style="bold" if row.is_met is False else "")
    return shown


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if math.isnan(value):
        return "none"
    digits = 0 if isinstance(value, int) or abs(value) >= 1000 else 3 if abs(value) < 1 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()


def environment() -> dict[str, Any]:
    """What this run ran on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "asterisk": installation.find().version,
    }


def save(file: Path, around: Mapping[str, Any], blocks: Mapping[str, Block]) -> None:
    """Writes everything as JSON, whole or not at all. A figure that could not be taken is null."""
    document = {"environment": around, "blocks": {name: asdict(block) for name, block in blocks.items()}}
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".fresh")
    fresh.write_text(json.dumps(_without_nan(document), indent=2, allow_nan=False) + "\n")
    fresh.replace(file)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
