"""Phones, trunks and queues as sections of Asterisk's configuration files, written and read back.

Counterparts: the templates in `asterisk-config/pjsip_wizard.conf` and `asterisk-config/queues_kept.conf`, on which each
section stands; `switchboard.py` has them written over AMI, `site.py` writes the first ones.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.asterisk.framing import Message
from gateway.asterisk.music import RINGING
from gateway.domain.encryption import SoundEncryption, Transport
from gateway.domain.holding import Phone
from gateway.domain.kept import NEVER
from gateway.domain.queues import Queue, Strategy
from gateway.domain.trunks import Registration, Trunk
from gateway.ports import SIP_REALM

PHONES_FILE = "pjsip_wizard.conf"
"""Phones and trunks: res_pjsip_config_wizard makes endpoint, aor, auth and identify of each section."""
QUEUES_FILE = "queues_kept.conf"
"""Included by queues.conf."""
BANNED_FILE = "banned.conf"
"""Named by sorcery.conf: one access list of res_pjsip_acl."""

PHONE, FIXED_PHONE, CARRIER, QUEUE, BAN_LIST = "phone", "fixed-phone", "carrier", "kept-queue", "ban-list"
"""The templates."""

ALGORITHMS = "inbound_auth/supported_algorithms_uas"
"""Which digests a phone is asked for, the best one first (RFC 8760)."""
SHA256 = "-sha256"
"""Ends the template of a phone that is asked for that too."""
_SHA256 = "SHA-256:"

_SHUT = ("aor/max_contacts", "0")
"""Of a phone that may not register: more than its template's, which is 1."""

_FOREIGN = "?"
"""Stands in a value that was read from a section which this module would not have written so: it differs from whatever
is wanted, and is written anew."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its name, the template that it stands on, and its own values."""

    name: str
    template: str
    values: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """As it stands in a file."""
        return f"[{self.name}]({self.template})\n" + "".join(f"{name} = {value}\n" for name, value in self.values)


def of_phone(phone: Phone) -> Section:
    """A phone with a fixed contact may not register; both kinds must give their password in order to call."""
    return Section(
        phone.number,
        (PHONE if phone.contact is None else FIXED_PHONE) + (SHA256 if phone.digest_sha256 else ""),
        (
            ("inbound_auth/realm", SIP_REALM),
            ("inbound_auth/username", phone.number),
            ("inbound_auth/md5_cred", phone.digest),
            *([("inbound_auth/password_digest", _SHA256 + phone.digest_sha256)] if phone.digest_sha256 else []),
            *([("aor/contact", phone.contact)] if phone.contact is not None else []),
            *([_SHUT] if phone.is_shut else []),
            *_encrypted(phone.sound_encryption),
        ),
    )


def of_trunk(trunk: Trunk) -> Section:
    """Calls are let in by where they come from; calls out go to the first address."""
    host = trunk.addresses[0].partition("/")[0]
    values = [
        ("remote_hosts", host),
        ("aor/contact", f"sip:{_bracketed(host)}:{trunk.port}{_over(trunk.transport)}"),
        ("identify/match", ",".join(trunk.addresses)),
    ]
    if trunk.codecs:
        values.append(("endpoint/allow", "!all," + ",".join(trunk.codecs)))
    if trunk.queue is not None:
        values.append(("endpoint/set_var", f"QUEUE={trunk.queue}"))
    if trunk.is_asked:
        values.append(("aor/qualify_frequency", "30"))
    if (registration := trunk.registration) is not None:
        values += [
            ("sends_registrations", "yes"),
            ("sends_auth", "yes"),
            ("outbound_auth/username", registration.username),
            ("outbound_auth/password", registration.password),
            ("server_uri_pattern", f"sip:{registration.server}{_over(trunk.transport)}"),
            ("client_uri_pattern", f"sip:{registration.username}@{registration.server}"),
        ]
    values += _encrypted(trunk.sound_encryption)
    return Section(trunk.name, CARRIER, tuple(values))


def _over(transport: Transport) -> str:
    """The parameter of a SIP address that says so; UDP is what is meant without one."""
    return "" if transport is Transport.UDP else f";transport={transport}"


_ENCRYPTED: Mapping[SoundEncryption, tuple[tuple[str, str], ...]] = {
    SoundEncryption.NONE: (),
    SoundEncryption.WANTED: (
        ("endpoint/media_encryption", "sdes"),
        ("endpoint/media_encryption_optimistic", "yes"),
    ),
    SoundEncryption.REQUIRED: (("endpoint/media_encryption", "sdes"),),
}


def _encrypted(sound: SoundEncryption) -> tuple[tuple[str, str], ...]:
    return _ENCRYPTED[sound]


def _encryption(values: Mapping[str, str]) -> SoundEncryption:
    """What a section that was read says of it."""
    if values.get("endpoint/media_encryption") != "sdes":
        return SoundEncryption.NONE
    is_wanted = values.get("endpoint/media_encryption_optimistic") == "yes"
    return SoundEncryption.WANTED if is_wanted else SoundEncryption.REQUIRED


def of_queue(queue: Queue) -> Section:
    return Section(queue.name, QUEUE, tuple((param, write(queue)) for param, write in _QUEUE_PARAMS.items()))


BANNED = Section("banned", BAN_LIST, ())
"""The one section of BANNED_FILE, without an address."""


_QUEUE_PARAMS: Mapping[str, Callable[[Queue], str]] = {
    "strategy": lambda queue: queue.strategy.value,
    "timeout": lambda queue: str(queue.ring_s),
    "wrapuptime": lambda queue: str(queue.wrap_up_s),
    "weight": lambda queue: str(queue.weight),
    "maxlen": lambda queue: str(queue.max_waiting),
    "servicelevel": lambda queue: str(queue.service_level_s),
    "announce-frequency": lambda queue: "30" if queue.announces_position else "0",
    "musicclass": lambda queue: queue.music or RINGING,
}


_TRANSCODED_BY: Mapping[str, tuple[str, ...]] = {
    "alaw": ("codec_alaw",),
    "ulaw": ("codec_ulaw",),
    "g722": ("codec_g722",),
    "opus": ("codec_opus", "codec_opus_open_source"),
    "amrwb": ("codec_amr",),
    "amr": ("codec_amr",),
    "gsm": ("codec_gsm",),
    "g726": ("codec_g726",),
    "g726aal2": ("codec_g726",),
    "ilbc": ("codec_ilbc",),
    "speex": ("codec_speex",),
    "speex16": ("codec_speex",),
    "speex32": ("codec_speex",),
    "adpcm": ("codec_adpcm",),
    "lpc10": ("codec_lpc10",),
    "codec2": ("codec_codec2",),
    "slin": ("codec_resample",),
    "slin16": ("codec_resample",),
}
"""Which modules transcode a codec, any of them, best codecs first. One that none transcodes is a call without sound."""

PHONE_CODECS = ("opus", "g722", "alaw", "ulaw")
"""What phones are offered, best codecs first."""


def codecs_of(modules: Path) -> list[str]:
    """The codecs that the Asterisk with this folder of modules transcodes. Blocking: disk."""
    return [
        codec for codec, names in _TRANSCODED_BY.items() if any((modules / f"{name}.so").exists() for name in names)
    ]


def phones_and_trunks(config: Message) -> tuple[dict[str, Phone], dict[str, Trunk]]:
    """What a GetConfig of PHONES_FILE tells."""
    phones: dict[str, Phone] = {}
    trunks: dict[str, Trunk] = {}
    for name, template, values, twice in _read(config):
        if name.isdigit():
            phone = Phone(
                name,
                values.get("inbound_auth/md5_cred", ""),
                values.get("aor/contact"),
                _encryption(values),
                values.get("inbound_auth/password_digest", "").removeprefix(_SHA256),
                is_shut=_SHUT in values.items() and template.removesuffix(SHA256) == PHONE,
            )
            phones[name] = phone if _is_of(of_phone(phone), template, values) else replace(phone, digest=_FOREIGN)
        else:
            trunk = _trunk(name, values, twice)
            trunks[name] = trunk if _is_of(of_trunk(trunk), template, values) else replace(trunk, carrier=_FOREIGN)
    return phones, trunks


def queues(config: Message) -> dict[str, Queue]:
    """What a GetConfig of QUEUES_FILE tells."""
    found = {}
    for name, template, values, _ in _read(config):
        queue = _queue(name, values)
        found[name] = queue if _is_of(of_queue(queue), template, values) else replace(queue, minimum=-1)
    return found


def banned(config: Message) -> frozenset[str]:
    """The addresses that a GetConfig of BANNED_FILE tells."""
    lines = (value for header, value in config.headers if header.startswith("Line-"))
    return frozenset(line.removeprefix("deny=") for line in lines if line.startswith("deny="))


def ban_edits(come: Iterable[str], go: Iterable[str]) -> Sequence[tuple[tuple[str, str], ...]]:
    """The edits of an UpdateConfig that put addresses on the list and take others off it."""
    cat = ("Cat", BANNED.name)
    return [
        *((("Action", "Delete"), cat, ("Var", "deny"), ("Match", address)) for address in go),
        *((("Action", "Append"), cat, ("Var", "deny"), ("Value", address)) for address in come),
    ]


def _trunk(name: str, values: Mapping[str, str], twice: Collection[str]) -> Trunk:
    registration = None
    if values.get("sends_registrations") == "yes":
        registration = Registration(
            server=values.get("server_uri_pattern", "").removeprefix("sip:").partition(";")[0],
            username=values.get("outbound_auth/username", ""),
            password=values.get("outbound_auth/password", ""),
        )
    allowed = values.get("endpoint/allow", "").removeprefix("!all,").split(",")
    contact, _, parameters = values.get("aor/contact", "").partition(";")
    transport = parameters.removeprefix("transport=")
    return Trunk(
        name=name,
        carrier="",
        addresses=tuple(values.get("identify/match", "").split(",")),
        port=_number(contact.rpartition(":")[2]),
        codecs=tuple(allowed) if "endpoint/allow" in twice else (),
        queue=queue.removeprefix("QUEUE=") if (queue := values.get("endpoint/set_var")) else None,
        is_asked=values.get("aor/qualify_frequency") not in (None, "0"),
        registration=registration,
        transport=Transport(transport) if transport in set(Transport) else Transport.UDP,
        sound_encryption=_encryption(values),
        created_at=NEVER,
    )


def _queue(name: str, values: Mapping[str, str]) -> Queue:
    strategy = values.get("strategy", "")
    return Queue(
        name=name,
        strategy=Strategy(strategy) if strategy in set(Strategy) else Strategy.LONGEST_FREE,
        ring_s=_number(values.get("timeout")),
        wrap_up_s=_number(values.get("wrapuptime")),
        weight=_number(values.get("weight")),
        max_waiting=_number(values.get("maxlen")),
        service_level_s=_number(values.get("servicelevel")),
        announces_position=values.get("announce-frequency") != "0",
        music=None if (heard := values.get("musicclass", "")) == RINGING else heard,
        max_wait_s=0,
        created_at=NEVER,
    )


def _read(config: Message) -> list[tuple[str, str, dict[str, str], set[str]]]:
    """The sections of a GetConfig answer: name, template, all values, those that the template gives too, and the names
    that stand there twice: what the template gives and the section changes."""
    names: dict[str, str] = {}
    templates: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    twice: dict[str, set[str]] = {}
    for header, value in config.headers:
        kind, _, rest = header.partition("-")
        if kind == "Category":
            names[rest] = value
            values[rest], twice[rest] = {}, set()
        elif kind == "Templates":
            templates[rest] = value
        elif kind == "Line":
            index = rest.partition("-")[0]
            key, _, setting = value.partition("=")
            if key in values[index]:
                twice[index].add(key)
            values[index][key] = setting
    return [(name, templates.get(index, ""), values[index], twice[index]) for index, name in names.items()]


def _is_of(section: Section, template: str, values: Mapping[str, str]) -> bool:
    """Whether a section that was read is what `section` would write: on its template, with its values. What else is
    there comes from the template."""
    return template == section.template and all(values.get(name, "") == value for name, value in section.values)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else -1


def edits(section: Section, *, is_new: bool) -> Sequence[tuple[tuple[str, str], ...]]:
    """The edits of an UpdateConfig that put the section into its file, in the place of the one that is there."""
    return [
        *([] if is_new else [drop(section.name)]),
        (("Action", "NewCat"), ("Cat", section.name), ("Options", f'inherit="{section.template}"')),
        *(
            (("Action", "Append"), ("Cat", section.name), ("Var", name), ("Value", value))
            for name, value in section.values
        ),
    ]


def drop(name: str) -> tuple[tuple[str, str], ...]:
    """The edit that takes a section out of its file."""
    return (("Action", "DelCat"), ("Cat", name))
