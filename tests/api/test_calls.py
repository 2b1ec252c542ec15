"""Calls as the API tells them."""

import asyncio
import threading
from datetime import timedelta
from urllib.parse import quote

import pytest

from gateway.api import calls
from gateway.domain.facts import CallerLeft, Entered, Side
from gateway.vault.recordings import Recordings
from tests.api.house import START, House, answered


async def test_an_answered_call_tells_its_whole_story(house: House) -> None:
    house.sound("one.raw", 2.0)
    await house.answered_call(recording="one.raw")

    reply = await house.get("/v1/calls/112-1.1", token="supervisor")

    assert reply.status == 200
    assert reply.json == {
        "id": "112-1.1",
        "trunk": "telkomsel",
        "is_probe": False,
        "stage": "ended",
        "caller": "08123456789",
        "caller_name": "Budi, “kios”",
        "dialled": "112",
        "sip_call_id": "abc@carrier",
        "diversion": "",
        "access_network": "",
        "geolocation": "",
        "location": "",
        "arrived_at": "2026-08-17T03:00:00Z",
        "greeted_at": "2026-08-17T03:00:01Z",
        "queued_at": "2026-08-17T03:00:04Z",
        "answered_at": "2026-08-17T03:00:12Z",
        "ended_at": "2026-08-17T03:00:42Z",
        "has_vanished": False,
        "queue": "emergency",
        "priority": 0,
        "operator": "1001",
        "operator_id": None,
        "operator_name": None,
        "relieved_by": None,
        "agency": None,
        "message": None,
        "spoke_at": None,
        "attempts": [
            {
                "phone": "1001",
                "rung_at": "2026-08-17T03:00:04.500000Z",
                "answered_at": "2026-08-17T03:00:12Z",
                "left_at": "2026-08-17T03:00:42Z",
                "ring_s": 7.5,
                "result": "answered",
            }
        ],
        "outcome": "answered",
        "hung_up_by": "caller",
        "cause": 16,
        "wait_s": 12.0,
        "ring_s": 7.5,
        "talk_s": 30.0,
        "disposition": None,
        "ministry_kind": None,
        "recording": {
            "id": "one",
            "url": "/v1/calls/112-1.1/recording",
            "duration_s": 41.0,
            "silence_s": 39.0,
            "size_bytes": 1312044,
        },
    }


async def test_a_running_call_has_no_outcome_yet(house: House) -> None:
    await house.tell(Entered("112-1.1", START, "telkomsel", "0811"))

    call = (await house.get("/v1/calls/112-1.1")).json

    assert (call["outcome"], call["ended_at"], call["recording"]) == (None, None, None)


async def test_the_list_turns_pages_without_loss_or_repeat_while_calls_arrive(house: House) -> None:
    for number in range(7):
        await house.answered_call(f"112-{number}.1", at=START + timedelta(seconds=number))
    found, path = [], "/v1/calls?limit=3"
    while True:
        page = (await house.get(path)).json
        found += [call["id"] for call in page["items"]]
        if page["next"] is None:
            break
        await house.answered_call(f"112-later.{len(found)}", at=START + timedelta(hours=1, seconds=len(found)))
        path = f"/v1/calls?limit=3&cursor={page['next']}"

    assert found == [f"112-{number}.1" for number in reversed(range(7))]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["112-3.1", "112-2.1", "112-1.1"]),
        ("?trunk=indosat", ["112-2.1"]),
        ("?outcome=cancelled", ["112-3.1"]),
        ("?operator=1001", ["112-2.1", "112-1.1"]),
        ("?caller=0811", ["112-1.1"]),
        ("?since=2026-08-17T10:01:00%2B07:00", ["112-3.1", "112-2.1"]),
        ("?until=2026-08-17T03:01:00Z", ["112-1.1"]),
        ("?trunk=indosat&outcome=cancelled", []),
        ("?include_probes=true", ["112-4.1", "112-3.1", "112-2.1", "112-1.1"]),
        ("?trunk=probe&include_probes=true", ["112-4.1"]),
    ],
)
async def test_the_list_is_filtered(house: House, query: str, expected: list[str]) -> None:
    await house.answered_call("112-1.1", caller="0811", at=START)
    await house.answered_call("112-2.1", trunk="indosat", caller="0812", at=START + timedelta(minutes=1))
    await house.tell(
        Entered("112-3.1", START + timedelta(minutes=2), "telkom", "0813"),
        CallerLeft("112-3.1", START + timedelta(minutes=2, seconds=1), 16, Side.CALLER),
    )
    await house.answered_call("112-4.1", trunk="probe", at=START + timedelta(minutes=3))

    assert [call["id"] for call in (await house.get(f"/v1/calls{query}")).json["items"]] == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?trnk=telkomsel", "?trnk"),
        ("?limit=0", "?limit"),
        ("?limit=201", "?limit"),
        ("?limit=ten", "?limit"),
        ("?outcome=lost", "?outcome"),
        ("?since=yesterday", "?since"),
        ("?since=2026-08-17T03:00:00", "?since"),
        ("?since=1786935600", "?since"),
        ("?cursor=nonsense", "?cursor"),
        ("?caller=%00", "?caller"),
        ("?trunk=a&trunk=b", "?trunk"),
    ],
)
async def test_a_query_that_cannot_be_used_is_named(house: House, query: str, field: str) -> None:
    reply = await house.get(f"/v1/calls{query}")

    assert (reply.status, reply.fields) == (422, [field])


async def test_every_fault_of_a_query_is_named_at_once(house: House) -> None:
    reply = await house.get("/v1/calls?limit=0&colour=red&until=now")

    assert set(reply.fields) == {"?limit", "?colour", "?until"}


async def test_the_events_of_one_call_come_in_order_and_in_pages(house: House) -> None:
    one, other = answered("112-1.1"), answered("112-2.1")
    await house.tell(*(fact for both in zip(one, other, strict=True) for fact in both))

    first = (await house.get("/v1/calls/112-1.1/events?limit=3")).json
    rest = (await house.get(f"/v1/calls/112-1.1/events?after={first['next']}")).json

    assert [event["type"] for event in first["items"] + rest["items"]] == [
        "call.arrived",
        "call.described",
        "call.greeted",
        "call.queued",
        "call.operator_rung",
        "call.answered",
        "call.operator_left",
        "call.ended",
    ]
    assert {event["call_id"] for event in first["items"] + rest["items"]} == {"112-1.1"}
    assert rest["next"] is None


@pytest.mark.parametrize("path", ["", "/events", "/recording?reason=complaint+12"])
async def test_a_call_that_is_not_there_is_a_404(house: House, path: str) -> None:
    assert (await house.get(f"/v1/calls/112-9.9{path}")).status == 404


async def test_a_call_id_is_found_whatever_characters_it_has(house: House) -> None:
    call_id = "112-ü %1?.1"
    await house.answered_call(call_id, recording="none.raw")

    assert (await house.get(f"/v1/calls/{quote(call_id, safe='')}")).json["id"] == call_id


async def test_a_disk_of_recordings_that_hangs_keeps_no_call_from_being_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request that waited for it would keep a thread, and its place in the door, until nobody else had one."""
    house.sound("one.raw", 2.0)
    await house.answered_call(recording="one.raw")
    answers = threading.Event()
    monkeypatch.setattr(Recordings, "find", lambda *_: answers.wait(60))
    monkeypatch.setattr(calls, "DISK_LIMIT_S", 0.05)
    try:
        async with asyncio.timeout(15):
            for reply in await asyncio.gather(*(house.get("/v1/calls") for _ in range(20))):
                [call] = reply.json["items"]
                assert (call["id"], call["outcome"], call["recording"]) == ("112-1.1", "answered", None)
            assert (await house.get("/v1/operators")).status == 200
    finally:
        answers.set()
