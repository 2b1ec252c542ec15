"""What was signed here last, of each day: kept apart from the recordings, in `var/vault/heads/`, one small file a day.
An older copy of a day is as well signed as the newest one; only this tells the two from each other.

Counterparts: `chain.py` keeps a head as soon as it is in place, and adds to no day that is behind it; `verify.py` names
what is missing, behind or other. Whoever may write to the recordings' folder has no business in `var/vault/`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from gateway.vault.folders import fsync_folder, part_of, write_whole

FOLDER = "heads"


class HeadUnreadable(Exception):
    """What is kept of a day cannot be read; the message says which file, and what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A day's head as it was signed last: how many lines its chain had and the last one's hash, and which day's line
    its first one follows (None where it was the first day)."""

    day: date
    entries: int
    last: str
    previous_day: str | None
    previous: str


class Heads:
    """What is kept, in `var/vault/`. Blocking: disk. Only the worker writes."""

    def __init__(self, vault_dir: Path) -> None:
        self._folder = vault_dir / FOLDER

    @property
    def is_there(self) -> bool:
        """Whether anything is kept here: not of an older vault, and not beside a copy of the recordings alone."""
        return self._folder.is_dir()

    def file(self, day: date) -> Path:
        return self._folder / f"{day.isoformat()}.json"

    def days(self) -> set[date]:
        """The days of which something is kept."""
        found = set()
        for path in self._folder.glob("[0-9]*.json"):
            try:
                found.add(date.fromisoformat(path.stem))
            except ValueError:
                continue
        return found

    def of(self, day: date) -> Kept | None:
        """What is kept of the day. Raises HeadUnreadable."""
        file = self.file(day)
        try:
            told = json.loads(file.read_bytes())
            before = told["previous_day"]
            return Kept(
                day,
                int(told["entries"]),
                str(told["last"]),
                None if before is None else str(before),
                str(told["previous"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HeadUnreadable(
                f"{file}, which says what was signed last of that day, cannot be read ({error!r}). Remedy: put it back "
                f"from the backup"
            ) from error

    def keep(self, kept: Kept) -> None:
        """Keeps it in place of what was kept of that day. It is on the disk when this returns."""
        write_whole(self.file(kept.day), _text(kept))

    def begin(self, kept: Iterable[Kept]) -> None:
        """Begins with all of that, whole or not at all."""
        part = part_of(self._folder)
        part.mkdir(parents=True, exist_ok=True)
        for each in kept:
            write_whole(part / self.file(each.day).name, _text(each))
        part.replace(self._folder)
        fsync_folder(self._folder.parent)


def _text(kept: Kept) -> bytes:
    document = {
        "day": kept.day.isoformat(),
        "entries": kept.entries,
        "last": kept.last,
        "previous_day": kept.previous_day,
        "previous": kept.previous,
    }
    return (json.dumps(document) + "\n").encode()
