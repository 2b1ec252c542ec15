"""The certificate of the SIP door: read as it lies on the disk, checked at the start, and watched for its end.

Counterparts: `sip.tls_certificate` and `sip.tls_key` of the settings; Asterisk presents it (`asterisk/site.py`), health
and the doctor tell of its end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gateway.settings import Settings, SettingsError, SipSettings

TOLD_BEFORE = timedelta(days=30)
"""How long before its end a certificate is something to look at."""
KEPT_S = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one says of itself; times in UTC."""

    subject: str
    begins_at: datetime
    ends_at: datetime

    def problem(self, now: datetime) -> str | None:
        """What is wrong with it then, or soon will be, in a sentence; None where nothing is."""
        day = f"{self.ends_at:%Y-%m-%d}"
        if now < self.begins_at:
            return f"The certificate of the SIP door is not valid before {self.begins_at:%Y-%m-%d %H:%M} UTC."
        if now >= self.ends_at:
            return f"The certificate of the SIP door ended on {day}: whoever checks it does not connect over TLS."
        if self.ends_at - now <= TOLD_BEFORE:
            return f"The certificate of the SIP door ends on {day}, in {(self.ends_at - now).days} days."
        return None


def read(sip: SipSettings) -> Certificate:
    """The certificate that TLS is set to use, with a key that fits. Blocking: disk.

    Raises SettingsError, which names the setting, the file, the reason and the remedy.
    """
    certificate = _load(sip.tls_certificate, "tls_certificate", "a certificate", x509.load_pem_x509_certificate)
    key = _load(sip.tls_key, "tls_key", "a key without a password", lambda data: load_pem_private_key(data, None))
    if sip.tls_authorities != Path():
        _load(sip.tls_authorities, "tls_authorities", "certificates", x509.load_pem_x509_certificates)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if certificate.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        raise SettingsError(
            f"settings: sip.tls_key: {sip.tls_key} is not the key of {sip.tls_certificate}. Remedy: name the two that "
            f"were made together, the server's own certificate first in its file."
        )
    return Certificate(
        certificate.subject.rfc4514_string(), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    )


def _load(file: Path, key: str, what: str, load: Callable[[bytes], T]) -> T:
    try:
        return load(file.read_bytes())
    except OSError as error:
        reason = f"{file} cannot be read: {error.strerror}"
        remedy = "name a file that this user may read"
    except (ValueError, TypeError):
        reason = f"{file} holds no PEM of {what}"
        remedy = "name the PEM file (-----BEGIN …) that belongs there"
    raise SettingsError(f"settings: sip.{key}: {reason}. Remedy: {remedy}; see gateway.toml.")


class Watched:
    """The certificate as it is now; read again at most once a minute, so that it may be asked for at any time."""

    def __init__(self, settings: Settings, clock_s: Callable[[], float]) -> None:
        self._sip = settings.sip
        self._clock_s = clock_s
        self._read_at_s: float | None = None
        self.certificate: Certificate | None = None
        self._fault: str | None = None

    def problem(self, now: datetime) -> str | None:
        """What is wrong with it, or soon will be, in a sentence; None where nothing is, or TLS is off. Blocking: disk,
        a few kilobytes."""
        if not self._sip.has_tls:
            return None
        now_s = self._clock_s()
        if self._read_at_s is None or now_s - self._read_at_s >= KEPT_S:
            self._read_at_s = now_s
            try:
                self.certificate, self._fault = read(self._sip), None
            except SettingsError:
                self.certificate = None
                self._fault = "The certificate of the SIP door cannot be used: `gateway112 doctor` says why."
        return self._fault or (self.certificate.problem(now) if self.certificate else None)
