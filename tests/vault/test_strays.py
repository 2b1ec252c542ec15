"""What somebody lays into the recordings' folder, under any name and of any kind: verify names it, and waits for none.

Counterparts: `gateway/vault/strays.py`, `gateway/vault/shelf.py`. `test_verify.py` changes what is there.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.recordings import State
from gateway.ports import Listened
from gateway.vault import strays
from gateway.vault.findings import What
from gateway.vault.raw import RawFolder
from gateway.vault.shelf import ShelfAway
from tests.vault.sound import DAY, House, a_recording, tones

SOUND = tones(0.1, 300, 500)
ONE, TWO, THREE = (a_recording(number).id for number in (1, 2, 3))
OTHER = "112-9.9"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> House:
    """One recording that is sealed, one that was destroyed, one whose raw sound waits beside it."""
    house = House(tmp_path_factory.mktemp("left"))
    house.sealed(1, SOUND)
    house.destroyer.destroy(house.sealed(2, SOUND), "a year", house.now)
    house.sealer.seal(house.recording(3, SOUND))
    house.recording(4, SOUND)
    return house


@pytest.fixture
def house(left: House, tmp_path: Path) -> House:
    """A copy of it, to do something to."""
    shutil.copytree(left.folder, tmp_path / "copy")
    return House(tmp_path / "copy")


def test_raw_sound_that_waits_and_the_marks_of_the_processes_are_nothing_to_tell(house: House) -> None:
    for name in (".vault-worker", ".claim-centre"):
        (house.root / name).touch()
    assert house.findings() == []


def test_the_folder_as_it_comes_with_the_gateway_has_nothing_to_tell(house: House) -> None:
    of_the_tree = Path(__file__).parents[2] / "recordings"
    assert (of_the_tree / "README.md").is_file()
    assert list(strays.beside_days(of_the_tree)) == []
    (house.root / ".gitignore").write_text("*")
    (house.root / "2026/README.md").write_text("x")
    assert [(each.file, each.what) for each in house.findings()] == [("2026/README.md", What.ADDED)]


def test_a_file_that_the_disk_does_not_let_be_looked_at_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    (house.day / "x.txt").write_text("x")
    lstat = Path.lstat

    def broken(path: Path) -> os.stat_result:
        if path.name == "x.txt":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", broken)
    [found] = house.findings()
    assert (found.file, found.said) == (f"{DAY}/x.txt", "it cannot be looked at: Input/output error")


AS_ANY_USER = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
"""Root may read everything."""


def test_a_folder_that_cannot_be_read_is_told_and_the_other_days_are_looked_at(house: House, tmp_path: Path) -> None:
    house.sealed(5, SOUND, day="2026/11/25")
    flip = house.sealed(6, SOUND, day="2026/11/27")
    (house.root / "2026/11/27" / f"{flip.id}.ogg").write_bytes(b"OggS")
    settings = tmp_path / "gateway.toml"
    settings.write_text(f'[paths]\nvar = "{house.folder / "var"}"\nrecordings = "{house.root}"\n')
    house.day.chmod(0)
    try:
        ended = subprocess.run(
            [*AS_ANY_USER, sys.executable, "-m", "gateway", "--config", settings, "vault", "verify", "--json"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        house.day.chmod(0o755)
    told = json.loads(ended.stdout)
    found = {(each["file"], each["what"]) for each in told["findings"]}
    assert found >= {(DAY, "unreadable"), (f"2026/11/27/{flip.id}.ogg", "changed")}
    assert [each["day"] for each in told["heads"]] == ["2026-11-25", "2026-11-27"]
    assert not {each for each in found if each[0].startswith(f"{DAY}/{ONE}")}


def hidden_by_an_empty_plan(day: Path) -> None:
    (day / f"{OTHER}.ogg").write_bytes(b"OggS")
    (day / f".{OTHER}.json.part").touch()


def hidden_by_the_plan_of_another(day: Path) -> None:
    plan = json.loads((day / f"{ONE}.json").read_text())
    (day / f"{OTHER}.ogg").write_bytes(b"OggS")
    (day / f"{OTHER}.raw").write_bytes(SOUND)
    (day / f".{OTHER}.json.part").write_text(json.dumps(plan | {"recording": OTHER}))


def in_a_new_folder(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "x.ogg").touch()


ADDED: dict[str, tuple[Callable[[Path], object], str]] = {
    "sound beside an empty plan": (hidden_by_an_empty_plan, f"{DAY}/{OTHER}.ogg"),
    "sound that its plan does not name": (hidden_by_the_plan_of_another, f"{DAY}/{OTHER}.ogg"),
    "a waveform of nothing": (lambda day: (day / f"{OTHER}.peaks.json").touch(), f"{DAY}/{OTHER}.peaks.json"),
    "raw sound of what was destroyed": (
        lambda day: (day / f"{TWO}.raw").write_bytes(SOUND),
        f"{DAY}/{TWO}.raw",
    ),
    "raw sound of what was destroyed, as of a message": (
        lambda day: (day / f"{TWO}.sln").write_bytes(SOUND),
        f"{DAY}/{TWO}.sln",
    ),
    "the waveform of what was destroyed": (
        lambda day: (day / f"{TWO}.peaks.json").write_text("{}"),
        f"{DAY}/{TWO}.peaks.json",
    ),
    "other raw sound beside what was sealed": (
        lambda day: (day / f"{ONE}.raw").write_bytes(SOUND[:-1] + b"\x7f"),
        f"{DAY}/{ONE}.raw",
    ),
    "raw sound that was written to after it was sealed": (
        lambda day: (day / f"{THREE}.raw").write_bytes(SOUND * 2),
        f"{DAY}/{THREE}.raw",
    ),
    "raw sound under the other ending": (lambda day: (day / f"{THREE}.sln").write_bytes(SOUND), f"{DAY}/{THREE}.sln"),
    "hidden sound": (lambda day: (day / ".a.ogg").write_bytes(b"OggS"), f"{DAY}/.a.ogg"),
    "hidden sound of no recording": (lambda day: (day / ".a.ogg.part").write_bytes(b"OggS"), f"{DAY}/.a.ogg.part"),
    "sound as a plan": (lambda day: (day / ".a.json.part").write_bytes(b"OggS\0"), f"{DAY}/.a.json.part"),
    "a folder": (lambda day: (day / "more.raw").mkdir(), f"{DAY}/more.raw"),
    "a pipe as raw sound": (lambda day: os.mkfifo(day / f"{OTHER}.raw"), f"{DAY}/{OTHER}.raw"),
    "a pipe as a plan": (lambda day: os.mkfifo(day / f".{OTHER}.json.part"), f"{DAY}/.{OTHER}.json.part"),
    "a link as raw sound": (lambda day: (day / f"{OTHER}.raw").symlink_to("/etc/hostname"), f"{DAY}/{OTHER}.raw"),
    "sound beside the days": (lambda day: (day.parent / "x.ogg").touch(), "2026/11/x.ogg"),
    "sound in a day that no calendar has": (
        lambda day: in_a_new_folder(day.parents[1] / "13/01"),
        "2026/13/01/x.ogg",
    ),
    "sound in another folder": (
        lambda day: in_a_new_folder(day.parents[2] / "old/one"),
        "old/one/x.ogg",
    ),
    "a link as a day": (lambda day: (day.parent / "30").symlink_to(day), "2026/11/30"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("added", ADDED)
def test_what_somebody_lays_there_is_named_and_nothing_else(house: House, added: str) -> None:
    act, file = ADDED[added]
    act(house.day)
    assert [(each.file, each.what) for each in house.findings() if not each.file.startswith("2026/11/30/")] == [
        (file, What.ADDED)
    ]


def test_a_name_that_is_no_text_does_not_hinder_that_it_is_told(house: House) -> None:
    """Whoever tells it writes UTF-8: to a terminal, into a file at 3 a.m., to the API."""
    for name in (b"112-\xff.ogg", b"\xff"):
        (house.day / os.fsdecode(name)).touch()
    (house.root / os.fsdecode(b"\xfe")).touch()
    found = house.findings()
    assert [each.file for each in found] == [f"{DAY}/112-\\xff.ogg", f"{DAY}/\\xff", "\\xfe"]
    assert json.dumps([each.said for each in found], ensure_ascii=False).encode()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("file", [f"{ONE}.ogg", f"{ONE}.json", f"{ONE}.peaks.json", "chain.jsonl", "chain.head"])
@pytest.mark.parametrize("is_link", [True, False], ids=["link", "pipe"])
def test_a_link_or_a_pipe_in_the_place_of_a_file_is_named_and_never_read(
    house: House, file: str, *, is_link: bool
) -> None:
    path = house.day / file
    path.rename(house.folder / "elsewhere")
    if is_link:
        path.symlink_to(house.folder / "elsewhere")
    else:
        os.mkfifo(path)
    assert (f"{DAY}/{file}", What.UNREADABLE) in [(each.file, each.what) for each in house.findings()]


@pytest.mark.timeout(20)
def test_the_shelf_hands_out_plain_files_alone(house: House) -> None:
    name = f"{DAY}/{ONE}.ogg"
    (house.root / name).unlink()
    for lay in (
        lambda: (house.root / name).symlink_to(house.keys / "signing.key"),
        lambda: os.mkfifo(house.root / name),
    ):
        lay()
        with pytest.raises(ShelfAway, match="plain file"):
            house.shelf.size_bytes(name)
        with pytest.raises(ShelfAway, match="plain file"):
            house.shelf.read(name, 0, 10)
        assert name not in [each.name for each in house.shelf.lying(DAY)]
        (house.root / name).unlink()


@pytest.mark.timeout(20)
def test_no_pipe_holds_up_whoever_writes_to_the_vault(house: House) -> None:
    recording = a_recording(4)
    for name in (f".{recording.id}.peaks.json.part", ".chain.head.next", "..chain.head.next.part"):
        os.mkfifo(house.day / name)
    house.sealer.discard_raw(replace(recording, seal=house.sealer.seal(recording).seal, state=State.SEALED))
    assert house.findings() == []


@pytest.mark.timeout(20)
async def test_no_link_and_no_pipe_is_listened_to(house: House) -> None:
    (house.day / "link.raw").symlink_to(house.keys / "signing.key")
    os.mkfifo(house.day / "pipe.raw")
    raw = RawFolder(house.root)
    assert await raw.sizes([f"{DAY}/link.raw", f"{DAY}/pipe.raw"]) == {}
    heard = await raw.sounds([Listened(f"{DAY}/{each}.raw", 2, 1.0) for each in ("link", "pipe")])
    assert [each.sound_s for each in heard] == [None, None]
    raw.close()
