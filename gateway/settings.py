"""The one settings object: frozen, read once at start, from `gateway.toml` and then from the environment.

Its counterpart is the admin who edits that file: whatever is wrong there ends the start with a `SettingsError` that
names the file, the key, the reason and the remedy.
"""

import ipaddress
import os
import tomllib
from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

PROJECT = Path(__file__).resolve().parents[1]
"""Where this project lies: its configuration, its dialplan, and what `make setup` made (Asterisk, prompts)."""

ENV_PREFIX = "GATEWAY112_"
CONFIG_VARIABLE = "GATEWAY112_CONFIG"
TOKEN_VARIABLE = "GATEWAY112_TOKEN"  # noqa: S105  # a name, and no token
BESIDE_SETTINGS = (CONFIG_VARIABLE, TOKEN_VARIABLE)
"""What stands in the environment beside the settings, and is none."""

EVERYWHERE = "0.0.0.0"  # noqa: S104  # compared, not bound

Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,32}$")]
QueueName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,255}$")]
_DIAL = r"PJSIP/(?:[0-9]{3,6}|\+?[0-9*#]{2,20}@[a-z][a-z0-9_]{0,31})"
_BUCKET = r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}){0,8})?$"
_ENDPOINT = r"^(https?://[A-Za-z0-9.\[\]:-]{1,255}(/[A-Za-z0-9_.-]{1,64}){0,4})?$"

_WORDS = {
    r"^[A-Za-z0-9_]{1,32}$": "may have letters, digits and _, 32 at most",
    r"^[a-z][a-z0-9_]{0,31}$": "begins with a small letter, then small letters, digits and _, 32 at most",
    r"^[A-Za-z0-9.:-]{1,255}$": "must be an address or a host's name",
    r"^[a-z0-9-]{0,40}$": "must be the name of a prompt in dialplan/prompts, without .txt",
    rf"^({_DIAL}(&{_DIAL})*)?$": "must be PJSIP/PHONE or PJSIP/NUMBER@TRUNK, several joined by &",
    _BUCKET: "must be s3://NAME or s3://NAME/PREFIX, without a / at its end",
    _ENDPOINT: "must be an http or https address, such as https://s3.example.go.id, without a / at its end",
    r"^[a-z0-9-]{1,40}$": "must be a region's name, such as us-east-1 (where the server has none: as it is)",
}
"""What the patterns mean, for people."""
_UNSHOWN = {("vault",), ("vault", "secret"), ("database",), ("database", "url")}
"""What is wrong there is told without showing it."""


class SettingsError(Exception):
    """The settings cannot be used: the message names file, key, reason and remedy."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CentreSettings(_Section):
    name: Name = "112"
    """Leads every call's id (Asterisk's systemname), so that ids of two centres never meet."""
    title: str = "112"
    """What the centre is called for people: on the wall, and on what is printed."""
    timezone: str = "Asia/Jakarta"
    """The centre's own zone: shifts, reports, the night and what is printed go by it; on the wire every time is UTC."""

    @field_validator("title")
    @classmethod
    def _can_be_printed(cls, value: str) -> str:
        if not value.isprintable() or value != value.strip() or not 1 <= len(value) <= 100:
            raise ValueError("must be printable text of 1 to 100 characters, without spaces around it")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("is not a time zone of the IANA database, such as Asia/Jakarta") from error
        return value


class PathSettings(_Section):
    var: Path = Path("var")
    """All run-time state but the recordings. Relative paths start at the folder of gateway.toml."""
    recordings: Path = Path("recordings")


class ApiSettings(_Section):
    host: Host = "127.0.0.1"
    port: Port = 8112
    tls_certificate: Path | None = None
    """The certificate with its chain, PEM. With `tls_key` the API is served over HTTPS alone."""
    tls_key: Path | None = None
    """Its private key, PEM, without a password."""
    requests_per_address: Annotated[float, Field(ge=0, le=100_000)] = 100.0
    """A second, on average; five seconds' worth may come at once. 0: no limit, here and below."""
    requests_per_token: Annotated[float, Field(ge=0, le=100_000)] = 50.0
    wrong_tokens_per_min: Annotated[int, Field(ge=0, le=100_000)] = 10
    """Of one address."""
    connections: Annotated[int, Field(ge=8, le=10_000)] = 256
    connections_per_address: Annotated[int, Field(ge=0, le=10_000)] = 128
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Reverse proxies of our own: what they say in X-Forwarded-For is believed. In the environment joined by commas."""

    @property
    def is_secure(self) -> bool:
        return self.tls_certificate is not None

    @field_validator("tls_certificate", "tls_key", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("proxies", mode="before")
    @classmethod
    def _are_networks(cls, value: object) -> object:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list):
            return value
        try:
            return tuple(ip_network(str(part).strip(), strict=False) for part in parts if str(part).strip())
        except ValueError as error:
            raise ValueError("must be addresses or networks, such as 10.0.0.5 or 10.0.0.0/24") from error

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key need each other")
        return self


class SipSettings(_Section):
    host: Host = "127.0.0.1"
    """EVERYWHERE: every address of this machine."""
    port: Port = 5060
    tls_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where SIP over TLS is taken; 0: nowhere."""
    tls_certificate: Path = Path()
    """PEM, the server's own first; relative paths start at the folder of gateway.toml, as those of the next two do."""
    tls_key: Path = Path()
    tls_authorities: Path = Path()
    """PEM: who may vouch for carriers that are called over TLS. Empty: they are not asked who they are."""
    sha256: bool = True
    """Whether phones are asked for their password by SHA-256 too (RFC 8760), before MD5."""
    reads_location: bool = False
    """Whether a location that comes in the INVITE's body (PIDF-LO) is read. Asterisk 22 dies of one that has no
    usage-rules (docs/decisions/0019)."""

    ban_after: Annotated[int, Field(ge=0, le=10_000)] = 20
    """So many refused requests of one address within `ban_within_s` have it banned for `ban_minutes`. 0: nobody is."""
    ban_within_s: Annotated[int, Field(ge=1, le=3600)] = 60
    ban_minutes: Annotated[int, Field(ge=1, le=7 * 24 * 60)] = 60
    never_banned: tuple[str, ...] = ("127.0.0.1",)
    """Addresses and networks that are let in whatever comes from them. Trunks and registered phones are so anyhow."""

    @field_validator("never_banned", mode="before")
    @classmethod
    def _of_the_environment(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("never_banned")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ipaddress.ip_network(each)
            except ValueError as error:
                raise ValueError(f"must hold addresses and networks alone, such as 10.20.0.0/16: {error}") from error
        return value

    @property
    def has_tls(self) -> bool:
        return self.tls_port != 0

    @model_validator(mode="after")
    def _certificate_for_tls(self) -> Self:
        if self.has_tls and Path() in (self.tls_certificate, self.tls_key):
            raise ValueError("tls_port needs tls_certificate and tls_key too")
        return self

    @property
    def near_host(self) -> str:
        """The address by which this machine itself reaches it."""
        return "127.0.0.1" if self.host == EVERYWHERE else self.host


class RtpSettings(_Section):
    first_port: Port = 10000
    last_port: Port = 20000

    @model_validator(mode="after")
    def _room_for_a_call(self) -> Self:
        if self.last_port - self.first_port < 100:
            raise ValueError("last_port must lie at least 100 above first_port")
        return self


class AmiSettings(_Section):
    host: Host = "127.0.0.1"
    port: Port = 5038
    action_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0


class DatabaseSettings(_Section):
    url: str = "sqlite"
    """`sqlite` (a file in `paths.var`), or `postgresql://user:password@host/name`."""

    @field_validator("url")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        if value != "sqlite" and not value.startswith("postgresql://"):
            raise ValueError('must be "sqlite" or begin with "postgresql://" (and not "postgres://")')
        return value


class CallSettings(_Section):
    queue: QueueName = "emergency"
    greeting: Annotated[str, Field(pattern=r"^[a-z0-9-]{0,40}$")] = "greeting"
    """A prompt's name in dialplan/prompts; empty: no greeting."""
    ring_before_answer_s: Annotated[int, Field(ge=0, le=30)] = 0
    queue_max_wait_s: Annotated[int, Field(ge=5, le=3600)] = 60
    last_resort: Annotated[str, Field(pattern=rf"^({_DIAL}(&{_DIAL})*)?$", max_length=400)] = ""
    """A dial string: PJSIP/1099 for a phone, PJSIP/08123456789@telkom for a number over a trunk, joined by &."""


class TrunkSettings(_Section):
    queue: QueueName | None = None
    priority: Annotated[int, Field(ge=0, le=3)] = 1
    """0 later than others, 1 as they come, 2 earlier, 3 first."""


class JournalSettings(_Section):
    rotate_at_bytes: Annotated[int, Field(ge=10_000)] = 64_000_000


class LogsSettings(_Section):
    form: Literal["text", "json"] = "text"
    """`text`: a line for people. `json`: one object a line, for whatever gathers logs."""
    level: Literal["debug", "info", "warning", "error"] = "info"


class VaultSettings(_Section):
    encrypt: bool = False
    """Whether sealed sound is encrypted at rest (AES-256-GCM), with the newest key of `var/vault/ring.json`."""
    low_space_mb: Annotated[int, Field(ge=10, le=100_000_000)] = 2000
    """Less room for recordings is an alarm; under half of it nothing is sealed. Nothing ever stops recording."""
    verify_at_hour: Annotated[int, Field(ge=-1, le=23)] = 3
    """From when on, by the centre's clock, the vault is verified each night. -1: never."""
    bucket: Annotated[str, Field(pattern=_BUCKET)] = ""
    """Where sealed sound is kept besides the disk: `s3://NAME/PREFIX`. Empty: on the disk alone."""
    endpoint: Annotated[str, Field(pattern=_ENDPOINT)] = ""
    """The S3 server's address. Empty: Amazon's own."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] = "us-east-1"
    access_key: Annotated[str, Field(max_length=256)] = ""
    secret: SecretStr = SecretStr("")
    """In no log and no message."""
    keep_in: Literal["bucket", "disk"] = "bucket"
    """Where sound is moved to, where a bucket is named. With `disk` what the bucket has comes back."""

    @property
    def verifies(self) -> bool:
        return self.verify_at_hour >= 0

    @property
    def place(self) -> str:
        """The bucket and its server, in words."""
        return f"{self.bucket} at {self.endpoint or 'Amazon S3'}"

    @model_validator(mode="after")
    def _key_for_the_bucket(self) -> Self:
        if self.bucket and not (self.access_key and self.secret.get_secret_value()):
            raise ValueError("bucket needs access_key and secret too (GATEWAY112_VAULT_SECRET)")
        return self


class ProbeSettings(_Section):
    host: Host = "127.0.0.15"
    """The probe trunk's own address: Asterisk knows the probe's calls by it."""
    phone_host: Host = "127.0.0.1"


class Settings(_Section):
    centre: CentreSettings = CentreSettings()
    paths: PathSettings = PathSettings()
    api: ApiSettings = ApiSettings()
    sip: SipSettings = SipSettings()
    rtp: RtpSettings = RtpSettings()
    ami: AmiSettings = AmiSettings()
    database: DatabaseSettings = DatabaseSettings()
    call: CallSettings = CallSettings()
    journal: JournalSettings = JournalSettings()
    logs: LogsSettings = LogsSettings()
    vault: VaultSettings = VaultSettings()
    probe: ProbeSettings = ProbeSettings()
    trunks: dict[Name, TrunkSettings] = {}

    @property
    def asterisk_dir(self) -> Path:
        """Where Asterisk keeps its own: etc, lib, log, run, spool."""
        return self.paths.var / "asterisk"

    @property
    def journal_dir(self) -> Path:
        """The folder that `cel_custom` writes to."""
        return self.asterisk_dir / "log" / "cel-custom"

    @property
    def vault_dir(self) -> Path:
        """Where the vault's keys lie."""
        return self.paths.var / "vault"

    @property
    def database_url(self) -> str:
        """The URL in SQLAlchemy's async form."""
        if self.database.url == "sqlite":
            return f"sqlite+aiosqlite:///{self.paths.var / 'gateway112.db'}"
        return self.database.url.replace("postgresql://", "postgresql+asyncpg://", 1)

    @property
    def api_url(self) -> str:
        return f"http{'s' if self.api.is_secure else ''}://{self.api.host}:{self.api.port}"


ASTERISKS_OWN = frozenset({"centre", "paths", "sip", "rtp", "ami", "call", "probe"})
"""The sections that Asterisk needs in order to start."""


def load(
    path: Path | None = None, environ: Mapping[str, str] | None = None, only: Collection[str] | None = None
) -> Settings:
    """The settings from `path` (default: `GATEWAY112_CONFIG`, else ./gateway.toml if there is one), overridden by
    `GATEWAY112_<SECTION>_<KEY>` variables such as `GATEWAY112_API_PORT`. Where `only` some sections are named, nothing
    else is looked at.

    Raises SettingsError with one line a fault.
    """
    environ = os.environ if environ is None else environ
    named = path or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    file = (named or Path("gateway.toml")).absolute()
    table = _read_toml(file, must_exist=named is not None)
    if only is not None:
        table = {section: part for section, part in table.items() if section in only}
        environ = {name: value for name, value in environ.items() if _section_of(name) in only}
    sources = _overlay(table, environ)
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(fault, file, sources) for fault in error.errors())) from None
    if conflicts := list(_conflicts(settings, file)):
        raise SettingsError("\n".join(conflicts))
    base = file.parent
    paths = PathSettings(var=base / settings.paths.var, recordings=base / settings.paths.recordings)
    files = ("tls_certificate", "tls_key", "tls_authorities")
    lies = {name: base / lie for name in files if (lie := getattr(settings.sip, name)) != Path()}
    sip = settings.sip.model_copy(update=lies)
    return settings.model_copy(update={"paths": paths, "sip": sip, "api": _from(base, settings.api)})


def _from(base: Path, api: ApiSettings) -> ApiSettings:
    if api.tls_certificate is None or api.tls_key is None:
        return api
    return api.model_copy(update={"tls_certificate": base / api.tls_certificate, "tls_key": base / api.tls_key})


def _conflicts(settings: Settings, file: Path) -> Iterator[str]:
    """What each setting allows and all together do not."""
    sip, ami, api, rtp = settings.sip, settings.ami, settings.api, settings.rtp
    same_host = {sip.host, EVERYWHERE} & {ami.host, api.host, EVERYWHERE}
    if same_host and len({sip.port, ami.port, api.port}) < 3:
        yield f"{file}: ports: sip, ami and api need three different ports. Remedy: change one of them."
    if sip.has_tls and sip.tls_port in {sip.port, *(each.port for each in (ami, api) if each.host in _same(sip.host))}:
        yield f"{file}: sip.tls_port: {sip.tls_port} is another's port here. Remedy: choose another, such as 5061."
    if sip.has_tls and rtp.first_port <= sip.tls_port <= rtp.last_port:
        yield f"{file}: sip.tls_port: {sip.tls_port} is among RTP's ports. Remedy: choose another, such as 5061."
    if rtp.first_port <= sip.port <= rtp.last_port:
        yield (
            f"{file}: rtp.first_port: the range {rtp.first_port} to {rtp.last_port} holds sip.port, {sip.port}. "
            f"Remedy: choose another range or another port."
        )


def _same(host: str) -> set[str]:
    """The hosts that may be the same address as this one, of those that settings name."""
    return {host, EVERYWHERE}


def _read_toml(file: Path, *, must_exist: bool) -> dict[str, Any]:
    if not file.exists() and not must_exist:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{file}: there is no such file. Remedy: name an existing file with --config or {CONFIG_VARIABLE}."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: is not valid TOML: {error}. Remedy: mend that line.") from None
    except PermissionError:  # passwords may stand there
        raise SettingsError(
            f"{file}: is shut to you. Remedy: run this as the centre's user (sudo -u), or let that one read it."
        ) from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}. Remedy: look at its disk.") from None


def _overlay(table: dict[str, Any], environ: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Lays the environment over `table`; returns which variable set which key, for error messages."""
    sources: dict[tuple[str, ...], str] = {}
    for variable, value in sorted(environ.items()):
        if not variable.startswith(ENV_PREFIX) or variable in BESIDE_SETTINGS:
            continue
        section = _section_of(variable)
        key = variable.removeprefix(ENV_PREFIX).lower()[len(section) + 1 :]
        known = Settings.model_fields.get(section)
        if known is None or section == "trunks" or not key:
            raise SettingsError(
                f"environment: {variable}: is not a setting. Remedy: unset it, or write {ENV_PREFIX}<SECTION>_<KEY> "
                f"with a section of {', '.join(sorted(set(Settings.model_fields) - {'trunks'}))}."
            )
        part = table.setdefault(section, {})
        if isinstance(part, dict):
            part[key] = value
            sources[(section, key)] = variable
    return sources


def _section_of(variable: str) -> str:
    return variable.removeprefix(ENV_PREFIX).lower().partition("_")[0]


def _explain(fault: Any, file: Path, sources: Mapping[tuple[str, ...], str]) -> str:
    """One fault of pydantic's as one line: file, key, reason, remedy."""
    where = tuple(str(part) for part in fault["loc"])
    key = ".".join(where)
    variables = [variable for key_, variable in sources.items() if key_[: len(where)] == where]
    origin = f"environment variable {variables[0]}" if variables else str(file)
    if fault["type"] == "extra_forbidden":
        known = _known_keys(where[:-1])
        return f"{origin}: {key}: is not a setting. Remedy: remove it; known here: {', '.join(known)}."
    reason = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "string_pattern_mismatch":
        reason = _WORDS.get(fault["ctx"]["pattern"], reason)
    shown = "" if isinstance(fault["input"], dict) or where in _UNSHOWN else f" (it is {fault['input']!r})"
    default = _default_of(where)
    remedy = (
        f"the default is {str(default)!r}"
        if isinstance(default, Path)
        else f"the default is {default!r}"
        if default is not None and where not in _UNSHOWN
        else "see the comments in gateway.toml"
    )
    return f"{origin}: {key}: {reason}{shown}. Remedy: correct it; {remedy}."


def _known_keys(section: tuple[str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in section:
        field = model.model_fields.get(part)
        model = TrunkSettings if field is None or part == "trunks" else type(field.default)
    return sorted(model.model_fields)


def _default_of(where: tuple[str, ...]) -> object:
    value: object = Settings()
    for part in where:
        value = getattr(value, part, None)
    return None if isinstance(value, BaseModel) else value
