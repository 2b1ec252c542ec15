"""The three configuration files that the gateway keeps over AMI, as Asterisk finds them when it starts: templates from
`asterisk-config/`, which an engineer edits, and the sections that were there before.

Counterpart: `sections.py` for what stands in them. On the first start, with no gateway yet, the carriers, the queue and
what the centre always holds stand there already: 112 answers.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.asterisk import sections
from gateway.asterisk.sections import BANNED_FILE, PHONES_FILE, QUEUES_FILE, Section
from gateway.domain.books import as_held
from gateway.domain.holding import Holding
from gateway.domain.kept import NEVER
from gateway.domain.queues import first_queue
from gateway.domain.trunks import first_trunks
from gateway.settings import PROJECT

FILES = frozenset({PHONES_FILE, QUEUES_FILE, BANNED_FILE})

_HEAD = re.compile(r"^\[([^]]+)\](\([^)]*\))?")


def texts(etc: Path, default_queue: str, always: Holding, site: Mapping[str, str]) -> Mapping[str, str]:
    """What is to stand in each file below `etc`; `site` are the values to put into the templates, by their names.
    Raises OSError."""
    return {
        PHONES_FILE: _text(PHONES_FILE, etc, _first_phones(always), site),
        QUEUES_FILE: _text(QUEUES_FILE, etc, _first_queues(default_queue, always), site),
        BANNED_FILE: _text(BANNED_FILE, etc, [sections.BANNED], site),
    }


def _text(name: str, etc: Path, first: Iterable[Section], site: Mapping[str, str]) -> str:
    templates = (PROJECT / "asterisk-config" / name).read_text(encoding="utf-8").rstrip("\n")
    for value_name, value in site.items():
        templates = templates.replace(f"@{value_name}@", value)
    file = etc / name
    # whoever wrote into it by hand may have another encoding, and a power cut may have emptied it: 112 answers all the
    # same, as at the first start
    there = _own_sections(file.read_text(encoding="utf-8", errors="replace")) if file.exists() else []
    kept = there or [section.text for section in first]
    return "\n\n".join([templates, *(text.rstrip("\n") for text in kept)]) + "\n"


def _own_sections(text: str) -> list[str]:
    """The sections of a kept file that are no templates, as they stand there."""
    found: list[str] = []
    is_own = False
    for line in text.splitlines(keepends=True):
        if head := _HEAD.match(line):
            is_own = not (head[2] or "").startswith("(!")
            if is_own:
                found.append("")
        if is_own and line.strip() and not line.startswith(";"):
            found[-1] += line
    return found


def _first_phones(always: Holding) -> list[Section]:
    trunks = [*(as_held(trunk) for trunk in first_trunks(NEVER)), *always.trunks.values()]
    return [
        *(sections.of_trunk(trunk) for trunk in trunks),
        *(sections.of_phone(phone) for phone in always.phones.values()),
    ]


def _first_queues(default_queue: str, always: Holding) -> list[Section]:
    queues = [as_held(first_queue(default_queue, NEVER)), *always.queues.values()]
    return [sections.of_queue(queue) for queue in queues]
