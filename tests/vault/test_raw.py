"""The raw folder: sizes, sides that are heard, and names that lead out of it."""

import array
import errno
import os
from datetime import date
from pathlib import Path

import pytest

from gateway.domain.evidence import Sound
from gateway.ports import Listened
from gateway.vault import raw as raw_module
from gateway.vault.raw import RawFolder


def stereo(seconds: float, left: int, right: int) -> bytes:
    return array.array("h", [left, right] * round(8000 * seconds)).tobytes()


async def test_a_sound_is_as_long_as_its_whole_frames_and_each_side_is_listened_to(tmp_path: Path) -> None:
    folder = tmp_path / "2026/11/26"
    folder.mkdir(parents=True)
    (folder / "a.raw").write_bytes(stereo(3, 0, 8) + b"\0")
    (folder / "b.raw").write_bytes(stereo(2, 900, 900) + stereo(1, 0, 8))
    (folder / "c.sln").write_bytes(array.array("h", [5] * 8000).tobytes())
    raw = RawFolder(tmp_path)

    sizes = await raw.sizes(["2026/11/26/a.raw", "2026/11/26/none.raw", "../out.raw"])
    assert sizes == {"2026/11/26/a.raw": 96001}
    quiet, short, long, message, nowhere, outside = await raw.sounds(
        [
            Listened("2026/11/26/a.raw", 2, 3.0),
            Listened("2026/11/26/b.raw", 2, 1.0),
            Listened("2026/11/26/b.raw", 2, 2.5),
            Listened("2026/11/26/c.sln", 1, 0.0),
            Listened("2026/11/26/none.raw", 2, 1.0),
            Listened("2026/11/26/away/secret", 2, 1.0),
        ]
    )
    assert (quiet.sound_s, quiet.is_left_heard, quiet.is_right_heard) == (3.0, False, True)
    # only the talk counts, which is at the end
    assert not short.is_left_heard
    assert long.is_left_heard
    assert message.sound_s == 1.0
    assert (nowhere.sound_s, outside.sound_s) == (None, None)
    assert await raw.days() == [date(2026, 11, 26)]
    assert await raw.free_bytes() > 0
    raw.close()


async def test_a_file_that_cannot_be_read_holds_no_other_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back by root, in a file or a day's folder of its own, or on a bad sector: it kept all from being sealed."""
    for name in ("of_root", "of_all"):
        (tmp_path / name).write_bytes(stereo(3, 0, 8))
    open_as_root, stat_as_root = raw_module.open_plain, os.stat

    def open_plain(path: Path) -> int:
        if path.name == "of_root":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return open_as_root(path)

    def look(path: str, **how: bool) -> os.stat_result:
        if "folder_of_root" in path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return stat_as_root(path, **how)

    monkeypatch.setattr(raw_module, "open_plain", open_plain)
    raw = RawFolder(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", look)
        hidden = "folder_of_root/c"
        assert await raw.sizes(["of_root", hidden, "of_all"]) == {"of_root": 96000, hidden: None, "of_all": 96000}
        assert await raw.sounds([Listened(hidden, 2, 3.0)]) == [Sound(None, is_seen=False)]
        assert await raw.sizes([hidden, "not_there"]) == {hidden: None}
        # however many, or the oldest would keep all newer ones from being looked at
        many = [f"folder_of_root/{number}" for number in range(200)]
        assert await raw.sizes(many) == dict.fromkeys(many)
        assert {each.is_seen for each in await raw.sounds([Listened(each, 2, 3.0) for each in many])} == {False}
    wanted = [Listened("of_root", 2, 3.0), Listened("of_all", 2, 3.0)]
    unread, read = await raw.sounds(wanted)
    assert unread == Sound(3.0), "nobody is said to be silent in what nobody could read"
    assert read == Sound(3.0, is_left_heard=False)
    raw.close()


async def test_a_disk_that_gives_none_of_several_is_the_disks_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").write_bytes(bytes(8))
    look_as_ever = os.stat

    def look(path: str, **how: bool) -> os.stat_result:
        refused = {"bad": errno.EIO, "forbidden": errno.EPERM}
        number = refused.get(Path(path).parent.name)
        if number is not None:
            raise OSError(number, os.strerror(number), path)
        return look_as_ever(path, **how)

    raw = RawFolder(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", look)
        assert await raw.sizes(["bad/a", "bad/b", "there"]) == {"bad/a": None, "bad/b": None, "there": 8}
        assert await raw.sizes(["bad/a", "forbidden/b"]) == {"bad/a": None, "forbidden/b": None}
        for files in (["bad/a", "bad/b"], ["bad/a", "forbidden/b", "bad/c"]):
            with pytest.raises(OSError, match="Input/output error"):
                await raw.sizes(files)
    raw.close()


async def test_a_link_that_leads_to_itself_in_a_days_place_hides_no_other_day(tmp_path: Path) -> None:
    (tmp_path / "2026/11").mkdir(parents=True)
    (tmp_path / "2026/11/26").symlink_to("26")
    (tmp_path / "2026/11/27").mkdir()
    (tmp_path / "2026/11/27/a.raw").write_bytes(stereo(1, 8, 8))
    raw = RawFolder(tmp_path)
    sizes = await raw.sizes(["2026/11/26/a.raw", "2026/11/27/a.raw"])
    assert sizes == {"2026/11/26/a.raw": None, "2026/11/27/a.raw": 32000}
    raw.close()


async def test_folders_that_are_of_no_day_are_none(tmp_path: Path) -> None:
    (tmp_path / "2026/13/45").mkdir(parents=True)
    raw = RawFolder(tmp_path)
    assert await raw.days() == []
    raw.close()
