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
from gateway.vault.chain import CHAIN, HEAD, SIGNATURE, UNREADABLE_LINE
from gateway.vault.folders import CERTIFICATE, MANIFEST, part_of, without_ending
from gateway.vault.keys import is_signed
from gateway.vault.manifest import CERTIFICATE_FORMAT, NoManifest
from gateway.vault.plain_files import read_plain
from gateway.vault.sealing import read_document
from gateway.vault.tracing import trace


class Certificates:
    """Those in the recordings' folder. `public_pems` are the keys that may have signed them. Blocking: disk."""

    def __init__(self, root: Path, public_pems: Callable[[], Sequence[bytes]]) -> None:
        self._root = root
        self._public_pems = public_pems

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
        files = self._chained(folder)
        return frozenset(each.removesuffix(CERTIFICATE) for each in files if each.endswith(CERTIFICATE))

    def manifest(self, name: str) -> dict[str, Any] | None:
        """The manifest of that stored sound, where this vault wrote it: it signed it, or it stands in the day's signed
        chain. None where there is none that can be believed."""
        file = f"{without_ending(name)}{MANIFEST}"
        folder, _, own = file.rpartition("/")
        try:
            data = read_document(self._root / file)
            document = manifest.read(data, own.removesuffix(MANIFEST))
        except (OSError, NoManifest):
            return None
        is_ours = manifest.is_signed(document, file, self._is_signed)
        return document if is_ours or self._chained(folder).get(own) == hashlib.sha256(data).hexdigest() else None

    def _chained(self, folder: str) -> Mapping[str, str]:
        """What stands in the day's chain as it was signed, with its hashes; nothing where the chain was changed."""
        where = self._root / folder
        try:
            head, signature = read_plain(where / HEAD), read_plain(where / SIGNATURE)
            if not self._is_signed(head, signature):
                return {}
            told = json.loads(head)
            if date.fromisoformat(told["day"]) != date(*map(int, folder.split("/"))):
                return {}
            signed = (int(told["entries"]), str(told["last"]))
            traced = trace(read_plain(where / CHAIN).splitlines(keepends=True), signed)
        except (OSError, *UNREADABLE_LINE):
            return {}
        return {} if traced.changed or traced.removed else traced.files

    def _is_ours(self, lies_at: Path, name: str) -> bool:
        try:
            data = read_document(lies_at)
            document = manifest.read(data, Path(name).name.removesuffix(CERTIFICATE), CERTIFICATE_FORMAT)
        except (OSError, NoManifest):
            return False
        return manifest.is_signed(document, name, self._is_signed)

    def _is_signed(self, text: bytes, signature: bytes) -> bool:
        return any(is_signed(text, signature, each) for each in self._public_pems())
