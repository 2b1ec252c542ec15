"""Recordings over HTTP: found, heard, looked at, recalled while the call runs; by whom and why."""

import array
import asyncio
import io
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from gateway.api import sounds
from gateway.api.sounds import CHANGED, NOT_PROVED
from gateway.domain.change import Change
from gateway.domain.recordings import SAMPLE_RATE_HZ, Kind, Recording, State
from gateway.ports import StoreAway
from gateway.store.call_list import Page
from gateway.vault.playing import RawTrack
from gateway.vault.recordings import wav_header
from gateway.vault.shelf import LocalShelf, ShelfAway
from tests.api.house import START, House, answered, until
from tests.vault.sound import CALLER_HZ, CENTRE_HZ, DAY, level_db, two_tones
from tests.vault.sound import House as Vault
from tests.vault.test_playing import babble, children

CALL = "112-1.1"
FILE = f"{DAY}/{CALL}.raw"
WHY = "reason=complaint+12/2026"
AUDIO = f"/v1/recordings/{CALL}/audio"
SOUND_S = 3.0
UNSAID = tuple(f"?reason={5 * sign}" for sign in ("%E2%80%8B", "%C2%A0", "%E2%81%A0", "%E3%85%A4", "-"))
"""Reasons of spaces without a width, of spaces that do not break, of joiners, of fillers: nothing to read."""


async def keep(house: House, *recordings: Recording) -> None:
    await house.services.saving.save(Change(recordings=recordings))


def over(recording_id: str = CALL, file: str = FILE, **what: Any) -> Recording:
    known: dict[str, Any] = {"kind": Kind.CALL, "started_at": START, "call_id": CALL, "state": State.OVER}
    return Recording(recording_id, file=file, **known | what)


async def with_raw(house: House, sound: bytes | None = None, **what: Any) -> bytes:
    """A call whose raw sound lies there."""
    sound = two_tones(SOUND_S) if sound is None else sound
    (house.sounds / DAY).mkdir(parents=True, exist_ok=True)
    (house.sounds / FILE).write_bytes(sound)
    await house.answered_call(CALL, recording=FILE)
    await keep(house, over(**what))
    return sound


async def with_sealed(
    house: House, sound: bytes | None = None, *, is_encrypted: bool = False, **what: Any
) -> Recording:
    """A call whose sound is sealed, and its raw sound discarded."""
    await with_raw(house, sound)
    vault, recording = Vault(house.sounds.parent, is_encrypted=is_encrypted), over(**what)
    found = await asyncio.to_thread(vault.sealer.seal, recording)
    sealed = replace(
        recording,
        state=State.SEALED,
        seal=found.seal,
        sound_s=found.sound_s,
        left_dbfs=found.left_dbfs,
        right_dbfs=found.right_dbfs,
    )
    vault.sealer.discard_raw(sealed)
    await keep(house, sealed)
    return sealed


async def entries(house: House) -> list[Any]:
    """What stands in the audit log of listening."""
    items = (await house.get("/v1/audit?limit=1000")).json["items"]
    return [each for each in items if each["action"] == "recording.heard"]


def stored(house: House, recording: Recording) -> bytes:
    assert recording.seal is not None
    return (house.sounds / recording.seal.stored).read_bytes()


# ---------------------------------------------------------------- found


async def test_one_recording_tells_its_seal_its_levels_and_its_call(house: House) -> None:
    recording = await with_sealed(house, expected_s=3.2, problem="the centre is quiet")
    told = (await house.get(f"/v1/recordings/{CALL}")).json
    assert (told["state"], told["call_id"], told["channels"], told["sound_s"]) == ("sealed", CALL, 2, SOUND_S)
    assert (told["problem"], told["left_dbfs"]) == ("the centre is quiet", pytest.approx(-15.3, abs=0.1))
    assert recording.seal is not None
    assert told["seal"]["sound_sha256"] == recording.seal.sound_sha256
    assert (told["caller"], told["trunk"], told["queue"]) == ("08123456789", "telkomsel", "emergency")
    assert (told["operator"], told["disposition"], told["audio"]) == ("1001", None, AUDIO)
    assert (await house.get("/v1/recordings")).json == {"items": [told], "next": None}


async def test_all_that_tells_how_long_a_recording_is_agrees(house: House) -> None:
    """WAV lasts as long as the call (docs/decisions/0008); what is stored and drawn is the sound alone."""
    lacks = ("3.0 s of sound where 7.25 s were expected", "nothing is heard of the operator in 6.0 s of talk")
    await with_sealed(house, expected_s=7.25, problem="; ".join(lacks), faults=lacks)
    told = (await house.get(f"/v1/recordings/{CALL}")).json
    assert (told["sound_s"], told["duration_s"], told["faults"]) == (SOUND_S, 7.25, list(lacks))
    wav = (await house.get(f"{AUDIO}?{WHY}&format=wav")).raw
    assert (len(wav) - 44) / 4 / SAMPLE_RATE_HZ == told["duration_s"]
    waveform = (await house.get(f"/v1/recordings/{CALL}/waveform")).json
    assert waveform["length_s"] == told["sound_s"]
    of_call = (await house.get(f"/v1/calls/{CALL}")).json["recording"]
    assert (of_call["duration_s"], of_call["silence_s"]) == (told["duration_s"], told["duration_s"] - told["sound_s"])


async def test_a_call_whose_sound_is_sealed_while_its_list_is_made_is_told_with_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record says that the sound is raw still, and a moment later the disk that it is gone."""
    await with_raw(house)
    calls = house.context.reads.calls

    async def just_before_it_is_sealed(*asked: Any) -> Page:
        monkeypatch.undo()
        page = await calls(*asked)
        await with_sealed(house)
        return page

    monkeypatch.setattr(house.context.reads, "calls", just_before_it_is_sealed)
    [call] = (await house.get("/v1/calls")).json["items"]
    assert call["recording"]["duration_s"] == SOUND_S
    assert (await house.get(f"/v1/recordings/{CALL}")).json["state"] == "sealed"


async def test_recordings_are_found_by_what_is_known_of_them(house: House) -> None:
    await house.answered_call(CALL)
    await house.ask("PUT", f"/v1/calls/{CALL}/disposition", json={"disposition": "prank"})
    later = START.replace(second=5)
    await keep(
        house,
        over("a"),
        over("m", kind=Kind.MESSAGE, call_id="112-1.7", started_at=later, state=State.LOST, problem="it is empty"),
        over("z", kind=Kind.STRAY, call_id=None, started_at=later),
    )
    for query, found in (
        ("kind=message", ["m"]),
        ("state=lost", ["m"]),
        ("call=112-1.1", ["a"]),
        ("queue=emergency&trunk=telkomsel&operator=1001", ["a"]),
        ("disposition=prank", ["a"]),
        ("disposition=ghost", []),
        ("has_problem=true", ["m"]),
        ("has_problem=false", ["z", "a"]),
        ("from=2026-08-17T03:00:01Z", ["z", "m"]),
        ("to=2026-08-17T03:00:01Z", ["a"]),
        ("trunk=xlsmart", []),
    ):
        listed = (await house.get(f"/v1/recordings?{query}")).json["items"]
        assert [each["id"] for each in listed] == found, query


async def test_pages_follow_one_another_without_a_hole(house: House) -> None:
    await keep(house, *(over(f"r{number}", started_at=START.replace(second=number // 2)) for number in range(7)))
    found, cursor = [], ""
    while cursor is not None:
        page = (await house.get(f"/v1/recordings?limit=3{cursor and f'&cursor={cursor}'}")).json
        found += [each["id"] for each in page["items"]]
        cursor = page["next"]
    assert found == [f"r{number}" for number in reversed(range(7))]
    assert (await house.get("/v1/recordings?cursor=x")).fields == ["?cursor"]


async def test_an_id_that_is_none_is_a_404(house: House) -> None:
    for recording_id in ("nothing", "..%2Fgateway112.db", "%2e%2e%2f%2e%2e%2fpasswd", "a%2Fb", "x" * 255, "%E2%98%8E"):
        for what in ("", f"/audio?{WHY}", f"/slice?from=0&to=1&{WHY}", "/waveform"):
            assert (await house.get(f"/v1/recordings/{recording_id}{what}")).status == 404
    assert await entries(house) == []


async def test_a_record_that_leads_out_of_the_vault_is_a_404(house: House) -> None:
    for file in ("../gateway112.db", "/etc/passwd", ".", "gone.raw", "x" * 300):
        await keep(house, over(file=file))
        for what in (f"audio?{WHY}", "waveform"):
            assert (await house.get(f"/v1/recordings/{CALL}/{what}")).status == 404


# ---------------------------------------------------------------- heard


@pytest.mark.parametrize("is_encrypted", [False, True])
async def test_sealed_sound_is_the_stored_file_and_any_range_of_it(house: House, is_encrypted: bool) -> None:
    recording = await with_sealed(house, babble(SOUND_S), is_encrypted=is_encrypted)
    whole = await house.get(f"{AUDIO}?{WHY}", token="reader")
    assert (whole.status, whole.headers["Content-Type"], whole.raw[:4]) == (200, "audio/ogg", b"OggS")
    assert is_encrypted or whole.raw == stored(house, recording)
    size, etag = len(whole.raw), whole.headers["ETag"]
    for asked, start, stop in (("0-0", 0, 1), ("1000-1999", 1000, 2000), ("-7", size - 7, size)):
        part = await house.get(f"{AUDIO}?{WHY}", headers={"Range": f"bytes={asked}", "If-Range": etag})
        assert (part.status, part.raw) == (206, whole.raw[start:stop])
        assert part.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
    other = await house.get(f"{AUDIO}?{WHY}", headers={"Range": "bytes=0-0", "If-Range": '"x"'})
    assert (other.status, len(other.raw)) == (200, size)
    assert (await house.get(f"{AUDIO}?{WHY}", headers={"Range": f"bytes={size}-"})).status == 416


async def test_sealed_sound_is_a_wav_file_too_from_any_byte_on(house: House) -> None:
    sound = two_tones(SOUND_S)
    await with_sealed(house, sound, expected_s=3.5)
    size = 44 + round(3.5 * SAMPLE_RATE_HZ) * 4
    whole = await house.get(f"{AUDIO}?format=wav&{WHY}")
    assert (whole.raw[:44], len(whole.raw)) == (wav_header(size - 44), size)
    heard = array.array("h", whole.raw[44:])
    assert level_db(heard[0:16000:2], CALLER_HZ) == pytest.approx(-12.2, abs=1)
    assert level_db(heard[1:16000:2], CENTRE_HZ) == pytest.approx(-12.2, abs=1)
    part = await house.get(f"{AUDIO}?format=wav&{WHY}", headers={"Range": "bytes=40044-56043"})
    assert (part.status, len(part.raw)) == (206, 16000)
    assert max(abs(a - b) for a, b in zip(array.array("h", part.raw), heard[20000:28000], strict=True)) <= 2


async def test_what_is_not_sealed_yet_is_wav_and_becomes_any_form(house: House) -> None:
    sound = await with_raw(house)
    whole = await house.get(f"{AUDIO}?{WHY}")
    assert (whole.headers["Content-Type"], whole.raw) == ("audio/wav", wav_header(len(sound)) + sound)
    for form, media, first in (("ogg", "audio/ogg", b"OggS"), ("mp3", "audio/mpeg", b"ID3")):
        made = await house.get(f"{AUDIO}?format={form}&{WHY}", headers={"Range": "bytes=0-1"})
        assert (made.status, made.headers["Content-Type"], made.headers["Accept-Ranges"]) == (200, media, "none")
        assert made.raw.startswith(first)
        assert made.headers["Content-Disposition"].endswith(f"{CALL}.{form}")


async def test_a_part_is_a_file_of_its_own(house: House) -> None:
    sound = await with_raw(house, babble(SOUND_S))
    path = f"/v1/recordings/{CALL}/slice?{WHY}"
    part = await house.get(f"{path}&from=1&to=1.5")
    assert part.raw == wav_header(16000) + sound[32000:48000]
    assert (await house.get(f"{path}&from=2.9&to=99")).raw == wav_header(3200) + sound[-3200:]
    for form, first in (("mp3", b"ID3"), ("ogg", b"OggS")):
        assert (await house.get(f"{path}&from=0.5&to=1&format={form}")).raw.startswith(first)
    refused = [await house.get(f"{path}&{span}") for span in ("from=1&to=1", "from=3&to=4", "from=-1&to=1", "to=1")]
    assert [(each.status, each.fields) for each in refused] == [
        (422, ["?to"]),
        (422, ["?from"]),
        (422, ["?from"]),
        (422, ["?from"]),
    ]
    assert [
        (each["after"]["from_s"], each["after"]["to_s"], each["after"]["form"]) for each in await entries(house)
    ] == [
        (1.0, 1.5, "wav"),
        (2.9, 3.0, "wav"),
        (0.5, 1.0, "mp3"),
        (0.5, 1.0, "ogg"),
    ]


async def test_the_same_part_is_heard_once_it_is_sealed(house: House) -> None:
    sound = babble(SOUND_S)
    await with_sealed(house, sound)
    part = await house.get(f"/v1/recordings/{CALL}/slice?{WHY}&from=1&to=2")
    whole = await house.get(f"{AUDIO}?format=wav&{WHY}")
    assert len(part.raw) == 44 + 32000
    pairs = zip(array.array("h", part.raw[44:]), array.array("h", whole.raw[44 + 32000 : 44 + 64000]), strict=True)
    assert max(abs(a - b) for a, b in pairs) <= 2


async def test_what_a_call_tells_of_its_sound_goes_on_after_it_was_sealed(house: House) -> None:
    await with_raw(house, expected_s=41.0)
    before = (await house.get(f"/v1/calls/{CALL}")).json["recording"]
    heard = await house.get(f"{before['url']}?{WHY}")
    await with_sealed(house, expected_s=41.0)
    after = (await house.get(f"/v1/calls/{CALL}")).json["recording"]
    again = await house.get(f"{after['url']}?{WHY}")
    assert not (house.sounds / FILE).exists()
    assert after == before
    assert len(again.raw) == len(heard.raw) == after["size_bytes"]
    assert (again.raw[:44], again.headers["Content-Type"]) == (heard.raw[:44], "audio/wav")


async def test_what_is_gone_says_why(house: House) -> None:
    await house.answered_call(CALL, recording=FILE)
    certificate = "2026/11/26/x.destroyed.json"
    gone: list[tuple[State, dict[str, Any], int, str]] = [
        (State.LOST, {"problem": "the file is empty"}, 404, "the file is empty"),
        (State.DESTROYED, {"destroyed_at": START, "certificate": certificate}, 410, f"certificate {certificate}"),
        (State.OVER, {"destroyed_at": START}, 410, "is being destroyed since"),
        (State.SEALED, {}, 404, ""),
    ]
    for state, what, status, said in gone:
        await keep(house, over(state=state, **what))
        reply = await house.get(f"{AUDIO}?{WHY}")
        assert reply.status == status
        assert said in reply.json["detail"]
    assert await entries(house) == []


def change(house: House, recording: Recording) -> bytes:
    """One bit of the stored sound, so that it has the same size."""
    data = bytearray(stored(house, recording))
    data[-20] ^= 1
    assert recording.seal is not None
    (house.sounds / recording.seal.stored).write_bytes(data)
    return bytes(data)


async def test_stored_sound_that_was_changed_is_heard_by_those_alone_who_say_that_they_know(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    recording = await with_sealed(house)
    assert recording.seal is not None
    assert (await house.get(f"{AUDIO}?{WHY}")).status == 200
    changed = change(house, recording)
    for path in (AUDIO, f"{AUDIO}?format=wav&", f"/v1/recordings/{CALL}/slice?from=0&to=1&"):
        reply = await house.get(f"{path}{'' if '?' in path else '?'}{WHY}")
        assert (reply.status, "was changed since it was sealed" in reply.json["detail"]) == (409, True)
    assert "sound_not_as_sealed" in caplog.messages
    house.services.clock.at = START.replace(hour=5)
    reply = await house.get(f"{AUDIO}?reason=a+life+may+hang+on+it&changed=true")
    assert (reply.status, reply.raw) == (200, changed)
    assert reply.headers["Not-As-Sealed"] == "it was changed since it was sealed"
    assert "ETag" not in reply.headers
    noted = [each["after"].get("not_as_sealed") for each in await entries(house)]
    assert noted == [None, True]
    (house.sounds / recording.seal.stored).write_bytes(changed[:-1])
    assert (await house.get(f"{AUDIO}?{WHY}")).status == 409


@pytest.mark.parametrize("query", ["", "format=mp3&"])
async def test_what_was_changed_is_never_heard_whole_before_that_is_known(
    house: House, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    recording = await with_sealed(house)
    monkeypatch.setattr("gateway.api.sounds.PROVED_FIRST_BYTES", 0)  # as of a call of hours
    monkeypatch.setattr("gateway.api.sounds.REMEMBERED_WITHIN_S", 0.0)
    assert (await house.get(f"{AUDIO}?{query}{WHY}")).status == 200
    change(house, recording)
    for headers in ({}, {"Range": "bytes=0-"}):
        with pytest.raises(aiohttp.ClientPayloadError):
            await house.get(f"{AUDIO}?{query}{WHY}", headers=headers)


async def test_of_long_sound_in_a_slow_place_it_is_remembered_that_it_was_changed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = await with_sealed(house)
    change(house, recording)
    version = LocalShelf.version

    def slow(shelf: LocalShelf, name: str) -> str | None:
        time.sleep(0.03)  # as a bucket on the other side of the country
        return version(shelf, name)

    monkeypatch.setattr(LocalShelf, "version", slow)
    monkeypatch.setattr("gateway.api.sounds.PROVED_FIRST_BYTES", 0)
    with pytest.raises(aiohttp.ClientPayloadError):
        await house.get(f"{AUDIO}?{WHY}")
    assert (await house.get(f"{AUDIO}?{WHY}")).status == 409
    for form in ("ogg", "wav", "mp3"):
        reply = await house.get(f"{AUDIO}?{WHY}&format={form}&changed=true")
        assert (reply.status, reply.headers.get("Not-As-Sealed"), "ETag" in reply.headers) == (200, CHANGED, False)
    assert [each["after"].get("not_as_sealed") for each in await entries(house)] == [None, True, True, True]


@pytest.mark.parametrize("failure", [None, ShelfAway("it is another file each time")])
async def test_changed_sound_that_cannot_be_held_against_its_seal_in_time_does_not_pass_for_what_was_sealed(
    house: House, monkeypatch: pytest.MonkeyPatch, failure: Exception | None
) -> None:
    changed = change(house, await with_sealed(house))

    async def not_known(*_: object) -> bool:
        if failure:
            raise failure
        await asyncio.sleep(60)
        return True

    monkeypatch.setattr(house.context.player, "is_as_sealed", not_known)
    monkeypatch.setattr("gateway.api.sounds.PROVED_FIRST_WITHIN_S", 0.05)
    for size in (sounds.PROVED_FIRST_BYTES, 0):
        monkeypatch.setattr("gateway.api.sounds.PROVED_FIRST_BYTES", size)
        reply = await house.get(f"{AUDIO}?{WHY}&changed=true")
        assert (reply.status, reply.raw, "ETag" in reply.headers) == (200, changed, False)
        assert reply.headers["Not-As-Sealed"] == NOT_PROVED
    [noted] = await entries(house)
    assert (noted["after"].get("not_as_sealed"), noted["after"]["not_proved"]) == (None, True)
    if failure:  # whoever would not hear what was changed is told to come back
        monkeypatch.setattr("gateway.api.sounds.PROVED_FIRST_BYTES", sounds.PROVED_FIRST_BYTES + 10**6)
        assert (await house.get(f"{AUDIO}?{WHY}")).status == 503


async def test_what_is_sealed_while_somebody_looks_for_it_is_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = over()
    await with_sealed(house)
    one, reads = house.context.reads.recordings.one, house.context.reads.recordings

    async def stale(recording_id: str) -> Any:
        found = await one(recording_id)
        return None if found is None else replace(found, recording=raw)

    monkeypatch.setattr(reads, "one", stale)
    assert (await house.get(f"{AUDIO}?{WHY}")).raw.startswith(b"OggS")


# ---------------------------------------------------------------- by whom, and why


async def test_nobody_listens_without_a_reason(house: House) -> None:
    await with_raw(house)
    for reason in ("", "?reason=", "?reason=abc", f"?reason={'x' * 201}", "?reason=%20%20%20%20%20%20", *UNSAID):
        for path in (AUDIO, f"/v1/calls/{CALL}/recording", f"/v1/calls/{CALL}/message", f"/v1/calls/{CALL}/recall"):
            reply = await house.get(f"{path}{reason}")
            assert (reply.status, reply.fields) == (422, ["?reason"])
    assert await entries(house) == []


async def test_who_listens_stands_in_the_log_with_the_reason_and_once_for_one_hearing(house: House) -> None:
    await with_raw(house)
    house.services.clock.at = START
    for asked in ("bytes=0-99", "bytes=100-199", "bytes=5000-"):
        headers = {"Range": asked, "Reason": "police request 7"}
        assert (await house.get(AUDIO, token="supervisor", headers=headers)).status == 206
    await house.ask("HEAD", f"{AUDIO}?reason=only+looking", token="supervisor")
    first, entry = sorted(await entries(house), key=lambda each: each["after"]["range"] is None)
    assert (entry["after"]["form"], entry["after"]["range"]) == ("wav", None)
    entry = first
    assert (entry["actor"], entry["role"], entry["subject"], entry["note"]) == (
        *("supervisor", "supervisor", f"recording/{CALL}", "police request 7"),
    )
    assert (entry["after"]["call_id"], entry["after"]["form"], entry["after"]["range"]) == (CALL, "wav", "bytes=0-99")
    events = (await house.get(f"/v1/calls/{CALL}/events")).json["items"]
    told, _ = [each for each in events if "heard" in each["type"]]
    assert (told["type"], told["data"]["by"], told["data"]["reason"]) == (
        *("recording.heard", "supervisor", "police request 7"),
    )
    for token, reason, minute in (
        ("supervisor", "another+one", 0),
        ("reader", "another+one", 0),
        ("reader", "another+one", 11),
    ):
        house.services.clock.at = START.replace(minute=minute)
        await house.get(f"{AUDIO}?reason={reason}", token=token)
    assert len(await entries(house)) == 5


async def test_one_byte_that_was_noted_does_not_hide_that_all_was_heard(house: House) -> None:
    await with_raw(house)
    for headers in ({"Range": "bytes=0-0"}, {"Range": "bytes=0-0"}, {}, {"Range": "bytes=5-"}):
        await house.get(f"{AUDIO}?{WHY}", headers=headers)
    await house.get(f"{AUDIO}?reason=another+one", headers={"Range": "bytes=0-"})
    noted = sorted((each["note"], str(each["after"]["range"])) for each in await entries(house))
    assert noted == [
        ("another one", "None"),
        ("complaint 12/2026", "None"),
        ("complaint 12/2026", "bytes=0-0"),
    ]


async def test_a_link_or_a_pipe_in_the_place_of_sound_is_not_read(house: House) -> None:
    recording = await with_sealed(house)
    whole = stored(house, recording)
    path, secret = house.sounds / DAY / f"{CALL}.ogg", house.sounds.parent / "secret"
    secret.write_bytes(b"SECRET" + whole[6:])
    await _is_not_read(house, path, secret, f"audio?{WHY}")
    await _is_not_read(house, path.with_suffix(".peaks.json"), secret, "waveform")
    await with_raw(house)
    await keep(house, over("raw", f"{DAY}/raw.raw"))
    (house.sounds / DAY / "raw.raw").write_bytes(b"")
    for what in (f"audio?{WHY}", "waveform"):
        await _is_not_read(house, house.sounds / DAY / "raw.raw", house.sounds / FILE, what, "raw")


def _put_in_its_place(path: Path, target: Path | None) -> None:
    """A link there, or a pipe."""
    path.unlink()
    if target is None:
        os.mkfifo(path)
    else:
        path.symlink_to(target)


async def _is_not_read(house: House, path: Path, target: Path, what: str, recording_id: str = CALL) -> None:
    for is_link in (True, False):
        _put_in_its_place(path, target if is_link else None)
        async with asyncio.timeout(5):
            assert (await house.get(f"/v1/recordings/{recording_id}/{what}")).status == 404


@pytest.mark.parametrize("form", ["mp3", "ogg", "wav"])
async def test_sound_that_breaks_in_the_middle_is_no_whole_answer(house: House, form: str) -> None:
    recording = await with_sealed(house, babble(30.0))
    whole = stored(house, recording)
    (house.sounds / DAY / f"{CALL}.ogg").write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    with pytest.raises(aiohttp.ClientPayloadError):
        await house.get(f"/v1/recordings/{CALL}/slice?from=1&to=29&format={form}&{WHY}&changed=true")


async def test_what_cannot_be_noted_is_not_heard(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await with_raw(house)

    async def away(change: Change) -> None:
        raise StoreAway("the database does not answer")

    monkeypatch.setattr(house.context.store, "commit", away)
    reply = await house.get(f"{AUDIO}?{WHY}")
    assert (reply.status, b"RIFF" in reply.raw) == (503, False)


async def hired(house: House, name: str, phone: str) -> str:
    operator = (await house.post("/v1/operators", {"name": name, "phone": phone})).json
    made = await house.post("/v1/tokens", {"name": name, "role": "operator", "operator_id": operator["id"]})
    return str(made.json["token"])


async def test_the_last_seconds_of_a_running_call_are_recalled_by_whoever_is_on_it(house: House) -> None:
    siti, budi = await hired(house, "Siti", "1001"), await hired(house, "Budi", "1002")
    sound = babble(5.0)
    (house.sounds / DAY).mkdir(parents=True)
    (house.sounds / FILE).write_bytes(sound)
    at = house.context.clock()
    await house.tell(*answered(CALL, recording=FILE, at=at)[:-2])
    path = f"/v1/calls/{CALL}/recall?{WHY}"
    for token in (siti, "supervisor", "reader"):
        reply = await house.get(f"{path}&seconds=2", token=token, headers={"Range": "bytes=0-9"})
        assert (reply.status, reply.raw) == (200, wav_header(64000) + sound[-64000:])
    assert (await house.get(path, token=siti)).raw == wav_header(len(sound)) + sound
    assert (await house.get(path, token=budi)).status == 403
    assert (await house.get(f"{AUDIO}?{WHY}", token=siti)).status == 403
    assert [(each["actor"], each["after"]["from_s"], each["after"]["form"]) for each in await entries(house)] == [
        ("Siti", 3.0, "recall"),
        ("supervisor", 3.0, "recall"),
        ("reader", 3.0, "recall"),
        ("Siti", 0.0, "recall"),
    ]
    await house.tell(*answered(CALL, recording=FILE, at=at)[-2:])
    assert [(await house.get(path, token=token)).status for token in (siti, "supervisor")] == [403, 409]


async def test_looking_at_a_waveform_needs_the_role_and_no_reason(house: House) -> None:
    await with_raw(house)
    path, siti = f"/v1/recordings/{CALL}/waveform", await hired(house, "Siti", "1001")
    raw = (await house.get(path, token="reader")).json
    await with_sealed(house)
    sealed = (await house.get(path)).json
    assert (await house.get(path, token=siti)).status == 403
    assert raw == sealed
    assert [(each["side"], len(each["peaks"])) for each in raw["channels"]] == [("caller", 30), ("centre", 30)]
    for options in ({"path": f"{path}?format=png"}, {"path": path, "headers": {"Accept": "image/png"}}):
        picture = await house.get(**options)  # type: ignore[arg-type]
        image = Image.open(io.BytesIO(picture.raw))
        assert (picture.headers["Content-Type"], image.size) == ("image/png", (1000, 240))
        assert [image.getpixel((500, y)) for y in (50, 190)] == [(11, 87, 176), (155, 60, 10)]
    assert await entries(house) == []


# ---------------------------------------------------------------- ends that are none


async def listen(house: House, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A listener who reads nothing but what the test reads."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port, limit=1024)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: centre\r\nAuthorization: Bearer reader\r\n\r\n".encode())
    return reader, writer


@pytest.mark.parametrize("form", ["mp3", "ogg"])
async def test_a_listener_who_leaves_leaves_no_ffmpeg_behind(
    house: House, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = children()
    await with_raw(house, bytes(4 * SAMPLE_RATE_HZ * 1200))
    reader, writer = await listen(house, f"{AUDIO}?format={form}&{WHY}")
    await reader.readexactly(1000)
    assert house.context.player.running == 1
    writer.transport.abort()
    await until(lambda: house.context.player.running == 0)
    assert children() == before
    assert "recording_cut" not in caplog.text


async def test_a_listener_who_does_not_read_is_cut_off(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sounds, "WRITE_TIMEOUT_S", 0.2)
    await with_raw(house, bytes(4 * SAMPLE_RATE_HZ * 600))
    _, writer = await listen(house, f"{AUDIO}?{WHY}")
    await until(lambda: "recording_cut" in caplog.text)
    writer.transport.abort()


async def test_as_many_as_may_be_are_converted_and_the_next_is_asked_to_come_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_sealed(house)
    monkeypatch.setattr(house.context.player, "_at_once", 0)
    for path in (f"{AUDIO}?format=wav&{WHY}", f"{AUDIO}?format=mp3&{WHY}"):
        reply = await house.get(path)
        assert (reply.status, reply.headers["Retry-After"]) == (503, "2")
    assert (await house.get(f"{AUDIO}?{WHY}")).status == 200


def _unlink_raw(house: House) -> None:
    (house.sounds / FILE).unlink()


def _cut_raw(house: House) -> None:
    (house.sounds / FILE).write_bytes(b"")


@pytest.mark.parametrize(("change", "is_whole"), [(_unlink_raw, True), (_cut_raw, False)])
async def test_a_file_that_vanishes_while_it_is_read(
    house: House, monkeypatch: pytest.MonkeyPatch, change: Callable[[House], None], is_whole: bool
) -> None:
    sound = await with_raw(house, bytes(4 * SAMPLE_RATE_HZ * 10))
    read = RawTrack.read

    def changing(track: RawTrack, first: int, last: int) -> bytes:
        if first and (house.sounds / FILE).exists() and (house.sounds / FILE).stat().st_size:
            change(house)
        return read(track, first, last)

    monkeypatch.setattr(RawTrack, "read", changing)
    if is_whole:
        assert len((await house.get(f"{AUDIO}?{WHY}")).raw) == 44 + len(sound)
    else:
        with pytest.raises(aiohttp.ClientPayloadError):
            await house.get(f"{AUDIO}?{WHY}")


@pytest.mark.parametrize("form", ["ogg", "wav"])
async def test_the_first_byte_of_a_range_comes_within_50_ms(house: House, form: str) -> None:
    await with_sealed(house, babble(8))
    took_ms = []
    for number in range(10):
        headers = {"Authorization": "Bearer reader", "Range": f"bytes={9000 + 3000 * number}-"}
        url = house.url(f"{AUDIO}?format={form}&{WHY}+{number}")  # each is noted in the log first
        started_s = time.perf_counter()
        async with house.session.get(url, headers=headers) as answer:
            assert await answer.content.readexactly(1)
            took_ms.append((time.perf_counter() - started_s) * 1000)
            await asyncio.sleep(0.1)  # as people do before they seek
            answer.close()
    print(f"first byte of a range of sealed sound as {form}: {sorted(took_ms)[5]:.1f} ms (median of 10)")
    assert form == "wav" or min(took_ms) < 50  # its ffmpeg lets everybody else go first, here the other tests
