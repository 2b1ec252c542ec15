"""The pages of an export: what was handed out, what happened in each call, and how to check it all without this
software, in Bahasa Indonesia and in English.

Counterparts: `exports.py` hands them out; a test follows their commands with sha256sum and openssl alone.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

from gateway.api.pages import Block, Commands, Heading, Rows, Words, as_html, as_text
from gateway.domain.call import Call
from gateway.domain.dispositions import Disposed
from gateway.domain.event_types import EVENT_TYPES
from gateway.domain.events import Event
from gateway.domain.recordings import Recording, State
from gateway.vault.folders import CERTIFICATE, MANIFEST

PUBLIC = "public.pem"
ENDINGS: Mapping[State, tuple[str, ...]] = {
    State.SEALED: (MANIFEST,),
    State.DESTROYED: (MANIFEST, CERTIFICATE),
}
"""What lies beside the sound of a recording, and is handed out with it."""

_DAY = re.compile(r"\d{4}/\d{2}/\d{2}")
_VERIFY = "openssl pkeyutl -verify -pubin -inkey {key} -rawin -in {file} -sigfile {file}.sig"


@dataclass(frozen=True, slots=True)
class Exported:
    """One call as it is handed out. `name` is that of its pages."""

    name: str
    call: Call
    disposed: Disposed | None
    events: tuple[Event, ...]
    recordings: tuple[Recording, ...]
    is_cut: bool = False
    """Whether there are more events than these."""


@dataclass(frozen=True, slots=True)
class Export:
    """What is handed out, by whom, to whom and why."""

    at: datetime
    zone: ZoneInfo
    by: str
    reason: str
    recipient: str
    calls: tuple[Exported, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    """Sealed sounds that cannot be read, and why, by the recording."""
    damaged: Mapping[str, str] = field(default_factory=dict)
    """What is not as it was sealed, and why, by the recording."""
    left_out: frozenset[str] = frozenset()
    """Files that are not handed out therefore, by their names in the bundle."""

    @property
    def faulty(self) -> Mapping[str, str]:
        """Recordings that must not be told to be sealed, and why."""
        return {**self.missing, **self.damaged}

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Of all calls, each once."""
        return tuple({own.id: own for each in self.calls for own in each.recordings}.values())

    def there(self, at: datetime | None) -> str:
        """The time in the centre's zone, to the second; with its offset, so that nobody need know the zone."""
        return "" if at is None else f"{at.astimezone(self.zone):%Y-%m-%d %H:%M:%S %z}"


def folder_of(recording: Recording) -> str:
    """The day's folder that it lies in, `2026/11/26`. Raises ValueError where its file is in none."""
    folder = str(PurePosixPath(recording.file).parent)
    if not _DAY.fullmatch(folder):
        raise ValueError(f"recording {recording.id} does not lie in a day's folder")
    return folder


def sound_of(recording: Recording) -> str:
    """The name of its sound in the bundle."""
    return f"recordings/{folder_of(recording)}/{recording.id}.ogg"


def paper_of(recording: Recording, ending: str) -> str:
    """The name of its manifest or its certificate in the bundle."""
    return f"recordings/{folder_of(recording)}/{recording.id}{ending}"


# ---------------------------------------------------------------- one call

_LAST_KNOWN = ", saat terakhir yang diketahui / the last moment that is known"


def call_text(export: Export, each: Exported) -> str:
    return as_text(list(_call(export, each)))


def call_html(export: Export, each: Exported) -> str:
    return as_html(f"112: {each.call.id}", list(_call(export, each)))


def _call(export: Export, each: Exported) -> Iterator[Block]:
    call, said = each.call, each.disposed
    yield Heading(f"Panggilan 112 / 112 call {call.id}", 1)
    yield Rows(
        ("Keterangan / what", ""),
        [
            ("Penelepon / caller", f"{call.caller} {call.caller_name}".strip()),
            ("Operator seluler / carrier's trunk", call.trunk),
            ("Lokasi menurut operator seluler / location, as the carrier sent it", call.location or "-"),
            ("Masuk / arrived", export.there(call.arrived_at)),
            ("Diangkat 112 / 112 answered", export.there(call.greeted_at)),
            ("Dijawab petugas / a person answered", export.there(call.answered_at)),
            ("Petugas / operator", f"{call.operator or '-'} {call.operator_name or ''}".strip()),
            (f"Berakhir / ended{_LAST_KNOWN if call.has_vanished else ''}", export.there(call.ended_at)),
            ("Hasil / outcome", str(call.outcome or "-")),
            ("Diakhiri oleh / hung up by", str(call.hung_up_by or "-")),
            ("Jenis menurut petugas / what it was, as was said", _said(said)),
        ],
    )
    yield Heading("Rekaman / recordings")
    yield Rows(
        ("Rekaman / recording", "Berkas / file", "Keadaan / state"),
        [_recording(export, own) for own in each.recordings],
    )
    yield Heading("Riwayat / history")
    yield Rows(
        ("Waktu / time", "Kejadian / event", "Arti / meaning", "Data"),
        [
            (
                export.there(event.at),
                event.type,
                EVENT_TYPES.get(event.type, ""),
                json.dumps(dict(event.data), ensure_ascii=False, sort_keys=True),
            )
            for event in each.events
        ],
    )
    if each.is_cut:
        yield Words("Kejadian selanjutnya tidak dicantumkan. / Later events are not listed.")


def _said(said: Disposed | None) -> str:
    if said is None:
        return "-"
    return ", ".join(filter(None, (said.disposition, said.category, said.note, said.set_by)))


def _recording(export: Export, recording: Recording) -> tuple[str, str, str]:
    if recording.id in export.faulty:
        is_there = recording.state is State.SEALED and sound_of(recording) not in export.left_out
        return recording.id, sound_of(recording) if is_there else "-", _fault(export, recording)
    match recording.state:
        case State.SEALED:
            lacks = f"; kekurangan / what it lacks: {'; '.join(recording.faults)}" if recording.faults else ""
            return recording.id, sound_of(recording), f"disegel / sealed{lacks}"
        case State.DESTROYED:
            certificate = paper_of(recording, CERTIFICATE)
            return recording.id, certificate, "dimusnahkan; lihat sertifikat / destroyed, see the certificate"
        case State.EMPTY:
            return recording.id, "-", "tidak ada suara / there was no sound, and none is missing"
        case State.LOST:
            return recording.id, "-", f"tidak ada suara / there is no sound: {recording.problem or ''}"
    return recording.id, "-", "belum disegel; minta lagi nanti / not sealed yet: ask again later"


def _fault(export: Export, recording: Recording) -> str:
    missing, damaged = export.missing.get(recording.id), export.damaged.get(recording.id)
    return ". ".join(
        filter(
            None,
            (
                missing and f"suara tidak dapat dibaca / the sound cannot be read: {missing}",
                damaged and f"RUSAK, keasliannya tidak terbukti / DAMAGED, not as it was when it was kept: {damaged}",
            ),
        )
    )


# ---------------------------------------------------------------- how to check


def name_of_key(pem: bytes) -> str:
    """The file of a public key that the centre had before."""
    return f"public-{hashlib.sha256(pem).hexdigest()[:16]}.pem"


def readme_text(export: Export, public: bytes, signers: Mapping[str, bytes]) -> str:
    """`signers` are the keys of the days that a key signed which the centre had before, by the day's folder."""
    return as_text(list(_readme(export, public, signers)))


def readme_html(export: Export, public: bytes, signers: Mapping[str, bytes]) -> str:
    return as_html("112: cara memeriksa / how to check", list(_readme(export, public, signers)))


def _readme(export: Export, public: bytes, signers: Mapping[str, bytes]) -> Iterator[Block]:
    yield Heading("Rekaman panggilan 112 / Recordings of 112 calls", 1)
    yield Rows(
        ("Keterangan / what", ""),
        [
            ("Diserahkan kepada / handed to", export.recipient),
            ("Alasan / reason", export.reason),
            ("Oleh / by", export.by),
            ("Pada / at", export.there(export.at)),
        ],
    )
    yield Rows(
        ("Panggilan / call", "Halaman / page", "Rekaman / recordings"),
        [
            (each.call.id, f"calls/{each.name}.html", ", ".join(own.id for own in each.recordings) or "-")
            for each in export.calls
        ],
    )
    yield from _faults(export)
    yield Words(
        "Bukalah terminal di folder ini. Setiap perintah di bawah berhasil bila tidak ada yang diubah: sha256sum "
        "menulis OK, openssl menulis Signature Verified Successfully, grep menulis 1 atau lebih (0 berarti "
        "tidak cocok). Yang dibutuhkan hanya sha256sum "
        "dan openssl (versi 3), tanpa perangkat lunak 112.",
    )
    yield Words(
        "Open a terminal in this folder. Each command below succeeds where nothing was changed: sha256sum says OK, "
        "openssl says Signature Verified Successfully, grep says 1 or more (0 means that it "
        "does not fit). All that it takes is sha256sum and openssl "
        "(version 3), and nothing of 112's own software.",
        "en",
    )
    yield from _handed_out(public)
    yield from _sealed(export, signers)
    yield from _limits()


def _faults(export: Export) -> Iterator[Block]:
    if not export.faulty:
        return
    yield Heading("Tidak utuh / Not whole")
    yield Words(
        "Rekaman berikut rusak atau tidak dapat dibaca. Berkas yang tidak sama dengan saat disegel tidak diserahkan, "
        "dan tidak ada perintah di bawah untuknya."
    )
    yield Words(
        "These recordings are damaged or cannot be read. A file that is not what it was when it was sealed is not "
        "handed out, and no command below is about it.",
        "en",
    )
    yield Rows(
        ("Rekaman / recording", "Keadaan / state"),
        [(own.id, _fault(export, own)) for own in export.recordings if own.id in export.faulty],
    )


def _handed_out(public: bytes) -> Iterator[Block]:
    yield Heading("1. Tidak ada yang berubah sejak diserahkan / Nothing was changed since it was handed out")
    yield Commands(("sha256sum --check --strict SHA256SUMS", _VERIFY.format(key=PUBLIC, file="SHA256SUMS")))
    yield Words(
        "Perintah pertama membandingkan setiap berkas dengan daftar SHA256SUMS; berkas yang berubah satu bit pun "
        "disebut namanya. Perintah kedua membuktikan bahwa daftar itu ditandatangani dengan kunci pusat 112 ini."
    )
    yield Words(
        "The first holds each file against the list SHA256SUMS: one that differs in a single bit is named. The second "
        "proves that this list was signed with the key of this 112 centre.",
        "en",
    )
    yield Commands((_is_key(public, PUBLIC),))
    yield Words(
        "Bandingkan angka dalam perintah itu dengan yang diumumkan pusat 112 lewat jalan lain (surat, telepon, "
        "kunjungan): hanya dengan begitu diketahui bahwa kuncinya benar milik pusat itu."
    )
    yield Words(
        "Compare the number in this command with the one that the 112 centre tells you in another way (a letter, a "
        "call, a visit): only that shows that the key is the centre's own.",
        "en",
    )


def _sealed(export: Export, signers: Mapping[str, bytes]) -> Iterator[Block]:
    yield Heading("2. Suara sama dengan saat disegel / The sound is as it was sealed")
    yield Words(
        "Untuk setiap rekaman: hash suara tercantum dalam manifesnya, dan hash manifes (atau sertifikat pemusnahan) "
        "tercantum dalam rantai hari itu. Manifes memuat waktu, panjang, dan hash suara mentah."
    )
    yield Words(
        "For each recording: the hash of the sound stands in its manifest, and that of the manifest (or of the "
        "certificate of destruction) in the chain of its day. The manifest holds times, lengths and the hash of the "
        "raw sound.",
        "en",
    )
    folders: dict[str, str] = {}
    for recording in export.recordings:
        if recording.state not in ENDINGS:
            continue
        folder = f"recordings/{folder_of(recording)}"
        signer = signers.get(folder_of(recording))
        folders[folder] = PUBLIC if signer is None else name_of_key(signer)
        file = f"{folder}/{recording.id}"
        ending = MANIFEST if recording.state is State.SEALED else CERTIFICATE
        name = f"{recording.id}{ending}"
        if paper_of(recording, ending) in export.left_out:
            continue
        lines = [_grep(f'"file": "{name}", "sha256": "', f"{folder}/{name}", f"{folder}/chain.jsonl")]
        if recording.state is State.SEALED and sound_of(recording) not in export.left_out:
            lines.insert(0, _grep('"sha256": "', f"{file}.ogg", f"{file}.json"))
        yield Commands(tuple(lines))
    yield Heading("3. Rantai setiap hari utuh / The chain of each day is whole")
    yield Words(
        "Setiap baris rantai memuat hash baris sebelumnya; kepala rantai memuat hash baris terakhir dan "
        "ditandatangani. Jadi tidak ada rekaman hari itu yang dapat diubah, dibuang atau disisipkan tanpa ketahuan."
    )
    yield Words(
        "Each line of the chain holds the hash of the line before; the head holds the hash of the last one, and is "
        "signed. So no recording of that day can be changed, taken out or put in without being noticed.",
        "en",
    )
    older = sorted(set(signers.values()))
    if older:
        yield Words(
            "Sebagian hari ditandatangani dengan kunci yang dahulu dipakai pusat ini. Kunci itu tercantum dalam "
            "SHA256SUMS, yang ditandatangani dengan kunci sekarang; bandingkan juga angkanya seperti di atas."
        )
        yield Words(
            "Some days were signed with a key that this centre had before. It stands in SHA256SUMS, which is signed "
            "with the key of now; compare its number, too, as above.",
            "en",
        )
        yield Commands(tuple(_is_key(pem, name_of_key(pem)) for pem in older))
    for folder, key in folders.items():
        yield Commands((_VERIFY.format(key=key, file=f"{folder}/chain.head"), *_whole(folder)))


def _is_key(pem: bytes, file: str) -> str:
    return f"echo '{hashlib.sha256(pem).hexdigest()}  {file}' | sha256sum --check"


def _grep(before: str, file: str, other: str) -> str:
    """The command that succeeds where the file's hash, after these words, stands in the other file."""
    words = before.replace('"', '\\"')
    return f'grep -cF "{words}$(sha256sum < {file} | cut -c 1-64)\\"" {other}'


def _whole(folder: str) -> tuple[str, str]:
    """The commands that succeed where each line of the chain holds the hash of the one before, and the head the last
    one's. The first line names the last one of an earlier day, which need not be here."""
    follows = 'case "$line" in *"\\"previous\\": \\"$before"*) ;; *) exit 1 ;; esac'
    hashed = "before=$(printf '%s\\n' \"$line\" | sha256sum | cut -c 1-64)"
    return (
        f"(before=; while IFS= read -r line; do {follows}; {hashed}; done < {folder}/chain.jsonl) && echo OK",
        f'grep -cF "\\"last\\": \\"$(tail -n 1 {folder}/chain.jsonl | sha256sum | cut -c 1-64)\\"" {folder}/chain.head',
    )


def _limits() -> Iterator[Block]:
    yield Heading("Yang tidak dibuktikan / What this does not prove")
    yield Words(
        "Siapa yang memegang kunci tanda tangan pusat dapat menulis masa lalu yang lain. Kepala rantai yang "
        "disimpan di tempat lain menunjukkannya. Riwayat panggilan berasal dari basis data pusat dan hanya "
        "dilindungi oleh SHA256SUMS sejak penyerahan ini."
    )
    yield Words(
        "Whoever holds the centre's signing key could write another past; a chain.head that was kept elsewhere "
        "shows it. The history of the calls comes from the centre's database, and is protected by SHA256SUMS from this "
        "handing out on.",
        "en",
    )
