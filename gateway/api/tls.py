"""HTTPS for the API: the certificate and its key, told wrong at the start and taken anew when they are renewed.

Counterparts: `[api] tls_certificate` and `tls_key` of the settings; `door.py` agrees on TLS with who connects,
`reasons.py` tells when the certificate expires. Commands on this machine ask by `client_context`.
"""

import asyncio
import logging
import ssl
import stat
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from gateway.settings import ApiSettings, SettingsError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0
WARNED_AHEAD = timedelta(days=21)
"""So long before it expires; who renews by himself does it 30 days before."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the two files were when they were read."""

    certificate: tuple[int, int]
    key: tuple[int, int]


class Tls:
    """The API's certificate. `context` is the server's side of every connection; `reload` changes it in place for those
    to come. TLS 1.2 at least."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises SettingsError."""
        self._certificate = certificate
        self._key = key
        self.context = _context(certificate, key)
        self.expires_at = _expiry(certificate)
        self.problem = ""
        """Why the files that lie there now are not used; empty where they are."""
        self._seen = self._look()

    def reload(self) -> None:
        """Takes the files as they are now. What is wrong with them is logged and told by health, and those before stay
        in use."""
        self._seen = self._look()
        try:
            _context(self._certificate, self._key)  # a context that took half of a pair would be of no use
            expires_at = _expiry(self._certificate)
            self.context.load_cert_chain(self._certificate, self._key)
        except (SettingsError, OSError) as error:
            self.problem = str(error)
            log.error("tls_not_reloaded", extra={"reason": str(error)})  # noqa: TRY400  # the sentence says it all
            return
        self.problem, self.expires_at = "", expires_at
        log.info("tls_reloaded", extra={"expires_at": expires_at.isoformat()})

    @property
    def is_key_open(self) -> bool:
        """Whether any user of the machine can read the key."""
        try:
            return bool(self._key.stat().st_mode & stat.S_IROTH)
        except OSError:
            return False

    async def run(self) -> None:
        """Looks once in a minute whether there are new files, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._look() != self._seen:
                self.reload()

    def _look(self) -> _Seen | None:
        try:
            found = [(each.stat().st_mtime_ns, each.stat().st_ino) for each in (self._certificate, self._key)]
        except OSError:
            return None
        return _Seen(*found)


def tls_of(api: ApiSettings) -> Tls | None:
    """The API's TLS as the settings have it; None without. Raises SettingsError."""
    if api.tls_certificate is None or api.tls_key is None:
        return None
    return Tls(api.tls_certificate, api.tls_key)


def client_context(api: ApiSettings) -> ssl.SSLContext | bool:
    """How this machine's own commands ask the API: they take that very certificate, whatever host it is for and whoever
    signed it, and no other. True, which is the usual way, where there is none. Raises SettingsError."""
    if api.tls_certificate is None:
        return True
    _read("tls_certificate", api.tls_certificate)
    _expiry(api.tls_certificate)
    context = ssl.create_default_context(cafile=api.tls_certificate)
    context.check_hostname = False
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


def warnings(tls: Tls | None, now: datetime) -> dict[str, str]:
    """What is wrong with the certificate, or will be soon, in sentences by what it is about: `files`, `key` or
    `end`."""
    found: dict[str, str] = {}
    if tls is None:
        return found
    if tls.problem:
        found["files"] = f"The API goes on with its certificate of before: {tls.problem}"
    if tls.is_key_open:
        found["key"] = (
            "Everybody on this machine can read the API's key: let only the gateway's user do so (chmod 600)."
        )
    ends = f"{tls.expires_at:%Y-%m-%d %H:%M} UTC: renew it."
    if now >= tls.expires_at:
        found["end"] = f"The API's certificate has expired at {ends}"
    elif tls.expires_at - now < WARNED_AHEAD:
        found["end"] = f"The API's certificate expires in {(tls.expires_at - now).days} days, at {ends}"
    return found


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    _read("tls_certificate", certificate)
    _read("tls_key", key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])

    def no_password() -> str:
        raise SettingsError(
            f"settings: api.tls_key: {key} has a password. Remedy: store it without one, for the gateway's user alone "
            f"(openssl pkey -in {key} -out NEW)."
        )

    try:
        context.load_cert_chain(certificate, key, password=no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(
                f"settings: api.tls_key: {key} is not the key of {certificate}. Remedy: name the two that belong "
                "together."
            ) from None
        _expiry(certificate)  # the certificate's own fault is told first
        raise SettingsError(
            f"settings: api.tls_key: {key} is no private key in PEM. Remedy: name the file that begins with "
            "-----BEGIN PRIVATE KEY-----."
        ) from None
    return context


def _read(name: str, file: Path) -> None:
    """Raises SettingsError where the file cannot be read."""
    try:
        file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"settings: api.{name}: {file} cannot be read: {error.strerror}. Remedy: name the file, or let the "
            "gateway's user read it."
        ) from None


def _expiry(certificate: Path) -> datetime:
    """When the certificate, the first one of its file, expires. Raises SettingsError."""
    try:
        return x509.load_pem_x509_certificates(certificate.read_bytes())[0].not_valid_after_utc
    except ValueError:
        raise SettingsError(
            f"settings: api.tls_certificate: {certificate} is no certificate in PEM. Remedy: name the file that begins "
            "with -----BEGIN CERTIFICATE-----."
        ) from None
