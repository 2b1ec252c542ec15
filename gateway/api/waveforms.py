"""Waveforms: how loud a recording is from tenth to tenth of a second, as figures and as a picture.

Counterparts: the vault keeps the figures of sealed sound (`gateway/vault/sound_levels.py`); those of raw sound are
worked out here by the same.
"""

import io
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Self

from PIL import Image, ImageDraw
from pydantic import Field

from gateway.api.models import Told
from gateway.domain.recordings import SAMPLE_RATE_HZ
from gateway.vault.playing import RawTrack
from gateway.vault.recordings import NoRecording
from gateway.vault.sound_levels import Meter, waveform

WIDTH, HEIGHT = 1000, 120
"""Of the picture, in pixels: the height is each side's."""
_PAPER, _LINE, _INK = (255, 255, 255), (208, 215, 222), ((11, 87, 176), (155, 60, 10))


class SideModel(Told):
    """One channel."""

    side: Annotated[str, Field(description="caller (the left channel) or centre (the right one).")]
    peaks: Annotated[list[int], Field(description="The largest sample of each window, from 0 to full_scale.")]


class WaveformModel(Told):
    recording_id: str
    window_ms: int
    full_scale: int
    length_s: Annotated[
        float, Field(description="Of the sound, as sound_s of the recording: WAV and MP3 may have silence after it.")
    ]
    channels: list[SideModel]

    @classmethod
    def read(cls, recording_id: str, text: bytes) -> Self:
        """What a waveform's file holds. Raises NoRecording."""
        try:
            document = json.loads(text)
            return cls(
                recording_id=recording_id,
                window_ms=document["window_ms"],
                full_scale=document["full_scale"],
                length_s=document["length_s"],
                channels=[SideModel(**each) for each in document["channels"]],
            )
        except (ValueError, TypeError, KeyError) as error:
            raise NoRecording(f"the waveform of {recording_id} cannot be read") from error


def waveform_of(recording_id: str, track: RawTrack) -> bytes:
    """The waveform of raw sound, as its file would hold it. Blocking: disk. Raises NoRecording."""
    meter = Meter(track.channels)
    for first in range(0, track.frames, SAMPLE_RATE_HZ):
        meter.feed(track.read(first, min(track.frames, first + SAMPLE_RATE_HZ)))
    return waveform(recording_id, meter.heard())


def picture(waveform: WaveformModel) -> bytes:
    """The waveform as PNG: the caller above, the centre below, from the first second at the left to the last one."""
    image = Image.new("RGB", (WIDTH, HEIGHT * len(waveform.channels)), _PAPER)
    draw = ImageDraw.Draw(image)
    for number, side in enumerate(waveform.channels):
        middle = HEIGHT * number + HEIGHT // 2
        draw.line([(0, middle), (WIDTH, middle)], fill=_LINE)
        for x, peak in enumerate(_columns(side.peaks)):
            tall = round(peak / waveform.full_scale * (HEIGHT // 2 - 4))
            if tall:
                draw.line([(x, middle - tall), (x, middle + tall)], fill=_INK[number % len(_INK)])
    if len(waveform.channels) > 1:
        draw.line([(0, HEIGHT), (WIDTH, HEIGHT)], fill=_LINE)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _columns(peaks: Sequence[int]) -> list[int]:
    """The largest peak in each column of the picture."""
    if not peaks:
        return []
    bounds = [x * len(peaks) // WIDTH for x in range(WIDTH + 1)]
    return [max(peaks[start : max(stop, start + 1)]) for start, stop in pairwise(bounds)]
