"""The nightly looks at the vault: what is due when, what is found and when it is over, and what a crash leaves of it.

Counterparts: `gateway/vault/nightly.py`, `looks.py`.
"""

import asyncio
import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gateway.domain.evidence import Verification
from gateway.domain.recordings import Recording
from gateway.ports import ALL, Part
from gateway.settings import PathSettings, Settings, VaultSettings
from gateway.vault import nightly, verify
from gateway.vault.folders import folder_of
from gateway.vault.looks import Looks, verification
from gateway.vault.nightly import Nightly, NotAllLooked
from gateway.vault.shelf import LocalShelf, Lying, Shelf, ShelfAway
from gateway.vault.verify import Verifier
from gateway.vault.worker_link import VaultWorker
from tests.vault.sound import DAY, NOON, House, two_tones

DAYS = ("2026/11/19", "2026/11/22", "2026/11/23", "2026/11/24", "2026/11/25", DAY)
EVENING = datetime(2026, 11, 26, 19, 0, tzinfo=UTC)
"""02:00 in Jakarta, an hour before the night's work."""


@dataclass
class Night:
    """A vault of six days, its worker's nightly looks, and a clock that the test sets."""

    house: House
    recordings: list[Recording]
    at: datetime = EVENING
    read: list[str] = field(default_factory=list)
    """The days that were read whole."""

    def __post_init__(self) -> None:
        paths = PathSettings(var=self.house.folder / "var", recordings=self.house.root)
        self.settings = Settings(paths=paths, vault=VaultSettings(verify_at_hour=3))
        self.start()

    def start(self) -> None:
        """As after a start of the worker."""
        self.nightly = Nightly(self.settings, lambda: self.at)

    def goes_on(self, **time: float) -> list[str]:
        """Time passes, and what is due then is done; returns the days that were read whole."""
        self.at += timedelta(**time)
        self.read.clear()
        self.nightly.step()
        return sorted(self.read)

    @property
    def stands(self) -> Verification:
        found = verification(self.settings)
        assert found is not None
        return found

    def sound(self, number: int) -> Path:
        seal = self.recordings[number].seal
        assert seal is not None
        return self.house.root / seal.stored

    def flip(self, number: int) -> None:
        """Changes one bit of that recording's sound; a second time puts it back."""
        data = bytearray(self.sound(number).read_bytes())
        data[len(data) // 2] ^= 1
        self.sound(number).write_bytes(data)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Recording]]:
    """One vault for all of them, of which each takes a copy."""
    house = House(tmp_path_factory.mktemp("sealed"))
    return house.folder, [house.sealed(number, two_tones(0.1), day=day) for number, day in enumerate(DAYS, start=1)]


@pytest.fixture
def night(sealed: tuple[Path, list[Recording]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    monkeypatch.setattr(verify, "LOOK_AGAIN_S", 0.0)
    folder, recordings = sealed
    made = Night(House(shutil.copytree(folder, tmp_path / "house")), recordings)
    look_at = Verifier.look_at

    def noted(verifier: Verifier, day: object, *rest: object) -> object:
        made.read.append(folder_of(day))  # type: ignore[arg-type]
        return look_at(verifier, day, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Verifier, "look_at", noted)
    return made


def test_nothing_is_done_before_the_first_night_and_then_all_is_looked_at_once(night: Night) -> None:
    assert night.goes_on() == []
    assert night.stands == Verification(since=EVENING)
    assert night.goes_on(hours=1) == list(DAYS)
    ended_at = EVENING + timedelta(hours=1)
    assert night.stands == Verification(since=EVENING, at=ended_at, days=6, recordings=6, begun_at=ended_at)
    assert night.goes_on(minutes=1) == []


def test_each_night_the_newest_days_are_read_whole_and_every_other_one_once_a_week(night: Night) -> None:
    night.goes_on(hours=1)
    read = [night.goes_on(days=1) for _ in range(7)]
    assert all({DAYS[-1], DAYS[-2]} <= set(each) for each in read)
    for day in DAYS[:-2]:
        assert sum(day in each for each in read) == 1, day
    assert night.stands.days == 6


def test_days_that_are_yet_to_come_do_not_take_the_newest_ones_turn(night: Night) -> None:
    """Of a clock that was ahead, or made by somebody who would change what was said yesterday."""
    night.goes_on(hours=1)
    for day in ("2099/01/01", "2099/01/02"):
        (night.house.root / day).mkdir(parents=True)
    night.goes_on(days=1)
    assert {DAYS[-1], DAYS[-2]} <= set(night.goes_on(days=1))
    night.flip(-1)
    night.goes_on(days=1)
    assert night.stands.findings == 1


def test_a_changed_file_is_found_in_its_week_and_stands_until_it_is_put_back(night: Night) -> None:
    night.goes_on(hours=1)
    night.flip(0)
    found_after = next(days for days in range(1, 8) if night.goes_on(days=1) and night.stands.findings)
    assert found_after <= 7
    assert night.stands.first == (f"{DAYS[0]}/{night.sound(0).name}: changed: it is not the sound that was sealed",)
    night.start()
    assert night.stands.findings == 1
    # by day it is looked at again after an hour
    assert night.goes_on(minutes=59) == []
    assert night.goes_on(minutes=1) == [DAYS[0]]
    assert night.stands.findings == 1
    night.flip(0)
    assert night.goes_on(hours=2) == [DAYS[0]]
    assert (night.stands.findings, night.stands.first) == (0, ())


def test_what_nobody_mends_is_looked_at_ever_less_often_by_day_also_after_a_restart(night: Night) -> None:
    night.flip(5)
    night.goes_on(hours=1)
    looked = []
    for hour in range(1, 23):
        if night.goes_on(hours=1):
            looked.append(hour)
        night.start()
    assert looked == [1, 3, 7, 15]
    night.goes_on(hours=2)
    assert not any(night.goes_on(hours=1) for _ in range(21))  # each night is enough now
    assert night.stands.findings == 1


def test_what_is_found_new_beside_what_stands_is_told_anew_once_in_an_hour(night: Night) -> None:
    night.flip(5)
    night.goes_on(hours=1)
    first_at = night.at
    assert night.stands.found_at == first_at
    night.goes_on(hours=1)
    assert night.stands.found_at == first_at  # it is the same
    (night.house.root / DAY / "b.txt").write_text("x")
    night.goes_on(hours=2)
    told_at = night.at
    assert (night.stands.findings, night.stands.found_at) == (2, told_at)
    assert "b.txt" in " ".join(night.stands.first)
    night.goes_on(minutes=30)
    # what came half an hour later waits, and is not forgotten: not even by a restart
    (night.house.root / DAY / "c.txt").write_text("x")
    night.nightly._look(night.nightly._verifier(), date(2026, 11, 26))
    night.nightly._sum_up()
    assert (night.stands.findings, night.stands.found_at) == (3, told_at)
    later_at = night.at
    night.start()
    night.goes_on(minutes=29)
    assert night.stands.found_at == told_at
    night.goes_on(minutes=1)
    assert night.stands.found_at == later_at


def test_one_bad_day_leaves_room_to_name_the_others(night: Night) -> None:
    for number in range(30):
        (night.house.root / DAY / f"{number}.txt").write_text("x")
    night.flip(0)
    night.goes_on(hours=1)
    assert (night.stands.findings, len(night.stands.first)) == (31, 20)
    assert [each[:10] for each in night.stands.first[:3]] == [DAY, DAYS[0], DAY]


def test_a_day_that_is_a_link_elsewhere_is_named_and_the_others_are_looked_at(night: Night) -> None:
    day = night.house.root / DAYS[3]
    day.rename(night.house.folder / "elsewhere")
    day.symlink_to(night.house.folder / "elsewhere")
    night.flip(0)
    assert night.goes_on(hours=1) == list(DAYS)
    told = " ".join(night.stands.first)
    assert f"{DAYS[3]}/{night.sound(3).name}: unreadable: '{DAYS[3]}" in told
    assert f"{DAYS[0]}/{night.sound(0).name}: changed" in told
    assert night.stands.at == night.at


def test_a_day_that_cannot_be_looked_at_holds_up_no_other_and_the_night_is_not_whole(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_at, bad = Verifier.look_at, date(2026, 11, 26)

    def breaks(verifier: Verifier, day: date) -> object:
        if day == bad:
            raise ValueError("a defect")
        return look_at(verifier, day)

    monkeypatch.setattr(Verifier, "look_at", breaks)
    night.flip(0)
    with pytest.raises(NotAllLooked, match="1 days could not be looked at, the first: 2026-11-26: ValueError") as told:
        night.goes_on(hours=1)
    assert (len(night.read), night.stands.findings, night.stands.at) == (5, 1, None)
    assert night.stands.problem == str(told.value)
    monkeypatch.setattr(Verifier, "look_at", look_at)
    assert night.goes_on(minutes=10) == [DAY]
    assert (night.stands.at, night.stands.problem) == (night.at, "")


def test_a_bucket_that_falls_silent_within_a_day_ends_the_round(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7, 11):
        night.house.sealed(number, two_tones(0.1))
    asked: list[str] = []

    class Silent(LocalShelf):
        def lying(self, folder: str, part: Part = ALL) -> Iterator[Lying]:
            if asked:
                raise ShelfAway("the bucket does not answer")
            return super().lying(folder, part)

        def size_bytes(self, name: str) -> int | None:
            asked.append(name)
            raise ShelfAway("no answer within 5 s")

    monkeypatch.setattr(nightly, "shelf_for", lambda settings: Silent(settings.paths.recordings))
    with pytest.raises(ShelfAway, match="the bucket does not answer"):
        night.goes_on(hours=1)
    assert len(asked) == 3
    assert night.stands.findings == 0


def test_while_a_night_is_not_whole_what_was_found_is_looked_at_again_and_a_restart_gives_no_more_hours(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Nightly._look

    def slow(nightly_: Nightly, verifier: Verifier, day: date) -> None:
        look(nightly_, verifier, day)
        night.at += timedelta(minutes=150)

    monkeypatch.setattr(Nightly, "_look", slow)
    night.flip(5)
    assert night.goes_on(hours=1) == list(DAYS[-2:])
    monkeypatch.setattr(Nightly, "_look", look)
    night.start()
    night.flip(5)
    assert night.goes_on(minutes=1) == [DAY]
    assert (night.stands.at, night.stands.findings, night.stands.due) == (None, 0, 4)


def test_where_nothing_can_be_kept_it_is_tried_again(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = night.settings.vault_dir / "verified"
    shutil.rmtree(verified)
    verified.touch()  # as a full disk, or another's folder
    paused: list[float] = []

    class Over(BaseException):
        pass

    def sleep(pause_s: float) -> None:
        paused.append(pause_s)
        if len(paused) == 2:
            raise Over
        verified.unlink()

    monkeypatch.setattr(nightly.time, "sleep", sleep)
    with pytest.raises(Over):
        nightly.run(night.settings)
    assert paused == [nightly.RETRY_S, nightly.LOOK_EVERY_S]
    assert night.stands.at is None


async def test_a_worker_that_can_keep_nothing_of_its_looks_seals_all_the_same(house: House) -> None:
    settings = Settings(paths=PathSettings(var=house.folder / "var", recordings=house.root))
    settings.vault_dir.mkdir(parents=True, exist_ok=True)
    (settings.vault_dir / "verified").touch()
    vault = VaultWorker(settings)
    running = asyncio.create_task(vault.run())
    try:
        assert (await vault.seal(house.recording(raw=two_tones(0.1)))).seal.entry == 1
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def test_what_was_done_to_a_chain_or_to_a_whole_day_is_found_in_the_next_night(night: Night) -> None:
    night.goes_on(hours=1)
    chain = night.house.root / DAYS[1] / "chain.jsonl"
    chain.write_bytes(chain.read_bytes() + b"{}\n")
    (night.house.root / DAYS[2]).rename(night.house.folder / "taken")
    (night.house.root / "2026/notes.txt").write_text("x")
    assert {DAYS[1], DAYS[2]} <= set(night.goes_on(days=1))
    told = " ".join(night.stands.first)
    assert f"{DAYS[2]}: missing: the day was signed here" in told
    assert "line 2 was added" in told
    assert "2026/notes.txt: added" in told
    (night.house.folder / "taken").rename(night.house.root / DAYS[2])
    (night.house.root / "2026/notes.txt").unlink()
    night.goes_on(hours=2)
    assert all(each.startswith(DAYS[1]) for each in night.stands.first)


def test_a_night_that_is_interrupted_goes_on_with_the_next_day(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    keep, kept = Looks.keep, []

    def dies_at_the_third(looks: Looks, look: object) -> None:
        if len(kept) == 2:
            raise OSError("killed here")
        kept.append(look)
        keep(looks, look)  # type: ignore[arg-type]

    monkeypatch.setattr(Looks, "keep", dies_at_the_third)
    with pytest.raises(OSError, match="killed here"):
        night.goes_on(hours=1)
    monkeypatch.setattr(Looks, "keep", keep)
    night.start()
    assert night.goes_on(minutes=5) == list(DAYS[:-2])
    assert (night.stands.recordings, night.stands.due) == (6, 0)


def test_a_night_ends_after_hours_and_the_next_one_goes_on_where_it_stopped(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Nightly._look

    def slow(nightly_: Nightly, verifier: Verifier, day: object) -> None:
        look(nightly_, verifier, day)  # type: ignore[arg-type]
        night.at += timedelta(minutes=100)

    monkeypatch.setattr(Nightly, "_look", slow)
    assert night.goes_on(hours=1) == sorted((*DAYS[-2:], DAYS[-3]))
    assert (night.stands.at, night.stands.due) == (None, 3)
    assert night.goes_on(minutes=1) == []
    assert night.goes_on(hours=19) == sorted((*DAYS[-2:], DAYS[-4]))
    assert (night.stands.at, night.stands.due) == (None, 2)
    overdue_at = EVENING + timedelta(days=2, seconds=1)
    assert night.stands.is_overdue(overdue_at)
    assert night.stands.why_overdue == "2 days were left when the night was over"


def test_a_night_that_was_missed_is_made_up_for_when_the_machine_is_back(night: Night) -> None:
    night.goes_on(hours=1)
    night.at += timedelta(days=1, hours=9)
    night.start()
    assert set(night.goes_on()) >= set(DAYS[-2:])


def test_a_place_that_is_away_is_no_finding_and_is_asked_again(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(LocalShelf):
        def lying(self, folder: str, part: Part = ALL) -> Iterator[object]:  # type: ignore[override]
            raise ShelfAway("the bucket does not answer")

    def away(settings: Settings) -> Shelf:
        return Away(settings.paths.recordings)  # type: ignore[return-value]

    here = nightly.shelf_for
    monkeypatch.setattr(nightly, "shelf_for", away)
    with pytest.raises(ShelfAway):
        night.goes_on(hours=1)
    night.nightly.tell_of("the bucket does not answer")
    assert (night.stands.findings, night.stands.why_overdue) == (0, "the bucket does not answer")
    monkeypatch.setattr(nightly, "shelf_for", here)
    assert night.goes_on(minutes=10) == list(DAYS)
    assert night.stands.problem == ""


def test_a_clock_that_was_wrong_keeps_nobody_from_looking(night: Night) -> None:
    night.at += timedelta(days=365)
    night.start()
    night.goes_on(hours=1)
    night.at = EVENING
    assert night.goes_on(hours=1) == list(DAYS)
    assert night.stands.at == night.at


async def test_the_worker_verifies_by_itself_while_it_does_all_else(house: House) -> None:
    """The last night was missed: it begins at once."""
    paths = PathSettings(var=house.folder / "var", recordings=house.root)
    settings = Settings(paths=paths)
    Looks(settings.vault_dir).sum_up(Verification(since=NOON - timedelta(days=400)))
    vault = VaultWorker(settings)
    running = asyncio.create_task(vault.run())
    try:
        assert (await vault.seal(house.recording(raw=two_tones(0.1)))).seal.entry == 1
        async with asyncio.timeout(10):
            while (found := verification(settings)) is None or found.at is None:
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    assert (found.findings, found.days, found.due) == (0, 1, 0)


def test_where_it_is_not_to_be_verified_nothing_is_told(night: Night) -> None:
    night.goes_on(hours=1)
    off = night.settings.model_copy(update={"vault": VaultSettings(verify_at_hour=-1)})
    assert verification(off) is None


def test_what_cannot_be_read_of_the_looks_is_none_and_is_looked_at_anew(night: Night) -> None:
    night.goes_on(hours=1)
    folder = night.settings.vault_dir / "verified"
    assert len(list(folder.iterdir())) == len(DAYS) + 2
    for path in folder.iterdir():
        path.write_text(json.dumps({"day": 7}))
    night.start()
    assert night.stands == Verification(since=night.at)
    assert night.goes_on(days=1) == list(DAYS)
