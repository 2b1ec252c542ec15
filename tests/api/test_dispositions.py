"""What calls were, over HTTP."""

from datetime import timedelta

import pytest

from gateway.api.calls import DispositionFilter
from gateway.domain.dispositions import Disposition
from tests.api.house import START, House, answered
from tests.api.test_duty import hired

PATH = "/v1/calls/112-1.1/disposition"


async def test_a_disposition_is_set_corrected_and_shown_with_the_call(house: House) -> None:
    await house.answered_call()
    set_first = await house.ask("PUT", PATH, json={"disposition": "ghost"}, token="supervisor")
    fire = {"disposition": "emergency", "category": "fire", "note": "  Gudang, Jl. Merdeka  "}
    corrected = await house.ask("PUT", PATH, json=fire)
    call = (await house.get("/v1/calls/112-1.1", token="reader")).json

    assert (set_first.status, set_first.json["disposition"], set_first.json["set_by"]) == (200, "ghost", "supervisor")
    assert call["disposition"] == corrected.json
    assert corrected.json["note"] == "Gudang, Jl. Merdeka"
    assert (call["disposition"]["category"], call["ministry_kind"]) == ("fire", "normal")
    events = (await house.get("/v1/calls/112-1.1/events")).json["items"][-2:]
    assert [event["data"]["disposition"] for event in events] == ["ghost", "emergency"]
    entry = (await house.get("/v1/audit?subject=call/112-1.1")).json["items"][-1]
    assert (entry["action"], entry["actor"]) == ("call.disposed", "admin")
    assert entry["before"]["disposition"] == "ghost"
    assert entry["after"] == {"disposition": "emergency", "category": "fire", "note": "Gudang, Jl. Merdeka"}


async def test_operators_say_it_of_their_own_calls_also_while_they_run(house: House) -> None:
    _, siti = await hired(house)
    _, budi = await hired(house, "1002", "Budi")
    later = START.replace(year=2030)
    *running, _, _ = answered(at=later)
    await house.tell(*running)
    refused = await house.ask("PUT", PATH, json={"disposition": "prank"}, token=budi)
    done = await house.ask("PUT", PATH, json={"disposition": "prank"}, token=siti)

    assert (refused.status, done.status) == (403, 200)
    assert "somebody else answered" in refused.json["detail"]
    assert (await house.ask("PUT", PATH, json={"disposition": "prank"}, token="reader")).status == 403
    assert (await house.get("/v1/calls/112-1.1")).json["ended_at"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"disposition": "emergency"}, "/category"),
        ({"disposition": "prank", "category": "fire"}, "/category"),
        ({"disposition": "emergency", "category": "flood"}, "/category"),
        ({"disposition": "boring"}, "/disposition"),
        ({}, "/disposition"),
        ({"disposition": "prank", "note": "x" * 501}, "/note"),
        ({"disposition": "prank", "note": "a\nb"}, "/note"),
        ({"disposition": "prank", "by": "me"}, "/by"),
    ],
)
async def test_what_cannot_be_is_told_by_its_field(house: House, body: dict[str, str], field: str) -> None:
    await house.answered_call()
    reply = await house.ask("PUT", PATH, json=body)
    assert (reply.status, reply.fields) == (422, [field])


async def test_a_call_that_is_not_there_is_404(house: House) -> None:
    assert (await house.ask("PUT", PATH, json={"disposition": "prank"})).status == 404


async def test_calls_are_listed_by_disposition_and_those_without(house: House) -> None:
    await house.answered_call("112-1.1")
    await house.answered_call("112-2.1", at=START + timedelta(minutes=2))
    await house.ask("PUT", PATH, json={"disposition": "wrong_region"})

    async def listed(value: str) -> list[str]:
        return [call["id"] for call in (await house.get(f"/v1/calls?disposition={value}")).json["items"]]

    assert await listed("wrong_region") == ["112-1.1"]
    assert await listed("none") == ["112-2.1"]
    assert await listed("prank") == []
    reply = await house.get("/v1/calls?disposition=boring")
    assert (reply.status, reply.fields) == (422, ["?disposition"])
    assert {each.value for each in DispositionFilter} == {"none", *Disposition}


async def test_what_is_missing_is_listed_by_operator_and_shift(house: House) -> None:
    siti, _ = await hired(house)
    siti_id = int(siti.rpartition("/")[2])
    pagi = {"name": "pagi", "start": "06:00", "end": "14:00", "first_date": "2026-08-01"}
    shift_id = (await house.post("/v1/shifts", pagi)).json["id"]
    days = {"first_date": "2026-08-17", "last_date": "2026-08-17"}
    body = {"operator_id": siti_id, "shift_id": shift_id, "queue": "emergency", **days}
    await house.post("/v1/assignments", body)
    for number, hours in ((1, 0), (2, 1), (3, 9)):  # 10:00, 11:00 and 19:00 by the wall
        await house.answered_call(f"112-{number}.1", at=START + timedelta(hours=hours))
    await house.ask("PUT", PATH, json={"disposition": "prank"})

    span = "since=2026-08-17T00:00:00Z&until=2026-08-18T00:00:00Z"
    told = (await house.get(f"/v1/dispositions/missing?{span}", token="reader")).json
    assert (told["count"], told["is_whole"]) == (2, True)
    common = {"operator_id": siti_id, "operator_name": "Siti", "phone": "1001", "count": 1}
    shift = {"id": shift_id, "name": "pagi", "date": "2026-08-17"}
    assert told["groups"] == [
        {**common, "shift": None, "call_ids": ["112-3.1"]},
        {**common, "shift": shift, "call_ids": ["112-2.1"]},
    ]
    assert (await house.get(f"/v1/dispositions/missing?{span}&operator_id=999")).json["groups"] == []
    recent = (await house.get("/v1/dispositions/missing")).json
    assert recent["since"] < recent["until"]


@pytest.mark.parametrize("days", [32, -1])
async def test_a_span_that_is_too_long_or_ends_before_it_begins_is_refused(house: House, days: int) -> None:
    span = f"since={START:%Y-%m-%dT%H:%MZ}&until={START + timedelta(days=days):%Y-%m-%dT%H:%MZ}"
    reply = await house.get(f"/v1/dispositions/missing?{span}")
    assert (reply.status, reply.fields) == (422, ["?since"])
