"""A picture of figures over time: panels one above the other, as SVG that any browser shows.

Counterparts: `overload.py` and `soak.py`, which draw what they saw; `chaos/report.py` draws the fault campaign.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

COLOURS = ("#1565c0", "#c62828", "#2e7d32", "#6a1b9a", "#ef6c00", "#00838f")
STATUS = {"ok": "#2e7d32", "impaired": "#f9a825", "down": "#c62828", "away": "#424242"}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, GAP = 1200, 150, 90, 20, 80, 50
STEPS_S = (1, 5, 10, 30, 60, 300, 600, 1800)
MOST_STEPS = 15


@dataclass(frozen=True, slots=True)
class Line:
    """Pairs of seconds since the beginning and a value, in their order."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines on one scale from 0; the unit stands in the title."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Marked:
    """A moment that all panels show."""

    at_s: float
    words: str


def picture(
    title: str, panels: Sequence[Panel], marks: Sequence[Marked] = (), health: Sequence[tuple[float, str]] = ()
) -> str:
    """The SVG. `health` is what /v1/health said from when on: a strip under all panels."""
    length = max([1.0, *(at for panel in panels for line in panel.lines for at, _ in line.points)])
    low = TOP + len(panels) * (HEIGHT + GAP)
    parts = [f'<text x="{LEFT}" y="20" class="title">{escape(title)}</text>']
    for place, panel in enumerate(panels):
        parts += _panel(panel, TOP + place * (HEIGHT + GAP), length)
    for place, mark in enumerate(marks):
        x = _x(mark.at_s, length)
        parts.append(f'<path d="M{x} {TOP - 38}V{low - GAP}" stroke="#888" stroke-dasharray="4 3"/>')
        parts.append(f'<text x="{x + 4}" y="{TOP - 28 - 14 * (place % 2)}">{escape(mark.words)}</text>')
    parts += _strip(health, low - 12, length) + _axis(low + 20, length)
    size = f'width="{WIDTH}" height="{low + 30}" viewBox="0 0 {WIDTH} {low + 30}"'
    style = "text{font:12px sans-serif;fill:#222}.title{font-weight:bold;font-size:14px}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{style}</style>'
    return "\n".join((head, '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>\n"))


def save(file: Path, text: str) -> None:
    """Writes it whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".fresh")
    fresh.write_text(text)
    fresh.replace(file)


def _x(at_s: float, length: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, at_s / length)), 1)


def _panel(panel: Panel, top: int, length: float) -> list[str]:
    most = max([value for line in panel.lines for _, value in line.points] or [1.0]) or 1.0
    parts = [f'<text x="{LEFT}" y="{top - 6}">{escape(panel.title)}</text>']
    for share in (0, 0.5, 1):
        y = round(top + HEIGHT * (1 - share), 1)
        parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{_number(share * most)}</text>')
    for place, line in enumerate(panel.lines):
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(
            f"{_x(at, length)},{round(top + HEIGHT * (1 - value / most), 1)}" for at, value in line.points
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
        if not line.name:
            continue
        x = WIDTH - RIGHT - 150 * (len(panel.lines) - place)
        parts.append(f'<rect x="{x}" y="{top - 15}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 15}" y="{top - 6}">{escape(line.name)}</text>')
    return parts


def _strip(health: Sequence[tuple[float, str]], top: int, length: float) -> list[str]:
    if not health:
        return []
    parts = [f'<text x="{LEFT - 8}" y="{top - 22}" text-anchor="end">health</text>']
    ends = [*(at for at, _ in health[1:]), length]
    for (at, status), end in zip(health, ends, strict=True):
        width = max(0.5, _x(end, length) - _x(at, length))
        place = f'x="{_x(at, length)}" y="{top - 31}" width="{width:.1f}" height="10"'
        parts.append(f'<rect {place} fill="{STATUS.get(status, "#999")}"><title>{escape(status)}</title></rect>')
    return parts


def _axis(y: int, length: float) -> list[str]:
    step = next((each for each in STEPS_S if length / each <= MOST_STEPS), STEPS_S[-1])
    return [
        f'<text x="{_x(at, length)}" y="{y - 22}" text-anchor="middle">{_words(at)}</text>'
        for at in range(0, int(length) + 1, step)
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _words(at_s: int) -> str:
    return f"{at_s} s" if at_s < 60 or at_s % 60 else f"{at_s // 60} min"
