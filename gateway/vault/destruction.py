"""Destruction: the sound of a recording, its raw sound and its waveform are deleted, and a certificate of it takes
their place in the day's chain. Its manifest stays.

    .ID.destroyed.json.part ──> sound, waveform, raw sound deleted ──> ID.destroyed.json ──> chain

Counterparts: `worker.py` runs it, `gateway/destroying.py` says what is due. Killed after any step and asked again, it
goes on with the certificate that was begun, its time and its rule, where this vault signed it, it speaks of that
manifest, and the sound is gone. Sound that is there may have been kept for years since, by a hold: it is begun anew.
Whatever else lies in a certificate's place was put there by somebody: it is never signed.
"""

import hashlib
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.domain.recordings import Recording, State
from gateway.ports import Destroyed, Fate, Unsealable
from gateway.vault import manifest
from gateway.vault.chain import ChainBroken, Chains
from gateway.vault.folders import Place, fsync_folder, part_of
from gateway.vault.manifest import CERTIFICATE_FORMAT
from gateway.vault.plain_files import NotPlain, plain_file
from gateway.vault.sealing import Sealer, read_document, sha256_of_file
from gateway.vault.shelf import FileUnreadable, Shelf, ShelfAway
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

    def destroy(self, recording: Recording, rule: str, at: datetime) -> Destroyed:
        """Destroys it, or finds that it is destroyed. Of sound that was never sealed, and of what is lost with its
        manifest, the certificate tells what lay there. Raises Unsealable where nothing lies there though it is not
        lost, where its manifest was changed, and what `Sealer` may."""
        place = self._sealer.place(recording)
        try:
            self._chains.check(place.day)
            # also where a certificate lies there: it must never be signed while the sound of which it speaks is there
            if not place.manifest.exists() and (recording.seal is None or self._is_lost_for_good(recording, place)):
                digest = None
                self._delete_raw(place, recording, rule, at)
            else:
                document, digest = self._sealer.checked_manifest(place)
                self._delete(place, document, digest, rule, at)
            certificate = self._certificate(place, digest)
            if certificate is None:  # somebody was at it while the sound was deleted
                raise Unsealable("its certificate was changed while it was destroyed")
            entry = self._chains.add(place.day, place.certificate.name, certificate, self._clock())
            written = manifest.read(read_document(place.certificate), place.id, CERTIFICATE_FORMAT)
        except ChainBroken as error:
            raise Unsealable(str(error)) from error
        self._tell(f"certified as entry {entry.number}")
        return Destroyed(str(place.certificate.relative_to(place.root)), str(written.get("rule", rule)))

    def fate(self, recording: Recording) -> Fate:
        """What became of its stored sound: its destruction stands in its day's chain, or it is there, or not. Raises
        Unsealable where it is not, and a certificate lies there that does not stand in the chain, or the chain was
        changed: anybody may have put it there."""
        place, doubt = self._sealer.place(recording), ""
        try:
            if place.folder.is_dir() and self._chains.find(place.day, place.certificate.name) is not None:
                return Fate.DESTROYED
        except ChainBroken as error:
            doubt = str(error)
        for name in (place.stored(is_boxed=False), place.stored(is_boxed=True)):
            try:
                if self._is_there(name):
                    return Fate.THERE
            except ShelfAway:
                if not os.path.lexists(place.root / name):  # else a link lies there, or no file
                    return Fate.UNSEEN
        if not doubt and os.path.lexists(place.certificate):
            doubt = f"{place.certificate.name}, which lies there, does not stand in the chain of its day"
        if doubt:
            raise Unsealable(doubt)
        return Fate.GONE

    def _delete_raw(self, place: Place, recording: Recording, rule: str, at: datetime) -> None:
        is_certified = self._certificate(place, None, is_there=os.path.lexists(place.raw)) is not None
        if not is_certified and (os.path.lexists(place.raw) or not self._is_begun(place, None)):
            if recording.state is not State.LOST and not place.raw.exists():
                raise Unsealable("it is not sealed, and its raw sound is not there", is_lost=True)
            place.folder.mkdir(parents=True, exist_ok=True)
            document = manifest.of_unsealed(recording)
            certificate = manifest.certificate(document, None, _what_lies(place.raw), rule, at)
            self._sealer.written(place, place.certificate, certificate)
        self._tell("begun")
        for is_boxed in (False, True):  # where sealing was begun and never came to its end
            self._shelf.delete(place.stored(is_boxed=is_boxed))
        self._tell("sound deleted")
        self._finish(place, is_certified, place.part, part_of(place.manifest), place.waveform, place.raw)

    def _delete(self, place: Place, document: dict[str, Any], digest: str, rule: str, at: datetime) -> None:
        try:
            name = place.stored(is_boxed=document["stored"]["key"] is not None)
        except (KeyError, TypeError) as error:
            raise Unsealable(f"its manifest lacks {error}") from error
        is_there = self._is_there(name)
        is_certified = self._certificate(place, digest, is_there=is_there) is not None
        if not is_certified and (is_there or not self._is_begun(place, digest)):
            certificate = manifest.certificate(document, digest, _what(document), rule, at)
            self._sealer.written(place, place.certificate, certificate)
        self._tell("begun")
        self._shelf.delete(name)
        self._tell("sound deleted")
        self._finish(place, is_certified, place.part, place.waveform, place.raw)

    def _is_lost_for_good(self, recording: Recording, place: Place) -> bool:
        """Whether neither its stored sound is there nor what it was sealed with. Raises ShelfAway."""
        names = (place.stored(is_boxed=False), place.stored(is_boxed=True))
        return recording.state is State.LOST and not any(map(self._is_there, names))

    def _is_there(self, name: str) -> bool:
        """Whether that stored sound is. Raises ShelfAway where nobody can see it."""
        try:
            return self._shelf.size_bytes(name) is not None
        except FileUnreadable:
            return True  # whatever the disk makes of it

    def _finish(self, place: Place, is_certified: bool, *left: Path) -> None:
        """Deletes what is left beside the stored sound; then the certificate gets its name, unless it has."""
        for path in left:
            path.unlink(missing_ok=True)
        fsync_folder(place.folder)
        self._tell("all deleted")
        pending = part_of(place.certificate)
        if is_certified:
            pending.unlink(missing_ok=True)  # nobody's
        else:
            pending.replace(place.certificate)
            fsync_folder(place.folder)
        self._tell("certificate")

    def _certificate(self, place: Place, manifest_sha256: str | None, *, is_there: bool = False) -> str | None:
        """The SHA-256 of the certificate that has its name already; None where none has. What has that name and is none
        is set aside, and one that the chain does not know while the sound `is_there`: it may be of years ago."""
        path = place.certificate
        entry = self._chains.find(place.day, path.name) if place.folder.is_dir() else None
        if entry is not None:
            try:
                digest = sha256_of_file(path)
            except (FileNotFoundError, NotPlain):
                digest = None
            if digest != entry.sha256:
                raise Unsealable("its certificate is not the one that stands in the chain: it was changed")
            return entry.sha256
        if not is_there and (digest := self._ours(place, path, manifest_sha256)) is not None:
            return digest  # a crash came before the chain
        if os.path.lexists(path):
            self._sealer.foreign(place, path)
        return None

    def _is_begun(self, place: Place, manifest_sha256: str | None) -> bool:
        """Whether a certificate was written whole before a crash."""
        return self._ours(place, part_of(place.certificate), manifest_sha256) is not None

    def _ours(self, place: Place, lies_at: Path, manifest_sha256: str | None) -> str | None:
        """The SHA-256 of the certificate that lies there, where this vault wrote it about that manifest."""
        found = self._sealer.ours(place, place.certificate, lies_at, CERTIFICATE_FORMAT)
        if found is None or found.get("manifest") != manifest.named(place.id, manifest_sha256):
            return None
        return hashlib.sha256(manifest.write(found)).hexdigest()


def _what_lies(raw: Path) -> list[dict[str, Any]]:
    """What is destroyed of sound that was never sealed; nothing where nothing lies there."""
    try:
        with plain_file(raw) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return [{"file": raw.name, "bytes": file.tell(), "sha256": digest}]
    except FileNotFoundError:
        return []
    except NotPlain as error:
        raise Unsealable("its raw sound is no ordinary file: somebody put something in its place") from error


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
