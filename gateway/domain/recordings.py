"""Recordings: each file of sound that the centre writes, from its first second to the day on which it is destroyed.

Counterparts: the dialplan writes the sound, `gateway/vault/` seals it and destroys it; `gateway/centre.py` has this
record follow the call (`domain/evidence.py` says how), and `gateway/evidence.py` looks at what is over.

    running ──> over ──> sealed ──> destroyed
                 ├──> empty          (there was no sound, and there should be none)
                 └──> lost           (there should be sound, and none can be kept; also a sealed one that is gone)
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath

SAMPLE_RATE_HZ, SAMPLE_BYTES = 8000, 2
CALL_SUFFIX, MESSAGE_SUFFIX = ".raw", ".sln"
"""Of raw sound: two channels, and one."""
MOST_ROUNDS = 20
"""So many rounds back a call's messages are looked for: each takes a minute and more."""


class Kind(StrEnum):
    """What is heard in it."""

    CALL = "call"
    """A call to 112, from before the trunk's answer to the end: caller left, centre right."""
    MESSAGE = "message"
    """What a caller left in the fallback: one channel."""
    CALLBACK = "callback"
    """A call back to somebody whom nobody heard: he left, the operator right."""
    STRAY = "stray"
    """A file that belongs to nothing that the centre knows."""


class State(StrEnum):
    """Where it is on its way."""

    RUNNING = "running"
    """Sound is being written."""
    OVER = "over"
    """Nothing is added any more; the raw sound waits to be sealed."""
    SEALED = "sealed"
    """It lies in the vault, and the raw sound is gone."""
    EMPTY = "empty"
    """There was no sound, and nothing is missing: the caller left before 112 answered, or left no word."""
    LOST = "lost"
    """There is nothing that could be kept, and there should be; `problem` says why."""
    DESTROYED = "destroyed"
    """Its time had come; a certificate says under which rule."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What is known of sealed sound. The hashes are SHA-256 in hexadecimal; the manifest holds the same and is part of
    its day's chain."""

    sealed_at: datetime
    stored: str
    """The sound in the vault, relative to it: `2026/11/26/112-1.0.ogg`."""
    stored_bytes: int
    sound_sha256: str
    """Of the Ogg file, before any encryption at rest."""
    raw_sha256: str
    manifest_sha256: str
    entry: int
    """Its number in its day's chain, from 1 on."""
    key: str | None = None
    """Which key of the ring it is encrypted with; None where it is not."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of sound. Times are UTC, lengths seconds, levels dB below full scale (None: digital silence, or not
    measured yet)."""

    id: str
    """The file's name without its ending: `112-1795476254.0`, `112-1795476254.0-1-message`, `callback-1f3a`."""
    kind: Kind
    file: str
    """The raw sound, relative to the recordings' folder."""
    started_at: datetime
    call_id: str | None = None
    dial_id: str | None = None
    """Of a callback's recording: which of its dials."""
    state: State = State.RUNNING
    ended_at: datetime | None = None
    expected_s: float | None = None
    """How long it should be: from the trunk's answer to the end, 0 where nobody answered. None where nobody knows."""
    talk_s: float | None = None
    """How long the caller had a person on the line; None while it runs, and where that means nothing."""
    sound_s: float | None = None
    """How much sound there is; None until it was looked at after its end."""
    left_dbfs: float | None = None
    right_dbfs: float | None = None
    seal: Seal | None = None
    problem: str | None = None
    """What is wrong with it now, in plain words; None where nothing is. What keeps it from being sealed is over once it
    is."""
    problem_at: datetime | None = None
    """When that was found."""
    faults: tuple[str, ...] = ()
    """What its sound lacks, as it was found when that was looked at, in plain words: it stays so, whatever else comes
    and goes."""
    tries: int = 0
    """How often it was tried to seal it, and failed."""
    try_at: datetime | None = None
    """Not before then it is tried again; None: at any time."""
    destroyed_at: datetime | None = None
    """Of one that is not destroyed: when that was begun, and nobody knows yet what came of it."""
    certificate: str | None = None
    """Which certificate tells of its destruction."""

    @property
    def channels(self) -> int:
        return 1 if self.file.endswith(MESSAGE_SUFFIX) else 2


def message_ids(file: str) -> list[str]:
    """The ids of all messages that may have been left in a call, by the raw file of its last one: one in each round."""
    last = recording_id(file)
    call_id, _, number = last.removesuffix("-message").rpartition("-")
    if not call_id or not number.isdigit():
        return [last]
    first = max(0, int(number) - MOST_ROUNDS)
    return [f"{call_id}-{each}-message" for each in range(first, int(number) + 1)]


def recording_id(file: str) -> str:
    """A recording's id, by its raw file."""
    return PurePosixPath(file).stem
