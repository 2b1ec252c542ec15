"""What the true vault sealed is handed out and destroyed: real sound, boxes, chains and signatures."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.api.exports import Source
from gateway.domain.change import Change
from gateway.domain.recordings import Kind, Recording, State
from gateway.domain.retention import Trusted
from gateway.ports import Destroyed, Fate, Unsealable
from gateway.store.database import open_database
from gateway.store.repository import Repository
from gateway.vault.disk_and_bucket import BucketNotNamed, DiskAndBucket
from gateway.vault.listing import lying_files
from gateway.vault.shelf import ShelfAway
from gateway.vault.sounds import Sounds
from tests.api.house import open_house
from tests.api.test_exports import exported, failing
from tests.store.values import ended
from tests.told import Clock, Services
from tests.vault.sound import CALLER_HZ, CENTRE_HZ, DAY, NOON, House, decoded, level_db, tones
from tests.vaults import OwnVault

RULE = "the centre's own rule: 365 days"


class TrueVault(OwnVault):
    """The vault's own steps, in a thread of this process."""

    def __init__(self, house: House) -> None:
        super().__init__(house.root)
        self._house = house

    async def destroy(self, recording: Recording, rule: str, at: datetime) -> Destroyed:
        return await asyncio.to_thread(self._house.destroyer.destroy, recording, rule, at)


def call_of(recording: Recording) -> Change:
    call = replace(ended(1), id=recording.call_id, arrived_at=recording.started_at, ended_at=recording.ended_at)
    return Change(calls=(call,), recordings=(recording,))


def source_of(house: House) -> Source:
    opened = Sounds(house.root, house.shelf, house.ring).open
    return Source(house.root, opened, house.signing.sign, house.signing.signed_by, house.signing.public_pem)


@pytest.mark.parametrize("is_encrypted", [False, True])
async def test_what_was_sealed_is_checked_by_the_pages_commands_and_played(tmp_path: Path, is_encrypted: bool) -> None:
    vault = House(tmp_path / "centre", is_encrypted=is_encrypted)
    kept, gone = vault.sealed(1), vault.sealed(2)
    destroyed = vault.destroyer.destroy(gone, RULE, NOON + timedelta(days=365))
    gone = replace(gone, state=State.DESTROYED, certificate=destroyed.certificate)
    async with open_house(tmp_path, source=source_of(vault)) as house:
        for each in (kept, gone):
            await house.context.store.commit(call_of(each))
        unpacked = await exported(house, tmp_path / "police", str(kept.call_id), str(gone.call_id))

    assert failing(unpacked) == []
    samples = decoded(unpacked / f"recordings/{DAY}/{kept.id}.ogg")
    assert level_db(samples[::2], CALLER_HZ) > level_db(samples[::2], CENTRE_HZ) + 20
    assert level_db(samples[1::2], CENTRE_HZ) > level_db(samples[1::2], CALLER_HZ) + 20
    told = json.loads((unpacked / f"recordings/{DAY}/{gone.id}.destroyed.json").read_text())
    assert (told["rule"], told["destroyed_at"]) == (RULE, "2027-11-26T12:00:00Z")
    assert not (unpacked / f"recordings/{DAY}/{gone.id}.ogg").exists()


async def test_a_box_that_was_changed_is_told_and_the_others_are_handed_out(tmp_path: Path) -> None:
    vault = House(tmp_path / "centre", is_encrypted=True)
    whole, changed = vault.sealed(1), vault.sealed(2)
    box = vault.day / f"{changed.id}.ogg.box"
    box.write_bytes(box.read_bytes()[:-1] + b"\0")
    async with open_house(tmp_path, source=source_of(vault)) as house:
        for each in (whole, changed):
            await house.context.store.commit(call_of(each))
        unpacked = await exported(house, tmp_path / "police", str(whole.call_id), str(changed.call_id))
    assert (unpacked / f"recordings/{DAY}/{whole.id}.ogg").exists()
    assert "the sound cannot be read" in (unpacked / f"calls/002_{changed.call_id}.txt").read_text()
    assert failing(unpacked) == []


async def test_the_true_vault_destroys_what_is_due_sealed_raw_or_lost_and_leaves_a_whole_chain(tmp_path: Path) -> None:
    vault = House(tmp_path / "centre")
    sealed, boxed_name = vault.sealed(1), vault.sealed(2, kind=Kind.MESSAGE)
    raw, lost = vault.recording(3), replace(vault.recording(4), state=State.LOST)
    (vault.root / lost.file).unlink()
    every = [sealed, boxed_name, raw, lost]
    engine = await open_database(f"sqlite+aiosqlite:///{tmp_path / 'gateway112.db'}")
    services = Services(Repository(engine), clock=Clock(NOON + timedelta(days=366)), own_vault=TrueVault(vault))
    await services.set_up()
    for each in every:
        await services.store.commit(call_of(each))
    await services.custody.trust(Trusted(services.clock()))

    assert await services.destroying.look() == 4
    assert services.destroying.alarms(()) == []
    assert not [path for path in vault.day.iterdir() if path.suffix in (".ogg", ".raw", ".sln")]
    for each in every:
        stored = await services.store.recording(each.id)
        assert stored is not None
        assert (stored.state, stored.certificate) == (State.DESTROYED, f"{DAY}/{each.id}.destroyed.json")
        told = json.loads((vault.day / f"{each.id}.destroyed.json").read_text())
        assert told["rule"] == RULE
    told = json.loads((vault.day / f"{raw.id}.destroyed.json").read_text())
    assert (told["manifest"], [each["file"] for each in told["destroyed"]]) == (None, [f"{raw.id}.raw"])
    vault.start()
    assert vault.findings() == []
    assert vault.chains.find(NOON.date(), f"{lost.id}.destroyed.json") is not None
    # it was destroyed before, under that rule
    again = vault.destroyer.destroy(raw, "another", services.clock())
    assert again == Destroyed(f"{DAY}/{raw.id}.destroyed.json", RULE)
    await services.store.close()


def test_what_stands_in_no_chain_since_a_new_one_was_begun_is_destroyed_if_this_vault_sealed_it(house: House) -> None:
    """The remedy for a day whose chain somebody changed: the chain and its kept head are moved away. Its recordings
    have their time, too, and whoever is in them may ask to be erased."""
    ours, foreign = house.sealed(1, tones(0.1, 300, 500)), house.sealed(2, tones(0.1, 300, 500))
    for name in ("chain.jsonl", "chain.head", "chain.head.sig"):
        (house.day / name).unlink()
    (house.keys / "heads" / "2026-11-26.json").unlink()
    path = house.day / f"{foreign.id}.json"
    path.write_bytes(path.read_bytes().replace(b'"kind": "call"', b'"kind": "CALL"'))
    house.start()
    with pytest.raises(Unsealable, match="it was changed"):
        house.destroyer.destroy(foreign, "365 days", house.now)
    assert (house.day / f"{foreign.id}.ogg").exists()
    certificate = house.destroyer.destroy(ours, "365 days", house.now).certificate
    assert not (house.day / f"{ours.id}.ogg").exists()
    assert house.destroyer.fate(ours) is Fate.DESTROYED
    assert certificate in {
        f"{DAY}/{json.loads(line)['file']}" for line in (house.day / "chain.jsonl").read_text().splitlines()
    }
    told = {each.file.rpartition("/")[2] for each in house.findings()}
    assert told == {f"{ours.id}.json", *(f"{foreign.id}{ending}" for ending in (".json", ".ogg", ".peaks.json"))}


def test_sound_that_was_kept_after_its_destruction_was_begun_is_destroyed_anew_years_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold came in between: of the time and the rule of then nothing was done."""
    kept, raw = house.sealed(1), house.recording(2)
    for recording in (kept, raw):
        with monkeypatch.context() as patched:
            patched.setattr(house.shelf, "delete", _away)
            with pytest.raises(ShelfAway):
                house.destroyer.destroy(recording, "after 30 days", house.now)
        assert (house.day / f".{recording.id}.destroyed.json.part").exists()
        later = house.now + timedelta(days=400)
        assert house.destroyer.destroy(recording, "after 400 days", later).rule == "after 400 days"
        told = json.loads((house.day / f"{recording.id}.destroyed.json").read_text())
        assert (told["rule"], told["destroyed_at"]) == ("after 400 days", "2027-12-31T12:00:00Z")
    assert house.findings() == []


def test_a_certificate_that_only_lies_there_is_not_believed_while_the_sound_does(house: House) -> None:
    """A crash came before the chain, and then the sound was put back, for a hold; or somebody gave it its name."""
    made = house.sealed(1)
    sound = (house.day / f"{made.id}.ogg").read_bytes()
    certificate = house.day / f"{made.id}.destroyed.json"
    whole = {name: (house.day / name).read_bytes() for name in ("chain.jsonl", "chain.head", "chain.head.sig")}
    head = (house.keys / "heads/2026-11-26.json").read_bytes()
    house.destroyer.destroy(made, "after 30 days", house.now)
    for name, data in whole.items():
        (house.day / name).write_bytes(data)
    (house.keys / "heads/2026-11-26.json").write_bytes(head)
    (house.day / f"{made.id}.ogg").write_bytes(sound)
    house.start()
    later = house.now + timedelta(days=400)
    assert house.destroyer.destroy(made, "after 400 days", later).rule == "after 400 days"
    assert json.loads(certificate.read_text())["destroyed_at"] == "2027-12-31T12:00:00Z"


def _away(name: str) -> None:
    raise ShelfAway(f"{name}: the bucket does not answer")


def test_what_is_lost_with_its_manifest_is_destroyed_and_its_person_erased(house: House) -> None:
    """Nothing of it can come back, and whoever was in it may ask to be erased."""
    lost = replace(house.sealed(1), state=State.LOST)
    for ending in (".json", ".peaks.json"):
        (house.day / f"{lost.id}{ending}").unlink()
    with pytest.raises(Unsealable, match="its manifest is not there"):  # somebody has put its sound back, and no more
        house.destroyer.destroy(lost, "a request of the person", house.now)
    (house.day / f"{lost.id}.ogg").unlink()
    certificate = house.destroyer.destroy(lost, "a request of the person", house.now).certificate
    told = json.loads((house.root / certificate).read_text())
    assert (told["manifest"], told["destroyed"]) == (None, [])
    assert house.destroyer.fate(lost) is Fate.DESTROYED


def test_what_was_only_begun_to_be_destroyed_in_a_bucket_that_is_away_is_not_told_to_be_gone(house: House) -> None:
    begun, gone = house.sealed(1), house.sealed(2)
    house.destroyer.destroy(gone, "after 30 days", house.now)
    (house.day / f"{begun.id}.ogg").unlink()  # it was moved
    shelf = DiskAndBucket(house.shelf, BucketNotNamed("the bucket does not answer"))
    house.destroyer._shelf = shelf
    with pytest.raises(ShelfAway):
        house.destroyer.destroy(begun, "after 30 days", house.now)
    assumed = list(lying_files(house.root, shelf, house.certificates, house.now, house.now))
    assert [(each.id, each.is_sealed) for each in assumed] == [(begun.id, True)]
    with pytest.raises(ShelfAway):
        list(lying_files(house.root, shelf, house.certificates, house.now, house.now, are_seen=True))
