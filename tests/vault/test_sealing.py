"""Raw sound to what is stored: two voices that stay apart, levels, a waveform, a manifest; and sound that cannot be
sealed, each with its reason and left where it was.

Counterparts: `gateway/vault/sealing.py`, `storing.py`, `opus.py`, `sound_levels.py`. ffmpeg is real.
"""

import array
import errno
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.recordings import Kind, State
from gateway.ports import Unsealable
from gateway.vault import opus, sealing
from gateway.vault.keys import KeyMissing
from gateway.vault.sound_levels import Meter
from tests.vault.sound import CALLER_HZ, CENTRE_HZ, DAY, House, a_recording, decoded, level_db, tones, two_tones


def test_caller_and_centre_stay_apart_by_more_than_40_db(house: House) -> None:
    recording = house.recording(raw=two_tones(2))
    sealed = house.sealer.seal(recording)
    samples = decoded(house.root / sealed.seal.stored)
    left, right = samples[0::2][4000:], samples[1::2][4000:]
    assert len(samples) // 2 == 16_000
    assert level_db(left, CALLER_HZ) - level_db(left, CENTRE_HZ) > 40
    assert level_db(right, CENTRE_HZ) - level_db(right, CALLER_HZ) > 40
    assert abs(level_db(left, CALLER_HZ) - level_db(right, CENTRE_HZ)) < 1


def test_they_stay_apart_in_the_highest_octave_too_where_opus_joins_channels_first(house: House) -> None:
    recording = house.recording(raw=tones(2, 3300, 3600))
    samples = decoded(house.root / house.sealer.seal(recording).seal.stored)
    left, right = samples[0::2][4000:], samples[1::2][4000:]
    assert level_db(left, 3300) - level_db(left, 3600) > 40
    assert level_db(right, 3600) - level_db(right, 3300) > 40


def test_a_message_has_one_channel(house: House) -> None:
    recording = house.recording(raw=tones(1, 600), kind=Kind.MESSAGE)
    sealed = house.sealer.seal(recording)
    assert sealed.seal.stored == f"{DAY}/112-1795600000.1-1-message.ogg"
    assert (sealed.sound_s, sealed.right_dbfs) == (1.0, None)
    samples = decoded(house.root / sealed.seal.stored, channels=1)
    assert level_db(samples[2000:], 600) > -13


def test_the_manifest_tells_lengths_levels_and_hashes_and_nothing_of_the_caller(house: House) -> None:
    lacks = "nothing is heard of the operator in 12.0 s of talk"
    recording = replace(house.recording(raw=tones(0.5, 440, 0, level=16384)), faults=(lacks,))
    sealed = house.sealer.seal(recording)
    document = json.loads((house.day / f"{recording.id}.json").read_text())
    assert document["raw"]["sha256"] == sealed.seal.raw_sha256
    assert document["sound"]["sha256"] == sealed.seal.sound_sha256 == document["stored"]["sha256"]
    assert document["levels_dbfs"] == {"left": pytest.approx(-9.03, abs=0.05), "right": None}
    assert (sealed.left_dbfs, sealed.right_dbfs) == (document["levels_dbfs"]["left"], None)
    assert document["software"]["ffmpeg"] == opus.version()
    assert document["faults"] == [lacks]
    assert not {"caller", "number", "trunk"} & set(document)


def test_the_same_sound_gives_the_same_bytes(house: House) -> None:
    first, second = (house.sealer.seal(house.recording(number)).seal for number in (1, 2))
    assert first.sound_sha256 == second.sound_sha256
    assert (first.entry, second.entry) == (1, 2)


def test_the_waveform_has_the_largest_sample_of_each_tenth_of_a_second() -> None:
    meter = Meter(2)
    for piece in (tones(0.25, 1000, 0, level=20_000), tones(0.1, 0, 1000, level=10_000)):
        meter.feed(piece)
    heard = meter.heard()
    assert [peak // 100 for peak in heard.peaks[0]] == [200, 200, 200, 0]
    assert [peak // 100 for peak in heard.peaks[1]] == [0, 0, 100, 100]
    assert heard.length_s == 0.35


@pytest.mark.parametrize("piece", [7, 641, 70_001])
def test_levels_do_not_depend_on_how_the_sound_comes(piece: int) -> None:
    raw = tones(3, 440, 1000, level=300)
    whole, in_pieces = Meter(2), Meter(2)
    whole.feed(raw)
    for start in range(0, len(raw), piece):
        in_pieces.feed(raw[start : start + piece])
    assert in_pieces.heard() == whole.heard()
    assert whole.heard().levels_dbfs[0] == pytest.approx(-43.8, abs=0.1)


def test_a_constant_is_no_sound_and_does_not_keep_a_recording_from_being_sealed(house: House) -> None:
    raw = array.array("h", [20_000, 0] * 12_000)
    for at in range(0, len(raw), 2):
        raw[at + 1] = 4000 if at % 64 < 32 else -4000
    sealed = house.sealer.seal(house.recording(raw=raw.tobytes()))
    assert (sealed.left_dbfs, sealed.right_dbfs) == (None, pytest.approx(-18.3, abs=0.1))


def test_stored_sound_in_which_a_side_has_gone_silent_is_not_believed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = opus.encode

    def without_right(raw: Iterator[bytes], channels: int, take: Callable[[bytes], object], length_s: float) -> None:
        def silenced() -> Iterator[bytes]:
            for piece in raw:
                samples = array.array("h", piece)
                samples[1::2] = array.array("h", bytes(len(piece) // 2))
                yield samples.tobytes()

        whole(silenced(), channels, take, length_s)

    monkeypatch.setattr(opus, "encode", without_right)
    recording = house.recording()
    with pytest.raises(Unsealable, match="not as loud on the right"):
        house.sealer.seal(recording)
    assert [path.name for path in house.day.iterdir()] == [f"{recording.id}.raw"]


def test_a_file_that_was_cut_within_a_sample_is_sealed_without_that(house: House) -> None:
    recording = house.recording(raw=two_tones(0.5) + b"\1\2\3")
    sealed = house.sealer.seal(recording)
    document = json.loads((house.day / f"{recording.id}.json").read_text())
    assert (sealed.sound_s, document["raw"]["bytes"], document["raw"]["bytes_left_out"]) == (0.5, 16_003, 3)
    house.sealer.discard_raw(replace(recording, seal=sealed.seal))


def test_a_single_sample_is_sealed(house: House) -> None:
    assert house.sealer.seal(house.recording(raw=b"\1\0\2\0")).sound_s == 1 / 8000


@pytest.mark.parametrize(
    ("raw", "why", "is_lost"),
    [
        (b"", "empty", True),
        (b"\1\2", "empty", True),
        (b"RIFF\0\0\0\0WAVEfmt " + bytes(400), "a WAV file", False),
        (b"OggS" + bytes(400), "an Ogg file", False),
    ],
)
def test_sound_that_is_none_is_refused_with_the_reason_and_stays(
    house: House, raw: bytes, why: str, is_lost: bool
) -> None:
    recording = house.recording(raw=raw)
    with pytest.raises(Unsealable, match=why) as refused:
        house.sealer.seal(recording)
    assert refused.value.is_lost == is_lost
    assert [path.name for path in house.day.iterdir()] == [f"{recording.id}.raw"]
    assert (house.root / recording.file).read_bytes() == raw
    house.sealed(2)


@pytest.mark.parametrize("state", [State.EMPTY, State.LOST])
def test_a_file_without_a_byte_does_not_stay_and_one_with_a_byte_does(house: House, state: State) -> None:
    empty = replace(house.recording(raw=b""), state=state)
    house.sealer.discard_raw(empty)
    house.sealer.discard_raw(empty)
    assert list(house.day.iterdir()) == []

    not_empty = replace(house.recording(raw=b"\1"), state=state)
    with pytest.raises(Unsealable, match="not empty"):
        house.sealer.discard_raw(not_empty)
    assert (house.root / not_empty.file).read_bytes() == b"\1"


def test_a_file_that_is_not_there_is_lost(house: House) -> None:
    with pytest.raises(Unsealable, match="not there") as refused:
        house.sealer.seal(a_recording())
    assert refused.value.is_lost


def test_a_file_that_is_longer_than_a_day_is_refused(house: House) -> None:
    recording = house.recording()
    os.truncate(house.root / recording.file, 25 * 3600 * 32_000)  # a hole: it takes no space
    with pytest.raises(Unsealable, match="25 hours"):
        house.sealer.seal(recording)


def test_a_pipe_a_link_and_a_folder_are_no_sound(house: House) -> None:
    recording = a_recording()
    path = house.root / recording.file
    os.mkfifo(path)
    with pytest.raises(Unsealable, match="no ordinary file"):
        house.sealer.seal(recording)
    path.unlink()
    path.symlink_to("/etc/hostname")
    with pytest.raises(Unsealable, match="a link"):
        house.sealer.seal(recording)
    path.unlink()
    path.mkdir()
    with pytest.raises(Unsealable, match="no ordinary file"):
        house.sealer.seal(recording)


def changing(house: House, recording_file: Path, change: str) -> None:
    """From the first step on, the raw file is changed."""
    is_done = threading.Event()

    def tell(step: str) -> None:
        house.steps.append(step)
        if not is_done.is_set():
            is_done.set()
            if change == "vanishes":
                recording_file.unlink()
            else:
                os.truncate(recording_file, 100_000 if change == "shrinks" else 400_000)

    house.sealer._tell = tell


@pytest.mark.parametrize(("change", "why"), [("shrinks", "shorter"), ("grows", "still grows")])
def test_a_file_that_changes_while_it_is_read_is_refused(house: House, change: str, why: str) -> None:
    recording = house.recording(raw=bytes(320_000))
    changing(house, house.root / recording.file, change)
    with pytest.raises(Unsealable, match=why):
        house.sealer.seal(recording)
    assert [path.name for path in house.day.iterdir()] == [f"{recording.id}.raw"]


def test_a_file_that_vanishes_while_it_is_read_is_sealed_all_the_same(house: House) -> None:
    recording = house.recording(raw=bytes(320_000))
    changing(house, house.root / recording.file, "vanishes")
    assert house.sealer.seal(recording).sound_s == 10
    assert house.findings() == []


@pytest.mark.parametrize(
    "file",
    [
        "../../../etc/passwd.raw",
        "/etc/112-1795600000.1.raw",
        "2026/11/26/../26/112-1795600000.1.raw",
        "2026/11/112-1795600000.1.raw",
        "2026/13/41/112-1795600000.1.raw",
        "2026/11/26/112-1795600000.1.ogg",
        "2026/11/26/.112-1795600000.1.raw",
        "2026/11/26/112\n1.raw",
        "2026/11/26/112-1795600000.2.raw",
        "",
    ],
)
def test_a_name_that_leads_out_of_the_vault_or_is_anothers_is_refused(house: House, file: str) -> None:
    with pytest.raises(Unsealable) as refused:
        house.sealer.seal(replace(a_recording(), file=file))
    assert not refused.value.is_lost


def test_a_days_folder_that_is_a_link_out_of_the_vault_is_refused(house: House, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "112-1795600000.1.raw").write_bytes(two_tones(0.1))
    (house.root / "2026/11/25").symlink_to(outside)
    with pytest.raises(Unsealable, match="does not lie in"):
        house.sealer.seal(a_recording(day="2026/11/25"))
    assert os.listdir(outside) == ["112-1795600000.1.raw"]


def test_a_conversion_that_takes_too_long_is_ended_with_the_reason(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opus, "LEAST_LIMIT_S", 0.0)
    monkeypatch.setattr(opus, "SLOWEST_TIMES", 1e9)
    with pytest.raises(Unsealable, match="took longer"):
        house.sealer.seal(house.recording())


def test_the_raw_sound_stays_while_the_stored_one_does_not_agree(house: House) -> None:
    recording = house.recording()
    recording = replace(recording, seal=house.sealer.seal(recording).seal)
    stored = house.day / f"{recording.id}.ogg"
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1])
    with pytest.raises(Unsealable, match="stored sound"):
        house.sealer.discard_raw(recording)
    stored.unlink()
    with pytest.raises(Unsealable, match="stored sound"):
        house.sealer.discard_raw(recording)
    stored.write_bytes(whole)
    assert recording.seal is not None
    with pytest.raises(Unsealable, match="says otherwise"):
        house.sealer.discard_raw(replace(recording, seal=replace(recording.seal, manifest_sha256="0" * 64)))
    raw = house.root / recording.file
    raw.write_bytes(raw.read_bytes() + bytes(4))
    with pytest.raises(Unsealable, match="written to, since"):
        house.sealer.discard_raw(recording)
    assert raw.exists()
    raw.write_bytes(two_tones())
    house.sealer.discard_raw(recording)
    assert not raw.exists()
    house.sealer.discard_raw(recording)


@pytest.mark.parametrize("what", ["a WAV file", "empty", "a link", "no ordinary file", "cannot be read"])
def test_whatever_lies_beside_a_sealed_recording_does_not_unseal_it(
    house: House, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    recording = house.sealed()
    raw = house.root / recording.file
    match what:
        case "a WAV file":
            raw.write_bytes(b"RIFF" + bytes(400))
        case "a link":
            raw.symlink_to("/etc/hostname")
        case "no ordinary file":
            raw.mkdir()
        case _:
            raw.write_bytes(b"" if what == "empty" else bytes(400))
    if what == "cannot be read":  # beyond what is looked at first

        def bad_sector(_: Path) -> str:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(sealing, "sha256_of_file", bad_sector)
    with pytest.raises(Unsealable, match=what) as refused:
        house.sealer.discard_raw(recording)
    assert (refused.value.is_sealed, refused.value.is_lost) == (True, False)
    assert os.path.lexists(raw)


def test_what_was_destroyed_is_not_sealed_again(house: House) -> None:
    recording = house.sealed()
    name = house.destroyer.destroy(recording, "a year", house.now).certificate
    assert name == f"{DAY}/{recording.id}.destroyed.json"
    assert house.destroyer.destroy(recording, "another", house.now).certificate == name
    assert json.loads((house.root / name).read_text())["rule"] == "a year"
    house.recording()
    with pytest.raises(Unsealable, match="destroyed"):
        house.sealer.seal(recording)


def test_a_certificate_that_came_before_the_destruction_does_not_stand_for_it(house: House) -> None:
    recording = house.sealed()
    certificate = {"format": "gateway112-destruction-1", "recording": recording.id}
    (house.day / f"{recording.id}.destroyed.json").write_text(json.dumps(certificate))
    house.destroyer.destroy(recording, "a year", house.now)
    assert not list(house.day.glob("*.ogg"))


def test_of_what_was_never_sealed_the_certificate_tells_what_lay_there(house: House) -> None:
    recording = house.recording()
    certificate = house.root / house.destroyer.destroy(recording, "a year", house.now).certificate
    told = json.loads(certificate.read_text())
    assert told["manifest"] is None
    assert told["destroyed"] == [
        {"file": f"{recording.id}.raw", "bytes": 32_000, "sha256": hashlib.sha256(two_tones()).hexdigest()}
    ]
    assert not (house.root / recording.file).exists()


def test_where_nothing_lies_nothing_is_destroyed_but_of_what_was_lost(house: House) -> None:
    recording = a_recording()
    with pytest.raises(Unsealable, match="not sealed, and its raw sound is not there"):
        house.destroyer.destroy(recording, "a year", house.now)
    lost = replace(recording, state=State.LOST)
    certificate = house.root / house.destroyer.destroy(lost, "a year", house.now).certificate
    assert json.loads(certificate.read_text())["destroyed"] == []


def test_without_the_signing_key_nothing_is_signed_by_a_new_one(house: House) -> None:
    house.sealed()
    house.signing.private_file.unlink()
    house.start()
    with pytest.raises(KeyMissing, match="put it back from"):
        house.sealer.seal(house.recording(2))
    assert (house.root / a_recording(2).file).exists()


def test_a_key_that_was_lost_for_good_still_vouches_for_what_it_signed(house: House) -> None:
    old = house.sealed()
    house.signing.private_file.unlink()
    house.signing.public_file.rename(house.keys / "until-2026-11.pub.pem")
    house.start()
    assert house.findings() == []
    house.destroyer.destroy(old, "a year", house.now)
    house.sealed(2)
    assert house.findings() == []
    (house.keys / "until-2026-11.pub.pem").unlink()
    assert house.findings() == []  # the day's head is the new key's by now
