"""Sealing: what becomes of a recording's raw sound when it is over, step by step, so that it can be killed after each
of them and asked again.

    raw ──> .ID.ogg.part, read back ──> ID.peaks.json ──> .ID.json.part, the plan ──> ID.ogg ──> ID.json ──> chain

Counterparts: `worker.py` runs it; `storing.py` makes the sound, `manifest.py` and `chain.py` write it down. The plan is
the manifest before it has its name: from there on nothing is converted twice, and the seal is the same whenever it is
finished. It is taken up again only where this vault signed it: anybody who may write to the folder can put one there.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.domain.recordings import Recording, State
from gateway.ports import Sealed, Unsealable
from gateway.vault import manifest, opus
from gateway.vault.chain import ChainBroken, Chains
from gateway.vault.folders import (
    LeavesTheVault,
    Place,
    fsync_folder,
    part_of,
    set_aside,
    write_durably,
    write_whole,
)
from gateway.vault.keys import KeyRing, SigningKey
from gateway.vault.manifest import NoManifest
from gateway.vault.plain_files import NotPlain, plain_file
from gateway.vault.shelf import NotThere, Shelf
from gateway.vault.sound_levels import waveform
from gateway.vault.storing import PIECE_BYTES, RawSound, Tell, store

log = logging.getLogger(__name__)

MOST_DOCUMENT_BYTES = 1024 * 1024
"""A manifest or a certificate has some 2,000: whatever is larger is none."""


def _say_nothing(_: str) -> None:
    return


class Sealer:
    """Seals and discards. Blocking throughout, for the one worker alone. Besides what each says, all may raise
    ShelfAway, KeyMissing and OSError, when nothing is the matter with the recording: it is asked again.

    `key` signs what is written down. `ring` is None where sound is not encrypted. `tell` hears the name of each step
    that is done."""

    def __init__(
        self,
        root: Path,
        *,
        shelf: Shelf,
        chains: Chains,
        key: SigningKey,
        ring: KeyRing | None,
        clock: Callable[[], datetime],
        tell: Tell = _say_nothing,
    ) -> None:
        self._root = root.resolve()
        self._shelf = shelf
        self._chains = chains
        self._key = key
        self._ring = ring
        self._clock = clock
        self._tell = tell

    def seal(self, recording: Recording) -> Sealed:
        """Seals it, or finds that it is sealed. The raw sound stays. Raises Unsealable."""
        place = self.place(recording)
        try:
            self._chains.check(place.day)
            if self._stands(place, place.certificate, manifest.CERTIFICATE_FORMAT):
                raise Unsealable("it was destroyed")
            if self._stands(place, place.manifest) and (found := self._manifest(place)) is not None:
                return self._finished(place, *found)
            plan = self._plan(place) or self._make(recording, place)
            return self._finish(place, plan)
        except ChainBroken as error:
            raise Unsealable(str(error)) from error

    def discard_raw(self, recording: Recording) -> None:
        """Deletes the raw sound of a sealed recording whose stored sound agrees with its seal, or the file of one
        that is empty or lost, if it has not one byte. Raises Unsealable."""
        place = self.place(recording)
        if recording.state in (State.EMPTY, State.LOST):
            _discard_empty(place)
            return
        seal = recording.seal
        if seal is None:
            raise Unsealable("it is not sealed")
        try:
            found = self._manifest(place)
            if found is None:
                raise Unsealable("its manifest is missing")
            document, digest = found
            # the time is left out: a database may keep it less exactly
            if replace(self._finished(place, document, digest).seal, sealed_at=seal.sealed_at) != seal:
                raise Unsealable("its manifest says otherwise than the seal that is kept of it")
        except ChainBroken as error:
            raise Unsealable(str(error)) from error
        try:
            with RawSound(place.raw, recording.channels):
                digest = sha256_of_file(place.raw)
        except Unsealable as error:
            if error.is_lost and not place.raw.exists():
                return  # it was discarded before
            raise Unsealable(str(error), is_sealed=True) from error
        except OSError as error:
            raise Unsealable(f"its raw sound cannot be read: {error.strerror}", is_sealed=True) from error
        if digest != seal.raw_sha256:
            said = "its raw sound is not the one that was sealed: it was changed, or written to, since"
            raise Unsealable(said, is_sealed=True)
        place.raw.unlink(missing_ok=True)
        fsync_folder(place.folder)
        self._tell("discarded")

    def place(self, recording: Recording) -> Place:
        """Where it lies. Raises Unsealable where that is not in the vault, or not under its own name."""
        try:
            place = Place.of(self._root, recording.file)
        except LeavesTheVault as error:
            raise Unsealable(str(error)) from error
        if place.id != recording.id:
            raise Unsealable(f"its sound is {recording.file}, which is another recording's name")
        return place

    def checked_manifest(self, place: Place) -> tuple[dict[str, Any], str]:
        """The manifest and its SHA-256: one that stands in the chain, or that this vault signed and no line speaks of,
        as where a new chain was begun since. Raises Unsealable where it is not sealed or changed."""
        found = self._manifest(place)
        if found is None:
            raise Unsealable("it is not sealed: its manifest is not there")
        document, digest = found
        entry = self._chains.find(place.day, place.manifest.name)
        is_its = entry is not None and entry.sha256 == digest
        if entry is None:
            is_its = manifest.is_signed(document, _relative(place, place.manifest), self._key.has_signed)
        if not is_its:
            raise Unsealable("its manifest is not the one that stands in the chain: it was changed")
        return document, digest

    def written(self, place: Place, path: Path, document: dict[str, Any]) -> dict[str, Any]:
        """The document, signed, with which that file's part is written, and durable."""
        document = manifest.signed(document, _relative(place, path), self._key.sign)
        write_durably(part_of(path), manifest.write(document))
        fsync_folder(place.folder)
        return document

    def ours(self, place: Place, path: Path, lies_at: Path, format_: str) -> dict[str, Any] | None:
        """The document that lies there to have that path's name; None where this vault never wrote it."""
        try:
            document = manifest.read(read_document(lies_at), place.id, format_)
        except (FileNotFoundError, NotPlain, NoManifest):
            return None
        return document if manifest.is_signed(document, _relative(place, path), self._key.has_signed) else None

    def foreign(self, place: Place, path: Path) -> None:
        """Sets aside what somebody else put in that place, and tells it."""
        name = set_aside(path)
        log.warning("foreign_file_set_aside", extra={"file": _relative(place, path), "now": name})

    def _stands(self, place: Place, path: Path, format_: str = manifest.MANIFEST_FORMAT) -> bool:
        """Whether the chain has that name, or this vault wrote what has it just before a crash. Anything else that lies
        there is set aside; a manifest only while there is raw sound to be sealed. Raises ChainBroken, Unsealable."""
        if not place.folder.is_dir():
            return False
        if self._chains.find(place.day, path.name) is not None or self.ours(place, path, path, format_) is not None:
            return True
        if not os.path.lexists(path):
            return False
        if path == place.manifest and not place.raw.exists():
            raise Unsealable("its manifest is not in the chain, and was not written by this vault")
        self.foreign(place, path)
        return False

    def _manifest(self, place: Place) -> tuple[dict[str, Any], str] | None:
        try:
            data = read_document(place.manifest)
            return manifest.read(data, place.id), hashlib.sha256(data).hexdigest()
        except FileNotFoundError:
            return None
        except (NotPlain, NoManifest) as error:
            raise Unsealable(f"its manifest was changed: {error}") from error

    def _finished(self, place: Place, document: dict[str, Any], digest: str) -> Sealed:
        """The seal that is there; where a crash came before the chain, the entry is added now."""
        entry = self._chains.find(place.day, place.manifest.name)
        if entry is not None and entry.sha256 != digest:
            raise Unsealable("its manifest is not the one that stands in the chain: it was changed")
        if entry is None and not manifest.is_signed(document, _relative(place, place.manifest), self._key.has_signed):
            raise Unsealable("its manifest is not in the chain, and was not written by this vault")
        try:
            name, stored = self._name(place, document), document["stored"]
            agrees = self._agrees(name, stored["bytes"], stored["sha256"])
            result = manifest.sealed(document, name, digest, entry.number if entry else 0)
        except (NoManifest, KeyError, TypeError) as error:
            raise Unsealable(f"its manifest was changed: {error}") from error
        if not agrees:
            raise Unsealable("its stored sound is missing, or not the one that its manifest speaks of")
        if entry is None:
            entry = self._chains.add(place.day, place.manifest.name, digest, self._clock())
            result = manifest.sealed(document, name, digest, entry.number)
        return result

    def _make(self, recording: Recording, place: Place) -> dict[str, Any]:
        """Converts it, and writes the plan."""
        self._key.public_pem()  # without it nothing could be signed: asked before anything is converted
        ffmpeg = opus.version()
        key = self._ring.newest(self._clock()) if self._ring else None
        name = place.stored(is_boxed=key is not None)
        try:
            with RawSound(place.raw, recording.channels) as raw:
                made = store(raw, recording.channels, place.part, name, key, recording.id, self._tell)
        except BaseException:
            place.part.unlink(missing_ok=True)
            raise
        peaks = waveform(recording.id, made.heard)
        write_whole(place.waveform, peaks)
        self._tell("waveform")
        document = manifest.manifest(
            recording,
            made.heard,
            made.stored,
            (place.waveform.name, hashlib.sha256(peaks).hexdigest()),
            self._clock(),
            ffmpeg,
        )
        document = self.written(place, place.manifest, document)
        self._tell("planned")
        return document

    def _plan(self, place: Place) -> dict[str, Any] | None:
        """What this vault planned before a crash, if all that it speaks of is there; None where it has to be made."""
        document = self.ours(place, place.manifest, part_of(place.manifest), manifest.MANIFEST_FORMAT)
        if document is None:
            return None
        try:
            stored, peaks = document["stored"], document["waveform"]
            is_there = _is_file_of(place.part, stored["sha256"]) or self._agrees(
                self._name(place, document), stored["bytes"], stored["sha256"]
            )
            fits = (
                is_there
                and _is_file_of(place.waveform, peaks["sha256"])
                and _is_file_of(place.raw, document["raw"]["sha256"])
            )
        except (KeyError, TypeError):
            return None
        return document if fits else None

    def _finish(self, place: Place, plan: dict[str, Any]) -> Sealed:
        name, stored = self._name(place, plan), plan["stored"]
        if _is_file_of(place.part, stored["sha256"]):
            self._shelf.put(name, place.part)
        place.part.unlink(missing_ok=True)  # what was put there since
        self._tell("stored")
        if not self._agrees(name, stored["bytes"], stored["sha256"]):
            raise Unsealable("what was stored of it does not read back as it was written")
        part = part_of(place.manifest)
        digest = hashlib.sha256(manifest.write(plan)).hexdigest()
        if not _is_file_of(part, digest):
            raise Unsealable("its manifest was changed while it was sealed")
        part.replace(place.manifest)
        fsync_folder(place.folder)
        self._tell("manifest")
        entry = self._chains.add(place.day, place.manifest.name, digest, self._clock())
        self._tell("chained")
        return manifest.sealed(plan, name, digest, entry.number)

    @staticmethod
    def _name(place: Place, document: dict[str, Any]) -> str:
        return place.stored(is_boxed=document["stored"]["key"] is not None)

    def _agrees(self, name: str, size_bytes: int, sha256: str) -> bool:
        """Whether that is what lies on the shelf under the name."""
        return self._shelf.size_bytes(name) == size_bytes and sha256_on(self._shelf, name, size_bytes) == sha256


def _discard_empty(place: Place) -> None:
    """Deletes a file that has not one byte. Raises Unsealable where it has."""
    if not place.raw.exists():
        return
    if place.raw.lstat().st_size:
        raise Unsealable("it is not empty: there is sound in its file")
    place.raw.unlink(missing_ok=True)
    fsync_folder(place.folder)


def sha256_on(shelf: Shelf, name: str, size_bytes: int, tell: Callable[[int], object] = lambda _: None) -> str:
    """The SHA-256 of what lies on the shelf, read piece by piece; of less than its size, where it ends earlier. `tell`
    hears how many bytes each piece had. May raise ShelfAway."""
    digest = hashlib.sha256()
    for start in range(0, size_bytes, 4 * PIECE_BYTES):
        try:
            piece = shelf.read(name, start, min(size_bytes, start + 4 * PIECE_BYTES))
        except NotThere:
            break
        digest.update(piece)
        tell(len(piece))
    return digest.hexdigest()


def read_document(path: Path) -> bytes:
    """A manifest's or certificate's file. Raises FileNotFoundError, NotPlain and NoManifest."""
    with plain_file(path) as file:
        data = file.read(MOST_DOCUMENT_BYTES + 1) or b""
    if len(data) > MOST_DOCUMENT_BYTES:
        raise NoManifest("it is larger than any")
    return data


def sha256_of_file(path: Path) -> str:
    """Raises FileNotFoundError, NotPlain, OSError."""
    with plain_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_file_of(path: Path, sha256: str) -> bool:
    try:
        return sha256_of_file(path) == sha256
    except (FileNotFoundError, NotPlain):
        return False


def _relative(place: Place, path: Path) -> str:
    return path.relative_to(place.root).as_posix()
