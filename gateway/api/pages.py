"""A page for a person, said once and written twice: as plain text and as HTML that needs nothing from outside.

Counterpart: `export_pages.py`, whose pages are read in ten years on whatever machine there is then. All that is put in
is escaped here, and nowhere else.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 100
PROMPT = "    $ "
"""What stands before each command of the plain text."""

_STYLE = """
body { margin: 0 auto; max-width: 60rem; padding: 1rem; color: #111; background: #fff;
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #999; }
pre { padding: 0.6rem; background: #f0f0f0; white-space: pre-wrap; }
table { border-collapse: collapse; } th, td { padding: 0.15rem 0.6rem; border-bottom: 1px solid #ccc; text-align: left;
  vertical-align: top; }
"""


@dataclass(frozen=True, slots=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph, in one language."""

    text: str
    language: str = "id"


@dataclass(frozen=True, slots=True)
class Commands:
    """What to type, line by line."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table; the first row says what stands in the others."""

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


Block = Heading | Words | Commands | Rows


def as_text(blocks: Sequence[Block]) -> str:
    """The page as plain text."""
    return "\n".join(line for block in blocks for line in _lines(block)) + "\n"


def as_html(title: str, blocks: Sequence[Block]) -> str:
    """The page as HTML; nothing that is put in can become a part of it."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"  # a file that is opened from a disk has no header
    return "".join(
        [
            '<!doctype html><html lang="id"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            *(_html(block) for block in blocks),
            "</body></html>\n",
        ]
    )


def _lines(block: Block) -> list[str]:
    match block:
        case Heading(text=text, level=level):
            return ["", _plain(text), ("=" if level == 1 else "-") * min(len(text), WIDTH), ""]
        case Words(text=text):
            return [*textwrap.wrap(_plain(text), WIDTH), ""]
        case Commands(lines=lines):
            return [*(f"{PROMPT}{line}" for line in lines), ""]
        case Rows(head=head, rows=rows):
            return [" | ".join(map(_plain, row)) for row in (head, *rows)] + [""]


def _html(block: Block) -> str:
    match block:
        case Heading(text=text, level=level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Words(text=text, language=language):
            return f'<p lang="{escape(language)}">{escape(text)}</p>'
        case Commands(lines=lines):
            return f"<pre>{escape(chr(10).join(lines))}</pre>"
        case Rows(head=head, rows=rows):
            heads = "".join(f"<th>{escape(each)}</th>" for each in head)
            cells = "".join(f"<tr>{''.join(f'<td>{escape(each)}</td>' for each in row)}</tr>" for row in rows)
            return f"<table><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>"


def _plain(text: str) -> str:
    """One line, without signs that a terminal would obey."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
