"""What is written down of a recording in its day's folder: a manifest when it is sealed, a certificate when it is
destroyed. JSON that people read, with nothing in it that a caller could be known by.

Counterparts: `sealing.py` and `destruction.py` write them, `chain.py` links them, `verify.py` reads them again.

Each is signed in itself, together with the name that it will have. What the chain holds needs no such proof; it is for
what a crash has left before the chain: only what this vault wrote is taken up again, and never what somebody put there.
"""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from gateway import __version__
from gateway.domain.recordings import SAMPLE_RATE_HZ, Recording, Seal
from gateway.ports import Sealed
from gateway.vault.sound_levels import Heard
from gateway.vault.storing import Stored

MANIFEST_FORMAT = "gateway112-recording-1"
CERTIFICATE_FORMAT = "gateway112-destruction-1"


class NoManifest(Exception):
    """It is not a manifest of this software, or not of that recording; the message says why."""


def write(document: Mapping[str, Any]) -> bytes:
    """A document as its file holds it."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read(data: bytes, recording_id: str, format_: str = MANIFEST_FORMAT) -> dict[str, Any]:
    """The document of that recording. Raises NoManifest."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise NoManifest("it is not JSON") from None
    if not isinstance(document, dict) or document.get("format") != format_:
        raise NoManifest(f"it is not of the format {format_}")
    if document.get("recording") != recording_id:
        raise NoManifest(f"it is that of {document.get('recording')}")
    return document


def signed(document: Mapping[str, Any], name: str, sign: Callable[[bytes], bytes]) -> dict[str, Any]:
    """The document with its proof: the signature of all else in it and of the name, `2026/11/26/112-1.0.json`."""
    return {**document, "signature": base64.b64encode(sign(_to_sign(document, name))).decode()}


def is_signed(document: Mapping[str, Any], name: str, has_signed: Callable[[bytes, bytes], bool]) -> bool:
    """Whether this vault wrote that document, to have that name."""
    rest = {key: value for key, value in document.items() if key != "signature"}
    try:
        return has_signed(_to_sign(rest, name), base64.b64decode(str(document.get("signature")), validate=True))
    except (ValueError, RecursionError):  # it is nested deeper than any of this vault's, or holds what is no base64
        return False


def _to_sign(document: Mapping[str, Any], name: str) -> bytes:
    # begins unlike whatever else this key signs, so that no signature stands for another thing
    return f"gateway112-written-1 {name}\n".encode() + write(document)


def manifest(
    recording: Recording, heard: Heard, stored: Stored, peaks: tuple[str, str], at: datetime, ffmpeg: str
) -> dict[str, Any]:
    """The manifest of a recording that was just stored. `peaks` are the name and the SHA-256 of its waveform."""
    is_boxed = stored.key is not None
    return {
        "format": MANIFEST_FORMAT,
        "recording": recording.id,
        "kind": recording.kind.value,
        "call": recording.call_id,
        "dial": recording.dial_id,
        "started_at": _time(recording.started_at),
        "ended_at": _time(recording.ended_at),
        "expected_s": recording.expected_s,
        "faults": list(recording.faults),
        "sealed_at": _time(at),
        "raw": {
            "file": _name(recording.file),
            "bytes": heard.bytes,
            "sha256": heard.sha256,
            "samples": "16 bit signed little-endian",
            "rate_hz": SAMPLE_RATE_HZ,
            "channels": recording.channels,
            "length_s": round(heard.length_s, 6),
            "bytes_left_out": heard.bytes_left_out,
        },
        "sound": {
            "codec": "Opus",
            "container": "Ogg",
            "bit_rate": stored.bit_rate,
            "channels": recording.channels,
            "sides": ["caller"] if recording.channels == 1 else ["caller", "centre"],
            "bytes": stored.sound_bytes,
            "sha256": stored.sound_sha256,
            "length_s": round(stored.length_s, 6),
        },
        "stored": {
            "file": _name(stored.name),
            "bytes": stored.bytes,
            "sha256": stored.sha256,
            "encryption": "AES-256-GCM" if is_boxed else None,
            "key": stored.key,
        },
        "waveform": {"file": peaks[0], "sha256": peaks[1]},
        "levels_dbfs": {"left": heard.levels_dbfs[0], "right": heard.levels_dbfs[1]},
        "software": {"gateway112": __version__, "ffmpeg": ffmpeg},
    }


def of_unsealed(recording: Recording) -> dict[str, Any]:
    """What is known of a recording that was never sealed, for its certificate."""
    return {
        "recording": recording.id,
        "kind": recording.kind.value,
        "call": recording.call_id,
        "dial": recording.dial_id,
        "started_at": _time(recording.started_at),
    }


def sealed(document: Mapping[str, Any], stored: str, manifest_sha256: str, entry: int) -> Sealed:
    """What sealing came to, as the manifest tells it. `stored` is the sound's name on the shelf. Raises NoManifest
    where it lacks something."""
    try:
        seal = Seal(
            sealed_at=datetime.fromisoformat(document["sealed_at"]),
            stored=stored,
            stored_bytes=int(document["stored"]["bytes"]),
            sound_sha256=document["sound"]["sha256"],
            raw_sha256=document["raw"]["sha256"],
            manifest_sha256=manifest_sha256,
            entry=entry,
            key=document["stored"]["key"],
        )
        levels = document["levels_dbfs"]
        faults = tuple(str(each) for each in document.get("faults", ()))
        return Sealed(seal, float(document["raw"]["length_s"]), levels["left"], levels["right"], faults)
    except (KeyError, TypeError, ValueError) as error:
        raise NoManifest(f"it lacks {error}") from None


def certificate(
    document: Mapping[str, Any], manifest_sha256: str | None, destroyed: list[dict[str, Any]], rule: str, at: datetime
) -> dict[str, Any]:
    """The certificate of a destruction: what, when, under which rule."""
    return {
        "format": CERTIFICATE_FORMAT,
        "recording": document["recording"],
        "kind": document["kind"],
        "call": document["call"],
        "dial": document["dial"],
        "started_at": document["started_at"],
        "destroyed_at": _time(at),
        "rule": rule,
        "manifest": named(document["recording"], manifest_sha256),
        "destroyed": destroyed,
        "software": {"gateway112": __version__},
    }


def named(recording_id: str, manifest_sha256: str | None) -> dict[str, str] | None:
    """How a certificate names the manifest; None where there was none."""
    return None if manifest_sha256 is None else {"file": f"{recording_id}.json", "sha256": manifest_sha256}


def _name(file: str) -> str:
    return file.rpartition("/")[2]


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
