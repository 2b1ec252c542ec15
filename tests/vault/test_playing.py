"""Any part of a recording, as samples or in another form: what is heard, and what becomes of ffmpeg."""

import array
import asyncio
import contextlib
import math
import os
import random
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.recordings import SAMPLE_RATE_HZ, Kind, State
from gateway.vault.conversion import Unplayable
from gateway.vault.ogg import NoOgg, Readable, place_before
from gateway.vault.playing import THREADS, Form, Player, RawTrack, StoredTrack, TooManyPlay
from gateway.vault.recordings import NoRecording, Recordings, wav_header
from gateway.vault.shelf import ShelfAway
from gateway.vault.sounds import Sounds
from tests.vault.sound import CALLER_HZ, CENTRE_HZ, House, decoded, level_db, two_tones

LONG_S = 12.0
_BY_CHANCE = random.Random(112)


def babble(seconds: float) -> bytes:
    """Sound in which no second is like another, so that each part has one place only."""
    sound, last = array.array("h"), 0.0
    for n in range(round(seconds * SAMPLE_RATE_HZ)):
        last = 0.9 * last + _BY_CHANCE.gauss(0, 1500) * abs(math.sin(n / 2700))
        sound.extend((round(max(-30000, min(30000, last))), round(8000 * math.sin(n / 5 + 3 * math.sin(n / 4000)))))
    return sound.tobytes()


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "in a box"])
def sealed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StoredTrack:
    return track_of(House(tmp_path_factory.mktemp("vault"), is_encrypted=request.param), babble(LONG_S))


@pytest.fixture
async def player() -> AsyncIterator[Player]:
    playing = Player()
    yield playing
    await playing.close()


def track_of(house: House, raw: bytes, *, silent_s: float = 0.0, **what: object) -> StoredTrack:
    """That sound, sealed, with so much silence after it."""
    made = house.recording(1, raw, **what)
    found = house.sealer.seal(made)
    recording = replace(made, seal=found.seal, state=State.SEALED, sound_s=found.sound_s)
    house.sealer.discard_raw(recording)
    sound = Sounds(house.root, house.shelf, house.ring).open(recording)
    return stored_track(sound, found.sound_s, silent_s, recording.channels)


def stored_track(sound: Readable, sound_s: float, silent_s: float = 0.0, channels: int = 2) -> StoredTrack:
    frames = round(sound_s * SAMPLE_RATE_HZ)
    whole = frames + round(silent_s * SAMPLE_RATE_HZ)
    return StoredTrack(sound, channels=channels, sound_frames=frames, frames=whole, sha256="")


def raw_track(root: Path, sound: bytes) -> RawTrack:
    (root / "one.raw").write_bytes(sound)
    return RawTrack.opened(Recordings(root).find("one.raw"))


async def all_of(pieces: object) -> bytes:
    return b"".join([piece async for piece in pieces])  # type: ignore[attr-defined]


def apart(one: bytes, other: bytes) -> int:
    """How far the two are from one another at most, in steps of 16 bits."""
    pairs = zip(array.array("h", one), array.array("h", other), strict=True)
    return max(abs(each - like) for each, like in pairs)


async def test_any_second_of_sealed_sound_is_the_one_that_is_asked_for(sealed: StoredTrack, player: Player) -> None:
    whole = await all_of(player.samples(sealed, 0, sealed.frames))
    assert len(whole) == round(LONG_S * SAMPLE_RATE_HZ) * 4
    for first, last in (
        (0, 800),
        (7_999, 8_001),
        (20_000, 28_000),
        (51_234, 60_001),
        (sealed.frames - 1, sealed.frames),
    ):
        part = await all_of(player.samples(sealed, first, last))
        assert apart(part, whole[first * 4 : last * 4]) <= 2, (first, last)
    assert player.running == 0


async def test_a_wav_file_of_sealed_sound_has_its_bytes_from_any_place_on(sealed: StoredTrack, player: Player) -> None:
    size = 44 + sealed.frames * 4
    whole = await all_of(player.wav(sealed, 0, sealed.frames, 0, size))
    assert (whole[:44], len(whole)) == (wav_header(sealed.frames * 4), size)
    for start, stop in ((0, 10), (40, 52), (44, 48), (100_001, 100_050), (size - 3, size)):
        part = await all_of(player.wav(sealed, 0, sealed.frames, start, stop))
        assert len(part) == stop - start
        from_sample = max(44, start + start % 2)
        samples = part[from_sample - start :]
        even = samples[: len(samples) - len(samples) % 2]
        assert part[: max(0, 44 - start)] == whole[start : max(44, start)][: stop - start]
        assert not even or apart(even, whole[from_sample:stop][: len(even)]) <= 2


async def test_decoding_a_part_reads_little_more_than_that_part(tmp_path: Path) -> None:
    track = track_of(House(tmp_path), babble(40))
    read = []

    class Counted:
        size_bytes = track.sound.size_bytes

        def read(self, start: int, stop: int) -> bytes:
            read.append(stop - start)
            return track.sound.read(start, stop)

    place = place_before(Counted(), 38.0)
    assert 36.0 <= place.sample / 48_000 <= 37.0
    assert len(read) <= 8


async def test_what_nobody_sent_is_silence_after_sealed_sound_too(tmp_path: Path, player: Player) -> None:
    track = track_of(House(tmp_path), two_tones(1.0), silent_s=0.5)
    sound = await all_of(player.samples(track, 0, track.frames))
    assert len(sound) == 12_000 * 4
    assert not any(sound[8_000 * 4 :])
    assert any(sound[7_900 * 4 : 8_000 * 4])


@pytest.mark.parametrize("form", [Form.OGG, Form.MP3])
@pytest.mark.parametrize("is_sealed", [True, False])
async def test_in_another_form_the_caller_stays_left_and_the_centre_right(
    player: Player, form: Form, is_sealed: bool, tmp_path: Path
) -> None:
    sound = two_tones(3.0)
    track = track_of(House(tmp_path), sound) if is_sealed else raw_track(tmp_path, sound)
    file = tmp_path / f"part.{form}"
    file.write_bytes(await all_of(player.encoded(track, 8_000, 20_000, form)))
    heard = decoded(file)
    left, right = heard[0::2][2000:10_000], heard[1::2][2000:10_000]
    assert len(heard) == pytest.approx(24_000, abs=4_000)  # an MP3 has a little before and after
    assert (level_db(left, CALLER_HZ) > -20, level_db(right, CENTRE_HZ) > -20) == (True, True)
    assert (level_db(left, CENTRE_HZ) < -50, level_db(right, CALLER_HZ) < -50) == (True, True)
    track.close()


async def test_a_message_has_one_channel_in_every_form(tmp_path: Path, player: Player) -> None:
    message = array.array("h", two_tones(1.0))[0::2].tobytes()
    track = track_of(House(tmp_path), message, kind=Kind.MESSAGE)
    assert len(await all_of(player.samples(track, 0, track.frames))) == len(message)
    assert (await all_of(player.encoded(track, 0, track.frames, Form.MP3)))[:1]


def children() -> set[int]:
    """This process's children that live."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found |= set(map(int, (task / "children").read_text().split()))
    return found


async def test_whoever_stops_to_listen_leaves_no_ffmpeg_behind(sealed: StoredTrack, player: Player) -> None:
    before = children()
    pieces = player.encoded(sealed, 0, sealed.frames, Form.MP3)
    assert await anext(pieces)
    assert (player.running, len(children() - before)) == (1, 1)
    await pieces.aclose()
    assert (player.running, children() - before) == (0, set())


async def test_only_so_many_are_converted_at_once(sealed: StoredTrack) -> None:
    player = Player(at_once=1)
    first = player.samples(sealed, 0, sealed.frames)
    await anext(first)
    with pytest.raises(TooManyPlay):
        await all_of(player.samples(sealed, 0, 100))
    await first.aclose()
    assert len(await all_of(player.samples(sealed, 0, 100))) == 400
    await player.close()


async def test_raw_sound_whose_name_is_gone_is_read_to_its_end(tmp_path: Path, player: Player) -> None:
    sound = babble(5.0)
    track = raw_track(tmp_path, sound)
    pieces = player.samples(track, 0, track.frames)
    heard = await anext(pieces)
    (tmp_path / "one.raw").unlink()
    heard += await all_of(pieces)
    assert heard == sound
    track.close()


async def test_raw_sound_that_becomes_shorter_is_said_to_be(tmp_path: Path, player: Player) -> None:
    track = raw_track(tmp_path, babble(5.0))
    os.truncate(tmp_path / "one.raw", 100)
    with pytest.raises(NoRecording, match="became shorter"):
        await all_of(player.samples(track, 0, track.frames))
    with pytest.raises(NoRecording, match="became shorter"):
        await all_of(player.encoded(track, 0, track.frames, Form.MP3))
    track.close()


class Fixed:
    """Stored bytes of the test's own."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size_bytes = len(data)

    def read(self, start: int, stop: int) -> bytes:
        return self.data[start:stop]


@pytest.mark.parametrize("data", [b"", b"OggS", b"RIFF" + bytes(100), b"OggS\0" + bytes(70_000), b"x" * 70_000])
async def test_what_is_no_sound_is_said_to_be_none(data: bytes, player: Player) -> None:
    with pytest.raises(NoOgg):
        place_before(Fixed(data), 0.0)
    with pytest.raises(Unplayable):
        await all_of(player.samples(stored_track(Fixed(data), 1.0), 0, 100))


async def test_sound_that_vanishes_while_it_is_decoded_is_no_end(sealed: StoredTrack, player: Player) -> None:
    class Vanishing(Fixed):
        def read(self, start: int, stop: int) -> bytes:
            if start >= self.size_bytes // 2:
                raise NoRecording("it is gone")
            return super().read(start, stop)

    sound = Vanishing(sealed.sound.read(0, sealed.sound.size_bytes))
    for pieces in (
        player.samples(stored_track(sound, LONG_S), 0, sealed.frames),
        player.encoded(stored_track(sound, LONG_S), 0, sealed.frames, Form.MP3),
    ):
        with pytest.raises(NoRecording, match="gone"):
            await all_of(pieces)


async def test_sound_that_was_cut_is_no_end_either(sealed: StoredTrack, player: Player) -> None:
    cut = Fixed(sealed.sound.read(0, sealed.sound.size_bytes // 2))
    with pytest.raises(Unplayable, match="shorter than it was"):
        await all_of(player.samples(stored_track(cut, LONG_S), 0, sealed.frames))


async def test_an_ffmpeg_that_gives_nothing_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ffmpeg").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    track, before = raw_track(tmp_path, babble(1.0)), children()
    with pytest.raises(Unplayable, match=r"gave nothing for 0\.2 s"):
        await all_of(Player(idle_limit_s=0.2).encoded(track, 0, 8000, Form.MP3))
    assert children() == before
    track.close()


async def test_without_ffmpeg_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, player: Player) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    track = raw_track(tmp_path, babble(0.1))
    with pytest.raises(Unplayable, match="cannot be started"):
        await all_of(player.encoded(track, 0, 800, Form.MP3))
    track.close()


async def test_whoever_is_cut_off_in_the_middle_leaves_nothing_behind(sealed: StoredTrack, player: Player) -> None:
    before = children()
    begun = asyncio.Event()

    async def listen() -> None:
        async with contextlib.aclosing(player.samples(sealed, 0, sealed.frames)) as pieces:
            async for _ in pieces:
                begun.set()
                await asyncio.sleep(60)

    listening = asyncio.create_task(listen())
    await begun.wait()
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    await player.close()
    assert (player.running, children()) == (0, before)


async def test_the_next_listener_finds_a_decoder_that_has_started(
    sealed: StoredTrack, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, player = children(), Player()
    seeking = player.samples(sealed, 0, sealed.frames)
    assert await anext(seeking)
    await seeking.aclose()
    async with asyncio.timeout(10):
        while not (waiting := children() - before):
            await asyncio.sleep(0.01)
    again = player.samples(sealed, 8000, sealed.frames)
    assert await anext(again)
    assert waiting <= children()
    assert len(await all_of(player.samples(sealed, 0, 8000))) == 32_000
    await again.aclose()
    assert not waiting & children()
    monkeypatch.setattr("gateway.vault.conversion.READY_S", 0.05)
    await all_of(player.samples(sealed, 0, 8000))
    async with asyncio.timeout(10):
        while children() - before:
            await asyncio.sleep(0.01)
    await player.close()


async def test_a_look_at_a_disk_that_hangs_has_a_limit_and_nothing_gathers_behind_it(player: Player) -> None:
    answers = threading.Event()
    try:
        for _ in range(3 * THREADS):
            with pytest.raises(ShelfAway, match=r"has not answered for 0\.01 s"):
                await player.look(answers.wait, 0.01)
        assert player._threads._work_queue.empty()
    finally:
        answers.set()
    assert await player.look(lambda: "well again", 10) == "well again"
