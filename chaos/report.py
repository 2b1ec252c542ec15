"""What a campaign shows: a table of the faults, `report.json`, and `picture.svg`, all of it over time.

Counterpart: `__main__.py`, which keeps them in `var/chaos/`.
"""

import json
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from chaos.campaign import Leg, Struck
from chaos.conservation import Finding, Kind
from chaos.rings import Rings

LONG_S = 10.0
"""Where it took longer until all was whole again, it is said what was waited for."""


def findings(legs: Sequence[Leg]) -> list[Finding]:
    """All that must not be."""
    return [
        finding
        for leg in legs
        for finding in (*(f for struck in leg.struck for f in struck.findings), *leg.unexplained)
    ]


def line(struck: Struck) -> str:
    """One fault, in words, as it is over."""
    if struck.why_not:
        return f"{struck.planned.number:4} {struck.planned.fault.name}: left out, {struck.why_not}"
    whole = f"NOT WHOLE: {struck.waited_for}" if struck.whole_s is None else f"whole after {struck.whole_s:.1f} s"
    if struck.whole_s is not None and struck.whole_s > LONG_S:
        whole += f", waited for: {struck.waited_for}"
    held = f"{struck.mended_at - struck.began_at:.1f} s"
    name = f"{struck.planned.fault.name} ({struck.database})"
    return f"{struck.planned.number:4} {name:42} for {held:>7}, {struck.in_flight:4} in flight, {whole}"


def table(legs: Sequence[Leg]) -> Table:
    """A row for each kind of fault, and one for all."""
    shown = Table(title="Faults", title_justify="left")
    shown.add_column("fault", no_wrap=True)
    for heading in ("times", "in flight", "lost", "wrong", "repeated", "whole: median s", "worst s"):
        shown.add_column(heading, justify="right")
    by_name: dict[str, list[Struck]] = {}
    for leg in legs:
        for struck in leg.struck:
            by_name.setdefault(struck.planned.fault.name, []).append(struck)
    order = sorted(by_name, key=lambda name: (by_name[name][0].planned.fault.family, name))
    for name in order:
        had = [struck for struck in by_name[name] if not struck.why_not]
        if had:
            shown.add_row(name, *_cells(had), style="bold" if any(struck.findings for struck in had) else "")
        else:
            shown.add_row(name, "left out", style="dim")
    shown.add_section()
    shown.add_row("all", *_cells([struck for leg in legs for struck in leg.struck if not struck.why_not]))
    return shown


def _cells(had: Sequence[Struck]) -> list[str]:
    whole = [struck.whole_s for struck in had if struck.whole_s is not None]
    counts = [str(sum(struck.count(kind) for struck in had)) for kind in Kind]
    times = [f"{statistics.median(whole):.1f}", f"{max(whole):.1f}"] if whole else ["never", "never"]
    if whole and len(whole) < len(had):
        times[1] = "never"
    return [str(len(had)), str(sum(struck.in_flight for struck in had)), *counts, *times]


def summary(legs: Sequence[Leg]) -> str:
    """What the carriers sent, and what became of it."""
    counts: Counter[str] = sum((leg.verdict.counts for leg in legs), Counter())
    sent = counts.pop("invited", 0)
    kinds = Counter(finding.kind for finding in findings(legs))
    told = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    bad = ", ".join(f"{kinds[kind]} {kind}" for kind in Kind)
    return f"{sent} INVITEs: {told}. {bad}."


def save(folder: Path, around: Mapping[str, Any], legs: Sequence[Leg], plain: Rings) -> None:
    """Writes report.json and picture.svg, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        **around,
        "summary": summary(legs),
        "plain_rings": asdict(plain),
        "legs": [
            {
                "database": leg.database,
                "began_at": _time(leg.began_at),
                "ended_at": _time(leg.ended_at),
                "counts": leg.verdict.counts,
                "rings": asdict(leg.rings),
                "faults": [_fault(struck) for struck in leg.struck],
                "unexplained": [asdict(finding) for finding in leg.unexplained],
            }
            for leg in legs
        ],
    }
    for name, text in (("report.json", json.dumps(document, indent=2) + "\n"), ("picture.svg", picture(legs))):
        fresh = folder / f".{name}"
        fresh.write_text(text)
        fresh.replace(folder / name)


def _fault(struck: Struck) -> dict[str, Any]:
    planned = struck.planned
    return {
        "number": planned.number,
        "family": planned.fault.family,
        "fault": planned.fault.name,
        "left_out": struck.why_not or None,
        "planned_at_s": planned.at_s,
        "planned_hold_s": planned.hold_s,
        "began_at": _time(struck.began_at),
        "mended_at": _time(struck.mended_at),
        "whole_after_s": None if struck.whole_s is None else round(struck.whole_s, 2),
        "waited_for": struck.waited_for or None,
        "in_flight": struck.in_flight,
        **{kind.value: struck.count(kind) for kind in Kind},
        "findings": [asdict(finding) for finding in struck.findings],
    }


def _time(at: float) -> str | None:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds") if at else None


# -------------------------------------------------------------------- the picture

WIDTH, HEIGHT, LEFT, TOP, GAP = 1600, 300, 60, 40, 60
STATUS = {"ok": "#2e7d32", "impaired": "#f9a825", "down": "#c62828", "away": "#424242"}
FAMILIES = ("#1565c0", "#6a1b9a", "#00838f", "#ad1457", "#4e342e", "#37474f", "#ef6c00", "#558b2f", "#283593")


def picture(legs: Sequence[Leg]) -> str:
    """Calls in flight over time, with each fault and how long it took to be whole; under it what /v1/health said."""
    families = sorted({struck.planned.fault.family for leg in legs for struck in leg.struck})
    colours = {family: FAMILIES[place % len(FAMILIES)] for place, family in enumerate(families)}
    parts, top = [], TOP
    for leg in legs:
        parts += _panel(leg, colours, top)
        top += HEIGHT + GAP
    for place, (family, colour) in enumerate(colours.items()):
        x = LEFT + 150 * place
        parts.append(f'<rect x="{x}" y="{top - 20}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="{top - 10}">{family}</text>')
    size = f'width="{WIDTH}" height="{top + 20}" viewBox="0 0 {WIDTH} {top + 20}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>text{{font:12px sans-serif;fill:#222}}</style>'
    return "\n".join((head, '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>\n"))


def _panel(leg: Leg, colours: Mapping[str, str], top: int) -> list[str]:
    wide, high = WIDTH - LEFT - 20, HEIGHT - 50
    length = max(1.0, leg.ended_at - leg.began_at)
    most = max([sample.in_flight for sample in leg.samples] or [1]) or 1

    def x(at: float) -> float:
        return round(LEFT + wide * min(1.0, max(0.0, (at - leg.began_at) / length)), 1)

    def y(count: float) -> float:
        return round(top + high - high * count / most, 1)

    title = f"{leg.database}: calls in flight, {_time(leg.began_at)}, {length / 60:.1f} min"
    parts = [f'<text x="{LEFT}" y="{top - 8}">{title}</text>']
    for share in (0, 0.5, 1):
        parts.append(f'<text x="{LEFT - 8}" y="{y(share * most) + 4}" text-anchor="end">{share * most:.0f}</text>')
    for minute in range(int(length // 60) + 1):
        at = x(leg.began_at + 60 * minute)
        parts.append(f'<text x="{at}" y="{top + high + 44}" text-anchor="middle">{minute} min</text>')
    for struck in leg.struck:
        if struck.why_not:
            continue
        colour, name = colours[struck.planned.fault.family], struck.planned.fault.name
        until = struck.whole_at or leg.ended_at
        words = f"<title>{struck.planned.number} {name}: {line(struck)}</title>"
        for since, end, opacity in (
            (struck.began_at, struck.mended_at, 0.6),
            (struck.mended_at, until, 0.2),
        ):
            width = max(1.0, x(end) - x(since))
            place = f'x="{x(since)}" y="{top}" width="{width:.1f}" height="{high}"'
            parts.append(f'<rect {place} fill="{colour}" fill-opacity="{opacity}">{words}</rect>')
        if struck.findings:
            parts.append(
                f'<text x="{x(struck.began_at)}" y="{top + 12}" fill="#c62828">✗ {len(struck.findings)}</text>'
            )
    points = " ".join(f"{x(sample.at)},{y(sample.in_flight)}" for sample in leg.samples)
    parts.append(f'<polyline points="{points}" fill="none" stroke="#000" stroke-width="1.2"/>')
    for sample, following in zip(leg.samples, [*leg.samples[1:], None], strict=True):
        end = leg.ended_at if following is None else following.at
        width = max(0.5, x(end) - x(sample.at))
        colour = STATUS.get(sample.status, "#999")
        parts.append(
            f'<rect x="{x(sample.at)}" y="{top + high + 12}" width="{width:.1f}" height="10" fill="{colour}"/>'
        )
    parts.append(f'<text x="{LEFT - 8}" y="{top + high + 21}" text-anchor="end">health</text>')
    return parts
