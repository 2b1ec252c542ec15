"""The regency's month as one page to print: tables and charts, with nothing from outside.

Counterparts: `monthly.py` counts and sends it, `charts.py` draws, `month_words.py` has the words. Its style is named by
its hash in the policy, and no script may run. In a browser that knows the boxes of a sheet's margin (CSS Paged Media),
each printed sheet has its foot.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from zoneinfo import ZoneInfo

from gateway.api import charts
from gateway.api.charts import Column
from gateway.api.counting import Counted
from gateway.api.month_words import Language, Wording
from gateway.domain.definitions import DEFINITIONS
from gateway.domain.reports import LIMITS_S, Figures, Share

STYLE = """
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; color: #111; background: #fff;
  font: 0.95rem/1.4 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { margin: 0; font-size: 1.7rem; } h2 { margin: 1.6rem 0 0.4rem; font-size: 1.15rem; border-bottom: 2px solid #333; }
header p { margin: 0.3rem 0 0; } .note { margin: 0.3rem 0.5rem; }
small, .faint { color: #555; font-weight: 400; font-size: 0.88em; } h2 small { font-size: 0.75em; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { padding: 0.15rem 0.5rem; border-bottom: 1px solid #ccc; text-align: right; vertical-align: middle;
  white-space: nowrap; }
th:first-child, td:first-child, .text { text-align: left; }
.text { white-space: normal; } .text:not(:first-child), .part:first-child { padding-left: 1.5rem; }
thead th { border-bottom: 1px solid #333; } tbody th { font-weight: 400; }
.chart { display: block; width: 100%; height: auto; } .chart text { font: 11px system-ui, sans-serif; fill: #111; }
.bar { width: 12rem; height: 0.75rem; } .key { width: 0.8rem; height: 0.8rem; margin-left: 0.8rem; }
.empty { margin: 4rem 0; text-align: center; font-size: 1.3rem; }
dt { margin-top: 0.4rem; font-weight: 600; } dd { margin: 0; }
section, tr, figure, dl > div { break-inside: avoid; } section.long { break-inside: auto; }
h2, dt, thead { break-after: avoid; } dd { break-before: avoid; }
figure { margin: 0.4rem 0; }
@media print { body { max-width: none; padding: 0; font-size: 8.5pt; line-height: 1.3; } .wide { overflow: visible; }
  h1 { font-size: 15pt; } h2 { margin-top: 0.9rem; font-size: 11pt; } .bar { height: 0.6rem; }
  th, td { padding: 0.05rem 0.3rem; } .note { margin: 0.3rem; }
  rect, pattern { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
_PAPER = """
@page { size: A4; margin: 14mm 14mm 18mm;
  @bottom-left { content: "%s"; width: 80%%; font: 8pt system-ui, sans-serif; color: #555; text-align: left; }
  @bottom-right { content: "%s " counter(page) " / " counter(pages); font: 8pt system-ui, sans-serif; color: #555; } }
"""
"""Each sheet's foot: what it is and when it was made, and its number."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and the policy (Content-Security-Policy) that lets it have its style and nothing else."""

    text: str
    policy: str


@dataclass(frozen=True, slots=True)
class Month:
    """What the page tells of the month that begins on `first`: the same calls three times, told apart differently."""

    title: str
    """What people call the centre."""
    first: date
    zone: ZoneInfo
    first_call: date | None
    """The day of the first call that the centre ever had."""
    days: Counted
    hours: Counted
    trunks: Counted

    @property
    def total(self) -> Figures:
        return self.days.report.total

    @property
    def as_of(self) -> datetime:
        """When it was counted, by the centre's clock."""
        return self.days.as_of.astimezone(self.zone)

    def is_past(self, day: date) -> bool:
        """Whether calls could have come on that day: the centre had begun, and the day has."""
        return self.first_call is not None and self.first_call <= day <= self.as_of.date()


def page(month: Month, language: Language) -> Page:
    """The page, whole."""
    words = Wording(language)
    name = _name(words, month)
    parts = _full(words, month) if month.total.calls else _empty(words, month)
    foot = f"{name}. {words['counted']} {words.moment(month.as_of)}"
    style = STYLE + _PAPER % (_in_style(foot), _in_style(words["page"]))
    text = "".join(
        [
            f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(name)}</title><style>{style}</style></head><body>",
            f"<header><h1>{escape(name)}</h1>{_subtitle(words, month)}</header><main>",
            *parts,
            "</main></body></html>",
        ]
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return Page(
        text,
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )


def _name(words: Wording, month: Month) -> str:
    return f"{words['title']} {month.title}, {words.month(month.first)}"


def _in_style(text: str) -> str:
    """The text as it may stand within quotes in a style: each sign that could mean something there by its number."""
    return "".join(each if (each.isascii() and each.isalnum()) or each == " " else f"\\{ord(each):x} " for each in text)


def _subtitle(words: Wording, month: Month) -> str:
    told = []
    if words.language is not Language.ENGLISH:
        told.append(f'<p class="faint" lang="en">{escape(_name(Wording(Language.ENGLISH), month))}</p>')
    zone = f"({words['zone']} {escape(month.zone.key)})"
    told.append(f'<p class="faint">{words["counted"]} {words.moment(month.as_of)} {zone}</p>')
    if month.first <= month.as_of.date() < _next_month(month.first):
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
    yield _by_time(words, "days", "day", list(_days(words, month)))
    hours = [_Time(label.key or "", label.name, figures) for label, figures in month.hours.groups]
    yield _by_time(words, "hours", "hour", hours)
    trunks = [_Time("", _Words(label.name or words["none"]), figures) for label, figures in month.trunks.groups]
    yield _section(words, "trunks", _times(words, "trunk", trunks))
    yield _callbacks(words, total)
    yield _definitions(words)


def _summary(words: Wording, total: Figures) -> str:
    waits, false = total.waits, total.false_of_presented
    genuine = Share(total.disposed.count - false.count, total.presented)
    rows = [
        (words["presented"], words.number(total.presented), "", ""),
        *(_share(words, name, share) for name, share in (("answered", total.answered), ("relieved", total.relieved))),
        *(
            _share(words, name, share)
            for name, share in (("abandoned", total.abandoned), ("cancelled", total.cancelled))
        ),
        _share(words, "disposed", total.disposed),
        _part_of(words, _share(words, "false_calls", false)),
        _part_of(words, _share(words, "genuine", genuine)),
        _share(words, "undisposed", Share(total.undisposed, total.presented)),
        (words["waits"], words.seconds(waits.mean_s), words.number(waits.count), ""),
        (words["slowest"], words.seconds(waits.slowest_mean_s), words.number(waits.slowest), ""),
        (words["waiting"], words.number(total.waiting), "", ""),
    ]
    head = [words[name] for name in ("figure", "value", "of_calls", "share")]
    note = ""
    if total.undisposed:
        how_many = f"{words.number(total.undisposed)} {words['of'].lower()} {words.number(total.presented)}"
        note = f'<p class="note"><strong>{how_many}</strong> {words["not_known"]}</p>'
    return _section(words, "summary", _table(head, rows) + note)


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
        source, goal = (words.of(each) for each in (definition.source, definition.goal))
        said = f"{source} ({goal})" if goal else source
        count, of = words.number(each.share.count), words.number(each.share.of)
        rows.append((_within(words, each.limit_s), count, of, words.share(each.share.share), _Words(said)))
    head = [*(words[name] for name in ("level", "calls", "of", "share")), _Words(words["source"])]
    return _section(words, "level", _table(head, rows))


def _outcomes(words: Wording, total: Figures) -> str:
    counts = [(outcome.value, count) for outcome, count in total.outcomes.items()] + [("going_on", total.going_on)]
    rows = [
        (words[name], words.number(count), words.share(Share(count, total.presented).share)) for name, count in counts
    ]
    return _section(words, "outcomes", _table([words["figure"], words["calls"], words["share"]], rows))


@dataclass(frozen=True, slots=True)
class _Time:
    """A row of the tables that tell calls apart, and a column of their charts. Without figures: nothing could have
    come."""

    short: str
    name: str
    figures: Figures | None


def _days(words: Wording, month: Month) -> Iterator[_Time]:
    for label, figures in month.days.groups:
        day = date.fromisoformat(label.name)
        yield _Time(str(day.day), words.day(day), figures if month.is_past(day) or figures.calls else None)


def _by_time(words: Wording, title: str, column: str, times: Sequence[_Time]) -> str:
    given = [_column(words, each.short, each.name, each.figures) if each.figures else None for each in times]
    legend = (
        f"<figcaption>{charts.key(charts.SOLID)} {words['answered']} {charts.key(charts.HATCHED)} {words['others']}"
        "</figcaption>"
    )
    chart = f"<figure>{charts.columns(words[title], given, words.number)}{legend}</figure>"
    note = "" if all(each.figures for each in times) else f'<p class="note faint">{words["dashed"]}</p>'
    return _section(words, title, chart + _times(words, column, times) + note)


def _column(words: Wording, short: str, name: str, figures: Figures) -> Column:
    presented, answered = words.number(figures.presented), words.number(figures.answered.count)
    told = f"{name}: {words['presented']} {presented}, {words['answered']} {answered}"
    return Column(short, told, figures.answered.count, figures.presented)


def _times(words: Wording, column: str, times: Iterable[_Time]) -> str:
    names = ("presented", "short_answered", "", "", "short_waits", "short_abandoned", "short_cancelled")
    head = [words[name] if name else "" for name in names]
    head[2:4] = "%", f"≤ 10 {words['seconds']}"
    return _table([words[column], *head], (_time(words, each) for each in times))


def _time(words: Wording, time: _Time) -> Sequence[str]:
    each = time.figures
    if each is None:
        return time.name, *("-" * 7)
    ten = next(within for within in each.within if within.limit_s == 10).share
    return (
        time.name,
        words.number(each.presented),
        words.number(each.answered.count),
        words.share(each.answered.share),
        words.share(ten.share),
        words.seconds(each.waits.mean_s),
        words.number(each.abandoned.count),
        words.number(each.cancelled.count),
    )


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
    return _section(words, "callbacks", _table([words[name] for name in ("figure", "count", "of", "share")], rows))


def _definitions(words: Wording) -> str:
    of_limits = {f"within_{limit_s}_s": _within(words, limit_s) for limit_s in LIMITS_S}
    told = "".join(
        f"<div><dt>{escape(of_limits.get(name) or words[name])}</dt><dd>{escape(words.of(each))}"
        + (f' <span class="faint">{escape(words.of(each.source))}</span>' if each.source.english else "")
        + "</dd></div>"
        for name, each in DEFINITIONS.items()
    )
    return _section(words, "definitions", f"<dl>{told}</dl>", is_long=True)


# ---------------------------------------------------------------- pieces


class _Markup(str):
    """HTML already."""

    __slots__ = ()


class _Words(str):
    """A cell of words, which may take more than one line."""

    __slots__ = ()


class _Part(str):
    """A row that tells a part of the row above."""

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


def _part_of(words: Wording, row: Sequence[str]) -> Sequence[str]:
    """The row as a part of the one above it."""
    return _Part(f"{words['of_which']}: {row[0].lower()}"), *row[1:]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    above = "".join(f'<th scope="col"{_kind(each)}>{escape(each)}</th>' for each in head)
    below = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row"{_kind(each)}>{escape(each)}</th>' if not place else f"<td{_kind(each)}>{_cell(each)}</td>"
            for place, each in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{above}</tr></thead><tbody>{below}</tbody></table></div>'


def _kind(text: str) -> str:
    return ' class="text"' if isinstance(text, _Words) else ' class="part"' if isinstance(text, _Part) else ""


def _cell(text: str) -> str:
    return text if isinstance(text, _Markup) else escape(text)


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
