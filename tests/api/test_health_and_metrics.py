"""Health, trunks and metrics: how the centre stands."""

import platform
import sqlite3
import time
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from gateway.api.reasons import CODES
from gateway.domain.advice import TrunkRule
from gateway.domain.evidence import Verification
from gateway.domain.facts import Entered
from gateway.domain.sight import Why
from gateway.ports import Moving, Reading, RecordingCounts, StoreAway
from gateway.sealing import Standing
from gateway.settings import PROJECT
from gateway.store.repository import Repository
from tests.api.house import START, House, answered
from tests.api.listener import listening
from tests.told import Services


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
    told, took_s = [], []
    while not told or (told[-1].status == 200 and len(told) < 9):
        began_s = time.monotonic()
        told.append(await house.get("/v1/health", token=None))
        took_s.append(time.monotonic() - began_s)
    holder.execute("ROLLBACK")
    holder.close()

    assert [each["code"] for each in told[0].json["reasons"]] == ["database_slow"]
    assert (told[-1].status, told[-1].json["database"]["up"]) == (503, False)
    assert max(took_s) < 1
    # what was asked of the store while it was held may still be on its way
    await house.get("/v1/health", token=None)
    assert (await house.get("/v1/health", token=None)).status == 200


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"free_bytes": {"paths.var": 1_000_000_000}}, 200, "paths.var has 1000 MB left"),
        ({"free_bytes": {"paths.recordings": 50_000_000}}, 503, "paths.recordings has 50 MB left"),
        (
            {"journal_unread_bytes": {"journal-1.csv": 4096}},
            *(200, "4096 bytes of the journal's file journal-1.csv cannot be read"),
        ),
        (
            {"journal_waits": "the database cannot be reached: Connect call failed ('10.0.0.7', 5432)"},
            *(503, "Calls are not stored: the database does not take them"),
        ),
        (
            {"journal_waits": "the journal cannot be read: [Errno 5] Input/output error: '/srv/10.0.0.7/journal'"},
            *(503, "Calls are not stored: the journal cannot be read"),
        ),
    ],
)
async def test_what_stops_calls_from_being_written_down_is_told(
    house: House, change: dict[str, object], status: int, words: str
) -> None:
    house.status |= change

    reply = await house.get("/v1/health", token=None)

    assert reply.status == status
    assert words in reply.json["problems"][0]
    assert "10.0.0.7" not in reply.text, "the page is open to everybody: a driver's own words are for the log"


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
        "verification": None,
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
        "gateway112_vault_findings NaN",
        "gateway112_vault_verified_timestamp_seconds NaN",
    ):
        assert line in told


async def test_sound_that_is_not_moved_to_its_bucket_shows_in_health_and_metrics(house: House) -> None:
    house.status["recordings"] = Standing(moving=Moving(5, "the bucket s3://sound is full. Remedy: raise its quota"))
    reply = await house.get("/v1/health", token=None)
    assert reply.json["recordings"]["not_moved"] == 5
    (problem,) = (each for each in reply.json["problems"] if "bucket" in each)
    assert "s3://" not in problem  # the page is open to everybody
    assert "gateway112_recordings_not_moved 5.0" in (await house.get("/metrics")).text


async def test_what_the_nightly_looks_at_the_vault_found_shows_in_health_and_metrics(house: House) -> None:
    first = ("2026/11/26/112-1.1.ogg: changed: it is not the sound that was sealed",)
    stands = Verification(START, START, days=9, recordings=40, findings=1, first=first, due=2)
    house.status["recordings"] = Standing(verification=stands)
    reply = await house.get("/v1/health", token=None)
    told = {"at": START.isoformat().replace("+00:00", "Z"), "days": 9, "recordings": 40, "findings": 1, "days_due": 2}
    assert (reply.status, reply.json["recordings"]["verification"]) == (200, told)
    reasons = {each["code"]: each["since"] for each in reply.json["reasons"]}
    assert {"recordings_changed", "recordings_not_verified"} <= reasons.keys()
    assert reasons["recordings_not_verified"] == told["at"]
    assert "112-1.1" not in reply.text  # the page is open to everybody
    metrics = (await house.get("/metrics")).text
    assert "gateway112_vault_findings 1.0" in metrics
    [line] = [each for each in metrics.splitlines() if each.startswith("gateway112_vault_verified_timestamp_seconds ")]
    assert float(line.split()[1]) == START.timestamp()


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


async def test_all_calls_are_counted_once_however_many_trunks_are_listed(house: House) -> None:
    """It was once for each of them: with a million calls, 0.3 s each."""
    counts = 0

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal counts
        counts += "max(calls.arrived_at)" in statement

    await house.answered_call()
    event.listen(house.engine.sync_engine, "before_cursor_execute", count)
    items = (await house.get("/v1/trunks")).json["items"]
    assert (len(items) > 1, counts) == (True, 1)
    await house.answered_call("112-2.1")
    assert {each["name"]: each["calls"] for each in (await house.get("/v1/trunks")).json["items"]}["telkomsel"] == 2
    assert counts == 2


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


async def test_each_reason_says_since_when_and_what_to_do_and_keeps_its_time(house: House) -> None:
    house.services.clock.at = START
    house.status |= {"operators_available": 0, "free_bytes": {"paths.var": 5 * 10**7}, "asterisk_up": False}
    house.status |= {"asterisk_since": START - timedelta(minutes=3)}
    first = (await house.get("/v1/health", token=None)).json["reasons"]
    assert [(each["code"], each["subject"], each["severe"]) for each in first] == [
        ("asterisk_away", "", True),
        ("no_space", "paths.var", True),
        ("no_operator", "", False),
    ]
    assert [each["since"] for each in first] == ["2026-08-17T02:57:00Z", "2026-08-17T03:00:00Z", "2026-08-17T03:00:00Z"]
    assert all(each["words"] and each["remedy"].endswith(".") for each in first)

    house.services.clock.at = START + timedelta(hours=1)
    house.status |= {"asterisk_up": True, "journal_lag_bytes": 5_000_000}
    again = (await house.get("/v1/health", token=None)).json["reasons"]
    assert {each["code"]: each["since"] for each in again} == {
        "no_space": "2026-08-17T03:00:00Z",
        "journal_behind": "2026-08-17T04:00:00Z",
        "no_operator": "2026-08-17T03:00:00Z",
    }


def test_each_reason_stands_in_the_docs() -> None:
    text = (PROJECT / "docs/operations.md").read_text()
    source = (PROJECT / "gateway/api/reasons.py").read_text()
    for code in CODES:
        assert f"`{code}`" in text
        assert source.count(f'"{code}"') >= 2  # in CODES, and where it is found


async def test_health_and_metrics_tell_when_the_gateway_was_blind(house: House) -> None:
    clock = house.services.clock
    clock.at = START
    blindness = house.services.blindness
    await blindness.look()
    house.services.why_blind = (Why.ASTERISK, "connection refused")
    clock.now_s += 12
    await blindness.look()
    sight = (await house.get("/v1/health", token=None)).json["sight"]
    assert (sight["blind"], sight["why"], sight["last"]) == (True, "asterisk", None)
    assert "gateway112_blind 1.0" in (await house.get("/metrics")).text

    house.services.why_blind = None
    clock.at = START + timedelta(seconds=12)
    await blindness.look()
    sight = (await house.get("/v1/health", token=None)).json["sight"]
    assert (sight["blind"], sight["since"]) == (False, None)
    assert (sight["last"]["why"], sight["last"]["seconds"]) == ("asterisk", 12.0)
    assert 'gateway112_blind_seconds_total{why="asterisk"} 12.0' in (await house.get("/metrics")).text


async def test_metrics_are_told_while_the_database_takes_nothing(house: House) -> None:
    holder = sqlite3.connect(house.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreAway):
            await house.answered_call("112-1.1")
        told = (await house.get("/metrics")).text
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert "gateway112_store_up 0.0" in told
    assert "gateway112_store_write_failures_total 1.0" in told
    await house.answered_call("112-1.1")
    told = (await house.get("/metrics")).text
    assert "gateway112_store_up 1.0" in told
    assert 'gateway112_calls_ended_total{outcome="answered"} 1.0' in told


async def test_calls_are_counted_on_from_what_was_stored_before_also_where_somebody_else_stores(house: House) -> None:
    await house.answered_call("112-1.1")
    before = 'gateway112_calls_ended_total{outcome="answered"}'
    assert f"{before} 1.0" in (await house.get("/metrics")).text
    await house.answered_call("112-2.1")
    assert f"{before} 2.0" in (await house.get("/metrics")).text
    # another gateway on the same database
    other = Services(Repository(house.engine))
    await other.centre.resume()
    await other.centre.record(Reading(facts=tuple(answered("112-3.1"))))
    await house.context.centre.resume()
    await house.answered_call("112-4.1")
    assert f"{before} 4.0" in (await house.get("/metrics")).text
    assert 'gateway112_answer_seconds_bucket{le="15.0",queue="emergency"} 3.0' in (await house.get("/metrics")).text
