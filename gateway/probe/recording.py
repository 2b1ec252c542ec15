"""What the centre recorded of the probe's call: found by Asterisk's own journal, so that it can be judged without the
gateway, and listened to channel by channel.

Counterparts: `dialplan/emergency.conf` starts the recording and writes its name to the journal (RECORDING).
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gateway.asterisk.record import MAX_RECORD_BYTES, Record, Unreadable, parse, split
from gateway.domain.recordings import SAMPLE_BYTES, SAMPLE_RATE_HZ
from gateway.probe import tones
from gateway.settings import Settings
from gateway.vault.recordings import CALL_CHANNELS

FRAME_BYTES = SAMPLE_BYTES * CALL_CHANNELS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pydub imports audioop, which 3.13 took away (there audioop-lts is it)
    from pydub import AudioSegment

LEAST_TONE_S = 1.0
"""How long each side's tone must be in its channel. Each was sent for about three seconds."""
MOST_CROSSTALK_S = 0.2
"""How long the other side's tone may be there: one window, in which the line was opened."""
MOST_JOURNAL_BYTES = 64 * MAX_RECORD_BYTES


@dataclass(frozen=True, slots=True)
class Entry:
    """What the journal says of the call. `file` is the recording's; None when it was not started."""

    call_id: str
    file: Path | None


class JournalMark:
    """The journal's end at a moment, to read later only what came after it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.journal_dir / "journal.csv"
        self._stood_at = self._now()

    def find(self, sip_call_id: str) -> Entry | None:
        """The call with that Call-ID, if the journal has it by now. Blocking: disk."""
        records = self._records()
        call_id = next((each.linked_id for each in records if each.values.get("sip_call_id") == sip_call_id), None)
        if call_id is None:
            return None
        names = (each.values.get("file") for each in records if each.linked_id == call_id and each.kind == "RECORDING")
        name = next(filter(None, names), None)
        return Entry(call_id, self._settings.paths.recordings / name if name else None)

    def _records(self) -> list[Record]:
        inode, size_bytes = self._now()
        start = self._stood_at[1] if self._stood_at[0] == inode else 0  # the journal was rotated meanwhile
        if size_bytes <= start:
            return []
        with self._path.open("rb") as file:
            file.seek(start)
            lines = file.read(MOST_JOURNAL_BYTES).splitlines()
        found = []
        for part in (part for line in lines for part in split(line)):
            try:
                found.append(parse(part))
            except Unreadable:
                continue  # the gateway's journal reader keeps those and counts them
        return found

    def _now(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return 0, 0
        return status.st_ino, status.st_size


@dataclass(frozen=True, slots=True)
class Channel:
    """One side of the recording: for how long each tone is in it, and its level in dB of full scale."""

    caller_tone_s: float
    operator_tone_s: float
    level_db: float


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording that was listened to. Left is the caller, right is the centre."""

    duration_s: float
    left: Channel
    right: Channel

    @property
    def is_right(self) -> bool:
        """Whether each side is in its own channel, and only there."""
        return (
            self.left.caller_tone_s >= LEAST_TONE_S
            and self.right.operator_tone_s >= LEAST_TONE_S
            and self.left.operator_tone_s <= MOST_CROSSTALK_S
            and self.right.caller_tone_s <= MOST_CROSSTALK_S
        )

    @property
    def said(self) -> str:
        """What is in it, in words."""
        return (
            f"{self.duration_s:.1f} s; left: caller's tone {self.left.caller_tone_s:.1f} s, operator's "
            f"{self.left.operator_tone_s:.1f} s, {self.left.level_db:.0f} dB; right: caller's "
            f"{self.right.caller_tone_s:.1f} s, operator's {self.right.operator_tone_s:.1f} s, "
            f"{self.right.level_db:.0f} dB"
        )

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """Listens to headerless sound as MixMonitor's option D writes it. Blocking: a moment of computing."""
        whole = AudioSegment(
            data=raw[: len(raw) - len(raw) % FRAME_BYTES],
            sample_width=SAMPLE_BYTES,
            frame_rate=SAMPLE_RATE_HZ,
            channels=CALL_CHANNELS,
        )
        left, right = (_listen(side) for side in whole.split_to_mono())
        return cls(len(raw) / FRAME_BYTES / SAMPLE_RATE_HZ, left, right)


def _listen(side: AudioSegment) -> Channel:
    samples = side.get_array_of_samples()
    return Channel(
        tones.seconds_of(samples, tones.CALLER_HZ),
        tones.seconds_of(samples, tones.OPERATOR_HZ),
        float(side.dBFS),
    )
