"""A soak: five calls a second for hours. Does anything grow for ever: memory, open files, tasks, what a call takes on
the disk?

Counterparts: `leaks.py` judges; `bench/README.md` says how to read it.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import ground, leaks, plot
from bench.ground import Ground
from bench.leaks import Trend, Verdict
from bench.listener import listening, still_listens
from bench.measure import children, memory_bytes
from bench.plot import Line, Panel
from bench.report import Block, Row
from bench.sides import Say
from chaos.conservation import Kind, Troubles
from gateway.settings import PROJECT

PICTURE = PROJECT / "var/bench/soak.svg"
RATE = 5
OPERATORS, PATIENCE_MS, LONGEST_MS = 80, 27_000, 24_000
SHORTEST_MS = 6_000
"""Whoever is cut off in the first five seconds is to be called back, which nobody does here: half of all callers would
be a heap of tasks that grows for ever, and rightly."""
EVERY_S = 10.0
LEAST_SAMPLES = 30
"""A short soak is looked at more often."""
LAST_CALLS_S = 45.0
LEAST_CAME = 0.98
"""Of the calls that should have come; of fewer it is not RATE that was looked at."""
BEGAN, ENDED, GREW = "after warm-up", "at the end", "growth"


@dataclass(frozen=True, slots=True)
class Sample:
    """One look, `at` seconds after the first. What grows with the calls is a call's share of it; NaN is not known."""

    at: float
    calls: int
    memory: float
    files: float
    tasks: float
    worker_memory: float
    worker_files: float
    database: float
    journal: float
    waiting: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that must not grow: shown as so many `of` its own unit, judged down to `floor`."""

    what: str
    read: Callable[[Sample], float]
    unit: str
    of: float
    floor: float


FIGURES = (
    Figure("the gateway's memory", lambda sample: sample.memory, "MB", 1e6, 3e6),
    Figure("its open files", lambda sample: sample.files, "", 1, 3),
    Figure("its tasks", lambda sample: sample.tasks, "", 1, 5),
    Figure("the vault worker's memory", lambda sample: sample.worker_memory, "MB", 1e6, 3e6),
    Figure("the worker's open files", lambda sample: sample.worker_files, "", 1, 3),
    Figure("the database, for each call", lambda sample: sample.database, "kB", 1e3, 100),
    Figure("the journal, for each call", lambda sample: sample.journal, "kB", 1e3, 100),
    Figure("recordings that wait to be sealed", lambda sample: sample.waiting, "", 1, 20),
)


async def measure(say: Say, *, minutes: float) -> Block:
    """A centre under RATE calls/s for so long, with a listener of its events."""
    with tempfile.TemporaryDirectory(prefix="soak-", dir="/tmp") as name:
        folder = Path(name)
        async with (
            ground.ground(
                folder,
                say,
                operators=OPERATORS,
                shortest_ms=SHORTEST_MS,
                longest_ms=LONGEST_MS,
                talk_ms=PATIENCE_MS,
            ) as on,
            listening(on.centre, folder / "stream.log") as stream,
        ):
            samples, found = await _soaked(on, say, 60 * minutes)
            is_heard = still_listens(stream)
            calls = len(on.traffic.seen)
    trends = {each: leaks.trend([(one.at, each.read(one)) for one in samples], floor=each.floor) for each in FIGURES}
    plot.save(PICTURE, _picture(samples))
    return _block(trends, calls, minutes, found, is_heard=is_heard)


async def _soaked(on: Ground, say: Say, seconds: float) -> tuple[list[Sample], Mapping[Kind, list[str]]]:
    steady, samples = on.traffic.steady(rate=RATE), list[Sample]()
    await on.traffic.goes_on(steady)
    began_s, before = time.monotonic(), await asyncio.to_thread(_on_disk, on)
    while (now_s := time.monotonic() - began_s) < seconds:
        say(f"soak: {now_s / 60:.1f} of {seconds / 60:.0f} min")
        await asyncio.sleep(min(EVERY_S, seconds / LEAST_SAMPLES))
        samples.append(await _sample(on, time.monotonic() - began_s, before))
    steady.call_no_more()
    await on.traffic.stop(LAST_CALLS_S)
    say("soak: holding the history against SIPp's logs")
    found, _ = await ground.counted(on, Troubles(), refuses=False)
    return samples, found


async def _sample(on: Ground, at: float, before: tuple[int, int]) -> Sample:
    told = await ground.metrics(on.api)
    on.traffic.read()
    calls = max(1, len(on.traffic.seen))
    database, journal = await asyncio.to_thread(_on_disk, on)
    pid = on.centre.gateway_pid
    workers = children(pid)
    return Sample(
        at=at,
        calls=calls,
        memory=memory_bytes(pid),
        files=_open_files(pid),
        tasks=told.get("gateway112_tasks", float("nan")),
        worker_memory=sum(map(memory_bytes, workers)),
        worker_files=sum(map(_open_files, workers)),
        database=(database - before[0]) / calls,
        journal=(journal - before[1]) / calls,
        waiting=told.get("gateway112_recordings_waiting", float("nan")),
    )


def _open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _on_disk(on: Ground) -> tuple[int, int]:
    """The bytes of the database and of the journal. Blocking: disk."""
    settings = on.centre.settings
    return _bytes(settings.paths.var, "gateway112.db*"), _bytes(settings.journal_dir, "journal*")


def _bytes(folder: Path, files: str) -> int:
    return sum(file.stat().st_size for file in folder.glob(files))


# -------------------------------------------------------------------- what is shown


def _picture(samples: Sequence[Sample]) -> str:
    def line(figure: Figure) -> Line:
        values = [(each.at, figure.read(each) / figure.of) for each in samples]
        return Line("", [(at, value) for at, value in values if value == value])  # NaN is not drawn

    panels = [Panel(f"{each.what}{f', {each.unit}' if each.unit else ''}", (line(each),)) for each in FIGURES]
    calls = Panel("calls", (Line("", [(each.at, each.calls) for each in samples]),))
    return plot.picture(f"A soak: {RATE} calls/s", (*panels, calls))


def _block(
    trends: Mapping[Figure, Trend], calls: int, minutes: float, found: Mapping[Kind, list[str]], *, is_heard: bool
) -> Block:
    counted = ", ".join(f"{len(found[kind])} {kind}" for kind in Kind)
    wanted, bad = RATE * 60 * minutes, sum(map(len, found.values()))
    return Block(
        f"{RATE} calls/s for {minutes:g} min",
        (BEGAN, ENDED, GREW),
        (
            *(_row(figure, trend) for figure, trend in trends.items()),
            Row(
                "calls that came, of those that should",
                {ENDED: calls},
                ratio=calls / wanted,
                target=f">= {LEAST_CAME}",
                is_met=calls >= LEAST_CAME * wanted,
            ),
            Row("its listener heard it to the end", {ENDED: int(is_heard)}, target="1", is_met=is_heard),
            Row("lost, wrong or repeated, with the recordings", {ENDED: bad}, target="0", is_met=not bad),
        ),
        (
            f"{calls} calls: {counted}, held against SIPp's own logs",
            f"level: after the warm-up (a quarter, {leaks.LONGEST_WARM_UP_S / 60:.0f} min at most) it grew by no more "
            f"than {leaks.MOST_GROWTH:.0%} of itself or a floor, by the median of all slopes; not judged under "
            f"{leaks.LEAST_S / 60:.0f} min",
            *(words for kind in Kind for words in found[kind][:3]),
            f"drawn in {PICTURE.relative_to(PROJECT)}",
        ),
    )


def _row(figure: Figure, trend: Trend) -> Row:
    figures = {BEGAN: trend.began, ENDED: trend.ended, GREW: trend.growth}
    is_judged = trend.verdict is not Verdict.TOO_SHORT
    return Row(
        figure.what,
        {side: value / figure.of for side, value in figures.items()},
        figure.unit,
        target=f"level: {trend.verdict}",
        is_met=trend.verdict is Verdict.LEVEL if is_judged else None,
    )
