"""`python -m bench`: measures the centre beside plain Asterisk, prints a table a block, keeps `var/bench/latest.json`.

Counterpart: `make bench`; bench/README.md says how to read it. Nothing fails because a figure is bad.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner

from bench import (
    advice,
    deaths,
    door,
    drain,
    framing,
    overload,
    pages,
    report,
    reports,
    restart,
    ring,
    roster,
    sealing,
    soak,
    stream,
    throughput,
    waiting,
)
from bench.ending import end_as_by_hand
from bench.report import Block
from bench.sides import Say, Sides, all_sides
from gateway.asterisk import installation
from gateway.settings import PROJECT

WIDTH = 120
"""Of the tables where nobody's screen says otherwise."""
LATEST = PROJECT / "var/bench/latest.json"
LONGEST_RUN_S = 1800.0
"""A run that hangs is ended."""
LAID_A_SECOND = 1000
"""Calls that a slow machine lays into both databases for the pages block."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long everything takes."""

    rounds: int
    round_s: float
    load_s: float
    stream_s: float
    framing_events: int
    changes: int
    report_calls: int
    page_calls: int
    records: int
    advices: int
    sealed_s: int
    drained: int
    deaths: int
    attack_s: float
    overload_s: float
    carried: int | None
    operators: int
    soak_min: float
    is_mute: bool = False


FULL = Lengths(
    rounds=3,
    round_s=15,
    load_s=600,
    stream_s=20,
    framing_events=40_000,
    changes=400,
    report_calls=1_000_000,
    page_calls=5_000_000,
    records=100_000,
    advices=5000,
    sealed_s=1200,
    drained=1000,
    deaths=20,
    attack_s=12,
    overload_s=60,
    carried=None,
    operators=540,
    soak_min=120,
)
QUICK = Lengths(
    rounds=2,
    round_s=5,
    load_s=12,
    stream_s=6,
    framing_events=10_000,
    changes=200,
    report_calls=200_000,
    page_calls=200_000,
    records=10_000,
    advices=2000,
    sealed_s=300,
    drained=100,
    deaths=3,
    attack_s=12,
    overload_s=15,
    carried=40,
    operators=540,
    soak_min=1,
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="short rounds: about three minutes, rougher figures")
    parser.add_argument("--only", choices=BLOCKS, action="append", help="this block alone; may be given again")
    parser.add_argument("--seconds", dest="load_s", type=float, metavar="S", help="length of the throughput's load")
    parser.add_argument("--mute", action="store_true", help="callers of the throughput's load do not speak")
    parser.add_argument("--calls", type=int, metavar="N", help="how many lie in the store in the pages block")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of the ring block")
    parser.add_argument("--deaths", type=int, metavar="N", help="how often each is killed in the deaths block")
    parser.add_argument("--carried", type=int, metavar="R", help="calls/s that this machine carries; else it is tried")
    parser.add_argument("--operators", type=int, metavar="N", help="at the overload's centre (540)")
    parser.add_argument("--minutes", type=float, metavar="M", help="length of the soak (120)")
    return parser.parse_args()


BESIDE: Mapping[str, Callable[[Sides, Say, Lengths], Awaitable[Block]]] = {
    "ring": lambda sides, say, lengths: ring.measure(sides, say, rounds=lengths.rounds, seconds=lengths.round_s),
    "throughput": lambda sides, say, lengths: throughput.measure(
        sides, say, seconds=lengths.load_s, with_sound=not lengths.is_mute
    ),
    "stream": lambda sides, say, lengths: stream.measure(sides, say, seconds=lengths.stream_s),
    "drain": lambda sides, say, lengths: drain.measure(
        sides, say, waiting=lengths.drained, rounds=lengths.rounds, seconds=lengths.round_s
    ),
}
ALONE: Mapping[str, Callable[[Say, Lengths], Awaitable[Block]]] = {
    "framing": lambda say, lengths: asyncio.to_thread(framing.measure, say, events=lengths.framing_events),
    "roster": lambda say, lengths: roster.measure(say, changes=lengths.changes),
    "reports": lambda say, lengths: reports.measure(say, calls=lengths.report_calls),
    "pages": lambda say, lengths: pages.measure(say, calls=lengths.page_calls),
    "sealing": lambda say, lengths: sealing.measure(say, seconds=lengths.sealed_s),
    "advice": lambda say, lengths: advice.measure(say, advices=lengths.advices),
    "restart": lambda say, lengths: restart.measure(say, records=lengths.records),
    "waiting": lambda say, lengths: waiting.measure(say),
    "door": lambda say, lengths: door.measure(say, attack_s=lengths.attack_s),
    "deaths": lambda say, lengths: deaths.measure(say, moments=lengths.deaths, seed=int(time.time())),
    "overload": lambda say, lengths: overload.measure(
        say, seconds=lengths.overload_s, carried=lengths.carried, operators=lengths.operators
    ),
    "soak": lambda say, lengths: soak.measure(say, minutes=lengths.soak_min),
}
"""Blocks that need no plain Asterisk beside them: they run first."""
WHEN_NAMED = ("overload", "pages", "soak")
"""They load the machine as far as it goes, or take long."""
BLOCKS = (*BESIDE, *ALONE)


async def _run(names: list[str], lengths: Lengths, folder: Path, say: Say, show: Callable[[str, Block], None]) -> None:
    for name in names:
        if name in ALONE:
            more_s = {"soak": 60 * lengths.soak_min, "pages": lengths.page_calls / LAID_A_SECOND}
            async with asyncio.timeout(LONGEST_RUN_S + more_s.get(name, 0)):
                show(name, await ALONE[name](say, lengths))
    names = [name for name in names if name in BESIDE]
    if names:
        async with asyncio.timeout(LONGEST_RUN_S + lengths.load_s), all_sides(folder, say) as sides:
            for name in names:
                show(name, await BESIDE[name](sides, say, lengths))


def main() -> int:
    """Runs what was asked for; returns the exit status."""
    chosen = _arguments()
    base = QUICK if chosen.quick else FULL
    lengths = Lengths(
        rounds=chosen.rounds or base.rounds,
        round_s=base.round_s,
        load_s=chosen.load_s or base.load_s,
        stream_s=base.stream_s,
        framing_events=base.framing_events,
        changes=base.changes,
        report_calls=base.report_calls,
        records=base.records,
        page_calls=chosen.calls or base.page_calls,
        advices=base.advices,
        sealed_s=base.sealed_s,
        drained=base.drained,
        deaths=chosen.deaths or base.deaths,
        attack_s=base.attack_s,
        is_mute=chosen.mute,
        overload_s=base.overload_s,
        carried=chosen.carried or base.carried,
        operators=chosen.operators or base.operators,
        soak_min=chosen.minutes or base.soak_min,
    )
    names = [name for name in BLOCKS if name in (chosen.only or set(BLOCKS) - set(WHEN_NAMED))]
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    try:
        around = report.environment()
    except installation.NoAsterisk as error:
        print(error, file=sys.stderr)
        return 2
    console.print(", ".join(f"{name} {value}" for name, value in around.items()), soft_wrap=True)
    end_as_by_hand()
    blocks: dict[str, Block] = {}
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    spinner = Spinner("dots", "")
    try:
        with Live(spinner, console=console, transient=True) as live:

            def say(words: str) -> None:
                spinner.update(text=words)
                if not console.is_terminal:
                    console.print(f"… {words}")

            def show(name: str, block: Block) -> None:
                blocks[name] = block
                live.console.print(report.table(block))
                live.console.print(*block.notes, "", sep="\n", soft_wrap=True)

            asyncio.run(_run(names, lengths, folder, say, show))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(folder)
    report.save(LATEST, around, blocks)
    console.print(f"kept in {LATEST.relative_to(PROJECT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
