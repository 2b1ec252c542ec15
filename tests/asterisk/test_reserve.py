"""The journal's reserve: what Asterisk will write next has its place on the disk already."""

import errno
import os
from pathlib import Path

import pytest

from gateway.asterisk import reserve
from gateway.asterisk.journal import CURRENT
from gateway.asterisk.reserve import AHEAD_BYTES, Reserve
from tests.asterisk.test_journal import Reader, append, row


def room_bytes(path: Path) -> int:
    """What the file has of the disk, and does not use."""
    return os.stat(path).st_blocks * 512 - os.stat(path).st_size


@pytest.fixture
def current(tmp_path: Path) -> Path:
    return tmp_path / CURRENT


def test_room_lies_ahead_of_the_file_and_changes_nothing_in_it(tmp_path: Path, current: Path) -> None:
    append(current, row(1))
    reader = Reader(tmp_path)
    assert reader.read_all() == ["1"]
    assert current.read_bytes() == row(1)
    assert room_bytes(current) >= AHEAD_BYTES // 2
    append(current, row(2))
    assert reader.read_all() == ["2"]


def test_a_file_that_was_truncated_gets_new_room(
    tmp_path: Path, current: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "AGAIN_S", 0.0)
    append(current, row(1))
    reader = Reader(tmp_path)
    reader.read_all()
    os.truncate(current, 0)
    assert room_bytes(current) == 0
    append(current, row(2))
    assert reader.read_all() == ["2"]
    assert room_bytes(current) >= AHEAD_BYTES // 2


def test_a_file_that_is_not_appended_to_any_more_gives_its_room_back(
    tmp_path: Path, current: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "QUIET_S", 0.0)
    append(current, row(1))
    reader = Reader(tmp_path)
    reader.read_all()
    rotated = current.rename(tmp_path / "journal.csv.1")
    append(rotated, row(2))  # on its way when it was renamed
    append(current, row(3))
    assert reader.read_all() == ["2", "3"]
    assert rotated.read_bytes() == row(1) + row(2)
    assert room_bytes(rotated) < AHEAD_BYTES // 2 <= room_bytes(current)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EOPNOTSUPP])
def test_without_a_reserve_the_journal_is_read_all_the_same(
    tmp_path: Path, current: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def refuse(path: Path, start: int, length: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(reserve, "allocate", refuse)
    reader = Reader(tmp_path)
    monkeypatch.setattr(reserve, "AGAIN_S", 0.0)
    for each in range(5):
        append(current, row(each))
        assert reader.read_all() == [str(each)]
    assert [record.message for record in caplog.records] == ["journal_not_reserved"]


def test_a_large_segment_stays_where_it_is_while_a_new_one_would_find_no_room(
    tmp_path: Path, current: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Reserve, folder: Path) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(Reserve, "refuse_without_room", refuse)
    append(current, row(1))
    reader = Reader(tmp_path, rotate_at_bytes=10)
    assert reader.read_all() == ["1"]
    assert current.exists()
