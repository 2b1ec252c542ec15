"""Says which packages of requirements.lock have known weaknesses, as PyPI or OSV know them (pip-audit asks them).

    python setup/audit.py PIP_AUDIT      its exit status: 0 none, 1 some, 3 not all could be looked at

Counterpart: `setup/audit.sh`. pip-audit itself ends well when it could ask about nothing; here that is said, and is a
failure: what nobody has looked at is not known to be sound.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
SERVICES = ("pypi", "osv")
LIMIT_S = 300
NONE, SOME, UNKNOWN = 0, 1, 3


@dataclass
class Found:
    """What one service, or several, said: weaknesses by package, and which packages were looked at."""

    looked_at: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    weak: dict[str, list[str]] = field(default_factory=dict)

    def add(self, report: Mapping[str, Any]) -> None:
        """Takes a report of pip-audit's (`--format json`)."""
        for each in report["dependencies"]:
            package = f"{each['name']} {each.get('version', '')}".strip()
            if "skip_reason" in each:
                self.skipped.add(each["name"])
                continue
            self.looked_at.add(each["name"])
            told = self.weak.setdefault(package, [])
            for weakness in each["vulns"]:
                mended = ", ".join(weakness["fix_versions"]) or "no version yet"
                if (line := f"{weakness['id']}, mended in {mended}") not in told:
                    told.append(line)

    @property
    def unknown(self) -> set[str]:
        return self.skipped - self.looked_at

    @property
    def status(self) -> int:
        if any(self.weak.values()):
            return SOME
        return UNKNOWN if self.unknown or not self.looked_at else NONE

    def lines(self) -> Iterable[str]:
        """What was found, for a person."""
        for package, weaknesses in sorted(self.weak.items()):
            yield from (f"WEAK  {package}: {weakness}" for weakness in weaknesses)
        if not self.looked_at:
            yield (
                "NOTHING WAS CHECKED: neither PyPI nor OSV could be asked about any package. Remedy: run it where they "
                "can be reached."
            )
            return
        weak = sum(map(bool, self.weak.values()))
        yield f"{len(self.looked_at)} packages of requirements.lock were looked at: {weak} weak."
        if self.unknown:
            yield f"NOT CHECKED, as no service knows them here: {', '.join(sorted(self.unknown))}."


def asked(tool: str, service: str) -> Mapping[str, Any] | None:
    """The report of one service; None where it cannot be reached."""
    command = [tool, "--requirement", str(LOCK), "--disable-pip", "--no-deps", "--vulnerability-service", service]
    try:
        done = subprocess.run(
            [*command, "--format", "json", "--progress-spinner", "off"],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        report: Mapping[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return report


def main() -> int:
    found = Found()
    for service in SERVICES:
        report = asked(sys.argv[1], service)
        if report is None:
            print(f"{service} cannot be reached.")
        else:
            found.add(report)
        if found.looked_at and not found.unknown:
            break
    print("\n".join(found.lines()))
    return found.status


if __name__ == "__main__":
    sys.exit(main())
