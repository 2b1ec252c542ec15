"""A recording is judged by its sound, and found by the journal alone."""

import struct
from pathlib import Path

from gateway.probe import tones
from gateway.probe.recording import JournalMark, Sound
from gateway.settings import Settings

SECONDS = 3 * tones.SAMPLE_RATE_HZ
CALLER = tones.sine(tones.CALLER_HZ, SECONDS)
OPERATOR = tones.sine(tones.OPERATOR_HZ, SECONDS)
SILENCE = [0] * SECONDS


def recorded(left: list[int], right: list[int]) -> Sound:
    return Sound.of(b"".join(struct.pack("<hh", *pair) for pair in zip(left, right, strict=True)))


def test_each_side_in_its_own_channel_is_right() -> None:
    sound = recorded(CALLER, OPERATOR)
    assert sound.is_right
    assert sound.duration_s == 3
    assert round(sound.left.level_db) == round(sound.right.level_db) == -15


def test_swapped_mixed_or_silent_channels_are_wrong() -> None:
    mixed = [a + b for a, b in zip(CALLER, OPERATOR, strict=True)]
    for left, right in ((OPERATOR, CALLER), (mixed, mixed), (CALLER, SILENCE), (SILENCE, OPERATOR), (CALLER, CALLER)):
        assert not recorded(left, right).is_right


def test_a_recording_that_is_empty_or_torn_in_a_frame_is_listened_to_as_far_as_it_goes() -> None:
    assert not Sound.of(b"").is_right
    assert Sound.of(b"\0" * 5).duration_s < 0.001


def record(kind: str, call_id: str, extra: str) -> str:
    return f"CEL1,1795479225.473082,{kind},{kind},{call_id},{call_id},PJSIP%2Fprobe-1,,,112,,{extra}\n"


def arrived(call_id: str, sip_call_id: str) -> str:
    return record("ARRIVED", call_id, f"%7B%22extra%22%3A%22trunk%3Dprobe%26sip_call_id%3D{sip_call_id}%22%7D")


def recording(call_id: str) -> str:
    return record("RECORDING", call_id, f"%7B%22extra%22%3A%22file%3D2026%252F11%252F24%252F{call_id}.raw%22%7D")


def journal(settings: Settings) -> Path:
    settings.journal_dir.mkdir(parents=True)
    return settings.journal_dir / "journal.csv"


def test_the_journal_names_the_recording_of_the_call_with_that_call_id(nowhere: Settings) -> None:
    file = journal(nowhere)
    file.write_text(arrived("112-1.0", "probe-a"))
    mark = JournalMark(nowhere)
    assert mark.find("probe-b") is None
    with file.open("a") as journal_file:
        journal_file.write("torn" + arrived("112-2.0", "other") + arrived("112-3.0", "probe-b") + "no record\n")
        journal_file.write(recording("112-2.0") + recording("112-3.0"))
    found = mark.find("probe-b")
    assert found is not None
    assert found.call_id == "112-3.0"
    assert found.file == nowhere.paths.recordings / "2026/11/24/112-3.0.raw"
    assert mark.find("probe-a") is None  # it stood there before the mark


def test_a_journal_that_begins_or_is_rotated_after_the_mark_is_read_from_its_start(nowhere: Settings) -> None:
    file = journal(nowhere)
    mark = JournalMark(nowhere)
    file.write_text(arrived("112-1.0", "probe-a"))
    assert mark.find("probe-a") is not None
    later = JournalMark(nowhere)
    file.rename(file.with_suffix(".csv.1"))
    file.write_text(arrived("112-2.0", "probe-b"))
    found = later.find("probe-b")
    assert found is not None
    assert found.file is None
