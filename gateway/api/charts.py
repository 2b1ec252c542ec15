"""Charts as inline SVG, drawn here: they need no script, no style and nothing from outside, and print as they look.

Counterpart: `monthly_page.py` puts them into its page, each beside a table with the same numbers. What is told apart by
colour is told apart by a pattern, too, and has its number in words for who does not see it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 190
_LEFT, _BOTTOM, _TOP = 44, 22, 8
_LINES = 4
"""Lines across, at most, from 0 up."""
PATTERNS = (
    '<svg width="0" height="0" aria-hidden="true"><defs>'
    '<pattern id="hatched" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="5" height="5" fill="#fff"/><line x1="0" y1="0" x2="0" y2="5" stroke="#b3541e" stroke-width="4"/>'
    "</pattern></defs></svg>"
)
"""Once in a page, before its charts."""
SOLID, HATCHED = "#1f4e79", "url(#hatched)"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what stands under it (perhaps nothing), what it is in words, and its part below, of its whole
    height."""

    label: str
    words: str
    part: int
    whole: int


def columns(title: str, given: Sequence[Column | None], number: Callable[[int], str]) -> str:
    """Columns from 0 up: the part below solid, the rest above it hatched. The place of None stays empty.
    `number` writes a number for people."""
    most = max((each.whole for each in given if each), default=0)
    step = _step(most)
    top = max(step, math.ceil(most / step) * step)
    return "".join(
        [
            f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
            *_lines(top, step, number),
            *_columns(given, top),
            "</svg>",
        ]
    )


def bar(count: int, of: int, *, is_hatched: bool = False) -> str:
    """A bar across as long as its share; beside its number in a table, which says the same in words."""
    length = 200 * count / of if of else 0
    return (
        '<svg class="bar" viewBox="0 0 200 12" aria-hidden="true">'
        '<rect x="0.5" y="0.5" width="199" height="11" fill="none" stroke="#999"/>'
        f'<rect x="0" y="0" width="{length:.1f}" height="12" fill="{HATCHED if is_hatched else SOLID}"/></svg>'
    )


def key(fill: str) -> str:
    """A patch for the legend."""
    return (
        '<svg class="key" viewBox="0 0 12 12" aria-hidden="true">'
        f'<rect width="12" height="12" fill="{fill}" stroke="#333"/></svg>'
    )


def _step(most: int) -> int:
    """From one line to the next: 1, 2 or 5 and noughts, for at most _LINES lines."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step * _LINES >= most:
                return factor * step
        step *= 10


def _lines(top: int, step: int, number: Callable[[int], str]) -> Iterator[str]:
    for value in range(0, top + 1, step):
        y = _y(value, top)
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH}" y2="{y:.1f}" stroke="#ccc"/>'
        yield f'<text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{escape(number(value))}</text>'


def _columns(given: Sequence[Column | None], top: int) -> Iterator[str]:
    room = (WIDTH - _LEFT) / max(1, len(given))
    for place, each in enumerate(given):
        if each is None:
            continue
        x, width = _LEFT + room * (place + 0.12), room * 0.76
        floor, middle, roof = (_y(value, top) for value in (0, each.part, each.whole))
        yield f"<g><title>{escape(each.words)}</title>"
        for fill, low, high in ((SOLID, floor, middle), (HATCHED, middle, roof)):
            if low - high > 0:
                yield (
                    f'<rect x="{x:.1f}" y="{high:.1f}" width="{width:.1f}" height="{low - high:.1f}" fill="{fill}" '
                    'stroke="#333" stroke-width="0.5"/>'
                )
        if each.label:
            yield (f'<text x="{x + width / 2:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(each.label)}</text>')
        yield "</g>"


def _y(value: int, top: int) -> float:
    return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - value / top)
