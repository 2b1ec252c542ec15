"""Health, trunks and metrics: how the centre stands."""

import platform
import sqlite3
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.domain.advice import TrunkRule
from gateway.domain.facts import Entered
from gateway.ports import Moving, RecordingCounts
from gateway.sealing import Standing
from tests.api.house import START, House
from tests.api.listener import listening


async def test_a_whole_centre_is_ok_and_tells_so_without_a_token(house: House) -> None:
    reply = await house.get("/v1/health", token=None)

    assert (reply.status, reply.json["status"], reply.json["problems"]) == (200, "ok", [])
    assert reply.json["asterisk"] == {"up": True, "reason": None}
    assert reply.json["database"] == {"up": True, "reason": None}
    assert reply.json["operators"] == {"available": 1}


async def test_a_centre_without_asterisk_is_down_and_tells_why(house: House) -> None:
    house.status |= {"asterisk_up": False, "asterisk_reason": "connection refused"}

    reply = await house.get("/v1/health", token=None)

    assert (reply.status, reply.json["status"]) == (503, "down")
    assert reply.json["problems"] == ["Asterisk is away: connection refused"]


async def test_a_centre_without_its_database_is_down_and_back_when_that_is(house: House) -> None:
    await house.take_database_away()
    reply = await house.get("/v1/health", token=None)
    assert (reply.status, reply.json["database"]["up"]) == (503, False)

    await house.bring_database_back()
    assert (await house.get("/v1/health", token=None)).status == 200


async def test_a_database_that_somebody_else_holds_is_down(house: House) -> None:
    holder = sqlite3.connect(house.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    held = await house.get("/v1/health", token=None)
    holder.execute("ROLLBACK")
    holder.close()

    assert (held.status, held.json["database"]["up"]) == (503, False)
    assert (await house.get("/v1/health", token=None)).status == 200


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"free_bytes": {"paths.var": 1_000_000_000}}, 200, "paths.var has 1000 MB left"),
        ({"free_bytes": {"paths.recordings": 50_000_000}}, 503, "paths.recordings has 50 MB left"),
        ({"journal_waits": "the disk is full"}, 503, "Calls are not stored: the disk is full"),
    ],
)
async def test_what_stops_calls_from_being_written_down_is_told(
    house: House, change: dict[str, object], status: int, words: str
) -> None:
    house.status |= change

    reply = await house.get("/v1/health", token=None)

    assert reply.status == status
    assert words in reply.json["problems"][0]


async def test_a_last_resort_that_nobody_has_and_a_trunk_that_cannot_come_are_told(house: House) -> None:
    house.status |= {"last_resort": "PJSIP/0812@nope", "sip_host": "127.0.0.1"}
    await house.post("/v1/trunks", {"name": "smartfren", "carrier": "Smartfren", "addresses": ["10.20.0.5"]})

    reply = await house.get("/v1/health", token=None)

    assert reply.json["status"] == "impaired"
    assert any("no trunk nope" in each for each in reply.json["problems"])
    assert any(each.startswith("Trunk smartfren comes from 10.20.0.5") for each in reply.json["problems"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"operators_available": 0}, "No operator"),
        ({"journal_lag_bytes": 5_000_000}, "5000000 bytes behind"),
        ({"advice_is_blind": True}, "The advice cannot read the past"),
    ],
)
async def test_a_centre_that_is_not_at_its_best_is_impaired(house: House, change: dict[str, int], words: str) -> None:
    house.status |= change

    reply = await house.get("/v1/health", token=None)

    assert (reply.status, reply.json["status"]) == (200, "impaired")
    assert words in reply.json["problems"][0]


async def test_how_the_recordings_stand_shows_in_health_and_metrics(house: House) -> None:
    standing = Standing(stalled=("112-1.1",), counts=RecordingCounts(waiting=3, failing=2, lost=1), vault_away="gone")
    standing.told["sealed"] = 7
    house.status["recordings"] = standing

    reply = await house.get("/v1/health", token=None)
    assert (reply.status, reply.json["status"]) == (200, "impaired")
    assert reply.json["recordings"] == {
        "stalled": 1,
        "waiting": 3,
        "failing": 2,
        "lost": 1,
        "vault": {"up": False, "reason": "gone"},
        "not_moved": None,
    }
    assert reply.json["problems"] == [
        "1 running call is not being recorded.",
        "Nothing is sealed: the vault's worker does not answer.",
        "2 recordings could not be sealed yet.",
    ]
    told = (await house.get("/metrics")).text
    for line in (
        'gateway112_recordings_told_total{what="sealed"} 7.0',
        "gateway112_recordings_stalled 1.0",
        "gateway112_recordings_waiting 3.0",
        "gateway112_recordings_failing 2.0",
        "gateway112_recordings_not_moved NaN",
        "gateway112_vault_up 0.0",
    ):
        assert line in told


async def test_sound_that_is_not_moved_to_its_bucket_shows_in_health_and_metrics(house: House) -> None:
    house.status["recordings"] = Standing(moving=Moving(5, "the bucket s3://sound is full. Remedy: raise its quota"))
    reply = await house.get("/v1/health", token=None)
    assert reply.json["recordings"]["not_moved"] == 5
    (problem,) = (each for each in reply.json["problems"] if "bucket" in each)
    assert "s3://" not in problem  # the page is open to everybody
    assert "gateway112_recordings_not_moved 5.0" in (await house.get("/metrics")).text


async def test_settings_of_a_trunk_that_is_not_there_show_in_health_until_it_is(house: House) -> None:
    house.status["trunk_rules"] = {"bolt": TrunkRule(priority=2)}
    [problem] = (await house.get("/v1/health", token=None)).json["problems"]
    assert problem.startswith("gateway.toml, [trunks.bolt]: there is no trunk bolt; known are indosat, ")

    await house.post("/v1/trunks", {"name": "bolt", "carrier": "Bolt", "addresses": ["127.0.0.99"]})
    assert (await house.get("/v1/health", token=None)).json["problems"] == []


async def test_what_asterisk_refuses_shows_in_health(house: House) -> None:
    house.switchboard.refuses["1001"] = "no"
    await house.post("/v1/operators", {"name": "Siti", "phone": "1001"})

    assert (await house.get("/v1/health", token=None)).json["problems"] == ["Asterisk refused: 1001"]


async def test_trunks_tell_their_calls_and_the_probe_is_not_one(house: House) -> None:
    await house.answered_call("112-1.1")
    await house.tell(Entered("112-2.1", START + timedelta(hours=1), "telkomsel", "0811"))
    await house.answered_call("112-3.1", trunk="probe")

    items = (await house.get("/v1/trunks", token="reader")).json["items"]
    seen = {each["name"]: (each["calls"], each["running"], each["last_arrived_at"]) for each in items}
    assert seen == {
        "telkomsel": (2, 1, "2026-08-17T04:00:00Z"),
        "indosat": (0, 0, None),
        "xlsmart": (0, 0, None),
        "telkom": (0, 0, None),
    }


async def test_metrics_count_the_calls_of_the_store(house: House) -> None:
    await house.answered_call("112-1.1")
    await house.answered_call("112-2.1", trunk="probe")
    await house.tell(Entered("112-3.1", START, "telkomsel", "0811"))
    made = await house.post("/v1/webhooks", {"url": "http://127.0.0.1:1/"})
    house.status["operators_available"] = 3

    async with listening(house):
        reply = await house.get("/metrics", token="reader")

    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }
    assert values["gateway112_calls_ended_total", "answered"] == 1
    assert values["gateway112_calls_ended_total", "failed"] == 0
    assert values["gateway112_calls_running",] == 1
    assert values["gateway112_events_total",] == house.begun + 18
    assert values["gateway112_operators_available",] == 3
    assert values["gateway112_asterisk_up",] == 1
    assert values["gateway112_event_streams",] == 1
    assert values["gateway112_webhook_lag_events", made.json["id"]] == 0
    assert values["gateway112_build_info", platform.python_version(), "0.1.0"] == 1
    assert values["process_resident_memory_bytes",] > 0


async def test_metrics_are_told_while_nothing_is_known_of_the_operators(house: House) -> None:
    house.status["operators_available"] = None

    assert "gateway112_operators_available NaN" in (await house.get("/metrics")).text
