"""What the looks at the vault came to, in `var/vault/verified/`: one small file of each day, one of what lies beside
the days, and `night.json`, which sums them up.

Counterparts: `nightly.py` writes them; the alarms, `/v1/health` and the doctor read `night.json`.
"""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

from gateway.domain.evidence import Verification
from gateway.settings import Settings
from gateway.vault.findings import Finding, Verified, What
from gateway.vault.folders import write_whole

FOLDER, NIGHT, BESIDE = "verified", "night.json", "beside"
_TIMES = ("at", "begun_at", "found_at")
MOST_NAMED = 100
"""So many findings of a day are kept in words."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a whole day, or (`day` is None) at what lies beside the days: when it was, what was looked at, how
    much was found, and the first of that in words. `same_since` is since when each look found the same, by `mark`."""

    day: date | None
    at: datetime
    recordings: int
    bytes: int
    findings: int
    same_since: datetime
    mark: str = ""
    first: tuple[str, ...] = ()

    @classmethod
    def of(cls, day: date | None, at: datetime, verified: Verified, before: "Look | None") -> "Look":
        """`before` is the look at that day before this one."""
        found, mark = verified.findings, _mark(verified.findings)
        same_since = min(at, before.same_since) if before is not None and before.mark == mark else at
        words = _in_words(found[:MOST_NAMED])
        return cls(day, at, verified.recordings, verified.bytes, len(found), same_since, mark, words)


def _mark(findings: Sequence[Finding]) -> str:
    """Other findings have another one. Why a file cannot be read may be said otherwise each time."""
    each_one = {(each.file, each.what, "" if each.what is What.UNREADABLE else each.said) for each in findings}
    return hashlib.sha256(json.dumps(sorted(each_one)).encode()).hexdigest()


def _iso(time: date) -> str:
    return time.isoformat()


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
                at, same_since = (datetime.fromisoformat(told[each]) for each in ("at", "same_since"))
                recordings, size_bytes, findings = (int(told[each]) for each in ("recordings", "bytes", "findings"))
                mark, first = str(told["mark"]), tuple(map(str, told["first"]))
                found[day] = Look(day, at, recordings, size_bytes, findings, same_since, mark, first)
        return found

    def keep(self, look: Look) -> None:
        """Keeps it in place of the look before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._file(look.day), json.dumps(asdict(look), default=_iso).encode())

    def forget(self, day: date | None) -> None:
        self._file(day).unlink(missing_ok=True)

    def sum_up(self, verification: Verification) -> None:
        """Keeps how it all stands."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._folder / NIGHT, json.dumps(asdict(verification), default=_iso).encode())

    def summed_up(self) -> Verification | None:
        """How it all stands; None before the worker's first start."""
        try:
            told = json.loads((self._folder / NIGHT).read_bytes())
            since = datetime.fromisoformat(told["since"])
            times = {each: datetime.fromisoformat(told[each]) for each in _TIMES if told.get(each)}
            return Verification(**told | {"since": since} | times | {"first": tuple(map(str, told["first"]))})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _file(self, day: date | None) -> Path:
        return self._folder / f"{day.isoformat() if day else BESIDE}.json"


def verification(settings: Settings) -> Verification | None:
    """How the nightly looks stand; None where there are none, or none yet. Blocking: a small file."""
    return Looks(settings.vault_dir).summed_up() if settings.vault.verifies else None
