"""What lies in the recordings' folder: every file of sound, raw or sealed, and what a crash left half made.

Counterparts: `worker.py` answers with it; `gateway/evidence.py` settles what belongs to nothing.
"""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.ports import LyingFile
from gateway.vault.folders import RAW_ENDINGS, days, folder_of
from gateway.vault.shelf import SOUND_ENDINGS, Shelf


def lying_files(root: Path, shelf: Shelf, since: datetime, until: datetime) -> Iterator[LyingFile]:
    """The sound in the folders of those days (UTC), the oldest day first. Blocking; may raise ShelfAway, OSError."""
    for day in days(root, since.astimezone(UTC).date(), until.astimezone(UTC).date()):
        folder = folder_of(day)
        for each in shelf.lying(folder):
            name = each.name.rpartition("/")[2]
            found_id = name.removesuffix(next(ending for ending in reversed(SOUND_ENDINGS) if name.endswith(ending)))
            is_sealed = (root / folder / f"{found_id}.json").exists()
            yield LyingFile(found_id, each.name, each.bytes, each.changed_at, is_sealed)
        for path in sorted((root / folder).iterdir()):
            if path.suffix not in RAW_ENDINGS or path.name.startswith("."):
                continue
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue  # discarded meanwhile
            if stat.S_ISREG(status.st_mode):
                changed_at = datetime.fromtimestamp(status.st_mtime, UTC)
                yield LyingFile(path.stem, f"{folder}/{path.name}", status.st_size, changed_at, is_sealed=False)


def clear_parts(root: Path, since: datetime, until: datetime) -> int:
    """Deletes half-made sound that no plan speaks of any more. Returns how many files. The worker alone may, between
    jobs: while one runs, its own lies there."""
    cleared = 0
    for day in days(root, since.astimezone(UTC).date(), until.astimezone(UTC).date()):
        for part in (root / folder_of(day)).glob(".*.ogg.part"):
            found_id = part.name.removeprefix(".").removesuffix(".ogg.part")
            if not part.with_name(f".{found_id}.json.part").exists():
                part.unlink(missing_ok=True)
                cleared += 1
    return cleared
