"""The vault's keys, which lie in `var/vault/` for this user alone: the one that signs, and the ring that encrypts.

Counterparts: `chain.py` has the heads of days signed, exports sign their lists; `box.py` encrypts. Anybody checks a
signature with the public half:

    openssl pkeyutl -verify -pubin -inkey signing.pub.pem -rawin -in FILE -sigfile FILE.sig
"""

import base64
import binascii
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.vault.folders import fsync_folder, write_whole

KEY_BYTES = 32
_PRIVATE = 0o600


class KeyMissing(Exception):
    """A key is not there, or cannot be used; the message says which, and what to do."""


class SigningKey:
    """The Ed25519 key (RFC 8032) that signs, made on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key: Ed25519PrivateKey | None = None

    @property
    def private_file(self) -> Path:
        return self._folder / "signing.key"

    @property
    def public_file(self) -> Path:
        return self._folder / "signing.pub.pem"

    def sign(self, data: bytes) -> bytes:
        """The signature of it: 64 bytes. Raises KeyMissing. Blocking: disk, the first time."""
        return self._load().sign(data)

    def public_pem(self) -> bytes:
        """The public half, as PEM (SubjectPublicKeyInfo). Raises KeyMissing. Blocking: disk, the first time."""
        return _pem(self._load().public_key())

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's, or one's that this centre had before, of exactly that. Raises
        KeyMissing."""
        return self.signed_by(data, signature) is not None

    def signed_by(self, data: bytes, signature: bytes) -> bytes | None:
        """The public half, as PEM, of the key that signed exactly that: this one, or one that this centre had before;
        None where none of them did. Raises KeyMissing."""
        self._load()
        return next((each for each in public_pems(self._folder) if is_signed(data, signature, each)), None)

    def check(self) -> None:
        """Raises KeyMissing where there is, or was, a key that cannot be used. Nothing is made. Blocking: disk."""
        if self.private_file.exists():
            self._read()
        else:
            self._refuse_lost()

    def _load(self) -> Ed25519PrivateKey:
        if self._key is None:
            if not self.private_file.exists():
                self._make()
            self._key = self._read()
            if not self.public_file.exists():
                write_whole(self.public_file, _pem(self._key.public_key()), mode=0o644)
        return self._key

    def _read(self) -> Ed25519PrivateKey:
        try:
            key = serialization.load_pem_private_key(self.private_file.read_bytes(), password=None)
        except OSError as error:
            raise KeyMissing(
                f"the signing key {self.private_file} cannot be read: {error.strerror}. Remedy: give it to the user "
                f"that the gateway runs as, mode 0600."
            ) from error
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyMissing(
                f"{self.private_file} is no Ed25519 key. Remedy: put the right one back from the backup."
            ) from None
        return key

    def _make(self) -> None:
        self._refuse_lost()
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        make_once(self.private_file, pem)

    def _refuse_lost(self) -> None:
        if self.public_file.exists():
            raise KeyMissing(
                f"the signing key {self.private_file} is not there, but its public half is. Remedy: put it back from "
                f"the backup; where it is lost for good, give signing.pub.pem another name before .pub.pem, for what "
                f"it signed, and a new key is made."
            )


def public_pems(folder: Path) -> list[bytes]:
    """The public halves of all keys that this centre signs or has signed with: `*.pub.pem`. Blocking: disk."""
    return [path.read_bytes() for path in sorted(folder.glob("*.pub.pem"))]


def is_signed(data: bytes, signature: bytes, public_pem: bytes) -> bool:
    """Whether it is the signature of exactly that, by that key. Raises KeyMissing where the PEM holds none."""
    try:
        key = serialization.load_pem_public_key(public_pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyMissing("the public key is no Ed25519 key in PEM")
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def fingerprint(public_pem: bytes) -> str:
    """Names a public key: the SHA-256 of its PEM, its first 16 hexadecimal digits."""
    return hashlib.sha256(public_pem).hexdigest()[:16]


def make_once(file: Path, data: bytes) -> None:
    """Writes a file for this user alone, unless somebody else made it first; then that one stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(fresh, file)
    fresh.unlink()
    fsync_folder(file.parent)


def _pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the ring, and the name that a box names it by."""

    name: str
    secret: bytes


class KeyRing:
    """The keys that encrypt stored sound (AES-256). The newest encrypts; all of them decrypt. Read anew each time that
    it is asked for a key which it does not know, so that a rotation needs no restart."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ring.json"
        self._lock = folder / ".ring.lock"
        """Held by whoever adds a key. What stands in it says that there was a ring once."""
        self._keys: dict[str, bytes] = {}
        self._is_known = False
        """Whether it stands there by now."""

    @property
    def names(self) -> list[str]:
        """The keys' names, the newest last. Raises KeyMissing. Blocking: disk."""
        self._read()
        return list(self._keys)

    def check(self) -> None:
        """Raises KeyMissing where there is, or was, a ring that cannot be used. Nothing is made. Blocking: disk."""
        if self._file.exists():
            self._read()
        elif self._lock.exists() and self._lock.stat().st_size:
            raise self._lost()

    def newest(self, now: datetime) -> Key:
        """The key to encrypt with, made on first use. Raises KeyMissing, also where there was a ring: whoever then put
        that back would lose a new one. Blocking: disk."""
        if not self._file.exists() or not self._is_known:
            self._add(now)
        self._read()
        name = next(reversed(self._keys))
        return Key(name, self._keys[name])

    def key(self, name: str) -> Key:
        """The key of that name. Raises KeyMissing. Blocking: disk, where it is not known yet."""
        if name not in self._keys:
            self._read()
        if name not in self._keys:
            raise KeyMissing(
                f"the key {name} is not in {self._file}. Remedy: put the ring that holds it back from the backup."
            )
        return Key(name, self._keys[name])

    def rotate(self, now: datetime) -> str:
        """Makes a new key that encrypts from now on; the others stay. Returns its name. Blocking: disk."""
        return self._add(now, always=True)

    def _add(self, now: datetime, *, always: bool = False) -> str:
        """Adds a key, unless there is one by now and nobody asked for another. Two that add at once take turns. Raises
        KeyMissing."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, _PRIVATE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            is_there = self._file.exists()
            if is_there:
                self._read()
            elif os.fstat(descriptor).st_size:
                raise self._lost()
            if always or not is_there:
                write_whole(self._file, _ring_text(self._keys, now), mode=_PRIVATE)
                self._read()
            os.pwrite(descriptor, b"made\n", 0)
            os.fsync(descriptor)
            self._is_known = True
            return next(reversed(self._keys))
        finally:
            os.close(descriptor)

    def _lost(self) -> KeyMissing:
        return KeyMissing(
            f"the key ring {self._file} is not there, and was. Remedy: put it back from the backup; where it is lost "
            f"for good, and with it all that it encrypted, remove {self._lock}, and a new one is made."
        )

    def _read(self) -> None:
        try:
            document = json.loads(self._file.read_bytes())
            keys = {str(each["name"]): base64.b64decode(each["key"], validate=True) for each in document["keys"]}
        except FileNotFoundError:
            raise KeyMissing(
                f"there is no key ring {self._file}. Remedy: put it back from the backup: without it nobody hears "
                f"what is encrypted."
            ) from None
        except OSError as error:
            raise KeyMissing(
                f"the key ring {self._file} cannot be read: {error.strerror}. Remedy: give it to the user that the "
                f"gateway runs as, mode 0600."
            ) from error
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise KeyMissing(f"{self._file} is no key ring. Remedy: put it back from the backup.") from None
        if not keys or any(len(secret) != KEY_BYTES for secret in keys.values()):
            raise KeyMissing(f"{self._file} is no key ring. Remedy: put it back from the backup.")
        self._keys = keys


def _ring_text(keys: dict[str, bytes], now: datetime) -> bytes:
    """The ring with one more key, the last, as it is written."""
    name = f"{now:%Y%m%d}-{secrets.token_hex(3)}"
    everything = {**keys, name: secrets.token_bytes(KEY_BYTES)}
    listed = [{"name": each, "key": base64.b64encode(secret).decode()} for each, secret in everything.items()]
    return (json.dumps({"keys": listed}, indent=2) + "\n").encode()


def ring_names(folder: Path) -> frozenset[str]:
    """The names of the ring's keys in `var/vault`; none where there is no ring that can be used. Blocking: disk."""
    try:
        return frozenset(KeyRing(folder).names)
    except KeyMissing:
        return frozenset()
