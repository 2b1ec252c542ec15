"""What lies in the recordings' folder: every file of sound, raw or sealed, and what a crash left half made.

Counterparts: `worker.py` answers with it; `gateway/recovery.py` settles what belongs to nothing.
"""

import contextlib
import logging
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.ports import ALL, LyingFile, Part, Unsealable
from gateway.vault import manifest
from gateway.vault.certificates import Certificates
from gateway.vault.folders import LINKED, RAW_ENDINGS, days, folder_of, linked_days
from gateway.vault.manifest import NoManifest
from gateway.vault.plain_files import read_plain
from gateway.vault.shelf import Lying, Shelf, ShelfAway, recording_of

log = logging.getLogger(__name__)


def lying_files(
    root: Path,
    shelf: Shelf,
    certificates: Certificates,
    since: datetime,
    until: datetime,
    part: Part = ALL,
    *,
    are_seen: bool = False,
) -> Iterator[LyingFile]:
    """That part of the sound in the folders of those days (UTC), the oldest day first. Where sound lies in a bucket
    that does not answer, it is taken to be there as its manifests say; `are_seen` raises ShelfAway then. Blocking; may
    raise OSError, and Unsealable where one of the folders cannot be read: then nobody knows what lies there."""
    first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
    if (linked := next(linked_days(root, first, last), None)) is not None:
        raise Unsealable(f"the folder {folder_of(linked)} is none of the vault's: {LINKED}")
    for day in days(root, first, last):
        folder = folder_of(day)
        try:
            raw = sorted(_raw_in(root / folder, part))
        except OSError as error:
            raise Unsealable(f"the folder {folder} cannot be read: {error.strerror}. Remedy: see whose it is") from None
        sealed = list(shelf.lying(folder, part)) if are_seen else _sealed(root, shelf, certificates, folder, part)
        for each in sealed:
            found_id = recording_of(each.name)
            is_sealed = (root / folder / f"{found_id}.json").exists()
            yield LyingFile(found_id, each.name, each.bytes, each.changed_at, is_sealed)
        for path in raw:
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue  # discarded meanwhile
            if stat.S_ISREG(status.st_mode):
                changed_at = datetime.fromtimestamp(status.st_mtime, UTC)
                yield LyingFile(path.stem, f"{folder}/{path.name}", status.st_size, changed_at, is_sealed=False)


def _sealed(root: Path, shelf: Shelf, certificates: Certificates, folder: str, part: Part) -> list[Lying]:
    try:
        return list(shelf.lying(folder, part))
    except ShelfAway as error:
        log.warning("shelf_not_listed", extra={"folder": folder, "reason": str(error)})
        return list(_as_manifests_say(root, certificates, folder, part))


def _raw_in(folder: Path, part: Part) -> list[Path]:
    """The files of raw sound of that part. A folder has many of others, of which nothing is kept in memory."""
    with os.scandir(folder) as there:
        names = [each.name for each in there if each.name.endswith(RAW_ENDINGS) and not each.name.startswith(".")]
    return [path for path in map(folder.joinpath, names) if part.holds(path.stem)]


def _as_manifests_say(root: Path, certificates: Certificates, folder: str, part: Part) -> Iterator[Lying]:
    """What is sealed, and not destroyed. What was only begun to be may lie there still: a hold may have stopped it."""
    destroyed = certificates.standing(folder)
    for path in sorted((root / folder).glob("*.json")):
        if path.stem in destroyed or not part.holds(path.stem):
            continue
        with contextlib.suppress(NoManifest, OSError, KeyError, TypeError):
            stored = manifest.read(read_plain(path), path.stem)["stored"]
            changed_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            yield Lying(f"{folder}/{stored['file']}", int(stored["bytes"]), changed_at)


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
