"""What a probe found, step by step, and the table that shows it to a person or a log.

Counterpart: `run.py` fills it in; `gateway112 probe` and `gateway112 run` print it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text


class Result(StrEnum):
    """The word in the table: colour is never the only signal."""

    OK = "ok"
    FAILED = "FAILED"
    NOT_TRIED = "not tried"


_STYLES = {Result.OK: "green", Result.FAILED: "bold red", Result.NOT_TRIED: "dim"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was to be shown. `at_ms` counts from the INVITE, is negative before it, and None where there is
    no moment to name; `said` is what was seen; `remedy` is what to do about a failure."""

    name: str
    result: Result
    at_ms: float | None = None
    said: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """One probe: every step, in the order of time; one that has no moment stands behind those that were planned before
    it. `took_s` is the whole probe's time."""

    steps: tuple[Step, ...]
    took_s: float

    @property
    def passed(self) -> bool:
        """True when every step was good."""
        return bool(self.steps) and all(step.result is Result.OK for step in self.steps)


class StepFailed(Exception):
    """A step failed, and those after it make no sense without it."""

    def __init__(self, said: str, remedy: str) -> None:
        super().__init__(said)
        self.said = said
        self.remedy = remedy


@dataclass(slots=True)
class Course:
    """A report while it grows. `planned` names the steps in their order; times are seconds since the epoch."""

    planned: Sequence[str]
    invite_at: float | None = None
    _done: dict[str, tuple[Result, float | None, str, str]] = field(default_factory=dict)

    def good(self, name: str, at: float | None, said: str = "") -> None:
        """The step was seen, at that time."""
        self._done[name] = (Result.OK, at, said, "")

    def bad(self, name: str, said: str, remedy: str) -> None:
        """The step failed; the course goes on."""
        self._done[name] = (Result.FAILED, None, said, remedy)

    def broke(self, said: str, remedy: str) -> None:
        """The first step that is still open failed, and ended the course."""
        name = next((name for name in self.planned if name not in self._done), self.planned[-1])
        self.bad(name, said, remedy)

    def report(self, took_s: float) -> ProbeReport:
        """What was found; a step that was not reached is told as not tried."""
        steps = [self._step(name) for name in self.planned]
        return ProbeReport(tuple(_in_order_of_time(steps)), took_s)

    def _step(self, name: str) -> Step:
        result, at, said, remedy = self._done.get(name, (Result.NOT_TRIED, None, "", ""))
        at_ms = None if at is None or self.invite_at is None else (at - self.invite_at) * 1000
        return Step(name, result, at_ms, said, remedy)


def _in_order_of_time(steps: Sequence[Step]) -> list[Step]:
    placed: list[tuple[float, Step]] = []
    behind = -math.inf
    for step in steps:
        behind = max(behind, -math.inf if step.at_ms is None else step.at_ms)
        placed.append((behind if step.at_ms is None else step.at_ms, step))
    return [step for _, step in sorted(placed, key=lambda each: each[0])]


def render(report: ProbeReport) -> Group:
    """The report as a table under its verdict, and under the table what to do about each failure. It fits in the 80
    columns of a log."""
    verdict = "112 works, from the INVITE to the API" if report.passed else "112 DOES NOT WORK as it should"
    table = Table(title=f"Probe: {verdict} ({report.took_s:.1f} s)", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("Step", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("Result", no_wrap=True)
    table.add_column("Seen", overflow="fold")
    for step in report.steps:
        at = "" if step.at_ms is None else f"{step.at_ms:.0f}"
        said = "see below" if step.remedy else escape(step.said)
        table.add_row(escape(step.name), at, f"[{_STYLES[step.result]}]{step.result}[/]", said)
    failures = [
        Text(f"{step.name}: {step.said}.\n  Remedy: {step.remedy}.", overflow="fold")
        for step in report.steps
        if step.result is Result.FAILED
    ]
    zero = Text("ms: since the call's INVITE, which is time 0; what came before it is negative.", style="dim")
    return Group(table, zero, *failures)
