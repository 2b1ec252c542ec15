"""The journal's reader: each record once, in order, whatever happens to the files."""

import asyncio
import errno
import io
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asterisk.journal import CATCH_UP_LIMIT_S, CURRENT, FAR_BEHIND_BYTES, Journal, _piece
from gateway.asterisk.record import Unreadable, parse, split
from gateway.asterisk.segments import Segment
from gateway.asterisk.translator import translate
from gateway.domain.change import Position
from gateway.domain.facts import Entered, TrunkAnswered
from gateway.ports import Reading
from tests.clock import clock

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def row(number: int, kind: str = "CHAN_START", caller: str = "0811") -> bytes:
    call = f"112-1795476254.{number}"
    channel = quote(f"PJSIP/telkomsel-{number:08x}", safe="")
    return f"CEL1,1795476254.{number:06d},{kind},,{call},{call},{channel},{quote(caller, safe='')},,,,\n".encode()


class Reader:
    """Reads as the gateway does: positions are kept, a new Reader begins where they stand."""

    def __init__(
        self, folder: Path, positions: dict[str, Position] | None = None, rotate_at_bytes: int = 10**9
    ) -> None:
        self.journal = Journal(folder, rotate_at_bytes=rotate_at_bytes, clock=clock)
        self.positions = {} if positions is None else positions
        self.readings: list[Reading] = []

    def read_all(self) -> list[str]:
        """The ids of the calls that are new since the last time."""
        ids = []
        while (reading := self.journal.read(self.positions)) is not None:
            self.positions.update(reading.positions)
            self.readings.append(reading)
            ids += [fact.call_id.rpartition(".")[2] for fact in reading.facts]
        # the whole folder is looked through at least every second: make it so now
        self.journal._scanned_at = 0.0
        return ids

    @property
    def set_aside(self) -> list[str]:
        return [aside.raw for reading in self.readings for aside in reading.set_aside]


@pytest.fixture
def current(tmp_path: Path) -> Path:
    return tmp_path / CURRENT


def append(path: Path, *rows: bytes) -> None:
    with path.open("ab") as file:
        file.writelines(rows)


def test_what_is_appended_is_read_once(tmp_path: Path, current: Path) -> None:
    reader = Reader(tmp_path)
    assert reader.read_all() == []
    append(current, row(1), row(2))
    assert reader.read_all() == ["1", "2"]
    assert reader.read_all() == []
    append(current, row(3))
    assert reader.read_all() == ["3"]
    assert reader.journal.is_drained


def test_a_file_beside_it_that_cannot_be_read_holds_up_no_call(
    tmp_path: Path, current: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A copy that root made for himself, or an old segment on a bad sector."""
    (tmp_path / "journal.csv.bak").symlink_to("journal.csv.bak")  # which nobody can open, root neither
    append(current, row(1))
    reader = Reader(tmp_path)
    assert reader.read_all() == ["1"]
    append(current, row(2))
    assert reader.read_all() == ["2"]
    assert [record.message for record in caplog.records] == ["journal_segment_unreadable"]


def test_a_new_reader_goes_on_where_the_stored_position_stands(tmp_path: Path, current: Path) -> None:
    append(current, row(1), row(2))
    positions = dict(Reader(tmp_path).positions)
    first = Reader(tmp_path, positions)
    first.read_all()
    append(current, row(3))
    assert Reader(tmp_path, first.positions).read_all() == ["3"]


def test_half_a_record_waits_for_its_other_half(tmp_path: Path, current: Path) -> None:
    reader = Reader(tmp_path)
    append(current, row(1), row(2)[:30])
    assert reader.read_all() == ["1"]
    append(current, row(2)[30:])
    assert reader.read_all() == ["2"]
    assert reader.set_aside == []


@given(cuts=st.lists(st.integers(1, 900), max_size=8))
def test_however_the_bytes_arrive_each_record_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    whole = b"".join(row(number) for number in range(8))
    reader, ids, start = Reader(folder), [], 0
    for cut in [*sorted(cuts), len(whole)]:
        append(folder / CURRENT, whole[start : max(start, cut)])
        start = max(start, cut)
        ids += reader.read_all()
    assert ids == [str(number) for number in range(8)]


@pytest.mark.parametrize("name", ["journal.csv.1", "journal-20261123.csv"])
def test_a_rotated_file_is_read_to_its_end_and_then_the_new_one(tmp_path: Path, current: Path, name: str) -> None:
    reader = Reader(tmp_path)
    append(current, row(1), row(2))
    assert reader.read_all() == ["1", "2"]
    append(current, row(3))
    current.rename(tmp_path / name)
    append(current, row(4))
    # a record that was on its way when the file was renamed still ends in the old one
    append(tmp_path / name, row(5))
    assert reader.read_all() == ["3", "5", "4"]


def test_while_the_gateway_was_down_the_journal_was_rotated_twice(tmp_path: Path, current: Path) -> None:
    reader = Reader(tmp_path)
    append(current, row(1), row(2))
    reader.read_all()
    append(current, row(3))
    current.rename(tmp_path / "journal.csv.2")
    append(current, row(4), row(5))
    current.rename(tmp_path / "journal.csv.1")
    append(current, row(6))
    assert Reader(tmp_path, reader.positions).read_all() == ["3", "4", "5", "6"]


def test_a_file_copied_and_truncated_is_read_once(tmp_path: Path, current: Path) -> None:
    reader = Reader(tmp_path)
    append(current, row(1))
    reader.read_all()
    append(current, row(2))
    (tmp_path / "journal.csv.1").write_bytes(current.read_bytes())
    current.write_bytes(b"")
    append(current, row(3))
    assert reader.read_all() == ["2", "3"]


def test_what_was_not_read_before_a_file_was_copied_and_truncated_comes_first(tmp_path: Path, current: Path) -> None:
    """Also where the folder was looked through a moment ago: a call's end is of no use before its beginning."""
    reader = Reader(tmp_path)
    append(current, row(1))
    reader.read_all()
    assert reader.read_all() == []
    reader.journal._scanned_at = time.monotonic()
    append(current, row(2))
    (tmp_path / "journal.csv.1").write_bytes(current.read_bytes())
    current.write_bytes(b"")
    append(current, row(3))
    assert reader.read_all() == ["2", "3"]


class BadDisk:
    """A disk with a bad sector in one file: reading stops before it, and gives an error at it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path, bad_from: int) -> None:
        self.is_bad = True
        opened = Path.open
        disk = self

        class Bad(io.FileIO):
            def read(self, size: int | None = -1, /) -> bytes:
                data = super().read(size)
                return data if not disk.is_bad else data[: self._given(len(data))]

            def readinto(self, buffer: "WriteableBuffer", /) -> int:
                size = super().readinto(buffer)
                return size if not disk.is_bad else self._given(size)

            def _given(self, size: int) -> int:
                start = self.tell() - size
                given = min(size, bad_from - start)
                if given <= 0 < size:
                    raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
                self.seek(start + given)
                return given

        def open_(self: Path, mode: str = "r", buffering: int = -1) -> IO[bytes]:
            if self != path:
                return opened(self, mode, buffering)  # type: ignore[return-value]  # it is opened to be read as bytes
            return Bad(self) if buffering == 0 else io.BufferedReader(Bad(self))  # type: ignore[return-value]

        monkeypatch.setattr(Path, "open", open_)


def test_of_an_old_segment_with_a_bad_sector_all_is_told_up_to_it_and_the_rest_is_said_to_be_missing(
    tmp_path: Path, current: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reader = Reader(tmp_path)
    append(current, row(1))
    reader.read_all()
    append(current, row(2), row(3), row(4))
    old = current.rename(tmp_path / "journal-old.csv")
    append(current, row(5))
    disk = BadDisk(monkeypatch, old, 2 * len(row(1)) + 10)
    assert reader.read_all() == ["2", "5"]
    assert reader.journal.is_drained
    assert reader.journal.unread_bytes == {"journal-old.csv": 2 * len(row(1))}
    assert [record.message for record in caplog.records] == ["journal_segment_unreadable"]
    disk.is_bad = False
    assert reader.read_all() == [], "the disk is not asked again at once"
    monkeypatch.setattr("gateway.asterisk.journal.BAD_FOR_S", 0.0)
    reader.journal._bad = {name: replace(bad, until=0.0) for name, bad in reader.journal._bad.items()}
    assert reader.read_all() == ["3", "4"], "once it can be read it is told"
    assert reader.journal.unread_bytes == {}


def test_a_copy_that_can_be_read_takes_the_place_of_a_segment_with_a_bad_sector(
    tmp_path: Path, current: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(tmp_path)
    append(current, row(1), row(2))
    whole = current.read_bytes()
    old = current.rename(tmp_path / "journal-old.csv")
    BadDisk(monkeypatch, old, len(row(1)) + 10)
    assert reader.read_all() == ["1"]
    (tmp_path / "journal-saved.csv").write_bytes(whole)
    assert reader.read_all() == ["2"]
    old.unlink()
    assert reader.read_all() == []
    assert reader.journal.unread_bytes == {}


def test_an_old_segment_that_lost_its_end_and_has_a_bad_sector_holds_up_no_call_of_now(
    tmp_path: Path, current: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(tmp_path)
    append(current, row(1), row(2), row(3))
    reader.read_all()
    old = current.rename(tmp_path / "journal-old.csv")
    os.truncate(old, 2 * len(row(1)))
    append(current, row(4))
    BadDisk(monkeypatch, old, len(row(1)) + 10)
    assert reader.read_all() == ["4"]
    assert reader.journal.unread_bytes == {"journal-old.csv": 2 * len(row(1))}


def test_an_old_segment_that_the_disk_tries_to_read_for_minutes_holds_up_no_call_of_now(
    tmp_path: Path, current: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(tmp_path)
    append(current, row(1))
    reader.read_all()
    append(current, row(2))
    current.rename(tmp_path / "journal-old.csv")
    append(current, row(3))
    answers = threading.Event()

    def hangs(segment: Segment, start: int) -> bytes | None:
        if segment.path.name != CURRENT:
            answers.wait(20)
        return _piece(segment, start)

    monkeypatch.setattr("gateway.asterisk.journal._piece", hangs)
    monkeypatch.setattr("gateway.asterisk.journal.OLD_LIMIT_S", 0.05)
    monkeypatch.setattr("gateway.asterisk.journal.BAD_FOR_S", 0.0)
    assert reader.read_all() == ["3"]
    append(current, row(4))
    asked = time.monotonic()
    monkeypatch.setattr("gateway.asterisk.journal.OLD_LIMIT_S", 20.0)
    assert reader.read_all() == ["4"], "a disk that hangs is not asked again"
    assert time.monotonic() - asked < 10
    answers.set()
    assert reader.journal._hanging is not None
    reader.journal._hanging.result(20)
    assert reader.read_all() == ["2"]


def test_a_deleted_journal_is_no_fault(tmp_path: Path, current: Path) -> None:
    reader = Reader(tmp_path)
    append(current, row(1))
    reader.read_all()
    current.unlink()
    assert reader.read_all() == []
    append(current, row(2))
    assert reader.read_all() == ["2"]


def test_a_large_segment_is_given_a_name_of_its_own(tmp_path: Path, current: Path) -> None:
    reader = Reader(tmp_path, rotate_at_bytes=300)
    ids = []
    for number in range(10):
        append(current, row(number))
        ids += reader.read_all()
    assert ids == [str(number) for number in range(10)]
    assert len(list(tmp_path.glob("journal-*.csv"))) == 3


def test_a_large_segment_that_cannot_be_renamed_is_read_on(
    tmp_path: Path, current: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    reader = Reader(tmp_path, rotate_at_bytes=100)
    append(current, row(1), row(2))
    assert reader.read_all() == ["1", "2"]
    append(current, row(3))
    assert reader.read_all() == ["3"]


def test_a_torn_record_is_kept_aside_whole_and_the_next_one_on_its_line_is_read(tmp_path: Path, current: Path) -> None:
    reader = Reader(tmp_path)
    torn = row(2)[:41]
    append(current, row(1), torn + row(3), row(4))
    assert reader.read_all() == ["1", "3", "4"]
    assert reader.set_aside == [torn.decode()]


@pytest.mark.parametrize(
    "line", [b"garbage", b"\xff\xfe\x00", b"CEL1,x,y", row(9).replace(b"179", b"abc")[:-1], b"CEL2," + row(9)[5:-1]]
)
def test_a_foreign_line_is_kept_aside_whole_and_stops_nothing(tmp_path: Path, current: Path, line: bytes) -> None:
    reader = Reader(tmp_path)
    append(current, row(1), line + b"\n", row(2))
    assert reader.read_all() == ["1", "2"]
    assert reader.set_aside == [line.decode("utf-8", "backslashreplace")]


def test_a_line_without_end_is_kept_aside_in_pieces(tmp_path: Path, current: Path) -> None:
    reader = Reader(tmp_path)
    append(current, row(1), b"x" * 700_000, b"\n", row(2))
    assert reader.read_all() == ["1", "2"]
    assert len("".join(reader.set_aside)) == 700_000


@given(name=st.text())
def test_a_callers_name_survives_whatever_is_in_it(name: str) -> None:
    line = row(1, caller=name)[:-1]
    assert split(line) == [line]
    assert parse(line).caller == name


def posing(number: int, said: str = "CEL1,1999999999.000001,CHAN_START") -> bytes:
    """The record of a call whose number, name and dialled number say what begins a record."""
    call = f"112-1795476254.{number}"
    fields = f"CEL1,1795476254.{number:06d},CHAN_START,,{call},{call},PJSIP%2Ftelkomsel-{number:08x},{said},,"
    return fields.encode() + b"\n"


@pytest.mark.parametrize("said", ["CEL1,CEL1,CEL1", ",CEL1,112", "xCEL1,,", "CEL1,1999999999.000001,CHAN_START"])
def test_a_caller_who_is_called_as_a_record_begins_divides_none(tmp_path: Path, current: Path, said: str) -> None:
    reader = Reader(tmp_path)
    append(current, row(1), posing(2, said), row(3)[:41] + posing(4, said), row(5))
    assert reader.read_all() == ["1", "2", "4", "5"]
    assert reader.set_aside == [row(3)[:41].decode()]


def test_a_caller_who_is_called_as_a_record_begins_does_not_say_how_late_it_is(tmp_path: Path, current: Path) -> None:
    reader = Reader(tmp_path)
    append(current, row(1), posing(2))
    assert reader.read_all() == ["1", "2"]
    [position] = reader.positions.values()
    assert position.tail == "1795476254.000002"


def test_a_position_never_splits_what_two_readings_bring(tmp_path: Path, current: Path) -> None:
    append(current, *(row(number) + row(number, "ANSWER") for number in range(3000)))
    reader = Reader(tmp_path)
    ids = reader.read_all()
    assert len(reader.readings) > 1
    assert ids == [str(number) for number in range(3000) for _ in range(2)]
    kinds = [type(fact) for reading in reader.readings for fact in reading.facts]
    assert kinds == [Entered, TrunkAnswered] * 3000


def test_a_record_without_a_value_that_it_must_have_is_unreadable() -> None:
    record = parse(
        b"CEL1,1795476254.000001,QUEUED,QUEUED,1,1,PJSIP%2Ftelkom-1,,,,,"
        + quote('{"extra":"queue=x"}', safe="").encode()
    )
    with pytest.raises(Unreadable, match="priority"):
        translate(record)


@pytest.mark.parametrize("number", ["-1", "99999999999999999999", "1e3"])
def test_a_number_that_no_store_could_hold_is_unreadable(number: str) -> None:
    said = quote(f'{{"extra":"queue=x&priority={number}&round=1"}}', safe="")
    with pytest.raises(Unreadable, match="QUEUED"):
        translate(parse(f"CEL1,1795476254.000001,QUEUED,QUEUED,1,1,PJSIP%2Ftelkom-1,,,,,{said}".encode()))


def test_a_record_that_nests_without_end_is_kept_aside(tmp_path: Path, current: Path) -> None:
    reader = Reader(tmp_path)
    deep = row(2)[:-1] + b"[" * 60_000 + b"\n"
    append(current, row(1), deep, row(3))
    assert reader.read_all() == ["1", "3"]
    assert len(reader.set_aside) == 1


@pytest.mark.parametrize("gateway", ["sees it at once", "sees it later", "was started anew"])
@pytest.mark.parametrize("new", [0, 1, 3, 9])
def test_a_journal_that_lost_its_end_is_read_on_after_the_last_record_that_is_stored(
    tmp_path: Path, current: Path, new: int, gateway: str
) -> None:
    """A power cut takes the last records, one of them in its middle; new ones are written in their place."""
    reader = Reader(tmp_path)
    append(current, *(row(number) for number in range(8)))
    reader.read_all()
    whole = current.read_bytes()
    current.write_bytes(whole[: len(whole) * 5 // 8 + 20])
    if gateway == "sees it at once":
        reader.read_all()  # before anything is written
    append(current, *(row(100 + number) for number in range(new)))
    ids = (Reader(tmp_path, reader.positions) if gateway == "was started anew" else reader).read_all()
    assert ids == [str(100 + number) for number in range(new)]
    append(current, row(200))
    assert Reader(tmp_path, reader.positions).read_all()[-1:] == ["200"]


def at(hours: int, record: bytes) -> bytes:
    """The same by a clock that shows so many hours more."""
    return record.replace(b"CEL1,1795476254.", b"CEL1,%d." % (1795476254 + 3600 * hours))


@pytest.mark.parametrize("gateway", ["sees it later", "was started anew"])
@pytest.mark.parametrize(
    ("before", "new"),
    [
        pytest.param((0,), (-1,), id="a machine whose clock is behind until a time service sets it"),
        pytest.param((0,), (-1, 1), id="the same once that has set it"),
        pytest.param((0,), (-1, -2), id="two power cuts, one after the other"),
        pytest.param((1, 0), (-1,), id="a clock that was set back, and is behind now"),
        pytest.param((1, 0, 2), (3,), id="a clock that was set back long before"),
        pytest.param((1, 0), (2,), id="a clock that was set back just before"),
        pytest.param((1, 0, 2), (1,), id="one that was, and is behind now"),
    ],
)
def test_after_a_power_cut_no_call_is_passed_over_whatever_the_clock_shows(
    tmp_path: Path, current: Path, before: tuple[int, ...], new: tuple[int, ...], gateway: str
) -> None:
    reader = Reader(tmp_path)
    append(current, *(at(hours, row(10 * place + n)) for place, hours in enumerate(before) for n in range(8)))
    reader.read_all()
    os.truncate(current, current.stat().st_size - 3 * len(row(10)) - 20)
    append(current, *(at(hours, row(100 + 10 * place + n)) for place, hours in enumerate(new) for n in range(2)))
    ids = (Reader(tmp_path, reader.positions) if gateway == "was started anew" else reader).read_all()
    assert ids == [str(100 + 10 * place + n) for place in range(len(new)) for n in range(2)]


def test_a_loss_is_told(tmp_path: Path, current: Path) -> None:
    reader = Reader(tmp_path)
    append(current, row(1), row(2), row(3))
    reader.read_all()
    current.write_bytes(row(1))
    assert reader.read_all() == []
    assert [aside.reason for reading in reader.readings for aside in reading.set_aside] == [
        "the journal lost its end: these were read, and are not there any more"
    ]
    assert reader.read_all() == []


def test_a_segment_that_is_just_being_copied_away_is_read_from_the_longer_one(tmp_path: Path, current: Path) -> None:
    append(current, row(1), row(2), row(3))
    (tmp_path / "journal-20261125.csv").write_bytes(current.read_bytes()[:-20])
    reader = Reader(tmp_path)
    assert reader.read_all() == ["1", "2", "3"]
    assert reader.set_aside == []
    assert reader.read_all() == []


def test_a_folder_and_a_pipe_with_a_journals_name_are_nothing(tmp_path: Path, current: Path) -> None:
    (tmp_path / "journal-old").mkdir()
    os.mkfifo(tmp_path / "journal-pipe")
    append(current, *(row(number) for number in range(3000)))
    assert len(Reader(tmp_path).read_all()) == 3000


async def test_nobody_waits_for_a_journal_that_lies_far_behind(tmp_path: Path, current: Path) -> None:
    append(current, *(row(number) for number in range(FAR_BEHIND_BYTES // 80)))
    journal = Journal(tmp_path, rotate_at_bytes=10**9, clock=clock)
    may_store, positions = asyncio.Event(), dict[str, Position]()

    async def stored() -> dict[str, Position]:
        return positions

    async def store(reading: Reading) -> None:
        await may_store.wait()

    async def resume() -> None:
        return

    following = asyncio.create_task(journal.follow(stored, store, resume))
    async with asyncio.timeout(CATCH_UP_LIMIT_S * 0.9):
        assert not await journal.catch_up()
    assert journal.lag_bytes > FAR_BEHIND_BYTES
    may_store.set()
    while not journal.is_told:
        await asyncio.sleep(0.01)
    assert await journal.catch_up()
    following.cancel()
    await asyncio.wait([following])
