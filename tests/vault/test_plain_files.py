"""Files of the vault that somebody else put there."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.vault.plain_files import open_plain, read_plain
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


def test_a_link_in_the_place_of_stored_sound_is_not_read(tmp_path: Path) -> None:
    house = House(tmp_path / "own")
    made = house.sealed(1, tones(0.6, 300, 500))
    stored = house.day / f"{made.id}.ogg"
    stored.unlink()
    stored.symlink_to(house.keys / "signing.key")
    with pytest.raises(NoRecording, match="no plain file"):
        Sounds(house.root, house.shelf, house.ring).open(made)
