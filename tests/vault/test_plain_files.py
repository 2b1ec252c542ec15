"""Files of the vault that somebody else put there."""

import contextlib
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.ports import Unsealable
from gateway.vault.folders import is_gone
from gateway.vault.plain_files import NotPlain, open_plain, read_plain
from gateway.vault.recordings import NoRecording
from gateway.vault.sounds import Sounds
from tests.vault.sound import House, tones


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"all of it")
    assert read_plain(tmp_path / "plain") == b"all of it"


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to(__file__),
        lambda path: path.symlink_to("nowhere"),
        lambda path: os.mkfifo(path),
        lambda path: path.mkdir(),
    ],
)
def test_what_is_no_plain_file_is_not_opened_and_nobody_waits_for_it(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "odd")
    with pytest.raises(OSError, match="no plain file"):
        open_plain(tmp_path / "odd")


@pytest.mark.parametrize("name", ["{}.json", "{}.peaks.json", "{}.destroyed.json", "chain.jsonl", "chain.head"])
def test_a_file_without_end_is_told_and_its_bytes_are_nobodys_memory(tmp_path: Path, name: str) -> None:
    house = House(tmp_path)
    made = house.sealed(1, tones(0.1, 300, 500))
    if "destroyed" in name:
        house.destroyer.destroy(made, "a year", house.now)
    path = house.day / name.format(made.id)
    os.truncate(path, 1 << 40)
    tracemalloc.start()
    try:
        assert path.name in {each.file.rpartition("/")[2] for each in house.findings()}
        house.start()
        with contextlib.suppress(Unsealable):
            house.sealer.seal(house.recording(2, tones(0.1, 300, 500)))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_link_in_the_place_of_stored_sound_is_not_read(tmp_path: Path) -> None:
    house = House(tmp_path / "own")
    made = house.sealed(1, tones(0.6, 300, 500))
    stored = house.day / f"{made.id}.ogg"
    stored.unlink()
    stored.symlink_to(house.keys / "signing.key")
    with pytest.raises(NoRecording, match="no plain file"):
        Sounds(house.root, house.shelf, house.ring).open(made)


def test_what_nobody_can_look_at_is_not_gone(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("there")
    (tmp_path / "loop").symlink_to("loop")
    assert not is_gone(tmp_path / "a")
    assert not is_gone(tmp_path / "loop/b")
    assert is_gone(tmp_path / "none")
    assert is_gone(tmp_path / "a/below a file")


def test_no_link_on_the_way_from_the_root_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk/2026/11/26").mkdir(parents=True)
    (tmp_path / "disk/2026/11/26/a.json").write_bytes(b"ours")
    root = tmp_path / "recordings"
    root.symlink_to("disk")  # as a centre may have it
    assert read_plain(root / "2026/11/26/a.json", root) == b"ours"
    with pytest.raises(FileNotFoundError):
        read_plain(root / "2026/11/26/b.json", root)
    opened = len(os.listdir("/proc/self/fd"))
    for name in ("2026/11/26", "2026/11", "2026"):
        folder = root / name
        folder.rename(tmp_path / "aside")
        folder.symlink_to(tmp_path / "aside")
        assert read_plain(root / "2026/11/26/a.json") == b"ours"
        with pytest.raises(NotPlain, match="a link lies on the way"):
            read_plain(root / "2026/11/26/a.json", root)
        folder.unlink()
        (tmp_path / "aside").rename(folder)
    (root / "2026/11/26/b.json").symlink_to("a.json")
    with pytest.raises(NotPlain, match="no plain file"):
        read_plain(root / "2026/11/26/b.json", root)
    assert len(os.listdir("/proc/self/fd")) == opened
