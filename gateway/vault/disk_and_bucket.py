"""The shelf where a bucket is named: new sound goes to the disk, and what is asked for is found in either place.

Counterparts: `sealing.py` and `destruction.py` never wait for a bucket to take sound in; `moving.py` brings it there
afterwards, under the same name. So a manifest, and the chain that it stands in, hold wherever the sound lies.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.ports import ALL, Part
from gateway.settings import Settings
from gateway.vault.folders import without_ending, write_whole
from gateway.vault.shelf import WAVEFORM, FolderUnreadable, Lying, NotThere, Shelf, ShelfAway

LISTED_AGAIN_S = 30.0


class DiskAndBucket:
    """Both, as one shelf. What is on the disk is taken from there. Raises ShelfAway where the bucket would have to be
    asked and does not answer: what cannot be asked for is never told to be missing, or to be deleted.

    The disk is asked again after the bucket, for what comes back from there in between."""

    def __init__(self, disk: Shelf, bucket: Shelf) -> None:
        self._disk, self._bucket = disk, bucket
        self._not_listed: tuple[float, str] = (0.0, "")
        """Until when the bucket is not asked for a list again, by the clock that never leaps, and why."""

    def put(self, name: str, file: Path) -> None:
        self._disk.put(name, file)

    def size_bytes(self, name: str) -> int | None:
        for place in (self._disk, self._bucket, self._disk):
            if (size_bytes := place.size_bytes(name)) is not None:
                return size_bytes
        return None

    def version(self, name: str) -> str | None:
        for place in (self._disk, self._bucket, self._disk):
            if (version := place.version(name)) is not None:
                return version
        return None

    def is_near(self, name: str) -> bool:
        return self._disk.is_near(name)

    def read(self, name: str, start: int, stop: int) -> bytes:
        for place in (self._disk, self._bucket):
            with contextlib.suppress(NotThere):
                return place.read(name, start, stop)
        return self._disk.read(name, start, stop)

    def delete(self, name: str) -> None:
        # in this order: whoever is bringing it to the bucket now sees that it is gone, and takes it back from there;
        # and what was brought back from there just before is deleted then
        self._disk.delete(name)
        self._bucket.delete(name)
        self._bucket.delete(f"{without_ending(name)}{WAVEFORM}")  # of which it has a copy
        self._disk.delete(name)

    def lying(self, folder: str, part: Part = ALL) -> Iterator[Lying]:
        until, why = self._not_listed
        if time.monotonic() < until:
            raise ShelfAway(why)  # a year of days is not waited for one by one
        found: dict[str, Lying] = {}
        try:
            for place in (self._disk, self._bucket, self._disk):
                found = {each.name: each for each in place.lying(folder, part)} | found
        except FolderUnreadable:
            raise
        except ShelfAway as error:
            self._not_listed = time.monotonic() + LISTED_AGAIN_S, str(error)
            raise
        for name in sorted(found):
            yield found[name]


class BucketNotNamed:
    """Stands for a bucket that has sound of this vault, and that the settings do not name any more."""

    def __init__(self, why: str) -> None:
        self._why = why

    def put(self, name: str, file: Path) -> None:
        raise ShelfAway(self._why)

    def size_bytes(self, name: str) -> int | None:
        raise ShelfAway(self._why)

    def version(self, name: str) -> str | None:
        raise ShelfAway(self._why)

    def is_near(self, _name: str) -> bool:
        return False

    def read(self, name: str, start: int, stop: int) -> bytes:
        raise ShelfAway(self._why)

    def delete(self, name: str) -> None:
        raise ShelfAway(self._why)

    def lying(self, folder: str, part: Part = ALL) -> Iterator[Lying]:
        raise ShelfAway(self._why)


class BucketInUse:
    """Which bucket has sound of this vault, as a file in `var/vault` remembers it: from before the first sound is moved
    there until the last one is back."""

    def __init__(self, settings: Settings) -> None:
        self._file = settings.vault_dir / "bucket-in-use.json"

    def name(self) -> str | None:
        """Raises ShelfAway where the file is there and cannot be read."""
        try:
            return str(json.loads(self._file.read_bytes())["bucket"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ShelfAway(f"{self._file} cannot be read: {error}") from error

    def check(self, place: str) -> bool:
        """Whether that one is in use; it is not yet where none is. Raises ShelfAway where it is another one."""
        if (known := self.name()) in (None, place):
            return known is not None
        raise ShelfAway(
            f"sound lies in {known}, and [vault] names {place}. Remedy: name {known} again, with "
            f'vault.keep_in = "disk", until all is back; or see that all of it is in {place}, and delete {self._file}'
        )

    def remember(self, place: str) -> None:
        """Raises ShelfAway where it cannot be written."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._file, json.dumps({"bucket": place}).encode())
        except OSError as error:
            raise ShelfAway(f"{self._file} cannot be written: {error.strerror}") from error

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)


def with_bucket(settings: Settings, disk: Shelf) -> Shelf:
    """The shelf that the settings name: the disk alone, or with a bucket."""
    vault = settings.vault
    try:
        in_use = BucketInUse(settings).name()
    except ShelfAway as error:
        return DiskAndBucket(disk, BucketNotNamed(str(error)))
    if in_use is not None and in_use != vault.place:
        return DiskAndBucket(
            disk,
            BucketNotNamed(
                f"it may lie in {in_use}, where sound was moved to, and which [vault] does not name any more. "
                f'Remedy: name it again; with vault.keep_in = "disk" its sound comes back, and then it can be left out'
            ),
        )
    if not vault.bucket:
        return disk
    from gateway.vault.bucket import BucketShelf  # its library is for those who have a bucket

    return DiskAndBucket(disk, BucketShelf(vault))
