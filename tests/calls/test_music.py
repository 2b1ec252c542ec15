"""What a caller hears while he waits: the class that the queue names, or ringing; and never silence."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.probe import tones
from gateway.settings import PROJECT
from tests import sip
from tests.calls.ears import Ear, listening
from tests.calls.test_roster import within
from tests.centre import Api, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

HEARD_S = 6.0
BED_HZ, BELL_HZ = 261.6, 659.3
"""Of dialplan/music/tenang/1-nada.tones."""
RINGING_HZ = 425.0

SETTINGS: dict[str, dict[str, object]] = {}


@pytest.fixture
async def api(own_api: Api) -> AsyncIterator[Api]:
    yield own_api
    await own_api.send("PATCH", f"/v1/queues/{await emergency(own_api)}", {"music": None})


async def emergency(api: Api) -> int:
    [queue] = (await api.get("/v1/queues"))["items"]
    found: int = queue["id"]
    return found


def caller(centre: RealCentre, ear: Ear) -> Sipp:
    return Sipp.caller(sip.caller_talks(hold_ms=60_000, media=ear.media), centre.sip_port)


async def waiting(centre: RealCentre, api: Api, before: Callable[[], None] = lambda: None) -> Ear:
    """What a caller heard in his first seconds in the queue, while a phone rang that nobody picked up. `before` is done
    last before he calls."""
    async with Sipp(sip.phone_rings(), address="127.0.0.21") as phone, listening() as ear:
        await api.operator("1001", phone)
        before()
        async with caller(centre, ear):
            await within(lambda: ear.heard_s >= HEARD_S, 20)
    return ear


def warnings(centre: RealCentre) -> list[str]:
    lines = centre.log("asterisk").splitlines()
    return [line for line in lines if "moh" in line.lower() or "music" in line.lower()]


async def test_a_queues_music_is_what_its_callers_hear_without_a_gap(own_centre: RealCentre, api: Api) -> None:
    await api.send("PATCH", f"/v1/queues/{await emergency(api)}", {"music": "tenang"})

    ear = await waiting(own_centre, api)

    assert all(ear.loud(since_s=0.6)), ear.loud()
    bells = [window for window in tones.windows(ear.samples) if tones.share(window, BELL_HZ) > 0.3]
    beds = [window for window in tones.windows(ear.samples) if tones.share(window, BED_HZ) > 0.3]
    assert bells
    assert beds
    assert warnings(own_centre) == []


async def test_without_music_callers_hear_ringing_as_ever(own_centre: RealCentre, api: Api) -> None:
    ear = await waiting(own_centre, api)

    assert tones.seconds_of(ear.samples, RINGING_HZ) >= 0.8
    assert tones.seconds_of(ear.samples, BED_HZ) == 0


async def test_where_nobody_is_there_callers_hear_ringing_between_the_prompts(own_centre: RealCentre, api: Api) -> None:
    async with listening() as ear, caller(own_centre, ear):
        await within(lambda: tones.seconds_of(ear.samples, RINGING_HZ) >= 0.8, 30)


async def test_a_class_that_is_not_there_is_refused_and_the_known_ones_are_named(
    own_centre: RealCentre, api: Api
) -> None:
    told = await api.send("PATCH", f"/v1/queues/{await emergency(api)}", {"music": "calm"}, status=409)

    [error] = told["errors"]
    assert error["field"] == "/music"
    assert error["reason"].startswith("there is no class calm: known are default, tenang; ")


async def test_asterisk_has_a_class_for_each_folder_and_each_file_of_it_once(own_centre: RealCentre) -> None:
    shown = own_centre.cli("moh show classes")
    files = own_centre.cli("moh show files").splitlines()
    folders = sorted(each for each in (PROJECT / "dialplan/music").iterdir() if each.is_dir())

    for folder in folders:
        assert f"Class: {folder.name}" in shown
        wanted = sorted({file.stem for file in folder.iterdir()})
        played = [Path(line.split("File: ")[1]).name for line in files if f"/{folder.name}/" in line]
        assert played == wanted


async def test_who_is_sent_to_a_class_that_was_taken_away_hears_the_default(own_centre: RealCentre, api: Api) -> None:
    """Its folder is gone, and the queue still names it."""
    queues = own_centre.settings.asterisk_dir / "etc/queues_kept.conf"
    await api.send("PATCH", f"/v1/queues/{await emergency(api)}", {"music": "tenang"})

    def take_away() -> None:
        own_centre.stop_gateway()
        queues.write_text(queues.read_text().replace("musicclass = tenang", "musicclass = gone"))
        own_centre.cli("queue reload all")

    ear = await waiting(own_centre, api, take_away)
    own_centre.start_gateway()
    await own_centre.ready()

    assert all(ear.loud(since_s=0.6)), ear.loud()
    assert any("gone" in line for line in warnings(own_centre))
