"""Certificates of destruction, and manifests, as those read them who do not write them: a file of that name proves
nothing, for anybody who may write to the recordings' folder can put one there.

Counterparts: `destruction.py` writes them; `moving.py`, `copies.py`, `listing.py` and the backup ask what is destroyed.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from gateway.vault import manifest
from gateway.vault.chain import CHAIN, FILES, HEAD, SIGNATURE, UNREADABLE_LINE
from gateway.vault.folders import CERTIFICATE, MANIFEST, part_of, without_ending
from gateway.vault.keys import is_signed
from gateway.vault.manifest import CERTIFICATE_FORMAT, NoManifest
from gateway.vault.plain_files import NotPlain, read_plain
from gateway.vault.sealing import read_document
from gateway.vault.tracing import trace

_Look = tuple[int, ...] | None
_State = tuple[str, list[_Look], list[bytes]]
"""The day, how the files of its chain were, and which keys there were."""


class Certificates:
    """Those in the recordings' folder. `public_pems` are the keys that may have signed them. Blocking: disk."""

    def __init__(self, root: Path, public_pems: Callable[[], Sequence[bytes]]) -> None:
        self._root = root
        self._public_pems = public_pems
        self._known: tuple[_State, Mapping[str, str] | None] | None = None
        """What stands in the chain that was traced last, and what it was then."""

    def have_begun(self, name: str) -> bool:
        """Whether this vault began to destroy that stored sound: a certificate that it signed lies there, under its
        name or under that which it is written by. What a hold stopped then is there still."""
        certificate = f"{without_ending(name)}{CERTIFICATE}"
        path = self._root / certificate
        return any(self._is_ours(lies_at, certificate) for lies_at in (path, part_of(path)))

    def standing(self, folder: str) -> frozenset[str]:
        """The ids of the recordings whose destruction stands in the day's signed chain: it is done. Of a chain that
        somebody changed, or that is signed at this moment, nothing is believed."""
        if next((self._root / folder).glob(f"*{CERTIFICATE}"), None) is None:
            return frozenset()
        try:
            files = self._chained(folder) or {}
        except OSError:
            return frozenset()
        return frozenset(each.removesuffix(CERTIFICATE) for each in files if each.endswith(CERTIFICATE))

    def manifest(self, name: str) -> dict[str, Any] | None:
        """The manifest of that stored sound, where this vault wrote it: it stands in the day's signed chain, or no line
        there speaks of it and this vault signed it. None where there is none that can be believed, as where somebody
        changed the chain. Raises OSError where the disk does not give that."""
        file = f"{without_ending(name)}{MANIFEST}"
        folder, _, own = file.rpartition("/")
        try:
            data = read_document(self._root / file)
            document = manifest.read(data, own.removesuffix(MANIFEST))
        except (OSError, NoManifest):
            return None
        sha256 = hashlib.sha256(data).hexdigest()
        if self._has_stood(folder, own, sha256):
            return document
        if (chained := self._chained(folder)) is None:
            return None
        if own in chained:
            return document if chained[own] == sha256 else None
        return document if manifest.is_signed(document, file, self._is_signed) else None

    def _has_stood(self, folder: str, file: str, sha256: str) -> bool:
        """Whether it stood in that day's chain when it was traced last: nothing that was signed is taken back, and a
        chain to which calls of now are added is not traced anew for each that was there."""
        state, files = self._known or (None, None)
        return state is not None and state[0] == folder and files is not None and files.get(file) == sha256

    def _chained(self, folder: str) -> Mapping[str, str] | None:
        """What stands in the day's chain as it was signed, with its hashes; nothing where there is no chain, and None
        where it was changed. A long day's is asked for with each recording: it is traced once, until it or a key is
        another one. Raises OSError where the disk does not give it."""
        looks = [_look(self._root / folder / name) for name in FILES]
        if not any(looks):
            return {}
        state = folder, looks, list(self._public_pems())
        if self._known is None or self._known[0] != state:
            self._known = state, self._traced(folder)
        return self._known[1]

    def _traced(self, folder: str) -> Mapping[str, str] | None:
        where = self._root / folder
        try:
            head, signature = read_plain(where / HEAD), read_plain(where / SIGNATURE)
            if not self._is_signed(head, signature):
                return None
            told = json.loads(head)
            if date.fromisoformat(told["day"]) != date(*map(int, folder.split("/"))):
                return None
            signed = (int(told["entries"]), str(told["last"]))
            traced = trace(read_plain(where / CHAIN).splitlines(keepends=True), signed)
        except (FileNotFoundError, NotPlain, *UNREADABLE_LINE):
            return None
        return None if traced.changed or traced.removed else traced.files

    def _is_ours(self, lies_at: Path, name: str) -> bool:
        try:
            data = read_document(lies_at)
            document = manifest.read(data, Path(name).name.removesuffix(CERTIFICATE), CERTIFICATE_FORMAT)
        except (OSError, NoManifest):
            return False
        return manifest.is_signed(document, name, self._is_signed)

    def _is_signed(self, text: bytes, signature: bytes) -> bool:
        return any(is_signed(text, signature, each) for each in self._public_pems())


def _look(file: Path) -> _Look:
    """What is another one as soon as the file is; None where it is not there."""
    try:
        status = file.lstat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
