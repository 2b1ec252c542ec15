"""What the looks at the vault came to, in `var/vault/verified/`: one small file of each day, one of what lies beside
the days, and `night.json`, which sums them up.

Counterparts: `nightly.py` writes them; the alarms, `/v1/health` and the doctor read `night.json`.
"""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

from gateway.domain.evidence import Verification
from gateway.settings import Settings
from gateway.vault.findings import Finding, Verified
from gateway.vault.folders import write_whole

FOLDER, NIGHT, BESIDE = "verified", "night.json", "beside"
MOST_NAMED = 100
"""So many findings of a day are kept in words."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a whole day, or (`day` is None) at what lies beside the days: when it was, what was looked at, how
    much was found, and the first of that in words."""

    day: date | None
    at: datetime
    recordings: int
    bytes: int
    findings: int
    first: tuple[str, ...] = ()

    @classmethod
    def of(cls, day: date | None, at: datetime, verified: Verified) -> "Look":
        found = verified.findings
        return cls(day, at, verified.recordings, verified.bytes, len(found), _in_words(found[:MOST_NAMED]))


def _in_words(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(f"{each.file}: {each.what}: {each.said}" for each in findings)


class Looks:
    """The files. Blocking: disk. Only the worker writes."""

    def __init__(self, vault_dir: Path) -> None:
        self._folder = vault_dir / FOLDER

    def all(self) -> dict[date | None, Look]:
        """The last look at each day; one that cannot be read is none."""
        found: dict[date | None, Look] = {}
        for path in self._folder.glob("*.json"):
            if path.name == NIGHT:
                continue
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                told = json.loads(path.read_bytes())
                day = date.fromisoformat(told["day"]) if told["day"] else None
                at, first = datetime.fromisoformat(told["at"]), tuple(map(str, told["first"]))
                found[day] = Look(day, at, int(told["recordings"]), int(told["bytes"]), int(told["findings"]), first)
        return found

    def keep(self, look: Look) -> None:
        """Keeps it in place of the look before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        told = asdict(look) | {"day": look.day and look.day.isoformat(), "at": look.at.isoformat()}
        write_whole(self._file(look.day), json.dumps(told).encode())

    def forget(self, day: date | None) -> None:
        self._file(day).unlink(missing_ok=True)

    def sum_up(self, verification: Verification) -> None:
        """Keeps how it all stands."""
        self._folder.mkdir(parents=True, exist_ok=True)
        told = asdict(verification) | {
            "since": verification.since.isoformat(),
            "at": verification.at and verification.at.isoformat(),
        }
        write_whole(self._folder / NIGHT, json.dumps(told).encode())

    def summed_up(self) -> Verification | None:
        """How it all stands; None before the worker's first start."""
        try:
            told = json.loads((self._folder / NIGHT).read_bytes())
            at = datetime.fromisoformat(told["at"]) if told["at"] else None
            times = {"since": datetime.fromisoformat(told["since"]), "at": at}
            return Verification(**told | times | {"first": tuple(map(str, told["first"]))})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _file(self, day: date | None) -> Path:
        return self._folder / f"{day.isoformat() if day else BESIDE}.json"


def verification(settings: Settings) -> Verification | None:
    """How the nightly looks stand; None where there are none, or none yet. Blocking: a small file."""
    return Looks(settings.vault_dir).summed_up() if settings.vault.verifies else None
