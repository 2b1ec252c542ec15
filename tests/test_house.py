"""The house as a whole: what it says of itself."""

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.api.reasons import at_hand, of_the_store
from gateway.asterisk.framing import Message
from gateway.asterisk.link import LinkState
from gateway.asterisk.switchboard import LEAST_ROOM_BYTES
from gateway.domain.audit import CENTRE
from gateway.domain.evidence import Space
from gateway.domain.queues import Queue
from gateway.domain.trunks import Trunk
from gateway.house import House
from gateway.settings import Settings, load
from gateway.stores import Stores

usage = shutil.disk_usage


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Of which folders it is asked how much room their disks have."""
    asked: list[Path] = []

    def look(path: Path) -> object:
        asked.append(path)
        return usage(path)

    monkeypatch.setattr(shutil, "disk_usage", look)
    return asked


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "gateway.toml").write_text("")
    settings: Settings = load(tmp_path / "gateway.toml", {})
    settings.paths.var.mkdir()
    stores = await Stores.open(settings.database_url)
    yield House(settings, stores, None, offers_sha256=False)
    await stores.close()


def see(house: House, *phones: str, queue: str = "emergency") -> None:
    """All is looked at, and these operators are there."""
    house.link.state = LinkState.UP
    house.switchboard._seen_in_login = house.link.counters.logins = house.link.counters.logins + 1
    house.board.look(
        Message((("Event", "QueueMember"), ("Queue", queue), ("Location", f"PJSIP/{phone}"), ("Status", "1")))
        for phone in phones
    )


async def test_who_is_there_is_told_while_it_is_seen_and_not_as_it_was_seen_last(house: House) -> None:
    await house.set_up()
    assert house.status().operators_available is None, "nobody has looked yet: that is no 0, which is an alarm"
    see(house)
    assert house.status().operators_available == 0
    see(house, "1001", "1002")
    assert house.status().operators_available == 2
    house.link.state = LinkState.DOWN
    assert house.status().operators_available is None


async def test_who_is_there_in_any_queue_that_calls_come_to_counts_and_one_without_anybody_is_told(
    house: House,
) -> None:
    await house.set_up()
    now = datetime.now(UTC)
    for name in ("medical", "drill"):
        await house.office.create(Queue(name=name, created_at=now), CENTRE)
    see(house, "1003", queue="medical")
    assert house.status().operators_available == 0, "no call comes there"
    trunk = Trunk(name="smartfren", carrier="Smartfren", addresses=("127.0.0.77",), queue="medical", created_at=now)
    await house.office.create(trunk, CENTRE)
    await house.bookkeeper.books()
    assert house.status().operators_available == 1
    [told] = [each for each in at_hand(house.context) if each.code in ("no_operator", "nobody_in_queue")]
    assert (told.code, told.subject) == ("nobody_in_queue", "emergency")
    assert "the calls of indosat, telkom, telkomsel, xlsmart go to the fallback" in told.words
    see(house, "1001")
    assert house.status().deserted == {"medical": ("smartfren",)}
    see(house, "1001", queue="drill")
    assert (house.status().operators_available, house.status().deserted) == (0, {}), "that is told by no_operator"


async def test_a_queue_that_was_misspelled_is_told_and_logins_lead_where_calls_wait(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.set_up()
    settings = house._settings
    etc = settings.asterisk_dir / "etc/site"
    etc.mkdir(parents=True)
    (etc / "globals.conf").write_text("QUEUE = emergancy\nQUEUE_BEFORE = emergency\n")
    misspelled = settings.model_copy(update={"call": settings.call.model_copy(update={"queue": "emergancy"})})
    stores = await Stores.open(settings.database_url)
    try:
        again = House(misspelled, stores, None, offers_sha256=False)
        await again.set_up()
        books = await again.bookkeeper.books()
        assert (list(books.queues), books.default_queue) == (["emergency"], "emergency")
        (etc / "globals.conf").unlink()
        elsewhere = await House(misspelled, stores, None, offers_sha256=False).bookkeeper.books()
        assert elsewhere.default_queue == "emergency"
        [reason] = [each for each in await of_the_store(again.context) if each.code == "setting_in_vain"]
    finally:
        await stores.close()
    assert "there is no queue emergancy; known are emergency: calls wait in emergency" in reason.words
    assert "gateway112 queue add emergancy" in reason.remedy
    assert "setting_in_vain" in [record.message for record in caplog.records]


async def test_a_disk_of_recordings_that_hangs_is_not_waited_for_by_whoever_asks_how_it_stands(
    house: House, asked: list[Path]
) -> None:
    assert house.status().free_bytes.keys() == {"paths.var"}
    house.evidence.standing.space = Space(10**9, 10**8)  # as its own thread found it
    assert house.status().free_bytes["paths.recordings"] == 10**9
    assert set(asked) == {house._settings.paths.var}


async def test_room_is_asked_for_where_asterisk_writes_its_configuration(house: House, asked: list[Path]) -> None:
    etc = house._settings.asterisk_dir / "etc"
    assert house.switchboard._room_bytes() == LEAST_ROOM_BYTES, "where there is none yet, nothing is in the way"
    etc.mkdir(parents=True)
    assert house.switchboard._room_bytes() == usage(etc).free
    assert asked == [etc, etc]
