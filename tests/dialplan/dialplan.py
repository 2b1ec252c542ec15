"""Reads the dialplan as text: its contexts, extensions and priorities, and where each jump leads.

Counterpart: `dialplan/*.conf`. It knows no more of the language than those files use, and says so when it meets more.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_CONTEXT = re.compile(r"^\[(?P<name>[a-z-]+)\]$")
_FIRST = re.compile(r"^exten => (?P<exten>[^,]+),1,(?P<call>.+)$")
_NEXT = re.compile(r"^ same => n(?:\((?P<label>[a-z-]+)\))?,(?P<call>.+)$")
_APPLICATION = re.compile(r"^(?P<name>[A-Za-z]+)\((?P<arguments>.*)\)$")
_FUNCTION = re.compile(r"\$\{([A-Z_]+)\(")


@dataclass(frozen=True, slots=True)
class Step:
    """One priority: an application and its arguments."""

    file: str
    line: int
    application: str
    arguments: str
    label: str = ""


@dataclass(slots=True)
class Context:
    """A context, the comment that opens it, and its extensions."""

    name: str
    opening: str
    extensions: dict[str, list[Step]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Jump:
    """A Goto's target; `label` is a priority's number or name."""

    step: Step
    context: str
    exten: str
    label: str


def read(folder: Path) -> dict[str, Context]:
    """All contexts of the folder, by name. Raises ValueError at a line that it does not understand."""
    contexts: dict[str, Context] = {}
    for file in sorted(folder.glob("*.conf")):
        if file.name != "extensions.conf":
            _read_file(file, contexts)
    return contexts


def _read_file(file: Path, contexts: dict[str, Context]) -> None:
    comment: list[str] = []
    header = ""
    context: Context | None = None
    steps: list[Step] = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if line.startswith(";") or not line:
            comment = [*comment, line] if line else comment
            continue
        if found := _CONTEXT.match(line):
            header = "\n".join(comment)
            context = contexts[found["name"]] = Context(found["name"], header)
        elif context is None:
            raise ValueError(f"{file.name}:{number}: a line outside of any context")
        elif found := _FIRST.match(line):
            if not context.extensions:
                context.opening += "\n".join(comment)
            steps = context.extensions[found["exten"]] = [_step(file, number, found["call"])]
        elif found := _NEXT.match(line):
            steps.append(_step(file, number, found["call"], found["label"] or ""))
        else:
            raise ValueError(f"{file.name}:{number}: not understood: {line}")
        comment = []


def _step(file: Path, number: int, call: str, label: str = "") -> Step:
    found = _APPLICATION.match(call)
    if found is None:
        raise ValueError(f"{file.name}:{number}: not an application: {call}")
    return Step(file.name, number, found["name"], found["arguments"], label)


def steps(contexts: dict[str, Context]) -> Iterator[tuple[Context, str, Step]]:
    for context in contexts.values():
        for exten, sequence in context.extensions.items():
            for step in sequence:
                yield context, exten, step


def functions(step: Step) -> set[str]:
    """The dialplan functions that a step calls."""
    return set(_FUNCTION.findall(step.arguments))


def jumps(context: Context, exten: str, step: Step) -> list[Jump]:
    """Where a Goto, GotoIf or Gosub may lead."""
    if step.application in ("Goto", "Gosub"):
        targets = [step.arguments]
    elif step.application == "GotoIf":
        _, _, ways = step.arguments.rpartition("]?")
        targets = [target for target in ways.split(":") if target]
    else:
        return []
    return [_target(context, exten, step, target) for target in targets]


def _target(context: Context, exten: str, step: Step, target: str) -> Jump:
    parts = _split(target)
    own = [context.name, exten, "1"]
    whole = own[: 3 - len(parts)] + parts
    return Jump(step, *whole)


def _split(target: str) -> list[str]:
    """At the commas that stand outside of ${…}."""
    parts, depth = [""], 0
    for sign in target:
        depth += (sign == "{") - (sign == "}")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts
