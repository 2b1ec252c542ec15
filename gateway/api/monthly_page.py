"""The regency's month as one page to print: tables and charts, with nothing from outside.

Counterparts: `monthly.py` counts and sends it, `charts.py` draws, `month_words.py` has the words. Its style is named by
its hash in the policy, and no script may run.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from zoneinfo import ZoneInfo

from gateway.api import charts
from gateway.api.charts import Column
from gateway.api.counting import Counted, Label
from gateway.api.month_words import Language, Wording
from gateway.domain.definitions import DEFINITIONS
from gateway.domain.reports import LIMITS_S, Figures, Share

STYLE = """
@page { size: A4; margin: 14mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 52rem; padding: 1rem; color: #111; background: #fff;
  font: 0.95rem/1.4 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { margin: 0; font-size: 1.7rem; } h2 { margin: 1.6rem 0 0.4rem; font-size: 1.15rem; border-bottom: 2px solid #333; }
small, .faint { color: #555; font-weight: 400; font-size: 0.85rem; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 0.15rem 0.5rem; border-bottom: 1px solid #ccc; text-align: right; vertical-align: middle; }
th:first-child, td:first-child, .text { text-align: left; }
thead th { border-bottom: 1px solid #333; } tbody th { font-weight: 400; }
.chart { display: block; width: 100%; height: auto; } .chart text { font: 11px system-ui, sans-serif; fill: #111; }
.bar { width: 12rem; height: 0.75rem; } .key { width: 0.8rem; height: 0.8rem; margin-left: 0.8rem; }
.empty { margin: 4rem 0; text-align: center; font-size: 1.3rem; }
dt { margin-top: 0.4rem; font-weight: 600; } dd { margin: 0; }
section, tr, dt, dd, figure { break-inside: avoid; } section.long { break-inside: auto; } h2 { break-after: avoid; }
figure { margin: 0.4rem 0; }
@media print { body { max-width: none; padding: 0; font-size: 9.5pt; }
  rect, pattern { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Month:
    """What the page tells of the month that begins on `first`: the same calls three times, told apart differently."""

    first: date
    timezone: str
    days: Counted
    hours: Counted
    trunks: Counted

    @property
    def total(self) -> Figures:
        return self.days.report.total


def page(month: Month, language: Language) -> str:
    """The page, whole."""
    words = Wording(language)
    name = words.month(month.first)
    parts = _full(words, month) if month.total.calls else _empty(words, month)
    return "".join(
        [
            f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{words['title']}: {name}</title><style>{STYLE}</style></head><body>",
            f"<header><h1>{words['title']}: {name}</h1>{_subtitle(words, month)}</header><main>",
            *parts,
            "</main></body></html>",
        ]
    )


def _subtitle(words: Wording, month: Month) -> str:
    there = month.days.as_of.astimezone(ZoneInfo(month.timezone))
    english = words.english("title")
    told = (
        [f'<p class="faint" lang="en">{english}: {Wording(Language.ENGLISH).month(month.first)}</p>'] if english else []
    )
    told.append(
        f'<p class="faint">{words["counted"]} {there:%Y-%m-%d %H:%M} ({words["zone"]} {escape(month.timezone)})</p>'
    )
    if month.first <= there.date() < _next_month(month.first):
        told.append(f"<p><strong>{words['unfinished']}</strong></p>")
    return "".join(told)


def _empty(words: Wording, month: Month) -> Iterator[str]:
    yield f'<p class="empty">{words["empty"]}</p>'
    if english := words.english("empty"):
        yield f'<p class="empty" lang="en"><small>{english}</small></p>'
    if month.total.callbacks and month.total.callbacks.opened:
        yield _callbacks(words, month.total)


def _full(words: Wording, month: Month) -> Iterator[str]:
    total = month.total
    yield charts.PATTERNS
    yield _summary(words, total)
    yield _kinds(words, total)
    yield _level(words, total)
    yield _outcomes(words, total)
    yield _by_time(words, "days", "day", month.days, [label.name[-2:] for label, _ in month.days.groups])
    yield _by_time(words, "hours", "hour", month.hours, [label.key or "" for label, _ in month.hours.groups])
    yield _section(words, "trunks", _times(words, "trunk", month.trunks.groups))
    yield _callbacks(words, total)
    yield _definitions(words)


def _summary(words: Wording, total: Figures) -> str:
    waits = total.waits
    rows = [
        (words["presented"], words.number(total.presented), "", ""),
        *(_share(words, name, share) for name, share in (("answered", total.answered), ("relieved", total.relieved))),
        *(
            _share(words, name, share)
            for name, share in (("abandoned", total.abandoned), ("cancelled", total.cancelled))
        ),
        _share(words, "false_of_disposed", total.false_of_disposed),
        _share(words, "false_of_presented", total.false_of_presented),
        (words["waits"], words.seconds(waits.mean_s), words.number(waits.count), ""),
        (words["slowest"], words.seconds(waits.slowest_mean_s), words.number(waits.slowest), ""),
        (words["waiting"], words.number(total.waiting), "", ""),
    ]
    return _section(words, "summary", _table([words[name] for name in ("figure", "calls", "of", "share")], rows))


def _kinds(words: Wording, total: Figures) -> str:
    counts = [(kind.value, count) for kind, count in total.kinds.items()] + [("undisposed", total.undisposed)]
    rows = [
        (
            words[name],
            words.number(count),
            words.share(Share(count, total.presented).share),
            _Markup(charts.bar(count, total.presented, is_hatched=name == "undisposed")),
        )
        for name, count in counts
    ]
    return _section(words, "kinds", _table([words["kind"], words["calls"], words["share"], ""], rows))


def _level(words: Wording, total: Figures) -> str:
    rows = []
    for each in total.within:
        definition = DEFINITIONS[f"within_{each.limit_s}_s"]
        said = f"{definition.source} ({definition.goal})" if definition.goal else definition.source
        count, of = words.number(each.share.count), words.number(each.share.of)
        rows.append((_within(words, each.limit_s), count, of, words.share(each.share.share), said))
    head = [words[name] for name in ("level", "calls", "of", "share", "source")]
    return _section(words, "level", _table(head, rows))


def _outcomes(words: Wording, total: Figures) -> str:
    counts = [(outcome.value, count) for outcome, count in total.outcomes.items()] + [("going_on", total.going_on)]
    rows = [
        (words[name], words.number(count), words.share(Share(count, total.presented).share)) for name, count in counts
    ]
    return _section(words, "outcomes", _table([words["figure"], words["calls"], words["share"]], rows))


def _by_time(words: Wording, title: str, column: str, counted: Counted, labels: Sequence[str]) -> str:
    given = [
        Column(
            short,
            f"{label.name}: {words['presented']} {words.number(each.presented)}, "
            f"{words['answered']} {words.number(each.answered.count)}",
            each.answered.count,
            each.presented,
        )
        for short, (label, each) in zip(labels, counted.groups, strict=True)
    ]
    legend = (
        f"<figcaption>{charts.key(charts.SOLID)} {words['answered']} {charts.key(charts.HATCHED)} {words['others']}"
        "</figcaption>"
    )
    chart = f"<figure>{charts.columns(words[title], given, words.number)}{legend}</figure>"
    return _section(words, title, chart + _times(words, column, counted.groups), is_long=True)


def _times(words: Wording, column: str, groups: Iterable[tuple[Label, Figures]]) -> str:
    rows = []
    for label, each in groups:
        ten = next(within for within in each.within if within.limit_s == 10).share
        rows.append(
            (
                label.name or words["none"],
                words.number(each.presented),
                words.number(each.answered.count),
                words.share(each.answered.share),
                words.share(ten.share),
                words.seconds(each.waits.mean_s),
                words.number(each.abandoned.count),
                words.number(each.cancelled.count),
            )
        )
    head = [words[column], words["presented"], words["answered"], "%", f"≤ 10 {words['seconds']}", words["waits"]]
    return _table([*head, words["abandoned"], words["cancelled"]], rows)


def _callbacks(words: Wording, total: Figures) -> str:
    there = total.callbacks
    if there is None:
        return ""
    in_time = Share(there.in_time, there.to_make)
    rows = [
        (words["opened"], words.number(there.opened), "", ""),
        _share(words, "in_time", in_time),
        (words["reached"], words.number(there.reached), "", ""),
        (words["got_through"], words.number(there.got_through), "", ""),
        (words["given_up"], words.number(there.given_up), "", ""),
    ]
    return _section(words, "callbacks", _table([words[name] for name in ("figure", "calls", "of", "share")], rows))


def _definitions(words: Wording) -> str:
    is_english = words.language is Language.ENGLISH
    of_limits = {f"within_{limit_s}_s": _within(words, limit_s) for limit_s in LIMITS_S}
    told = "".join(
        f"<dt>{escape(of_limits.get(name) or words[name])}</dt>"
        f"<dd>{escape(each.english if is_english else each.indonesian)}"
        + (f' <span class="faint">{escape(each.source)}</span>' if each.source else "")
        + "</dd>"
        for name, each in DEFINITIONS.items()
    )
    return _section(words, "definitions", f"<dl>{told}</dl>", is_long=True)


# ---------------------------------------------------------------- pieces


class _Markup(str):
    """HTML already."""

    __slots__ = ()


def _section(words: Wording, title: str, content: str, *, is_long: bool = False) -> str:
    english = words.english(title)
    beside = f' <small lang="en">{english}</small>' if english else ""
    kind = ' class="long"' if is_long else ""
    return f"<section{kind}><h2>{words[title]}{beside}</h2>{content}</section>"


def _within(words: Wording, limit_s: int) -> str:
    return f"{words['within']} {limit_s} {words['seconds']}"


def _share(words: Wording, name: str, share: Share) -> tuple[str, str, str, str]:
    return words[name], words.number(share.count), words.number(share.of), words.share(share.share)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    above = "".join(f'<th scope="col">{escape(each)}</th>' for each in head)
    below = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{escape(each)}</th>' if not place else f"<td>{_cell(each)}</td>"
            for place, each in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{above}</tr></thead><tbody>{below}</tbody></table>"


def _cell(text: str) -> str:
    return text if isinstance(text, _Markup) else escape(text)


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
