"""The days of the recordings' folder: one that a link leads to is none of the vault's, and that is told."""

import errno
import os
from datetime import date
from pathlib import Path

import pytest

from gateway.ports import Unsealable
from gateway.vault.folders import LeavesTheVault, days, inside, linked_days
from gateway.vault.listing import clear_parts, lying_files
from tests.vault.sound import NOON, House, tones


@pytest.mark.parametrize("name", ["2025/01/02", "2025/01", "2025"])
def test_a_day_behind_a_link_is_none_and_is_named_as_linked(tmp_path: Path, name: str) -> None:
    (tmp_path / "disk/2026/11/26").mkdir(parents=True)
    (tmp_path / "elsewhere" / "2025/01/02").mkdir(parents=True)
    (tmp_path / "disk" / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "disk" / name).symlink_to(tmp_path / "elsewhere" / name)
    root = tmp_path / "recordings"
    root.symlink_to("disk")
    assert list(days(root)) == [date(2026, 11, 26)]
    assert list(linked_days(root)) == [date(2025, 1, 2)]
    assert list(linked_days(root, date(2025, 1, 3))) == []


def test_of_a_day_that_became_a_link_nobody_says_what_lies_there_and_nothing_there_is_deleted(house: House) -> None:
    """Else each recording of that day would be told to be lost."""
    house.sealed(1, tones(0.1, 300, 500))
    elsewhere = house.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".112-9.9.ogg.part").write_bytes(b"somebody's")
    (house.root / "2026/11/25").symlink_to(elsewhere)
    with pytest.raises(Unsealable, match="the folder 2026/11/25 is none of the vault's: a link lies in its place"):
        list(lying_files(house.root, house.shelf, house.certificates, NOON.replace(day=25), NOON))
    assert len(list(lying_files(house.root, house.shelf, house.certificates, NOON, NOON))) == 1
    assert clear_parts(house.root, NOON.replace(day=25), NOON) == 0
    assert (elsewhere / ".112-9.9.ogg.part").exists()


def test_a_day_that_nobody_may_look_at_hides_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write there would end each backup, and each round, with one month's folder."""
    (house.root / "2026/11/25").mkdir()
    look_as_ever = os.stat

    def look(path: Path, **how: bool) -> os.stat_result:
        if Path(path).name == "25":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return look_as_ever(path, **how)

    monkeypatch.setattr(os, "stat", look)
    assert list(days(house.root)) == [date(2026, 11, 25), date(2026, 11, 26)]


def test_links_that_lead_to_each_other_lead_out(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(LeavesTheVault, match="does not lie in"):
        inside(tmp_path, "a/112-1.0.raw")
