"""The bucket, on a real S3 server that checks keys: what is put comes back, and what goes wrong is told in plain words,
with the sound still where it was."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.settings import VaultSettings
from gateway.vault.bucket import BucketShelf
from gateway.vault.folders import LeavesTheVault
from gateway.vault.shelf import NotThere, ShelfAway
from tests.vault.bucket_server import ACCESS_KEY, READER, READER_SECRET, SECRET, BucketServer

DAY = "2026/11/26"
LIMIT_S = 0.3
"""For one answer: short, so that what never comes is soon waited for."""


def settings(s3: BucketServer, **changed: object) -> VaultSettings:
    fields = {
        "bucket": "s3://sound/centre",
        "endpoint": s3.endpoint,
        "access_key": ACCESS_KEY,
        "secret": SecretStr(SECRET),
    }
    return VaultSettings.model_validate(fields | changed)


def shelf(s3: BucketServer, *, limit_s: float = 10.0, **changed: object) -> BucketShelf:
    return BucketShelf(settings(s3, **changed), answer_s=limit_s, part_s=limit_s)


def written(folder: Path, size_bytes: int, name: str = ".a.part") -> tuple[Path, bytes]:
    data = os.urandom(size_bytes)
    (folder / name).write_bytes(data)
    return folder / name, data


def read(shelf: BucketShelf, name: str) -> bytes:
    size_bytes = shelf.size_bytes(name)
    assert size_bytes is not None
    return shelf.read(name, 0, size_bytes)


@pytest.mark.parametrize("size_bytes", [0, 1, 70_000, 12_000_000])
def test_what_is_put_comes_back_and_is_gone_from_the_disk(s3: BucketServer, tmp_path: Path, size_bytes: int) -> None:
    here, name = shelf(s3), f"{DAY}/put-{size_bytes}.ogg"
    file, data = written(tmp_path, size_bytes)
    here.put(name, file)
    assert not file.exists()
    assert here.size_bytes(name) == size_bytes
    assert hashlib.sha256(read(here, name)).digest() == hashlib.sha256(data).digest()


def test_any_part_is_read_and_past_the_end_there_is_nothing(s3: BucketServer, tmp_path: Path) -> None:
    here, name = shelf(s3), f"{DAY}/range.ogg"
    file, data = written(tmp_path, 100_000)
    here.put(name, file)
    for start, stop in ((0, 1), (5, 70_000), (99_990, 100_050), (0, 100_000)):
        assert here.read(name, start, stop) == data[start:stop]
    assert here.read(name, 100_000, 100_010) == b""
    assert here.read(name, 10, 10) == b""
    with pytest.raises(NotThere, match=r"2026/11/26/none\.ogg is not in s3://sound/centre"):
        here.read(f"{DAY}/none.ogg", 0, 10)


def test_what_is_put_again_is_there_once_and_what_is_deleted_is_gone(s3: BucketServer, tmp_path: Path) -> None:
    here, name = shelf(s3, bucket="s3://sound/again"), f"{DAY}/x.ogg.box"
    for _ in range(2):
        file, data = written(tmp_path, 1000)
        here.put(name, file)
    assert read(here, name) == data
    assert [(each.name, each.bytes) for each in here.lying(DAY)] == [(name, 1000)]
    here.delete(name)
    assert here.size_bytes(name) is None
    here.delete(name)  # gone already: nothing happens
    assert not list(here.lying(DAY))


def test_only_sound_lies_on_the_shelf_and_all_else_beside_it(s3: BucketServer, tmp_path: Path) -> None:
    here = shelf(s3, bucket="s3://sound/listing")
    for name in ("b.ogg", "a.ogg.box", "a.json", "chain.jsonl"):
        here.copy(f"{DAY}/{name}", written(tmp_path, 10)[0], tmp_path)
    here.copy("2026/11/27/c.ogg", written(tmp_path, 10)[0], tmp_path)
    assert [each.name for each in here.lying(DAY)] == [f"{DAY}/a.ogg.box", f"{DAY}/b.ogg"]
    assert len(list(here.everything(DAY))) == 4
    assert all(each.changed_at.tzinfo for each in here.everything(DAY))
    assert not list(here.lying("2026/11/28"))


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x.ogg", "2026/11/26/../../x", "a//b", "a\0b"])
def test_no_name_leads_out_of_the_prefix(s3: BucketServer, name: str) -> None:
    with pytest.raises(LeavesTheVault):
        shelf(s3).size_bytes(name)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"secret": SecretStr("wrong")}, r"does not take the key.*vault\.access_key and vault\.secret"),
        ({"access_key": "nobody"}, r"does not take the key.*vault\.access_key and vault\.secret"),
        ({"access_key": READER, "secret": SecretStr(READER_SECRET)}, r"refuses what was asked.*read, write"),
        ({"bucket": "s3://elsewhere"}, r"s3://elsewhere .*is not there.*vault\.bucket"),
        ({"endpoint": "http://127.0.0.1:9"}, r"nothing listens there.*vault\.endpoint"),
        ({"endpoint": "http://no-such-host.invalid"}, r"host's name is not known.*vault\.endpoint"),
    ],
)
def test_what_is_set_wrong_is_told_with_its_setting_and_the_sound_stays(
    s3: BucketServer, tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    here = shelf(s3, limit_s=LIMIT_S, **changed)
    file, data = written(tmp_path, 1000)
    with pytest.raises(ShelfAway, match=said) as refusal:
        here.put(f"{DAY}/wrong.ogg", file)
    assert "Remedy: " in str(refusal.value)
    assert file.read_bytes() == data
    assert SECRET not in str(refusal.value)
    if changed.get("access_key") == READER:
        return  # who may read is told that it is not there
    asks: list[Callable[[], object]] = [
        lambda: here.size_bytes(f"{DAY}/wrong.ogg"),
        lambda: here.read(f"{DAY}/wrong.ogg", 0, 10),
        lambda: list(here.lying(DAY)),
    ]
    for ask in asks:  # what cannot be asked is never told to be missing
        with pytest.raises(ShelfAway):
            ask()


def test_a_bucket_that_the_key_may_not_even_see_is_no_missing_sound(s3: BucketServer) -> None:
    here = shelf(s3, bucket="s3://elsewhere", access_key=READER, secret=SecretStr(READER_SECRET))
    with pytest.raises(ShelfAway, match=r"refuses what was asked \(403 AccessDenied\)"):
        here.read(f"{DAY}/a.ogg", 0, 10)


def test_what_other_tools_have_in_the_environment_is_not_a_setting_of_the_centre(
    s3: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {
        "AWS_SESSION_TOKEN": "old",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "another",
        "AWS_S3_EXPRESS": "true",
    }
    for name, value in others.items():
        monkeypatch.setenv(name, value)
    shelf(s3).put(f"{DAY}/environment.ogg", written(tmp_path, 100)[0])
    assert shelf(s3).size_bytes(f"{DAY}/environment.ogg") == 100
    assert {name: os.environ[name] for name in others} == others


def test_a_file_that_vanishes_is_told_and_nothing_is_put(s3: BucketServer, tmp_path: Path) -> None:
    with pytest.raises(ShelfAway, match="cannot be read: No such file"):
        shelf(s3).put(f"{DAY}/vanished.ogg", tmp_path / "none")
    assert shelf(s3).size_bytes(f"{DAY}/vanished.ogg") is None


def test_a_server_that_says_nothing_is_waited_for_a_while_and_no_longer(s3: BucketServer, tmp_path: Path) -> None:
    here = shelf(s3, limit_s=0.5)
    file, data = written(tmp_path, 1000)
    s3.pause()
    try:
        for ask in (lambda: here.put(f"{DAY}/slow.ogg", file), lambda: here.read(f"{DAY}/slow.ogg", 0, 10)):
            begun = time.monotonic()
            with pytest.raises(ShelfAway, match="did not answer in time"):
                ask()
            assert time.monotonic() - begun < 4.0
    finally:
        s3.resume()
    assert file.read_bytes() == data
    here.put(f"{DAY}/slow.ogg", file)  # also where the first one got there after all
    assert read(here, f"{DAY}/slow.ogg") == data


def test_a_server_killed_in_the_middle_of_a_put_loses_nothing_and_has_nothing_half(
    s3: BucketServer, tmp_path: Path
) -> None:
    here, name = shelf(s3, bucket="s3://sound/killed"), f"{DAY}/killed.ogg"
    file, data = written(tmp_path, 20_000_000)
    told: list[Exception] = []

    def put() -> None:
        try:
            here.put(name, file)
        except ShelfAway as error:
            told.append(error)

    before = s3.stored_bytes()
    putting = threading.Thread(target=put)
    putting.start()
    while s3.stored_bytes() < before + 2_000_000:
        time.sleep(0.001)
    s3.kill()
    putting.join(30)
    assert not putting.is_alive()
    s3.start()
    assert told, "it was put before the server was killed"
    assert file.read_bytes() == data
    assert here.size_bytes(name) in (None, len(data))
    here.put(name, file)
    assert not file.exists()
    assert read(here, name) == data
    assert [each.name for each in here.lying(DAY)] == [name]


def test_a_full_server_takes_nothing_and_the_sound_stays_until_there_is_room(s3: BucketServer, tmp_path: Path) -> None:
    here = shelf(s3, bucket="s3://sound/full")
    kept: list[str] = []
    file, data = written(tmp_path, 0)
    said = ""
    while not said and len(kept) < 100:
        file, data = written(tmp_path, 4_000_000)
        try:
            here.put(f"{DAY}/{len(kept):02}.ogg", file)
            kept.append(f"{DAY}/{len(kept):02}.ogg")
        except ShelfAway as error:
            said = str(error)
    assert "it may be full" in said
    assert file.read_bytes() == data
    assert [each.name for each in here.lying(DAY)] == kept
    s3.make_room()
    here.put(f"{DAY}/last.ogg", file)
    assert read(here, f"{DAY}/last.ogg") == data
