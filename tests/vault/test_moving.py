"""Sealed sound on its way to a bucket and back: whole in one of both places at every moment, and heard from either."""

import asyncio
import errno
import hashlib
import json
import os
import shutil
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.cli.vault import move_sound
from gateway.doctor import services
from gateway.doctor.finding import Finding, Level
from gateway.domain.recordings import Recording
from gateway.settings import Settings
from gateway.vault.bucket import BucketShelf
from gateway.vault.chain import FILES
from gateway.vault.copies import Copies
from gateway.vault.findings import What
from gateway.vault.listing import lying_files
from gateway.vault.moving import Mover
from gateway.vault.rounds import Round
from gateway.vault.shelf import FileUnreadable, FolderUnreadable, LocalShelf, Lying, ShelfAway, shelf_for
from gateway.vault.sounds import Sounds
from gateway.vault.verify import Verifier
from gateway.vault.worker_link import VaultWorker
from tests.vault.bucket_server import ACCESS_KEY, SECRET, BucketServer
from tests.vault.sound import DAY, House, sha256_of, two_tones


class Bucket(BucketShelf):
    """The bucket, and what a test has happen just after a sound was copied there."""

    then: Callable[[], object] = staticmethod(lambda: None)

    def copy(self, name: str, file: Path, root: Path) -> None:
        super().copy(name, file, root)
        self.then()


class Centre(House):
    """A vault whose sound may lie in a bucket of its own."""

    def __init__(self, folder: Path, server: BucketServer, *, is_encrypted: bool = False) -> None:
        self.vault: dict[str, object] = {
            "bucket": f"s3://sound/{folder.name.replace('_', '-')}"[:60].rstrip("-"),
            "endpoint": server.endpoint,
            "access_key": ACCESS_KEY,
            "secret": SECRET,
            "encrypt": is_encrypted,
        }
        super().__init__(folder, is_encrypted)

    def start(self) -> None:
        super().start()
        self.shelf = shelf_for(self.settings)
        self.sealer._shelf = self.destroyer._shelf = self.shelf

    @property
    def settings(self) -> Settings:
        paths = {"var": self.folder / "var", "recordings": self.root}
        return Settings.model_validate({"paths": paths, "vault": self.vault})

    @property
    def bucket(self) -> Bucket:
        return Bucket(self.settings.vault, answer_s=2.0, part_s=2.0)

    def round(self, **changed: object) -> Round:
        """One round, as after a start with these settings."""
        self.vault |= changed
        self.start()
        return Mover(self.settings, self.bucket).round()

    def on_disk(self) -> set[str]:
        return {each.name for each in LocalShelf(self.root).lying(DAY)}

    def in_bucket(self) -> dict[str, int]:
        return {each.name: each.bytes for each in self.bucket.everything(DAY)}

    def hears(self, recording: Recording) -> bool:
        """Whether its sound is the one that was sealed, whoever has it."""
        assert recording.seal
        heard = sha256_of(Sounds(self.root, self.shelf, self.ring), recording)
        return heard == recording.seal.sound_sha256


@pytest.fixture(params=[False, True], ids=["plain", "boxed"])
def centre(request: pytest.FixtureRequest, tmp_path: Path, s3: BucketServer) -> Centre:
    return Centre(tmp_path, s3, is_encrypted=request.param)


@pytest.fixture
def plain(tmp_path: Path, s3: BucketServer) -> Centre:
    return Centre(tmp_path, s3)


def test_sealed_sound_goes_to_the_bucket_and_back_and_is_heard_all_the_while(centre: Centre) -> None:
    one, two = centre.sealed(1), centre.sealed(2)
    assert one.seal
    assert two.seal
    names = {one.seal.stored, two.seal.stored}
    assert centre.on_disk() == names  # sealing does not wait for a bucket
    first = centre.round()
    assert (first.moved, first.waiting, first.problem) == (2, 0, None)
    assert not centre.on_disk()
    assert centre.hears(one)
    assert centre.hears(two)
    assert centre.sealer.seal(one) == centre.sealer.seal(one)  # asked again: it is found in the bucket
    assert centre.round().moved == 0
    back = centre.round(keep_in="disk")
    assert (back.moved, back.waiting, back.problem) == (2, 0, None)
    assert centre.on_disk() == names
    assert not list(centre.bucket.lying(DAY))
    centre.vault["bucket"] = ""
    centre.start()
    assert centre.hears(one)
    assert not list(centre.day.glob(".*.coming"))


def test_the_bucket_alone_proves_itself(plain: Centre, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        plain.sealed(number)
    plain.round()
    plain.sealed(4)
    plain.round()
    copied = tmp_path / "copied" / DAY
    copied.mkdir(parents=True)
    for name, size in plain.in_bucket().items():
        (copied.parents[2] / name).write_bytes(plain.bucket.read(name, 0, size))
    lines = [json.loads(line) for line in (copied / "chain.jsonl").read_text().splitlines()]
    assert len(lines) == 4
    for line in lines:
        manifest = (copied / line["file"]).read_bytes()
        assert hashlib.sha256(manifest).hexdigest() == line["sha256"]
        for part in ("stored", "waveform"):
            said = json.loads(manifest)[part]
            assert hashlib.sha256((copied / said["file"]).read_bytes()).hexdigest() == said["sha256"]
    for name in ("chain.head", "chain.head.sig"):
        assert (copied / name).read_bytes() == (plain.day / name).read_bytes()


def test_a_bucket_that_is_gone_keeps_nothing_from_being_sealed_and_the_sound_stays(plain: Centre) -> None:
    endpoint = plain.vault["endpoint"]
    plain.vault["endpoint"] = "http://127.0.0.1:9"
    plain.start()
    made = plain.sealed(1)
    came = plain.round()
    assert (came.moved, came.waiting) == (0, 1)
    assert came.problem
    assert "nothing listens there" in came.problem
    assert json.loads((plain.keys / "bucket.json").read_text())["problem"] == came.problem
    assert plain.hears(made)
    with pytest.raises(ShelfAway, match="nothing listens there"):  # it may be there: it is not told to be destroyed
        plain.destroyer.destroy(made, "after 30 days", plain.now)
    came = plain.round(endpoint=endpoint)
    assert (came.moved, came.waiting, came.problem) == (
        0,
        0,
        None,
    )  # its destruction has begun: it is not moved any more
    assert plain.destroyer.destroy(made, "after 30 days", plain.now).certificate.endswith(".destroyed.json")
    assert not plain.on_disk()


def test_a_move_cut_off_between_both_places_is_finished_by_the_next(plain: Centre) -> None:
    made = plain.sealed(1)

    def dies() -> None:
        raise KeyboardInterrupt

    bucket = plain.bucket
    bucket.then = dies
    with pytest.raises(KeyboardInterrupt):
        Mover(plain.settings, bucket).round()
    assert made.seal
    assert plain.on_disk() == {made.seal.stored} == {each.name for each in plain.bucket.lying(DAY)}
    assert plain.hears(made)
    assert plain.round().moved == 1
    assert not plain.on_disk()
    assert plain.hears(made)


def test_what_is_destroyed_is_gone_from_both_places_also_while_it_was_on_its_way(plain: Centre) -> None:
    moved, kept = plain.sealed(1), plain.sealed(2)
    plain.round()
    assert len(list(plain.bucket.lying(DAY))) == 2
    plain.destroyer.destroy(moved, "after 30 days", plain.now)
    assert [each.name for each in plain.bucket.lying(DAY)] == [kept.seal and kept.seal.stored]
    assert f"{DAY}/{moved.id}.peaks.json" not in plain.in_bucket()
    third = plain.sealed(3)
    bucket = plain.bucket
    bucket.then = lambda: plain.destroyer.destroy(third, "after 30 days", plain.now)
    Mover(plain.settings, bucket).round()
    assert third.seal
    assert third.seal.stored not in plain.in_bucket()
    assert not plain.on_disk()
    plain.round()
    lying = plain.in_bucket()
    for each in (moved, third):
        assert f"{DAY}/{each.id}.peaks.json" not in lying
        assert f"{DAY}/{each.id}.destroyed.json" in lying
        assert f"{DAY}/{each.id}.json" in lying


def test_what_a_crash_left_of_something_destroyed_is_deleted_by_the_next_round(plain: Centre) -> None:
    made = plain.sealed(1)
    assert made.seal
    sound = (plain.root / made.seal.stored).read_bytes()
    plain.round()
    plain.destroyer.destroy(made, "after 30 days", plain.now)
    left = plain.folder / "left.ogg"
    left.write_bytes(sound)
    plain.bucket.copy(made.seal.stored, left, plain.folder)
    plain.round()
    assert made.seal.stored not in plain.in_bucket()


def plant(centre: Centre, recording: Recording) -> None:
    """A certificate of its destruction, and a line of the chain that speaks of it, as anybody can write them."""
    told = {"format": "gateway112-destruction-1", "recording": recording.id, "rule": "court order"}
    certificate, chain = centre.day / f"{recording.id}.destroyed.json", centre.day / "chain.jsonl"
    certificate.write_text(json.dumps(told))
    last = chain.read_bytes().splitlines(keepends=True)[-1]
    line = {"entry": 9, "file": certificate.name, "sha256": hashlib.sha256(certificate.read_bytes()).hexdigest()}
    with chain.open("ab") as file:
        file.write(json.dumps({**line, "previous": hashlib.sha256(last).hexdigest()}).encode() + b"\n")


def test_a_certificate_that_somebody_planted_deletes_nothing_from_the_bucket_and_keeps_nothing_from_it(
    plain: Centre,
) -> None:
    there, here = plain.sealed(1), plain.sealed(2)
    assert there.seal
    assert here.seal
    plain.round(keep_in="bucket")
    plain.bucket.look()
    third = plain.sealed(3)
    assert third.seal
    for each in (there, third):
        plant(plain, each)
    plain.round()
    assert {there.seal.stored, here.seal.stored, third.seal.stored} <= set(plain.in_bucket())
    back = plain.round(keep_in="disk")
    assert (back.moved, back.problem) == (3, None)
    assert all(plain.hears(each) for each in (there, here, third))


def test_what_a_hold_kept_from_being_destroyed_comes_home_although_that_was_begun(
    plain: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    def goes_away(name: str) -> None:
        raise ShelfAway(f"{name}: the bucket does not answer any more")

    made = plain.sealed(1)
    plain.round()
    plain.start()
    with monkeypatch.context() as patched:
        patched.setattr(plain.shelf, "delete", goes_away)
        with pytest.raises(ShelfAway):  # it has begun; then a hold is set
            plain.destroyer.destroy(made, "after 30 days", plain.now)
    assert made.seal
    assert plain.certificates.have_begun(made.seal.stored)
    back = plain.round(keep_in="disk")
    assert (back.moved, back.waiting, back.problem) == (1, 0, None)
    assert plain.on_disk() == {made.seal.stored}
    assert plain.hears(made)


def test_a_folder_that_cannot_be_listed_is_told_and_other_days_are_moved(
    plain: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.sealed(1, day="2026/11/25")
    made = plain.sealed(2)
    lying = LocalShelf.lying

    def refused(shelf: LocalShelf, folder: str) -> Iterator[Lying]:
        if folder == "2026/11/25":
            raise FolderUnreadable(f"the folder {folder} cannot be read: Permission denied")
        return lying(shelf, folder)

    monkeypatch.setattr(LocalShelf, "lying", refused)
    came = plain.round()
    assert (came.moved, came.waiting) == (1, 1)
    assert came.problem == "the folder 2026/11/25 cannot be read: Permission denied"
    assert plain.hears(made)


def test_a_day_that_we_may_not_write_to_holds_up_no_other_and_is_not_sent_again_and_again(
    plain: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that root has put back: nothing could be deleted there once it is in the bucket."""
    for number in range(1, 5):
        plain.sealed(number, two_tones(0.1), day="2026/11/25")
    made = plain.sealed(5)
    unlink, may = Path.unlink, os.access
    sent: list[str] = []

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.parent.name == "25" and path.suffix == ".ogg":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    monkeypatch.setattr(os, "access", lambda path, mode: may(path, mode) and Path(path).name != "25")
    monkeypatch.setattr(Bucket, "then", lambda _: sent.append("one"))
    came = plain.round()
    assert (came.moved, came.waiting, len(sent)) == (1, 4, 1)
    assert came.problem
    assert "2026/11/25 may not be written to by this user. Remedy: give it back" in came.problem
    assert plain.hears(made)
    assert made.seal
    assert made.seal.stored not in plain.on_disk()


def test_what_our_own_disk_refuses_of_a_day_is_told_and_ends_no_round(plain: Centre) -> None:
    """It left the last round's word standing, that all was well, and nobody heard of it."""
    plain.sealed(1)
    assert plain.round().problem is None
    mark = plain.folder / "var/vault/bucket" / f"{DAY.replace('/', '-')}.json"
    mark.unlink(missing_ok=True)
    mark.mkdir()  # as where it is another user's
    last = plain.round()
    assert last.problem
    assert mark.name in last.problem
    assert Round.read(plain.settings) == last


def test_a_changed_sound_is_not_moved_and_does_not_take_the_place_of_the_good_one(plain: Centre) -> None:
    one, two = plain.sealed(1), plain.sealed(2)
    assert one.seal
    path = plain.root / one.seal.stored
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    came = plain.round()
    assert (came.moved, came.waiting) == (1, 1)
    assert came.problem
    assert "is not the one that its manifest speaks of" in came.problem
    assert plain.on_disk() == {one.seal.stored}
    assert plain.hears(two)
    path.write_bytes(good)
    assert plain.round().problem is None


def test_sound_that_another_bucket_has_is_never_told_to_be_missing_or_destroyed(plain: Centre) -> None:
    made = plain.sealed(1)
    plain.round()
    name = plain.vault["bucket"]
    endpoint = plain.vault["endpoint"]
    for elsewhere in ({"bucket": ""}, {"endpoint": "http://127.0.0.1:9"}, {"bucket": "s3://sound/another"}):
        plain.vault |= {"bucket": name, "endpoint": endpoint, **elsewhere}
        plain.start()
        with pytest.raises(ShelfAway, match=rf"may lie in {name} at {endpoint}.*name it again"):
            plain.hears(made)
        with pytest.raises(ShelfAway, match="does not name any more"):
            plain.destroyer.destroy(made, "after 30 days", plain.now)
    came = plain.round()
    assert came.problem
    assert f"sound lies in {name} at {endpoint}, and [vault] names s3://sound/another" in came.problem
    assert plain.round(bucket=name, keep_in="disk").problem is None


def test_what_a_killed_mover_had_fetched_half_is_no_sound_and_is_deleted(plain: Centre) -> None:
    made = plain.sealed(1)
    plain.round()
    plain.round()  # the day is done
    left = plain.day / f".{made.id}.ogg.coming"
    left.write_bytes(b"OggS")
    assert [each.id for each in lying_files(plain.root, plain.shelf, plain.certificates, plain.now, plain.now)] == [
        made.id
    ]
    plain.round()
    assert not left.exists()


def test_two_movers_do_not_move_at_once(plain: Centre) -> None:
    plain.sealed(1)
    bucket = plain.bucket
    refused: list[BaseException] = []

    def second() -> None:
        with pytest.raises(BlockingIOError) as refusal:
            Mover(plain.settings, plain.bucket).round()
        refused.append(refusal.value)

    bucket.then = second
    assert Mover(plain.settings, bucket).round().moved == 1
    assert refused


def test_only_days_from_one_on_are_looked_at_when_asked(plain: Centre) -> None:
    plain.sealed(1)
    plain.vault["keep_in"] = "bucket"
    assert Mover(plain.settings, plain.bucket).round(plain.now.date() + timedelta(days=1)).moved == 0
    assert Mover(plain.settings, plain.bucket).round(plain.now.date()).moved == 1


async def test_the_worker_seals_and_beside_that_brings_the_sound_to_the_bucket(plain: Centre) -> None:
    made = plain.recording(1)
    vault = VaultWorker(plain.settings)
    running = asyncio.create_task(vault.run())
    try:
        async with asyncio.timeout(30):
            seal = (await vault.seal(made)).seal
            assert await vault.discard_raw([replace(made, seal=seal)]) == {}
            while plain.on_disk():
                await asyncio.sleep(0.05)
        assert plain.in_bucket()[seal.stored] == seal.stored_bytes
        came = Round.read(plain.settings)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert came
    assert came.problem is None


def test_vault_verify_names_what_was_changed_removed_swapped_and_added_in_the_bucket(plain: Centre) -> None:
    made = [plain.sealed(number, two_tones(0.3 + number / 10)) for number in range(5)]
    plain.round()
    good, changed, removed, swapped, other = (each.seal.stored for each in made if each.seal)
    verifier = Verifier(plain.root, plain.shelf, [plain.signing.public_pem()], frozenset)
    assert not verifier.verify().findings
    bucket, file = plain.bucket, plain.folder / "file"

    def put(name: str, data: bytes) -> None:
        file.write_bytes(data)
        bucket.put(name, file)

    sounds = {name: bucket.read(name, 0, 1_000_000) for name in (good, changed, removed, swapped, other)}
    put(changed, sounds[changed][:-1] + bytes([sounds[changed][-1] ^ 1]))
    bucket.delete(removed)
    put(swapped, sounds[other])
    put(f"{DAY}/added.ogg", sounds[good])
    found = {(each.what, each.file) for each in verifier.verify().findings}
    assert found == {
        (What.CHANGED, changed),
        (What.MISSING, removed),
        (What.SWAPPED, swapped),
        (What.ADDED, f"{DAY}/added.ogg"),
    }


def test_the_command_line_moves_all_and_says_how_much(plain: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        plain.sealed(number)
    chosen = Namespace(prog="gateway112 vault move")
    assert move_sound(plain.settings, chosen) == 0
    assert "2 recordings (" in capsys.readouterr().out
    assert not plain.on_disk()
    plain.vault |= {"keep_in": "disk", "secret": "wrong"}
    assert move_sound(plain.settings, chosen) == 1
    assert "vault.access_key and vault.secret" in " ".join(capsys.readouterr().err.split())
    plain.vault["secret"] = SECRET
    assert move_sound(plain.settings, chosen) == 0
    assert len(plain.on_disk()) == 2
    plain.vault["bucket"] = ""
    assert move_sound(plain.settings, chosen) == 1
    assert "set bucket in [vault]" in capsys.readouterr().err


def test_the_doctor_tells_how_the_bucket_is(plain: Centre) -> None:
    def told() -> Finding:
        [finding] = services.look_at_bucket(plain.settings)
        return finding

    assert told().level is Level.WARNING  # http, and not encrypted
    plain.vault["encrypt"] = True
    assert told().level is Level.OK
    plain.vault["secret"] = "wrong"
    assert told().level is Level.WRONG
    assert told().remedy == "correct vault.access_key and vault.secret"
    plain.vault["secret"] = SECRET
    made = plain.sealed(1)
    assert made.seal
    (plain.root / made.seal.stored).write_bytes(b"another")
    plain.round()
    assert "1 recordings were not moved" in told().said
    plain.vault["bucket"] = ""
    assert not list(services.look_at_bucket(plain.settings))


def test_sound_stays_on_the_disk_as_long_as_its_raw_sound_is_there(plain: Centre) -> None:
    made = plain.recording(1)
    seal = plain.sealer.seal(made).seal
    assert plain.round().moved == 0
    plain.vault["endpoint"] = "http://127.0.0.1:9"
    plain.start()
    plain.sealer.discard_raw(replace(made, seal=seal))  # without the bucket
    assert not (plain.root / made.file).exists()


def test_what_lies_in_a_bucket_that_does_not_answer_is_listed_as_its_manifests_say(plain: Centre) -> None:
    kept, destroyed = plain.sealed(1), plain.sealed(2)
    plain.round()
    plain.destroyer.destroy(destroyed, "after 30 days", plain.now)
    listed = list(lying_files(plain.root, plain.shelf, plain.certificates, plain.now, plain.now))
    plain.vault["endpoint"] = "http://127.0.0.1:9"
    plain.start()
    assumed = list(lying_files(plain.root, plain.shelf, plain.certificates, plain.now, plain.now))
    assert [(each.id, each.file, each.bytes, each.is_sealed) for each in assumed] == [
        (each.id, each.file, each.bytes, each.is_sealed) for each in listed
    ]
    assert [each.id for each in assumed] == [kept.id]
    begun = time.monotonic()
    for _ in range(100):  # a year of days is not waited for one by one
        assert len(list(lying_files(plain.root, plain.shelf, plain.certificates, plain.now, plain.now))) == 1
    assert time.monotonic() - begun < 2.0


@pytest.mark.parametrize("kept_in", ["bucket", "disk"])
def test_by_a_manifest_that_this_vault_did_not_write_nothing_is_written_over_or_deleted(
    plain: Centre, kept_in: str
) -> None:
    """Whoever may write to the folder would have the one good sound replaced."""
    made = plain.sealed(1)
    plain.round(keep_in="bucket")
    assert made.seal
    good = plain.bucket.read(made.seal.stored, 0, made.seal.stored_bytes)
    forged, path = b"somebody else's sound", plain.day / f"{made.id}.json"
    (plain.root / made.seal.stored).write_bytes(forged)
    document = json.loads(path.read_text())
    document["stored"] |= {"bytes": len(forged), "sha256": hashlib.sha256(forged).hexdigest()}
    path.write_text(json.dumps(document))
    came = plain.round(keep_in=kept_in)
    assert came.moved == 0
    assert plain.bucket.read(made.seal.stored, 0, made.seal.stored_bytes) == good
    assert (plain.root / made.seal.stored).read_bytes() == forged, "it stays for whoever looks at it"


def test_links_and_pipes_are_neither_sent_nor_waited_for(plain: Centre) -> None:
    made = plain.sealed(1)
    secret = plain.keys / "signing.key"
    (plain.day / "x.json").symlink_to(secret)
    os.mkfifo(plain.day / "y.json")
    came = plain.round()
    assert (came.moved, came.problem) == (1, None)
    assert made.seal
    there = plain.in_bucket()
    assert made.seal.stored in there
    assert not [name for name in there if name.endswith(("x.json", "y.json"))]


def test_a_day_that_leads_out_of_the_folder_is_told_and_the_others_are_moved(plain: Centre, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (plain.root / "2025/01").mkdir(parents=True)
    (plain.root / "2025/01/02").symlink_to(elsewhere)
    plain.sealed(1)
    came = plain.round()
    assert (came.moved, came.waiting) == (1, 1)
    assert came.problem
    assert "2025/01/02" in came.problem


def test_a_folder_that_becomes_a_link_just_before_it_is_sent_has_nothing_sent_from_there(
    plain: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.sealed(1)
    (plain.day / "ring.json").write_text("somebody's")
    plain.ring.newest(plain.now)
    send = BucketShelf.send

    def swapped(shelf: BucketShelf, name: str, file: Path, root: Path) -> tuple[int, str]:
        if file.name != "ring.json":
            return send(shelf, name, file, root)
        plain.day.rename(plain.folder / "aside")
        plain.day.symlink_to(plain.keys)
        try:
            return send(shelf, name, file, root)
        finally:
            plain.day.unlink()
            (plain.folder / "aside").rename(plain.day)

    monkeypatch.setattr(BucketShelf, "send", swapped)
    came = plain.round()
    assert f"{DAY}/ring.json" not in plain.in_bucket()
    assert came.problem == f"{plain.day}/ring.json cannot be read: a link lies on the way to it, or no folder"


def test_a_file_that_cannot_be_read_does_not_keep_the_days_chain_from_the_bucket(
    plain: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.sealed(1)
    send = BucketShelf.send

    def bad_sector(shelf: BucketShelf, name: str, file: Path, root: Path) -> tuple[int, str]:
        if file.name.endswith("peaks.json"):
            raise FileUnreadable(f"{file} cannot be read: Input/output error")
        return send(shelf, name, file, root)

    monkeypatch.setattr(BucketShelf, "send", bad_sector)
    mover = Mover(plain.settings, plain.bucket)
    for _ in range(2):  # it is told each time
        came = mover.round()
        assert came.problem
        assert "Input/output error" in came.problem
        there = plain.in_bucket()
        assert all(there.get(f"{DAY}/{each}") for each in FILES)


def test_a_defect_at_one_day_is_told_and_the_others_are_moved(plain: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    plain.sealed(1, day="2026/11/25")
    made = plain.sealed(2)
    clear = Copies.clear_destroyed

    def broken(copies: Copies, folder: str) -> None:
        if folder == "2026/11/25":
            raise RecursionError("maximum recursion depth exceeded")
        clear(copies, folder)

    monkeypatch.setattr(Copies, "clear_destroyed", broken)
    came = plain.round()
    assert (came.moved, came.waiting) == (1, 1)
    assert came.problem
    assert came.problem.startswith("2026/11/25: a defect, which is in the log: RecursionError(")
    assert Round.read(plain.settings) == came
    assert plain.hears(made)


def test_a_disk_without_room_is_not_filled_with_what_comes_home_and_is_asked_three_times_a_round(
    plain: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Running calls need the last of it for their raw sound."""
    made = [plain.sealed(number, two_tones(0.1)) for number in range(1, 6)]
    plain.round()
    usage, fetched = shutil.disk_usage(plain.root), []
    fetch = BucketShelf.fetch

    def counted(shelf: BucketShelf, name: str, start: int, stop: int) -> bytes:
        fetched.append(name)
        return fetch(shelf, name, start, stop)

    monkeypatch.setattr(BucketShelf, "fetch", counted)
    with monkeypatch.context() as patched:
        reserve = plain.settings.vault.low_space_mb * 1_000_000 // 2
        patched.setattr(shutil, "disk_usage", lambda _: usage._replace(free=reserve + 100))
        came = plain.round(keep_in="disk")
    assert (came.moved, came.waiting, fetched) == (0, 5, [])
    assert came.problem
    assert "running calls need what space is left" in came.problem
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EDQUOT, "Disk quota exceeded")))
        with pytest.raises(OSError, match="quota"):  # what came of it cannot be written, either
            plain.round()
    assert len(fetched) == 3
    assert not plain.on_disk()
    assert plain.round().problem is None
    assert all(plain.hears(each) for each in made)


def test_what_our_own_disk_refuses_of_single_files_ends_no_round(
    plain: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 6):
        plain.sealed(number, two_tones(0.1))

    def bad_sector(_mover: Mover, _name: str) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Mover, "_sha256_here", bad_sector)
    tried: list[str] = []
    go = Mover._go
    monkeypatch.setattr(Mover, "_go", lambda mover, each: tried.append(each.name) or go(mover, each))
    assert plain.round().waiting == len(tried) == 5


def test_a_bucket_is_not_forgotten_while_a_day_that_was_signed_cannot_be_seen(plain: Centre) -> None:
    """Whoever leaves it out then would have its sound told to be lost, or destroyed without a word."""
    made = plain.sealed(1)
    plain.round()
    plain.day.rename(plain.folder / "unmounted")
    came = plain.round(keep_in="disk")
    assert (came.moved, came.waiting) == (0, 1)
    assert came.problem
    assert "is the recordings' disk mounted" in came.problem
    assert (plain.keys / "bucket-in-use.json").exists()
    (plain.folder / "unmounted").rename(plain.day)
    assert plain.round(keep_in="disk").problem is None
    assert plain.hears(made)
    assert not (plain.keys / "bucket-in-use.json").exists()
