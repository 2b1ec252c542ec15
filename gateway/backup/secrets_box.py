"""The box of a backup: what would let others sign, decrypt or command, encrypted by a passphrase. Whoever finds the
rest of the backup cannot do that. It holds the page that proves that rest, too: nobody else makes one that fits.

AES-256-GCM with a key by scrypt (RFC 7914); the first line is JSON and tells how. Counterpart: `making.py` fills it,
`restoring.py` opens it.
"""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gateway.backup.folder import BackupFailed

FORMAT = "gateway112-secrets-2"
SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 16, 8, 1
"""64 MB and about a fifth of a second a guess."""
SHORTEST_PASSPHRASE = 12


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in a box: its files by name, and the text of the page that was made for the rest of the backup."""

    files: Mapping[str, bytes]
    page: str


def refuse_short(passphrase: str) -> None:
    """Raises BackupFailed where the passphrase is too short."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise BackupFailed(f"a passphrase has {SHORTEST_PASSPHRASE} characters at least: whoever has time tries many")


def sealed(files: Mapping[str, bytes], page: str, passphrase: str) -> bytes:
    """The box with those files, by name, and the page. Raises BackupFailed where the passphrase is too short."""
    refuse_short(passphrase)
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    head = {
        "format": FORMAT,
        "cipher": "AES-256-GCM",
        "kdf": "scrypt",
        "n": SCRYPT_N,
        "r": SCRYPT_R,
        "p": SCRYPT_P,
        "salt": base64.b64encode(salt).decode(),
        "nonce": base64.b64encode(nonce).decode(),
    }
    line = json.dumps(head).encode() + b"\n"
    named = {name: base64.b64encode(data).decode() for name, data in files.items()}
    inside = json.dumps({"page": page, "files": named}).encode()
    return line + AESGCM(_key(passphrase, salt)).encrypt(nonce, inside, line)


def opened(box: bytes, passphrase: str) -> Opened:
    """What is in the box. Raises BackupFailed where the passphrase is another one, or the box was changed."""
    line, end, inside = box.partition(b"\n")
    unknown = BackupFailed(f"its box of secrets is none that this version knows ({FORMAT})")
    try:
        head = json.loads(line)
        is_known = (head["format"], head["n"], head["r"], head["p"]) == (FORMAT, SCRYPT_N, SCRYPT_R, SCRYPT_P)
        salt, nonce = base64.b64decode(head["salt"]), base64.b64decode(head["nonce"])
    except (ValueError, KeyError, TypeError):
        raise unknown from None
    if not is_known:
        raise unknown
    try:
        document = AESGCM(_key(passphrase, salt)).decrypt(nonce, inside, line + end)
    except InvalidTag:
        raise BackupFailed("the passphrase is not the one of this backup, or its box of secrets was changed") from None
    found = json.loads(document)
    return Opened({name: base64.b64decode(data) for name, data in found["files"].items()}, found["page"])


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(passphrase.encode())
