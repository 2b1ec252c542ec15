"""`gateway112 doctor`: what is wrong with this installation and what to do, in plain words.

A second opinion: it changes nothing, works when everything is down, and shares no code with the service's own link to
Asterisk. `machine` looks at this machine, `services` at what answers on it, `manager` asks Asterisk (over `hotline`).
"""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from gateway.doctor import machine, manager, services
from gateway.doctor.finding import Finding, Level
from gateway.settings import Settings

__all__ = ["Finding", "Level", "examine", "render"]

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.WRONG: "bold red"}


def examine(settings: Settings) -> list[Finding]:
    """Everything that was looked at, in the order in which it is to be mended: what stands first is needed by what
    follows. Takes a second where all is well, and about ten where nothing answers. Blocking; raises nothing for a
    broken installation."""
    return [
        *machine.look(settings),
        *services.look_at_sip(settings),
        *manager.look(settings),
        *machine.look_at_traces(settings),
        *services.look_at_bucket(settings),
        *services.look_at_gateway(settings),
    ]


def render(findings: list[Finding]) -> Group:
    """The findings as a table under the verdict, and under it what to do, in order. It fits in 80 columns."""
    wrong = sum(finding.is_wrong for finding in findings)
    warnings = sum(finding.level is Level.WARNING for finding in findings)
    verdict = f"{wrong} wrong, {warnings} to look at" if wrong or warnings else "all is well"
    table = Table(title=f"Doctor: {verdict}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("Looked at", no_wrap=True)
    table.add_column("Is", no_wrap=True)
    table.add_column("Seen", overflow="fold")
    for finding in findings:
        table.add_row(Text(finding.subject), Text(finding.level, _STYLES[finding.level]), Text(finding.said))
    remedies = [
        Text(f"{number}. {finding.subject}: {finding.remedy.removesuffix('.')}.", overflow="fold")
        for number, finding in enumerate((each for each in findings if each.remedy), start=1)
    ]
    return Group(table, *([Text("What to do, in this order:"), *remedies] if remedies else []))
