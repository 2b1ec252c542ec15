"""What the police gets: checked by following its own page, with sha256sum and openssl alone, where nothing of this
software is."""

import errno
import io
import json
import os
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from io import FileIO
from pathlib import Path

import aiohttp
import pytest

from gateway.api.pages import PROMPT
from gateway.domain.call import Call
from gateway.domain.callbacks import Callback, Try, Update, Why
from gateway.domain.callbacks import State as Told
from gateway.domain.change import Change
from gateway.domain.events import Event
from gateway.domain.recordings import Kind, Recording, State
from gateway.vault import shelf as shelves
from gateway.vault.shelf import LocalShelf, ShelfAway
from tests.api.house import House, Reply
from tests.store.values import ended
from tests.vaults import PlainSound

ASKED = {"reason": "LP/B/112/2026", "recipient": "Ipda Dewi, Polresta Sidoarjo"}
EVIL = "<script>alert(1)</script>\x1b[2J"


def recording_of(call: Call, kind: Kind = Kind.CALL) -> Recording:
    name = call.id if kind is Kind.CALL else f"{call.id}-1-message"
    file = f"{call.arrived_at:%Y/%m/%d}/{name}.raw"
    return Recording(name, kind, file, call.arrived_at, call.id, state=State.OVER, ended_at=call.ended_at)


async def with_calls(house: House) -> None:
    """A call with sound and a message, one whose recording was destroyed, and one that is not sealed yet."""
    first, second, third = (ended(number, caller="0812345678", caller_name=EVIL) for number in (1, 2, 3))
    recordings = [
        house.seals.seal(recording_of(first), b"Ogg of the call" * 20_000),
        house.seals.seal(recording_of(first, Kind.MESSAGE), b"Ogg of the message"),
        house.seals.destroy(house.seals.seal(recording_of(second), b"Ogg"), "the centre's own rule: 365 days"),
        recording_of(third),
    ]
    told = Event("call.described", first.arrived_at, first.id, {"caller_name": EVIL, "location": "A & B"})
    await house.context.store.commit(Change(calls=(first, second, third), recordings=tuple(recordings), events=(told,)))


async def exported(house: House, folder: Path, *calls: str) -> Path:
    """The unpacked zip."""
    return unzipped(await house.post("/v1/exports", {"calls": list(calls), **ASKED}), folder)


def unzipped(reply: Reply, folder: Path) -> Path:
    assert reply.status == 200
    assert reply.headers["Content-Disposition"].startswith('attachment; filename="112-')
    with zipfile.ZipFile(io.BytesIO(reply.raw)) as bundle:
        assert bundle.testzip() is None
        bundle.extractall(folder)
    return folder / reply.headers["Content-Disposition"].partition('"')[2].removesuffix('.zip"')


def commands(unpacked: Path) -> list[str]:
    """What the page tells to type."""
    lines = (unpacked / "README.txt").read_text().splitlines()
    return [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)]


def failing(unpacked: Path) -> list[str]:
    """Which of the page's own commands do not succeed, typed one after the other."""
    return [command for command in commands(unpacked) if not typed(unpacked, command)]


def typed(unpacked: Path, command: str) -> bool:
    """Whether the command succeeds in that folder."""
    ended = subprocess.run(["sh", "-c", command], cwd=unpacked, capture_output=True, timeout=20, check=False)
    return ended.returncode == 0


async def test_the_page_is_followed_with_sha256sum_and_openssl_alone(house: House, tmp_path: Path) -> None:
    await with_calls(house)
    unpacked = await exported(house, tmp_path / "police", "112-1", "112-2", "112-3")
    told = commands(unpacked)
    assert {command.split()[0] for command in told} == {"sha256sum", "openssl", "echo", "grep", "(before=;"}
    assert len(told) == 3 + 2 * 2 + 1 + 3
    assert failing(unpacked) == []
    day = unpacked / "recordings/2026/11/23"
    assert (day / "112-1.ogg").read_bytes() == b"Ogg of the call" * 20_000
    assert (day / "112-2.destroyed.json").is_file()
    assert not (day / "112-2.ogg").exists()


async def test_a_day_that_an_older_key_signed_is_checked_with_that_key(house: House, tmp_path: Path) -> None:
    """The signing key was lost for good, and a new one signs since."""
    await with_calls(house)
    house.seals.lose_key()
    unpacked = await exported(house, tmp_path / "police", "112-1")
    assert failing(unpacked) == []
    [older] = unpacked.glob("public-*.pem")
    assert sum(older.name in command for command in commands(unpacked)) == 2
    assert older.name in (unpacked / "SHA256SUMS").read_text()
    head = unpacked / "recordings/2026/11/23/chain.head"
    head.write_bytes(head.read_bytes() + b" ")
    assert any("chain.head" in command for command in failing(unpacked))


async def test_one_flipped_bit_is_found_by_the_pages_commands(house: House, tmp_path: Path) -> None:
    await with_calls(house)
    unpacked = await exported(house, tmp_path / "police", "112-1")
    for file, least in (
        ("recordings/2026/11/23/112-1.ogg", 2),
        ("recordings/2026/11/23/112-1.json", 2),
        ("recordings/2026/11/23/chain.jsonl", 2),
        ("recordings/2026/11/23/chain.head", 3),
        ("calls/001_112-1.txt", 1),
        ("SHA256SUMS", 2),
    ):
        path = unpacked / file
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        assert len(failing(unpacked)) >= least, file
        path.write_bytes(whole)
    assert failing(unpacked) == []


async def test_whoever_makes_the_sums_anew_is_found_by_the_signature_and_the_chain(
    house: House, tmp_path: Path
) -> None:
    await with_calls(house)
    unpacked = await exported(house, tmp_path / "police", "112-1")
    sound = "recordings/2026/11/23/112-1.ogg"
    (unpacked / sound).write_bytes(b"another sound")
    assert typed(unpacked, "sha256sum $(cut -c 67- SHA256SUMS) > new && mv new SHA256SUMS")
    found = failing(unpacked)
    assert any("SHA256SUMS.sig" in command for command in found)
    assert any(sound in command for command in found)


async def test_nothing_that_a_caller_sends_gets_into_the_pages_as_more_than_text(house: House, tmp_path: Path) -> None:
    await with_calls(house)
    unpacked = await exported(house, tmp_path / "police", "112-1")
    page = (unpacked / "calls/001_112-1.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "A &amp; B" in page
    assert "\x1b" not in (unpacked / "calls/001_112-1.txt").read_text()
    told = json.loads((unpacked / "calls/001_112-1.json").read_text())
    assert told["call"]["caller_name"] == EVIL


async def test_a_call_whose_id_leads_elsewhere_gets_a_name_that_does_not(house: House, tmp_path: Path) -> None:
    call = replace(ended(1), id="../../etc/$(reboot)")
    await house.context.store.commit(Change(calls=(call,)))
    unpacked = await exported(house, tmp_path / "police", call.id)
    assert sorted(path.name for path in (unpacked / "calls").iterdir())[0] == "001__.._etc___reboot_.html"


async def test_who_handed_what_to_whom_and_why_is_written_down_before_the_first_byte(house: House) -> None:
    await with_calls(house)
    assert (await house.post("/v1/exports", {"calls": ["112-1", "112-2"], **ASKED}, token="supervisor")).status == 200
    entries = (await house.get("/v1/audit?limit=1000")).json["items"]
    [first, second] = [each for each in entries if each["action"] == "recording.exported"]
    assert (first["actor"], first["subject"], second["subject"]) == ("supervisor", "call/112-1", "call/112-2")
    assert first["note"] == "for Ipda Dewi, Polresta Sidoarjo: LP/B/112/2026"
    events = (await house.get("/v1/calls/112-1/events")).json["items"]
    assert events[-1]["data"]["recordings"] == ["112-1", "112-1-1-message"]


async def test_a_call_back_is_handed_out_however_often_the_number_called_since(house: House, tmp_path: Path) -> None:
    call = ended(1, caller="0812345678")
    assert call.ended_at

    def task(opened_at: datetime, call_id: str) -> Update:
        tried = Try(call_id, opened_at, Why.ABANDONED, call.trunk)
        times = dict.fromkeys(("opened_at", "due_at", "first_due_at", "last_try_at", "closed_at"), opened_at)
        return Update(
            Callback(number=call.caller, trunk=call.trunk, state=Told.GIVEN_UP, tries=(tried,), try_count=1, **times)
        )

    back = replace(recording_of(call), id="callback-1-a", kind=Kind.CALLBACK, call_id=None, dial_id="1-a")
    back = house.seals.seal(replace(back, file="2026/11/23/callback-1-a.raw"), b"Ogg of the call back")
    since = [task(call.ended_at + timedelta(hours=number), f"112-{number}") for number in range(2, 120)]
    callbacks = (task(call.ended_at, call.id), *since)
    await house.context.store.commit(Change(calls=(call,), recordings=(back,), callbacks=callbacks))
    unpacked = await exported(house, tmp_path / "police", call.id)
    assert (unpacked / "recordings/2026/11/23/callback-1-a.ogg").read_bytes() == b"Ogg of the call back"
    assert failing(unpacked) == []
    held = await house.post("/v1/legal-holds", {"call_id": call.id, "reason": "LP/B/112/2026"})
    assert [each["id"] for each in held.json["recordings"]] == ["callback-1-a"]


async def test_a_sound_that_is_not_there_is_told_and_the_others_are_handed_out(house: House, tmp_path: Path) -> None:
    await with_calls(house)
    (house.sounds / "2026/11/23/112-1.ogg").unlink()
    unpacked = await exported(house, tmp_path / "police", "112-1")
    assert "the sound cannot be read: There is no sound" in (unpacked / "calls/001_112-1.txt").read_text()
    assert (unpacked / "recordings/2026/11/23/112-1-1-message.ogg").is_file()
    assert failing(unpacked) == []


async def test_a_sound_on_a_bad_sector_is_told_and_the_others_are_handed_out(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It will not be readable later either: nobody is told to come back for all of it."""
    await with_calls(house)
    shelf, plain_file = LocalShelf(house.sounds), shelves.plain_file

    def bad_sector(path: Path) -> FileIO:
        if path.name == "112-1.ogg":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return plain_file(path)

    def read(sound: PlainSound, start: int, stop: int) -> bytes:
        return shelf.read(str(sound.path.relative_to(house.sounds)), start, stop)

    monkeypatch.setattr(shelves, "plain_file", bad_sector)
    monkeypatch.setattr(PlainSound, "read", read)
    unpacked = await exported(house, tmp_path / "police", "112-1")
    told = (unpacked / "calls/001_112-1.txt").read_text()
    assert "the sound cannot be read: 2026/11/23/112-1.ogg cannot be read: Input/output error" in told
    assert (unpacked / "recordings/2026/11/23/112-1-1-message.ogg").is_file()
    assert failing(unpacked) == []

    def away(*_: object) -> bytes:
        raise ShelfAway("the bucket did not answer in time")

    monkeypatch.setattr(PlainSound, "read", away)
    assert (await house.post("/v1/exports", {"calls": ["112-1"], **ASKED})).status == 503


def _zeroed(sound: Path, _secret: Path) -> None:
    sound.write_bytes(bytes(sound.stat().st_size))


def _cut(sound: Path, _secret: Path) -> None:
    os.truncate(sound, 100)


def _linked(sound: Path, secret: Path) -> None:
    sound.unlink()
    sound.symlink_to(secret)


def _paper_gone(sound: Path, _secret: Path) -> None:
    sound.with_suffix(".json").unlink()


def _paper_changed(sound: Path, _secret: Path) -> None:
    sound.with_suffix(".json").write_bytes(b"{}")


def _paper_linked(sound: Path, secret: Path) -> None:
    sound.with_suffix(".json").unlink()
    sound.with_suffix(".json").symlink_to(secret)


def _paper_a_pipe(sound: Path, _secret: Path) -> None:
    sound.with_suffix(".json").unlink()
    os.mkfifo(sound.with_suffix(".json"))


@pytest.mark.parametrize("harm", [_zeroed, _cut, _linked, _paper_gone, _paper_changed, _paper_linked, _paper_a_pipe])
async def test_what_is_not_as_it_was_sealed_is_never_told_to_be(
    house: House, tmp_path: Path, harm: Callable[[Path, Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    await with_calls(house)
    secret = tmp_path / "signing.key"
    secret.write_bytes(b"PRIVATE KEY")
    harm(house.sounds / "2026/11/23/112-1.ogg", secret)
    reply = await house.post("/v1/exports", {"calls": ["112-1"], **ASKED})
    unpacked = unzipped(reply, tmp_path / "police")
    rows = (unpacked / "calls/001_112-1.txt").read_text()
    assert rows.count("DAMAGED, not as it was") == rows.count("disegel / sealed") == 1  # the message is whole
    assert "DAMAGED, not as it was" in (unpacked / "README.html").read_text()
    told = json.loads((unpacked / "calls/001_112-1.json").read_text())["recordings"]
    assert [each["state"] for each in told] == ["not as sealed", "sealed"]
    assert reply.headers["Damaged-Recordings"] == "1"
    assert "export_of_damaged" in caplog.text
    event = (await house.get("/v1/calls/112-1/events")).json["items"][-1]["data"]
    assert (event["recordings"], list(event["not_as_sealed"])) == (["112-1-1-message"], ["112-1"])
    is_sound = harm in (_zeroed, _cut, _linked)
    day = unpacked / "recordings/2026/11/23"
    assert ((day / "112-1.ogg").exists(), (day / "112-1.json").exists()) == (not is_sound, is_sound)
    assert b"PRIVATE KEY" not in reply.raw
    assert failing(unpacked) == []


async def test_sound_that_is_changed_while_it_is_sent_ends_the_export(house: House) -> None:
    await with_calls(house)
    house.seals.changes_when_sent = True
    with pytest.raises(aiohttp.ClientPayloadError):
        await house.post("/v1/exports", {"calls": ["112-1"], **ASKED})


async def test_what_was_destroyed_before_it_was_sealed_has_a_certificate_and_no_manifest(
    house: House, tmp_path: Path
) -> None:
    call = ended(1)
    destroyed = house.seals.destroy(house.seals.seal(recording_of(call), b"Ogg"), "365 days")
    (house.sounds / "2026/11/23/112-1.json").unlink()
    await house.context.store.commit(Change(calls=(call,), recordings=(replace(destroyed, seal=None),)))
    unpacked = await exported(house, tmp_path / "police", "112-1")
    assert (unpacked / "recordings/2026/11/23/112-1.destroyed.json").is_file()
    assert "DAMAGED" not in (unpacked / "README.txt").read_text()
    assert failing(unpacked) == []


async def test_what_cannot_be_handed_out_is_refused_and_not_written_down(house: House) -> None:
    await with_calls(house)
    unknown = await house.post("/v1/exports", {"calls": ["112-1", "112-9"], **ASKED})
    assert (unknown.status, unknown.fields) == (409, ["/calls/1"])
    assert (await house.post("/v1/exports", {"calls": ["112-2"], **ASKED}, token="reader")).status == 403
    assert (await house.post("/v1/exports", {"calls": [], **ASKED})).fields == ["/calls"]
    assert (await house.post("/v1/exports", {"calls": ["112-2"], "reason": "x"})).fields == ["/recipient"]
    entries = (await house.get("/v1/audit?limit=1000")).json["items"]
    assert not [each for each in entries if each["action"] == "recording.exported"]
