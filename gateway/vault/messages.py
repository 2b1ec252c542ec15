"""What the gateway and the vault's worker say to each other: one line of JSON each, over the worker's standard input
and output.

Counterparts: `worker_link.py` asks, `worker.py` answers.

    → {"settings": {…}}                                 first of all
    ← {"ready": {"pid": 4711, "version": "0.1.0"}}
    ← {"id": 0, "at": "here"}                           each second, whatever else it does
    → {"id": 1, "job": "seal", "recording": {…}}
    ← {"id": 1, "at": "converting"}                     now and then, while it works
    ← {"id": 1, "more": [["112-1.0", …], …]}            a long list, piece by piece
    ← {"id": 1, "done": {…}}  or  {"id": 1, "unsealable": "why", "is_lost": false}  or  {"id": 1, "away": "why"}
      with "is_hindered": true where that is one file or folder that it may not touch
"""

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from gateway.domain.recordings import Kind, Recording, Seal, State
from gateway.ports import LyingFile, Sealed

HERE = {"id": 0, "at": "here"}
"""That it lives; no question has that number."""
MOST_LINE_BYTES = 1024 * 1024
MOST_FILES = 200
"""In one line: of a longer list there are more."""
MOST_RECORDINGS = 50
"""In one line of those whose raw sound is to be discarded."""


_RECORDING, _SEAL = (tuple(field.name for field in fields(kind)) for kind in (Recording, Seal))


def of_recording(recording: Recording) -> dict[str, Any]:
    told = {name: _plain(getattr(recording, name)) for name in _RECORDING if name != "seal"}
    seal = recording.seal
    told["seal"] = None if seal is None else {name: _plain(getattr(seal, name)) for name in _SEAL}
    return told


def recording(told: dict[str, Any]) -> Recording:
    seal = told["seal"]
    return Recording(
        **{
            **told,
            "kind": Kind(told["kind"]),
            "state": State(told["state"]),
            "started_at": _at(told["started_at"]),
            "ended_at": _maybe_at(told["ended_at"]),
            "problem_at": _maybe_at(told["problem_at"]),
            "try_at": _maybe_at(told["try_at"]),
            "destroyed_at": _maybe_at(told["destroyed_at"]),
            "faults": tuple(told["faults"]),
            "seal": None if seal is None else _seal(seal),
        }
    )


def of_sealed(sealed: Sealed) -> dict[str, Any]:
    return {key: _plain(value) for key, value in asdict(sealed).items()}


def sealed(told: dict[str, Any]) -> Sealed:
    levels = told["left_dbfs"], told["right_dbfs"]
    return Sealed(_seal(told["seal"]), told["sound_s"], *levels, tuple(told["faults"]))


def of_file(file: LyingFile) -> list[Any]:
    return [file.id, file.file, file.bytes, file.changed_at.isoformat(), file.is_sealed]


def file(told: list[Any]) -> LyingFile:
    found_id, name, size_bytes, changed_at, is_sealed = told
    return LyingFile(found_id, name, size_bytes, _at(changed_at), is_sealed)


def _seal(told: dict[str, Any]) -> Seal:
    return Seal(**{**told, "sealed_at": _at(told["sealed_at"])})


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _maybe_at(text: str | None) -> datetime | None:
    return None if text is None else _at(text)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value
