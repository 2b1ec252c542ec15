"""Many recordings of real sound, sealed by the vault's own worker, come to their end by rule; those on hold do not.

Counterparts: `gateway/destroying.py`, `gateway/vault/worker.py`, `gateway112 vault verify`. The suite lays 20, for each
is encoded by ffmpeg at the lowest priority; RECORDINGS=1000 lays a thousand.
"""

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.destroying import Destroying
from gateway.domain.change import Change
from gateway.domain.events import Event
from gateway.domain.recordings import Recording, State
from gateway.domain.retention import LegalHold, Trusted
from gateway.store.database import open_database
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.cli.typed import Typed, settle
from tests.services.conftest import ANI
from tests.told import Clock, Services
from tests.vault.sound import CALLER_HZ, CENTRE_HZ, NOON, House, decoded, level_db, tones
from tests.vault.test_kept_and_destroyed import RULE, call_of
from tests.vault.test_worker import working

COUNT = int(os.environ.get("RECORDINGS", "20"))
DAYS = 3
HELD = (COUNT // 9, COUNT - 1)
DUE_AT = NOON + timedelta(days=366)

pytestmark = pytest.mark.timeout(60 + COUNT)


@dataclass(frozen=True)
class Laid:
    """A vault in a folder, and the recordings in it."""

    folder: Path
    recordings: tuple[Recording, ...]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def laid(tmp_path_factory: pytest.TempPathFactory) -> Laid:
    """COUNT recordings of DAYS days, sealed by the worker, each with a tone of its own on the caller's side; those that
    are held later have the usual one."""
    house = House(tmp_path_factory.mktemp("laid"))
    recordings = []
    async with working(house) as worker:
        for number in range(COUNT):
            caller_hz = CALLER_HZ if number in HELD else 300 + number
            day = f"2026/11/{24 + number % DAYS}"
            over = house.recording(number, tones(0.2, caller_hz, CENTRE_HZ), day=day)
            sealed = replace(over, seal=(await worker.seal(over)).seal, state=State.SEALED)
            assert not await worker.discard_raw([sealed])
            recordings.append(sealed)
    return Laid(house.folder, tuple(recordings))


@pytest.fixture
def typed(laid: Laid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """A terminal in the folder of a copy of that vault."""
    settle(tmp_path, monkeypatch, port=1)
    shutil.copytree(laid.folder, tmp_path, dirs_exist_ok=True)
    return Typed(capsys)


@pytest.fixture
async def services(database_url: str, laid: Laid) -> AsyncIterator[Services]:
    """A centre whose recordings these are, a year later, and what it knows of their calls."""
    engine = await open_database(database_url)
    services = Services(Repository(engine), clock=Clock(min(each.started_at for each in laid.recordings)))
    await services.set_up()
    services.clock.at = DUE_AT
    changes = [call_of(each) for each in laid.recordings]
    calls = tuple(call for change in changes for call in change.calls)
    history = tuple(Event("call.arrived", each.arrived_at, each.id, {"caller": each.caller}) for each in calls)
    await services.store.commit(Change(calls=calls, events=history, recordings=laid.recordings))
    await services.custody.trust(Trusted(DUE_AT))
    yield services
    await services.store.close()


async def test_of_many_recordings_of_real_sound_two_on_hold_stay_and_each_other_one_has_a_certificate_that_holds(
    laid: Laid, services: Services, typed: Typed, tmp_path: Path
) -> None:
    house = House(tmp_path)
    held = [laid.recordings[number] for number in HELD]
    for each in held:
        hold = LegalHold(call_id=str(each.call_id), reason="LP/B/112/2026", set_by="Ani", created_at=DUE_AT)
        await services.office.create(hold, ANI)
    async with working(house) as worker:
        destroying = Destroying(
            custody=services.custody,
            saving=services.saving,
            bookkeeper=services.bookkeeper,
            vault=worker,
            doomed=services.doomed,
            clock=services.clock,
            uptime=services.clock.uptime,
        )
        assert await destroying.look() == COUNT - 2
        assert destroying.alarms(()) == []
        assert await destroying.look() == 0

    # what lies there: the manifest of each, and the sound of the held or the certificate of the others
    verified = (await typed.good("vault verify --json")).json
    assert (verified["ok"], verified["recordings"], verified["destroyed"]) == (True, COUNT, COUNT - 2)
    assert sum(each["entries"] for each in verified["heads"]) == COUNT + COUNT - 2
    assert len(verified["heads"]) == DAYS
    lying = await asyncio.to_thread(names, house.root)
    assert lying == {
        f"{each.file.removesuffix('.raw')}{ending}"
        for each in laid.recordings
        for ending in (".json", *((".ogg", ".peaks.json") if each in held else (".destroyed.json",)))
    }
    for each in held:
        left = (await asyncio.to_thread(decoded, house.root / each.file.replace(".raw", ".ogg")))[::2]
        assert level_db(left, CALLER_HZ) > level_db(left, CENTRE_HZ) + 20

    # what the centre knows: every call, and what became of its recording
    rows = await services.custody.recordings_of([str(each.call_id) for each in laid.recordings])
    assert len(rows) == COUNT
    for each in rows:
        gone = (State.DESTROYED, each.file.replace(".raw", ".destroyed.json"), DUE_AT)
        assert (each.state, each.certificate, each.destroyed_at) == gone or each in held
    assert {each.id for each in rows if each.state is State.SEALED} == {each.id for each in held}
    reads = Reads(services.store._engine)
    events = [stored.event for stored in await reads.events(0, 3 * COUNT)]
    assert Counter(each.type for each in events)["call.arrived"] == COUNT
    destroyed = [each for each in events if each.type == "recording.destroyed"]
    assert {each.call_id for each in destroyed} == {each.call_id for each in laid.recordings if each not in held}
    assert {each.data["rule"] for each in destroyed} == {RULE}
    assert [each for each in laid.recordings if not await services.store.has_call(str(each.call_id))] == []
    assert await reads.kept.verify_audit() == (*await services.store.audit_head(), None)


def names(root: Path) -> set[str]:
    """The files of recordings that lie there, as they are named in that folder. Blocking: disk."""
    return {str(path.relative_to(root)) for path in root.rglob("112-*")}
