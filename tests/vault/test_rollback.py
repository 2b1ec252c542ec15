"""An older copy of the vault, put in its place by somebody who may write to the recordings' folder alone.

Counterpart: `gateway/vault/heads.py`. Every file in such a copy is in order and signed.
"""

import json
import shutil
from pathlib import Path

import pytest

from gateway.ports import Unsealable
from gateway.vault.findings import What
from gateway.vault.heads import Heads
from tests.vault.sound import DAY, NOON, House, tones

SOUND = tones(0.1, 300, 500)
CHAIN = f"{DAY}/chain.jsonl"


def told(house: House) -> list[tuple[str, What]]:
    return [(each.file, each.what) for each in house.findings()]


def put_back(house: House, older: Path) -> None:
    shutil.rmtree(house.day)
    shutil.copytree(older, house.day)


@pytest.fixture
def older(house: House, tmp_path: Path) -> Path:
    """The day as it was after its first recording; a second one was sealed since."""
    house.sealed(1, SOUND)
    copy = Path(shutil.copytree(house.day, tmp_path / "an hour ago"))
    house.sealed(2, SOUND)
    return copy


def test_a_day_put_back_to_an_older_signed_state_is_told(house: House, older: Path) -> None:
    assert told(house) == []
    put_back(house, older)
    assert told(house) == [(CHAIN, What.MISSING)]
    assert "it has 1 lines, and 2 were signed here" in house.findings()[0].said


@pytest.mark.parametrize("is_started_anew", [False, True])
def test_nothing_is_signed_on_top_of_a_day_that_was_put_back(house: House, older: Path, is_started_anew: bool) -> None:
    whole = shutil.copytree(house.day, older.with_name("whole"))
    put_back(house, older)
    fresh = house.recording(3, SOUND)
    if is_started_anew:
        house.start()
    house.steps.clear()
    with pytest.raises(Unsealable, match=r"put back to an older state.*Remedy: put the newest copy"):
        house.sealer.seal(fresh)
    assert house.steps == []
    assert house.sealed(4, SOUND, day="2026/11/27").seal is not None  # other days go on
    shutil.copytree(whole, house.day, dirs_exist_ok=True)
    assert house.sealer.seal(fresh).seal.entry == 3
    assert told(house) == []


def test_nothing_is_destroyed_or_signed_where_the_day_vanished(house: House) -> None:
    made = house.sealed(1, SOUND)
    shutil.rmtree(house.root / "2026")
    with pytest.raises(Unsealable, match="put back to an older state"):
        house.destroyer.destroy(made, "a year", house.now)
    fresh = house.recording(2, SOUND)
    with pytest.raises(Unsealable, match="put back to an older state"):
        house.destroyer.destroy(fresh, "a year", house.now)
    assert (house.root / fresh.file).exists()
    with pytest.raises(Unsealable, match="put back to an older state"):
        house.sealer.seal(fresh)


def test_a_destruction_that_was_undone_is_told(house: House, tmp_path: Path) -> None:
    made = house.sealed(1, SOUND)
    before = shutil.copytree(house.day, tmp_path / "before")
    house.destroyer.destroy(made, "a year", house.now)
    put_back(house, before)
    assert told(house) == [(CHAIN, What.MISSING)]


def test_a_day_that_was_sealed_late_and_the_newest_day_do_not_vanish_unseen(house: House) -> None:
    for number, day in enumerate(("2026/11/26", "2026/11/28", "2026/11/27", "2026/11/29"), 1):
        house.sealed(number, SOUND, day=day)
    assert told(house) == []
    for day in ("2026/11/27", "2026/11/29"):
        shutil.rmtree(house.root / day)
    assert told(house) == [("2026/11/27", What.MISSING), ("2026/11/29", What.MISSING)]
    house.start()
    house.sealed(5, SOUND, day="2026/11/30")
    first = json.loads((house.root / "2026/11/30/chain.jsonl").read_bytes())
    assert first["previous_day"] == "2026-11-29"  # the next day follows it all the same
    assert [each.day.day for each in house.findings(NOON.date().replace(day=29))] == [29, 30]


def test_a_vault_that_was_emptied_is_not_as_it_was_left(house: House) -> None:
    house.sealed(1, SOUND)
    shutil.rmtree(house.root / "2026")
    assert told(house) == [(DAY, What.MISSING)]
    house.day.mkdir(parents=True)
    assert told(house) == [(CHAIN, What.MISSING)]


def test_a_head_that_was_in_place_when_the_worker_died_is_taken_over(house: House, older: Path) -> None:
    kept = house.keys / "heads" / "2026-11-26.json"
    second = kept.read_bytes()
    for text in (json.dumps({**json.loads(second), "entries": 1, "last": first_hash(older)}), None):
        kept.unlink()
        if text is not None:
            kept.write_text(text)
        assert told(house) == []
        house.start()
        house.chains.check(NOON.date())
        assert kept.read_bytes() == second
    put_back(house, older)
    assert told(house) == [(CHAIN, What.MISSING)]


def first_hash(day: Path) -> str:
    return str(json.loads((day / "chain.head").read_bytes())["last"])


def test_another_past_that_the_key_signed_is_told_and_goes_no_further(house: House, older: Path) -> None:
    shutil.rmtree(house.keys / "heads")
    put_back(house, older)
    kept = house.keys / "heads" / "2026-11-26.json"
    house.start()
    house.chains.check(NOON.date())
    kept.write_text(json.dumps({**json.loads(kept.read_bytes()), "last": "a" * 64}))
    assert told(house) == [(CHAIN, What.REWRITTEN)]
    house.start()
    with pytest.raises(Unsealable, match="or another one"):
        house.sealer.seal(house.recording(3, SOUND))
    kept.write_text("{")
    assert told(house) == [(CHAIN, What.UNREADABLE)]
    with pytest.raises(Unsealable, match="Remedy: put it back from the backup"):
        house.sealer.seal(house.recording(3, SOUND))


def test_an_older_vault_has_its_days_taken_over_and_until_then_nothing_can_be_told(house: House) -> None:
    house.sealed(1, SOUND)
    house.sealed(2, SOUND, day="2026/11/27")
    kept = {path.name: path.read_bytes() for path in (house.keys / "heads").iterdir()}
    shutil.rmtree(house.keys / "heads")
    verified = house.verifier().verify()
    assert (verified.findings, verified.tells_rollbacks) == ([], False)
    house.start()
    house.chains.check(NOON.date())
    assert {path.name: path.read_bytes() for path in (house.keys / "heads").iterdir()} == kept
    assert house.verifier().verify().tells_rollbacks
    assert Heads(house.keys).days() == {NOON.date(), NOON.date().replace(day=27)}


def test_an_older_vaults_signed_head_is_taken_over_though_somebody_broke_its_chain(house: House) -> None:
    house.sealed(1, SOUND)
    shutil.rmtree(house.keys / "heads")
    (house.day / "chain.jsonl").write_bytes(b"[]\n")
    house.start()
    house.sealed(2, SOUND, day="2026/11/28")
    kept = Heads(house.keys).of(NOON.date())
    assert kept is not None
    assert kept.entries == 1
