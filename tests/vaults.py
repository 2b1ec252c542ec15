"""A vault of the test's own, in this process: it destroys files and writes certificates as the true one does, without
its worker.

Counterpart: `gateway/vault/`; what the worker itself does is shown in `tests/vault/`.
"""

import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.api.exports import Source
from gateway.domain.recordings import Recording, Seal, State
from gateway.ports import ALL, Destroyed, Fate, LyingFile, Part, Sealed, Unsealable, VaultAway
from gateway.vault.recordings import NoRecording


class OwnVault:
    """`refuses` names recordings that cannot be destroyed, with the reason; `is_away` makes it silent, `is_unlisted`
    has it not see what lies in its bucket; `meanwhile` is awaited with each recording before it is destroyed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.refuses: dict[str, str] = {}
        self.is_away = self.is_unlisted = False
        self.meanwhile: Callable[[Recording], Awaitable[None]] | None = None
        self.destroyed: list[tuple[str, str]] = []

    async def seal(self, recording: Recording) -> Sealed:
        raise NotImplementedError

    async def discard_raw(self, recordings: Sequence[Recording]) -> Mapping[str, Unsealable]:
        raise NotImplementedError

    async def destroy(self, recording: Recording, rule: str, at: datetime) -> Destroyed:
        if self.is_away:
            raise VaultAway("nobody listens")
        if recording.id in self.refuses:
            raise Unsealable(self.refuses[recording.id])
        if self.meanwhile:
            await self.meanwhile(recording)
        folder = (self.root / recording.file).parent
        certificate = folder / f"{recording.id}.destroyed.json"
        for name in (recording.file, f"{recording.file.rpartition('.')[0]}.ogg"):
            (self.root / name).unlink(missing_ok=True)
        if not certificate.exists():
            told = {"recording": recording.id, "rule": rule, "destroyed_at": at.isoformat()}
            certificate.write_text(json.dumps(told))
        self.destroyed.append((recording.id, rule))
        rule = json.loads(certificate.read_text())["rule"]
        return Destroyed(str(certificate.relative_to(self.root)), rule)

    async def fate(self, recording: Recording) -> Fate:
        raise NotImplementedError

    async def files(
        self, since: datetime, until: datetime, part: Part = ALL, *, are_seen: bool = False
    ) -> list[LyingFile]:
        if self.is_away or (are_seen and self.is_unlisted):
            raise VaultAway("nobody listens")
        return [
            LyingFile(path.stem, str(path.relative_to(self.root)), 3, since, is_sealed=True)
            for path in self.root.rglob("*.ogg")
            if part.holds(path.stem)
        ]


@dataclass(frozen=True)
class PlainSound:
    """A file as stored sound."""

    path: Path
    ends_at: int | None = None

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def read(self, start: int, stop: int) -> bytes:
        return self.path.read_bytes()[: self.ends_at][start:stop]


class OwnSeals:
    """Seals as the vault does, with a key of its own: sound, manifest, chain, signed head."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._keys = [Ed25519PrivateKey.generate()]
        self._chains: dict[Path, list[bytes]] = {}
        self.breaks_off_at: int | None = None
        """After so many bytes sound ends, though it should not, when it is opened once more."""
        self.changes_when_sent = False
        """Whether sound that is opened once more is another one."""
        self._opened: set[str] = set()

    @property
    def source(self) -> Source:
        """What an export needs of it."""
        return Source(
            self.root,
            self._open,
            lambda data: self._keys[-1].sign(data),
            self._signed_by,
            lambda: _public_pem(self._keys[-1]),
        )

    def lose_key(self) -> None:
        """From here on another one signs."""
        self._keys.append(Ed25519PrivateKey.generate())

    def seal(self, recording: Recording, sound: bytes) -> Recording:
        """The recording, sealed, with that as its sound."""
        path = (self.root / recording.file).with_suffix(".ogg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sound)
        digest = hashlib.sha256(sound).hexdigest()
        manifest = {"recording": recording.id, "call": recording.call_id, "sound": {"sha256": digest}}
        manifest_sha256 = self._add(path.with_suffix(".json"), manifest)
        at = recording.ended_at or recording.started_at
        stored = str(path.relative_to(self.root))
        seal = Seal(at, stored, len(sound), digest, "1" * 64, manifest_sha256, len(self._chains[path.parent]))
        return replace(recording, state=State.SEALED, seal=seal)

    def destroy(self, recording: Recording, rule: str) -> Recording:
        """The recording, destroyed under that rule."""
        path = (self.root / recording.file).with_suffix(".ogg")
        path.unlink()
        certificate = path.with_suffix(".destroyed.json")
        self._add(certificate, {"recording": recording.id, "rule": rule})
        return replace(
            recording,
            state=State.DESTROYED,
            certificate=str(certificate.relative_to(self.root)),
            destroyed_at=recording.ended_at,
        )

    def _add(self, file: Path, document: dict[str, object]) -> str:
        data = json.dumps(document, indent=2).encode() + b"\n"
        file.write_bytes(data)
        lines = self._chains.setdefault(file.parent, [])
        previous = hashlib.sha256(lines[-1]).hexdigest() if lines else "0" * 64
        entry = {"entry": len(lines) + 1, "file": file.name, "sha256": hashlib.sha256(data).hexdigest()}
        lines.append(json.dumps({**entry, "previous": previous}).encode() + b"\n")
        head = json.dumps({"entries": len(lines), "last": hashlib.sha256(lines[-1]).hexdigest()}).encode() + b"\n"
        (file.parent / "chain.jsonl").write_bytes(b"".join(lines))
        (file.parent / "chain.head").write_bytes(head)
        (file.parent / "chain.head.sig").write_bytes(self._keys[-1].sign(head))
        return hashlib.sha256(data).hexdigest()

    def _open(self, recording: Recording) -> PlainSound:
        path = (self.root / recording.file).with_suffix(".ogg")
        if not path.is_file():
            raise NoRecording(NoRecording.__doc__)
        ends_at = self.breaks_off_at if recording.id in self._opened else None
        if self.changes_when_sent and recording.id in self._opened:
            path.write_bytes(bytes(path.stat().st_size))
        self._opened.add(recording.id)
        return PlainSound(path, ends_at)

    def _signed_by(self, data: bytes, signature: bytes) -> bytes | None:
        for key in self._keys:
            with contextlib.suppress(InvalidSignature):
                key.public_key().verify(signature, data)
                return _public_pem(key)
        return None


def _public_pem(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
