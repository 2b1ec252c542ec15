"""What the bucket has besides the sound: copies of the manifests, certificates, waveforms and chains of the disk, so
that the bucket alone can be checked; and nothing of what was destroyed.

Counterpart: `moving.py`, which keeps one of these for as long as it runs.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from gateway.vault.bucket import BucketShelf
from gateway.vault.certificates import Certificates
from gateway.vault.chain import CHAIN, FILES
from gateway.vault.folders import without_ending
from gateway.vault.shelf import SOUND_ENDINGS, WAVEFORM, FileUnreadable, LocalShelf

MOST_KNOWN = 16


class Copies:
    """Blocking. A day's folder in the bucket is listed once, and known from then on by what is done to it here."""

    def __init__(self, root: Path, disk: LocalShelf, bucket: BucketShelf, certificates: Certificates) -> None:
        self._root, self._disk, self._bucket = root, disk, bucket
        self._certificates = certificates
        self._known: dict[str, dict[str, int]] = {}
        self._chains: dict[str, tuple[int, int]] = {}

    def copied(self, name: str, size_bytes: int) -> None:
        """That a sound lies in the bucket now."""
        self._there(name.rpartition("/")[0])[name] = size_bytes

    def forget(self, folder: str = "") -> None:
        """The folder is listed anew when it is needed; all of them, where none is named."""
        for known in (self._known, self._chains):
            if folder:
                known.pop(folder, None)
            else:
                known.clear()

    def clear_destroyed(self, folder: str) -> None:
        """Deletes what the chain says was destroyed, where a crash on its way left it in one place, or where the bucket
        has a copy. Raises ShelfAway."""
        gone = self._certificates.standing(folder)
        if not gone:
            return
        there = self._there(folder)
        for name in list(there):
            for ending in (*SOUND_ENDINGS, WAVEFORM):
                if name.endswith(ending) and name.rpartition("/")[2].removesuffix(ending) in gone:
                    self._bucket.delete(name)
                    there.pop(name, None)
        for each in list(self._disk.lying(folder)):
            if without_ending(each.name).rpartition("/")[2] in gone:
                self._disk.delete(each.name)

    def copy(self, folder: str) -> None:
        """Brings the copies up to date, the chain last. Raises ShelfAway; FileUnreadable once all others are."""
        there = self._there(folder)
        unread: FileUnreadable | None = None
        for path in self._files(folder, ".json"):
            name = f"{folder}/{path.name}"
            try:
                if there.get(name) != (size_bytes := path.lstat().st_size):
                    self._bucket.send(name, path, self._root)
                    there[name] = size_bytes
            except FileNotFoundError:
                continue
            except FileUnreadable as error:
                unread = unread or error
        self._copy_chain(folder)
        if unread is not None:
            raise unread

    def _copy_chain(self, folder: str) -> None:
        chain = self.chain(folder)
        if chain is None or self._chains.get(folder) == chain:
            return
        for path in (self._root / folder / name for name in FILES):
            if os.path.lexists(path):  # the chain of a day that has just begun has no head yet
                self._bucket.send(f"{folder}/{path.name}", path, self._root)
        self._chains[folder] = chain

    def chain(self, folder: str) -> tuple[int, int] | None:
        """What changes whenever something is added to the day's chain; None where there is none."""
        try:
            status = (self._root / folder / CHAIN).stat()
        except FileNotFoundError:
            return None
        return status.st_size, status.st_mtime_ns

    def _there(self, folder: str) -> dict[str, int]:
        if folder not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self.forget()
            self._known[folder] = {each.name: each.bytes for each in self._bucket.everything(folder)}
        return self._known[folder]

    def _files(self, folder: str, ending: str) -> Iterator[Path]:
        """Those that are plain files: a link would have what it leads to sent, such as a key."""
        for path in sorted((self._root / folder).glob(f"*{ending}")):
            if not path.name.startswith(".") and not path.is_symlink() and path.is_file():
                yield path
