"""Tones are told from each other, from speech-like sound and from silence, before and after a telephone line."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.probe import tones

SECOND = tones.SAMPLE_RATE_HZ


@given(st.integers(-32635, 32635))
def test_a_sample_comes_back_from_mulaw_nearly_as_it_was(sample: int) -> None:
    [back] = tones.decode_ulaw(tones.encode_ulaw([sample]))
    assert abs(back - sample) <= 4 + abs(sample) / 16  # the smallest step is 8


def test_every_mulaw_code_survives_the_way_there_and_back() -> None:
    codes = bytes(range(256))
    back = tones.encode_ulaw(tones.decode_ulaw(codes))
    # there are two codes for silence
    assert [code for code in codes if back[code] != code] == [0x7F]


def test_the_known_ends_of_the_scale_are_those_of_the_recommendation() -> None:
    assert tones.decode_ulaw(b"\x00\x80\x7f\xff") == [-32124, 32124, 0, 0]


def test_a_sine_has_half_its_amplitude_squared_as_power() -> None:
    assert tones.power(tones.sine(700, tones.WINDOW_SAMPLES), 700) == pytest.approx(tones.AMPLITUDE**2 / 2, rel=0.001)


@pytest.mark.parametrize(("made_hz", "other_hz"), [(700.0, 1100.0), (1100.0, 700.0)])
def test_a_tone_over_a_telephone_line_is_found_and_the_other_is_not(made_hz: float, other_hz: float) -> None:
    heard = tones.decode_ulaw(tones.encode_ulaw(tones.sine(made_hz, SECOND)))
    assert tones.seconds_of(heard, made_hz) == pytest.approx(1)
    assert tones.seconds_of(heard, other_hz) == 0


@pytest.mark.parametrize("ringing_hz", [350, 425, 440, 950, 1330, 1400, 1800])
def test_no_tone_that_asterisk_makes_is_taken_for_the_probes(ringing_hz: int) -> None:
    ringing = tones.sine(ringing_hz, SECOND)
    assert tones.seconds_of(ringing, tones.CALLER_HZ) == tones.seconds_of(ringing, tones.OPERATOR_HZ) == 0


def test_noise_and_silence_hold_no_tone() -> None:
    dice = random.Random(112)
    noise = [dice.randrange(-8000, 8000) for _ in range(SECOND)]
    for sound in (noise, [0] * SECOND, [], tones.sine(700, SECOND, amplitude=20)):
        assert tones.seconds_of(sound, tones.CALLER_HZ) == 0


def test_a_tone_as_loud_as_the_speech_over_it_is_still_found() -> None:
    both = [a + b for a, b in zip(tones.sine(700, SECOND), tones.sine(300, SECOND, amplitude=5000), strict=True)]
    assert tones.seconds_of(both, 700) == pytest.approx(1)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40))
def test_an_ear_hears_the_same_however_the_sound_is_cut(sizes: list[int]) -> None:
    sound = tones.sine(tones.CALLER_HZ, sum(sizes))
    ear, start = tones.Ear(tones.CALLER_HZ), 0
    for size in sizes:
        ear.hear(sound[start : start + size])
        start += size
    assert math.isclose(ear.heard_s, tones.seconds_of(sound, tones.CALLER_HZ), abs_tol=1e-9)


def test_pieces_of_a_sine_fit_together() -> None:
    whole = tones.sine(700, 480)
    assert whole == [sample for start in (0, 160, 320) for sample in tones.sine(700, 160, start=start)]
