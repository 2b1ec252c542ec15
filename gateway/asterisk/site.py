"""Writes Asterisk's configuration folder: links to the files of `asterisk-config/` and `dialplan/`, which an engineer
edits, and beside them the site's own values (`site/*.conf`), which come from the settings.

Counterparts: `asterisk-config/*.conf`, whose `#include "site/…"` lines name each file that is written here; `kept.py`
for the three files that the gateway keeps over AMI.
"""

import contextlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway import certificates, new_secrets, owner
from gateway.asterisk import installation as installations
from gateway.asterisk import kept, music, sections
from gateway.asterisk.installation import Installation
from gateway.asterisk.journal import CURRENT
from gateway.asterisk.sections import QUEUES_FILE
from gateway.domain.call import PROBE_TRUNK
from gateway.domain.holding import PROBE_PHONE, PROBE_QUEUE, Holding, Member, Phone
from gateway.domain.kept import NEVER
from gateway.domain.queues import Queue
from gateway.domain.trunks import Trunk
from gateway.ports import sip_digest
from gateway.settings import EVERYWHERE, PROJECT, Settings, SettingsError, SipSettings

AMI_USER = "gateway112"
LANGUAGE = "id"
"""What callers hear."""


Tell = Callable[[str], object]


def prepare(settings: Settings, installation: Installation, tell: Tell | None = None) -> Path:
    """Writes the folder and returns it. Called again it changes nothing but the site's values: secrets, phones
    (pjsip_wizard.conf) and Asterisk's database stay. Raises SettingsError when the greeting is no prompt, or TLS has no
    certificate that can be used; one that has ended can.

    Where there is a `tell`, nobody sits before it who would mend that, and 112 must answer all the same: it hears what
    is left out, and which files stay as they were at the last start because the disk does not take new ones."""
    if tell is not None:
        settings = _as_far_as_it_goes(settings, tell)
    refuse_unspoken(settings.call.greeting)
    if settings.sip.has_tls:
        certificates.read(settings.sip)
    home = settings.asterisk_dir
    etc = home / "etc"
    for folder in (
        etc / "site",
        home / "lib/keys",
        home / "run",
        home / "spool",
        home / "lib/sounds",
        settings.journal_dir,
    ):
        folder.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    with contextlib.suppress(OSError):  # it is there, or the disk is full
        # so that there is room for its first records too (reserve.py)
        (settings.journal_dir / CURRENT).touch()
    with contextlib.suppress(OSError):  # `claim` has told of it; no call waits for a recording
        settings.paths.recordings.mkdir(parents=True, exist_ok=True)

    for file in (PROJECT / "asterisk-config").glob("*.conf"):
        if file.name not in kept.FILES:
            _link(etc / file.name, file)
    _link(etc / "extensions.conf", PROJECT / "dialplan/extensions.conf")
    _link(etc / "dialplan", PROJECT / "dialplan")
    _link(home / "lib/documentation", installation.documentation)
    for language in (LANGUAGE, "en"):
        _link(home / "lib/sounds" / language, PROJECT / "var/prompts" / language)
    _link(home / "lib/moh", music.FOLDER)
    sha256 = settings.sip.sha256 and installation.takes_sha256
    codecs = sections.codecs_of(installation.modules)
    values = {
        "CODECS": ",".join(codecs),
        "PHONE_CODECS": ",".join(codec for codec in sections.PHONE_CODECS if codec in codecs),
        "LOCATION": "<prefer_incoming>" if settings.sip.reads_location else "",
        **_sound(settings.sip.host),
        "MD5_ALONE": f"{sections.ALGORITHMS} = MD5" if sha256 else "",
        "SHA256_TOO": f"{sections.ALGORITHMS} = SHA-256,MD5" if sha256 else "",
    }
    texts = kept.texts(etc, settings.call.queue, always(settings), values)
    queue_before = _known(own_queues(settings), texts[QUEUES_FILE])
    for name, text in texts.items():
        _write(etc / name, text, tell)

    secret = ami_secret(settings)
    asked = "default_auth_algorithms_uas = SHA-256,MD5\n" if sha256 else ""
    site_files = _site_files(settings, installation, secret, queue_before)
    for name, text in {**site_files, "site/sip.conf": asked}.items():
        _write(etc / name, text, tell)
    return etc


def ami_secret(settings: Settings) -> str:
    """The gateway's AMI password, made on first use and kept in `var/asterisk/ami-secret` (mode 0600)."""
    return kept_secret(settings.asterisk_dir / "ami-secret")


def always(settings: Settings) -> Holding:
    """What Asterisk holds whatever the admins do: the probe's trunk, its queue, its phone and the place of that phone.
    No admin sees or changes them."""
    secret = kept_secret(settings.paths.var / "probe-secret")
    phone = Phone(PROBE_PHONE, sip_digest(PROBE_PHONE, secret))
    place = Member(PROBE_QUEUE, PROBE_PHONE)
    trunk = Trunk(name=PROBE_TRUNK, carrier="", addresses=(settings.probe.host,), queue=PROBE_QUEUE, created_at=NEVER)
    queue = Queue(name=PROBE_QUEUE, ring_s=10, max_wait_s=0, created_at=NEVER)
    return Holding(
        phones={phone.number: phone},
        members={place.key: place},
        trunks={trunk.name: trunk},
        queues={queue.name: queue},
        notes={f"login/{PROBE_PHONE}": f"{PROBE_QUEUE}=0"},
        never_banned=settings.sip.never_banned,
    )


def own_queues(settings: Settings) -> tuple[str, ...]:
    """The centre's own queue, and behind it those that were it at Asterisk's starts before: where the first is not
    there, calls wait in the next one that is (`dialplan/queue.conf`). Blocking: disk."""
    file = settings.asterisk_dir / "etc/site/globals.conf"
    try:
        told = file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # Asterisk was never started here
        told = ""
    values = dict(re.findall(r"^(QUEUE|QUEUE_BEFORE) = (\w+)$", told, re.MULTILINE))
    before = (values[name] for name in ("QUEUE", "QUEUE_BEFORE") if name in values)
    return tuple(dict.fromkeys((settings.call.queue, *before)))


def _known(queues: Sequence[str], text: str) -> str:
    """The first of them that has a section in that file, or else the first one."""
    there = set(re.findall(r"^\[(\w+)\]", text, re.MULTILINE))
    return next(filter(there.__contains__, queues), queues[0])


def offers_sha256(settings: Settings) -> bool:
    """Whether phones are asked for a digest with SHA-256 too: where the settings say so, and this machine's Asterisk
    can. Blocking: a child."""
    try:
        return settings.sip.sha256 and installations.find().takes_sha256
    except installations.NoAsterisk:
        return False


def kept_secret(file: Path) -> str:
    """The secret in `file`, made on first use (mode 0600), and anew where the file is empty: that is none. Raises
    SettingsError where it cannot be read or made."""
    try:
        if not file.exists() or not file.read_text().strip():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_private(file, new_secrets.for_machines() + "\n")
        return file.read_text().strip()
    except OSError as error:
        if isinstance(error, PermissionError):
            user = owner.name(os.geteuid())
            remedy = (
                f"run this as its owner; or, where {user} is to run this centre, as root: chown -R {user} {file.parent}"
            )
        else:
            remedy = "look at that disk: its space, and whether it can be written to"
        raise SettingsError(
            f"settings: paths.var: {file} cannot be read or made: {error.strerror}. Remedy: {remedy}."
        ) from error


def write_private(file: Path, text: str) -> None:
    """Writes `text` for this user's eyes only, whole or not at all."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())  # a power cut leaves the old one or the new one, and never an empty one
        fresh.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def _write(file: Path, text: str, tell: Tell | None) -> None:
    """Writes it; where there is a `tell`, what stands there from the last start is good enough on a disk that is
    full."""
    try:
        write_private(file, text)
    except OSError as error:
        if tell is None or not file.exists():
            raise
        tell(
            f"{file} cannot be written ({error.strerror}): Asterisk starts with what stands there from before. Remedy: "
            f"make room on that disk, and start Asterisk again at a quiet moment."
        )


def _as_far_as_it_goes(settings: Settings, tell: Tell) -> Settings:
    """The settings without what cannot be used, and without which 112 answers."""
    try:
        refuse_unspoken(settings.call.greeting)
    except SettingsError as error:
        tell(f"{error} Until then calls are answered without a greeting.")
        settings = settings.model_copy(update={"call": settings.call.model_copy(update={"greeting": ""})})
    if settings.sip.has_tls:
        try:
            certificates.read(settings.sip)
        except SettingsError as error:
            tell(f"{error} Until then SIP is taken over UDP and TCP alone.")
            settings = settings.model_copy(update={"sip": settings.sip.model_copy(update={"tls_port": 0})})
    return settings


def refuse_unspoken(greeting: str) -> None:
    """Raises SettingsError where the greeting is not a prompt that was made: callers would be answered with silence."""
    spoken = PROJECT / "var/prompts" / LANGUAGE
    if not greeting or any(spoken.glob(f"{greeting}.*")):
        return
    raise SettingsError(
        f"settings: call.greeting: there is no prompt {greeting} in {spoken}. Remedy: write it to "
        f"dialplan/prompts/{LANGUAGE}/{greeting}.txt and run setup/prompts.sh, or name one that is there, such as "
        f"greeting, or none (gateway.toml or GATEWAY112_CALL_GREETING)."
    )


def _sound(host: str) -> Mapping[str, str]:
    """The address that sound is sent from and that the SDP names. Where SIP listens on every address of the machine
    there is no one such: Asterisk then names the address by which it reaches the other side."""
    if host == EVERYWHERE:
        return {"SOUND_BOUND": "no", "SOUND_HOST": ""}
    return {"SOUND_BOUND": "yes", "SOUND_HOST": host}


def _tls(sip: SipSettings) -> str:
    """The transport for TLS 1.2 and newer; nothing where there is none. A phone or a carrier that connects shows no
    certificate: it is known by its password, or its address."""
    if not sip.has_tls:
        return ""
    values: dict[str, object] = {
        "type": "transport",
        "protocol": "tls",
        "bind": f"{sip.host}:{sip.tls_port}",
        "method": "tlsv1_2",
        "cert_file": sip.tls_certificate,
        "priv_key_file": sip.tls_key,
    }
    if sip.tls_authorities != Path():
        values |= {"ca_list_file": sip.tls_authorities, "verify_server": "yes"}
    return _section("transport-tls", values)


def _link(name: Path, target: Path) -> None:
    if name.is_symlink() and name.readlink() == target:
        return
    name.unlink(missing_ok=True)
    name.symlink_to(target)


def _site_files(settings: Settings, installation: Installation, secret: str, queue_before: str) -> Mapping[str, str]:
    home = settings.asterisk_dir
    sip, call = settings.sip, settings.call
    return {
        "asterisk.conf": _section(
            "directories",
            {
                "astetcdir": home / "etc",
                "astmoddir": installation.modules,
                "astvarlibdir": home / "lib",
                "astdbdir": home / "lib",
                "astkeydir": home / "lib",
                "astdatadir": home / "lib",
                "astagidir": home / "lib",
                "astspooldir": home / "spool",
                "astrundir": home / "run",
                "astlogdir": home / "log",
                "astsbindir": home / "run",
            },
        )
        + _section(
            "options",
            {
                "systemname": settings.centre.name,
                "documentation_language": "en_US",
                "defaultlanguage": LANGUAGE,
                "hideconnect": "yes",
                "nocolor": "yes",
            },
        ),
        "site/manager.conf": f"port = {settings.ami.port}\nbindaddr = {settings.ami.host}\n",
        "site/manager-user.conf": f"secret = {secret}\n",
        "site/pjsip.conf": "".join(
            _section(f"transport-{kind}", {"type": "transport", "protocol": kind, "bind": f"{sip.host}:{sip.port}"})
            for kind in ("udp", "tcp")
        )
        + _tls(sip),
        "site/music.conf": music.sections(music.made()),
        "site/rtp.conf": f"rtpstart = {settings.rtp.first_port}\nrtpend = {settings.rtp.last_port}\n",
        "site/globals.conf": "".join(
            f"{name} = {value}\n"
            for name, value in {
                "RECORDINGS": settings.paths.recordings,
                "QUEUE": call.queue,
                "QUEUE_BEFORE": queue_before,
                "GREETING": call.greeting,
                "RING_BEFORE_ANSWER_S": call.ring_before_answer_s,
                "QUEUE_MAX_WAIT_S": call.queue_max_wait_s,
                "LAST_RESORT": call.last_resort,
            }.items()
        ),
    }


def _section(name: str, values: Mapping[str, object]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()) + "\n"
