"""`python -m chaos`: breaks a centre on purpose, again and again, and counts whether a call was lost.

Counterpart: `make chaos`; chaos/README.md says how to read it. The exit status is 1 if anything was lost, wrong or
repeated.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.ending import end_as_by_hand
from bench.report import environment
from chaos import campaign, plan, report
from chaos.campaign import Leg, Options
from chaos.disks import be_alone
from chaos.faults import FAULTS
from chaos.rings import Rings
from chaos.stores import DATABASES
from gateway.asterisk import installation
from gateway.settings import PROJECT

WIDTH = 120
FOLDER = PROJECT / "var/chaos"
SHORT_S = 180.0
"""A campaign that is shorter has shorter calls, or it would mostly wait for their end."""
LONGEST_S, LONGEST_OF_SHORT_S = 45.0, 8.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seed", type=int, help="the plan; without it one of this moment, which is told")
    parser.add_argument("--minutes", type=float, default=60, help="how long calls come, both databases together (60)")
    parser.add_argument("--rate", type=float, default=10, help="calls a second (10)")
    parser.add_argument("--every", type=float, default=17, metavar="S", help="a fault every so many seconds (17)")
    parser.add_argument("--only", action="append", metavar="FAULT", help="this fault or family; may be given again")
    parser.add_argument("--database", choices=DATABASES, action="append", help="else one after the other")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where report.json and picture.svg go")
    parser.add_argument("--plan", action="store_true", help="only show the plan")
    return parser.parse_args()


def main() -> int:
    """Runs what was asked for; returns the exit status."""
    chosen = _arguments()
    faults = [fault for fault in FAULTS if not chosen.only or {fault.name, fault.family} & set(chosen.only)]
    if not faults:
        print(f"no such fault. There are: {', '.join(sorted(fault.name for fault in FAULTS))}", file=sys.stderr)
        return 2
    seed = int(time.time()) if chosen.seed is None else chosen.seed
    planned = plan.make(seed, faults, seconds=60 * chosen.minutes, every_s=chosen.every)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    if chosen.plan:
        for each in planned:
            console.print(f"{each.number:4} at {each.at_s:7.1f} s for {each.hold_s:4.1f} s: {each.fault.name}")
        return 0
    be_alone()
    end_as_by_hand()
    try:
        around = {**environment(), "seed": seed, "minutes": chosen.minutes, "rate": chosen.rate}
    except installation.NoAsterisk as error:
        print(error, file=sys.stderr)
        return 2
    console.print(", ".join(f"{name} {value}" for name, value in around.items()), soft_wrap=True)
    longest_s = LONGEST_S if 60 * chosen.minutes >= SHORT_S else LONGEST_OF_SHORT_S
    try:
        legs, plain = asyncio.run(_run(chosen, planned, Options(seed, chosen.rate, longest_s, chosen.folder), console))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    console.print(report.table(legs))
    found = report.findings(legs)
    for finding in found[:40]:
        console.print(f"{finding.kind}: {finding.about}: {finding.words}", soft_wrap=True, markup=False)
    console.print(report.summary(legs), soft_wrap=True)
    for name, had in (("plain Asterisk", plain), *((leg.database, leg.rings) for leg in legs)):
        console.print(f"from the INVITE to a person, {name}: {had}", soft_wrap=True)
    report.save(chosen.folder, around, legs, plain)
    console.print(f"kept in {chosen.folder}: report.json, picture.svg; seed {seed}")
    return 1 if found else 0


async def _run(
    chosen: argparse.Namespace, planned: list[plan.Planned], options: Options, console: Console
) -> tuple[list[Leg], Rings]:
    """One leg for each database, each with its part of the plan; and how soon plain Asterisk's callers had a person."""
    kinds = chosen.database or DATABASES
    seconds = 60 * chosen.minutes / len(kinds)
    legs: list[Leg] = []
    bar = Progress(
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=len(planned))

        def say(words: str) -> None:
            bar.update(task, description=words)
            if not console.is_terminal:
                console.print(f"… {words}")

        def show(struck: campaign.Struck) -> None:
            bar.advance(task)
            console.print(report.line(struck), soft_wrap=True, markup=False)

        plain_s = min(campaign.PLAIN_S, campaign.PLAIN_PART * 60 * chosen.minutes)
        plain = await campaign.plain_rings(plain_s, options, say)
        for place, kind in enumerate(kinds):
            part = [
                each.from_the(place * seconds)
                for each in planned
                if place * seconds <= each.at_s < (place + 1) * seconds
            ]
            legs.append(await campaign.run(kind, part, seconds, options, plain, say, show))
    return legs, plain


if __name__ == "__main__":
    sys.exit(main())
