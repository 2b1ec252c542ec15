"""Destruction: the sound of a recording, its raw sound and its waveform are deleted, and a certificate of it takes
their place in the day's chain. Its manifest stays.

    .ID.destroyed.json.part ──> sound, waveform, raw sound deleted ──> ID.destroyed.json ──> chain

Counterparts: `worker.py` runs it, `gateway/destroying.py` says what is due. Killed after any step and asked again, it
goes on with the certificate that was begun, and its time.
"""

import hashlib
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.domain.recordings import Recording, State
from gateway.ports import Unsealable
from gateway.vault import manifest
from gateway.vault.chain import ChainBroken, Chains
from gateway.vault.folders import Place, fsync_folder, part_of, write_durably
from gateway.vault.manifest import CERTIFICATE_FORMAT, NoManifest
from gateway.vault.sealing import Sealer
from gateway.vault.shelf import Shelf
from gateway.vault.storing import Tell


class Destroyer:
    """Destroys. Blocking, for the one worker alone."""

    def __init__(
        self, sealer: Sealer, *, shelf: Shelf, chains: Chains, clock: Callable[[], datetime], tell: Tell
    ) -> None:
        self._sealer = sealer
        self._shelf = shelf
        self._chains = chains
        self._clock = clock
        self._tell = tell

    def destroy(self, recording: Recording, rule: str, at: datetime) -> str:
        """Destroys it, or finds that it is destroyed. Returns the certificate's name, relative to the recordings'
        folder. Of sound that was never sealed the certificate tells what lay there. Raises Unsealable where nothing
        lies there though it is not lost, where its manifest was changed, and what `Sealer` may."""
        place = self._sealer.place(recording)
        try:
            self._chains.check(place.day)
            # also where a certificate lies there: it must never be signed while the sound of which it speaks is there
            if recording.seal is None and not place.manifest.exists():
                self._delete_raw(place, recording, rule, at)
            else:
                document, digest, _ = self._sealer.checked_manifest(place)
                self._delete(place, document, digest, rule, at)
            entry = self._chains.add(place.day, place.certificate.name, self._clock())
        except ChainBroken as error:
            raise Unsealable(str(error)) from error
        self._tell(f"certified as entry {entry.number}")
        return str(place.certificate.relative_to(place.root))

    def _delete_raw(self, place: Place, recording: Recording, rule: str, at: datetime) -> None:
        pending = part_of(place.certificate)
        if not self._is_begun(place) and not place.certificate.exists():
            if recording.state is not State.LOST and not place.raw.exists():
                raise Unsealable("it is not sealed, and its raw sound is not there", is_lost=True)
            place.folder.mkdir(parents=True, exist_ok=True)
            document = manifest.of_unsealed(recording)
            certificate = manifest.certificate(document, None, _what_lies(place.raw), rule, at)
            write_durably(pending, manifest.write(certificate))
            fsync_folder(place.folder)
        self._tell("begun")
        for is_boxed in (False, True):  # where sealing was begun and never came to its end
            self._shelf.delete(place.stored(is_boxed=is_boxed))
        self._tell("sound deleted")
        self._finish(place, place.part, part_of(place.manifest), place.waveform, place.raw)

    def _delete(self, place: Place, document: dict[str, Any], digest: str, rule: str, at: datetime) -> None:
        pending = part_of(place.certificate)
        if not self._is_begun(place) and not place.certificate.exists():
            certificate = manifest.certificate(document, digest, _what(document), rule, at)
            write_durably(pending, manifest.write(certificate))
            fsync_folder(place.folder)
        self._tell("begun")
        try:
            name = place.stored(is_boxed=document["stored"]["key"] is not None)
        except (KeyError, TypeError) as error:
            raise Unsealable(f"its manifest lacks {error}") from error
        self._shelf.delete(name)
        self._tell("sound deleted")
        self._finish(place, place.part, place.waveform, place.raw)

    def _finish(self, place: Place, *left: Path) -> None:
        """Deletes what is left beside the stored sound; then the certificate gets its name."""
        for path in left:
            path.unlink(missing_ok=True)
        fsync_folder(place.folder)
        self._tell("all deleted")
        pending = part_of(place.certificate)
        if pending.exists():
            pending.replace(place.certificate)
            fsync_folder(place.folder)
        self._tell("certificate")

    @staticmethod
    def _is_begun(place: Place) -> bool:
        """Whether a certificate was written whole before a crash."""
        try:
            manifest.read(part_of(place.certificate).read_bytes(), place.id, CERTIFICATE_FORMAT)
        except (FileNotFoundError, NoManifest):
            return False
        return True


def _what_lies(raw: Path) -> list[dict[str, Any]]:
    """What is destroyed of sound that was never sealed; nothing where nothing lies there."""
    try:
        with os.fdopen(os.open(raw, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return [{"file": raw.name, "bytes": file.tell(), "sha256": digest}]
    except FileNotFoundError:
        return []


def _what(document: dict[str, Any]) -> list[dict[str, Any]]:
    """What is destroyed, as the manifest knows it: the stored sound, its waveform, the raw sound."""
    try:
        stored, peaks, raw = document["stored"], document["waveform"], document["raw"]
        return [
            {"file": stored["file"], "bytes": stored["bytes"], "sha256": stored["sha256"]},
            {"file": peaks["file"], "sha256": peaks["sha256"]},
            {"file": raw["file"], "bytes": raw["bytes"], "sha256": raw["sha256"]},
        ]
    except (KeyError, TypeError) as error:
        raise Unsealable(f"its manifest lacks {error}") from error
